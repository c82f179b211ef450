use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};

use super::file::{StoreFile, UnusableFile, open_plain, read_text};

/// One gate has the file, until it ends, however it does: the system lets go of the lock.
#[derive(Debug)]
pub(super) struct StoreLock {
    _file: File,
}

/// What ends the name of the file that is locked. The state itself is replaced as a whole, and a lock would go with it.
const LOCK: &str = ".lock";

impl StoreLock {
    /// Takes the file for this gate, which is called `owner` in the error of the next one.
    pub(super) fn take(file: &StoreFile, owner: &str) -> Result<Self, UnusableFile> {
        let path = file.beside(LOCK);
        let folder = |error| UnusableFile::Folder { path: file.path().to_owned(), error };
        let lock = open_plain(&path, OpenOptions::new().read(true).write(true).create(true).truncate(false));
        let mut lock = lock.map_err(folder)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let said = read_text(&path).ok().flatten().unwrap_or_default();
                let owner = said.lines().next().filter(|line| !line.is_empty()).unwrap_or("another gate").to_owned();
                return Err(UnusableFile::Taken { path: file.path().to_owned(), owner });
            }
            Err(TryLockError::Error(error)) => return Err(folder(error)),
        }
        Self::sign(&mut lock, owner).map_err(folder)?;
        Ok(Self { _file: lock })
    }

    fn sign(lock: &mut File, owner: &str) -> io::Result<()> {
        lock.set_len(0)?;
        writeln!(lock, "{owner}")
    }
}
