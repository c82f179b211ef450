mod drawing;
mod keys;
mod terminal;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tokio::runtime::Runtime;

use super::state::{State, Then};
use crate::admin::{
    AdminState, CauseName, CountStatus, EventStatus, InForceStatus, RouteStatus, SpreadStatus, Status, WaitingFor,
};
use crate::config::{Config, Source};
use crate::gate::Gate;

const CONFIG: &str = "extends = \"none\"\n[pools.calm]\nrequests = [\"300/min\"]\n[pools.full]\nrequests = [\"60/min\"]\n\
    [pools.lower]\nrequests = [\"1000/min\"]\n[[routes]]\nmatch = \"* /v1/{*rest}\"\npools = [\"calm\", \"full\", \"lower\"]\n";

/// What a gate says of itself with one pool at its limit and one whose limit is lower.
fn status() -> Status {
    let config = Config::parse(&Source::BuiltIn, CONFIG).expect("a configuration");
    let runtime = Runtime::new().expect("a runtime");
    let _within = runtime.enter();
    let mut status = AdminState::new(&config, Gate::start(&config).expect("a gate")).status();
    for pool in &mut status.pools {
        let (case, used, max, waiting) = match &*pool.name {
            "full" => (CauseName::OwnLimit, 60, 60, 36),
            "lower" => (CauseName::LowerLimit, 300, 600, 2),
            _ => (CauseName::WithinLimits, 3, 300, 0),
        };
        pool.in_force = Some(InForceStatus { limit: format!("{max}/min"), max, used });
        (pool.waiting, pool.eta_ms, pool.diagnosis.cause) = (waiting, 1_000 * waiting as u64, case);
        pool.rank = usize::from(case == CauseName::OwnLimit) + 2 * usize::from(case == CauseName::WithinLimits);
        pool.diagnosis.text = format!("What is the matter with {}.", pool.name);
        (pool.held, pool.oldest_ms, pool.waits.p95_ms) = (waiting, Some(5_000), 1_000 * waiting as u64);
        pool.waiting_for = vec![WaitingFor { client: "client-1".to_owned(), requests: waiting, next_ms: Some(7_000) }];
    }
    let counts = |requests, refused| CountStatus {
        requests,
        passed: requests - refused,
        refused,
        wait_ms: SpreadStatus { mean: 5, p50: 5, p95: 9, max: 9 },
        upstream_ms: SpreadStatus { mean: 20, p50: 20, p95: 40, max: 50 },
        ..CountStatus::default()
    };
    let route = |name: &str, counts| RouteStatus { route: name.to_owned(), pools: Vec::new(), counts };
    status.routes = vec![route("GET /v1/a", counts(5, 1)), route("GET /v1/b", counts(70, 0))];
    status.events = vec![EventStatus {
        at_ms: status.at_ms.saturating_sub(65_000),
        pool: "lower".to_owned(),
        key: None,
        refusals: 4,
        refusal_cause: "limit".to_owned(),
        cause: CauseName::LowerLimit,
        text: "What was refused.".to_owned(),
    }];
    status
}

/// A state that has seen that.
fn seen() -> State {
    let mut state = State::new("http://gate:4291".to_owned());
    state.see(Ok(status()));
    state
}

fn press(state: &mut State, codes: impl IntoIterator<Item = KeyCode>) -> Then {
    codes.into_iter().map(|code| state.press(KeyEvent::new(code, KeyModifiers::NONE))).last().unwrap_or(Then::Stay)
}

fn letters(text: &str) -> impl Iterator<Item = KeyCode> {
    text.chars().map(KeyCode::Char)
}

fn names(state: &State) -> Vec<String> {
    state.listing().rows.into_iter().map(|row| row.name).collect()
}
