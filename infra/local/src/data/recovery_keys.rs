//! The public recovery keys of a data directory. They are kept, so that a start without the option
//! makes no shares without recovery records.

use std::path::Path;

use protocol::recovery::{RecoveryKey, Side};

use crate::error::StartError;
use crate::options::RecoveryOptions;

/// File of the public keys, one in each line.
pub(crate) const RECOVERY_KEYS_FILE: &str = "recovery-keys.txt";

/// Returns the keys of the options, and keeps them. Without any, returns the kept ones.
///
/// # Errors
/// Fails when the file cannot be read or written, or has other content.
pub(crate) fn kept(
    directory: &Path,
    given: &RecoveryOptions,
) -> Result<RecoveryOptions, StartError> {
    let path = directory.join(RECOVERY_KEYS_FILE);
    let failed = |cause: String| StartError::Part {
        what: "the stack",
        cause: format!("{}: {cause}", path.display()),
    };
    if given.endpoint.is_empty() && given.cosigner.is_empty() {
        if !path.exists() {
            return Ok(RecoveryOptions::default());
        }
        let text = std::fs::read_to_string(&path).map_err(|error| failed(error.to_string()))?;
        let keys = text.lines().map(str::parse).collect::<Result<Vec<RecoveryKey>, _>>();
        let kept = keys.and_then(|keys| RecoveryOptions::of(&keys));
        return kept.map_err(|error| failed(error.to_string()));
    }
    let texts = [given.endpoint.to_text(Side::Endpoint), given.cosigner.to_text(Side::Cosigner)];
    let lines: Vec<&str> =
        texts.iter().flat_map(|text| text.split(',')).filter(|it| !it.is_empty()).collect();
    let text = format!("{}\n", lines.join("\n"));
    let is_known = std::fs::read_to_string(&path).is_ok_and(|known| known == text);
    if !is_known {
        let part = path.with_extension("part");
        let written = std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, &path));
        written.map_err(|error| failed(error.to_string()))?;
    }
    Ok(given.clone())
}

#[cfg(test)]
mod tests {
    use protocol::recovery::{OpeningKey, RecoveryKeyError};

    use super::*;

    #[test]
    fn keys_are_kept_until_others_are_given() {
        let folder = tempfile::tempdir().unwrap();
        let key = |side| RecoveryKey { side, key: *OpeningKey::generate().unwrap().public() };
        let none = RecoveryOptions::default();
        assert!(!kept(folder.path(), &none).unwrap().is_complete());
        for _ in 0..2 {
            let keys = [key(Side::Endpoint), key(Side::Endpoint), key(Side::Cosigner)];
            let given = RecoveryOptions::of(&keys).unwrap();
            assert!(kept(folder.path(), &given).unwrap().is_complete());
            let found = kept(folder.path(), &none).unwrap();
            assert_eq!((found.endpoint, found.cosigner), (given.endpoint, given.cosigner));
        }
        // The holder of one key would open both halves of every wallet.
        let shared = key(Side::Endpoint);
        let both = [shared, RecoveryKey { side: Side::Cosigner, ..shared }];
        let refused = RecoveryOptions::of(&both).unwrap_err();
        assert_eq!(refused, RecoveryKeyError::Shared);
        let lines = both.map(|key| key.to_string()).join("\n");
        std::fs::write(folder.path().join(RECOVERY_KEYS_FILE), lines).unwrap();
        kept(folder.path(), &none).unwrap_err();
        std::fs::write(folder.path().join(RECOVERY_KEYS_FILE), "x\n").unwrap();
        kept(folder.path(), &none).unwrap_err();
    }
}
