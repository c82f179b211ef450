use std::sync::Arc;

use indexmap::IndexMap;

use super::polls::SHARE;
use super::pools::{IMPLICIT, MARGIN};
use super::{Check, Defaults};
use crate::config::Pool;
use crate::config::file::Text;
use crate::hints::RefusalCause;
use crate::limit::{Learn, Limits};
use crate::route::KeyPart;

impl Check {
    /// What refusals mean to this upstream, by their code.
    pub(super) fn refusals(&mut self, file: &IndexMap<String, Text>) -> Vec<(String, RefusalCause)> {
        let cause = |(code, text): (&String, &Text)| {
            Some((code.clone(), self.parsed(Some(text), "not what a refusal can mean", "")?))
        };
        file.iter().filter_map(cause).collect()
    }

    /// The pool of requests that no route takes to any: one for each endpoint, on which nothing is held until the upstream
    /// refuses.
    pub(super) fn implicit_pool(Defaults { queue, max_wait, is_observed, .. }: Defaults) -> Pool {
        Pool {
            name: IMPLICIT.to_owned(),
            limits: Limits { learn: Learn::Tighten, margin: MARGIN, ..Limits::default() },
            key: Arc::new([KeyPart::Endpoint, KeyPart::Account]),
            max_waiting: queue.max_waiting,
            max_bytes: u64::MAX,
            max_wait,
            refuse_when_full: false,
            poll_share: SHARE,
            is_observed,
            implicit: true,
        }
    }
}
