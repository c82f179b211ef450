use std::fs::{File, OpenOptions};
use std::io::{self, Stdout, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where lines go, on a thread of their own.
pub(super) enum Sink {
    Output(Output),
    Appended(Appended),
}

/// Standard output, whose reader may go while the gate runs.
pub(super) struct Output {
    to: Stdout,
    trouble: Trouble,
}

/// Whether lines cannot be written, which is said once, and once more when they can be.
#[derive(Default)]
struct Trouble(bool);

/// A file that lines are appended to.
pub(super) struct Appended {
    path: PathBuf,
    file: File,
    moved: Arc<AtomicBool>,
    trouble: Trouble,
}

impl Output {
    #[expect(clippy::disallowed_methods, reason = "a failed write is said in the log, and never a panic")]
    pub(super) fn open() -> Self {
        Self { to: io::stdout(), trouble: Trouble::default() }
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut to = self.to.lock();
        to.write_all(lines).and_then(|()| to.flush())
    }
}

impl Appended {
    /// The file at this path, which is opened anew once `moved` says so.
    pub(super) fn open(path: &Path, moved: Arc<AtomicBool>) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: append(path)?, moved, trouble: Trouble::default() })
    }

    /// Until the file can be opened anew, lines go where they went.
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let follows = self.follow();
        self.file.write_all(lines).and(follows)
    }

    /// What cannot be opened is tried again at the next line.
    fn follow(&mut self) -> io::Result<()> {
        if self.moved.swap(false, Ordering::Relaxed) {
            self.file = append(&self.path).inspect_err(|_| self.moved.store(true, Ordering::Relaxed))?;
        }
        Ok(())
    }
}

impl Trouble {
    fn say(&mut self, path: &str, written: &io::Result<()>) {
        match written {
            Err(error) if !self.0 => tracing::warn!(%path, %error, "the access log cannot be written"),
            Ok(()) if self.0 => tracing::info!(%path, "the access log is written again"),
            _ => {}
        }
        self.0 = written.is_err();
    }
}

impl Write for Sink {
    /// What cannot be written is lost: nobody waits for it.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        match self {
            Self::Output(output) => {
                let written = output.write(lines);
                output.trouble.say("standard output", &written);
            }
            Self::Appended(file) => {
                let written = file.write(lines);
                file.trouble.say(&file.path.display().to_string(), &written);
            }
        }
        Ok(lines.len())
    }

    /// Each write has been flushed.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn append(path: &Path) -> io::Result<File> {
    if path.metadata().is_ok_and(|file| file.file_type().is_fifo()) {
        return Err(io::Error::other("it is a named pipe, and opening it would wait for a reader"));
    }
    OpenOptions::new().append(true).create(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::tests::Logged;
    use std::fs;

    #[test]
    fn a_disk_that_is_full_is_told_of_once_and_so_is_that_there_is_room_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let moved = Arc::new(AtomicBool::new(false));
        let mut full = Appended::open(Path::new("/dev/full"), Arc::clone(&moved)).expect("a device");
        full.path = folder.path().join("access");
        let mut sink = Sink::Appended(full);
        let (logged, _listening) = Logged::listen();
        (0..3).for_each(|_| sink.write_all(b"lost\n").expect("nobody is told"));
        moved.store(true, Ordering::Relaxed);
        (0..3).for_each(|_| sink.write_all(b"kept\n").expect("is written"));
        let said = logged.text();
        assert_eq!(said.matches("the access log cannot be written").count(), 1, "{said}");
        assert_eq!(said.matches("the access log is written again").count(), 1, "{said}");
        assert_eq!(fs::read_to_string(folder.path().join("access")).expect("a text"), "kept\nkept\nkept\n");
    }

    #[test]
    fn a_file_that_was_moved_is_opened_anew_when_that_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, old) = (folder.path().join("access"), folder.path().join("access.1"));
        let moved = Arc::new(AtomicBool::new(false));
        let mut sink = Sink::Appended(Appended::open(&path, Arc::clone(&moved)).expect("a file"));
        sink.write_all(b"one\n").expect("is written");
        fs::rename(&path, &old).expect("is moved");
        sink.write_all(b"two\n").expect("is written");
        moved.store(true, Ordering::Relaxed);
        sink.write_all(b"three\n").expect("is written");
        let read = |path: &Path| fs::read_to_string(path).expect("a text");
        assert_eq!((&*read(&old), &*read(&path)), ("one\ntwo\n", "three\n"));
    }

    #[test]
    fn a_file_that_cannot_be_opened_anew_is_tried_again_at_every_line_and_nothing_is_lost_meanwhile() {
        let folder = tempfile::tempdir().expect("a folder");
        let (logs, moved_logs) = (folder.path().join("logs"), folder.path().join("old"));
        fs::create_dir(&logs).expect("a folder");
        let moved = Arc::new(AtomicBool::new(false));
        let mut sink = Sink::Appended(Appended::open(&logs.join("access"), Arc::clone(&moved)).expect("a file"));
        let (logged, _listening) = Logged::listen();
        fs::rename(&logs, &moved_logs).expect("is moved");
        moved.store(true, Ordering::Relaxed);
        (0..2).for_each(|_| sink.write_all(b"old\n").expect("nobody is told"));
        fs::create_dir(&logs).expect("a folder");
        sink.write_all(b"new\n").expect("is written");
        let read = |folder: &Path| fs::read_to_string(folder.join("access")).expect("a text");
        assert_eq!((&*read(&moved_logs), &*read(&logs)), ("old\nold\n", "new\n"));
        let said = logged.text();
        assert_eq!(said.matches("the access log cannot be written").count(), 1, "{said}");
        assert_eq!(said.matches("the access log is written again").count(), 1, "{said}");
    }
}
