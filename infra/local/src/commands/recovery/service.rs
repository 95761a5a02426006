//! The way to a side: a local stack, or a deployment with the operator's credentials.

use domain::ids::Tenant;
use hyperdex_console::operator::session::{DeploymentArgs, operator_aws};
use platform::recovery::RecoveryTable;
use protocol::recovery::{RecoveryKeys, Side};
use protocol::{RecoveryAnswer, RecoveryCall};
use shared::aws::LambdaClient;
use shared::mpc::CosignerClient;
use shared::store::StoreConfig;
use shared::wallets::{Custody, CustodyConfig, RefreshBy};
use url::Url;
use uuid::Uuid;

use super::RecoveryCommandError;
use super::arguments::PlaceArgs;
use crate::admin::{AdminReply, AdminRequest};
use crate::commands::arguments::Place;
use crate::commands::reach::Reach;
use crate::data::existing;
use crate::error::{Damaged, StartError};
use crate::identity::Identity;
use crate::recoverer::{Recoverer, RecoveryReply, RecoveryRequest};

/// The alias of the cosigner's function that operators invoke.
const OPERATOR: &str = "operator";

/// The stack that a command acts on.
pub(super) struct Service {
    way: Way,
    /// The stack and table whose records are read, for the first line of their file.
    pub(super) source: String,
}

enum Way {
    /// A local stack.
    Local(Reach),
    /// A deployment, with the operator's credentials.
    Deployment(Box<Recoverer>),
}

impl Service {
    /// Finds the stack that the arguments name.
    pub(super) async fn find(
        (args, place): (&PlaceArgs, &Place<'_>),
    ) -> Result<Self, RecoveryCommandError> {
        let Some(table) = &args.recovery_table else {
            existing(place.data_dir)?;
            let source = local_source(place)?;
            let reach = Reach::find(&DeploymentArgs::default(), place).await?;
            return Ok(Self { way: Way::Local(reach), source });
        };
        let (profile, region) = (args.profile.as_deref(), args.region.as_deref());
        let endpoint = args.endpoint_url.as_ref().map(Url::as_str);
        let aws = operator_aws(profile, region, endpoint, place.clock.clone()).await;
        let aws = aws.map_err(|error| RecoveryCommandError::Aws(error.to_string()))?;
        let at = endpoint.map(|url| format!(" at {url}")).unwrap_or_default();
        let source = format!("table {table} in {}{at}", aws.region());
        let records = RecoveryTable::new(aws.dynamodb(), table);
        let caller = format!("operator:{}", place.user);
        let cosigner = args.cosigner.as_ref().map(|function| {
            let function = format!("{function}:{OPERATOR}");
            let client = CosignerClient::new(LambdaClient::new(&aws), function, caller.clone());
            (client, records.clone())
        });
        let parts = args.wallets_table.as_ref().zip(args.kms_key.as_ref());
        let endpoint = parts.map(|(wallets, kms_key)| {
            let config = CustodyConfig {
                kms_key_id: kms_key.clone(),
                // An import invokes no function.
                cosigner_function: String::new(),
                caller: caller.clone(),
                refresh: RefreshBy::Function(String::new()),
            };
            let store = StoreConfig { table: wallets.clone() };
            let (clock, random) = (place.clock.clone(), place.random.clone());
            let custody = Custody::new(&aws, &store, &config, clock, random);
            // For the marks of exported wallets. An import makes no records.
            let custody = custody.with_recovery(RecoveryKeys::default(), table, "");
            (Box::new(custody), records.clone())
        });
        let (clock, random) = (place.clock.clone(), place.random.clone());
        let recoverer = Recoverer { endpoint, cosigner, clock, random };
        Ok(Self { way: Way::Deployment(Box::new(recoverer)), source })
    }

    pub(super) async fn ask(
        &self,
        side: Side,
        request: RecoveryRequest,
    ) -> Result<RecoveryReply, RecoveryCommandError> {
        match &self.way {
            Way::Deployment(recoverer) => Ok(recoverer.run(side, request).await?),
            Way::Local(reach) => {
                let request = AdminRequest::Recovery { side, request: Box::new(request) };
                match reach.ask(request).await? {
                    AdminReply::Recovery(reply) => Ok(*reply),
                    _ => Err(RecoveryCommandError::Reply),
                }
            }
        }
    }

    pub(super) async fn call(
        &self,
        side: Side,
        call: RecoveryCall,
    ) -> Result<RecoveryAnswer, RecoveryCommandError> {
        match self.ask(side, RecoveryRequest::Call(call)).await? {
            RecoveryReply::Answer(RecoveryAnswer::UnknownTransport) => {
                Err(RecoveryCommandError::UnknownTransport)
            }
            RecoveryReply::Answer(answer) => Ok(answer),
            _ => Err(RecoveryCommandError::Reply),
        }
    }

    /// Makes wallets due for the refresh job at once. Returns them, and whether each was found.
    pub(super) async fn request_refresh<'a>(
        &self,
        wallets: &'a [(Tenant, Uuid)],
    ) -> Result<(&'a [(Tenant, Uuid)], Vec<bool>), RecoveryCommandError> {
        let request = RecoveryRequest::RequestRefresh { wallets: wallets.to_vec() };
        match self.ask(Side::Endpoint, request).await? {
            RecoveryReply::Requested(found) if found.len() == wallets.len() => Ok((wallets, found)),
            _ => Err(RecoveryCommandError::Reply),
        }
    }

    /// Stops the stack that the command started.
    pub(super) async fn close(self) {
        if let Way::Local(reach) = self.way {
            reach.close().await;
        }
    }
}

/// Names a local stack by the identity of its data directory, which a copy of the directory keeps.
fn local_source(place: &Place<'_>) -> Result<String, StartError> {
    let directory = place.data_dir.to_owned();
    let identity = Identity::read(&directory);
    let identity = identity.map_err(|fault| Damaged { directory, fault })?;
    let id = identity.map(|it| it.id);
    Ok(format!("local stack {}", id.unwrap_or_default()))
}
