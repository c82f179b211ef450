//! The program as people and supervisors use it: its commands, what they print, and how they end.

mod configuration;
mod crowds;
mod diagnosis;
mod explain;
mod handover;
mod logs;
mod man;
mod reload;
mod replicas;
mod restart;
mod run;
mod screen;
mod serving;
mod simulating;
mod top;
mod unread;

use std::thread;
use std::time::Duration;

use assert_cmd::Command;
use serde_json::{Value, json};
use tokio::time::Instant;

const DEFAULT: &str = "config/default.toml";

/// What a command printed, what it complained of, and how it ended.
#[derive(Debug)]
struct Ended {
    said: String,
    complained: String,
    code: Option<i32>,
}

/// Runs a command to its end. The environment is the test's own.
fn tidegate(arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let mut command = Command::cargo_bin("tidegate").expect("the program");
    let command = command.env_clear().env("TIDEGATE_CONFIG", DEFAULT).envs(environment.iter().copied());
    let output = command.args(arguments).output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("a text");
    Ended { said: text(output.stdout), complained: text(output.stderr), code: output.status.code() }
}

/// When a test is taken to hang: much longer than a busy machine may take.
const HANGS: Duration = Duration::from_mins(3);

/// Looks again and again until it is so, and gives what was seen then.
#[track_caller]
fn comes<T: std::fmt::Debug>(look: impl Fn() -> T, is_so: impl Fn(&T) -> bool) -> T {
    let began = Instant::now();
    loop {
        let seen = look();
        if is_so(&seen) {
            return seen;
        }
        assert!(began.elapsed() < HANGS, "it does not come, but {seen:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Runs a command that asks a gate which runs, and again for as long as the gate is slower than the command is patient.
#[track_caller]
fn heard(arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let late = |text: &str| text.contains("does not answer") || text.contains("no gate answers");
    comes(|| tidegate(arguments, environment), |ended| !late(&ended.said) && !late(&ended.complained))
}

#[test]
fn init_prints_the_built_in_configuration_which_is_valid() {
    let Ended { said, code, .. } = tidegate(&["init"], &[]);
    assert_eq!((said, code), (std::fs::read_to_string(DEFAULT).expect("a file"), Some(0)));
    assert_eq!(tidegate(&["check"], &[]).code, Some(0));
}

#[test]
fn check_takes_the_file_as_an_argument() {
    let Ended { said, complained, code } = tidegate(&["check", "tests/config/valid/one_number.toml"], &[]);
    assert_eq!(code, Some(0), "{complained}");
    assert!(said.starts_with("valid: tests/config/valid/one_number.toml\n"), "{said}");
    let none = tidegate(&["check"], &[]).said;
    assert!(none.ends_with("\nchanges   none: pools and routes are the built-in ones\n"), "{none}");
}

#[test]
fn configuration_comes_from_standard_input() {
    let check = |arguments: &[&str], text: &str| {
        let mut command = Command::cargo_bin("tidegate").expect("the program");
        command.env_clear().args(arguments).write_stdin(text).output().expect("it runs")
    };
    for arguments in [&["check", "-"][..], &["check", "-c", "-"], &["check", "--config", "-"]] {
        let checked = check(arguments, "pools.models.requests = [\"500/min\"]");
        let said = String::from_utf8_lossy(&checked.stdout);
        assert!(
            said.starts_with("valid: standard input\n") && said.contains("[\"500/min\"]; built-in: none"),
            "{said}"
        );
    }
    let wrong = check(&["check", "-"], "nonsense = 1");
    assert_eq!(wrong.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("--> standard input:1:1"), "{wrong:?}");
}

#[test]
fn every_help_has_examples() {
    let help = tidegate(&["--help"], &[]).said;
    assert!(help.contains("\nStart:\n"), "{help}");
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let commands: Vec<&str> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 10, "{help}");
    for command in commands.into_iter().filter(|name| *name != "help") {
        let said = tidegate(&[command, "--help"], &[]).said;
        assert!(said.contains(&format!("\nExamples:\n  tidegate {command}")), "{said}");
    }
}

#[test]
fn check_ends_with_78_and_points_into_the_file_that_is_wrong() {
    let wrong = "tests/config/invalid/unknown_key.toml";
    let Ended { said, complained, code } = tidegate(&["check", "--config", wrong], &[]);
    assert_eq!((&*said, code), ("", Some(78)));
    assert!(complained.contains(&format!("--> {wrong}:4:1\n")), "{complained}");
}

#[test]
fn a_configuration_that_cannot_be_read_is_named_and_ends_every_command_with_78() {
    for command in [&["check"][..], &["serve"], &["mock"], &["explain", "GET", "/"]] {
        let Ended { complained, code, .. } = tidegate(command, &[("TIDEGATE_CONFIG", "no/such.toml")]);
        assert_eq!(code, Some(78), "{command:?}: {complained}");
        assert!(complained.contains("no/such.toml"), "{command:?}: {complained}");
    }
}

#[test]
fn a_command_line_that_makes_no_sense_ends_with_2() {
    for arguments in
        [&["serve", "--nonsense"][..], &["check", "--admin", "nowhere"], &["check", "--upstream", "ftp://x"]]
    {
        let Ended { complained, code, .. } = tidegate(arguments, &[]);
        assert_eq!(code, Some(2), "{arguments:?}: {complained}");
        assert!(complained.starts_with("error: ") && complained.contains(arguments[1]), "{complained}");
    }
}

#[test]
fn a_password_in_an_address_is_refused_and_said_nowhere() {
    for url in
        ["http://user:sk-secret@127.0.0.1:1", "http://sk-secret%40127.0.0.1:1", "http://127.0.0.1:1/?key=sk-secret"]
    {
        refused_everywhere(url);
    }
}

fn refused_everywhere(url: &str) {
    let commands: [&[&str]; 6] =
        [&["serve"], &["check"], &["diagnose"], &["top", "--once"], &["healthcheck"], &["explain", "GET", "/"]];
    for command in commands {
        refuses_without_saying(&[command, &["--admin", url]].concat(), None, "--admin");
        refuses_without_saying(command, Some(("TIDEGATE_ADMIN", url)), "--admin");
        if ["serve", "check"].contains(&command[0]) {
            refuses_without_saying(&[command, &["--upstream", url]].concat(), None, "--upstream");
            refuses_without_saying(command, Some(("TIDEGATE_UPSTREAM", url)), "--upstream");
        }
        let environment = [("TIDEGATE_ADMIN", url), ("TIDEGATE_UPSTREAM", url)];
        let Ended { said, code, .. } = tidegate(&[command[0], "--help"], &environment);
        assert!(code == Some(0) && !said.contains("sk-secret"), "{said}");
    }
}

fn refuses_without_saying(arguments: &[&str], environment: Option<(&str, &str)>, flag: &str) {
    let Ended { said, complained, code } = tidegate(arguments, environment.as_slice());
    assert_eq!((&*said, code), ("", Some(2)), "{arguments:?}: {complained}");
    assert!(complained.starts_with("error: ") && complained.contains(flag), "{arguments:?}: {complained}");
    assert!(!complained.contains("sk-secret"), "{arguments:?}: {complained}");
}

#[test]
fn a_key_variable_is_named_only_if_there_is_one() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "[upstream]\nlearn = true\napi_key_env = \"A_NAME_OR_A_SECRET\"\n")
        .expect("is written");
    let path = file.path().to_str().expect("a path");
    let Ended { complained, code, .. } = tidegate(&["serve", "--config", path, "--listen", "127.0.0.1:0"], &[]);
    assert_eq!(code, Some(78), "{complained}");
    assert!(complained.contains(&format!("{path}:3:15")) && !complained.contains("A_NAME"), "{complained}");
    let said = tidegate(&["check", "--config", path], &[]).said;
    assert!(said.contains(&format!("what {path}:3:15 names is not set here")) && !said.contains("A_NAME"), "{said}");
    let said = tidegate(&["check", "--config", path], &[("A_NAME_OR_A_SECRET", "a-key")]).said;
    assert!(said.contains("key       from the environment, A_NAME_OR_A_SECRET\n") && !said.contains("a-key"), "{said}");
}

#[test]
fn flags_win_over_the_environment_and_the_environment_over_the_file() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let text = "[server]\nlisten = \"127.0.0.1:1\"\nadmin = \"127.0.0.1:11\"\n[upstream]\nurl = \"http://file\"\n";
    std::fs::write(file.path(), text).expect("is written");
    let from_file = ("TIDEGATE_CONFIG", file.path().to_str().expect("a path"));
    let from_env = [
        from_file,
        ("TIDEGATE_LISTEN", "127.0.0.1:2"),
        ("TIDEGATE_ADMIN", "127.0.0.1:12"),
        ("TIDEGATE_UPSTREAM", "http://env"),
    ];
    let flags = ["check", "--listen", "127.0.0.1:3", "--admin", "off", "--upstream", "http://flag"];
    for (arguments, environment, listen, admin, upstream) in [
        (&flags[..1], &from_env[..1], "127.0.0.1:1", "http://127.0.0.1:11", "http://file/"),
        (&flags[..1], &from_env, "127.0.0.1:2", "http://127.0.0.1:12", "http://env/"),
        (&flags, &from_env, "127.0.0.1:3", "off", "http://flag/"),
    ] {
        let said = tidegate(arguments, environment).said;
        let line = format!("OPENAI_BASE_URL=http://{listen}/v1\nadmin     {admin}\nupstream  {upstream}\n");
        assert!(said.contains(&line), "no {line:?} in\n{said}");
    }
}

#[test]
fn explain_says_the_route_the_pools_the_wait_and_a_refusal() {
    let Ended { said, code, .. } = tidegate(&["explain", "POST", "/threads/t_1/runs?x=1"], &[]);
    assert_eq!(code, Some(0));
    for line in [
        "route    POST /v1/threads/{thread_id}/runs\n         the path lacks /v1; the gate puts it there\n",
        "pools    assistants-runs: takes 1 of 200/min\n         assistants-post: takes 1 of 300/min\n",
        "wait     until every pool has room, at most 2m;",
        "refusal  429 tidegate_wait_too_long, for example:\n",
    ] {
        assert!(said.contains(line), "no {line:?} in\n{said}");
    }
}

#[test]
fn explain_sends_what_it_does_not_know_on_its_way() {
    let said = tidegate(&["explain", "GET", "/v1/what/is/this"], &[]).said;
    let once = "pools    none: no limit is known, and it is forwarded at once to https://api.openai.com/\n";
    let learned = "         should the upstream refuse it, a limit is learned, endpoint = \"GET:/v1/what/is/this\", \
                   account = \"-\"\n";
    assert!(said.starts_with(&format!("route    default\n{once}{learned}live     ")), "{said}");
    let explained: Value =
        serde_json::from_str(&tidegate(&["explain", "GET", "/v1/what", "--json"], &[]).said).expect("JSON");
    assert_eq!((&explained["pools"], &explained["refusal"]), (&json!([]), &Value::Null));
}

#[test]
fn explain_tells_requests_from_tokens() {
    let chat = ["explain", "POST", "/v1/chat/completions", "--model", "gpt-4o", "--config"];
    let said = tidegate(&[&chat[..], &["tests/config/valid/models.toml"]].concat(), &[]).said;
    for line in [
        "pools    models: takes 1 of a learned limit, body.model = \"gpt-4o\", header.openai-project = \"-\"\n",
        "         gpt: takes 2 of 500/min, 20 in flight\n",
        " of 200000 tokens/min, 2000000 tokens/day\n",
    ] {
        assert!(said.contains(line), "no {line:?} in\n{said}");
    }
}

#[test]
fn explain_prints_json_with_key_cost_and_limits_of_each_pool() {
    let body = r#"{"file_ids": ["a", "b", "c"]}"#;
    let path = "https://api.openai.com/v1/vector_stores/vs_1/file_batches";
    let Ended { said, .. } = tidegate(&["explain", "POST", path, "--body", body, "--json"], &[]);
    let explained: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(explained["route"], "POST /v1/vector_stores/{vector_store_id}/file_batches");
    let pools = explained["pools"].as_array().expect("a list").iter();
    let told: Vec<Value> = pools.map(|pool| json!([pool["pool"], pool["key"], pool["cost"], pool["limits"]])).collect();
    assert_eq!(
        Value::from(told),
        json!([
            ["vector-store-files", { "path.vector_store_id": "vs_1" }, 1, ["300/min"]],
            ["files-attached", {}, 3, ["2000/min"]],
        ])
    );
}

#[test]
fn explain_says_whose_a_request_is_and_keeps_the_credential_to_itself() {
    let bearer = "authorization: Bearer sk-secret";
    let explain = |more: &[&str]| {
        let arguments = [&["explain", "GET", "/v1/threads/t_1", "-H", bearer][..], more].concat();
        let Ended { said, code, .. } = tidegate(&arguments, &[]);
        assert!(code == Some(0) && !said.contains("sk-secret"), "{said}");
        said
    };
    let json: Value = serde_json::from_str(&explain(&["--json"])).expect("JSON");
    let label = json["client"].as_str().expect("a label");
    assert!(label.len() == "client-".len() + 16 && label.starts_with("client-"), "{label}");
    assert!(explain(&[]).contains(&format!("client   {label}, weight 1; priority normal\n")));
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), format!("[clients.weights]\n{label} = 7\n")).expect("is written");
    let weighed = explain(&["--config", file.path().to_str().expect("a path")]);
    assert!(weighed.contains(&format!("client   {label}, weight 7; priority normal\n")), "{weighed}");
}

#[test]
fn explain_says_before_whom_a_request_goes() {
    let may_raise = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(may_raise.path(), "[clients]\nmay_raise = true\n").expect("is written");
    let may_raise = may_raise.path().to_str().expect("a path");
    let (create, cancel) = ("/v1/threads/t_1/runs", "/v1/threads/t_1/runs/r_1/cancel");
    for (config, path, header, priority) in [
        (DEFAULT, create, "x-tidegate-priority: low", "low"),
        (DEFAULT, create, "x-tidegate-priority: high", "normal"),
        (may_raise, create, "x-tidegate-priority: high", "high"),
        (DEFAULT, create, "x-stainless-poll-helper: true", "low"),
        (DEFAULT, cancel, "x-tidegate-priority: urgent", "high"),
        (DEFAULT, cancel, "x-tidegate-priority: normal", "normal"),
    ] {
        let arguments = ["explain", "POST", path, "-H", header, "--json", "--config", config];
        let explained: Value = serde_json::from_str(&tidegate(&arguments, &[]).said).expect("JSON");
        assert_eq!(explained["priority"], priority, "{path} with {header}");
    }
}

#[test]
fn explain_says_how_long_this_client_would_wait() {
    let headers = ["-H", "x-stainless-read-timeout: 600", "-H", "x-tidegate-max-wait: 30s"];
    let said = tidegate(&[&["explain", "POST", "/v1/threads/t_1/runs"][..], &headers].concat(), &[]).said;
    assert!(said.contains("at most 30s;") && said.contains("and you wait at most 30 s."), "{said}");
}

#[test]
fn explain_does_not_repeat_a_header_that_makes_no_sense() {
    let Ended { complained, code, .. } = tidegate(&["explain", "GET", "/", "-H", "Bearer sk-secret"], &[]);
    assert!(code == Some(2) && complained.contains("-H") && !complained.contains("sk-secret"), "{complained}");
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let Ended { said, code, .. } = tidegate(&["completions", shell], &[]);
        assert_eq!(code, Some(0));
        assert!(said.contains("tidegate") && said.contains("healthcheck"), "{shell}: {said}");
    }
}

/// As many as the upstream takes: with more it would be a question of time who gets how many answers.
#[test]
fn the_demo_shows_both_ways_side_by_side() {
    let small = ["demo", "--requests", "30", "--limit", "30", "--minute", "1h", "--at-once", "20"];
    let Ended { said, complained, code } = tidegate(&small, &[]);
    assert_eq!(code, Some(0), "{said}{complained}");
    let row = |what: &str| {
        said.lines()
            .find_map(|line| line.strip_prefix(what))
            .map(|row| row.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    assert_eq!(row("answered"), Some("30 of 30 30 of 30".to_owned()), "{said}");
    for none in ["429s of the upstream", "failed for the app"] {
        assert_eq!(row(none), Some("0 0".to_owned()), "{said}");
    }
}
