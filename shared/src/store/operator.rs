//! An operator's freeze of a wallet, and its lifting.
//!
//! An operator's freeze is `operatorFreeze` on the wallet's record. `frozen` is separate: a failed
//! protocol run sets it, and no operator can lift it. The record keeps each action with its
//! operator, time and reason. Operators write only through these functions, which change no other
//! attribute: their IAM policy (`docs/guides/operations.md`) names these two.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::{Tenant, WalletRef};
use platform::items::{Item, StoreError, unavailable};
use serde::{Deserialize, Serialize};

use super::{RECORD, Store, WalletRecord, key, wallet_key};

/// The attribute that exists while an operator's freeze is in force.
pub(super) const OPERATOR_FREEZE: &str = "operatorFreeze";

/// Maximum length of a reason, in characters.
pub const MAX_REASON: usize = 200;

/// Number of actions that a record keeps; older ones are dropped.
pub const MAX_OPERATOR_ACTIONS: usize = 50;

/// The kinds of operator actions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperatorActionKind {
    /// Bars the wallet from signing anything except the removal of its trading keys.
    Freeze,
    /// Lifts an operator's freeze.
    Unfreeze,
}

/// An operator's action, as kept on the wallet's record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperatorAction {
    /// The action.
    pub action: OperatorActionKind,
    /// Time of the action, Unix milliseconds.
    pub at_ms: u64,
    /// The operator: an IAM principal's ARN, or a user of the local machine.
    pub by: String,
    /// The reason.
    pub reason: String,
}

/// A wallet after an operator's action.
#[derive(Clone, Debug)]
pub enum Operated {
    /// The action changed the wallet.
    Changed(WalletRecord),
    /// The wallet was in that state already; nothing changed.
    Unchanged(WalletRecord),
}

/// Why an operator's action failed.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// The tenant has no such wallet.
    #[error("the tenant has no such wallet; check NAME and --tenant")]
    NotFound,
    /// A failed protocol run has barred the wallet.
    #[error(
        "the wallet is barred permanently: a protocol run with the cosigner failed; unfreeze lifts \
         an operator's freeze only; see \"Freeze a wallet\" in docs/guides/operations.md"
    )]
    Barred,
    /// Another operator acted on the wallet at the same time.
    #[error("another operator acted on this wallet at the same time; check it and retry")]
    Overtaken,
    /// The table could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OperatorAction {
    /// Checks a reason: 1 to [`MAX_REASON`] characters without control characters.
    ///
    /// # Errors
    /// Returns the expectation.
    pub fn check_reason(text: &str) -> Result<(), &'static str> {
        let length = text.trim().chars().count();
        if (1..=MAX_REASON).contains(&length) && !text.chars().any(char::is_control) {
            Ok(())
        } else {
            Err("expected 1 to 200 characters, without control characters")
        }
    }
}

impl Store {
    /// Applies an operator's action to a tenant's wallet. One conditional write sets the freeze
    /// and records the action; it fails if another operator acted since the wallet was read.
    ///
    /// # Errors
    /// Fails when the wallet does not exist, a wallet to unfreeze was barred by a failed protocol
    /// run, another operator acted first, or the table fails.
    pub async fn operate(
        &self,
        tenant: &Tenant,
        name: &WalletRef,
        action: &OperatorAction,
    ) -> Result<Operated, OperateError> {
        let mut wallet = self.find(tenant, name).await?.ok_or(OperateError::NotFound)?.wallet;
        let freezes = action.action == OperatorActionKind::Freeze;
        if !freezes && wallet.frozen {
            return Err(OperateError::Barred);
        }
        if freezes == wallet.operator_freeze.is_some() {
            return Ok(Operated::Unchanged(wallet));
        }
        let known = std::mem::take(&mut wallet.operator_actions);
        wallet.operator_freeze = freezes.then(|| action.clone());
        let dropped = (known.len() + 1).saturating_sub(MAX_OPERATOR_ACTIONS);
        let kept = known.iter().skip(dropped).cloned();
        wallet.operator_actions = kept.chain([action.clone()]).collect();
        match self.put_action(&wallet, &known).await {
            Ok(()) => Ok(Operated::Changed(wallet)),
            Err(StoreError::Conflict) => {
                // The SDK retries a write whose response is lost; then this action is already
                // recorded.
                let found = self.find(tenant, name).await?.ok_or(OperateError::NotFound)?.wallet;
                if found.operator_actions.last() == Some(action) {
                    Ok(Operated::Changed(found))
                } else {
                    Err(OperateError::Overtaken)
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a wallet's operator attributes if its actions are still the `known` ones.
    async fn put_action(
        &self,
        wallet: &WalletRecord,
        known: &[OperatorAction],
    ) -> Result<(), StoreError> {
        let freeze = if wallet.operator_freeze.is_some() { ", #freeze = :freeze" } else { "" };
        let lift = if freeze.is_empty() { " REMOVE #freeze" } else { "" };
        let unchanged =
            if known.is_empty() { "attribute_not_exists(#actions)" } else { "#actions = :known" };
        let mut update = self
            .db
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&wallet_key(&wallet.tenant, wallet.wallet_id), RECORD)))
            .update_expression(format!("SET #actions = :actions{freeze}{lift}"))
            .condition_expression(format!("attribute_exists(pk) AND {unchanged}"))
            .expression_attribute_names("#freeze", OPERATOR_FREEZE)
            .expression_attribute_names("#actions", "operatorActions")
            .expression_attribute_values(":actions", list(&wallet.operator_actions)?);
        if let Some(freeze) = &wallet.operator_freeze {
            update = update.expression_attribute_values(":freeze", map(freeze)?);
        }
        if !known.is_empty() {
            update = update.expression_attribute_values(":known", list(known)?);
        }
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => {
                    Err(StoreError::Conflict)
                }
                _ => Err(unavailable(error)),
            },
        }
    }
}

fn map(action: &OperatorAction) -> Result<AttributeValue, StoreError> {
    let item: Item = serde_dynamo::to_item(action).map_err(|error| StoreError::Damaged {
        what: "operator action",
        cause: error.to_string(),
    })?;
    Ok(AttributeValue::M(item))
}

fn list(actions: &[OperatorAction]) -> Result<AttributeValue, StoreError> {
    actions.iter().map(map).collect::<Result<_, _>>().map(AttributeValue::L)
}
