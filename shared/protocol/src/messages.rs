//! Messages between the two parties: postcard, as one base64 string in the invocation's JSON
//! payload.
//!
//! Types named `Start…` and `Finish…` go from party 1 to party 2; the others return. State that a
//! party keeps between two steps is never defined in this file, because it is not sent.

use std::borrow::Cow;

use base64_simd::STANDARD;
use dkls23_secp256k1::protocols::dkg::{
    BroadcastDerivationPhase2to4, BroadcastDerivationPhase3to4, TransmitInitMulPhase3to4,
    TransmitInitZeroSharePhase2to4, TransmitInitZeroSharePhase3to4,
};
use dkls23_secp256k1::utilities::hashes::HashOutput;
use dkls23_secp256k1::utilities::proofs::DLogProof;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::curve::{Curve, Scalar};
use crate::key::{SessionId, WalletKey};
use crate::once::OnceKey;
use crate::payment_messages::{
    FinishPayment, OpenPayments, PaymentPrepared, PaymentRefusal, PreparePayment, SettlePayment,
    StartPayment,
};
use crate::policy_messages::{self, PolicyAnswer, PolicyCall, PolicyFault};
use crate::recovery_messages::{RecoveryAnswer, RecoveryCall};
use crate::refresh_messages::{
    FinishRefresh, RefreshCommitted, RefreshRevealed, StartConfirm, StartRefresh,
};
use crate::sign_messages::{FinishSign, SignAnswered, SignShares, StartSign};
use crate::wire;

/// The version of this protocol. A message of another version is refused.
pub const PROTOCOL: u16 = 6;

/// Maximum length of the names in a message, in bytes. They are part of records.
const MAX_NAME: usize = 128;

/// One message to the cosigner, bound to its protocol version, key and session.
#[derive(Serialize, Deserialize)]
pub struct Request {
    /// [`PROTOCOL`].
    pub protocol: u16,
    /// The wallet's key.
    pub key: WalletKey,
    /// The run that this message belongs to.
    pub session: SessionId,
    /// The API request being served, for the cosigner's log.
    pub request_id: String,
    /// The calling function, for the cosigner's records.
    pub caller: String,
    /// The call.
    pub call: Call,
}

/// The calls of the cosigner. This list is closed.
#[derive(Serialize, Deserialize)]
pub enum Call {
    /// Key generation, call 1.
    StartKeygen(StartKeygen),
    /// Key generation, call 3; stores party 2's share.
    FinishKeygen(FinishKeygen),
    /// Signing, call 1; fixes the signed content.
    StartSign(StartSign),
    /// Signing, call 2.
    FinishSign(FinishSign),
    /// Refresh of the shares, call 1.
    StartRefresh(StartRefresh),
    /// Refresh of the shares, call 2; stores party 2's new share next to the old one.
    FinishRefresh(FinishRefresh),
    /// Trial of new shares, call 1; signs only their own name.
    StartConfirm(StartConfirm),
    /// Trial of new shares, call 2.
    FinishConfirm(FinishSign),
    /// Party 1 now uses only the named shares; the cosigner retires all others.
    Retire,
    /// Key generation, call 2.
    CommitKeygen(CommitKeygen),
    /// Checks a payment and fixes its nonces.
    PreparePayment(PreparePayment),
    /// Signing of a payment, call 1; counts it.
    StartPayment(StartPayment),
    /// Signing of a payment, call 2.
    FinishPayment(FinishPayment),
    /// Notes a reported outcome in the list of counted payments. Gives back no counted amount.
    SettlePayment(SettlePayment),
    /// Lists a page of the tenant's counted payments.
    ListPayments {
        /// [`OpenPayments::next`] of the page before; `None` for the newest payments.
        from: Option<String>,
    },
    /// A call about the tenant's policy; see [`WalletKey::of_tenant`].
    Policy(#[serde(with = "policy_messages::json")] PolicyCall),
    /// As [`Call::Retire`]. Party 1 has a recovery record of the named shares.
    RetireRecorded,
    /// A call of a recovery, from the operator; see [`WalletKey::of_tenant`].
    Recovery(#[serde(with = "policy_messages::json")] RecoveryCall),
}

/// The cosigner's responses.
#[derive(Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "made once, sent, and dropped")]
pub enum Answer {
    /// To [`Call::StartKeygen`].
    KeygenCommitted(KeygenCommitted),
    /// To [`Call::CommitKeygen`].
    KeygenRevealed(KeygenRevealed),
    /// To [`Call::StartSign`].
    SignAnswered(SignAnswered),
    /// To [`Call::FinishSign`].
    SignShares(SignShares),
    /// The cosigner refuses. Nothing was signed.
    Refused(Refusal),
    /// To [`Call::StartRefresh`].
    RefreshCommitted(RefreshCommitted),
    /// To [`Call::FinishRefresh`]: party 2's new share is stored.
    RefreshRevealed(RefreshRevealed),
    /// To [`Call::Retire`]: the other shares are retired.
    Retired,
    /// To [`Call::FinishKeygen`]: party 2's share is stored.
    KeygenStored,
    /// To [`Call::PreparePayment`].
    PaymentPrepared(PaymentPrepared),
    /// To [`Call::SettlePayment`].
    PaymentSettled,
    /// To [`Call::ListPayments`].
    OpenPayments(OpenPayments),
    /// To [`Call::Policy`].
    Policy(#[serde(with = "policy_messages::json")] PolicyAnswer),
    /// To [`Call::Retire`], when party 2 has a recovery record of the named shares.
    RetiredRecorded,
    /// To [`Call::Recovery`].
    Recovery(#[serde(with = "policy_messages::json")] RecoveryAnswer),
}

/// Key generation, phase 1 of party 1.
#[derive(Serialize, Deserialize)]
pub struct StartKeygen {
    /// Party 1's polynomial at 2.
    pub fragment: Scalar,
}

/// Key generation, phases 1 to 3 of party 2.
#[derive(Serialize, Deserialize)]
pub struct KeygenCommitted {
    /// Commitments to the data that party 2 will reveal.
    pub commitments: Commitments,
    /// Party 2's [`Reveal`], sealed with the associated data [`REVEAL`]. Its key follows once
    /// party 1 has committed.
    #[serde(with = "serde_bytes")]
    pub reveal: Vec<u8>,
    /// Party 2's state, sealed. Party 1 returns it with the last call.
    #[serde(with = "serde_bytes")]
    pub kept: Vec<u8>,
}

/// The associated data of a sealed [`Reveal`].
pub const REVEAL: &[u8] = b"hyperdex/keygen/reveal/1";

/// A party's phase-2 commitments.
#[derive(Clone, Serialize, Deserialize)]
pub struct Commitments {
    /// To the proof of its public point.
    pub proof: HashOutput,
    /// To its seed for shares of zero.
    pub zero: TransmitInitZeroSharePhase2to4,
    /// To its part of the chain code.
    pub chain: BroadcastDerivationPhase2to4,
}

/// A party's phase-3 reveals; about 168 KB.
#[derive(Serialize, Deserialize)]
pub struct Reveal {
    /// The proof of its public point.
    pub proof: DLogProof<Curve>,
    /// Its seed for shares of zero.
    pub zero: TransmitInitZeroSharePhase3to4,
    /// Its part of the oblivious transfers.
    #[serde(with = "wire::proofs")]
    pub mul: TransmitInitMulPhase3to4<Curve>,
    /// Its part of the chain code.
    pub chain: BroadcastDerivationPhase3to4,
}

impl Reveal {
    /// Returns the bytes. Call it while the other party is still computing.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // Allocated at full size, so that a growing vector leaves no copies behind.
        let bytes = Vec::with_capacity(192 * 1024);
        #[expect(clippy::expect_used, reason = "a vector takes everything")]
        Zeroizing::new(postcard::to_extend(self, bytes).expect("a vector takes everything"))
    }

    /// Parses the bytes. Returns `None` when they are invalid or have trailing data.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        match postcard::take_from_bytes(bytes) {
            Ok((reveal, [])) => Some(reveal),
            _ => None,
        }
    }
}

/// Key generation, phase 2 of party 1.
#[derive(Serialize, Deserialize)]
pub struct CommitKeygen {
    /// Commitments to the data that party 1 will reveal; fixed from here on.
    pub commitments: Commitments,
}

/// Key generation: party 2 reveals, because party 1 has committed.
#[derive(Serialize, Deserialize)]
pub struct KeygenRevealed {
    /// The key that opens [`KeygenCommitted::reveal`].
    pub key: OnceKey,
}

/// Key generation, phase 3 of party 1.
#[derive(Serialize, Deserialize)]
pub struct FinishKeygen {
    /// Party 1's commitments.
    pub commitments: Commitments,
    /// The bytes of party 1's [`Reveal`].
    #[serde(with = "serde_bytes")]
    pub reveal: Vec<u8>,
    /// [`KeygenCommitted::kept`].
    #[serde(with = "serde_bytes")]
    pub kept: Vec<u8>,
}

/// Why the cosigner refuses. Contains no secret; the cosigner's log has the details.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// The message does not parse, or is of another protocol version.
    #[error("malformed message")]
    Malformed,
    /// The policy does not allow the intent.
    #[error("refused by policy: {0}")]
    Policy(String),
    /// This tenant, wallet and key version has no share.
    #[error("unknown key")]
    UnknownKey,
    /// A share for this key exists already, and is not made again.
    #[error("key exists already")]
    KeyExists,
    /// The session is not open: it never was, has expired, or was used.
    #[error("no such session")]
    NoSession,
    /// The protocol failed on a message of party 1.
    #[error("protocol aborted: {0}")]
    Aborted(String),
    /// The key is barred from signing, because a run detected cheating.
    #[error("key is barred from signing")]
    Barred,
    /// These shares were retired in favour of newer ones. Read the wallet again.
    #[error("these shares were retired for newer ones")]
    Retired,
    /// These shares have not signed together, so no other shares are retired for them.
    #[error("these shares have not signed together")]
    NotConfirmed,
    /// New shares must have a version after this one.
    #[error("the newest version of the shares is {0}")]
    Newest(u32),
    /// Too many runs of these shares are open. Nothing was computed; wait and retry.
    #[error("too many runs of these shares are open")]
    Busy,
    /// All run slots of these shares are lost. They must be refreshed before they sign.
    #[error("these shares must be refreshed before they sign")]
    Worn,
    /// These shares have had their trial already.
    #[error("these shares have had their trial")]
    Tried,
    /// The calling function may not make this call; see `cosigner::callers`.
    #[error("this function may not make this call")]
    NotAllowed,
    /// The wallet or the tenant has had as many signatures of this kind as it may. Nothing was
    /// computed.
    #[error("{reason}")]
    Rate {
        /// Which limit it is.
        reason: String,
        /// The seconds until it ends.
        retry_after_s: u64,
    },
    /// The payment may not be signed.
    #[error("payment refused: {0}")]
    Payment(PaymentRefusal),
    /// The change of the tenant's policy is not allowed.
    #[error("policy change refused: {0}")]
    PolicyChange(PolicyFault),
}

impl From<PaymentRefusal> for Refusal {
    fn from(refusal: PaymentRefusal) -> Self {
        Self::Payment(refusal)
    }
}

impl Refusal {
    /// Returns the kind of refusal, for a metric.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Malformed => "MALFORMED",
            Self::Policy(_) => "POLICY",
            Self::UnknownKey => "UNKNOWN_KEY",
            Self::KeyExists => "KEY_EXISTS",
            Self::NoSession => "NO_SESSION",
            Self::Aborted(_) => "ABORTED",
            Self::Barred => "BARRED",
            Self::Retired => "RETIRED",
            Self::NotConfirmed => "NOT_CONFIRMED",
            Self::Newest(_) => "NEWEST",
            Self::Busy => "BUSY",
            Self::Worn => "WORN",
            Self::Tried => "TRIED",
            Self::NotAllowed => "NOT_ALLOWED",
            Self::Rate { .. } => "RATE",
            Self::Payment(refusal) => refusal.reason(),
            Self::PolicyChange(_) => "POLICY_CHANGE",
        }
    }
}

impl Request {
    /// Returns the invocation's payload.
    #[must_use]
    pub fn to_payload(&self) -> Vec<u8> {
        quoted(self).into_bytes()
    }

    /// Parses a payload.
    ///
    /// # Errors
    /// Fails when it is not a request of this protocol version.
    pub fn from_payload(payload: &str) -> Result<Self, Refusal> {
        let request: Self = from_text(payload).ok_or(Refusal::Malformed)?;
        let is_short = [&request.request_id, &request.caller].iter().all(|it| it.len() <= MAX_NAME);
        if request.protocol == PROTOCOL && is_short { Ok(request) } else { Err(Refusal::Malformed) }
    }
}

impl Answer {
    /// Returns the invocation's response: a JSON string that contains no escapes.
    #[must_use]
    pub fn to_payload(&self) -> Box<RawValue> {
        #[expect(clippy::expect_used, reason = "base64 in quotes is JSON")]
        RawValue::from_string(quoted(self)).expect("base64 in quotes is JSON")
    }

    /// Parses a payload. Returns `None` when it is invalid.
    #[must_use]
    pub fn from_payload(payload: &[u8]) -> Option<Self> {
        let text: Text<'_> = serde_json::from_slice(payload).ok()?;
        from_text(&text.0)
    }
}

fn to_bytes<T: Serialize>(message: &T) -> Vec<u8> {
    // Capacity for the largest message of a signature.
    let bytes = Vec::with_capacity(80 * 1024);
    #[expect(clippy::expect_used, reason = "a vector takes everything")]
    postcard::to_extend(message, bytes).expect("a vector takes everything")
}

/// Writes a JSON string into a buffer of the right size, because growing one copies 100 KB.
fn quoted<T: Serialize>(message: &T) -> String {
    let text = STANDARD.encode_to_string(to_bytes(message));
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    quoted.push_str(&text);
    quoted.push('"');
    quoted
}

/// The content of a JSON string; borrowed when it contains no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Refuses trailing bytes after the message.
fn from_text<T: for<'de> Deserialize<'de>>(text: &str) -> Option<T> {
    let bytes = STANDARD.decode_to_vec(text).ok()?;
    match postcard::take_from_bytes(&bytes) {
        Ok((message, [])) => Some(message),
        _ => None,
    }
}
