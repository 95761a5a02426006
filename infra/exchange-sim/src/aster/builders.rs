//! Builder codes: `approveBuilder`, `updateBuilder`, `DELETE builder`, the account's list, and the
//! builder of an order.

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::manage::authenticate;
use super::{Exchange, Parameters, accounts::NONCE_LIFE_MS, reads, refusal::Refusal, success};
use crate::{lock, market::Num};

/// Maximum fee rate for futures.
const HIGHEST: &str = "0.001";

/// Maximum number of an account's builders. The real number is not published.
const MOST_BUILDERS: usize = 10;

/// Maximum length of a name. The real number is not published.
const LONGEST_NAME: usize = 20;

/// A builder that an account has approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Approved {
    builder: Address,
    max_fee_rate: Num,
    name: String,
}

fn refuse<T>(text: &str) -> Result<T, Refusal> {
    Err(Refusal::Trade(-1_130, text.to_owned()))
}

/// Reads a plain decimal.
fn rate(text: &str, name: &'static str) -> Result<Num, Refusal> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    Num::parse(text).filter(|_| is_plain).ok_or(Refusal::Invalid(name))
}

fn read_rate(parameters: &Parameters) -> Result<Num, Refusal> {
    let rate = rate(parameters.text("maxFeeRate")?, "maxFeeRate")?;
    if Num::parse(HIGHEST).is_none_or(|highest| rate > highest) {
        return refuse("Exceed max builder fee rate");
    }
    Ok(rate)
}

/// Approves a builder.
pub(super) fn approve(exchange: &Exchange, parameters: &Parameters) -> Result<Value, Refusal> {
    let (builder, max_fee_rate) = (parameters.address("builder")?, read_rate(parameters)?);
    let name = parameters.text("builderName")?.to_owned();
    let user = authenticate(exchange, parameters, "ApproveBuilder")?;
    if builder == user {
        return refuse("User address and builder address can not be the same");
    }
    if name.len() > LONGEST_NAME {
        return refuse("Builder name length exceed max length");
    }
    let requires_deposit = exchange.rules().require_deposit;
    let mut accounts = lock(&exchange.0.accounts);
    if requires_deposit && !accounts.has_deposited(builder) {
        return Err(Refusal::UnknownBuilder(builder.to_string()));
    }
    let approved = accounts.builders_mut(user);
    if approved.iter().any(|known| known.name == name || known.builder == builder) {
        return refuse("Exist builder name");
    }
    if approved.len() >= MOST_BUILDERS {
        return refuse("Exceed max builders per user");
    }
    approved.push(Approved { builder, max_fee_rate, name });
    Ok(success())
}

/// Changes the fee of an approved builder.
pub(super) fn update(exchange: &Exchange, parameters: &Parameters) -> Result<Value, Refusal> {
    let (builder, max_fee_rate) = (parameters.address("builder")?, read_rate(parameters)?);
    let user = authenticate(exchange, parameters, "UpdateBuilder")?;
    let mut accounts = lock(&exchange.0.accounts);
    let mut approved = accounts.builders_mut(user).iter_mut();
    match approved.find(|known| known.builder == builder) {
        Some(known) => known.max_fee_rate = max_fee_rate,
        None => return refuse("No builder found"),
    }
    Ok(success())
}

/// Removes an approved builder.
pub(super) fn delete(exchange: &Exchange, parameters: &Parameters) -> Result<Value, Refusal> {
    let builder = parameters.address("builder")?;
    let user = authenticate(exchange, parameters, "DelBuilder")?;
    let mut accounts = lock(&exchange.0.accounts);
    let approved = accounts.builders_mut(user);
    let before = approved.len();
    approved.retain(|known| known.builder != builder);
    if approved.len() == before { refuse("No builder found") } else { Ok(success()) }
}

/// Lists the account's builders for one of its agents. Works without a deposit.
pub(super) fn list(exchange: &Exchange, parameters: &Parameters) -> Result<Value, Refusal> {
    let user = reads::authenticate(exchange, parameters, NONCE_LIFE_MS)?;
    let mut accounts = lock(&exchange.0.accounts);
    let shown = accounts.builders_mut(user).iter().map(|known| {
        json!({
            "userAddress": user.to_string(),
            "builderAddress": known.builder.to_string(),
            "maxFeeRate": known.max_fee_rate.text(),
            "builderName": known.name,
        })
    });
    Ok(shown.collect())
}

impl Exchange {
    /// Returns the fee rate that an account has approved for a builder, if it has.
    #[must_use]
    pub fn builder_rate_of(&self, user: Address, builder: Address) -> Option<String> {
        self.0.edge.run_late();
        let mut accounts = lock(&self.0.accounts);
        let mut approved = accounts.builders_mut(user).iter();
        approved.find(|known| known.builder == builder).map(|known| known.max_fee_rate.text())
    }

    /// Removes a builder's approval, as if the account's owner had done so elsewhere.
    pub fn remove_builder(&self, user: Address, builder: Address) {
        lock(&self.0.accounts).builders_mut(user).retain(|known| known.builder != builder);
    }

    /// Returns the sum of the fees that an account has paid to a builder.
    #[must_use]
    pub fn paid_to_builder(&self, user: Address, builder: Address) -> String {
        self.0.edge.run_late();
        lock(&self.0.engine).paid_to_builder(user, builder).text()
    }
}

/// The builders that a trader has approved.
#[derive(Clone, Default)]
pub(super) struct Builders(Vec<Approved>);

impl Builders {
    pub(super) fn of(approved: &[Approved]) -> Self {
        Self(approved.to_vec())
    }

    /// Returns the builder of an order and its fee in millionths, from the order's fields.
    pub(super) fn of_order(
        &self,
        builder: Option<&str>,
        fee_rate: Option<&str>,
    ) -> Result<Option<(Address, Num)>, Refusal> {
        let Some(builder) = builder else {
            return if fee_rate.is_some() { Err(Refusal::Missing("builder")) } else { Ok(None) };
        };
        let rate = rate(fee_rate.ok_or(Refusal::Missing("feeRate"))?, "feeRate")?;
        let address = crate::parse_address(builder).ok_or(Refusal::Invalid("builder"))?;
        match self.0.iter().find(|known| known.builder == address) {
            None => refuse("No builder found"),
            Some(known) if rate > known.max_fee_rate => refuse("Exceed max builder fee rate"),
            Some(_) => Ok(Some((address, rate))),
        }
    }
}
