//! `approveBuilderFee` and `maxBuilderFee`, and the builder of an order.

use alloy_primitives::{Address, U256};

use super::{Exchange, actions::use_nonce, book::Role, refusal::Refusal, trade::wire::Orders};
use crate::{
    lock,
    market::{BuilderFee, Num},
};

/// Maximum number of builders that an account approves.
const MOST_BUILDERS: usize = 10;

/// Maximum fee of an approval, which spot orders may have, in tenths of a basis point.
const HIGHEST: u32 = 1_000;

/// Maximum fee of an order for perpetuals. The simulator uses it for spot, too: a strict guess.
const HIGHEST_OF_ORDER: u32 = 100;

/// The signed part of a builder's approval. The chain is the exchange's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApproveBuilder {
    /// Chain id of the domain. The sender may choose any.
    pub signature_chain_id: U256,
    /// Such as `0.05%`, as sent.
    pub max_fee_rate: String,
    /// Address of the builder.
    pub builder: Address,
    /// Milliseconds
    pub nonce: u64,
}

/// Applies an approval of the account `master`.
pub(super) fn approve(
    exchange: &Exchange,
    (master, now): (Address, u64),
    approval: &ApproveBuilder,
) -> Result<(), Refusal> {
    let requires_deposit = exchange.rules().require_deposit;
    let mut book = lock(&exchange.0.book);
    let is_agent = matches!(book.role(master, now), Role::Agent(_));
    if is_agent || (requires_deposit && !book.has_deposited(master)) {
        return Err(Refusal::MustDeposit(master));
    }
    use_nonce(&mut book, master, approval.nonce, now)?;
    if requires_deposit && !book.has_deposited(approval.builder) {
        let text = "Builder has insufficient balance to be approved.";
        return Err(Refusal::Other(text.to_owned()));
    }
    // The real texts of these three are not published.
    let refuse = |text: &str| Err(Refusal::Other(text.to_owned()));
    let Some(tenths) = tenths(&approval.max_fee_rate) else {
        return refuse("Invalid builder fee rate.");
    };
    if tenths > HIGHEST {
        return refuse("Builder fee rate is too high.");
    }
    if !book.approve_builder(master, approval.builder, tenths, MOST_BUILDERS) {
        return refuse("Too many builders approved.");
    }
    Ok(())
}

impl Exchange {
    /// Returns the fee that an account has approved for a builder, in tenths of a basis point.
    #[must_use]
    pub fn builder_fee_of(&self, account: Address, builder: Address) -> u32 {
        self.0.edge.run_late();
        lock(&self.0.book).builder_fee(account, builder)
    }

    /// Sets the fee that an account has approved for a builder, as if its owner had done so
    /// elsewhere; 0 removes the approval.
    pub fn set_builder_fee(&self, account: Address, builder: Address, tenths: u32) {
        lock(&self.0.book).approve_builder(account, builder, tenths, MOST_BUILDERS);
    }

    /// Returns the sum of the fees that an account has paid to a builder.
    #[must_use]
    pub fn paid_to_builder(&self, account: Address, builder: Address) -> String {
        self.0.edge.run_late();
        lock(&self.0.engine).paid_to_builder(account, builder).text()
    }
}

/// Reads a rate such as `0.05%` in tenths of a basis point.
fn tenths(rate: &str) -> Option<u32> {
    let (whole, places) =
        rate.strip_suffix('%')?.split_once('.').unwrap_or((rate.strip_suffix('%')?, ""));
    let is_number = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
    if whole.is_empty() || places.len() > 3 || !is_number(whole) || !is_number(places) {
        return None;
    }
    format!("{whole}{places:0<3}").parse().ok()
}

/// Returns the builder of an action's orders, if the account has approved it.
pub(super) fn of_orders(approved: u32, action: &Orders) -> Result<Option<BuilderFee>, Refusal> {
    let Some(builder) = &action.builder else { return Ok(None) };
    // A fee of 0 requires an approval as well.
    if approved == 0 || builder.f > approved || builder.f > HIGHEST_OF_ORDER {
        return Err(Refusal::Other("Builder fee has not been approved.".to_owned()));
    }
    let rate = Num::ONE.ratio(builder.f.into(), 100_000);
    Ok(Some(BuilderFee { builder: builder.b, rate }))
}
