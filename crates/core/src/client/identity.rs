use core::net::IpAddr;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::priority::{POLL_HELPER, requested_priority};
use crate::fingerprint::Fingerprint;
use crate::limit::Rate;
use crate::queue::ClientId;
use crate::route::Priority;

/// How clients are told apart and what each may send, as configured.
#[derive(Clone, Debug, Default)]
pub struct ClientSettings {
    /// What each client may send. `None` is no limit.
    pub quota: Option<Rate>,
    /// What tells clients apart.
    pub by: Vec<ClientKey>,
    /// The weights other than 1, each by the client's name (the values of `by`, joined with spaces) or by its label.
    pub weights: Vec<(String, NonZeroU32)>,
    /// Whether a request may ask for a higher priority than its route has.
    pub may_raise: bool,
}

/// One part of what tells clients apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientKey {
    /// The value of this header.
    Header(HeaderName),
    /// The address that the connection comes from.
    Peer,
}

/// Tells clients apart, and knows their weights.
///
/// A client has a **name**, an **id** and a **label**. The name is the values of [`ClientSettings::by`], joined with
/// spaces; it may be a credential. The id is the name's [`Fingerprint`]. The label is the id in print, `client-` and 16
/// hexadecimal digits. Users write labels into `[clients.weights]`, so a credential has the same one in every release.
#[derive(Debug)]
pub struct Clients {
    by: Vec<ClientKey>,
    weights: HashMap<ClientId, NonZeroU32>,
    may_raise: bool,
}

/// A client's name and the id that it hashes to, so that a connection hashes its credential once: see
/// [`Clients::identify_again`].
#[derive(Clone)]
pub struct Identity {
    name: Box<[u8]>,
    client: ClientId,
}

impl Clients {
    /// Clients as configured.
    #[must_use]
    pub fn new(settings: &ClientSettings) -> Self {
        let weights = settings.weights.iter().map(|(text, weight)| (Self::named(text), *weight));
        Self { by: settings.by.clone(), weights: weights.collect(), may_raise: settings.may_raise }
    }

    /// The client that sends these headers from this address. Requests without any of the headers are one client's.
    #[must_use]
    pub fn identify(&self, headers: &HeaderMap, peer: IpAddr) -> ClientId {
        id_of(&self.name(|key| value(key, headers, peer)))
    }

    /// The same, from what the last request on a connection found. It hashes only if the name has changed since.
    ///
    /// ```
    /// use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
    /// use tidegate_core::client::{ClientKey, ClientSettings, Clients};
    ///
    /// let settings = ClientSettings { by: vec![ClientKey::Header(AUTHORIZATION)], ..ClientSettings::default() };
    /// let clients = Clients::new(&settings);
    /// let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("Bearer sk-test"))]);
    /// let (peer, mut of_connection) = ([127, 0, 0, 1].into(), None);
    ///
    /// let client = clients.identify_again(&mut of_connection, &headers, peer);
    /// assert_eq!(client.to_string(), "client-96018835490a18a6");
    /// assert_eq!(clients.identify_again(&mut of_connection, &headers, peer), client);
    /// ```
    pub fn identify_again(&self, last: &mut Option<Identity>, headers: &HeaderMap, peer: IpAddr) -> ClientId {
        let name = self.name(|key| value(key, headers, peer));
        match last {
            Some(known) if *known.name == *name => known.client,
            _ => last.insert(Identity { client: id_of(&name), name: name.into() }).client,
        }
    }

    /// The client for which `by` has these values.
    pub fn identify_by<'v>(&self, value: impl Fn(&ClientKey) -> Cow<'v, [u8]>) -> ClientId {
        id_of(&self.name(value))
    }

    /// The client with this label or name.
    #[must_use]
    pub fn named(text: &str) -> ClientId {
        let digits = text.strip_prefix(LABEL).filter(|digits| digits.len() == 16);
        let id = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        id.map_or_else(|| id_of(text.as_bytes()), ClientId)
    }

    /// The client's label, which gives no credential away.
    #[must_use]
    pub fn label(client: ClientId) -> String {
        client.to_string()
    }

    /// The client's weight: its share of a pool, in shares of clients that have none configured.
    #[must_use]
    pub fn weight(&self, client: ClientId) -> NonZeroU32 {
        self.weights.get(&client).copied().unwrap_or(NonZeroU32::MIN)
    }

    /// The configured weights.
    #[must_use]
    pub fn weights(&self) -> &HashMap<ClientId, NonZeroU32> {
        &self.weights
    }

    /// A request's priority: its route's, or a lower one that it asks for itself; a higher one only if clients may raise.
    ///
    /// Poll helpers come last unless they ask otherwise, as they repeat their request anyway. A header that names no
    /// priority is ignored.
    #[must_use]
    pub fn priority(&self, of_route: Priority, headers: &HeaderMap) -> Priority {
        match requested_priority(headers).unwrap_or_default() {
            Some(requested) => self.granted_priority(of_route, requested),
            None if headers.contains_key(POLL_HELPER) => Priority::Low,
            None => of_route,
        }
    }

    /// The priority of a request that asks for this one.
    #[must_use]
    pub fn granted_priority(&self, of_route: Priority, requested: Priority) -> Priority {
        if self.may_raise { requested } else { requested.max(of_route) }
    }

    /// The values of `by`, joined with spaces. Borrowed where `by` is one header, as it mostly is.
    fn name<'v>(&self, value: impl Fn(&ClientKey) -> Cow<'v, [u8]>) -> Cow<'v, [u8]> {
        match &self.by[..] {
            [key] => value(key),
            keys => keys.iter().map(value).collect::<Vec<_>>().join(&b' ').into(),
        }
    }
}

/// Without its name, which may be a credential.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("client", &self.client).finish_non_exhaustive()
    }
}

/// How a label starts: as [`ClientId`] prints itself.
const LABEL: &str = "client-";

fn id_of(name: &[u8]) -> ClientId {
    ClientId(Fingerprint::of(name).0)
}

/// The value of one part of a name. An IPv4 address has the same value on an IPv6 socket.
fn value<'h>(key: &ClientKey, headers: &'h HeaderMap, peer: IpAddr) -> Cow<'h, [u8]> {
    match key {
        ClientKey::Header(header) => headers.get(header).map_or(&[][..], HeaderValue::as_bytes).into(),
        ClientKey::Peer => peer.to_canonical().to_string().into_bytes().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::AUTHORIZATION;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|&(name, value)| (name.parse().expect("a name"), HeaderValue::from_static(value))).collect()
    }

    fn clients(by: &[ClientKey], weights: &[(&str, u32)]) -> Clients {
        let weights = weights.iter().map(|&(name, weight)| (name.to_owned(), NonZeroU32::new(weight).expect("some")));
        Clients::new(&ClientSettings { by: by.to_vec(), weights: weights.collect(), ..ClientSettings::default() })
    }

    const HOME: IpAddr = IpAddr::V4(core::net::Ipv4Addr::LOCALHOST);

    /// Users write these labels into their configuration. If this test fails, their weights no longer apply.
    #[test]
    fn labels_stay_stable_across_releases() {
        let client = ClientKey::Header(HeaderName::from_static("x-tidegate-client"));
        let sent = headers(&[("authorization", "Bearer sk-test"), ("x-tidegate-client", "web")]);
        for (by, label) in [
            (&[ClientKey::Header(AUTHORIZATION)][..], "client-96018835490a18a6"),
            (&[client, ClientKey::Peer], "client-bc11db80a8c603da"),
            (&[ClientKey::Header(HeaderName::from_static("api-key"))], "client-e3b0c44298fc1c14"),
        ] {
            assert_eq!(Clients::label(clients(by, &[]).identify(&sent, HOME)), label, "{by:?}");
        }
    }

    #[test]
    fn weight_is_found_by_name_and_by_label() {
        let by = [ClientKey::Header("x-tidegate-client".parse().expect("a name")), ClientKey::Peer];
        let by_name = clients(&by, &[("web 127.0.0.1", 3)]);
        let web = by_name.identify(&headers(&[("x-tidegate-client", "web")]), HOME);
        let other = by_name.identify(&headers(&[("x-tidegate-client", "job")]), HOME);
        assert_eq!([web, other].map(|client| by_name.weight(client).get()), [3, 1]);
        let by_label = clients(&by, &[(&Clients::label(web), 5)]);
        assert_eq!([web, other].map(|client| by_label.weight(client).get()), [5, 1]);
    }

    #[test]
    fn address_is_the_same_in_both_families() {
        let peers = clients(&[ClientKey::Peer], &[]);
        let mapped = "::ffff:127.0.0.1".parse().expect("an address");
        assert_eq!(peers.identify(&headers(&[]), HOME), peers.identify(&headers(&[]), mapped));
    }

    #[test]
    fn connection_follows_a_changed_credential() {
        let (clients, mut last) = (clients(&[ClientKey::Header(AUTHORIZATION)], &[]), None);
        for credential in ["Bearer a", "Bearer a", "Bearer b", "", "Bearer a"] {
            let sent = headers(&[("authorization", credential)]);
            assert_eq!(clients.identify_again(&mut last, &sent, HOME), clients.identify(&sent, HOME), "{credential}");
        }
        assert!(!format!("{last:?}").contains("Bearer"), "{last:?}");
    }
}
