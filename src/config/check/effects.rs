//! What of a pool changes nothing, as something else that is written says more.

use std::ops::Range;

use http::HeaderName;

use super::Check;
use crate::config::QueueConfig;
use crate::config::file::{self, Text};
use crate::config::spanned::Spanned;
use crate::limit::Rate;
use crate::problem::Problem;

const TAKE_OUT: &str = "take it out";

/// The headers that are an account, as far as keys can name them.
const OF_ACCOUNT: [&str; 4] =
    ["header.authorization", "header.api-key", "header.openai-organization", "header.openai-project"];

impl Check {
    /// A limit is covered by one that admits no more in a span that is no shorter.
    pub(super) fn covered_rates(&mut self, texts: &[Text]) {
        let rates: Vec<(Rate, &Text)> =
            texts.iter().filter_map(|text| Some((text.as_ref().parse().ok()?, text))).collect();
        for (index, (rate, text)) in rates.iter().enumerate() {
            let covers = |(at, (other, _)): &(usize, &(Rate, &Text))| {
                let is_same = other.amount() == rate.amount() && other.per() == rate.per();
                other.amount() <= rate.amount() && other.per() >= rate.per() && (!is_same || *at < index)
            };
            if let Some((_, (other, _))) = rates.iter().enumerate().find(covers) {
                let label = format!("{other} admits no more than that anyway");
                self.idle(Problem::new("a limit that another covers", text.span(), label, TAKE_OUT));
            }
        }
    }

    /// What of a pool's bounds nobody meets.
    pub(super) fn pool_bounds(&mut self, file: &file::Pool, queue: QueueConfig) {
        self.nobody_waits(file, queue);
        if let Some(most) = file.max_waiting.as_ref().filter(|most| *most.get_ref() > queue.max_waiting) {
            let label = format!("no more than {} wait in all", queue.max_waiting);
            self.beyond("max_waiting", most.span(), label);
        }
        if let Some(most) = file.max_bytes.as_ref().filter(|most| most.get_ref().as_u64() > queue.max_bytes) {
            let label = format!("no more than {} are held in all", bytesize::ByteSize(queue.max_bytes));
            self.beyond("max_bytes", most.span(), label);
        }
        if let Some(most) = file.in_flight.as_ref().filter(|most| u64::from(most.get_ref().get()) > queue.max_in_flight)
        {
            let label = format!("no more than {} are under way in all", queue.max_in_flight);
            self.beyond("max_in_flight", most.span(), label);
        }
    }

    /// What is said of the wait for a pool for which nobody waits.
    fn nobody_waits(&mut self, file: &file::Pool, queue: QueueConfig) {
        let refuses = file.when_full == Some(file::WhenFull::Refuse);
        let (why, mend) = match &file.max_waiting {
            _ if refuses => ("when_full = \"refuse\"", "take it out, or write when_full = \"queue\""),
            Some(most) if *most.get_ref() == 0 => ("max_waiting = 0", "take it out, or let some wait"),
            _ if queue.max_waiting == 0 => ("max_waiting = 0 in [queue]", "take it out, or let some wait"),
            _ => return,
        };
        let of_line = file.max_waiting.as_ref().filter(|_| refuses);
        let said = [
            ("max_waiting", of_line.map(Spanned::span)),
            ("max_bytes", file.max_bytes.as_ref().map(Spanned::span)),
            ("max_wait", file.max_wait.as_ref().map(Spanned::span)),
        ];
        for (name, at) in said.into_iter().filter_map(|(name, at)| Some((name, at?))) {
            self.idle(Problem::new(format!("{name} beside {why}"), at, "nobody waits", mend));
        }
    }

    /// Parts of a key that tell nothing apart which another part does not.
    pub(super) fn key_parts(&mut self, file: &file::Pool) {
        let has_account = file.key.iter().any(|part| part.as_ref() == "account");
        for (index, part) in file.key.iter().enumerate() {
            let name = part.as_ref().to_ascii_lowercase();
            if file.key[..index].iter().any(|before| before.as_ref() == part.as_ref()) {
                self.idle(Problem::new("a part of a key twice", part.span(), "tells nothing more apart", TAKE_OUT));
            } else if has_account && OF_ACCOUNT.contains(&&*name) {
                let label = "account tells it apart already";
                self.idle(Problem::new("a part of a key within another", part.span(), label, TAKE_OUT));
            } else if let Some(header) = name.strip_prefix("header.")
                && header.parse::<HeaderName>().is_err()
            {
                let mend = "write the name of a header, as in \"header.openai-project\"";
                self.idle(Problem::new("not a header", part.span(), "no request has it", mend));
            }
        }
    }

    fn beyond(&mut self, of_queue: &str, at: Range<usize>, label: String) {
        let mend = format!("write less, or raise {of_queue} in [queue]");
        self.idle(Problem::new("a bound that is never met", at, label, mend));
    }
}
