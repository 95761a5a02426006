//! `hyperdex policy`: the payment policy for its approvers and for operators.
//!
//! Security invariant: an approver signs a text that this process builds from the approver's own
//! options. From the service come only the chain's id, the number of the change, the hash before it
//! and, for an approval, the time until which approvals count; all are shown before the signature.

mod arguments;
mod error;
mod export;
mod keygen;
mod output;
mod service;
mod sign;
mod wire;

use std::path::PathBuf;

use clap::Subcommand;
use domain::money::Payment;
use domain::policy::{
    Approval, Authority, Change, PolicyState, Proposal, Quorum, change_text, payment_text,
};
use uuid::Uuid;
use zeroize::Zeroizing;

pub use self::error::PolicyCommandError;

use self::arguments::{ChangeArgs, PlaceArgs, SignerArgs, expiry};
use self::keygen::keygen;
use self::output::{show_payments, show_record, show_state, show_terms};
use self::service::Service;
use self::sign::{Signer, explain};
use super::arguments::{Expiry, Output, Place};

/// Time for which approvals count when no option says otherwise.
const VALIDITY_MS: u64 = 3 * 24 * 60 * 60 * 1_000;

/// A command on a payment policy.
#[derive(Clone, Debug, Subcommand)]
pub enum PolicyCommand {
    /// Make an approver's key, and print its public half
    Keygen {
        /// The approver's id: 1 to 32 characters of a-z 0-9 -
        id: String,
        /// New key file; default: ID.pem
        #[arg(long, conflicts_with = "kms_key")]
        key: Option<PathBuf>,
        /// An existing ECC_NIST_P256 key in AWS KMS instead of a file
        #[arg(long)]
        kms_key: Option<String>,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        place: PlaceArgs,
    },
    /// Show authority, limits, destinations and pending changes
    Show {
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        place: PlaceArgs,
    },
    /// List signed payments that may still be made
    ///
    /// Also lists payments that the service has reported as settled. The cosigner cannot verify a
    /// report. Nothing can recall a signed payment.
    Payments {
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        place: PlaceArgs,
    },
    /// Sign a change and submit it
    Propose {
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        change: ChangeArgs,
        /// Until when approvals count: a duration or an RFC 3339 time
        #[arg(long, value_parser = expiry)]
        not_after: Option<Expiry>,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        signer: SignerArgs,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        place: PlaceArgs,
    },
    /// Sign a pending change that you describe yourself
    Approve {
        /// Number of the pending change
        sequence: u64,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        change: ChangeArgs,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        signer: SignerArgs,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        place: PlaceArgs,
    },
    /// Cancel a pending change
    ///
    /// An approver signs the cancellation. With --cosigner, an operator cancels without a signature.
    Cancel {
        /// Number of the pending change
        sequence: u64,
        /// Cancel as the operator, with your AWS credentials alone
        #[arg(long, conflicts_with_all = ["key", "kms_key", "signature", "api_url"])]
        as_operator: bool,
        /// Until when approvals count: a duration or an RFC 3339 time
        #[arg(long, value_parser = expiry)]
        not_after: Option<Expiry>,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        signer: SignerArgs,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        place: PlaceArgs,
    },
    /// Stop a tenant's payments as the operator
    ///
    /// Needs neither a signature nor the number of a change, so no other change can come first. Use it
    /// with --cosigner and the credentials of the cosigner's account. Approvers lift the freeze.
    Freeze {
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        place: PlaceArgs,
    },
    /// Sign one payment, and print the approval for its request
    ApprovePayment {
        /// The wallet that pays
        wallet_id: Uuid,
        /// The payment's id, as the refusal names it
        payment_id: String,
        /// A file with the payment that you approve, in JSON
        #[arg(long)]
        payment: PathBuf,
        /// Until when the approval counts, Unix seconds, as the refusal names it
        #[arg(long)]
        not_after: u64,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        signer: SignerArgs,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        place: PlaceArgs,
    },
}

impl PolicyCommand {
    const fn place(&self) -> &PlaceArgs {
        match self {
            Self::Keygen { place, .. }
            | Self::Show { place }
            | Self::Payments { place }
            | Self::Propose { place, .. }
            | Self::Approve { place, .. }
            | Self::Cancel { place, .. }
            | Self::Freeze { place }
            | Self::ApprovePayment { place, .. } => place,
        }
    }
}

/// Runs a command. `asks` asks a person for confirmation; it returns `None` without a terminal.
///
/// # Errors
/// Fails when an option is wrong, the signer cannot be used, or the service refuses.
pub async fn run(
    command: &PolicyCommand,
    place: &Place<'_>,
    api_key: Option<Zeroizing<String>>,
    asks: impl FnOnce(&str) -> Option<bool>,
    output: &impl Output,
) -> Result<(), PolicyCommandError> {
    if let PolicyCommand::Keygen { id, key, kms_key, place: at } = command {
        return keygen(id, key.clone(), kms_key.as_deref(), (at, place), output).await;
    }
    let service = Service::find(command.place(), place, api_key).await?;
    let session = Session { service: &service, args: command.place(), place };
    let done = session.run(command, asks, output).await;
    service.close().await;
    done
}

/// A command that has found its policy.
struct Session<'a> {
    service: &'a Service,
    args: &'a PlaceArgs,
    place: &'a Place<'a>,
}

impl Session<'_> {
    async fn run(
        &self,
        command: &PolicyCommand,
        asks: impl FnOnce(&str) -> Option<bool>,
        output: &impl Output,
    ) -> Result<(), PolicyCommandError> {
        let tenant = &self.args.tenant;
        match command {
            PolicyCommand::Keygen { .. } => Ok(()),
            PolicyCommand::Show { .. } => {
                let state = self.service.state(tenant).await?;
                let whose = match self.service {
                    Service::Api(_) => "the tenant of HYPERDEX_API_KEY",
                    Service::Local(_) | Service::Cosigner(_) => tenant.as_str(),
                };
                show_state(whose, &state, self.place.clock.now_ms(), output);
                Ok(())
            }
            PolicyCommand::Payments { .. } => self.payments(output).await,
            PolicyCommand::Propose { change, not_after, signer, .. } => {
                self.propose(change.change()?, *not_after, signer, asks, output).await
            }
            PolicyCommand::Approve { sequence, change, signer, .. } => {
                self.approve(*sequence, change.change()?, signer, asks, output).await
            }
            PolicyCommand::Cancel { sequence, as_operator: true, .. } => {
                let record = self.service.cancel(tenant, *sequence).await?;
                show_record(&record, self.place.clock.now_ms(), output);
                Ok(())
            }
            PolicyCommand::Cancel { sequence, not_after, signer, .. } => {
                let change = Change::Cancel { seq: *sequence };
                self.propose(change, *not_after, signer, asks, output).await
            }
            PolicyCommand::Freeze { .. } => {
                let record = self.service.freeze(tenant).await?;
                show_record(&record, self.place.clock.now_ms(), output);
                self.payments(output).await
            }
            PolicyCommand::ApprovePayment {
                wallet_id,
                payment_id,
                payment,
                not_after,
                signer,
                ..
            } => {
                let payment = (*wallet_id, payment_id.as_str(), payment);
                self.approve_payment(payment, *not_after, signer, asks, output).await
            }
        }
    }

    /// Reads the policy, and checks that its chain is the expected one.
    async fn state(&self) -> Result<PolicyState, PolicyCommandError> {
        let state = self.service.state(&self.args.tenant).await?;
        match &self.args.chain_id {
            Some(expected) if *expected != state.chain_id => {
                Err(PolicyCommandError::OtherChain(state.chain_id))
            }
            _ => Ok(state),
        }
    }

    /// Lists the counted payments of all pages.
    async fn payments(&self, output: &impl Output) -> Result<(), PolicyCommandError> {
        let (mut all, mut from) = (Vec::new(), None);
        loop {
            let page = self.service.payments(&self.args.tenant, from).await?;
            all.extend(page.payments);
            match page.next {
                Some(next) => from = Some(next),
                None => break,
            }
        }
        show_payments(&all, self.place.clock.now_ms(), output);
        Ok(())
    }

    fn until_s(&self, not_after: Option<Expiry>) -> u64 {
        let now_ms = self.place.clock.now_ms();
        not_after.unwrap_or(Expiry::After(VALIDITY_MS)).at_ms(now_ms) / 1_000
    }

    async fn propose(
        &self,
        change: Change,
        not_after: Option<Expiry>,
        signer: &SignerArgs,
        asks: impl FnOnce(&str) -> Option<bool>,
        output: &impl Output,
    ) -> Result<(), PolicyCommandError> {
        let tenant = &self.args.tenant;
        let state = self.state().await?;
        self.check_export(&change, &state).await?;
        let (seq, not_after_s) = (state.seq + 1, self.until_s(not_after));
        let prev_hash = state.head_hash.clone();
        let text = change_text(&state.chain_id, tenant, seq, &prev_hash, &change, not_after_s);
        let Some(approval) = self.signed(&state, signer, &text, asks, output).await? else {
            return Ok(());
        };
        let (quorum, approvals) = (signer.quorum.into(), vec![approval]);
        let is_freeze = matches!(change, Change::Freeze {});
        let proposal = Proposal { seq, prev_hash, change, not_after_s, quorum, approvals };
        let record = self.service.propose(tenant, proposal).await?;
        show_record(&record, self.place.clock.now_ms(), output);
        // A freeze recalls nothing that is signed.
        if is_freeze { self.payments(output).await } else { Ok(()) }
    }

    async fn approve(
        &self,
        seq: u64,
        change: Change,
        signer: &SignerArgs,
        asks: impl FnOnce(&str) -> Option<bool>,
        output: &impl Output,
    ) -> Result<(), PolicyCommandError> {
        let tenant = &self.args.tenant;
        let state = self.state().await?;
        let pending = state.pending.iter().find(|pending| pending.seq == seq);
        let pending = pending.ok_or(PolicyCommandError::NotPending(seq))?;
        if pending.change != change {
            let change = domain::policy::canonical_json(&pending.change).unwrap_or_default();
            return Err(PolicyCommandError::OtherChange { sequence: seq, change });
        }
        self.check_export(&change, &state).await?;
        let (prev, not_after_s) = (&pending.prev_hash, pending.not_after_s);
        let text = change_text(&state.chain_id, tenant, seq, prev, &change, not_after_s);
        let Some(approval) = self.signed(&state, signer, &text, asks, output).await? else {
            return Ok(());
        };
        let record = self.service.approve(tenant, seq, approval).await?;
        show_record(&record, self.place.clock.now_ms(), output);
        Ok(())
    }

    async fn approve_payment(
        &self,
        (wallet_id, payment_id, file): (Uuid, &str, &PathBuf),
        not_after_s: u64,
        signer: &SignerArgs,
        asks: impl FnOnce(&str) -> Option<bool>,
        output: &impl Output,
    ) -> Result<(), PolicyCommandError> {
        let failed = |cause: String| PolicyCommandError::Payment { path: file.clone(), cause };
        let json = std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
        let payment: Payment =
            serde_json::from_str(&json).map_err(|error| failed(error.to_string()))?;
        let state = self.state().await?;
        let (tenant, chain) = (&self.args.tenant, &state.chain_id);
        let text = payment_text(chain, tenant, wallet_id, payment_id, &payment, not_after_s);
        let text = text.map_err(|error| failed(error.to_string()))?;
        let Some(approval) = self.signed(&state, signer, &text, asks, output).await? else {
            return Ok(());
        };
        output.say(&serde_json::json!(approval).to_string());
        Ok(())
    }

    /// Shows a text and signs it. Returns `None` without a signer: the text was explained.
    async fn signed(
        &self,
        state: &PolicyState,
        signer: &SignerArgs,
        text: &str,
        asks: impl FnOnce(&str) -> Option<bool>,
        output: &impl Output,
    ) -> Result<Option<Approval>, PolicyCommandError> {
        let authority: Option<&Authority> = match signer.quorum.into() {
            Quorum::Tenant => state.authority.as_ref(),
            Quorum::Root => state.root_authority.as_ref(),
        };
        let authority = authority.ok_or(PolicyCommandError::NoAuthority)?;
        let Some(ready) = Signer::open(signer, self.args, &self.place.clock).await? else {
            explain(signer, text, output)?;
            return Ok(None);
        };
        let approver = ready.approver(signer.approver.as_deref(), authority)?;
        show_terms(&approver, text, output);
        if !signer.yes && asks("Sign this?") == Some(false) {
            return Err(PolicyCommandError::Declined);
        }
        ready.sign(approver, text).await.map(Some)
    }
}
