//! Scenarios that nobody wrote down.

use super::scenario::Scenario;

/// The scenario of this number.
pub(super) fn drawn(number: u64) -> Scenario {
    let mut chance = fastrand::Rng::with_seed(number);
    let clients = one_of(&mut chance, &[2, 5, 10, 20, 40, 80, 200]);
    let service = one_of(&mut chance, &[20, 50, 100, 200, 300, 500, 1000]);
    let jitter = one_of(&mut chance, &[0, 5, 20, 50, 100, 200]);
    let load = one_of(&mut chance, &[0.2, 0.5, 0.9, 1.1, 1.5, 2.0, 3.0]);
    let scope = one_of(&mut chance, &["pool", "pool", "pool", "route", "path", "account", "upstream"]);
    let counting = one_of(&mut chance, &["sliding", "fixed", "fixed-clock", "counter", "bucket"]);
    let rule = match chance.u32(0..10) {
        0..=3 => {
            let amount = match scope {
                "path" => chance.u32(5..30),
                "account" | "route" => chance.u32(20..140),
                _ => chance.u32(30..260),
            };
            format!("rate={amount}/6000 counting={counting}")
        }
        4..=6 => format!("in_flight={}", chance.u32(2..20)),
        7 => format!("random={:.3}", chance.f64() * 0.2 + 0.01),
        8 => format!("rate={}/1000 counting={counting}", chance.u32(4..30)),
        _ => String::new(),
    };
    let scope = if rule.starts_with("random") || rule.is_empty() { "pool" } else { scope };
    let pools = if scope == "upstream" { 2 } else { 1 };
    let threads = chance.u32(2..6);
    let accounts = if scope == "account" { chance.u32(2..4) } else { 1 };
    let line = format!(
        "drawn_{number} {rule} scope={scope} pools={pools} clients={clients} service={service} jitter={jitter} \
         load={load} threads={threads} accounts={accounts} windows=8"
    );
    Scenario { name: line.clone(), ..Scenario::read(&line) }
}

fn one_of<T: Copy>(chance: &mut fastrand::Rng, of: &[T]) -> T {
    of[chance.usize(0..of.len())]
}
