//! A payment with its wallet, networks and nonces: the digests to sign and the bytes to send.

use serde::{Deserialize, Serialize};

use super::aster::wrapper_digest;
use super::{AccountType, Payment};
use crate::eth::{Address, Digest, Signature, keccak256};
use crate::intent::HyperliquidChain;

/// The networks of a deployment, which the signed texts name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chains {
    /// Hyperliquid's network.
    pub hyperliquid: HyperliquidChain,
    /// Aster's network.
    pub aster: HyperliquidChain,
}

/// The nonces that the cosigner set for a payment. They never change once the payment is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Nonces {
    /// Unix milliseconds.
    Hyperliquid(u64),
    /// Unix microseconds: of the call, and of the signed `Action` (`userNonce`).
    Aster(u64, u64),
    /// The payment itself names the account's nonce.
    Evm,
}

/// The bytes to send for a payment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sent {
    /// JSON body of `POST /exchange`.
    Hyperliquid(String),
    /// Form body of `POST …/aster/user-withdraw`, and the account that pays.
    Aster(String, AccountType),
    /// A signed transaction and its hash.
    Evm {
        /// The transaction's bytes.
        raw: Vec<u8>,
        /// The transaction's hash.
        hash: [u8; 32],
    },
}

/// A payment in the form that is signed and sent.
#[derive(Clone, Copy, Debug)]
pub struct Form<'a> {
    /// The payment.
    pub payment: &'a Payment,
    /// The paying wallet.
    pub wallet: Address,
    /// The deployment's networks.
    pub chains: Chains,
    /// The nonces.
    pub nonces: Nonces,
}

/// What follows from the signatures that exist.
enum Next {
    Sign(Digest),
    Send(Sent),
}

impl Form<'_> {
    /// Returns the next digest to sign, given all signatures made so far. Returns `None` when no
    /// further signature is needed, or when the nonces are not those of this kind of payment.
    #[must_use]
    pub fn digest(&self, signatures: &[Signature]) -> Option<Digest> {
        match self.next(signatures)? {
            Next::Sign(digest) => Some(digest),
            Next::Send(_) => None,
        }
    }

    /// Returns the bytes to send, once all signatures exist.
    #[must_use]
    pub fn sent(&self, signatures: &[Signature]) -> Option<Sent> {
        match self.next(signatures)? {
            Next::Sign(_) => None,
            Next::Send(sent) => Some(sent),
        }
    }

    fn next(&self, signatures: &[Signature]) -> Option<Next> {
        let Self { wallet, chains, .. } = *self;
        let action = match (self.payment, self.nonces) {
            (Payment::HyperliquidWithdraw(payment), Nonces::Hyperliquid(nonce)) => {
                payment.action(chains.hyperliquid, nonce)
            }
            (Payment::HyperliquidSendAsset(payment), Nonces::Hyperliquid(nonce)) => {
                payment.action(chains.hyperliquid, nonce)
            }
            (Payment::HyperliquidMoveOwn(payment), Nonces::Hyperliquid(nonce)) => {
                payment.action(wallet, chains.hyperliquid, nonce)
            }
            (Payment::AsterWithdraw(payment), Nonces::Aster(nonce, user_nonce)) => {
                let [action, rest @ ..] = signatures else {
                    let digest = payment.action_digest(wallet, chains.aster, user_nonce);
                    return Some(Next::Sign(digest));
                };
                let text = payment.text(wallet, (nonce, user_nonce), action);
                return Some(match rest {
                    [] => Next::Sign(wrapper_digest(chains.aster, &text)),
                    [wrapper, ..] => {
                        let body = format!("{text}&signature={}", wrapper.to_hex());
                        Next::Send(Sent::Aster(body, payment.account_type))
                    }
                });
            }
            (Payment::EvmTokenTransfer(payment), Nonces::Evm) => {
                let transaction = payment.transaction().ok()?;
                let Some(signature) = signatures.first() else {
                    return Some(Next::Sign(transaction.digest()));
                };
                let raw = transaction.signed(signature);
                let hash = keccak256(&raw);
                return Some(Next::Send(Sent::Evm { raw, hash }));
            }
            _ => return None,
        };
        Some(match signatures.first() {
            None => Next::Sign(action.digest()),
            Some(signature) => Next::Send(Sent::Hyperliquid(action.body(signature))),
        })
    }
}
