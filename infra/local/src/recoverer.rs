//! What an operator does for a recovery: reads the records of a side, makes a transport key, and
//! imports halves. The same code acts on the local stack and on a deployment.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::Tenant;
use domain::random::{Random, RandomError};
use domain::recovery::Verification;
use hyperdex_cloud::names::{COSIGNER_RECOVERY_TABLE, RECOVERY_TABLE};
use platform::items::{Item, StoreError, from_item};
use platform::recovery::RecoveryTable;
use protocol::recovery::{RecoveryRecord, Side};
use protocol::{Answer, Call, RecoveryAnswer, RecoveryCall, WalletKey};
use serde::{Deserialize, Serialize};
use shared::mpc::{CosignerClient, CosignerError};
use shared::wallets::{Custody, ImportError};

use crate::options::Options;
use crate::routes::Endpoints;

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
        /// Items of the page that are no records: key and cause of each.
        #[serde(default)]
        damaged: Vec<String>,
    },
    /// The answer to a call.
    Answer(RecoveryAnswer),
    /// Whether the report is stored. A newer one stays.
    Reported(bool),
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
                let stored = self.table(side)?.put_verification(&report).await?;
                Ok(RecoveryReply::Reported(stored))
            }
            RecoveryRequest::Call(call) => {
                let answer = match side {
                    Side::Endpoint => {
                        let (custody, _) =
                            self.endpoint.as_ref().ok_or(RecovererError::NoSide(side))?;
                        custody.recovery_call(call).await?
                    }
                    Side::Cosigner => self.ask_cosigner(call).await?,
                };
                Ok(RecoveryReply::Answer(answer))
            }
        }
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
            let name = |part| text(&item, part).unwrap_or_default();
            let key = format!("{} {}", name("pk"), name("sk"));
            match from_item("recovery record", item) {
                Ok(record) => records.push(record),
                Err(error) => damaged.push(format!("{key}: {error}")),
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
            random: options.random.clone(),
        }
    }
}
