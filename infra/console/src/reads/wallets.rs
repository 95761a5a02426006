//! `GET /console/data/wallets?ids=…`: for each wallet, its credentials and the times of its jobs.

use axum::extract::State;
use axum::{Extension, Json};
use domain::ids::{Exchange, Tenant, UserId, WalletRef};
use futures_util::future::try_join_all;
use http::Uri;
use serde::Serialize;
use shared::api::error::ApiError;
use shared::credentials::{Life, renews_at_ms};
use shared::store::{
    AgentRecord, CredentialRecord, CredentialState, OperatorAction, OperatorActionKind,
    WalletRecord, WalletView,
};
use uuid::Uuid;

use super::{Reads, in_query};

/// Maximum number of wallets in one request.
const MOST: usize = 100;

/// Data of a wallet that the API does not return.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wallets {
    /// Time of the stack, Unix milliseconds.
    now: u64,
    wallets: Vec<Wallet>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wallet {
    wallet_id: Uuid,
    user_id: UserId,
    address: String,
    created_at: u64,
    /// Version of the shares in use, from 0.
    key_version: u32,
    /// Time from which the job refreshes the shares, Unix milliseconds.
    refresh_at: u64,
    /// Frozen permanently: a protocol run failed.
    frozen: bool,
    /// The operator's freeze, if there is one.
    operator_freeze: Option<Done>,
    /// Operators' actions on the wallet, oldest first.
    operator_actions: Vec<Done>,
    credentials: Vec<Credential>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Credential {
    exchange: Exchange,
    state: &'static str,
    #[serde(flatten)]
    agent: Agent,
    requested_at: u64,
    created_at: Option<u64>,
    auto_renew: bool,
    /// Aster V1 API key: it has no agent and no expiry.
    is_api_key: bool,
    /// Agents that are still to be removed at the exchange.
    retiring: Vec<Agent>,
    /// The new agent, during a rotation.
    next: Option<Agent>,
    job: Job,
    /// Time of the next reconciliation.
    check_at: Option<u64>,
    job_failures: u32,
    /// End of the lease. A time in the past means that no call holds it.
    busy_until: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Agent {
    agent_address: String,
    agent_name: String,
    expires_at: u64,
}

impl From<&AgentRecord> for Agent {
    fn from(agent: &AgentRecord) -> Self {
        Self {
            agent_address: agent.agent.to_string(),
            agent_name: agent.agent_name.clone(),
            expires_at: agent.expires_at_ms,
        }
    }
}

/// An action of an operator.
#[derive(Serialize)]
struct Done {
    action: OperatorActionKind,
    at: u64,
    by: String,
    reason: String,
}

impl From<&OperatorAction> for Done {
    fn from(done: &OperatorAction) -> Self {
        let OperatorAction { action, at_ms, by, reason } = done.clone();
        Self { action, at: at_ms, by, reason }
    }
}

/// What the renewal job does next with a credential.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Does {
    /// Renews it.
    Renew,
    /// Completes a rotation.
    FinishRotation,
    /// Completes a deletion.
    FinishDeletion,
    /// Removes earlier agents at the exchange.
    RemovePrevious,
    /// Nothing: the caller must retry the registration.
    WaitForCaller,
    /// Nothing: automatic renewal is disabled.
    TurnedOff,
    /// Nothing: the key does not expire.
    NoEnd,
    /// Nothing: the renewal failed for too long after the expiry.
    GivenUp,
    /// Nothing while the wallet is frozen.
    Frozen,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Job {
    pub(crate) does: Does,
    /// Earliest time, Unix milliseconds. The job runs each hour. `None`: never.
    pub(crate) at: Option<u64>,
}

impl Job {
    /// Applies the rules of the job, `shared::credentials::renew`, to a record.
    pub(crate) fn of(wallet: &WalletRecord, record: &CredentialRecord, within_ms: u64) -> Self {
        let due_ms = record.due_at_ms();
        let does = match record.state {
            CredentialState::Pending => Does::WaitForCaller,
            CredentialState::Rotating => Does::FinishRotation,
            CredentialState::Revoking => Does::FinishDeletion,
            CredentialState::Active if !record.retiring.is_empty() => Does::RemovePrevious,
            CredentialState::Active if due_ms.is_some() => Does::Renew,
            CredentialState::Active if record.is_v1() => Does::NoEnd,
            CredentialState::Active if !record.auto_renew => Does::TurnedOff,
            CredentialState::Active => Does::GivenUp,
        };
        // An operator's freeze allows the removal of agents. A barred wallet signs nothing.
        let signs = matches!(does, Does::Renew | Does::FinishRotation | Does::WaitForCaller);
        let removes = matches!(does, Does::FinishDeletion | Does::RemovePrevious);
        let frozen =
            wallet.frozen && (signs || removes) || wallet.operator_freeze.is_some() && signs;
        let at = due_ms.map(|at| match does {
            Does::Renew => renews_at_ms(wallet.wallet_id, at, within_ms).max(record.job_after_ms),
            _ => at,
        });
        Self { does: if frozen { Does::Frozen } else { does }, at }
    }
}

impl Credential {
    fn new(wallet: &WalletRecord, record: &CredentialRecord, reads: &Reads) -> Self {
        Self {
            exchange: record.exchange,
            state: Life::of(record, reads.clock.now_ms()).as_str(),
            agent: Agent::from(&record.current()),
            requested_at: record.requested_at_ms,
            created_at: record.created_at_ms,
            auto_renew: record.auto_renew,
            is_api_key: record.is_v1(),
            retiring: record.retiring.iter().map(Agent::from).collect(),
            next: record.next.as_ref().map(Agent::from),
            job: Job::of(wallet, record, reads.renew_within_ms),
            check_at: record.check_at_ms,
            job_failures: record.job_failures,
            busy_until: record.lease_until_ms,
        }
    }
}

impl Wallet {
    pub(crate) fn new(view: &WalletView, reads: &Reads) -> Self {
        let wallet = &view.wallet;
        let credentials = Exchange::ALL.iter().filter_map(|exchange| view.credential(*exchange));
        Self {
            wallet_id: wallet.wallet_id,
            user_id: wallet.user_id.clone(),
            address: wallet.address.to_string(),
            created_at: wallet.created_at_ms,
            key_version: wallet.key_version,
            refresh_at: wallet.shares_at_ms.unwrap_or(wallet.created_at_ms)
                + reads.refresh_every_ms,
            frozen: wallet.frozen,
            operator_freeze: wallet.operator_freeze.as_ref().map(Done::from),
            operator_actions: wallet.operator_actions.iter().map(Done::from).collect(),
            credentials: credentials.map(|record| Credential::new(wallet, record, reads)).collect(),
        }
    }
}

/// Returns the named wallets of a tenant, and leaves unknown ones out.
pub(crate) async fn wallets(
    State(reads): State<Reads>,
    Extension(tenant): Extension<Tenant>,
    uri: Uri,
) -> Result<Json<Wallets>, ApiError> {
    let ids = in_query(&uri, "ids").ok_or_else(|| ApiError::missing("ids"))?;
    let names = ids.split(',').take(MOST + 1).map(str::parse::<WalletRef>);
    let names: Vec<WalletRef> = names
        .collect::<Result<_, _>>()
        .map_err(|error| ApiError::bad_request(error.to_string()))?;
    if names.len() > MOST {
        return Err(ApiError::bad_request(format!("ids has more than {MOST} wallets")));
    }
    let found = try_join_all(names.iter().map(|name| reads.store.find(&tenant, name))).await?;
    let now = reads.clock.now_ms();
    let wallets = found.iter().flatten().map(|view| Wallet::new(view, &reads)).collect();
    Ok(Json(Wallets { now, wallets }))
}
