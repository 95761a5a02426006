//! What an operator does for a recovery: reads the records of a side, makes a transport key, and
//! imports halves. The same code acts on the local stack and on a deployment.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::clock::Clock;
use domain::ids::Tenant;
use domain::random::{Random, RandomError};
use domain::recovery::Verification;
use hyperdex_cloud::names::{COSIGNER_RECOVERY_TABLE, RECOVERY_TABLE};
use platform::items::{Item, StoreError, from_item};
use platform::recovery::{RecoveryTable, Reported, key};
use protocol::recovery::{RecoveryRecord, Side};
use protocol::{Answer, Call, RecoveryAnswer, RecoveryCall, WalletKey};
use serde::{Deserialize, Serialize};
use shared::mpc::{CosignerClient, CosignerError};
use shared::wallets::{Custody, ImportError, RefreshRequested};
use uuid::Uuid;

use crate::endpoints::Endpoints;
use crate::options::Options;

/// A request of an operator for one side.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RecoveryRequest {
    /// Reads a page of the records.
    Page {
        /// The key after which the page begins.
        after: Option<PageKey>,
    },
    /// Makes a transport key, or imports halves.
    Call(RecoveryCall),
    /// Stores the holder's report of a verification.
    Report(Verification),
    /// Makes wallets due for the refresh job at once. Only the endpoint side has wallets.
    RequestRefresh {
        /// The wallets: tenant and walletId.
        wallets: Vec<(Tenant, Uuid)>,
    },
}

/// The key of an item: partition and sort key.
pub type PageKey = (String, String);

/// The reply to a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RecoveryReply {
    /// A page of records.
    Page {
        /// The records.
        records: Vec<RecoveryRecord>,
        /// The key after which the next page begins.
        next: Option<PageKey>,
        /// Items of the page that are not the records of their keys: key and cause of each.
        #[serde(default)]
        damaged: Vec<String>,
    },
    /// The answer to a call.
    Answer(RecoveryAnswer),
    /// What became of the report.
    Reported(Reported),
    /// Whether each wallet was found, and is due now.
    Requested(Vec<bool>),
}

/// Why a request failed. A repeat continues.
#[derive(Debug, thiserror::Error)]
pub enum RecovererError {
    /// The side's table failed.
    #[error("the recovery table: {0}")]
    Table(#[from] StoreError),
    /// Shares could not be restored.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The cosigner refused or did not respond.
    #[error(transparent)]
    Cosigner(#[from] CosignerError),
    /// The random number generator failed.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The arguments do not name the parts of this side.
    #[error("no access to the {0} side: add {options}", options = options(*.0))]
    NoSide(Side),
    /// The cosigner has no wallets.
    #[error("only the endpoint side refreshes wallets")]
    NotRefreshed,
}

/// Returns the options that give access to a side.
const fn options(side: Side) -> &'static str {
    match side {
        Side::Endpoint => "--wallets-table and --kms-key",
        Side::Cosigner => "--cosigner",
    }
}

/// Both sides, as far as they can be reached.
#[derive(Clone, Debug)]
pub struct Recoverer {
    /// Party 1, and the table of its records.
    pub endpoint: Option<(Box<Custody>, RecoveryTable)>,
    /// The cosigner with the operator's alias, and the table of its records.
    pub cosigner: Option<(CosignerClient, RecoveryTable)>,
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub random: Random,
}

impl Recoverer {
    /// Executes a request.
    ///
    /// # Errors
    /// Fails when the side cannot be reached.
    pub async fn run(
        &self,
        side: Side,
        request: RecoveryRequest,
    ) -> Result<RecoveryReply, RecovererError> {
        match request {
            RecoveryRequest::Page { after } => self.page(side, after).await,
            RecoveryRequest::Report(report) => {
                let now_ms = self.clock.now_ms();
                let reported = self.table(side)?.put_verification(&report, now_ms).await?;
                Ok(RecoveryReply::Reported(reported))
            }
            RecoveryRequest::RequestRefresh { wallets } => {
                if side != Side::Endpoint {
                    return Err(RecovererError::NotRefreshed);
                }
                let mut found = Vec::with_capacity(wallets.len());
                for (tenant, wallet_id) in wallets {
                    let requested = self.custody()?.request_refresh(&tenant, wallet_id).await;
                    let requested = requested.map_err(ImportError::from)?;
                    found.push(matches!(requested, RefreshRequested::Noted));
                }
                Ok(RecoveryReply::Requested(found))
            }
            RecoveryRequest::Call(call) => {
                let answer = match side {
                    Side::Endpoint => self.custody()?.recovery_call(call).await?,
                    Side::Cosigner => self.ask_cosigner(call).await?,
                };
                Ok(RecoveryReply::Answer(answer))
            }
        }
    }

    fn custody(&self) -> Result<&Custody, RecovererError> {
        let endpoint = self.endpoint.as_ref().map(|(custody, _)| &**custody);
        endpoint.ok_or(RecovererError::NoSide(Side::Endpoint))
    }

    fn table(&self, side: Side) -> Result<&RecoveryTable, RecovererError> {
        let table = match side {
            Side::Endpoint => self.endpoint.as_ref().map(|(_, table)| table),
            Side::Cosigner => self.cosigner.as_ref().map(|(_, table)| table),
        };
        table.ok_or(RecovererError::NoSide(side))
    }

    async fn page(
        &self,
        side: Side,
        after: Option<PageKey>,
    ) -> Result<RecoveryReply, RecovererError> {
        let table = self.table(side)?;
        let after = after.map(|(pk, sk)| {
            Item::from([
                ("pk".to_owned(), AttributeValue::S(pk)),
                ("sk".to_owned(), AttributeValue::S(sk)),
            ])
        });
        let (items, next) = table.page(after).await?;
        let text = |item: &Item, name: &str| Some(item.get(name)?.as_s().ok()?.clone());
        let (mut records, mut damaged) = (Vec::with_capacity(items.len()), Vec::new());
        for item in items {
            let at = ["pk", "sk"].map(|part| text(&item, part).unwrap_or_default());
            let name = at.join(" ");
            match from_item::<RecoveryRecord>("recovery record", item) {
                Ok(record) if record.side == side && place_of(&record) == at => {
                    records.push(record);
                }
                Ok(_) => {
                    let cause = "the record is of another tenant, wallet, version or side";
                    damaged.push(format!("{name}: {cause}"));
                }
                Err(error) => damaged.push(format!("{name}: {error}")),
            }
        }
        let next = next.and_then(|key| Some((text(&key, "pk")?, text(&key, "sk")?)));
        Ok(RecoveryReply::Page { records, next, damaged })
    }

    async fn ask_cosigner(&self, call: RecoveryCall) -> Result<RecoveryAnswer, RecovererError> {
        let (cosigner, _) = self.cosigner.as_ref().ok_or(RecovererError::NoSide(Side::Cosigner))?;
        let key = WalletKey::of_tenant(Tenant::local());
        match cosigner.call(&key, self.random.bytes()?, Call::Recovery(call)).await? {
            Answer::Recovery(answer) => Ok(answer),
            _ => Err(CosignerError::Nonsense.into()),
        }
    }
}

/// Returns the partition and sort key of a record's item.
pub(crate) fn place_of(record: &RecoveryRecord) -> [String; 2] {
    let item = key(&record.tenant, record.wallet_id, record.key_version);
    let text = |name: &str| item.get(name).and_then(|it| it.as_s().ok()).cloned();
    ["pk", "sk"].map(|name| text(name).unwrap_or_default())
}

impl Endpoints {
    /// Returns what exports records and restores shares, of both sides.
    #[must_use]
    pub fn recoverer(&self, options: &Options) -> Recoverer {
        let custody = self.custody_of(options, "operator");
        let db = options.aws(&self.dynamodb, &self.kms, &self.lambda).dynamodb();
        let table = |name| RecoveryTable::new(db.clone(), name);
        Recoverer {
            cosigner: Some((custody.cosigner.clone(), table(COSIGNER_RECOVERY_TABLE))),
            endpoint: Some((Box::new(custody), table(RECOVERY_TABLE))),
            clock: options.clock.clone(),
            random: options.random.clone(),
        }
    }
}
