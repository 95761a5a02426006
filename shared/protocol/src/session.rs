//! The ids that bind a run of the protocol to its key. Each party derives them itself.

use aws_lc_rs::digest::{SHA256, digest};
use dkls23_secp256k1::protocols::PartyIndex;
use dkls23_secp256k1::protocols::signing::SignData;
use domain::eth::Digest;

use crate::key::{SessionId, WalletKey};

/// Returns the library's session id of a key generation. It binds the shares to the wallet and the
/// run.
#[must_use]
pub fn keygen_session_id(key: &WalletKey, session: SessionId) -> Vec<u8> {
    let name = format!("hyperdex/keygen/1/{key}/{}", hex::encode(session));
    digest(&SHA256, name.as_bytes()).as_ref().to_vec()
}

/// Returns the library's id of a refresh, bound to the key, both share versions and the run.
#[must_use]
pub fn refresh_id(key: &WalletKey, to: u32, session: SessionId) -> Vec<u8> {
    let name = format!("hyperdex/refresh/1/{key}/{to}/{}", hex::encode(session));
    digest(&SHA256, name.as_bytes()).as_ref().to_vec()
}

/// Returns the digest that a trial signs. It has no meaning elsewhere, because it is not the hash
/// of a message, a transaction or typed data. Each party computes it itself.
#[must_use]
pub fn confirm_digest(key: &WalletKey, session: SessionId) -> Digest {
    let name = format!("hyperdex/refresh/confirm/1/{key}/{}", hex::encode(session));
    let mut hash = Digest::default();
    hash.copy_from_slice(digest(&SHA256, name.as_bytes()).as_ref());
    hash
}

/// Returns the library's description of one signature, bound to the key, the run and the digest.
/// Each party computes it itself; `counterparty` is the other party.
#[must_use]
pub fn sign_data(
    key: &WalletKey,
    session: SessionId,
    counterparty: PartyIndex,
    message_hash: Digest,
) -> SignData {
    let name = format!("hyperdex/sign/1/{key}/{}", hex::encode(session));
    SignData {
        sign_id: digest(&SHA256, name.as_bytes()).as_ref().to_vec(),
        counterparties: vec![counterparty],
        message_hash,
    }
}
