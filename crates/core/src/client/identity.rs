use core::net::IpAddr;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::priority::{POLL_HELPER, requested_priority};
use crate::credential::{self, ORGANIZATION, PROJECT};
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
    /// What people call a client, each by the client's name or label, as in `weights`.
    pub names: Vec<(String, String)>,
    /// Whether a request may ask for a higher priority than its route has.
    pub may_raise: bool,
}

/// One part of what tells clients apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientKey {
    /// The credential, in whatever header or parameter of the query it comes; of one that changes, its holder.
    Credential,
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
    called: HashMap<ClientId, String>,
    may_raise: bool,
}

/// What of a request tells whose it is.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'r> {
    /// Its headers.
    pub headers: &'r HeaderMap,
    /// The query of its target, if it has one.
    pub query: Option<&'r str>,
    /// The address that its connection comes from.
    pub peer: IpAddr,
}

/// What told whose a request is, and the id that came of it, so that a connection hashes its credential once: see
/// [`Clients::identify_again`].
#[derive(Clone)]
pub struct Identity {
    seen: Box<[u8]>,
    client: ClientId,
}

impl Clients {
    /// Clients as configured.
    #[must_use]
    pub fn new(settings: &ClientSettings) -> Self {
        let weights = settings.weights.iter().map(|(text, weight)| (Self::named(text), *weight));
        let called = settings.names.iter().map(|(text, name)| (Self::named(text), name.clone()));
        Self {
            by: settings.by.clone(),
            weights: weights.collect(),
            called: called.collect(),
            may_raise: settings.may_raise,
        }
    }

    /// The client that sends this. Requests that have nothing of what tells clients apart are one client's.
    #[must_use]
    pub fn identify(&self, sender: Sender<'_>) -> ClientId {
        id_of(&self.name(|key| sender.value(key)))
    }

    /// The same, from what the last request on a connection found. It hashes only if something has changed since.
    ///
    /// ```
    /// use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
    /// use tidegate_core::client::{ClientKey, ClientSettings, Clients, Sender};
    ///
    /// let settings = ClientSettings { by: vec![ClientKey::Credential], ..ClientSettings::default() };
    /// let clients = Clients::new(&settings);
    /// let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("Bearer sk-test"))]);
    /// let sender = Sender { headers: &headers, query: None, peer: [127, 0, 0, 1].into() };
    ///
    /// let mut of_connection = None;
    /// let client = clients.identify_again(&mut of_connection, sender);
    /// assert_eq!(client.to_string(), "client-96018835490a18a6");
    /// assert_eq!(clients.identify_again(&mut of_connection, sender), client);
    /// ```
    pub fn identify_again(&self, last: &mut Option<Identity>, sender: Sender<'_>) -> ClientId {
        let seen = self.name(|key| sender.seen(key));
        match last {
            Some(known) if *known.seen == *seen => known.client,
            _ => last.insert(Identity { client: self.identify(sender), seen: seen.into() }).client,
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

    /// What people call the client, if the configuration says it.
    #[must_use]
    pub fn called(&self, client: ClientId) -> Option<&str> {
        self.called.get(&client).map(String::as_str)
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

/// Without what was seen, which may be a credential.
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

impl<'r> Sender<'r> {
    /// The value of one part of a name. An IPv4 address has the same value on an IPv6 socket.
    fn value(self, key: &ClientKey) -> Cow<'r, [u8]> {
        match key {
            ClientKey::Credential => {
                credential::holder(self.credential(), self.header(ORGANIZATION), self.header(PROJECT))
            }
            ClientKey::Header(header) => self.headers.get(header).map_or(&[][..], HeaderValue::as_bytes).into(),
            ClientKey::Peer => self.peer.to_canonical().to_string().into_bytes().into(),
        }
    }

    /// What this value is made of: as long as it stays the same, so does the value.
    fn seen(self, key: &ClientKey) -> Cow<'r, [u8]> {
        match (key, self.credential()) {
            (ClientKey::Credential, token) if credential::may_rotate(token) => {
                [token, self.header(ORGANIZATION), self.header(PROJECT)].join(&b'\n').into()
            }
            (ClientKey::Credential, key) => key.into(),
            _ => self.value(key),
        }
    }

    fn credential(self) -> &'r [u8] {
        let in_header = credential::HEADERS.into_iter().find_map(|name| self.headers.get(name));
        let in_query = || self.query.and_then(credential::in_query).unwrap_or_default().as_bytes();
        in_header.map_or_else(in_query, HeaderValue::as_bytes)
    }

    fn header(self, name: &str) -> &'r [u8] {
        self.headers.get(name).map_or(&[], HeaderValue::as_bytes)
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

    /// The client that sends these headers from here.
    fn who(clients: &Clients, headers: &HeaderMap) -> ClientId {
        clients.identify(Sender { headers, query: None, peer: HOME })
    }

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
            assert_eq!(Clients::label(who(&clients(by, &[]), &sent)), label, "{by:?}");
        }
    }

    #[test]
    fn weight_is_found_by_name_and_by_label() {
        let by = [ClientKey::Header("x-tidegate-client".parse().expect("a name")), ClientKey::Peer];
        let by_name = clients(&by, &[("web 127.0.0.1", 3)]);
        let web = who(&by_name, &headers(&[("x-tidegate-client", "web")]));
        let other = who(&by_name, &headers(&[("x-tidegate-client", "job")]));
        assert_eq!([web, other].map(|client| by_name.weight(client).get()), [3, 1]);
        let by_label = clients(&by, &[(&Clients::label(web), 5)]);
        assert_eq!([web, other].map(|client| by_label.weight(client).get()), [5, 1]);
    }

    #[test]
    fn address_is_the_same_in_both_families() {
        let peers = clients(&[ClientKey::Peer], &[]);
        let mapped = "::ffff:127.0.0.1".parse().expect("an address");
        let from = |peer| peers.identify(Sender { headers: &headers(&[]), query: None, peer });
        assert_eq!(from(HOME), from(mapped));
    }

    #[test]
    fn connection_follows_a_changed_credential() {
        let (clients, mut last) = (clients(&[ClientKey::Credential], &[]), None);
        for credential in ["Bearer sk-a", "Bearer sk-a", "Bearer sk-b", "", "Bearer one", "Bearer two", "Bearer sk-a"] {
            for project in ["", "proj_1"] {
                let sent = headers(&[("authorization", credential), ("openai-project", project)]);
                let sender = Sender { headers: &sent, query: None, peer: HOME };
                assert_eq!(clients.identify_again(&mut last, sender), clients.identify(sender), "{credential}");
            }
        }
        assert!(!format!("{last:?}").contains("Bearer"), "{last:?}");
    }

    #[test]
    fn credential_tells_clients_apart_wherever_it_is() {
        let clients = clients(&[ClientKey::Credential], &[]);
        let mut seen = Vec::new();
        for name in credential::HEADERS {
            seen.extend(["one", "two"].map(|key| who(&clients, &headers(&[(name, key)]))));
        }
        let asks = |query| clients.identify(Sender { headers: &HeaderMap::new(), query: Some(query), peer: HOME });
        seen.extend([asks("key=one"), asks("alt=sse&key=two"), asks("alt=sse")]);
        let of_one = |client: &&ClientId| **client == seen[0];
        assert_eq!(seen.iter().filter(of_one).count(), credential::HEADERS.len() + 1, "{seen:?}");
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 3, "{seen:?}");
    }

    #[test]
    fn rotating_token_keeps_its_client() {
        let clients = clients(&[ClientKey::Credential], &[]);
        let sends = |token, project| who(&clients, &headers(&[("authorization", token), ("openai-project", project)]));
        assert_eq!(sends("Bearer of-nine", "proj_1"), sends("Bearer of-ten", "proj_1"));
        assert_ne!(sends("Bearer of-nine", "proj_1"), sends("Bearer of-nine", "proj_2"));
        assert_ne!(sends("Bearer sk-one", "proj_1"), sends("Bearer sk-two", "proj_1"));
    }
}
