use super::traffic::Sender;
use crate::client::{ClientKey, Clients};
use crate::route::{Body, Facts};
use crate::scheduler::ClientId;

/// What of a request decides its keys and costs.
pub(super) struct Asking<'s> {
    pub(super) sender: &'s Sender,
    pub(super) body: Option<&'s Body<'s>>,
    /// As they were recorded.
    pub(super) tokens: Option<u32>,
}

impl Facts for Asking<'_> {
    fn header(&self, name: &str) -> Option<&[u8]> {
        self.sender.header(name)
    }

    fn body(&self) -> Option<&Body<'_>> {
        self.body
    }

    fn tokens(&self) -> Option<u32> {
        self.tokens.or(self.sender.tokens).or_else(|| self.body.map(Body::tokens))
    }
}

impl Sender {
    pub(super) fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_bytes())
    }

    pub(super) fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> + Clone {
        self.headers.iter().map(|(name, value)| (&**name, value.as_bytes()))
    }

    /// Whose requests they are.
    pub(super) fn who(&self, clients: &Clients) -> ClientId {
        if let Some(client) = &self.client {
            return Clients::named(client);
        }
        clients.identify_by(|key| match key {
            ClientKey::Header(header) => self.header(header.as_str()).unwrap_or_default().into(),
            ClientKey::Peer => b"127.0.0.1".into(),
        })
    }

    /// What people call them: the name that the scenario gives, unless that may be a credential.
    pub(super) fn label(&self, clients: &Clients) -> String {
        let is_name = |client: &&String| !client.is_empty() && !client.contains("sk-") && !client.contains(' ');
        self.client.as_ref().filter(is_name).cloned().unwrap_or_else(|| Clients::label(self.who(clients)))
    }
}
