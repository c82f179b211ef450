use std::num::NonZeroU32;

use indexmap::IndexMap;
use toml::Spanned;

use super::Check;
use crate::config::file;
use crate::config::report::Problem;
use crate::config::{ClientKey, Clients};

/// Beyond it a client that has one share would hardly be served.
const HEAVIEST: u32 = 1_000;

impl Check {
    pub(super) fn clients(&mut self, file: &file::Clients) -> Clients {
        let mend = "name a header, as in \"authorization\", or \"peer\" for the address it comes from";
        let by = file.by.iter().flat_map(Spanned::get_ref).filter_map(|text| {
            if text.as_ref() == "peer" {
                return Some(ClientKey::Peer);
            }
            self.parsed(Some(text), "not a way to tell clients apart", mend).map(ClientKey::Header)
        });
        let by: Vec<_> = by.collect();
        if let Some(empty) = file.by.as_ref().filter(|by| by.get_ref().is_empty()) {
            self.problems.push(Problem::new("no client is told from another", empty.span(), "one for all", mend));
        }
        let by_credential = || vec![ClientKey::Header(http::header::AUTHORIZATION)];
        Clients {
            quota: self.rate(file.quota.as_ref()),
            by: if file.by.is_none() { by_credential() } else { by },
            weights: self.weights(&file.weights),
            may_raise: file.may_raise,
        }
    }

    fn weights(&mut self, file: &IndexMap<String, Spanned<i64>>) -> Vec<(String, NonZeroU32)> {
        let weights = file.iter().filter_map(|(name, written)| {
            let weight = u32::try_from(*written.get_ref()).ok().and_then(NonZeroU32::new);
            let weight = weight.filter(|weight| weight.get() <= HEAVIEST);
            if weight.is_none() {
                let mend = "write how many shares it has where others have one, as in web = 3";
                let label = format!("expected a whole number from 1 to {HEAVIEST}");
                self.problems.push(Problem::new("not a weight", written.span(), label, mend));
            }
            weight.map(|weight| (name.clone(), weight))
        });
        weights.collect()
    }
}
