use std::env::current_exe;
use std::io::Read;

use pty_process::Size;
use pty_process::blocking::{Command, open};

use super::seen;
use crate::cli::top::screen::Screen;

/// What is run within a terminal of its own by the test below.
#[test]
#[ignore = "it takes over the terminal, and panics"]
fn it_panics_while_it_shows() {
    let mut screen = Screen::open().expect("a terminal");
    screen.show(&seen()).expect("it is drawn");
    panic!("in the middle of it");
}

#[test]
fn a_panic_gives_the_terminal_back_before_it_is_told() {
    let (mut terminal, inner) = open().expect("a terminal");
    terminal.resize(Size::new(24, 100)).expect("a size");
    let this = current_exe().expect("this test");
    let panics = ["cli::top::tests::terminal::it_panics_while_it_shows", "--exact", "--ignored", "--nocapture"];
    let shell = Command::new("sh").args(["-c", "\"$0\" \"$@\"; stty -a; exit 0"]).arg(this).args(panics);
    let mut shell = shell.env("RUST_BACKTRACE", "0").spawn(inner).expect("it starts");
    let (mut said, mut piece) = (Vec::new(), [0; 4096]);
    // The terminal of a program that has ended is an error to read on Linux.
    while let Ok(more @ 1..) = terminal.read(&mut piece) {
        said.extend_from_slice(&piece[..more]);
    }
    assert!(shell.wait().expect("it ends").success());
    let said = String::from_utf8_lossy(&said);
    let at = |part: &str| said.find(part).unwrap_or_else(|| panic!("no {part:?} in {said}"));
    assert!(at("\u{1b}[?1049h") < at("60/60/min"), "it was shown");
    assert!(at("\u{1b}[?1049l") < at("in the middle of it"), "the panic is told on the screen that was there before");
    assert!(at("\u{1b}[?25h") > at("\u{1b}[?25l"), "the cursor is there again");
    assert!([" icanon", " echo "].iter().all(|mode| at(mode) > at("in the middle")), "{said}");
}
