//! Detects a table that was restored to an older moment. A restore makes a table with another id,
//! and an older table lacks the newest seal, which is kept in a table of its own.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use platform::items::{Item, StoreError, unavailable};
use tokio::sync::OnceCell;

use super::chain::{Chain, Place};
use super::store::Chains;
use crate::party::{CallError, Cosigner};

/// Time after the chains' id was made in which the first seal may be missing, in milliseconds. The
/// job seals once a day.
const UNSEALED_MS: u64 = 2 * 24 * 60 * 60 * 1_000;

/// What stands for "no seal" where the root authority accepts a place.
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
    /// The hash of the newest seal outside the table, if the table lacks it; `none` if there is no
    /// such seal.
    missing_seal: Option<String>,
}

impl Origin {
    /// Returns the place of a chain that begins now.
    pub(super) fn began(&self) -> Place {
        Place { table_id: self.began_in.clone(), accepted_seal: None }
    }

    /// Returns the table as found, which `resume` accepts.
    pub(super) fn found(&self) -> Place {
        Place { table_id: self.table_id.clone(), accepted_seal: self.missing_seal.clone() }
    }

    /// Returns whether payments are on: the chain belongs to this table, and the table has the
    /// newest seal.
    pub(super) fn payments_on(&self, chain: &Chain) -> bool {
        let seal_is_known = self.missing_seal.is_none()
            || self.missing_seal.as_ref() == chain.place.accepted_seal.as_ref();
        chain.place.table_id == self.table_id && seal_is_known
    }
}

/// The origin, read once by each process, and again while a seal is missing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins {
    known: Arc<OnceCell<Origin>>,
    /// The table that holds the newest seal, if there is one.
    pub(crate) seals_table: Option<String>,
}

impl Cosigner {
    /// Returns the origin.
    pub(super) async fn origin(&self) -> Result<Origin, CallError> {
        if let Some(known) = self.origins.known.get() {
            return Ok(known.clone());
        }
        let table_id = self.table_id().await?;
        let chains = self.chains(&table_id).await?;
        let missing_seal = self.missing_seal(chains.created_at_ms).await?;
        let Chains { chain_id, table_id: began_in, .. } = chains;
        let origin = Origin { chain_id, began_in, table_id, missing_seal };
        if origin.missing_seal.is_none() {
            // Another call may have come first, with the same result.
            let _ = self.origins.known.set(origin.clone());
        } else {
            tracing::error!("the table lacks the newest seal: payments are off");
        }
        Ok(origin)
    }

    async fn table_id(&self) -> Result<String, StoreError> {
        let described = self.shares.db.describe_table().table_name(&self.shares.table).send().await;
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

    /// Reads the chains' id, and makes it the first time.
    async fn chains(&self, table_id: &str) -> Result<Chains, CallError> {
        if let Some(chains) = self.shares.chains().await? {
            return Ok(chains);
        }
        let random: [u8; 16] = self.random.bytes()?;
        let chains = Chains {
            schema: 1,
            chain_id: hex::encode(random),
            table_id: table_id.to_owned(),
            created_at_ms: self.clock.now_ms(),
        };
        match self.shares.begin_chains(&chains).await {
            Ok(()) => Ok(chains),
            // Another call came first, or the response to this write was lost.
            Err(StoreError::Conflict) => {
                let found = self.shares.chains().await?;
                Ok(found.ok_or(StoreError::Conflict)?)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the newest seal outside the table, if the table lacks it.
    async fn missing_seal(&self, created_at_ms: u64) -> Result<Option<String>, StoreError> {
        let Some(seals) = &self.origins.seals_table else { return Ok(None) };
        let key = HashMap::from([
            ("pk".to_owned(), AttributeValue::S("seals".to_owned())),
            ("sk".to_owned(), AttributeValue::S("newest".to_owned())),
        ]);
        let newest = self.shares.db.get_item().table_name(seals).set_key(Some(key));
        let newest = newest.consistent_read(true).send().await.map_err(unavailable)?.item;
        let Some((number, hash)) = newest.as_ref().and_then(seal_of) else {
            let is_young = self.clock.now_ms() < created_at_ms.saturating_add(UNSEALED_MS);
            return Ok((!is_young).then(|| NO_SEAL.to_owned()));
        };
        let key = HashMap::from([
            ("pk".to_owned(), AttributeValue::S("seals".to_owned())),
            ("sk".to_owned(), AttributeValue::S(format!("seal#{number:012}"))),
        ]);
        let inside = self.shares.get(key).await?;
        let has = inside.as_ref().and_then(seal_of).is_some_and(|(_, inside)| inside == hash);
        Ok((!has).then_some(hash))
    }
}

/// Returns a seal's number and hash.
fn seal_of(item: &Item) -> Option<(u64, String)> {
    let number = item.get("number")?.as_n().ok()?.parse().ok()?;
    Some((number, item.get("hash")?.as_s().ok()?.clone()))
}
