use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;

use super::{letters, press, seen, status};
use crate::cli::top::draw::draw;
use crate::cli::top::look::Look;
use crate::cli::top::plain::picture;
use crate::cli::top::state::State;

fn drawn(state: &State, look: Look, (width, height): (u16, u16)) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    draw(state, look, area, &mut buffer);
    buffer
}

fn text(state: &State, size: (u16, u16)) -> String {
    let buffer = drawn(state, Look::Colours, size);
    let line = |y| (0..size.0).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..size.1).map(|y| line(y).trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

#[test]
fn a_pool_shows_what_is_used_who_waits_and_what_is_the_matter() {
    let text = text(&seen(), (110, 30));
    let at = |name: &str| text.lines().position(|line| line.starts_with(name)).unwrap_or(usize::MAX);
    assert!(at("lower ") < at("full ") && at("full ") < at("calm "), "{text}");
    has(
        &text,
        &[
            "tidegate at http://gate:4291 · up 0s",
            "█████░░░░░ 300/600/min              2       2s lower limit",
            "██████████ 60/60/min               36      36s at its limit",
            "█░░░░░░░░░ 3/300/min                           within limits",
            "Refused by the upstream lately",
            "1m05s        4 limit",
            " lower ────",
            "What is the matter with lower.",
            "2 wait: 2 of client-1 (its next would go in 7s); the oldest for 5s.",
            "q quit",
        ],
    );
}

#[test]
fn every_pane_has_its_rows_or_says_that_there_are_none() {
    let mut state = seen();
    press(&mut state, letters("2"));
    has(&text(&state, (100, 20)), &["Route ", "GET /v1/b", "70", "9ms", "40ms", "by requests", "Takes from no pool."]);
    press(&mut state, letters("3"));
    has(&text(&state, (100, 20)), &["No request has ended yet."]);
    press(&mut state, letters("4"));
    has(&text(&state, (100, 20)), &["lower", "1m05s", "limit", "What was refused."]);
}

#[test]
fn whatever_must_not_be_overlooked_stands_first() {
    let mut state = seen();
    let mut draining = status();
    draining.draining = true;
    state.see(Ok(draining));
    state.see(Err("http://gate:4291/status cannot be reached".to_owned()));
    press(&mut state, letters("p"));
    let said = text(&state, (120, 20));
    assert!(said.starts_with(" the gate is gone, trying again   draining   paused  tidegate at"), "{said}");
    has(&said, &["http://gate:4291/status cannot be reached", "full"]);
}

#[test]
fn a_filter_shows_while_it_is_written_and_after() {
    let mut state = seen();
    press(&mut state, letters("/ful"));
    has(&text(&state, (100, 20)), &["/ful▏", "with 'ful'", "full"]);
    assert!(!text(&state, (100, 20)).contains("calm"));
}

#[test]
fn the_help_names_every_key() {
    let mut state = seen();
    press(&mut state, letters("?"));
    has(&text(&state, (100, 24)), &["tab, 1-4 ", "s  r ", "/  esc ", " p  ", "q  ctrl-c "]);
}

#[test]
fn in_little_room_the_name_and_what_is_used_are_left_and_a_long_name_keeps_its_ends() {
    let mut state = seen();
    let mut long = status();
    long.pools.iter_mut().for_each(|pool| pool.key = Some("gpt-4o 0123456789abcdef".to_owned()));
    long.pools.iter_mut().for_each(|pool| pool.counts = "tokens".to_owned());
    state.see(Ok(long));
    let said = text(&state, (30, 8));
    has(&said, &["lower gpt-4o…okens)", "█████░░░░░"]);
}

#[test]
fn no_size_is_too_small() {
    let mut help = seen();
    press(&mut help, letters("?"));
    for state in [State::new(String::new()), seen(), help] {
        for size in (0..120).step_by(7).flat_map(|width| (0..34).step_by(3).map(move |height| (width, height))) {
            drawn(&state, Look::Colours, size);
        }
    }
}

/// On a white ground and on a black one: what is drawn has the terminal's own ground, and no colour that one of them
/// swallows.
#[test]
fn colours_can_be_read_on_light_and_dark_and_can_be_left_out() {
    let legible = [Color::Reset, Color::Red, Color::Green, Color::Blue];
    let has_colours = |look| {
        let buffer = drawn(&seen(), look, (110, 30));
        assert!(buffer.content.iter().all(|cell| legible.contains(&cell.fg) && cell.bg == Color::Reset));
        buffer.content.iter().any(|cell| cell.fg != Color::Reset)
    };
    assert_eq!([Look::Colours, Look::Plain].map(has_colours), [true, false]);
    let looks = [None, Some(""), Some("1")].map(|said| Look::of(said.map(std::ffi::OsStr::new)));
    assert_eq!(looks, [Look::Colours, Look::Colours, Look::Plain]);
}

#[test]
fn a_picture_for_a_pipe_has_everything_and_no_trailing_blanks() {
    let picture = picture(&seen());
    has(&picture, &["Pools\n", "Routes\n", "Clients\n", "Upstream refusals\n", "GET /v1/a", "1m05s"]);
    has(
        &picture,
        &[
            "\nlower: What is the matter with lower. 2 wait: 2 of client-1 (its next would go in 7s); the oldest for 5s.\n",
            "\nfull: What is",
        ],
    );
    assert!(!picture.contains("calm: ") && picture.lines().all(|line| line == line.trim_end()), "{picture}");
}
