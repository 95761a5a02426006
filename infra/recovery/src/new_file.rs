//! New files: complete under their name or not there, and never in the place of another file.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use domain::random::Random;
use serde::Serialize;

use crate::error::RecoveryError;

/// A new file that only its owner can read. It is written under another name in the same directory,
/// and gets its own name when it is complete. Dropping it removes the unfinished file.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    part: PathBuf,
    file: File,
}

impl NewFile {
    /// Checks that the file does not exist and can be created.
    ///
    /// # Errors
    /// Fails when it exists, or its directory cannot be written.
    pub fn reserve(path: &Path) -> Result<Self, RecoveryError> {
        absent(path)?;
        // The suffix keeps the file apart from the one that a killed process left. It is in no
        // result, so it is not drawn from the caller's randomness.
        let suffix: [u8; 8] = Random::system().bytes()?;
        let part = named(path, &format!(".{}.part", hex::encode(suffix)));
        let file = create_new(&part)?;
        Ok(Self { path: path.to_owned(), part, file })
    }

    /// Writes the content, and gives the file its name.
    ///
    /// # Errors
    /// Fails when the file cannot be written, or its name has been taken meanwhile.
    pub fn write(mut self, content: &[u8]) -> Result<(), RecoveryError> {
        let written = self.file.write_all(content).and_then(|()| self.file.sync_all());
        written.map_err(RecoveryError::io(&self.path))?;
        place(&self.part, &self.path)
    }

    /// Writes a value as JSON.
    pub(crate) fn write_json<T: Serialize>(self, value: &T) -> Result<(), RecoveryError> {
        let text = serde_json::to_vec_pretty(value);
        let text = text.map_err(|error| RecoveryError::file(&self.path, error.to_string()))?;
        self.write(&text)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // A complete file has no part any more.
        let _ = fs::remove_file(&self.part);
    }
}

pub(crate) fn create_new(path: &Path) -> Result<File, RecoveryError> {
    use std::os::unix::fs::OpenOptionsExt;
    let opened = File::options().write(true).create_new(true).mode(0o600).open(path);
    opened.map_err(|error| match error.kind() {
        ErrorKind::NotFound if !directory_of(path).is_dir() => {
            RecoveryError::NoDirectory(directory_of(path).to_owned())
        }
        _ => RecoveryError::io(path)(error),
    })
}

/// Returns the directory of a file.
fn directory_of(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or_else(|| Path::new("."))
}

/// Returns the path with a suffix to its name.
pub(crate) fn named(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Fails when something has this name, be it a link to nothing.
pub(crate) fn absent(path: &Path) -> Result<(), RecoveryError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(RecoveryError::Exists(path.to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(RecoveryError::io(path)(error)),
    }
}

/// Gives a complete file its name, and makes that durable.
///
/// # Errors
/// Fails when another file has the name, or the directory cannot be written.
pub(crate) fn place(part: &Path, path: &Path) -> Result<(), RecoveryError> {
    // A link never replaces a file. FAT and exFAT, which most USB sticks have, know no links.
    match fs::hard_link(part, path) {
        Ok(()) => fs::remove_file(part).map_err(RecoveryError::io(part))?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(RecoveryError::Exists(path.to_owned()));
        }
        Err(_) => {
            absent(path)?;
            fs::rename(part, path).map_err(RecoveryError::io(path))?;
        }
    }
    sync_directory(path)
}

/// Makes the names in the directory of a file durable.
fn sync_directory(path: &Path) -> Result<(), RecoveryError> {
    let directory = directory_of(path);
    match File::open(directory).and_then(|directory| directory.sync_all()) {
        // Some file systems cannot do this for a directory.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
            Ok(())
        }
        done => done.map_err(RecoveryError::io(directory)),
    }
}
