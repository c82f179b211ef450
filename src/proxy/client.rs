use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::net::IpAddr;
use std::num::NonZeroU32;

use http::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

use crate::admission::ClientId;
use crate::config::{self, ClientKey};
use crate::route::Priority;

/// Who is who among those who share the pools, and who may go before whom.
///
/// A client has a **name**, the values of what tells clients apart with a space between them, which may be secret and is
/// nowhere kept; a [`ClientId`], which is a hash of it; and a **label** by which people speak of the hash.
#[derive(Debug)]
pub struct Clients {
    by: Vec<ClientKey>,
    weights: HashMap<ClientId, NonZeroU32>,
    may_raise: bool,
}

impl Clients {
    /// Clients as they are configured.
    #[must_use]
    pub fn new(config: &config::ClientsConfig) -> Self {
        let weights = config.weights.iter().map(|(text, weight)| (Self::named(text), *weight));
        Self { by: config.by.clone(), weights: weights.collect(), may_raise: config.may_raise }
    }

    /// Whoever sends these headers from this address. Those who lack what tells clients apart are one client.
    #[must_use]
    pub fn identify(&self, headers: &HeaderMap, peer: IpAddr) -> ClientId {
        self.identify_by(|key| match key {
            ClientKey::Header(header) => headers.get(header).map_or(&[][..], HeaderValue::as_bytes).into(),
            ClientKey::Peer => peer.to_canonical().to_string().into_bytes().into(),
        })
    }

    /// Whoever is seen so by what tells clients apart.
    pub fn identify_by<'v>(&self, value: impl Fn(&ClientKey) -> Cow<'v, [u8]>) -> ClientId {
        let mut name = SmallVec::<[u8; 256]>::new();
        for (index, key) in self.by.iter().enumerate() {
            if index > 0 {
                name.push(b' ');
            }
            name.extend_from_slice(&value(key));
        }
        named(&name)
    }

    /// The client that people speak of, by its label or by its name.
    #[must_use]
    pub fn named(text: &str) -> ClientId {
        let hash = text.strip_prefix(LABEL).filter(|hash| hash.len() == 16);
        let hash = hash.and_then(|hash| u64::from_str_radix(hash, 16).ok());
        hash.map_or_else(|| named(text.as_bytes()), ClientId)
    }

    /// How people speak of a client: it tells clients apart and gives no credential away.
    #[must_use]
    pub fn label(client: ClientId) -> String {
        client.to_string()
    }

    /// How many shares it has where others have one.
    #[must_use]
    pub fn weight(&self, client: ClientId) -> NonZeroU32 {
        self.weights.get(&client).copied().unwrap_or(NonZeroU32::MIN)
    }

    /// The shares of those that have more than one.
    pub(super) fn weights(&self) -> &HashMap<ClientId, NonZeroU32> {
        &self.weights
    }

    /// Before whom a request goes: as its route says, or as it says itself, which must not be before, unless it may.
    /// Poll helpers of the SDKs (docs/upstream.md §5.3) ask again anyway, so they come last.
    #[must_use]
    pub fn priority(&self, of_route: Priority, headers: &HeaderMap) -> Priority {
        match own_priority(headers) {
            Some(own) => self.ranked(of_route, own),
            None if headers.contains_key(POLL_HELPER) => Priority::Low,
            None => of_route,
        }
    }

    /// The same for a request that says so of itself.
    #[must_use]
    pub fn ranked(&self, of_route: Priority, own: Priority) -> Priority {
        if self.may_raise { own } else { own.max(of_route) }
    }
}

const PRIORITY: HeaderName = HeaderName::from_static("x-tidegate-priority");
const POLL_HELPER: HeaderName = HeaderName::from_static("x-stainless-poll-helper");

const LABEL: &str = "client-";

fn named(name: &[u8]) -> ClientId {
    let mut hasher = DefaultHasher::new();
    hasher.write(name);
    ClientId(hasher.finish())
}

fn own_priority(headers: &HeaderMap) -> Option<Priority> {
    let value = headers.get(PRIORITY)?;
    let own = value.to_str().ok().and_then(|text| text.parse().ok());
    if own.is_none() {
        tracing::debug!("an x-tidegate-priority that is none of high, normal and low is ignored");
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;
    use Priority::{High, Low, Normal};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|&(name, value)| (name.parse().expect("a name"), HeaderValue::from_static(value))).collect()
    }

    fn clients(by: &[ClientKey], weights: &[(&str, u32)], may_raise: bool) -> Clients {
        let weights = weights.iter().map(|&(name, weight)| (name.to_owned(), NonZeroU32::new(weight).expect("some")));
        Clients::new(&config::ClientsConfig { quota: None, by: by.to_vec(), weights: weights.collect(), may_raise })
    }

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn a_weight_is_found_by_the_name_and_by_the_label() {
        let by = [ClientKey::Header("x-tidegate-client".parse().expect("a name")), ClientKey::Peer];
        let by_name = clients(&by, &[("web 127.0.0.1", 3)], false);
        let web = by_name.identify(&headers(&[("x-tidegate-client", "web")]), HOME);
        let other = by_name.identify(&headers(&[("x-tidegate-client", "job")]), HOME);
        assert_eq!([web, other].map(|client| by_name.weight(client).get()), [3, 1]);
        let by_label = clients(&by, &[(&Clients::label(web), 5)], false);
        assert_eq!([web, other].map(|client| by_label.weight(client).get()), [5, 1]);
    }

    #[test]
    fn an_address_is_the_same_in_both_families() {
        let peers = clients(&[ClientKey::Peer], &[], false);
        let mapped = "::ffff:127.0.0.1".parse().expect("an address");
        assert_eq!(peers.identify(&headers(&[]), HOME), peers.identify(&headers(&[]), mapped));
    }

    #[test]
    fn a_client_lowers_its_own_priority_and_raises_it_only_where_it_may() {
        for (may_raise, of_route, own, priority) in [
            (false, Normal, "low", Low),
            (false, Normal, "high", Normal),
            (false, High, "normal", Normal),
            (true, Normal, "high", High),
            (true, Low, "normal", Normal),
            (true, High, "urgent", High),
        ] {
            let asked = clients(&[], &[], may_raise).priority(of_route, &headers(&[("x-tidegate-priority", own)]));
            assert_eq!(asked, priority, "{of_route}, and {own} is asked for");
        }
    }

    #[test]
    fn a_poll_helper_is_low_unless_it_says_otherwise() {
        let clients = clients(&[], &[], false);
        let poll = ("x-stainless-poll-helper", "true");
        assert_eq!(clients.priority(Normal, &headers(&[poll])), Low);
        assert_eq!(clients.priority(Normal, &headers(&[poll, ("x-tidegate-priority", "normal")])), Normal);
    }
}
