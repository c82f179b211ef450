use std::collections::BTreeSet;

use proptest::prelude::*;

use super::naive::{matching, requests, table, templates};
use crate::route::RouteId;

fn named(templates: &[&str]) -> Vec<String> {
    templates.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn a_rest_is_covered_by_what_takes_nothing_one_and_more() {
    let covering = ["GET /a/{*rest}", "GET /a", "GET /a/{id}", "* /a/{id}/{more}/{*rest}"];
    assert_eq!(table(&named(&covering)).covers(RouteId(1)), Some(vec![RouteId(2), RouteId(3), RouteId(4)]));
    let leaving = ["GET /a/{*rest}", "GET /a", "GET /a/{id}/{more}/{*rest}"];
    let leaving = table(&named(&leaving));
    assert_eq!(leaving.covers(RouteId(1)), None);
    assert_eq!(leaving.exceptions(RouteId(1)), [RouteId(2), RouteId(3)]);
}

#[test]
fn a_method_may_be_taken_away() {
    let table = table(&named(&["* /a", "GET /a", "HEAD /a"]));
    assert_eq!([1, 2, 3].map(|id| table.exceptions(RouteId(id)).len()), [2, 1, 0]);
    assert_eq!([0, 1, 2, 3].map(|id| table.covers(RouteId(id))), [None, None, None, None]);
}

proptest! {
    #[test]
    fn a_route_is_covered_if_no_request_at_all_goes_by_it(templates in templates()) {
        let table = table(&templates);
        let taken: BTreeSet<RouteId> =
            requests().iter().map(|(method, path)| table.find(method, path).route()).collect();
        for (route, _) in table.routes().skip(1) {
            prop_assert_eq!(table.covers(route).is_none(), taken.contains(&route), "{:?} in {:?}", route, templates);
        }
    }

    #[test]
    fn an_exception_takes_a_request_that_the_route_is_written_for(templates in templates()) {
        let table = table(&templates);
        let mut taken: BTreeSet<(RouteId, RouteId)> = BTreeSet::new();
        for (method, path) in requests() {
            let taker = table.find(method, &path).route();
            let losers = matching(&templates, method, &path).into_iter().filter(|&route| route != taker);
            taken.extend(losers.map(|loser| (loser, taker)));
        }
        for (route, _) in table.routes().skip(1) {
            let found: Vec<RouteId> = taken.iter().filter(|(loser, _)| *loser == route).map(|&(_, taker)| taker).collect();
            prop_assert_eq!(table.exceptions(route), found, "{:?} in {:?}", route, templates);
        }
    }
}
