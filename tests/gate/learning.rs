//! Limits that nobody wrote down, as a whole gate learns them from the stand-in for the upstream.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::alone::alone;
use tidegate::config::{Config, Source};
use tidegate::limit::EstimateView;
use tidegate_lab::mock::{Mock, ModelLimits, Options};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::house::House;
use crate::clock::{Clock, turn};

/// A gate with the built-in configuration, before an upstream with these limits. The clock stands while anything is on its
/// way, and goes on when all who ask wait for their turn.
struct Scene {
    clock: Clock,
    mock: Mock,
    house: House,
    asking: AtomicUsize,
}

impl Scene {
    async fn open(upstream: &str, options: Options) -> Arc<Self> {
        let clock = Clock::stop();
        let config =
            Config::parse(&Source::Text("upstream".to_owned()), &alone(upstream)).expect("a valid configuration");
        let mock = Mock::new(&config.settings(), options);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(mock.clone().run(listener, std::future::pending()));
        Arc::new(Self { clock, mock, house: House::open("", address).await, asking: AtomicUsize::new(0) })
    }

    async fn ask(&self, request: &str) -> String {
        self.asking.fetch_add(1, Ordering::Relaxed);
        let answer = self.house.ask(request).await;
        self.asking.fetch_sub(1, Ordering::Relaxed);
        answer
    }

    /// What comes of this, while the clock goes on as it may.
    async fn play<T>(&self, acting: impl Future<Output = T>) -> T {
        let goes_on = async {
            loop {
                let asking = || self.asking.load(Ordering::Relaxed);
                self.house.until("all wait", |now| now.waiting > 0 && now.waiting == asking()).await;
                self.clock.step(Duration::from_millis(10)).await;
                turn().await;
            }
        };
        tokio::select! {
            biased;
            came = acting => came,
            () = goes_on => unreachable!("it never ends"),
        }
    }

    /// What is learned of each pool instance, by the instance's key.
    fn lessons(&self) -> Vec<(String, EstimateView)> {
        let instances = self.house.gate.admission().snapshot().instances.into_iter();
        let lesson = |learned: tidegate::limit::LearnedUsage| learned.estimate;
        instances.filter_map(|state| Some((state.key.to_string(), state.usage.learned.and_then(lesson)?))).collect()
    }
}

fn chat(model: &str) -> String {
    let body = format!(r#"{{"model": "{model}", "messages": [{{"role": "user", "content": "hello"}}]}}"#);
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: o\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn an_endpoint_without_a_pool_is_paced_from_its_first_refusal_on() {
    let limit =
        "[pools.models]\nrequests = [\"20/2s\"]\n[[routes]]\nmatch = \"GET /v1/models\"\npools = [\"models\"]\n";
    let scene = Scene::open(limit, Options::default()).await;
    let get = "GET /v1/models HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n";
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let scene = Arc::clone(&scene);
        clients.spawn(async move {
            for _ in 0..4 {
                let answer = scene.ask(get).await;
                assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            }
        });
    }
    scene.play(clients.join_all()).await;
    let stats = scene.mock.stats();
    assert_eq!(stats.admitted, 32);
    assert!((1..=8 + 8).contains(&stats.denied), "{}", stats.denied);
    let lessons = scene.lessons();
    assert!(lessons.iter().any(|(key, _)| key.starts_with("GET:/v1/models")), "{lessons:?}");
}

#[tokio::test]
async fn a_limit_of_a_day_is_refused_at_once_and_not_held() {
    let model_limits = ModelLimits { rpd: std::num::NonZeroU32::new(3), ..ModelLimits::default() };
    let scene = Scene::open("", Options { model_limits, ..Options::default() }).await;
    for _ in 0..3 {
        let answer = scene.ask(&chat("gpt-4o")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let theirs = scene.ask(&chat("gpt-4o")).await;
    assert!(theirs.starts_with("HTTP/1.1 429") && theirs.contains("requests per day (RPD)"), "{theirs}");
    let ours = scene.ask(&chat("gpt-4o")).await;
    assert!(ours.starts_with("HTTP/1.1 429") && ours.contains("tidegate_wait_too_long"), "{ours}");
    assert_eq!(scene.mock.stats().denied, 1);
    let other = scene.ask(&chat("gpt-4o-mini")).await;
    assert!(other.starts_with("HTTP/1.1 200"), "{other}");
}

#[tokio::test]
async fn models_that_share_a_limit_share_a_pool_once_a_refusal_names_their_family() {
    let model_limits = ModelLimits {
        rpm: std::num::NonZeroU32::new(60),
        families: vec!["gpt-4-family=gpt-4a,gpt-4b".parse().expect("a family")],
        no_ratelimit_headers: true,
        ..ModelLimits::default()
    };
    let scene = Scene::open("", Options { model_limits, ..Options::default() }).await;
    let mut clients = JoinSet::new();
    for client in 0..66 {
        let scene = Arc::clone(&scene);
        let model = if client % 2 == 0 { "gpt-4a" } else { "gpt-4b" };
        clients.spawn(async move { scene.ask(&chat(model)).await });
    }
    for answer in scene.play(clients.join_all()).await {
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let shared = scene.lessons().into_iter().find(|(key, _)| key == "gpt-4-family -").map(|(_, lesson)| lesson);
    assert!(
        matches!(shared, Some(EstimateView::Reported { limit, .. }) if limit.to_string() == "60/min"),
        "{shared:?}"
    );
    let both = async || [scene.ask(&chat("gpt-4a")).await, scene.ask(&chat("gpt-4b")).await];
    // One of the two may not have been refused yet, and learns it now.
    let answers = scene.play(both()).await;
    assert!(answers.iter().all(|answer| answer.starts_with("HTTP/1.1 200")), "{answers:?}");
    let denied = scene.mock.stats().denied;
    let answers = scene.play(both()).await;
    assert!(answers.iter().all(|answer| answer.contains("x-tidegate-attempts: 1")), "{answers:?}");
    assert_eq!(scene.mock.stats().denied, denied);
}
