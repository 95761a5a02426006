//! The report of a verification, which the holder of a recovery key hands to the operator.

use std::fs;
use std::path::Path;

use domain::recovery::Verification;
use protocol::recovery::Side;
use serde::{Deserialize, Serialize};

use crate::error::RecoveryError;
use crate::new_file::NewFile;

const FORMAT: &str = "hyperdex-recovery-verification";
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Report {
    format: String,
    version: u32,
    side: Side,
    verification: Verification,
}

/// Writes the report of a side's verification.
///
/// # Errors
/// Fails when the file cannot be written.
pub fn write(file: NewFile, side: Side, verification: Verification) -> Result<(), RecoveryError> {
    file.write_json(&Report { format: FORMAT.to_owned(), version: VERSION, side, verification })
}

/// Reads the report of a side's verification.
///
/// # Errors
/// Fails when the file is not one, or is of the other side.
pub fn read(path: &Path, side: Side) -> Result<Verification, RecoveryError> {
    let expected = || RecoveryError::file(path, "expected a report of `recovery verify --report`");
    let text = fs::read(path).map_err(RecoveryError::io(path))?;
    let report: Report = serde_json::from_slice(&text).map_err(|_| expected())?;
    if report.format != FORMAT || report.version != VERSION {
        return Err(expected());
    }
    if report.side != side {
        let path = path.to_owned();
        return Err(RecoveryError::WrongSide { path, wanted: side, found: report.side });
    }
    Ok(report.verification)
}
