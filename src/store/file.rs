use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file that is replaced as a whole.
#[derive(Clone, Debug)]
pub(super) struct StoreFile {
    path: PathBuf,
}

/// Nothing can be kept there.
#[derive(Debug, thiserror::Error)]
pub enum UnusableFile {
    /// It is a folder, say, or a link.
    #[error("[store] path {}: that is no file; write the path of one, which the gate makes itself", .0.display())]
    NotAFile(PathBuf),
    /// The file is made anew each time, so that its folder must be one to write in.
    #[error("[store] path {}: {error}; {}, or write path = \"off\"", path.display(), mend(path, error))]
    Folder {
        /// The file's.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// Another gate has it. Two that count in one file would each send as much as the limit.
    #[error("[store] path {}: {owner} keeps its state there; give each gate a path of its own, or stop that one first", path.display())]
    Taken {
        /// The file's.
        path: PathBuf,
        /// Which, in words.
        owner: String,
    },
}

/// What is there says nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnreadFile {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it is not what a gate writes there: {0}")]
    Json(#[from] serde_json::Error),
    #[error("it is of version {0}, which this gate does not know")]
    Version(u32),
}

impl StoreFile {
    /// Makes sure that it can be written.
    pub(super) fn open(path: &Path) -> Result<Self, UnusableFile> {
        let file = Self { path: path.to_owned() };
        if path.file_name().is_none() || fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
            return Err(UnusableFile::NotAFile(file.path));
        }
        match file.create_new().and_then(|_| fs::remove_file(file.beside(NEW))) {
            Ok(()) => Ok(file),
            Err(error) => Err(UnusableFile::Folder { path: file.path, error }),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What it says; nothing if it is not there yet.
    pub(super) fn read(&self) -> Result<Option<String>, UnreadFile> {
        Ok(read_text(&self.path)?)
    }

    /// A reader meanwhile, or after a crash of the gate, finds all of the old text or all of the new one. If `is_last`, it is on
    /// the disk when this returns, so that the machine may stop as well.
    pub(super) fn write(&self, text: &str, is_last: bool) -> io::Result<()> {
        let mut file = self.create_new()?;
        file.write_all(text.as_bytes())?;
        if is_last {
            file.sync_all()?;
        }
        fs::rename(self.beside(NEW), &self.path)
    }

    /// Keeps it from being replaced: another program may have written it. Says where it is then.
    pub(super) fn put_aside(&self) -> io::Result<PathBuf> {
        let aside = self.beside(UNREAD);
        fs::rename(&self.path, &aside)?;
        Ok(aside)
    }

    pub(super) fn beside(&self, ending: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(ending);
        path.into()
    }

    fn create_new(&self) -> io::Result<File> {
        create_anew(&self.beside(NEW))
    }
}

/// A new file of our own. What lies in its way is left from a crash, or a link that leads elsewhere: it is not written through.
pub(super) fn create_anew(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    open_plain(path, OpenOptions::new().append(true).create_new(true))
}

/// What ends the name of the next text until it is complete.
const NEW: &str = ".new";

/// What ends the name of a file that could not be read.
const UNREAD: &str = ".unread";

/// The longest text that is read. A guess: ten thousand pool instances in full use take less.
const LONGEST: u64 = 1 << 30;

/// Opens a file of our own: no link is followed, nothing but a plain file is taken, and a named pipe is not waited for.
pub(super) fn open_plain(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file = options.mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} is no plain file", path.display())))
    }
}

/// The text of a file of our own; nothing if it is not there.
pub(super) fn read_text(path: &Path) -> io::Result<Option<String>> {
    let file = match open_plain(path, OpenOptions::new().read(true)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text)?;
    Ok(Some(text))
}

fn mend(path: &Path, error: &io::Error) -> String {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match error.kind() {
        io::ErrorKind::NotFound => format!("make the folder {}", folder.display()),
        _ => format!("let the gate write in the folder {}", folder.display()),
    }
}
