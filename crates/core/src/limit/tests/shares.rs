//! Several gates, each with its part of every limit.

use std::num::NonZeroU32;
use std::time::Duration;

use proptest::prelude::*;

use super::{Ledger, PoolId, Rate, capped, start};
use crate::limit::{Charge, Hint, Limits, Shape, Share};
use crate::refusal::Reason;
use crate::settings::PoolSettings;

fn share(text: &str) -> Share {
    text.parse().expect("a share")
}

proptest! {
    /// As long as each has one at least, no window of the account has more than the limit.
    #[test]
    fn all_shares_together_are_no_more_than_the_limit(amount in 1..5_000_u32, gates in 1..50_u32) {
        let (rate, share) = (Rate::new(amount.try_into().unwrap(), Duration::from_mins(1)).unwrap(), share(&format!("1/{gates}")));
        let part = share.of_rate(rate);
        if amount >= gates {
            prop_assert!(part.amount() * gates <= amount && part.per() == rate.per());
            prop_assert!((part.amount() + 1) * gates > amount, "no more is left over than one each");
        } else {
            // Over time it is as much, and no window of one gate has more than one.
            prop_assert_eq!(part.amount(), 1);
            prop_assert!(part.per() * amount >= rate.per() * gates);
        }
    }
}

#[test]
fn share_scales_rates_burst_and_what_is_in_flight() {
    let burst = |most| Shape::Smooth { burst: NonZeroU32::new(most).expect("a burst") };
    let limits = Limits { in_flight: NonZeroU32::new(50), shape: burst(2), ..capped(&["300/min", "10/s"]) };
    let third =
        Limits { in_flight: NonZeroU32::new(16), shape: burst(1), share: share("1/3"), ..capped(&["100/min", "3/s"]) };
    assert_eq!(limits.clone().shared(share("1/3")), third);
    assert_eq!(limits.clone().shared(share("2/2")), Limits { share: share("2/2"), ..limits });
}

#[test]
fn what_the_upstream_tells_is_of_the_whole_account() {
    let limits = Limits::default().shared(share("1/4"));
    let mut ledger = Ledger::new(vec![limits]);
    let charge = Charge { instance: ledger.instance(PoolId(0), None), cost: 1 };
    let hint = Hint { limit: "500/min".parse().expect("a rate"), left: Some(100) };
    ledger.accepted(start(), charge, start(), Some(hint));
    assert_eq!(ledger.reported_limit(charge.instance), "125/min".parse().ok());
}

#[test]
fn refusal_names_the_share() {
    let pools = [PoolSettings::new("posts", capped(&["300/min"]).shared(share("1/3")))];
    let reason = Reason::NoQueue { pool: PoolId(0), eta: Duration::from_secs(3) };
    let said = reason.message(&pools);
    assert!(said.starts_with("pool 'posts' (100/min, 1/3 of the account's) has no room"), "{said}");
    let details = reason.details(&pools);
    assert_eq!((&details["limit"], &details["share"]), (&"100/min".into(), &"1/3".into()));
    let whole = reason.details(&[PoolSettings::new("posts", capped(&["300/min"]))]);
    assert!(whole.get("share").is_none(), "{whole}");
}

#[test]
fn share_is_a_part_of_a_whole() {
    for text in ["", "1", "1/", "/3", "0/3", "1/0", "4/3", "-1/3", "1/3/4", "0.5"] {
        assert!(text.parse::<Share>().is_err(), "{text:?}");
    }
    assert_eq!(share(" 2 / 5 ").to_string(), "2/5");
}
