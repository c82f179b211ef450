use std::io::Write;

use super::super::script::FaultScript;
use super::options;

#[test]
fn what_makes_no_sense_is_refused_with_what_would() {
    for (arguments, says) in [
        (["--scale", "0"], "a number above 0"),
        (["--foreign", "2"], "a number from 0 to 1"),
        (["--model", "gpt-4o"], "gpt-4o=500:30000"),
        (["--model", "gpt-4o=many:30000"], "gpt-4o=500:30000"),
        (["--family", "gpt-4o="], "a family is a name and its models"),
        (["--rpm", "0"], "'--rpm <N>'"),
        (["--script", "no/such.toml"], "cannot be read"),
    ] {
        let said = options(&arguments).expect_err(arguments[1]).to_string();
        assert!(said.contains(arguments[0]) && said.contains(says), "{arguments:?}: {said}");
    }
}

#[test]
fn a_bad_script_is_refused_with_its_place_and_the_mend() {
    for (text, place, says) in [
        ("[[step]]\nscale = 0\n", "line 2, column 9", "a scale is a number above 0"),
        ("[[step]]\nat = \"1m\"\nforeign = 1.5\n", "line 3, column 11", "a share is a number from 0 to 1"),
        ("[[step]]\nat = \"soon\"\n", "line 2, column 6", "write one as in \"90s\""),
        ("[[step]]\nat = 5\n", "line 2, column 6", "expected a string"),
        ("[[step]]\nrefuse = \"no\"\n", "line 2, column 10", "write one of none, requests-per-minute"),
        ("[[step]]\nscales = 1\n", "line 2, column 1", "expected one of `at`, `scale`"),
        ("[step]\nscale = 1\n", "line 1, column 1", "[[step]]"),
        ("[[step]\n", "line 1, column 8", ""),
        ("", "line 1, column 1", "[[step]]"),
    ] {
        let said = text.parse::<FaultScript>().expect_err(text).to_string();
        assert!(said.contains(place) && said.contains(says), "{text:?}: {said}");
    }
}

#[test]
fn the_command_says_what_is_wrong_with_its_script() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(b"[[step]]\nscale = 0\n").expect("writes");
    let path = file.path().to_str().expect("a path");
    let said = options(&["--script", path]).expect_err("no script").to_string();
    assert!(said.contains(path) && said.contains("line 2, column 9"), "{said}");
}
