//! Making a payment.
//!
//! 1. Find the wallet, and the record of the payment's id. A known payment is returned, looked up,
//!    or resumed.
//! 2. Plan the payment, and store it as accepted.
//! 3. Sign it with the cosigner, which decides, counts and sets the nonces.
//! 4. Store the signed bytes.
//! 5. Send them, and store the outcome.
//!
//! A process that dies before 4 has sent nothing; a repeat of the request gets the same signatures
//! from the cosigner. After 4 the bytes may have been sent, and the outcome is looked for.

use domain::ids::WalletRef;
use domain::money::{Nonces, Payment, Sent as Bytes};
use platform::env::ConfigError;
use platform::items::{SCHEMA, StoreError};
use protocol::{Charge, PaymentOrder, PaymentRefusal};

use super::plan::PlanFor;
use super::track::Holder;
use super::{LEASE_MS, MoneyError, PaymentRequest, Quote, REQUEST_MS, Tracker, payment_id};
use crate::caller::Caller;
use crate::exchanges::budget::Spender;
use crate::runtime::Runtime;
use crate::store::{ExpectedCosts, PaymentRecord, PaymentState, SignedPayment, WalletRecord};
use crate::wallets::{Custody, PaySignError};

/// How long approvers may sign the text of a payment, in seconds.
const APPROVAL_S: u64 = 24 * 60 * 60;

/// Makes payments at one place.
#[derive(Clone, Debug)]
pub struct Payer {
    /// Party 1 of the wallets' keys.
    pub custody: Custody,
    /// The payments.
    pub tracker: Tracker,
}

/// The result of a request.
#[derive(Debug)]
pub enum Paid {
    /// The payment in its present state.
    Payment {
        /// The wallet.
        wallet: Box<WalletRecord>,
        /// The payment.
        record: Box<PaymentRecord>,
        /// Whether an earlier request made the payment.
        is_replay: bool,
    },
    /// The payment with its costs. Nothing was signed or stored.
    Quote {
        /// The wallet.
        wallet: Box<WalletRecord>,
        /// The payment.
        quote: Box<Quote>,
        /// What the cosigner would say.
        verdict: Result<Vec<Charge>, PaymentRefusal>,
    },
}

impl Payer {
    /// Returns the payer at Hyperliquid, with clients from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing or invalid variable.
    pub fn hyperliquid_from_env(runtime: &Runtime<'_>) -> Result<Self, ConfigError> {
        let tracker = Tracker::hyperliquid_from_env(runtime, Spender::Caller)?;
        Ok(Self { custody: Custody::from_env(runtime)?, tracker })
    }

    /// Returns the payer at Aster, with clients from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing or invalid variable.
    pub fn aster_from_env(runtime: &Runtime<'_>) -> Result<Self, ConfigError> {
        let tracker = Tracker::aster_from_env(runtime, Spender::Caller)?;
        Ok(Self { custody: Custody::from_env(runtime)?, tracker })
    }

    /// Returns the payer on EVM chains, with clients from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing or invalid variable.
    pub fn evm_from_env(runtime: &Runtime<'_>) -> Result<Self, ConfigError> {
        let tracker = Tracker::evm_from_env(runtime, Spender::Caller)?;
        Ok(Self { custody: Custody::from_env(runtime)?, tracker })
    }

    /// Makes a payment, returns a known one, or quotes it.
    ///
    /// # Errors
    /// Fails when the payment was not made, or its outcome is not known.
    pub async fn pay(
        &self,
        caller: &Caller,
        name: &WalletRef,
        request: &PaymentRequest,
    ) -> Result<Paid, MoneyError> {
        let until_ms = self.tracker.now_ms() + REQUEST_MS;
        let holder = self.tracker.holder(caller, name).await?;
        if request.dry_run {
            return self.quote(&holder, request).await;
        }
        let key = request.key.as_deref().ok_or(MoneyError::KeyRequired)?;
        let account = &holder.account;
        let venue = request.wanted.venue();
        let id = payment_id(&account.tenant, account.wallet_id, venue, key)?;
        let fingerprint = request.wanted.fingerprint()?;
        if let Some(known) = self.tracker.store.payment(account, &id).await? {
            if known.fingerprint != fingerprint {
                return Err(MoneyError::KeyReused { id });
            }
            return self.known(holder, known, request, until_ms).await;
        }
        let quote = self.plan(&holder, request).await?;
        let now_ms = self.tracker.now_ms();
        let record = PaymentRecord {
            schema: SCHEMA,
            id,
            venue,
            fingerprint,
            payment: quote.payment,
            expected: ExpectedCosts {
                fee: quote.fee,
                fee_asset: quote.fee_asset,
                chain_id: quote.chain_id,
            },
            state: PaymentState::Accepted,
            revision: self.tracker.random.uuid()?,
            approve_until_s: now_ms / 1_000 + APPROVAL_S,
            created_at_ms: now_ms,
            updated_at_ms: now_ms,
            lease_until_ms: now_ms + LEASE_MS,
            signed: None,
            exchange_id: None,
            transaction_hash: None,
            fee_taken: None,
            refusal: None,
            next_check_ms: None,
            checks: 0,
            unreported: false,
        };
        match self.tracker.store.put_payment(account, &record, None).await {
            Ok(()) => self.go_on(holder, record, request, true, until_ms).await,
            Err(StoreError::Conflict) => {
                Err(MoneyError::InProgress { id: record.id, retry_after_s: 1 })
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn plan(&self, holder: &Holder, request: &PaymentRequest) -> Result<Quote, MoneyError> {
        let agent = self.tracker.agent(holder).await?;
        let from = PlanFor {
            tenant: &holder.account.tenant,
            wallet: holder.wallet.address,
            agent: agent.as_ref(),
        };
        self.tracker.plan(from, &request.wanted).await
    }

    /// Quotes a payment, with what the cosigner would say.
    async fn quote(&self, holder: &Holder, request: &PaymentRequest) -> Result<Paid, MoneyError> {
        let quote = self.plan(holder, request).await?;
        let account = &holder.account;
        // The id is not used: nothing is stored under it.
        let key = request.key.as_deref().unwrap_or("dry run");
        let venue = request.wanted.venue();
        let order = PaymentOrder {
            id: payment_id(&account.tenant, account.wallet_id, venue, key)?,
            payment: quote.payment.clone(),
            // The text is new, so no approval is for it.
            approvals: Vec::new(),
            not_after_s: self.tracker.now_ms() / 1_000 + APPROVAL_S,
        };
        let verdict = match self.custody.check_payment(&holder.wallet, &order).await {
            Ok(prepared) => Ok(prepared.charges),
            Err(PaySignError::Refused(refusal)) => Err(refusal),
            Err(error) => return Err(error.into()),
        };
        let wallet = Box::new(holder.wallet.clone());
        Ok(Paid::Quote { wallet, quote: Box::new(quote), verdict })
    }

    /// Returns a known payment, or resumes it.
    async fn known(
        &self,
        holder: Holder,
        known: PaymentRecord,
        request: &PaymentRequest,
        until_ms: u64,
    ) -> Result<Paid, MoneyError> {
        let now_ms = self.tracker.now_ms();
        if known.state != PaymentState::Accepted {
            let record = self.tracker.refreshed(&holder, known).await;
            return result(holder.wallet, record, true, now_ms);
        }
        if now_ms < known.lease_until_ms {
            let retry_after_s = (known.lease_until_ms - now_ms).div_ceil(1_000);
            return Err(MoneyError::InProgress { id: known.id, retry_after_s });
        }
        let id = known.id.clone();
        // After this time the text cannot be signed any more, so approvers get a new one.
        let is_late = now_ms / 1_000 >= known.approve_until_s;
        let renewed = now_ms / 1_000 + APPROVAL_S;
        let approve_until_s = if is_late { renewed } else { known.approve_until_s };
        let known = PaymentRecord { approve_until_s, ..known };
        match self.tracker.take_over(&holder.account, known).await? {
            Some(record) => {
                let paid = self.go_on(holder, record, request, false, until_ms).await;
                if is_late { paid.map_err(MoneyError::with_late_approvals) } else { paid }
            }
            None => Err(MoneyError::InProgress { id, retry_after_s: 1 }),
        }
    }

    /// Signs an accepted payment, stores the bytes, and sends them.
    async fn go_on(
        &self,
        holder: Holder,
        record: PaymentRecord,
        request: &PaymentRequest,
        is_new: bool,
        until_ms: u64,
    ) -> Result<Paid, MoneyError> {
        let order = PaymentOrder {
            id: record.id.clone(),
            payment: record.payment.clone(),
            approvals: request.approvals.clone(),
            not_after_s: record.approve_until_s,
        };
        // Taken before anything is signed, so that signed bytes never wait for it.
        if let Err(error) = self.tracker.take_weight(&holder.account.tenant).await {
            self.give_up(&holder, record, false).await;
            return Err(error);
        }
        let signed = self.custody.sign_payment(&holder.wallet, self.tracker.networks, &order).await;
        let (nonces, bytes) = match signed {
            Ok(signed) => signed,
            Err(error) => {
                self.give_up(&holder, record, is_dropped(&error, is_new)).await;
                return Err(error.into());
            }
        };
        let record = self.store_signed(&holder, record, nonces, &bytes).await?;
        let record = self.tracker.send_first(&holder, record, until_ms).await?;
        let now_ms = self.tracker.now_ms();
        result(holder.wallet, record, false, now_ms)
    }

    /// Ends a call that has signed nothing: forgets the payment, or leaves it to the next request.
    async fn give_up(&self, holder: &Holder, record: PaymentRecord, forget: bool) {
        let ended = if forget {
            self.tracker.store.drop_payment(&holder.account, &record).await
        } else {
            self.release(holder, record).await
        };
        if let Err(error) = ended {
            tracing::warn!(%error, "the lease of a payment was not released");
        }
    }

    async fn release(&self, holder: &Holder, record: PaymentRecord) -> Result<(), StoreError> {
        let seen = record.revision;
        let Ok(revision) = self.tracker.random.uuid() else { return Ok(()) };
        let lease_until_ms = self.tracker.now_ms();
        let released = PaymentRecord { revision, lease_until_ms, ..record };
        self.tracker.store.put_payment(&holder.account, &released, Some(seen)).await
    }

    /// Stores the signed bytes. Nothing has been sent before it.
    async fn store_signed(
        &self,
        holder: &Holder,
        record: PaymentRecord,
        nonces: Nonces,
        bytes: &Bytes,
    ) -> Result<PaymentRecord, MoneyError> {
        let now_ms = self.tracker.now_ms();
        let (body, transaction_hash) = match bytes {
            Bytes::Hyperliquid(body) | Bytes::Aster(body, _) => (body.clone(), None),
            Bytes::Evm { raw, hash } => {
                (format!("0x{}", hex::encode(raw)), Some(format!("0x{}", hex::encode(hash))))
            }
        };
        let seen = record.revision;
        // Without a client of the chain, the caller broadcasts the transaction.
        let is_sent_here = match &record.payment {
            Payment::EvmTokenTransfer(transfer) => {
                self.tracker.chains.get(transfer.chain_id).is_some()
            }
            _ => true,
        };
        let lease_until_ms = now_ms + LEASE_MS;
        let signed = PaymentRecord {
            state: PaymentState::Signed,
            revision: self.tracker.random.uuid()?,
            updated_at_ms: now_ms,
            lease_until_ms: if is_sent_here { lease_until_ms } else { now_ms },
            signed: Some(SignedPayment { nonces, body, at_ms: now_ms, fenced_at_ms: None }),
            transaction_hash,
            next_check_ms: is_sent_here.then_some(lease_until_ms),
            ..record
        };
        match self.tracker.store.put_payment(&holder.account, &signed, Some(seen)).await {
            Ok(()) => Ok(signed),
            // Another request has taken the payment over, and has the same bytes.
            Err(StoreError::Conflict) => {
                Err(MoneyError::InProgress { id: signed.id, retry_after_s: 1 })
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Returns whether a payment is forgotten after this error, so that its key is free: the policy
/// refused it before it was counted. A payment that waits for approvals stays, because its text must
/// not change. An earlier request may have counted one that is not new, unless another payment has its
/// account's nonce.
const fn is_dropped(error: &PaySignError, is_new: bool) -> bool {
    match error {
        PaySignError::Refused(
            PaymentRefusal::ApprovalRequired { .. } | PaymentRefusal::ApprovalInvalid { .. },
        ) => false,
        PaySignError::Refused(PaymentRefusal::AccountNonceTaken { .. }) => true,
        PaySignError::Refused(_) => is_new,
        PaySignError::Held(_) | PaySignError::Sign(_) | PaySignError::Nonsense => false,
    }
}

/// Returns the result of a payment in its present state.
fn result(
    wallet: WalletRecord,
    record: PaymentRecord,
    is_replay: bool,
    now_ms: u64,
) -> Result<Paid, MoneyError> {
    match record.state {
        PaymentState::Unknown => {
            let next_ms = record.next_check_ms.unwrap_or(now_ms);
            let retry_after_s = next_ms.saturating_sub(now_ms).div_ceil(1_000).clamp(1, 60);
            Err(MoneyError::Unknown { record: Box::new(record), retry_after_s })
        }
        PaymentState::Refused => Err(MoneyError::Refused { record: Box::new(record) }),
        PaymentState::Accepted
        | PaymentState::Signed
        | PaymentState::Sent
        | PaymentState::Completed => {
            let (wallet, record) = (Box::new(wallet), Box::new(record));
            Ok(Paid::Payment { wallet, record, is_replay })
        }
    }
}
