//! Detects a table that was restored to an older moment. A restore makes a table with another id,
//! and an older table lacks the newest seal, which is kept in a table of its own.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use platform::items::{Item, StoreError, unavailable};
use tokio::sync::Mutex;

use super::chain::{Chain, Place};
use super::store::Chains;
use crate::store::Shares;

/// Time after the chains' id was made in which the first seal may be missing, in milliseconds. The
/// job seals once a day.
const UNSEALED_MS: u64 = 2 * 24 * 60 * 60 * 1_000;

/// Means "no seal" where the root authority accepts a place.
const NO_SEAL: &str = "none";

/// The deployment's identity, and the state of its table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Origin {
    /// The chains' id.
    pub(crate) chain_id: String,
    /// The id of the table in which the chains began.
    began_in: String,
    /// The id of the table now.
    table_id: String,
    /// The hash of the newest seal outside the table, if the table lacks it; `none` if no seal
    /// exists.
    missing_seal: Option<String>,
}

impl Origin {
    /// Makes the origin of these chains in a table.
    pub(crate) fn new(chains: Chains, table_id: String, missing_seal: Option<String>) -> Self {
        let Chains { chain_id, table_id: began_in, .. } = chains;
        Self { chain_id, began_in, table_id, missing_seal }
    }

    /// Returns whether the table lacks the newest seal.
    pub(crate) const fn lacks_seal(&self) -> bool {
        self.missing_seal.is_some()
    }

    /// Returns the place of a chain that begins now.
    pub(crate) fn began(&self) -> Place {
        Place { table_id: self.began_in.clone(), accepted_seal: None }
    }

    /// Returns the table as found, which `resume` accepts.
    pub(crate) fn found(&self) -> Place {
        Place { table_id: self.table_id.clone(), accepted_seal: self.missing_seal.clone() }
    }

    /// Returns whether payments are on: the chain belongs to this table, and the table has the
    /// newest seal.
    pub(crate) fn payments_on(&self, chain: &Chain) -> bool {
        chain.place.is(&self.found())
    }
}

/// The origin as last read, and when: see `policy_calls::origin`. It is read at each call while a seal
/// is missing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins {
    pub(crate) known: Arc<Mutex<Option<(u64, Origin)>>>,
    /// The table that holds the newest seal, if there is one.
    pub(crate) seals_table: Option<String>,
}

impl Shares {
    /// Reads the table's id.
    pub(crate) async fn table_id(&self) -> Result<String, StoreError> {
        let described = self.db.describe_table().table_name(&self.table).send().await;
        let table = described.map_err(unavailable)?.table;
        // An engine without table ids at least reports the creation time.
        let id = table.and_then(|table| {
            table.table_id.or_else(|| table.creation_date_time.map(|time| time.to_string()))
        });
        id.ok_or_else(|| StoreError::Damaged {
            what: "description of the table",
            cause: "it has no id".to_owned(),
        })
    }

    /// Returns the newest seal that the table `seals` keeps, if this table lacks it.
    pub(crate) async fn missing_seal(
        &self,
        seals: Option<&str>,
        created_at_ms: u64,
        now_ms: u64,
    ) -> Result<Option<String>, StoreError> {
        let Some(seals) = seals else { return Ok(None) };
        let newest = self.db.get_item().table_name(seals).set_key(Some(seal_key("newest")));
        let newest = newest.consistent_read(true).send().await.map_err(unavailable)?.item;
        let Some((number, hash)) = newest.as_ref().and_then(seal_of) else {
            let is_young = now_ms < created_at_ms.saturating_add(UNSEALED_MS);
            return Ok((!is_young).then(|| NO_SEAL.to_owned()));
        };
        let inside = self.get(seal_key(&format!("seal#{number:012}"))).await?;
        let has = inside.as_ref().and_then(seal_of).is_some_and(|(_, inside)| inside == hash);
        Ok((!has).then_some(hash))
    }
}

fn seal_key(sort: &str) -> Item {
    HashMap::from([
        ("pk".to_owned(), AttributeValue::S("seals".to_owned())),
        ("sk".to_owned(), AttributeValue::S(sort.to_owned())),
    ])
}

/// Returns a seal's number and hash.
fn seal_of(item: &Item) -> Option<(u64, String)> {
    let number = item.get("number")?.as_n().ok()?.parse().ok()?;
    Some((number, item.get("hash")?.as_s().ok()?.clone()))
}
