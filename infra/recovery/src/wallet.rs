//! `recovery combine`: the private key of one wallet, from the records of both sides. The last
//! resort, when there is no stack. Both holders are present.

use std::path::Path;

use domain::eth::Address;
use domain::ids::WalletRef;
use domain::random::Random;
use protocol::recovery::{RecoveryRecord, private_key};
use zeroize::Zeroizing;

use crate::check::newest_pairs;
use crate::error::RecoveryError;
use crate::key::{PrivateKey, write_new};
use crate::keystore;

/// Computes the private key of one wallet, and writes a keystore. Returns the address.
///
/// # Errors
/// Fails when there is no pair of records, a record does not open, or the key does not belong to the
/// wallet's address.
pub fn combine(
    (endpoint, endpoint_records): (&PrivateKey, &[RecoveryRecord]),
    (cosigner, cosigner_records): (&PrivateKey, &[RecoveryRecord]),
    wallet: &WalletRef,
    (path, passphrase): (&Path, &Zeroizing<String>),
    random: &Random,
) -> Result<Address, RecoveryError> {
    let is_it = |record: &&RecoveryRecord| match wallet {
        WalletRef::Wallet(id) => record.wallet_id == *id,
        WalletRef::Address(address) => record.address == *address,
        WalletRef::User(user) => record.user_id.as_ref() == Some(user),
    };
    let own: Vec<RecoveryRecord> = endpoint_records.iter().filter(is_it).cloned().collect();
    let (pairs, _) = newest_pairs(&own, cosigner_records);
    let [one] = pairs[..] else {
        let name = match wallet {
            WalletRef::Wallet(id) => id.to_string(),
            WalletRef::Address(address) => address.to_string(),
            WalletRef::User(user) => user.to_string(),
        };
        return Err(RecoveryError::NoPair(name));
    };
    let two = cosigner_records.iter().find(|record| record.key() == one.key());
    let two = two.ok_or_else(|| RecoveryError::NoPair(one.wallet_id.to_string()))?;
    let failed =
        |source| RecoveryError::Record { wallet: one.wallet_id, version: one.key_version, source };
    let halves =
        (one.open(&endpoint.key).map_err(failed)?, two.open(&cosigner.key).map_err(failed)?);
    let key = private_key(&halves.0, &halves.1, one.address)?;
    let text = keystore::seal(&key, one.address, passphrase, random)?;
    write_new(path, text.as_bytes())?;
    Ok(one.address)
}
