//! What an operator does for a recovery: reads the records of a side, makes a transport key, and
//! imports halves. The same code acts on the local stack and on a deployment.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::Tenant;
use domain::random::{Random, RandomError};
use platform::items::{Item, StoreError, from_item};
use platform::recovery::RecoveryTable;
use protocol::recovery::{RecoveryRecord, Side};
use protocol::{Answer, Call, RecoveryAnswer, RecoveryCall, WalletKey};
use serde::{Deserialize, Serialize};
use shared::mpc::{CosignerClient, CosignerError};
use shared::wallets::{Custody, ImportError};

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
    },
    /// The answer to a call.
    Answer(RecoveryAnswer),
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
    #[error("expected the table and the key or function of the {0} side")]
    NoSide(Side),
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

    async fn page(
        &self,
        side: Side,
        after: Option<PageKey>,
    ) -> Result<RecoveryReply, RecovererError> {
        let table = match side {
            Side::Endpoint => self.endpoint.as_ref().map(|(_, table)| table),
            Side::Cosigner => self.cosigner.as_ref().map(|(_, table)| table),
        };
        let table = table.ok_or(RecovererError::NoSide(side))?;
        let after = after.map(|(pk, sk)| {
            Item::from([
                ("pk".to_owned(), AttributeValue::S(pk)),
                ("sk".to_owned(), AttributeValue::S(sk)),
            ])
        });
        let (items, next) = table.page(after).await?;
        let records = items.into_iter().map(|item| from_item("recovery record", item));
        let text = |item: &Item, name: &str| Some(item.get(name)?.as_s().ok()?.clone());
        let next = next.and_then(|key| Some((text(&key, "pk")?, text(&key, "sk")?)));
        Ok(RecoveryReply::Page { records: records.collect::<Result<_, _>>()?, next })
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
