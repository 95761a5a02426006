//! Party 1's gate: the limit on unfinished runs of a wallet's share in use.
//!
//! It mirrors the cosigner's gate, and is stored in the wallet's record as the set `runs`. A run
//! takes a place by a conditional write before the first call of the cosigner, and returns it
//! unless the run ends in a ban. A place that is not returned (a ban, a crash, a lost write) stays
//! taken until new shares come into use. A cosigner that cheats therefore learns the outcome of
//! few checks, even if the write that freezes the wallet fails. See
//! `docs/decisions/atomic-ban.md`.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use platform::items::{StoreError, unavailable};
use uuid::Uuid;

use super::operator::OPERATOR_FREEZE;
use super::{RECORD, Store, WalletRecord, key, wallet_key};

/// Maximum number of unfinished runs of a wallet, open ones included.
const PLACES: usize = 4;

/// The place that a run holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunPlace(String);

impl RunPlace {
    /// Names the place of a run that ends by `until_ms` (Unix milliseconds).
    #[must_use]
    pub fn new(run: Uuid, until_ms: u64) -> Self {
        Self(format!("{until_ms}#{run}"))
    }

    fn attribute(&self) -> AttributeValue {
        AttributeValue::Ss(vec![self.0.clone()])
    }
}

/// The result of a request for a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    /// The run holds its place.
    Admitted,
    /// All places are taken. The latest end of their runs is given, Unix milliseconds.
    Full {
        /// End of the last of them.
        until_ms: u64,
    },
    /// The wallet has other shares in use.
    Moved,
    /// The wallet is frozen.
    Frozen,
    /// An operator has frozen the wallet.
    FrozenByOperator,
    /// The wallet does not exist.
    Gone,
}

impl Store {
    /// Takes a place for a run of a wallet's share of this version. `heeds_operator` sets whether
    /// an operator's freeze bars the run.
    ///
    /// # Errors
    /// Fails when the table cannot be written.
    pub async fn begin_run(
        &self,
        wallet: &WalletRecord,
        version: u32,
        place: &RunPlace,
        heeds_operator: bool,
    ) -> Result<Admission, StoreError> {
        let bars = if heeds_operator { " AND attribute_not_exists(#operator)" } else { "" };
        let begun = self
            .db
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&wallet_key(&wallet.tenant, wallet.wallet_id), RECORD)))
            .update_expression("ADD #runs :place")
            // The second clause lets a write succeed again after its response was lost.
            .condition_expression(format!(
                "#frozen = :false AND #version = :version AND \
                 (attribute_not_exists(#runs) OR contains(#runs, :name) OR size(#runs) < :places)\
                 {bars}"
            ))
            .set_expression_attribute_names(Some(names(heeds_operator)))
            .expression_attribute_values(":place", place.attribute())
            .expression_attribute_values(":name", AttributeValue::S(place.0.clone()))
            .expression_attribute_values(":false", AttributeValue::Bool(false))
            .expression_attribute_values(":version", AttributeValue::N(version.to_string()))
            .expression_attribute_values(":places", AttributeValue::N(PLACES.to_string()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match begun {
            Ok(_) => Ok(Admission::Admitted),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => Ok(refused
                    .item()
                    .map_or(Admission::Gone, |item| reason(item, version, heeds_operator))),
                _ => Err(unavailable(error)),
            },
        }
    }

    /// Returns the place of a run.
    ///
    /// # Errors
    /// Fails when the table cannot be written. The place then stays taken.
    pub async fn end_run(&self, wallet: &WalletRecord, place: &RunPlace) -> Result<(), StoreError> {
        self.db
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&wallet_key(&wallet.tenant, wallet.wallet_id), RECORD)))
            .update_expression("DELETE #runs :place")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#runs", "runs")
            .expression_attribute_values(":place", place.attribute())
            .send()
            .await
            .map_err(unavailable)?;
        Ok(())
    }
}

fn names(heeds_operator: bool) -> HashMap<String, String> {
    let always = [("#frozen", "frozen"), ("#version", "keyVersion"), ("#runs", "runs")];
    let operator = heeds_operator.then_some(("#operator", OPERATOR_FREEZE));
    let names = always.into_iter().chain(operator);
    names.map(|(name, attribute)| (name.to_owned(), attribute.to_owned())).collect()
}

/// Returns why the record does not admit a run.
fn reason(
    record: &HashMap<String, AttributeValue>,
    version: u32,
    heeds_operator: bool,
) -> Admission {
    if record.get("frozen") != Some(&AttributeValue::Bool(false)) {
        return Admission::Frozen;
    }
    if heeds_operator && record.contains_key(OPERATOR_FREEZE) {
        return Admission::FrozenByOperator;
    }
    if record.get("keyVersion") != Some(&AttributeValue::N(version.to_string())) {
        return Admission::Moved;
    }
    let runs = record.get("runs").and_then(|runs| runs.as_ss().ok());
    let until = |run: &String| run.split_once('#')?.0.parse().ok();
    let until_ms = runs.into_iter().flatten().filter_map(until).max().unwrap_or_default();
    Admission::Full { until_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(frozen: bool, runs: &[&str]) -> HashMap<String, AttributeValue> {
        let runs = runs.iter().map(|run| (*run).to_owned()).collect();
        HashMap::from([
            ("frozen".to_owned(), AttributeValue::Bool(frozen)),
            ("keyVersion".to_owned(), AttributeValue::N("3".to_owned())),
            ("runs".to_owned(), AttributeValue::Ss(runs)),
        ])
    }

    #[test]
    fn refusal_names_the_first_applicable_reason() {
        let runs = ["1500#a", "900#b", "1200#c", "1000#d"];
        assert_eq!(reason(&record(true, &runs), 3, true), Admission::Frozen);
        assert_eq!(reason(&record(false, &runs), 2, true), Admission::Moved);
        assert_eq!(reason(&record(false, &runs), 3, true), Admission::Full { until_ms: 1_500 });
        let mut operated = record(false, &runs);
        operated.insert(OPERATOR_FREEZE.to_owned(), AttributeValue::M(HashMap::new()));
        assert_eq!(reason(&operated, 3, true), Admission::FrozenByOperator);
        assert_eq!(reason(&operated, 3, false), Admission::Full { until_ms: 1_500 });
    }
}
