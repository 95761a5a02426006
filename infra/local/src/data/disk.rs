//! Checks that the disk of a data directory takes what the stack writes.

use std::io::Write;
use std::path::Path;

/// The file that is written to see whether the disk takes anything.
const PROBE: &str = "health.probe";
/// As much as SQLite writes for a wallet.
const PROBE_BYTES: usize = 64 * 1024;
/// The bytes that must be free on the data directory's disk.
pub const MIN_FREE: u64 = 16 * 1024 * 1024;

/// Returns why the disk does not take what the stack writes.
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
