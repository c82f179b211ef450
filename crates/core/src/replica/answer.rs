use std::str::FromStr;

use super::Micros;

/// What the store says to a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreAnswer {
    /// What the gate gets.
    Turn(TurnAnswer),
    /// It is in this epoch, of which the gate knows nothing: nothing has changed.
    Declare {
        /// Which.
        epoch: u64,
        /// How long it has lasted.
        age: Micros,
    },
    /// The gate cannot tell how long it was away, and another can: nothing has changed.
    Later {
        /// What its clock is.
        seen: Micros,
    },
    /// A later call of the gate was answered.
    Stale,
}

/// What a gate gets in a turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TurnAnswer {
    /// The epoch.
    pub epoch: u64,
    /// When, by the store's clock.
    pub now: Micros,
    /// When at the latest, by the gates' clocks.
    pub late: Micros,
    /// Which sending of the call it is to.
    pub attempt: usize,
    /// Which part of each limit is the gate's in an outage ([`super::PARTS`]).
    pub share: u64,
    /// The other gates, each with what it is promised for an outage, as in `name:240240`.
    pub peers: Vec<String>,
    /// Of each limit in the call.
    pub leases: Vec<Lease>,
}

/// What a gate gets of one limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// What it had ended before: it counts as spent.
    pub lapsed: bool,
    /// So much more it has.
    pub granted: u64,
    /// The limit: the lowest of all gates'.
    pub limit: u64,
    /// What counts of what all gates sent. It may be below zero for a moment, when refunds leave later than what they are of.
    pub used: i64,
    /// What all gates have ahead.
    pub held: u64,
    /// What is set aside for gates that may not hear the store.
    pub aside: u64,
    /// How many clients of other gates wait.
    pub others: u64,
    /// How many of this gate.
    pub own: u64,
    /// In how long each eighth of what counts will have left.
    pub leaving: Vec<Micros>,
}

/// It is no answer of the store's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store's answer is none that a gate understands")]
pub struct ParseAnswerError;

impl FromStr for StoreAnswer {
    type Err = ParseAnswerError;

    fn from_str(text: &str) -> Result<Self, ParseAnswerError> {
        let mut lines = text.lines();
        let mut head = lines.next().ok_or(ParseAnswerError)?.split(' ').filter(|word| !word.is_empty());
        match head.next() {
            Some("later") => Ok(Self::Later { seen: number(head.next())? }),
            Some("stale") => Ok(Self::Stale),
            Some("declare") => Ok(Self::Declare { epoch: number(head.next())?, age: number(head.next())? }),
            Some("ok") => {
                let (epoch, now, late) = (number(head.next())?, number(head.next())?, number(head.next())?);
                let (attempt, share) = (number(head.next())?, number(head.next())?);
                let leases = lines.map(str::parse).collect::<Result<_, _>>()?;
                Ok(Self::Turn(TurnAnswer {
                    epoch,
                    now,
                    late,
                    attempt,
                    share,
                    peers: head.map(str::to_owned).collect(),
                    leases,
                }))
            }
            _ => Err(ParseAnswerError),
        }
    }
}

impl Lease {
    /// What of the limit is not free.
    #[must_use]
    pub fn taken(&self) -> u64 {
        u64::try_from(self.used).unwrap_or(0) + self.held + self.aside
    }
}

impl FromStr for Lease {
    type Err = ParseAnswerError;

    fn from_str(line: &str) -> Result<Self, ParseAnswerError> {
        let mut words = line.split(' ').filter(|word| !word.is_empty());
        Ok(Self {
            lapsed: number::<u8>(words.next())? == 1,
            granted: number(words.next())?,
            limit: number(words.next())?,
            used: number(words.next())?,
            held: number(words.next())?,
            aside: number(words.next())?,
            others: number(words.next())?,
            own: number(words.next())?,
            leaving: words.map(|word| number(Some(word))).collect::<Result<_, _>>()?,
        })
    }
}

fn number<T: FromStr>(word: Option<&str>) -> Result<T, ParseAnswerError> {
    word.and_then(|word| word.parse().ok()).ok_or(ParseAnswerError)
}
