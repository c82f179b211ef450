use super::histogram::Above;
use super::subject::KeyKind;
use super::{BACKLOG, IN_FLIGHT, WINDOWS};

/// Which requests a limit counts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum View {
    /// All of the record.
    Pool,
    /// Those of one route.
    Route,
    /// Those with the same value of a key.
    Key(KeyKind),
}

impl View {
    pub(super) fn from_index(index: usize) -> Self {
        match index {
            0 => Self::Pool,
            1 => Self::Route,
            _ => Self::Key(KeyKind::ALL[index - 2]),
        }
    }

    pub(super) fn index(self) -> usize {
        match self {
            Self::Pool => 0,
            Self::Route => 1,
            Self::Key(kind) => 2 + kind.index(),
        }
    }
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// So many in a window, by the window's place.
    Rate(u8),
    /// So many at once.
    InFlight,
    /// A bucket that fills at the configured rate.
    Bucket,
    /// Some are refused, whatever is sent.
    Random,
    /// All are refused for a while, whatever is sent.
    Incident,
}

impl Kind {
    pub(super) fn of(indicator: usize) -> Self {
        match indicator {
            IN_FLIGHT => Self::InFlight,
            BACKLOG => Self::Bucket,
            window => Self::Rate(window as u8),
        }
    }

    /// The window in which it is counted.
    pub(super) fn window(self) -> usize {
        if let Self::Rate(window) = self { usize::from(window) } else { WINDOWS - 1 }
    }

    pub(super) fn above(self) -> Above {
        if matches!(self, Self::Rate(_)) { Above::RefusedFromTwice } else { Above::Refused }
    }
}

/// A limit of one kind in one view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Hypothesis {
    pub(super) view: View,
    pub(super) kind: Kind,
}

impl Hypothesis {
    /// The logarithm of how likely it is before anything is seen, up to a constant. Guesses, from the public reports in
    /// docs/upstream.md: most limits are of the pool and the window that people configure.
    pub(super) fn prior(self, is_whole: bool) -> f64 {
        let view = match self.view {
            View::Pool if is_whole => -2.5,
            View::Pool => 0.0,
            View::Route | View::Key(_) => -3.0,
        };
        let kind = match self.kind {
            Kind::Rate(window) if usize::from(window) == WINDOWS - 1 => 0.0,
            Kind::InFlight => -0.7,
            Kind::Rate(0) => -6.0,
            Kind::Rate(_) | Kind::Bucket => -3.5,
            Kind::Random => -2.0,
            Kind::Incident => -5.0,
        };
        view + kind
    }
}
