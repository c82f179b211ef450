use memchr::memchr2;

use super::images::{Detail, Images};
use super::json_string::unescape;
use super::media::{Medium, MediumCost, is_letter};

/// Adds up about how many tokens a request has, without looking a single one up.
///
/// What a character costs depends on its class, on that of the one before, and on how long their run is already. The
/// costs are fitted against o200k, by least squares of the relative error, on READMEs, sources, JSON, the documentation
/// of React and Vue and the Declaration of Human Rights in many languages; only that of emoji is set by hand. `cargo bench
/// --bench tokens` prints how far off they are on other texts, and on whole requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    hundredths: u64,
    /// What they cost depends on the model.
    pub(super) images: Images,
}

/// About how many tokens a text has.
#[must_use]
pub fn estimate(text: &str) -> u32 {
    let mut tally = Tally::default();
    tally.text(text);
    tally.total("")
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

/// What a byte does to a text: in the lower half, where the text is then, as the row of [`STEPS`] begins; in the upper
/// half, what it costs in hundredths of a token. Steps add up as they are, so that a byte takes one addition.
type Step = u64;
const COST: u32 = 32;

/// So many steps can be added up before rows run over into costs.
const MOST_STEPS: usize = 1 << 20;

/// Texts are read in blocks of so many bytes. Base64 that stands in one is taken for what it stands for if it is as long.
/// A guess: hashes, ids and tokens are shorter, and pictures longer.
const BLOCK: usize = 1_024;

/// So many letters at the end of a block may be the beginning of base64. A guess: words and most names are shorter.
const SUSPECT: usize = 64;

/// Where a text has come to.
struct TextMeter {
    row: u64,
    sum: u64,
}

impl TextMeter {
    fn new() -> Self {
        Self { row: row(Newline, 0).into(), sum: 0 }
    }

    fn take(&mut self, text: &[u8]) {
        for piece in text.chunks(MOST_STEPS) {
            let (mut row, mut sum) = (self.row, 0);
            // Eight at a time the loop itself costs hardly anything.
            let (words, rest) = piece.as_chunks::<8>();
            for word in words {
                for &byte in word {
                    (row, sum) = step_by(row, sum, byte);
                }
            }
            for &byte in rest {
                (row, sum) = step_by(row, sum, byte);
            }
            self.row = row;
            self.sum += sum >> COST;
        }
    }
}

#[inline]
fn step_by(row: u64, sum: u64, byte: u8) -> (u64, u64) {
    // The remainder is the number itself, and spares a check.
    #[expect(clippy::cast_possible_truncation, reason = "a row is below 2,048")]
    let step = STEPS[(row as usize + CLASS[usize::from(byte)] as usize) % STEPS.len()];
    (step & ROW, sum + step)
}

const ROW: u64 = 0xffff;

impl Tally {
    /// Adds a text.
    pub(super) fn text(&mut self, text: &str) {
        let mut meter = TextMeter::new();
        let mut at = 0;
        while at < text.len() {
            at += self.block(text, at, text.len().min(at + BLOCK), &mut meter);
        }
        self.hundredths += meter.sum;
    }

    /// Adds a string of JSON that begins at this place, after its quote. It becomes the place of the quote that ends it,
    /// and whether it has escapes; nothing where it does not end, or an escape is none.
    pub(super) fn quoted(&mut self, json: &str, mut at: usize) -> Option<(usize, bool)> {
        let (bytes, mut meter, mut has_escapes) = (json.as_bytes(), TextMeter::new(), false);
        loop {
            let block = &bytes.get(at..)?[..(bytes.len() - at).min(BLOCK)];
            let len = memchr2(b'"', b'\\', block).unwrap_or(block.len());
            at += self.block(json, at, at + len, &mut meter);
            if len == block.len() && at < bytes.len() {
                continue;
            }
            match *bytes.get(at)? {
                b'"' => break,
                b'\\' => {}
                // What of the block was left for later is base64, perhaps.
                _ => continue,
            }
            has_escapes = true;
            let rest = &json[at + 1..];
            let (escaped, after) = unescape(rest)?;
            meter.take(escaped.encode_utf8(&mut [0; 4]).as_bytes());
            at += 1 + rest.len() - after.len();
        }
        self.hundredths += meter.sum;
        Some((at, has_escapes))
    }

    /// Adds this part of a text, at most [`BLOCK`] of it, up to where long base64 may begin; it becomes how long that was.
    fn block(&mut self, text: &str, at: usize, end: usize, meter: &mut TextMeter) -> usize {
        let block = &text.as_bytes()[at..end];
        if block.len() == BLOCK {
            let letters = block.iter().rev().take_while(|&&byte| is_letter(byte)).count();
            if letters == BLOCK && is_mixed(block) {
                let rest = &text.as_bytes()[at..];
                let len = rest.iter().position(|&byte| !is_letter(byte)).unwrap_or(rest.len());
                // Letters are ASCII, so these are borders of characters.
                self.medium(Medium::Any.cost(&text[at..at + len]));
                return len;
            }
            if (SUSPECT..BLOCK).contains(&letters) {
                meter.take(&block[..BLOCK - letters]);
                return BLOCK - letters;
            }
        }
        meter.take(block);
        block.len()
    }

    fn medium(&mut self, cost: MediumCost) {
        match cost {
            MediumCost::Tokens(tokens) => self.add(tokens),
            MediumCost::Image(size) => self.images.add(size, Detail::default()),
        }
    }

    /// Adds what is known without counting.
    pub(super) fn add(&mut self, tokens: u32) {
        self.hundredths = self.hundredths.saturating_add(u64::from(tokens) * 100);
    }

    /// All of it, rounded up, to this model.
    pub(super) fn total(self, model: &str) -> u32 {
        let text = u32::try_from(self.hundredths.div_ceil(100)).unwrap_or(u32::MAX);
        text.saturating_add(self.images.tokens(model))
    }
}

/// Base64 has letters of both cases and digits; hex, and one letter repeated, has not.
fn is_mixed(base64: &[u8]) -> bool {
    let has = |is_so: fn(&u8) -> bool| base64.iter().any(is_so);
    has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit)
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
    let mut table = [0; PLACES * CLASSES];
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
        return row(before, run) as Step;
    }
    let longer = if run < LONG { run + 1 } else { LONG };
    let run = if goes_on(before, class) { longer } else { 0 };
    (cost(before, class, run) as Step) << COST | row(class, run) as Step
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
