//! Limits that nobody wrote down, as a whole gate learns them from the stand-in for the upstream.

use tidegate::config::{Config, Source};
use tidegate::limit::Lesson;
use tidegate::mock::{Mock, Options, Quotas};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::house::House;

/// A gate with the built-in configuration, before an upstream with these limits.
async fn open(upstream: &str, options: Options) -> (Mock, House) {
    let config = Config::parse(&Source::Text("upstream".to_owned()), upstream).expect("a valid configuration");
    let mock = Mock::new(&config, options);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(mock.clone().run(listener, std::future::pending()));
    (mock, House::open("", address).await)
}

fn chat(model: &str) -> String {
    let body = format!(r#"{{"model": "{model}", "messages": [{{"role": "user", "content": "hello"}}]}}"#);
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: o\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// What is learned of each pool instance, by the pool's place and the instance's key.
fn lessons(house: &House) -> Vec<(String, Lesson)> {
    let instances = house.gate.admission().snapshot().instances.into_iter();
    let lesson = |learned: tidegate::limit::LearnedUsage| learned.lesson;
    instances.filter_map(|state| Some((state.key.to_string(), state.taken.learned.and_then(lesson)?))).collect()
}

#[tokio::test]
async fn an_endpoint_without_a_pool_is_paced_from_its_first_refusal_on() {
    let limit =
        "[pools.models]\nrequests = [\"20/2s\"]\n[[routes]]\nmatch = \"GET /v1/models\"\npools = [\"models\"]\n";
    let (mock, house) = open(limit, Options::default()).await;
    let get = "GET /v1/models HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n";
    let house = std::sync::Arc::new(house);
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let house = std::sync::Arc::clone(&house);
        clients.spawn(async move {
            for _ in 0..4 {
                let answer = house.ask(get).await;
                assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.expect("is served");
    }
    let stats = mock.stats();
    assert_eq!(stats.admitted, 32);
    assert!((1..=8 + 8).contains(&stats.denied), "{}", stats.denied);
    assert!(lessons(&house).iter().any(|(key, _)| key.starts_with("GET:/v1/models")), "{:?}", lessons(&house));
}

#[tokio::test]
async fn a_limit_of_a_day_is_refused_at_once_and_not_held() {
    let quotas = Quotas { rpd: std::num::NonZeroU32::new(3), ..Quotas::default() };
    let (mock, house) = open("", Options { quotas, ..Options::default() }).await;
    for _ in 0..3 {
        let answer = house.ask(&chat("gpt-4o")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let theirs = house.ask(&chat("gpt-4o")).await;
    assert!(theirs.starts_with("HTTP/1.1 429") && theirs.contains("requests per day (RPD)"), "{theirs}");
    let ours = house.ask(&chat("gpt-4o")).await;
    assert!(ours.starts_with("HTTP/1.1 429") && ours.contains("tidegate_wait_too_long"), "{ours}");
    assert_eq!(mock.stats().denied, 1);
    let other = house.ask(&chat("gpt-4o-mini")).await;
    assert!(other.starts_with("HTTP/1.1 200"), "{other}");
}

#[tokio::test]
async fn models_that_share_a_limit_share_a_pool_once_a_refusal_names_their_family() {
    let quotas = Quotas {
        rpm: std::num::NonZeroU32::new(60),
        families: vec!["gpt-4-family=gpt-4a,gpt-4b".parse().expect("a family")],
        no_ratelimit_headers: true,
        ..Quotas::default()
    };
    let (mock, house) = open("", Options { quotas, ..Options::default() }).await;
    let house = std::sync::Arc::new(house);
    let mut clients = JoinSet::new();
    for client in 0..66 {
        let house = std::sync::Arc::clone(&house);
        let model = if client % 2 == 0 { "gpt-4a" } else { "gpt-4b" };
        clients.spawn(async move { house.ask(&chat(model)).await });
    }
    while let Some(answer) = clients.join_next().await {
        let answer = answer.expect("is answered");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let shared = lessons(&house).into_iter().find(|(key, _)| key == "gpt-4-family -").map(|(_, lesson)| lesson);
    assert!(matches!(shared, Some(Lesson::Told { limit, .. }) if limit.to_string() == "60/min"), "{shared:?}");
    // One of the two may not have been refused yet, and learns it now.
    let answers = [house.ask(&chat("gpt-4a")).await, house.ask(&chat("gpt-4b")).await];
    assert!(answers.iter().all(|answer| answer.starts_with("HTTP/1.1 200")), "{answers:?}");
    let denied = mock.stats().denied;
    let answers = [house.ask(&chat("gpt-4a")).await, house.ask(&chat("gpt-4b")).await];
    assert!(answers.iter().all(|answer| answer.contains("x-tidegate-attempts: 1")), "{answers:?}");
    assert_eq!(mock.stats().denied, denied);
}
