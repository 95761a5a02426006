//! Checks that the data directory's disk accepts writes.

use std::io::Write;
use std::path::Path;

/// File of the write test.
const PROBE: &str = "health.probe";
/// Size of the write test: what SQLite writes for a wallet.
const PROBE_BYTES: usize = 64 * 1024;
/// Minimum free space on the data directory's disk, in bytes.
pub const MIN_FREE: u64 = 16 * 1024 * 1024;

/// Returns the fault of the data directory's disk, if there is one.
pub(crate) fn write_trouble(directory: &Path) -> Option<String> {
    let probe = || -> std::io::Result<()> {
        let mut file = std::fs::File::create(directory.join(PROBE))?;
        file.write_all(&[0; PROBE_BYTES])?;
        file.sync_all()?;
        std::fs::remove_file(directory.join(PROBE))
    };
    if let Err(error) = probe() {
        return Some(format!("the data directory cannot be written: {error}"));
    }
    let free = rustix::fs::statvfs(directory).ok()?;
    let free = free.f_bavail.saturating_mul(free.f_frsize);
    (free < MIN_FREE).then(|| {
        format!("the disk of the data directory is full: {} MiB are free", free / (1024 * 1024))
    })
}
