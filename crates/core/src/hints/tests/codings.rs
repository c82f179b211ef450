//! Bodies as other programs have compressed them (python 3.11, node 20, zstd 1.5), in `coded/`.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::collection::vec;
use proptest::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::hints::{BodyDecoder, Codings, UsageReader};

const PLAIN: &[u8] = include_bytes!("coded/plain.json");
const CODED: [(&str, &[u8]); 6] = [
    ("identity", PLAIN),
    ("gzip", include_bytes!("coded/gzip")),
    ("deflate", include_bytes!("coded/deflate")),
    ("deflate", include_bytes!("coded/deflate-bare")),
    ("br", include_bytes!("coded/br")),
    ("zstd", include_bytes!("coded/zstd")),
];
/// They become 16 MB and more.
const ENDLESS: [(&str, &[u8]); 3] = [
    ("gzip", include_bytes!("coded/endless.gz")),
    ("br", include_bytes!("coded/endless.br")),
    ("zstd", include_bytes!("coded/endless.zst")),
];
const MOST: usize = 64 << 10;

fn codings(value: &str) -> Codings {
    Codings::named([value]).expect("known codings")
}

fn decoded<'p>(coding: &str, pieces: impl IntoIterator<Item = &'p [u8]>) -> Vec<u8> {
    let mut decoder = BodyDecoder::new(&codings(coding), MOST, Vec::new());
    pieces.into_iter().for_each(|piece| decoder.push(piece));
    decoder.sink().clone()
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).expect("writes");
    encoder.finish().expect("ends")
}

#[test]
fn codings_are_known_by_their_names() {
    for plain in ["", "identity", "Identity,", " , "] {
        assert!(codings(plain).is_plain(), "{plain}");
    }
    assert!(Codings::named([]).expect("none").is_plain());
    assert_eq!(codings("X-GZIP"), codings("gzip"));
    assert_eq!(codings(" gzip ,br"), Codings::named(["gzip", "br"]).expect("known codings"));
    assert_ne!(codings("gzip, br"), codings("br, gzip"));
}

#[test]
fn a_body_with_a_coding_that_is_unknown_or_with_too_many_is_not_decoded() {
    for value in ["compress", "gzip, snappy", "gzip; q=1", "gzip, gzip, gzip"] {
        assert_eq!(Codings::named([value]), None, "{value}");
    }
    assert_eq!(Codings::named(["gzip", "snappy"]), None);
}

#[test]
fn a_body_is_decoded_wherever_it_is_cut() {
    for (coding, body) in CODED {
        assert_eq!(codings(coding).decode(body, MOST), PLAIN, "{coding}");
        assert_eq!(decoded(coding, body.chunks(1)), PLAIN, "{coding}, byte by byte");
        for cut in 0..body.len() {
            assert_eq!(decoded(coding, [&body[..cut], &body[cut..]]), PLAIN, "{coding}, cut at {cut}");
        }
    }
}

#[test]
fn a_body_of_several_blocks_is_decoded_too() {
    let long: Vec<u8> = (0..20_000_u32).flat_map(|at| at.wrapping_mul(at).to_string().into_bytes()).collect();
    assert!(long.len() > 128 << 10);
    for (coding, body) in [("gzip", gzip(&long)), ("zstd", compress_to_vec(&long[..], CompressionLevel::Fastest))] {
        let mut decoder = BodyDecoder::new(&codings(coding), usize::MAX, Vec::new());
        body.chunks(1_000).for_each(|piece| decoder.push(piece));
        assert!(*decoder.sink() == long, "{coding}: {} of {} bytes", decoder.sink().len(), long.len());
    }
}

#[test]
fn of_a_body_that_breaks_off_as_much_is_decoded_as_came() {
    for (coding, body) in CODED {
        let decoded: Vec<_> = (0..body.len()).map(|cut| codings(coding).decode(&body[..cut], MOST)).collect();
        assert!(decoded.iter().all(|decoded| PLAIN.starts_with(decoded)), "{coding}");
        assert!(decoded.is_sorted_by_key(Vec::len), "{coding}");
    }
    for (coding, body) in &CODED[..5] {
        assert!(codings(coding).decode(&body[..body.len() * 3 / 4], MOST).len() > PLAIN.len() / 4, "{coding}");
    }
}

#[test]
fn what_was_decoded_before_a_body_is_corrupt_remains() {
    let (gzip, whole) = (CODED[1].1, CODED[1].1.len());
    let corrupt = [&gzip[..whole / 2], &[0xff; 40], &gzip[whole / 2..]].concat();
    let decoded = codings("gzip").decode(&corrupt, MOST);
    let same = decoded.iter().zip(PLAIN).take_while(|(one, other)| one == other).count();
    assert!(same > 100, "{same} of {}", decoded.len());
}

#[test]
fn what_follows_the_end_of_a_body_is_nothing() {
    for &(coding, body) in &CODED[1..] {
        let more = [body, b"and more"].concat();
        assert_eq!(codings(coding).decode(&more, MOST), PLAIN, "{coding}");
        assert_eq!(decoded(coding, [body, &more, body]), PLAIN, "{coding}");
    }
    assert_eq!(codings("deflate, br").decode(include_bytes!("coded/deflate-more.br"), MOST), PLAIN);
}

#[test]
fn several_codings_come_off_in_turn_the_last_one_first() {
    for (coding, body) in CODED {
        assert_eq!(decoded(&format!("{coding}, gzip"), gzip(body).chunks(7)), PLAIN, "{coding}, gzip");
    }
}

#[test]
fn of_what_becomes_endless_as_much_is_decoded_as_is_allowed() {
    for (coding, body) in ENDLESS {
        assert_eq!(codings(coding).decode(body, MOST), vec![0; MOST], "{coding}");
        assert_eq!(codings(&format!("{coding}, gzip")).decode(&gzip(body), MOST), vec![0; MOST], "{coding}, gzip");
        let mut decoder = BodyDecoder::new(&codings(coding), 1 << 20, Vec::new());
        body.chunks(1).for_each(|piece| decoder.push(piece));
        assert_eq!(decoder.sink().len(), 1 << 20, "{coding}");
    }
}

#[test]
fn what_an_answer_has_cost_is_known_as_soon_as_it_has_said_so() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let mut decoder = BodyDecoder::new(&codings("gzip"), MOST, UsageReader::default());
    for (event, total) in
        [("data: {\"choices\": []}\n\n", None), ("data: {\"usage\": {\"total_tokens\": 5}}\n\n", Some(5))]
    {
        encoder.write_all(event.as_bytes()).expect("writes");
        encoder.flush().expect("flushes");
        decoder.push(&std::mem::take(encoder.get_mut()));
        assert_eq!(decoder.sink().total(), total);
    }
}

proptest! {
    #[test]
    fn nothing_that_comes_breaks_the_decoder(
        which in 0..CODED.len(),
        outer in prop::sample::select(vec!["", "gzip", "deflate", "br", "zstd"]),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        junk in vec(any::<u8>(), 0..300),
        cut in any::<prop::sample::Index>(),
    ) {
        let (coding, body) = CODED[which];
        let mut changed = [body, &junk].concat();
        changes.into_iter().for_each(|(at, byte)| *at.get_mut(&mut changed) = byte);
        let (first, rest) = changed.split_at(cut.index(changed.len()));
        let both = format!("{outer}, {coding}");
        for (coding, pieces) in [(coding, [first, rest]), (&*both, [first, rest]), (outer, [&junk, &[]])] {
            prop_assert!(decoded(coding, pieces).len() <= MOST);
        }
    }
}
