//! `recovery combine`: the private key of one wallet, from the records of both sides. The last
//! resort, without any stack. Both holders are present.

use std::collections::BTreeSet;
use std::path::Path;

use domain::eth::Address;
use domain::ids::{Tenant, WalletRef};
use domain::random::Random;
use protocol::recovery::{Half, RecoveryRecord, private_key};
use zeroize::Zeroizing;

use crate::check::{pairs, wallet_of};
use crate::error::RecoveryError;
use crate::key::PrivateKey;
use crate::keystore;
use crate::new_file::NewFile;

/// Computes the private key of one wallet, and writes a keystore. Takes the newest version that
/// both sides have and both keys open. Returns the address.
///
/// # Errors
/// Fails when several wallets match, no pair of records exists, none opens, or the key does not
/// belong to the wallet's address.
pub fn combine(
    (endpoint, endpoint_records): (&PrivateKey, &[RecoveryRecord]),
    (cosigner, cosigner_records): (&PrivateKey, &[RecoveryRecord]),
    (wallet, tenant): (&WalletRef, Option<&Tenant>),
    (path, passphrase): (&Path, &Zeroizing<String>),
    random: &Random,
) -> Result<Address, RecoveryError> {
    let file = NewFile::reserve(path)?;
    let is_it = |record: &&RecoveryRecord| {
        let named = match wallet {
            WalletRef::Wallet(id) => record.wallet_id == *id,
            WalletRef::Address(address) => record.address == *address,
            WalletRef::User(user) => record.user_id.as_ref() == Some(user),
        };
        named && tenant.is_none_or(|tenant| record.tenant == *tenant)
    };
    let own: Vec<RecoveryRecord> = endpoint_records.iter().filter(is_it).cloned().collect();
    let matching: BTreeSet<_> = own.iter().map(wallet_of).collect();
    if matching.len() > 1 {
        let wallets = matching.into_iter().map(|(tenant, id)| format!("{id} of {tenant}"));
        let (name, wallets) = (name_of(wallet), wallets.collect());
        return Err(RecoveryError::Ambiguous { name, wallets });
    }
    let paired = pairs(&own, cosigner_records).wallets.into_values().next();
    let paired = paired.ok_or_else(|| RecoveryError::NoPair(name_of(wallet)))?;
    let (record, halves) = opened(endpoint, (cosigner, cosigner_records), &paired)?;
    let key = private_key(&halves.0, &halves.1, record.address)?;
    let text = keystore::seal(&key, record.address, passphrase, random)?;
    file.write(text.as_bytes())?;
    Ok(record.address)
}

fn name_of(wallet: &WalletRef) -> String {
    match wallet {
        WalletRef::Wallet(id) => id.to_string(),
        WalletRef::Address(address) => address.to_string(),
        WalletRef::User(user) => user.to_string(),
    }
}

/// Opens both sides of the newest version that opens. Fails with the fault of the newest one.
fn opened<'a>(
    endpoint: &PrivateKey,
    (cosigner, cosigner_records): (&PrivateKey, &[RecoveryRecord]),
    paired: &[&'a RecoveryRecord],
) -> Result<(&'a RecoveryRecord, (Half, Half)), RecoveryError> {
    let mut fault = None;
    for &one in paired {
        let two = cosigner_records.iter().find(|record| record.key() == one.key());
        let Some(two) = two else { continue };
        let halves = one.open(&endpoint.key).and_then(|half| Ok((half, two.open(&cosigner.key)?)));
        match halves {
            Ok(halves) => return Ok((one, halves)),
            Err(error) => {
                fault.get_or_insert_with(|| RecoveryError::record(one, error));
            }
        }
    }
    let none = || {
        let wallet = paired.first().map(|record| record.wallet_id.to_string());
        RecoveryError::NoPair(wallet.unwrap_or_default())
    };
    Err(fault.unwrap_or_else(none))
}
