use std::net::IpAddr;
use std::num::NonZeroU32;

use indexmap::IndexMap;

use super::Check;
use crate::client::{ClientKey, ClientSettings};
use crate::config::file::{self, Text};
use crate::config::spanned::Spanned;
use crate::problem::Problem;

/// What fits into a line of the page and of the log. A guess.
const LONGEST_NAME: usize = 60;

/// Beyond it a client that has one share would hardly be served. A guess.
const HEAVIEST: u32 = 1_000;

impl Check {
    pub(super) fn clients(&mut self, file: &file::Clients) -> ClientSettings {
        let mend =
            "write \"credential\", a header as in \"x-tidegate-client\", or \"peer\" for the address it comes from";
        let by = file.by.iter().flat_map(Spanned::get_ref).filter_map(|text| match &**text.as_ref() {
            "credential" => Some(ClientKey::Credential),
            "peer" => Some(ClientKey::Peer),
            _ => self.parsed(Some(text), "not a way to tell clients apart", mend).map(ClientKey::Header),
        });
        let by: Vec<_> = by.collect();
        if let Some(empty) = file.by.as_ref().filter(|by| by.get_ref().is_empty()) {
            self.problems.push(Problem::new("no client is told from another", empty.span(), "one for all", mend));
        }
        self.by_twice(file);
        ClientSettings {
            quota: self.rate(file.quota.as_ref()),
            by: if file.by.is_none() { vec![ClientKey::Credential] } else { by },
            weights: self.weights(&file.weights, file.by.as_ref().map_or(&[], |by| by.get_ref())),
            names: self.names(&file.names, file.by.as_ref().map_or(&[], |by| by.get_ref())),
            may_raise: file.may_raise,
        }
    }

    fn by_twice(&mut self, file: &file::Clients) {
        let by = file.by.as_ref().map_or(&[][..], |by| by.get_ref());
        for (index, text) in by.iter().enumerate() {
            if by[..index].iter().any(|before| before.as_ref().eq_ignore_ascii_case(text.as_ref())) {
                let label = "tells nobody more apart";
                self.problems.push(Problem::new("the same twice", text.span(), label, "take it out"));
            }
        }
    }

    fn names(&mut self, file: &IndexMap<String, Text>, by: &[Text]) -> Vec<(String, String)> {
        for (client, name) in file {
            if name.as_ref().is_empty()
                || name.as_ref().len() > LONGEST_NAME
                || name.as_ref().contains(char::is_control)
            {
                let label = format!("expected 1 to {LONGEST_NAME} bytes on one line");
                self.problems.push(Problem::new(
                    "not a name",
                    name.span(),
                    label,
                    "write it short, as in \"nightly batch\"",
                ));
            }
            if let Some(label) = nobody(client, by) {
                let mend = "write what `by` sees of it, or its label, which `tidegate explain` tells";
                self.problems.push(Problem::new("a name of no client", name.span(), label, mend));
            }
        }
        file.iter().map(|(client, name)| (client.clone(), name.as_ref().clone())).collect()
    }

    fn weights(&mut self, file: &IndexMap<String, Spanned<i64>>, by: &[Text]) -> Vec<(String, NonZeroU32)> {
        let weights = file.iter().filter_map(|(name, written)| {
            let weight = u32::try_from(*written.get_ref()).ok().and_then(NonZeroU32::new);
            let weight = weight.filter(|weight| weight.get() <= HEAVIEST);
            if weight.is_none() {
                let mend = "write how many shares it has where others have one, as in web = 3";
                let label = format!("expected a whole number from 1 to {HEAVIEST}");
                self.problems.push(Problem::new("not a weight", written.span(), label, mend));
            }
            if let Some(label) = nobody(name, by) {
                let mend = "write what `by` sees of it, or its label, which `tidegate explain` tells";
                self.problems.push(Problem::new("a weight of nobody", written.span(), label, mend));
            }
            weight.map(|weight| (name.clone(), weight))
        });
        weights.collect()
    }
}

/// Why no client has this name, if none can have: a name is all that `by` sees, with a space between.
fn nobody(name: &str, by: &[Text]) -> Option<&'static str> {
    let is_peer = |text: &Text| text.as_ref() == "peer";
    if name.starts_with("client-") {
        None
    } else if by.is_empty() && !name.contains(' ') {
        Some("without `by`, a client is told apart by its credential, which is no name")
    } else if name.matches(' ').count() + 1 < by.len() {
        Some("`by` has more parts than this name")
    } else if by.last().is_some_and(is_peer) && name.rsplit(' ').next()?.parse::<IpAddr>().is_err() {
        Some("a name that ends with \"peer\" ends with an address")
    } else {
        None
    }
}
