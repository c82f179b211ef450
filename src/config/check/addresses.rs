use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use rustls::{RootCertStore, ServerConfig};

use super::Check;
use crate::client::AllowedHost;
use crate::config::file::{self, Text};
use crate::config::spanned::Spanned;
use crate::config::url::{leads_to, parse_upstream};
use crate::config::{KeyVariable, ProxyChoice, ProxyUrl, Server, UpstreamConfig, pem};
use crate::problem::Problem;

/// Where apps and people find the gate. A guess: no well-known service listens there.
const LISTEN: u16 = 4290;
const ADMIN: u16 = 4291;

/// How long answers under way may take to end after SIGTERM. A guess: most streams are over by then.
const DRAIN: Duration = Duration::from_mins(1);

/// How long a client may send or take nothing of what is under way. A guess: one that is silent for longer is gone.
const STALL: Duration = Duration::from_secs(30);

/// As patient as the SDKs: to connect, and to wait for the head of an answer (docs/upstream.md §5.1).
/// How many connections of HTTP/2 there may be. A guess: a hundred thousand requests at once.
const MOST_HTTP2: usize = 1_000;
const CONNECT: Duration = Duration::from_secs(5);
const RESPONSE: Duration = Duration::from_mins(10);

impl Check {
    pub(super) fn server(&mut self, file: &file::Server) -> Server {
        let address = "an address is IP:PORT, as in \"127.0.0.1:4290\" or \"[::1]:4290\"; port 0 picks a free one";
        let listen: Option<SocketAddr> = self.parsed(file.listen.as_ref(), "not an address to listen on", address);
        let admin = file.admin.as_ref().filter(|text| text.as_ref() != "off");
        let admin_at = self.parsed(admin, "not an address for admin", &format!("{address}; \"off\" for none"));
        let is_off = file.admin.is_some() && admin.is_none();
        if let (Some(text), Some(admin), Some(listen)) = (admin, admin_at, listen)
            && admin == listen
            && listen.port() != 0
        {
            let mend = "write another port, or \"off\"";
            self.problems.push(Problem::new("one address twice", text.span(), "apps are served there", mend));
        }
        Server {
            listen: listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], LISTEN))),
            admin: (!is_off).then(|| admin_at.unwrap_or(SocketAddr::from(([127, 0, 0, 1], ADMIN)))),
            allowed_hosts: file.allowed_hosts.iter().filter_map(|text| self.allowed_host(text)).collect(),
            drain: self.time(file.drain.as_ref(), DRAIN),
            stall_timeout: self.some_time(file.stall_timeout.as_ref(), STALL),
            watch: file.watch.unwrap_or(true),
            tls: self.own_tls(file),
        }
    }

    fn allowed_host(&mut self, text: &Text) -> Option<AllowedHost> {
        let mend = "write a name that this gate goes by, as in \"gate.lan\", or the page that may use it, as in \
                    \"localhost:3000\" or \"chrome-extension://abc\"";
        self.parsed(Some(text), "not a host", mend)
    }

    fn own_tls(&mut self, file: &file::Server) -> Option<Arc<ServerConfig>> {
        let (cert_file, key_file) = match (&file.cert_file, &file.key_file) {
            (Some(cert_file), Some(key_file)) => (cert_file, key_file),
            (Some(alone), None) | (None, Some(alone)) => {
                let mend = "write both cert_file and key_file, or neither";
                self.problems.push(Problem::new("half of a certificate", alone.span(), "needs the other half", mend));
                return None;
            }
            (None, None) => return None,
        };
        let server = pem::server(cert_file.as_ref().as_ref(), key_file.as_ref().as_ref());
        server
            .map_err(|error| {
                let mend = "write the paths of PEM files: a chain of certificates, and the key of the first";
                self.problems.push(Problem::new("no certificate", cert_file.span(), error.to_string(), mend));
            })
            .ok()
            .map(Arc::new)
    }

    pub(super) fn upstream(&mut self, file: &file::Upstream, place: impl Fn(usize) -> String) -> UpstreamConfig {
        let url = file.url.as_ref().and_then(|text| match parse_upstream(text.as_ref()) {
            Ok(url) => Some(url),
            Err(label) => {
                let mend =
                    "write the base URL that the provider documents, as in \"https://api.openai.com/v1\" or \"http://127.0.0.1:8000\"";
                self.problems.push(Problem::new("not an upstream URL", text.span(), label, mend));
                None
            }
        });
        let url = url.unwrap_or_else(|| http::Uri::from_static("https://api.openai.com"));
        if let (Some(path), Some("http")) = (&file.ca_file, url.scheme_str()) {
            let mend = "take it out, or write an https:// URL";
            self.problems.push(Problem::new("ca_file without TLS", path.span(), "has no effect", mend));
        }
        UpstreamConfig {
            proxy: file.proxy.as_ref().map_or(ProxyChoice::Environment, |proxy| self.proxy(proxy)),
            url,
            api_key_env: file.api_key_env.as_ref().and_then(|name| self.key_variable(name, place)),
            connect_timeout: self.some_time(file.connect_timeout.as_ref(), CONNECT),
            response_timeout: self.some_time(file.response_timeout.as_ref(), RESPONSE),
            http2_connections: file.http2_connections.as_ref().and_then(|many| self.http2_connections(many)),
            authorities: file.ca_file.as_ref().and_then(|path| self.authorities(path)),
            refusals: self.refusals(&file.refusals),
        }
    }

    fn http2_connections(&mut self, many: &Spanned<NonZeroUsize>) -> Option<NonZeroUsize> {
        if many.get_ref().get() > MOST_HTTP2 {
            let mend = format!("write at most {MOST_HTTP2}; one connection carries a hundred requests at once");
            self.problems.push(Problem::new("too many connections", many.span(), "more than an upstream takes", mend));
            return None;
        }
        Some(*many.get_ref())
    }

    /// What the gate sends must not come back to it.
    pub(super) fn own_upstream(&mut self, file: &file::Upstream, server: &Server, upstream: &UpstreamConfig) {
        let own = [Some(server.listen), server.admin].into_iter().flatten();
        if let (Some(text), true) = (&file.url, own.into_iter().any(|own| leads_to(&upstream.url, own))) {
            let mend = "write the address of the server that answers, or another `listen` under [server]";
            let label = "this is the gate's own address: its requests would go round in a loop";
            self.problems.push(Problem::new("the gate as its own upstream", text.span(), label, mend));
        }
    }

    fn proxy(&mut self, text: &Text) -> ProxyChoice {
        if text.as_ref() == "off" {
            return ProxyChoice::Off;
        }
        ProxyUrl::new(text.as_ref()).map_or_else(
            |label| {
                let mend = "write the proxy's URL, as in \"http://proxy.example:3128\", or \"off\" for none";
                self.problems.push(Problem::new("not a proxy", text.span(), label, mend));
                ProxyChoice::Off
            },
            ProxyChoice::Url,
        )
    }

    pub(super) fn key_variable(&mut self, text: &Text, place: impl Fn(usize) -> String) -> Option<KeyVariable> {
        let name = text.as_ref();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(is_name) {
            let label = "it has letters, digits and _ only";
            let mend = "write the name of the variable that holds the key, as in \"OPENAI_API_KEY\"; the key itself has no \
                        place in this file";
            self.problems.push(Problem::new("not the name of an environment variable", text.span(), label, mend));
            return None;
        }
        Some(KeyVariable { name: name.clone(), place: place(text.span().start) })
    }

    fn authorities(&mut self, path: &Text) -> Option<Arc<RootCertStore>> {
        let roots = pem::authorities(path.as_ref().as_ref());
        let mend = "write the path of a PEM file of certificates";
        roots
            .map_err(|error| {
                self.problems.push(Problem::new("no certificate authorities", path.span(), error.to_string(), mend));
            })
            .ok()
            .map(Arc::new)
    }
}
