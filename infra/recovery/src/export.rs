//! The files of `recovery export-wallet`, and `recovery open-export`, which puts an exported
//! wallet's key together at its recipient.

use std::fs;
use std::path::Path;

use domain::eth::Address;
use domain::random::Random;
use protocol::recovery::{OpeningKey, RecoveryRecord, private_key};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::RecoveryError;
use crate::keystore;
use crate::new_file::NewFile;

const FORMAT: &str = "hyperdex-wallet-export";
const RELEASED: &str = "hyperdex-wallet-released-half";
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
        Self::write_to(NewFile::reserve(path)?, endpoint, cosigner)
    }

    /// Writes an export into a reserved file.
    ///
    /// # Errors
    /// Fails when the file cannot be written.
    pub fn write_to(
        file: NewFile,
        endpoint: RecoveryRecord,
        cosigner: RecoveryRecord,
    ) -> Result<(), RecoveryError> {
        let format = FORMAT.to_owned();
        file.write_json(&Self { format, version: VERSION, endpoint, cosigner })
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
        let file = NewFile::reserve(path)?;
        let failed = |source| RecoveryError::record(endpoint, source);
        endpoint.check_pair(cosigner).map_err(failed)?;
        let halves = (endpoint.open(key).map_err(failed)?, cosigner.open(key).map_err(failed)?);
        let private = private_key(&halves.0, &halves.1, endpoint.address)?;
        let text = keystore::seal(&private, endpoint.address, passphrase, random)?;
        file.write(text.as_bytes())?;
        Ok(endpoint.address)
    }
}

/// The cosigner's half of an export, on its way to the operator of the endpoint side.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Released {
    format: String,
    version: u32,
    /// Party 2's half, encrypted to the recipient.
    pub cosigner: RecoveryRecord,
}

impl Released {
    /// Writes the cosigner's half into a reserved file.
    ///
    /// # Errors
    /// Fails when the file cannot be written.
    pub fn write_to(file: NewFile, cosigner: RecoveryRecord) -> Result<(), RecoveryError> {
        file.write_json(&Self { format: RELEASED.to_owned(), version: VERSION, cosigner })
    }

    /// Reads the cosigner's half.
    ///
    /// # Errors
    /// Fails when the file is not one.
    pub fn read(path: &Path) -> Result<RecoveryRecord, RecoveryError> {
        let text = fs::read(path).map_err(RecoveryError::io(path))?;
        match serde_json::from_slice::<Self>(&text) {
            Ok(it) if it.format == RELEASED && it.version == VERSION => Ok(it.cosigner),
            _ => Err(RecoveryError::file(path, "expected the cosigner's half, of version 1")),
        }
    }
}
