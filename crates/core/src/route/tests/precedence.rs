use proptest::prelude::*;

use super::naive::{matching, requests, table, templates};
use crate::route::{Priority, Table};

fn why(templates: &[&str], method: &str, path: &str) -> Vec<String> {
    let mut table = Table::default();
    for text in templates {
        table.insert(&text.parse().expect("a template"), Vec::new(), Priority::Normal).expect("no tie");
    }
    table.beaten(method, path).iter().map(|beaten| beaten.because.to_string()).collect()
}

#[test]
fn the_reason_names_the_first_segment_that_differs() {
    let templates = ["POST /v1/threads/{id}/runs", "POST /v1/threads/{id}/{kind}", "* /v1/{*rest}"];
    assert_eq!(
        why(&templates, "POST", "/v1/threads/t_1/runs"),
        ["in segment 4, runs goes before {kind}", "in segment 2, threads goes before {*rest}"]
    );
    assert_eq!(why(&["GET /a", "GET /a/{*rest}"], "GET", "/a"), ["a path that ends goes before {*rest}"]);
}

#[test]
fn where_the_paths_are_the_same_the_method_is_the_reason() {
    let templates = ["HEAD /v1/{id}", "GET /v1/{key}", "* /v1/{id}"];
    let [as_get, any] = ["of the methods, HEAD goes before GET", "of the methods, HEAD goes before *"];
    assert_eq!(why(&templates, "HEAD", "/v1/x"), [as_get, any]);
    assert_eq!(why(&templates, "GET", "/v1/x"), ["of the methods, GET goes before *"]);
}

#[test]
fn a_path_without_v1_and_a_disguised_one_have_their_reasons_too() {
    let templates = ["POST /v1/files", "* /v1/{*rest}"];
    for path in ["/files", "/v1/x/../files"] {
        assert_eq!(why(&templates, "POST", path), ["in segment 2, files goes before {*rest}"], "{path}");
    }
    assert!(why(&templates, "GET", "/else").is_empty(), "what nobody takes has no reason");
}

proptest! {
    /// It has the other's numbers for what both have, and finds what it found before.
    #[test]
    fn table_that_follows_another_finds_the_same(before in templates(), after in templates()) {
        let (before, after) = (table(&before), table(&after));
        let following = after.following(&before);
        for (method, path) in requests() {
            let (found, was) = (following.find(method, &path).route(), after.find(method, &path).route());
            let name = &following.route(found).name;
            prop_assert_eq!(name, &after.route(was).name, "{} {}", method, path);
            prop_assert!(following.is_in_force(found));
        }
        for (id, route) in before.routes() {
            prop_assert_eq!(&following.route(id).name, &route.name);
        }
    }

    #[test]
    fn all_others_that_match_are_named(templates in templates()) {
        let table = table(&templates);
        for (method, path) in requests() {
            let found = table.find(method, &path);
            let mut named = vec![found.route()];
            named.extend(table.beaten(method, &path).iter().map(|beaten| beaten.route));
            named.sort_unstable();
            let matching = matching(&templates, method, &path);
            let expected = if matching.is_empty() { vec![found.route()] } else { matching };
            prop_assert!(found.lacks_v1() || named == expected, "{method} {path}: {named:?}, {expected:?}");
        }
    }

    #[test]
    fn one_after_another_takes_the_request_as_those_before_it_are_taken_out(templates in templates()) {
        let whole = table(&templates);
        for (method, path) in requests().into_iter().step_by(5) {
            let mut left = templates.clone();
            for beaten in whole.beaten(method, &path) {
                let others = table(&left);
                left.remove(others.find(method, &path).route().0 - 1);
                let others = table(&left);
                let taker = &others.route(others.find(method, &path).route()).name;
                prop_assert_eq!(taker, &whole.route(beaten.route).name, "{} {} in {:?}", method, path, templates);
            }
        }
    }
}
