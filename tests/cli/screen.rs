use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::process::Child;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use pty_process::Size;
use pty_process::blocking::{Command, Pty, open};
use tokio::time::Instant;
use vt100::Parser;

use super::HANGS;

/// A terminal of its own, and a command that runs in it; then what `stty` says.
pub(super) struct Screen {
    pty: Arc<Pty>,
    shell: Child,
    more: Receiver<Vec<u8>>,
    parser: Parser,
    /// All that was written.
    written: Vec<u8>,
}

/// Says by which id the command runs, and how it ended.
const SHELL: &str = "sh -c 'echo pid=$$; exec \"$0\" \"$@\"' \"$0\" \"$@\"; echo ended=$?; stty -a";

impl Screen {
    /// Runs it in so many rows and columns.
    pub(super) fn run(arguments: &[&str], rows: u16, columns: u16) -> Self {
        let (pty, inner) = open().expect("a terminal");
        pty.resize(Size::new(rows, columns)).expect("a size");
        let command = Command::new("sh").args(["-c", SHELL, env!("CARGO_BIN_EXE_tidegate")]).args(arguments);
        let shell = command.env("TERM", "xterm-256color").env_remove("NO_COLOR").spawn(inner).expect("it starts");
        let (pty, (says, more)) = (Arc::new(pty), channel());
        let read = Arc::clone(&pty);
        thread::spawn(move || {
            let mut piece = [0; 4096];
            // The terminal of a program that has ended is an error to read on Linux.
            while let Ok(length @ 1..) = (&*read).read(&mut piece) {
                says.send(piece[..length].to_vec()).ok();
            }
        });
        Self { pty, shell, more, parser: Parser::new(some(rows), some(columns), 0), written: Vec::new() }
    }

    /// Waits until what is shown has all of this.
    #[track_caller]
    pub(super) fn shows(&mut self, parts: &[&str]) {
        self.wait(&format!("{parts:?}"), |screen| parts.iter().all(|part| screen.contents().contains(part)));
    }

    /// Waits until this holds of what is shown.
    #[track_caller]
    pub(super) fn wait(&mut self, what: &str, holds: impl Fn(&vt100::Screen) -> bool) {
        let deadline = Instant::now() + HANGS;
        while !holds(self.parser.screen()) {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(more) = self.more.recv_timeout(left) else {
                panic!("it does not show {what}, but\n{}", self.parser.screen().contents());
            };
            self.parser.process(&more);
            self.written.extend(more);
        }
    }

    pub(super) fn contents(&self) -> String {
        self.parser.screen().contents()
    }

    pub(super) fn types(&self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).expect("it reads");
    }

    pub(super) fn resize(&mut self, rows: u16, columns: u16) {
        self.parser.screen_mut().set_size(some(rows), some(columns));
        self.pty.resize(Size::new(rows, columns)).expect("a size");
    }

    /// The id of the command, once it has taken the screen over.
    pub(super) fn pid(&self) -> String {
        let written = String::from_utf8_lossy(&self.written);
        let pid = written.lines().find_map(|line| line.strip_prefix("pid="));
        pid.expect("it was said before all else").trim().to_owned()
    }

    /// Waits for its end, after which the terminal is what it was.
    #[track_caller]
    pub(super) fn ends_and_gives_the_terminal_back(mut self, code: i32) {
        let is_over = |screen: &vt100::Screen| screen.contents().contains("-extproc");
        self.wait("what stty says", is_over);
        let (screen, ended) = (self.parser.screen(), format!("ended={code}"));
        let said = screen.contents();
        assert!([&*ended, " icanon", " echo "].iter().all(|part| said.contains(part)), "{said}");
        assert!(!screen.alternate_screen() && !screen.hide_cursor(), "{said}");
        assert!(self.shell.wait().expect("it ends").success());
    }
}

fn some(size: u16) -> NonZeroU16 {
    NonZeroU16::new(size).expect("some room")
}

impl Drop for Screen {
    fn drop(&mut self) {
        // One that has ended already cannot be killed.
        drop(self.shell.kill());
        drop(self.shell.wait());
    }
}
