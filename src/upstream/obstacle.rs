use std::error::Error;
use std::iter;

use tower::BoxError;

/// What kept a request from a complete response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Obstacle {
    /// The name of the upstream has no address.
    Dns,
    /// No connection to any of its addresses.
    Connect,
    /// No TLS over the connection, for example because the certificate is not trusted.
    Tls,
    /// The proxy on the way does not let it through.
    Proxy,
    /// No connection, or no response, in time.
    Timeout,
    /// The connection ended, or what came over it made no sense.
    Broken,
}

/// An error on the way to a connection, with the step that failed.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub(super) struct Blocked {
    obstacle: Obstacle,
    source: BoxError,
}

impl Obstacle {
    /// Every one there is.
    pub const ALL: [Self; 6] = [Self::Dns, Self::Connect, Self::Tls, Self::Proxy, Self::Timeout, Self::Broken];

    /// As JSON and metrics name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Proxy => "proxy",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
        }
    }

    /// The step that an error comes from. An error that names none broke an existing connection.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        let mut causes = iter::successors(Some(error), |&cause| cause.source());
        causes.find_map(|cause| cause.downcast_ref::<Blocked>()).map_or(Self::Broken, |blocked| blocked.obstacle)
    }

    /// Marks an error as one of this step.
    pub(super) fn blocks<E: Into<BoxError>>(self, error: E) -> Blocked {
        Blocked { obstacle: self, source: error.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An error that only says where it was noticed, as hyper's do.
    #[derive(Debug, thiserror::Error)]
    #[error("noticed")]
    struct Noticed(#[source] Blocked);

    #[test]
    fn outermost_step_names_the_obstacle() {
        let name = Obstacle::Dns.blocks("no such host");
        let through_a_proxy = Obstacle::Proxy.blocks(name);
        assert_eq!(Obstacle::of(&through_a_proxy), Obstacle::Proxy);
        assert_eq!(Obstacle::of(&Noticed(Obstacle::Tls.blocks("bad certificate"))), Obstacle::Tls);
        assert_eq!(Obstacle::of(&std::io::Error::other("reset")), Obstacle::Broken);
    }

    #[test]
    fn every_obstacle_has_a_place_of_its_own() {
        for (place, obstacle) in Obstacle::ALL.into_iter().enumerate() {
            assert_eq!(obstacle as usize, place);
        }
    }
}
