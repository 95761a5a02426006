//! Signing a payment, party 1. The cosigner decides about the payment and fixes its nonces in a call
//! before the protocol's two, because party 1 must know the digest before its first message.

use std::sync::atomic::{AtomicBool, Ordering};

use domain::eth::{Digest, Signature};
use domain::money::Nonces;
use domain::random::Random;
use protocol::{
    Answer, Call, FinishPayment, KeyShare, PaymentOrder, PaymentPrepared, PreparePayment,
    SessionId, SettlePayment, StartPayment, WalletKey,
};

use super::{CosignerClient, CosignerError, Passed, ProtocolError, sign};

/// One signature of a payment.
#[derive(Clone, Copy)]
pub struct PaymentStep<'a> {
    /// The payment.
    pub order: &'a PaymentOrder,
    /// The nonces that the cosigner set.
    pub nonces: Nonces,
    /// The number of signatures that exist already.
    pub step: u8,
    /// The digest.
    pub digest: Digest,
    /// Set when the cosigner has counted the payment.
    pub counted: &'a AtomicBool,
}

/// Has the cosigner check a payment and fix its nonces. Counts and signs nothing.
///
/// # Errors
/// Fails when the cosigner is unavailable or refuses.
pub async fn prepare_payment(
    cosigner: &CosignerClient,
    random: &Random,
    key: &WalletKey,
    prepare: PreparePayment,
) -> Result<PaymentPrepared, ProtocolError> {
    let session: SessionId = random.bytes()?;
    match cosigner.call(key, session, Call::PreparePayment(prepare)).await? {
        Answer::PaymentPrepared(prepared) => Ok(prepared),
        _ => Err(CosignerError::Nonsense.into()),
    }
}

/// Reports the outcome of a payment, for the cosigner's list of counted payments. A repeat changes
/// nothing.
///
/// # Errors
/// Fails when the cosigner is unavailable or refuses.
pub async fn report_outcome(
    cosigner: &CosignerClient,
    random: &Random,
    key: &WalletKey,
    report: SettlePayment,
) -> Result<(), ProtocolError> {
    let session: SessionId = random.bytes()?;
    match cosigner.call(key, session, Call::SettlePayment(report)).await? {
        Answer::PaymentSettled => Ok(()),
        _ => Err(CosignerError::Nonsense.into()),
    }
}

/// Makes one signature of a prepared payment with the cosigner, as [`super::sign`] does.
///
/// # Errors
/// Fails when the cosigner is unavailable, refuses, or violates the protocol.
pub async fn sign_payment(
    cosigner: &CosignerClient,
    random: &Random,
    key: &WalletKey,
    share: &KeyShare,
    step: PaymentStep<'_>,
    passed: Passed<'_>,
) -> Result<Signature, ProtocolError> {
    let session: SessionId = random.bytes()?;
    let PaymentStep { order, nonces, step, digest, counted } = step;
    let start =
        |message| Call::StartPayment(StartPayment { order: order.clone(), nonces, step, message });
    let id = order.id.clone();
    let finish = |finish| {
        counted.store(true, Ordering::Relaxed);
        Call::FinishPayment(FinishPayment { id, step, finish })
    };
    sign::run(cosigner, key, session, share, digest, (start, finish), passed).await
}
