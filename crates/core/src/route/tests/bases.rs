//! Base paths of other providers in front of what routes match.

use super::naive::table;
use crate::limit::PoolId;
use crate::route::{Body, Facts, KeyPart, Priority, RouteCharge, RouteId, Table, Weight};

struct Sent(Body<'static>);

impl Facts for Sent {
    fn header(&self, _: &str) -> Option<&[u8]> {
        None
    }

    fn body(&self) -> Option<&Body<'_>> {
        Some(&self.0)
    }
}

#[test]
fn routes_match_what_follows_a_base_path() {
    let table = table(&["POST /v1/chat/completions".to_owned(), "GET /v1/models/{model}".to_owned()]);
    for base in [
        "/openai/v1",
        "/api/v1",
        "/v1beta/openai",
        "/api/paas/v4",
        "/v1/account/gate/openai",
        "/inference",
        "/inference/v1",
        "/api/v3",
        "/openai/deployments/gpt-4o",
        "/v1/projects/p/locations/l/endpoints/openapi",
        "/V1beta/OpenAI",
    ] {
        let found = table.find("POST", &format!("{base}/chat/completions"));
        assert_eq!((found.route(), found.has_base(), found.lacks_v1()), (RouteId(1), true, false), "{base}");
        assert_eq!(table.find("GET", &format!("{base}/models/m")).route(), RouteId(2), "{base}");
    }
    for path in
        ["/v1/chat", "/else/chat/completions", "/openai", "/v1/openai", "/v1/deployments/chat/completions", "/v1"]
    {
        let found = table.find("POST", path);
        assert_eq!((found.route(), found.has_base()), (RouteId::default(), false), "{path}");
    }
}

#[test]
fn what_is_written_goes_before_a_base_path() {
    let table = table(&["POST /v1/chat/completions".to_owned(), "POST /openai/v1/chat/{*rest}".to_owned()]);
    assert_eq!(table.find("POST", "/openai/v1/chat/completions").route(), RouteId(2));
}

#[test]
fn beaten_routes_behind_a_base_path_have_a_reason() {
    let table = table(&["POST /v1/chat/completions".to_owned(), "* /v1/chat/{kind}".to_owned()]);
    let beaten = table.beaten("POST", "/api/paas/v4/chat/completions");
    assert_eq!(beaten.iter().map(|beaten| beaten.route).collect::<Vec<_>>(), [RouteId(2)]);
}

/// Azure goes by the deployment, whatever the body says.
#[test]
fn model_in_the_path_counts_for_the_models_key() {
    let key = [KeyPart::Body("model".into())].into();
    let charge = RouteCharge { pool: PoolId(0), weight: Weight::Fixed(std::num::NonZeroU32::MIN), key };
    let mut table = Table::default();
    let template = "POST /v1/chat/completions".parse().expect("a template");
    table.insert(&template, vec![charge], Priority::Normal).expect("the only route");
    let body = Sent(Body::read(br#"{"model":"of-the-body"}"#, None).expect("JSON"));
    let key = |path: &str| table.asks(&table.find("POST", path), &body)[0].key.clone().expect("a key");
    assert_eq!(*key("/openai/deployments/GPT-4o/chat/completions"), *"gpt-4o");
    assert_eq!(*key("/openai/v1/chat/completions"), *"of-the-body");
}
