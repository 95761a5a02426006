//! Files of the data directory: written atomically, readable by their owner only.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::error::CloudError;

/// Writes a file atomically and durably.
///
/// # Errors
/// Returns an error when the write fails.
pub fn write(file: &Path, bytes: &[u8]) -> Result<(), CloudError> {
    let directory = file.parent().unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        put(file, bytes, true)?;
        File::open(directory)?.sync_all()
    };
    write().map_err(|error| broken(file, &error))
}

/// Writes a file atomically. The content survives a kill of the process. After a power failure the
/// file may have its old content.
///
/// # Errors
/// Returns an error when the write fails.
pub fn replace(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    put(file, bytes, false)
}

fn put(file: &Path, bytes: &[u8], sync: bool) -> std::io::Result<()> {
    let directory = file.parent().unwrap_or(Path::new("."));
    // A temporary file has mode 0600.
    let mut temporary = tempfile::NamedTempFile::new_in(directory)?;
    temporary.write_all(bytes)?;
    if sync {
        temporary.as_file().sync_all()?;
    }
    temporary.persist(file).map_err(|error| error.error)?;
    Ok(())
}

/// Returns the error for a file or directory that cannot be used.
pub fn broken(file: &Path, cause: &dyn std::fmt::Display) -> CloudError {
    CloudError::Data { path: file.to_owned(), cause: cause.to_string() }
}
