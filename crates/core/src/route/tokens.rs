/// Adds up about how many tokens texts have, without looking a single one up.
///
/// What a character costs depends on its class, on that of the one before, and on how long their run is already. The
/// costs are fitted against o200k, by least squares of the relative error, on READMEs, sources, JSON, the documentation
/// of React and Vue and the Declaration of Human Rights in many languages; only that of emoji is set by hand. `cargo bench
/// --bench tokens` prints how far off they are on other texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    hundredths: u64,
}

/// About how many tokens a text has.
#[must_use]
pub fn estimate(text: &str) -> u32 {
    let mut tally = Tally::default();
    tally.text(text);
    tally.total()
}

/// What a character is, by its first byte in UTF-8.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Class {
    Space,
    Newline,
    Lower,
    Upper,
    /// Latin letters with diacritics.
    Accented,
    Digit,
    Punctuation,
    /// No character: what follows the first byte of one.
    Continuation,
    Cyrillic,
    /// Greek, Hebrew, Arabic and their neighbours.
    Alphabet,
    /// The scripts of India and South-East Asia.
    Brahmic,
    /// Punctuation and signs beyond ASCII.
    Sign,
    Kana,
    Han,
    Hangul,
    /// Emoji, and whatever is as rare.
    Emoji,
}

use Class::{
    Accented, Alphabet, Brahmic, Continuation, Cyrillic, Digit, Emoji, Han, Hangul, Kana, Lower, Newline, Punctuation,
    Sign, Space, Upper,
};

const ALL: [Class; CLASSES] = [
    Space,
    Newline,
    Lower,
    Upper,
    Accented,
    Digit,
    Punctuation,
    Continuation,
    Cyrillic,
    Alphabet,
    Brahmic,
    Sign,
    Kana,
    Han,
    Hangul,
    Emoji,
];
const CLASSES: usize = 16;

/// From here on a run goes on as it does: fitted with the costs.
const LONG: usize = 7;

static CLASS: [Class; 256] = classes();
/// By where a text is, and the class of the byte that follows.
static STEPS: [Step; PLACES * CLASSES] = steps();

/// Where a text is: how far its run has come, and the class of the run's last character. One number, so that a byte takes
/// two look-ups and no branch.
const PLACES: usize = (LONG + 1) * CLASSES;

/// What a byte does to a text.
#[derive(Clone, Copy)]
struct Step {
    /// Where the text is then, as the row of [`STEPS`] begins.
    row: u16,
    /// In hundredths of a token.
    cost: u16,
}

impl Tally {
    /// Adds a text.
    pub(super) fn text(&mut self, text: &str) {
        let (mut row, mut sum) = (row(Newline, 0), 0);
        for byte in text.bytes() {
            // The remainder is the number itself, and spares a check.
            let step = STEPS[(usize::from(row) + CLASS[usize::from(byte)] as usize) % STEPS.len()];
            sum += u64::from(step.cost);
            row = step.row;
        }
        self.hundredths += sum;
    }

    /// Adds what is known without counting.
    pub(super) fn add(&mut self, tokens: u32) {
        self.hundredths = self.hundredths.saturating_add(u64::from(tokens) * 100);
    }

    /// All of it, rounded up.
    pub(super) fn total(self) -> u32 {
        u32::try_from(self.hundredths.div_ceil(100)).unwrap_or(u32::MAX)
    }
}

/// In hundredths of a token. Rare words fall into pieces of about four letters once they are longer than seven, so
/// base64 and hex, which break at every capital and digit, need no rule of their own.
const fn cost(before: Class, class: Class, run: usize) -> u8 {
    match class {
        Lower | Upper | Accented => letter(before, class, run),
        Digit => digit(before, run),
        Punctuation => punctuation(before, run),
        Space if run == 0 && matches!(before, Newline) => 93,
        Space if run == LONG => 2,
        Newline if run == 0 => 11,
        Newline => 6,
        Cyrillic if run == 0 => 165,
        Alphabet if run == 0 => 55,
        Alphabet => 34,
        Brahmic => 37,
        Sign if run > 0 => 149,
        Kana => 74,
        Han => 84,
        Hangul if run == 0 => 77,
        Hangul => 70,
        Emoji => 200,
        Continuation | Space | Cyrillic | Sign => 0,
    }
}

/// A word is a token for most of its length, with the space or the sign before it if it has one.
const fn letter(before: Class, class: Class, run: usize) -> u8 {
    match (before, class) {
        (Lower, Upper) => 181,
        (Lower | Upper | Accented, Accented) => 115,
        (Lower | Upper | Accented, _) if run == LONG => 29,
        (Upper, Upper) => 6,
        (Lower | Upper | Accented, _) => 0,
        (Space, _) => 94,
        (Punctuation, _) => 78,
        _ => 113,
    }
}

/// Up to three digits are a token, and the space before them is another.
const fn digit(before: Class, run: usize) -> u8 {
    match (before, run) {
        (Space, 0) => 231,
        (_, 0) => 120,
        (_, LONG) => 23,
        (_, 3 | 6) => 44,
        _ => 0,
    }
}

/// Signs that often stand together are a token together.
const fn punctuation(before: Class, run: usize) -> u8 {
    match (before, run) {
        (Lower | Upper | Accented, 0) => 57,
        (_, 0) => 105,
        (_, 1) => 40,
        (_, LONG) => 4,
        _ => 37,
    }
}

/// Letters make one run up to the next capital.
const fn goes_on(before: Class, class: Class) -> bool {
    match (before, class) {
        (Lower, Upper) => false,
        (Lower | Upper | Accented, Lower | Upper | Accented) => true,
        _ => before as u8 == class as u8,
    }
}

const fn class_of(byte: u8) -> Class {
    match byte {
        b' ' | b'\t' => Space,
        b'\n' | b'\r' => Newline,
        b'a'..=b'z' => Lower,
        b'A'..=b'Z' => Upper,
        b'0'..=b'9' => Digit,
        0..0x80 => Punctuation,
        0x80..0xc0 => Continuation,
        0xc3..0xcc => Accented,
        0xd0..0xd4 => Cyrillic,
        0xcc..0xe0 => Alphabet,
        0xe0 | 0xe1 => Brahmic,
        0xc0..0xc3 | 0xe2 | 0xee | 0xef => Sign,
        0xe3 => Kana,
        0xe4..0xea => Han,
        0xea..0xee => Hangul,
        0xf0.. => Emoji,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "casting is the only way in a constant")]
const fn classes() -> [Class; 256] {
    let mut table = [Punctuation; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = class_of(byte as u8);
        byte += 1;
    }
    table
}

const fn steps() -> [Step; PLACES * CLASSES] {
    let mut table = [Step { row: 0, cost: 0 }; PLACES * CLASSES];
    let mut at = 0;
    while at < table.len() {
        let (run, before, class) = (at / CLASSES / CLASSES, ALL[at / CLASSES % CLASSES], ALL[at % CLASSES]);
        table[at] = step(before, class, run);
        at += 1;
    }
    table
}

/// A run is no longer than [`LONG`], and what belongs to a character that has been counted changes nothing.
const fn step(before: Class, class: Class, run: usize) -> Step {
    if matches!(class, Continuation) {
        return Step { row: row(before, run), cost: 0 };
    }
    let longer = if run < LONG { run + 1 } else { LONG };
    let run = if goes_on(before, class) { longer } else { 0 };
    Step { row: row(class, run), cost: cost(before, class, run) as u16 }
}

#[expect(clippy::cast_possible_truncation, reason = "there are 2,048")]
const fn row(class: Class, run: usize) -> u16 {
    ((run * CLASSES + class as usize) * CLASSES) as u16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Character by character, by the rules.
    fn slowly(text: &str) -> u64 {
        let (mut before, mut run, mut sum) = (Newline, 0, 0);
        for class in text.bytes().map(class_of).filter(|&class| class != Continuation) {
            run = if goes_on(before, class) { LONG.min(run + 1) } else { 0 };
            sum += u64::from(cost(before, class, run));
            before = class;
        }
        sum
    }

    proptest! {
        #[test]
        fn the_steps_add_up_as_the_rules_say(text in "[ \\n]{0,9}([a-zA-Zäя]{0,9}|[0-9]{0,9}|[.,山の한😀“αก]{0,9}|\\PC{0,9}){0,9}") {
            let mut tally = Tally::default();
            tally.text(&text);
            prop_assert_eq!(tally.hundredths, slowly(&text));
        }
    }
}
