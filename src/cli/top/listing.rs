use std::cmp::Reverse;

/// What a pane shows: rows under heads.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    /// The first takes the room that is left; those at the end go where there is too little.
    pub(super) columns: &'static [Column],
    /// The ways to sort it, but for the last, by name.
    pub(super) sorts: &'static [&'static str],
    pub(super) rows: Vec<ListRow>,
    /// What is said where there are no rows.
    pub(super) empty: &'static str,
}

/// The least room that the name of a row has.
pub(super) const NAME: u16 = 18;

/// A column of a listing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) head: &'static str,
    pub(super) width: u16,
}

/// Something that is listed.
#[derive(Clone, Debug)]
pub(super) struct ListRow {
    pub(super) name: String,
    /// One for each column but the first, which is the name.
    pub(super) cells: Vec<Cell>,
    /// One for each way to sort; the greatest comes first.
    pub(super) ranks: Vec<u64>,
    pub(super) tone: Tone,
    /// What is to be said of it.
    pub(super) words: Vec<String>,
}

/// What a row has in a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Text(String),
    /// Stands at the right.
    Number(String),
    /// How much is used of how much; nothing where no limit is known.
    Bar(Option<(u64, u64)>),
}

/// How a row is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Calm,
    /// There is something to be seen.
    Busy,
    /// Something is the matter.
    Bad,
}

/// Which rows are shown, and in which order.
#[derive(Clone, Debug, Default)]
pub(super) struct Choice {
    /// One of the ways to sort, or the one after them, by name.
    pub(super) sort: usize,
    pub(super) reversed: bool,
    /// What a name has in it, in any case.
    pub(super) filter: String,
}

impl Listing {
    /// The rows of a choice.
    pub(super) fn choose(mut self, choice: &Choice) -> Self {
        let part = choice.filter.to_lowercase();
        self.rows.retain(|row| row.name.to_lowercase().contains(&part));
        let rank = |row: &ListRow| Reverse(row.ranks.get(choice.sort).copied().unwrap_or_default());
        self.rows.sort_by(|one, other| rank(one).cmp(&rank(other)).then_with(|| one.name.cmp(&other.name)));
        if choice.reversed {
            self.rows.reverse();
        }
        self
    }

    /// How wide it is where there is room for every column and every name.
    pub(super) fn width(&self) -> u16 {
        let names = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or_default();
        let columns: u16 = self.columns[1..].iter().map(|column| column.width + 1).sum();
        u16::try_from(names).unwrap_or(u16::MAX).max(NAME).saturating_add(columns)
    }

    /// How a way to sort is called.
    pub(super) fn sort_name(&self, sort: usize) -> &'static str {
        self.sorts.get(sort).unwrap_or(&"name")
    }
}

impl Cell {
    /// A count, and nothing where there is none.
    pub(super) fn count(count: u64) -> Self {
        Self::Number(if count == 0 { String::new() } else { count.to_string() })
    }

    /// A time, and nothing where it takes none.
    pub(super) fn span(ms: u64) -> Self {
        Self::Number(if ms == 0 { String::new() } else { span(ms) })
    }
}

/// A span of time in a few letters.
pub(super) fn span(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0 if ms > 0 => format!("{ms}ms"),
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}
