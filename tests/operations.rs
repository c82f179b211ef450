//! Every operation of the OpenAI API on the built-in configuration: which route it takes and which pools, however its
//! path is spelled.

use crate::alone::alone;
use tidegate::config::{Config, DEFAULT, Source};
use tidegate::limit::Unit;
use tidegate::route::{Ask, Asks, Body, Facts, Priority};

/// Method, path, route and pools, with what each takes as the configuration writes it; `-` for none.
const OPERATIONS: &str = include_str!("operations.tsv");

/// How many there are: 291 in the specification of 2026-08-21, its two readings of the responses among them, and 86 more in
/// openai-python 3.57 of 2026-11-19.
const ALL: usize = 377;

#[test]
fn every_operation_takes_its_route_and_its_pools() {
    let (config, operations) = (built_in(), operations());
    assert_eq!(operations.len(), ALL);
    for Operation { method, template, path, route, pools } in operations {
        let found = config.routes.find(method, &path);
        let taken = config.routes.route(found.route());
        assert_eq!((&*taken.name, found.lacks_v1()), (route, false), "{method} {template}");
        let charges = taken.charges.iter().map(|charge| {
            let (pool, weight) = (&config.pools[charge.pool.0].name, charge.weight.to_string());
            if weight == "1" { pool.clone() } else { format!("{pool}:{weight}") }
        });
        let charges: Vec<String> = charges.collect();
        assert_eq!(if charges.is_empty() { "-".to_owned() } else { charges.join(", ") }, pools, "{method} {template}");
    }
}

#[test]
fn no_disguise_of_an_operation_slips_past_a_pool() {
    let config = built_in();
    let mut disguised = 0;
    for Operation { method, path, .. } in operations().iter().filter(|operation| operation.pools != "-") {
        let plain = asks(&config, method, path);
        assert!(!plain.is_empty(), "{method} {path} asks nothing");
        // To some servers a method is the same in lower case.
        let method = method.to_lowercase();
        for path in disguises(path) {
            let asked = asks(&config, &method, &path);
            let is_asked = |ask: &Ask| asked.iter().any(|other| covers(other, ask));
            assert!(plain.iter().all(is_asked), "{method} {path} asks only {asked:?} of {plain:?}");
            disguised += 1;
        }
    }
    assert!(disguised > ALL, "hardly anything was disguised");
}

#[test]
fn a_vector_store_has_a_pool_of_its_own_for_both_ways_to_add_files() {
    let config = built_in();
    let key = |path: &str| asks(&config, "POST", path)[0].key.clone().expect("a key");
    assert_eq!(&*key("/v1/vector_stores/vs_1/files"), "vs_1");
    assert_eq!(&*key("/v1/vector_stores/vs_1/file_batches"), "vs_1");
}

#[test]
fn the_admin_api_has_a_pool_for_each_kind_of_resource() {
    let config = built_in();
    for (path, resource) in [
        ("/v1/organization/users", "users"),
        ("/v1/organization/users/user_1", "users"),
        ("/v1/organization/users/user_1/roles", "roles"),
        ("/v1/organization/projects/proj_1/api_keys/key_1", "api_keys"),
        ("/v1/projects/proj_1/groups/group_1/roles", "groups"),
    ] {
        assert_eq!(asks(&config, "GET", path)[0].key.as_deref(), Some(resource), "{path}");
    }
}

#[test]
fn a_model_has_pools_of_requests_and_of_tokens_on_every_endpoint() {
    let config = built_in();
    for path in [
        "/v1/chat/completions",
        "/v1/responses",
        "/v1/embeddings",
        "/v1/audio/transcriptions",
        "/v1/messages",
        "/v1/decisions",
    ] {
        let asked = asks(&config, "POST", path);
        let keys: Vec<Option<&str>> = asked.iter().map(|ask| ask.key.as_deref()).collect();
        assert_eq!(keys, [Some("gpt-4o -"); 2], "{path}");
        let units = asked.iter().map(|ask| config.pools[ask.pool.0].limits.unit);
        assert!(units.eq([Unit::Requests, Unit::Tokens]), "{path}");
    }
}

/// What is polled shares its calls, and what streams does not.
#[test]
fn polled_agent_routes_share_calls() {
    let config = built_in();
    let file: toml::Table = DEFAULT.parse().expect("TOML");
    let routes = file["routes"].as_array().expect("routes");
    let is_coalesced = |route: &&toml::Value| route.get("coalesce").and_then(toml::Value::as_bool) == Some(true);
    let shared: Vec<&str> = routes.iter().filter(is_coalesced).filter_map(|route| route["match"].as_str()).collect();
    for (path, is_shared) in [
        ("/v1/agents/sessions/s_1", true),
        ("/v1/agents/sessions/s_1/turns/t_1", true),
        ("/v1/agents/sessions/s_1/subagents/a_1/turns/t_1", true),
        ("/v1/agents/automations/a_1/invocations/i_1", true),
        ("/v1/agents/sessions/s_1/events", false),
        ("/v1/agents/sessions/s_1/turns", false),
        ("/v1/agents/sessions/s_1/artifacts/a_1/content", false),
        ("/v1/agents/a_1", false),
    ] {
        let name = &config.routes.route(config.routes.find("GET", path).route()).name;
        assert_eq!(shared.contains(&&**name), is_shared, "{path}");
    }
}

/// Credentials of Azure, Anthropic and Google; what a request has no account for is "-".
#[test]
fn every_credential_names_an_account() {
    let config = built_in();
    let found = config.routes.find("POST", "/v1/chat/completions");
    let account = |header: &'static str, value: &'static str| {
        let asked = config.routes.asks(&found, &Credential(header, value));
        let key = asked[0].key.clone().expect("a key");
        key.split(' ').next_back().map(str::to_owned).expect("an account")
    };
    for header in ["authorization", "api-key", "x-api-key", "x-goog-api-key"] {
        let (one, other) = (account(header, "k1"), account(header, "k2"));
        assert!(one != other && one != "-" && !one.contains("k1"), "{header}: {one} {other}");
    }
    assert_eq!(account("x-other", "k1"), "-");
}

#[test]
fn service_tier_with_own_limits_parts_model_pools() {
    let config = built_in();
    let key = |tier: &str| {
        let json = format!(r#"{{"service_tier": "{tier}", "model": "GPT-5"}}"#);
        let body = Body::read(json.as_bytes(), None).expect("JSON");
        let found = config.routes.find("POST", "/v1/responses");
        config.routes.asks(&found, &Request(body))[0].key.clone()
    };
    assert_eq!(key("ultrafast").as_deref(), Some("gpt-5+ultrafast -"));
    for shared in ["fast", "priority", "default", "auto", "flex"] {
        assert_eq!(key(shared).as_deref(), Some("gpt-5 -"), "{shared}");
    }
}

#[test]
fn tokens_are_taken_once_however_often_a_route_names_the_pool() {
    let text = r#"
        pools.files = { requests = ["9/min"], tokens = ["99/min"] }
        routes = [{ match = "POST /v1/files", pools = ["files:body.file_ids", "files:2"] }]
    "#;
    let config = Config::parse(&Source::Text("files".to_owned()), &alone(text)).expect("a valid configuration");
    let taken = asks(&config, "POST", "/v1/files").into_iter().map(|ask| (ask.pool.0, ask.cost));
    assert_eq!(taken.collect::<Vec<_>>(), [(0, Some(3)), (1, Some(25)), (0, Some(2))]);
}

#[test]
fn what_takes_from_no_pool_has_one_for_its_endpoint() {
    let config = built_in();
    for (method, path, key) in [
        ("GET", "/v1/models", "GET:/v1/models -"),
        ("GET", "/v1/models/gpt-4o", "GET:/v1/models/* -"),
        ("head", "/V1//Models/", "GET:/v1/models -"),
        ("POST", "/v1/fine_tuning/jobs", "POST:/v1/fine_tuning/jobs -"),
        ("POST", "/fine_tuning/jobs", "POST:/v1/fine_tuning/jobs -"),
        ("GET", "/v1/what is/this", "GET:/v1/what_is/this -"),
        ("GET", "/a-name-that-is-longer-than-any-word/of", "GET:/*/of -"),
        // A model has limits of its own.
        ("POST", "/openai/deployments/gpt-4o/extensions", "POST:/openai/deployments/gpt-4o/extensions -"),
        (
            "POST",
            "/v1beta/models/gemini-2.5-pro:generateContent",
            "POST:/v1beta/models/gemini-2.5-pro:generatecontent -",
        ),
        ("POST", "/v1/engines/text-davinci-003/completions", "POST:/v1/engines/text-davinci-003/completions -"),
    ] {
        let asked = asks(&config, method, path);
        let [Ask { pool, key: Some(asked), .. }] = &asked[..] else { panic!("{path} asks {asked:?}") };
        assert_eq!((&**asked, config.pools[pool.0].implicit), (key, true), "{method} {path}");
    }
}

#[test]
fn a_disguised_endpoint_has_its_pool_in_every_reading() {
    let config = built_in();
    let asked = asks(&config, "GET", "/v1/models/%2e%2e/batches");
    let keys: Vec<&str> = asked.iter().filter_map(|ask| ask.key.as_deref()).collect();
    for key in ["GET:/v1/batches -", "GET:/v1/models/../batches -"] {
        assert!(keys.contains(&key), "no {key} in {keys:?}");
    }
}

#[test]
fn a_model_that_nobody_can_see_is_another_than_none() {
    let config = built_in();
    let found = config.routes.find("POST", "/v1/moderations");
    let key = |facts: &dyn Facts| config.routes.asks(&found, facts)[0].key.clone();
    assert_eq!(key(&Unseen).as_deref(), Some("? -"));
    assert_eq!(key(&Request(Body::default())).as_deref(), Some("- -"));
}

#[test]
fn what_ends_a_run_or_lets_it_go_on_goes_first_unless_it_may_be_something_else() {
    let config = built_in();
    for (path, priority) in [
        ("/v1/threads/t_1/runs/r_1/cancel", Priority::High),
        ("/v1/threads/t_1/runs/r_1/submit_tool_outputs", Priority::High),
        ("/v1/threads/t_1/runs/r_1", Priority::Normal),
        ("/v1/threads/t_1/runs", Priority::Normal),
        ("/v1/threads/t_1/runs/r_1/x%2F..%2Fcancel", Priority::Normal),
    ] {
        assert_eq!(config.routes.priority(&config.routes.find("POST", path)), priority, "{path}");
    }
}

/// A row of the table; `path` has a value in place of each parameter.
struct Operation {
    method: &'static str,
    template: &'static str,
    path: String,
    route: &'static str,
    pools: &'static str,
}

fn operations() -> Vec<Operation> {
    let operation = |line: &'static str| {
        let [method, template, route, pools] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("not four columns: {line}")
        };
        Operation { method, template, path: template.replace(['{', '}'], ""), route, pools }
    };
    OPERATIONS.lines().skip(1).map(operation).collect()
}

fn built_in() -> Config {
    Config::parse(&Source::BuiltIn, DEFAULT).expect("the built-in configuration is valid")
}

/// A request with a model and three files in its body.
struct Request<'b>(Body<'b>);

impl Facts for Request<'_> {
    fn header(&self, _: &str) -> Option<&[u8]> {
        None
    }

    fn body(&self) -> Option<&Body<'_>> {
        Some(&self.0)
    }
}

/// A request with this header, and nothing else.
struct Credential(&'static str, &'static str);

impl Facts for Credential {
    fn header(&self, name: &str) -> Option<&[u8]> {
        (name == self.0).then_some(self.1.as_bytes())
    }

    fn body(&self) -> Option<&Body<'_>> {
        None
    }
}

/// A request whose body is too large to look into.
struct Unseen;

impl Facts for Unseen {
    fn header(&self, _: &str) -> Option<&[u8]> {
        None
    }

    fn body(&self) -> Option<&Body<'_>> {
        None
    }
}

fn asks(config: &Config, method: &str, path: &str) -> Asks {
    let json = br#"{ "model": "gpt-4o", "file_ids": ["file-1", "file-2", "file-3"], "files": [] }"#;
    let body = Body::read(json, None).expect("JSON");
    config.routes.asks(&config.routes.find(method, path), &Request(body))
}

fn covers(other: &Ask, ask: &Ask) -> bool {
    other.pool == ask.pool && other.key == ask.key && other.cost >= ask.cost
}

/// What may stand before a segment without changing where the path leads, to some server: to one that folds slashes
/// before it resolves dots, to one that resolves them first (RFC 3986 §5.2.4), to one that cuts a segment at its `;`.
const DETOURS: [&str; 8] = ["", "./", "a/../", "a//../", "/../", "a/%2e%2E/", "a/..;x/", "a/%2e%2e%3bx/"];

/// Ways to write the same segments.
const SPELLINGS: [fn(&str) -> String; 12] = [
    str::to_owned,
    str::to_uppercase,
    |path| format!("{path}/"),
    |path| path.replace('/', "//"),
    |path| format!("{path};x=1"),
    |path| format!("{path}%3Bx"),
    |path| slashes_as(";x/", path),
    percent_encoded,
    |path| slashes_as("%2F", path),
    |path| slashes_as("%2f", path),
    |path| slashes_as("\\", path),
    |path| slashes_as("%5C", path),
];

/// Every detour in every spelling, and every two spellings, with `/v1` and without.
fn disguises(path: &str) -> Vec<String> {
    let short = path.strip_prefix("/v1").expect("every operation is below /v1");
    let detours =
        [path, short].into_iter().flat_map(|path| DETOURS.map(|detour| path.replace('/', &format!("/{detour}"))));
    let spelled = [path, short].into_iter().flat_map(|path| SPELLINGS.map(|spell| spell(path)));
    detours.chain(spelled).flat_map(|path| SPELLINGS.map(|spell| spell(&path))).collect()
}

/// The first slash stays: without it there is no path.
fn slashes_as(text: &str, path: &str) -> String {
    format!("/{}", path[1..].replace('/', text))
}

/// A path that has codes stays as it is: they are undone only once.
fn percent_encoded(path: &str) -> String {
    let code = |c: char| if c.is_ascii_alphanumeric() { format!("%{:02x}", u32::from(c)) } else { c.to_string() };
    if path.contains('%') { path.to_owned() } else { path.chars().map(code).collect() }
}
