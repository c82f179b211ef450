use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file that is replaced as a whole.
#[derive(Clone, Debug)]
pub(super) struct StoreFile {
    path: PathBuf,
}

/// Nothing can be kept there.
#[derive(Debug, thiserror::Error)]
pub enum UnusableFile {
    /// It is a folder, say.
    #[error("learned_file {}: that is no file; write the path of one, which the gate makes itself", .0.display())]
    NotAFile(PathBuf),
    /// The file is made anew each time, so that its folder must be one to write in.
    #[error("learned_file {}: {error}; {}, or take learned_file out", path.display(), mend(path, error))]
    Folder {
        /// The file's.
        path: PathBuf,
        /// Why not.
        error: io::Error,
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
        if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
            return Err(UnusableFile::NotAFile(file.path));
        }
        let new = file.beside(NEW);
        match fs::File::create(&new).and_then(|_| fs::remove_file(new)) {
            Ok(()) => Ok(file),
            Err(error) => Err(UnusableFile::Folder { path: file.path, error }),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What it says; nothing if it is not there yet.
    pub(super) fn read(&self) -> Result<Option<String>, UnreadFile> {
        match fs::read_to_string(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => Ok(Some(read?)),
        }
    }

    /// Whoever reads it meanwhile, or after a crash, finds all of the old text or all of the new one.
    pub(super) fn write(&self, text: &str) -> io::Result<()> {
        let new = self.beside(NEW);
        let mut file = fs::File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(new, &self.path)
    }

    /// Keeps it from being replaced: it may be somebody else's. Says where it is then.
    pub(super) fn put_aside(&self) -> io::Result<PathBuf> {
        let aside = self.beside(UNREAD);
        fs::rename(&self.path, &aside)?;
        Ok(aside)
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(ending);
        path.into()
    }
}

/// What ends the name of the next text until it is complete.
const NEW: &str = ".new";

/// What ends the name of a file that could not be read.
const UNREAD: &str = ".unread";

fn mend(path: &Path, error: &io::Error) -> String {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match error.kind() {
        io::ErrorKind::NotFound => format!("make the folder {}", folder.display()),
        _ => format!("let the gate write in the folder {}", folder.display()),
    }
}
