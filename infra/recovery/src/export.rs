//! `recovery open-export`: puts an exported wallet's key together at its recipient.

use std::fs;
use std::path::Path;

use domain::eth::Address;
use domain::random::Random;
use protocol::recovery::{OpeningKey, RecoveryRecord, private_key};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::RecoveryError;
use crate::key::write_new;
use crate::keystore;

const FORMAT: &str = "hyperdex-wallet-export";
const VERSION: u32 = 1;

/// Both halves of a wallet's key, encrypted to one recipient.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Export {
    format: String,
    version: u32,
    /// Party 1's half.
    pub endpoint: RecoveryRecord,
    /// Party 2's half.
    pub cosigner: RecoveryRecord,
}

impl Export {
    /// Writes the file of an export.
    ///
    /// # Errors
    /// Fails when the file exists or cannot be written.
    pub fn write(
        path: &Path,
        endpoint: RecoveryRecord,
        cosigner: RecoveryRecord,
    ) -> Result<(), RecoveryError> {
        let export = Self { format: FORMAT.to_owned(), version: VERSION, endpoint, cosigner };
        let text = serde_json::to_vec_pretty(&export);
        let text = text.map_err(|error| RecoveryError::file(path, error.to_string()))?;
        write_new(path, &text)
    }

    /// Reads the file of an export.
    ///
    /// # Errors
    /// Fails when the file is not one.
    pub fn read(path: &Path) -> Result<Self, RecoveryError> {
        let expected = || RecoveryError::file(path, "expected an export of version 1");
        let text = fs::read(path).map_err(RecoveryError::io(path))?;
        let export: Self = serde_json::from_slice(&text).map_err(|_| expected())?;
        if export.format != FORMAT || export.version != VERSION {
            return Err(expected());
        }
        Ok(export)
    }

    /// Computes the private key, checks the address, and writes a keystore. Returns the address.
    ///
    /// # Errors
    /// Fails when a half is for another recipient, or the halves do not give the address's key.
    pub fn open(
        &self,
        key: &OpeningKey,
        (path, passphrase): (&Path, &Zeroizing<String>),
        random: &Random,
    ) -> Result<Address, RecoveryError> {
        let Self { endpoint, cosigner, .. } = self;
        let failed = |source| RecoveryError::Record {
            wallet: endpoint.wallet_id,
            version: endpoint.key_version,
            source,
        };
        endpoint.check_pair(cosigner).map_err(failed)?;
        let halves = (endpoint.open(key).map_err(failed)?, cosigner.open(key).map_err(failed)?);
        let private = private_key(&halves.0, &halves.1, endpoint.address)?;
        let text = keystore::seal(&private, endpoint.address, passphrase, random)?;
        write_new(path, text.as_bytes())?;
        Ok(endpoint.address)
    }
}
