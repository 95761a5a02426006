//! What binds a run of the protocol to its key: the ids that both parties derive for themselves.

use aws_lc_rs::digest::{SHA256, digest};
use dkls23_secp256k1::protocols::PartyIndex;
use dkls23_secp256k1::protocols::signing::SignData;
use domain::eth::Digest;

use crate::key::{SessionId, WalletKey};

/// The library's session id of a key generation: it binds the shares to the wallet and the run.
#[must_use]
pub fn keygen_session_id(key: &WalletKey, session: SessionId) -> Vec<u8> {
    let name = format!("hyperdex/keygen/1/{key}/{}", hex::encode(session));
    digest(&SHA256, name.as_bytes()).as_ref().to_vec()
}

/// The library's id of a refresh: bound to the key, to both versions of its shares, and to the run.
#[must_use]
pub fn refresh_id(key: &WalletKey, to: u32, session: SessionId) -> Vec<u8> {
    let name = format!("hyperdex/refresh/1/{key}/{to}/{}", hex::encode(session));
    digest(&SHA256, name.as_bytes()).as_ref().to_vec()
}

/// What is signed to try new shares: it means nothing to anyone else, because it is no hash of a
/// message, a transaction or typed data. Both parties make it themselves.
#[must_use]
pub fn confirm_digest(key: &WalletKey, session: SessionId) -> Digest {
    let name = format!("hyperdex/refresh/confirm/1/{key}/{}", hex::encode(session));
    let mut hash = Digest::default();
    hash.copy_from_slice(digest(&SHA256, name.as_bytes()).as_ref());
    hash
}

/// The library's description of one signature: bound to the key, the run and the digest. Both
/// parties make it themselves; `counterparty` is the other one.
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
