use std::fmt::Write as _;

use super::Micros;

/// What one gate says in a turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TurnCall {
    /// Which gate: no two have the same.
    pub gate: String,
    /// The epoch that begins if the store knows nothing; random.
    pub nonce: u64,
    /// The epoch that the gate is in; 0 asks for it and changes nothing.
    pub epoch: u64,
    /// The number of this call, one more than the last that was answered. Sent again, a call keeps it.
    pub seq: u64,
    /// When the last answer was given, by the store's clock at the earliest; 0 before the first of an epoch.
    pub prev: Micros,
    /// From the arrival of that answer to the sending of this call.
    pub since_answer: Micros,
    /// When an earlier answer was given, about a minute ago at most, by the store's clock at the latest.
    pub anchor: Micros,
    /// From the sending of the call that it was to, to the sending of this one.
    pub since_anchor: Micros,
    /// How long leases last.
    pub ttl: Micros,
    /// Which part of each limit the gate wants for itself in an outage ([`super::PARTS`]).
    pub share: u64,
    /// How long it uses that part at most.
    pub outage: Micros,
    /// The longest of its spans that are shorter than that.
    pub longest: Micros,
    /// It gives everything back, and says no more.
    pub leaves: bool,
    /// How long it has been told to come later.
    pub waits: Micros,
    /// When the last turn was answered of which the gate has the answer; 0 before the first of an epoch.
    pub confirmed: Micros,
    /// How often it was sent before, as it is.
    pub attempt: usize,
    /// In its first turn of an epoch, the other gates that it knew, as the store named them.
    pub peers: Vec<String>,
    /// Its limits.
    pub meters: Vec<MeterCall>,
}

/// What it says of one limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MeterCall {
    /// Which: the same text in all gates.
    pub id: String,
    /// How much.
    pub limit: u64,
    /// In how long, with the margin.
    pub span: Micros,
    /// So much more could be used.
    pub want: u64,
    /// So much of that is of no use without the rest: one request's.
    pub least: u64,
    /// How many clients wait for it.
    pub claim: u64,
    /// So much is given back.
    pub back: u64,
    /// What was sent.
    pub entries: Vec<LogEntry>,
}

/// What was sent, or did not count after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Out of what.
    pub kind: EntryKind,
    /// How long before the call was sent; of a refund, before the last answer arrived.
    pub age: Micros,
    /// How much; never 0.
    pub cost: u64,
}

/// Out of what it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// Out of a lease.
    Spent,
    /// Out of none: in an outage, or of an epoch before.
    Extra,
    /// It was not sent yet, and will be: the gate keeps as much.
    Held,
    /// What was sent earlier cost so much less.
    Refund,
}

impl EntryKind {
    fn letter(self) -> char {
        match self {
            Self::Spent => 's',
            Self::Extra => 'x',
            Self::Held => 'h',
            Self::Refund => 'r',
        }
    }
}

impl TurnCall {
    /// The call as the store is sent it: of the gate, then of each limit.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        let Self { gate, nonce, epoch, seq, prev, since_answer, since_anchor, ttl, share, outage, longest, .. } = self;
        let leaves = u8::from(self.leaves);
        let mut head = format!(
            "{gate} {nonce} {epoch} {seq} {prev} {since_answer} {since_anchor} {ttl} {share} {outage} {longest} {leaves} {} {} {} {}",
            self.waits, self.anchor, self.confirmed, self.attempt
        );
        for peer in &self.peers {
            head.push(' ');
            head.push_str(peer);
        }
        [head].into_iter().chain(self.meters.iter().map(MeterCall::text)).collect()
    }
}

impl MeterCall {
    fn text(&self) -> String {
        let Self { limit, span, want, least, claim, back, entries, .. } = self;
        let mut text = format!("{limit} {span} {want} {least} {claim} {back}");
        for LogEntry { kind, age, cost } in entries {
            write!(text, " {} {age} {cost}", kind.letter()).expect("a text takes any text");
        }
        text
    }
}
