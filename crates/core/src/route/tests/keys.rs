use crate::limit::PoolId;
use crate::route::{Body, Facts, KeyPart, Priority, RouteCharge, Table, Weight};

/// A request with these headers and no body.
struct Sent<'h>(&'h [(&'h str, &'h str)]);

impl Facts for Sent<'_> {
    fn header(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_bytes())
    }

    fn body(&self) -> Option<&Body<'_>> {
        None
    }
}

/// The keys of the instances that a POST of a message with these headers takes from, of pools with these keys.
fn keys(of_pools: &[&[&str]], headers: &[(&str, &str)]) -> Vec<Option<String>> {
    let charge = |(index, parts): (usize, &&[&str])| RouteCharge {
        pool: PoolId(index),
        weight: Weight::Fixed(std::num::NonZeroU32::MIN),
        key: parts.iter().map(|part| part.parse::<KeyPart>().expect("a part of a key")).collect(),
    };
    let charges = of_pools.iter().enumerate().map(charge).collect();
    let mut table = Table::default();
    let template = "POST /threads/{thread}/messages/{message}".parse().expect("a template");
    table.insert(&template, charges, Priority::Normal).expect("the only route");
    let asks = table.asks(&table.find("POST", "/threads/T/messages/M-2"), &Sent(headers));
    asks.into_iter().map(|ask| ask.key.map(Into::into)).collect()
}

#[test]
fn pools_share_a_key_only_where_they_are_parted_alike() {
    let (thread, message, none): (&[&str], &[&str], &[&str]) = (&["path.thread"], &["path.message"], &[]);
    let asked = keys(&[none, thread, thread, message, none, thread], &[]);
    let asked: Vec<Option<&str>> = asked.iter().map(Option::as_deref).collect();
    assert_eq!(asked, [None, Some("t"), Some("t"), Some("m-2"), None, Some("t")]);
}

/// Keys are in the files of a store and in dashboards, and have the digits of the client's label: see `client::Clients`.
#[test]
fn hashed_keys_stay_stable_across_releases() {
    let key = |part: &str, headers: &[(&str, &str)]| keys(&[&[part]], headers).remove(0).expect("a key");
    let credential = ("authorization", "Bearer sk-test");
    assert_eq!(key("account", &[credential]), "96018835490a18a6");
    assert_eq!(key("account", &[("openai-organization", "org-1"), credential]), "f2f29670b6abb787");
    assert_eq!(key("header.authorization", &[credential]), "96018835490a18a6");
    assert_eq!([key("account", &[]), key("header.api-key", &[credential])], ["-", "-"]);
}
