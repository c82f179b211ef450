use std::time::Instant;

use super::Trouble;
use crate::admin::diagnosis::CauseName;
use crate::admin::wait_forecast::span;
use crate::gate::{AnswerStatus, Met};
use crate::upstream::Obstacle;

impl Trouble {
    /// What it is, in a sentence or two.
    pub(in crate::admin) fn text(&self, now: Instant) -> String {
        let which = self.route.as_ref().map_or(String::new(), |route| format!(" to {route}"));
        let (failures, kinds, why) = (self.failures(), self.kinds(), self.why());
        let ago = self.last.map(|last| {
            let ms = u64::try_from(now.saturating_duration_since(last).as_millis()).unwrap_or(u64::MAX);
            format!("{} ago", span(ms))
        });
        let last = ago.as_ref().map_or(String::new(), |ago| format!(", the last {ago}"));
        let is_unreachable = self.cause == CauseName::Unreachable;
        if self.of == 1 {
            let ago = ago.map_or(String::new(), |ago| format!(", {ago}"));
            let what = if is_unreachable { "request" } else { "answer" };
            let what_of = if is_unreachable { "failed" } else { "is an error" };
            return format!("The upstream {why}. The last {what}{which} {what_of}: {}{ago}.", self.kind());
        }
        let all = failures == self.of;
        let many =
            if all { format!("All of the last {failures}") } else { format!("{failures} of the last {}", self.of) };
        if is_unreachable {
            return format!("The upstream {why}. {many} requests{which} got no complete response: {kinds}{last}.");
        }
        format!("The upstream {why}. {many} answers{which} are errors: {kinds}{last}.")
    }

    /// What the upstream does.
    fn why(&self) -> String {
        match self.commonest() {
            Met::Status(_) => "answers with errors".to_owned(),
            Met::Obstacle(obstacle) if self.failures() == self.of => {
                format!("cannot be reached: {}", why(obstacle))
            }
            Met::Obstacle(obstacle) => format!("does not always answer: {}", why(obstacle)),
        }
    }

    /// What to do.
    pub(in crate::admin) fn advice(&self, upstream: &str) -> String {
        match self.commonest() {
            Met::Obstacle(obstacle) => advice_on_obstacle(obstacle, upstream),
            Met::Status(status) => advice_on_status(status).to_owned(),
        }
    }

    /// The commonest failure, as `401` or `dns`.
    pub(in crate::admin) fn kind(&self) -> String {
        self.commonest().name()
    }

    fn kinds(&self) -> String {
        let kind = |&(met, count): &(Met, u64)| format!("{} ×{count}", met.name());
        self.met.iter().map(kind).collect::<Vec<_>>().join(", ")
    }
}

fn why(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::Dns => "its name has no address",
        Obstacle::Connect => "no connection to its address",
        Obstacle::Tls => "TLS fails",
        Obstacle::Proxy => "the proxy does not let requests through",
        Obstacle::Timeout => "it does not answer in time",
        Obstacle::Broken => "connections end before the response is complete",
    }
}

fn advice_on_obstacle(obstacle: Obstacle, upstream: &str) -> String {
    match obstacle {
        Obstacle::Dns => format!(
            "Check the host in upstream.url ({upstream}) and the DNS of this machine. Behind a company proxy, set \
             HTTPS_PROXY or [upstream] proxy."
        ),
        Obstacle::Connect => format!(
            "Check host and port in upstream.url ({upstream}), that the server runs, and the firewall. Behind a company \
             proxy, set HTTPS_PROXY or [upstream] proxy."
        ),
        Obstacle::Tls => {
            "Check the certificate. If a proxy here opens TLS, name its authority in [upstream] ca_file. Check \
                          https:// and http:// in upstream.url."
                .to_owned()
        }
        Obstacle::Proxy => format!(
            "Check the proxy (HTTPS_PROXY or [upstream] proxy): its address, user and password, and that it lets {upstream} \
             through."
        ),
        Obstacle::Timeout => "Check the network and the upstream's status page. [upstream] connect_timeout and \
                              response_timeout say how long Tidegate waits."
            .to_owned(),
        Obstacle::Broken => {
            "Check the upstream's status page, and the proxies and load balancers on the way. Tidegate does \
                             not send again what may have been executed."
                .to_owned()
        }
    }
}

fn advice_on_status(status: AnswerStatus) -> &'static str {
    match (status.exact(), status.class()) {
        (Some(401), _) => {
            "Check the API key: the one that the app sends or, if Tidegate adds it, the one in upstream.api_key_env. Check that \
             it is a key for upstream.url."
        }
        (Some(403), _) => "Check what the key may do: its project and permissions, the model, and the country.",
        (Some(402), _) => "Check plan, balance and spend limits.",
        (Some(404 | 405), _) => {
            "Check the path, the name of the model, and upstream.url: the upstream knows nothing there."
        }
        (_, 4) => {
            "Read the error that the app gets: the upstream does not accept the request itself. Tidegate does not change it."
        }
        _ => "Check the upstream's status page. Tidegate does not send again what may have been executed.",
    }
}
