use crate::limit::PoolId;
use crate::route::{Body, Facts, KeyPart, Priority, RouteCharge, Table, Weight};

/// A request of this method and path, and nothing else.
struct Bare;

impl Facts for Bare {
    fn header(&self, _: &str) -> Option<&[u8]> {
        None
    }

    fn body(&self) -> Option<&Body<'_>> {
        None
    }
}

/// The keys of what a POST of a message asks, from pools with these keys.
fn keys(of_pools: &[&[&str]]) -> Vec<Option<String>> {
    let charge = |(index, parts): (usize, &&[&str])| RouteCharge {
        pool: PoolId(index),
        weight: Weight::Fixed(std::num::NonZeroU32::MIN),
        key: parts.iter().map(|part| part.parse::<KeyPart>().expect("a part of a key")).collect(),
    };
    let charges = of_pools.iter().enumerate().map(charge).collect();
    let mut table = Table::default();
    let template = "POST /threads/{thread}/messages/{message}".parse().expect("a template");
    table.insert(&template, charges, Priority::Normal).expect("the only route");
    let asks = table.asks(&table.find("POST", "/threads/T/messages/M-2"), &Bare);
    asks.into_iter().map(|ask| ask.key.map(Into::into)).collect()
}

#[test]
fn pools_share_a_key_only_where_they_are_parted_alike() {
    let (thread, message, none): (&[&str], &[&str], &[&str]) = (&["path.thread"], &["path.message"], &[]);
    let asked = keys(&[none, thread, thread, message, none, thread]);
    let asked: Vec<Option<&str>> = asked.iter().map(Option::as_deref).collect();
    assert_eq!(asked, [None, Some("t"), Some("t"), Some("m-2"), None, Some("t")]);
}
