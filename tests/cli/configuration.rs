//! Where settings come from: flags, the environment, the file, the built-in configuration, in this order.

use std::process::Stdio;

use serde_json::Value;
use tempfile::NamedTempFile;

use super::{Ended, tidegate};

/// A file with this text, which is there as long as it is held.
fn file(text: &str) -> (NamedTempFile, String) {
    let file = NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("it is written");
    let path = file.path().display().to_string();
    (file, path)
}

/// What `check --json` prints of a file, and how it ends.
fn checked(text: &str, arguments: &[&str], environment: &[(&str, &str)]) -> (Value, Option<i32>) {
    let (_file, path) = file(text);
    let Ended { said, complained, code } =
        tidegate(&[&["check", "--json", "--config", &path], arguments].concat(), environment);
    let json = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}{complained}"));
    (json, code)
}

#[test]
fn flag_wins_over_environment_over_file() {
    let text = "[server]\nlisten = \"127.0.0.1:1\"\n";
    let long = ("TIDEGATE_SERVER_LISTEN", "127.0.0.1:2");
    let short = ("TIDEGATE_LISTEN", "127.0.0.1:3");
    let listen =
        |arguments: &[&str], environment: &[(&str, &str)]| checked(text, arguments, environment).0["listen"].clone();
    assert_eq!(listen(&[], &[]), "127.0.0.1:1");
    assert_eq!(listen(&[], &[long]), "127.0.0.1:2");
    assert_eq!(listen(&[], &[long, short]), "127.0.0.1:3");
    assert_eq!(listen(&["--listen", "127.0.0.1:4"], &[long, short]), "127.0.0.1:4");
    assert_eq!(listen(&[], &[("TIDEGATE_SERVER_LISTEN", "")]), "127.0.0.1:1", "an empty variable sets nothing");
}

#[test]
fn environment_sets_every_type_of_value() {
    let environment = [
        ("TIDEGATE_MODE", "observe"),
        ("TIDEGATE_UPSTREAM_URL", "https://api.example.com/v1"),
        ("TIDEGATE_UPSTREAM_REFUSALS", "{ no_money = \"billing\" }"),
        ("TIDEGATE_QUEUE_MAX_WAITING", "7"),
        ("TIDEGATE_QUEUE_MAX_BYTES", "8MiB"),
        ("TIDEGATE_CLIENTS_BY", "x-team, peer"),
        ("TIDEGATE_LOG_SAMPLE", "0.5"),
        ("TIDEGATE_LOG_ACCESS", "json"),
        ("TIDEGATE_SERVER_WATCH", "false"),
        ("TIDEGATE_POOLS_BATCHES_CREATE_REQUESTS", "[\"90/h\", \"5/min\"]"),
        ("TIDEGATE_POOLS_MODELS_REQUESTS", "500/min,20/s"),
    ];
    let (_file, path) = file("");
    let Ended { said, complained, code } = tidegate(&["check", &path], &environment);
    assert_eq!(code, Some(0), "{complained}");
    for part in [
        "mode      observe",
        "upstream  https://api.example.com/v1",
        "refusals  mean here what is written: no_money",
        "queue     up to 7 waiting",
        "8.0 MiB of all",
        "told apart by x-team, peer",
        "a line of JSON each to standard output; of those that pass at once 50 %",
        "[pools.models] requests = 500/min,20/s; built-in: none",
        "[pools.batches-create] requests = [\"90/h\", \"5/min\"]; built-in: [\"2000/h\"]",
    ] {
        assert!(said.contains(part), "no {part:?} in\n{said}");
    }
    let named = said.lines().find(|line| line.starts_with("with ")).expect("the variables are named");
    assert!(environment.iter().all(|(name, _)| named.contains(name)), "{named}");
}

#[test]
fn environment_alone_changes_the_built_in_configuration() {
    let empty = tempfile::tempdir().expect("a folder");
    let check = |environment: &[(&str, &str)]| {
        let mut command = assert_cmd::Command::cargo_bin("tidegate").expect("the program");
        let command = command.env_clear().current_dir(empty.path()).envs(environment.iter().copied());
        let output = command.args(["check", "--json"]).output().expect("it runs");
        serde_json::from_slice::<Value>(&output.stdout).expect("JSON")
    };
    let (plain, less) = (check(&[]), check(&[("TIDEGATE_POOLS_ADMIN_REQUESTS", "5/min")]));
    assert_eq!(less["source"], "built-in default.toml");
    assert_eq!(less["routes"].as_array().map(Vec::len), plain["routes"].as_array().map(Vec::len));
    assert_eq!(less["changes"].as_array().map(Vec::len), Some(1), "{less}");
    assert_ne!(less["hash"], plain["hash"]);
}

#[test]
fn wrong_variable_is_said_with_its_name() {
    for (name, value, parts) in [
        (
            "TIDEGATE_QUEUE_MAX_WATING",
            "7",
            &["TIDEGATE_QUEUE_MAX_WATING is no setting", "did you mean TIDEGATE_QUEUE_MAX_WAITING?"][..],
        ),
        ("TIDEGATE_QUEUE_MAX_WAITING", "lots", &["TIDEGATE_QUEUE_MAX_WAITING has another type", "expected a number"]),
        (
            "TIDEGATE_QUEUE_MAX_WAIT",
            "soon",
            &["not a length of time", "--> environment:1:25", "TIDEGATE_QUEUE_MAX_WAIT=soon"],
        ),
        ("TIDEGATE_POOLS_ADMIN_REQUESTS", "6/min,many", &["not a rate", "--> environment:1:37"]),
    ] {
        let Ended { complained, code, .. } = tidegate(&["check", "tests/config/valid/empty.toml"], &[(name, value)]);
        assert_eq!(code, Some(78), "{name}: {complained}");
        assert!(parts.iter().all(|part| complained.contains(part)), "{parts:?}\n{complained}");
    }
}

/// Kubernetes sets the addresses of services in every container.
#[test]
fn addresses_of_kubernetes_are_no_settings() {
    let environment = [
        ("TIDEGATE_PORT", "tcp://10.0.0.1:4290"),
        ("TIDEGATE_SERVER_PORT_4290_TCP_ADDR", "10.0.0.1"),
        ("TIDEGATE_SERVER_SERVICE_HOST", "10.0.0.1"),
        ("TIDEGATE_LOG_FORMAT", "json"),
    ];
    let Ended { complained, code, .. } = tidegate(&["check", "tests/config/valid/empty.toml"], &environment);
    assert_eq!(code, Some(0), "{complained}");
}

#[test]
fn variable_in_a_text_has_its_value() {
    let text = "[upstream]\nurl = \"https://${RESOURCE}.example.com/v1\"\n[clients]\nby = [\"x-${TEAM}\"]\n";
    let (json, code) = checked(text, &[], &[("RESOURCE", "mine"), ("TEAM", "a")]);
    assert_eq!(code, Some(0), "{json}");
    assert_eq!(json["upstream"], "https://mine.example.com/v1");
    assert_eq!(json["environment"], serde_json::json!(["RESOURCE", "TEAM"]));
    // A text that is none of a variable stays what it is.
    let (json, code) = checked("[log]\naccess = \"json\"\naccess_file = \"$${X}-$Y.jsonl\"\n", &[], &[]);
    assert_eq!((code, &json["environment"]), (Some(0), &serde_json::json!([])), "{json}");
    let (_file, path) = file("[log]\naccess = \"json\"\naccess_file = \"$${X}-$Y.jsonl\"\n");
    assert!(tidegate(&["check", &path], &[]).said.contains("to ${X}-$Y.jsonl;"));
}

#[test]
fn missing_variable_is_an_error_with_its_line() {
    let text = "[queue]\nmax_wait = \"${MISSING}\"\nageing = \"${no name}\"\nlog_wait = \"${OPEN\"\n";
    let (json, code) = checked(text, &[], &[]);
    assert_eq!((code, &json["valid"]), (Some(78), &Value::Bool(false)));
    let problems = json["problems"].as_array().expect("problems");
    let lines: Vec<_> = problems.iter().map(|problem| problem["line"].as_u64()).collect();
    assert_eq!(lines, [Some(2), Some(3), Some(4)], "{json}");
    assert_eq!(problems[0]["message"], "MISSING is not set");
    assert!(problems[0]["help"].as_str().is_some_and(|help| help.contains("$${")), "{json}");
}

/// Wherever a secret stands by mistake, it is neither printed nor in an error.
#[test]
fn value_of_a_variable_is_never_printed() {
    const SECRET: &str = "hunter2secret";
    for text in [
        "[queue]\nmax_wait = \"${SECRET}\"",
        "[clients]\nquota = \"${SECRET}\"",
        "[clients]\nby = [\"${SECRET} x\"]",
        "[server]\nlisten = \"${SECRET}\"",
        "[upstream]\nurl = \"${SECRET}\"",
        "[upstream]\nproxy = \"http://user:${SECRET}@proxy.example:3128\"",
        "[pools.models]\nkey = [\"${SECRET}\"]\nwhen_full = \"${SECRET}\"",
        "[[routes]]\nmatch = \"${SECRET}\"",
        "[[routes]]\nmatch = \"GET /v1/x\"\npools = [\"${SECRET}\"]",
        "extends = \"${SECRET}\"",
    ] {
        let (_file, path) = file(text);
        for arguments in [&["check", &*path][..], &["check", "--json", &*path]] {
            let Ended { said, complained, .. } = tidegate(arguments, &[("SECRET", SECRET)]);
            assert!(!said.contains(SECRET) && !complained.contains(SECRET), "{text}\n{said}{complained}");
        }
    }
    for name in [
        "TIDEGATE_UPSTREAM_PROXY",
        "TIDEGATE_UPSTREAM_API_KEY_ENV",
        "TIDEGATE_SERVER_KEY_FILE",
        "TIDEGATE_UPSTREAM_URL",
    ] {
        let Ended { said, complained, .. } = tidegate(&["check", "tests/config/valid/empty.toml"], &[(name, SECRET)]);
        assert!(!said.contains(SECRET) && !complained.contains(SECRET), "{name}\n{said}{complained}");
    }
}

#[test]
fn check_json_lists_pools_and_routes() {
    let (json, code) = checked("[pools.models]\nrequests = [\"500/min\"]\n", &[], &[]);
    assert_eq!((code, &json["valid"]), (Some(0), &Value::Bool(true)));
    let models = json["pools"].as_array().expect("pools").iter().find(|pool| pool["limits"] == "500/min");
    assert_eq!(models.expect("a pool")["key"], serde_json::json!(["body.model", "account"]), "{json}");
    let routes = json["routes"].as_array().expect("routes");
    let chat = routes.iter().find(|route| route["route"] == "POST /v1/chat/completions").expect("a route");
    assert_eq!(chat["pools"][0], "models", "{json}");
}

#[test]
fn init_prints_the_schema_that_the_file_names() {
    let schema: Value = serde_json::from_str(&tidegate(&["init", "--schema"], &[]).said).expect("JSON");
    assert!(schema["properties"]["upstream"]["properties"]["url"].is_object());
    assert!(tidegate(&["init"], &[]).said.starts_with("#:schema ./tidegate.schema.json\n"));
}

/// Each provider's file, with a server in its place: what its API is asked goes through the pools written for it.
#[test]
fn init_for_each_provider_is_served() {
    for (provider, path, pool) in [
        ("azure", "/v1/chat/completions", "models"),
        ("gemini", "/v1/chat/completions", "models"),
        ("anthropic", "/v1/messages", "models"),
        ("anthropic", "/v1/messages/count_tokens", "count-tokens"),
        ("anthropic", "/v1/messages/batches", "batches"),
        ("anthropic", "/v1/messages/batches/msgbatch_1/cancel", "batches"),
        ("openrouter", "/v1/chat/completions", "models"),
        ("ollama", "/v1/embeddings", "local"),
    ] {
        let environment = [("AZURE_RESOURCE", "mine")];
        let Ended { said: text, code, .. } = tidegate(&["init", "--for", provider], &[]);
        assert_eq!(code, Some(0));
        let (json, code) = checked(&text, &[], &environment);
        assert_eq!(code, Some(0), "{provider}: {json}");
        let (_file, config) = file(&text);
        let answer = asked_through_a_gate(&config, path);
        let pools = answer.lines().find_map(|line| line.strip_prefix("x-tidegate-pools: ")).unwrap_or_default();
        assert!(answer.starts_with("HTTP/1.1 200"), "{provider} {path}: {answer}");
        assert!(pools.split(", ").any(|name| name.split(':').next() == Some(pool)), "{provider} {path}: {pools:?}");
    }
}

/// What a POST is answered by a gate with this file and a bare server for its upstream.
fn asked_through_a_gate(config: &str, path: &str) -> String {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{TcpListener, TcpStream};

    let upstream = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", upstream.local_addr().expect("an address"));
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = upstream.accept().expect("the gate connects");
        let mut head = [0; 4096];
        let _ = stream.read(&mut head).expect("a request");
        let answer =
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
        stream.write_all(answer.as_bytes()).expect("it is sent");
    });
    let program = assert_cmd::cargo::cargo_bin("tidegate");
    let mut gate = std::process::Command::new(program);
    let gate = gate.env_clear().env("AZURE_RESOURCE", "mine").stdout(Stdio::piped()).stderr(Stdio::null());
    let gate =
        gate.args(["serve", "--config", config, "--listen", "127.0.0.1:0", "--admin", "off", "--upstream", &url]);
    let mut gate = gate.env("TIDEGATE_STORE_PATH", "off").spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(gate.stdout.take().expect("an output")).read_line(&mut line).expect("a line");
    let address = line.trim().strip_prefix("listening on http://").expect("an address").to_owned();
    let mut stream = TcpStream::connect(address).expect("it listens");
    let body = r#"{"model": "m", "messages": []}"#;
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    gate.kill().expect("it ends");
    gate.wait().expect("it has ended");
    answering.join().expect("it answered");
    answer
}

#[test]
fn verbose_and_quiet_contradict_each_other() {
    let Ended { complained, code, .. } = tidegate(&["serve", "-v", "-q"], &[]);
    assert_eq!(code, Some(2), "{complained}");
    let version = tidegate(&["--version"], &[]).said;
    assert!(version.starts_with(concat!("tidegate ", env!("CARGO_PKG_VERSION"))), "{version}");
}

#[test]
fn named_client_is_called_so_by_explain() {
    let (_file, path) = file("[clients]\nby = [\"x-team\"]\n[clients.names]\nred = \"nightly batch\"\n");
    let explained = |team: &str| {
        let header = format!("x-team: {team}");
        tidegate(&["explain", "POST", "/v1/chat/completions", "-H", &header, "--config", &path, "--admin", "off"], &[])
            .said
    };
    assert!(explained("red").contains("client   nightly batch, client-"), "{}", explained("red"));
    assert!(explained("blue").contains("client   client-"), "{}", explained("blue"));
    assert!(tidegate(&["check", &path], &[]).said.contains("called nightly batch"));
    let (json, code) = checked("[clients.names]\nweb = \"x\"\nclient-0123456789abcdef = \"\"\n", &[], &[]);
    let said = |index: usize| json["problems"][index]["message"].clone();
    assert_eq!((code, said(0), said(1)), (Some(78), "a name of no client".into(), "not a name".into()), "{json}");
}

#[test]
fn special_files_are_no_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("it runs").success());
    for (path, why) in [(pipe.to_str().expect("a text"), "named pipe"), ("/dev/zero", "8 MiB")] {
        let Ended { complained, code, .. } = tidegate(&["check", "--config", path], &[]);
        assert_eq!(code, Some(78), "{path}: {complained}");
        assert!(complained.contains(why), "{path}: {complained}");
    }
}

#[test]
fn numbers_beyond_reason_are_refused_with_the_most() {
    for (text, why) in [
        ("[upstream]\nhttp2_connections = 9223372036854775807", "at most 1000"),
        ("[server]\nlisten = \"127.0.0.1:4290\"\nadmin = \"127.0.0.1:4290\"", "one address twice"),
    ] {
        let (_file, path) = file(text);
        let Ended { complained, code, .. } = tidegate(&["check", "--config", &path], &[]);
        assert_eq!(code, Some(78), "{text}: {complained}");
        assert!(complained.contains(why), "{text}: {complained}");
    }
}
