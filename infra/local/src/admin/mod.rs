//! What an operator does with tenants and their keys: the same code for the local stack and for a
//! deployment. On the local stack it runs in the stack's process; for a deployment it runs in the
//! operator's, with the operator's own AWS credentials.

mod request;

pub use request::{AdminReply, AdminRequest, KeyLine, PolicyRequest};

use domain::clock::Clock;
use domain::ids::{Tenant, WalletRef};
use domain::random::Random;
use futures_util::future::try_join_all;
use hyperdex_cloud::error::chain;
use hyperdex_console::operator::session::Session;
use platform::items::StoreError;
use renew_apikeys::RenewApiKeys;
use serde_json::json;
use shared::aws::LambdaClient;
use shared::credentials::{ContainCursor, Contained};
use shared::key_admin::{KeyAdmin, KeyAdminError, KeyRequest, MadeKey};
use shared::mpc::CosignerError;
use shared::policy_chain::PolicyChain;
use shared::store::{KeyRecord, TenantError, TenantRecord, is_usable};
use shared::tenancy::{Change, KeyId, TenantState};

use crate::recoverer::{Recoverer, RecovererError};

/// How long after its creation a key without a record is deleted at API Gateway: longer than any
/// creation takes.
const ORPHAN_MS: u64 = 10 * 60 * 1_000;

/// How many tenants one page of a list has.
const PAGE: i32 = 100;

/// Why a command of an operator was not done.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The tenant's or the key's record does not allow it, or the table failed.
    #[error(transparent)]
    Tenant(#[from] TenantError),
    /// The key could not be made or changed.
    #[error(transparent)]
    Key(#[from] KeyAdminError),
    /// API Gateway does not know the key.
    #[error("the usage plan has no key {0}: check the id")]
    NotAttached(KeyId),
    /// The wallets cannot be listed.
    #[error("cannot list the tenant's wallets: {0}")]
    Store(#[from] StoreError),
    /// The deployment's function did not do it.
    #[error("the renewal job's function failed: {0}")]
    Function(String),
    /// The cosigner refused a request about a payment policy, or did not respond.
    #[error(transparent)]
    Cosigner(#[from] CosignerError),
    /// A recovery failed.
    #[error(transparent)]
    Recovery(#[from] RecovererError),
    /// A deployment's recovery is not reached this way.
    #[error("expected --recovery-table for the recovery of a deployment")]
    NoRecovery,
    /// A deployment's policy is not reached this way.
    #[error("expected --cosigner or --api-url for the policy of a deployment")]
    NoPolicy,
    /// The deployment could not be reached.
    #[error("{0}")]
    Deployment(String),
}

/// What removes a tenant's trading keys.
#[derive(Clone, Debug)]
enum Containment {
    /// The renewal job of this process.
    Here(Box<RenewApiKeys>),
    /// A deployment's function, with the operator's credentials.
    There(Box<Session>),
}

/// What an operator may do with tenants and keys.
#[derive(Clone, Debug)]
pub struct Admin {
    keys: KeyAdmin,
    containment: Containment,
    /// The payment policies of a local stack.
    policies: Option<PolicyChain>,
    /// Both sides of a local stack.
    recoverer: Option<Recoverer>,
    clock: Clock,
    random: Random,
}

impl Admin {
    /// Acts on a local stack.
    #[must_use]
    pub fn local(
        keys: KeyAdmin,
        renewal: RenewApiKeys,
        policies: PolicyChain,
        recoverer: Recoverer,
        random: Random,
    ) -> Self {
        let clock = policies.clock.clone();
        let containment = Containment::Here(Box::new(renewal));
        Self {
            keys,
            containment,
            policies: Some(policies),
            recoverer: Some(recoverer),
            clock,
            random,
        }
    }

    /// Acts on a deployment.
    ///
    /// # Errors
    /// Fails when there are no credentials.
    pub async fn deployed(
        session: Session,
        clock: Clock,
        random: Random,
    ) -> Result<Self, AdminError> {
        let aws = session.aws().await;
        let aws = aws.map_err(|error| AdminError::Deployment(error.to_string()))?;
        let (store, names) = (session.store.clone(), (&*session.stack, Some(&*session.usage_plan)));
        let keys = KeyAdmin::new(store, &aws, names, clock.clone(), random.clone());
        let containment = Containment::There(Box::new(session));
        Ok(Self { keys, containment, policies: None, recoverer: None, clock, random })
    }

    /// Does one request.
    ///
    /// # Errors
    /// Fails when a step of the request failed. A retry of the request completes it.
    pub async fn run(&self, request: AdminRequest) -> Result<AdminReply, AdminError> {
        let store = &self.keys.store;
        Ok(match request {
            AdminRequest::AddTenant { tenant, label, limits, change } => {
                let revision = self.random.uuid().map_err(TenantError::from)?;
                let new = TenantRecord::new(tenant.clone(), label, &change, revision);
                match store.create_tenant(&TenantRecord { limits, ..new }).await {
                    Ok(()) | Err(TenantError::Exists(_)) => {}
                    Err(error) => return Err(error.into()),
                }
                AdminReply::Tenant(self.tenant(&tenant).await?)
            }
            AdminRequest::Tenants => AdminReply::Tenants(self.tenants().await?),
            AdminRequest::Tenant { tenant } => AdminReply::Tenant(self.tenant(&tenant).await?),
            AdminRequest::SetState { tenant, state, change } => {
                let record = store.set_tenant_state(&tenant, state, &change, &self.random).await?;
                AdminReply::Tenant(record)
            }
            AdminRequest::SetLimits { tenant, limits } => {
                AdminReply::Tenant(store.set_tenant_limits(&tenant, limits, &self.random).await?)
            }
            AdminRequest::Adopt { key_id, label, change } => {
                if !self.keys.is_open(&key_id).await? {
                    return Err(AdminError::NotAttached(key_id));
                }
                let (tenant, _) = store.adopt(&key_id, &label, &change, &self.random).await?;
                AdminReply::Tenant(tenant)
            }
            AdminRequest::Keys { tenant } => AdminReply::Keys(self.keys_of(&tenant).await?),
            AdminRequest::PrepareKey { request, by } => {
                AdminReply::made(self.prepare(*request, &by).await?)
            }
            AdminRequest::PrepareRotation { key_id, by } => {
                self.prepare_rotation(&key_id, &by).await?
            }
            AdminRequest::OpenKey { key_id } => {
                AdminReply::Key(Box::new(self.keys.open(&key_id).await?))
            }
            AdminRequest::RetireKey { key_id, overlap_ms, change } => {
                let record = self.keys.retire(&key_id, overlap_ms, &change).await?;
                AdminReply::Key(Box::new(record))
            }
            AdminRequest::RevokeKey { key_id, change } => {
                // A tombstone for a mistyped id would be nobody's.
                if store.key(&key_id).await?.is_none() && !self.keys.is_open(&key_id).await? {
                    return Err(AdminError::NotAttached(key_id));
                }
                AdminReply::Key(Box::new(self.keys.revoke(&key_id, &change).await?))
            }
            AdminRequest::Contain { tenant, cursor } => {
                AdminReply::Contained(Box::new(self.contain(&tenant, cursor).await?))
            }
            AdminRequest::Recovery { side, request } => {
                let recoverer = self.recoverer.as_ref().ok_or(AdminError::NoRecovery)?;
                AdminReply::Recovery(Box::new(recoverer.run(side, *request).await?))
            }
            AdminRequest::Policy { tenant, request } => self.policy(&tenant, *request).await?,
        })
    }

    async fn policy(
        &self,
        tenant: &Tenant,
        request: PolicyRequest,
    ) -> Result<AdminReply, AdminError> {
        let chain = self.policies.as_ref().ok_or(AdminError::NoPolicy)?;
        let record = match request {
            PolicyRequest::State => {
                return Ok(AdminReply::PolicyState(Box::new(chain.state(tenant).await?)));
            }
            PolicyRequest::Payments { from } => {
                let page = chain.payments(tenant, from).await?;
                return Ok(AdminReply::CountedPayments(Box::new(page)));
            }
            PolicyRequest::Wallet { wallet_id } => {
                let found = self.keys.store.find(tenant, &WalletRef::Wallet(wallet_id)).await?;
                let wallet = found.map(|it| (it.wallet.address, it.wallet.key_version));
                return Ok(AdminReply::Wallet(wallet));
            }
            PolicyRequest::Propose(proposal) => chain.propose(tenant, proposal).await?,
            PolicyRequest::Approve { seq, approval } => {
                chain.approve(tenant, seq, approval).await?
            }
            PolicyRequest::Cancel { seq } => chain.cancel(tenant, seq).await?,
            PolicyRequest::Freeze => chain.freeze(tenant).await?,
        };
        Ok(AdminReply::PolicyChange(Box::new(record)))
    }

    /// Returns a change of a record, made now.
    #[must_use]
    pub fn change(&self, by: &str, reason: &str) -> Change {
        self.keys.change(by, reason)
    }

    /// Returns the time.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    async fn tenant(&self, tenant: &Tenant) -> Result<TenantRecord, AdminError> {
        let record = self.keys.store.tenant(tenant).await?;
        Ok(record.ok_or_else(|| TenantError::NotFound(tenant.clone()))?)
    }

    async fn tenants(&self) -> Result<Vec<TenantRecord>, AdminError> {
        let store = &self.keys.store;
        let mut all = Vec::new();
        let mut after: Option<Tenant> = None;
        loop {
            let names = store.tenants(after.as_ref(), PAGE).await?;
            let Some(last) = names.last().cloned() else { return Ok(all) };
            let records = try_join_all(names.iter().map(|name| store.tenant(name))).await?;
            all.extend(records.into_iter().flatten());
            after = Some(last);
        }
    }

    async fn keys_of(&self, tenant: &Tenant) -> Result<Vec<KeyLine>, AdminError> {
        let store = &self.keys.store;
        let now_ms = self.clock.now_ms();
        let lines = store.keys(tenant).await?.into_iter().map(async |record: KeyRecord| {
            let used_at_ms = store.key_used_ms(&record.key_id).await?;
            let usable = is_usable(&record, now_ms);
            Ok::<_, StoreError>(KeyLine { record, used_at_ms, usable })
        });
        Ok(try_join_all(lines).await?)
    }

    /// Prepares a key. One with the same label that was never opened is of a command that died, and
    /// makes room.
    async fn prepare(&self, request: KeyRequest, by: &str) -> Result<MadeKey, AdminError> {
        self.keys.delete_orphans(&request.tenant, ORPHAN_MS).await?;
        match self.keys.prepare(request.clone(), by).await {
            Err(KeyAdminError::LabelTaken(known)) if !self.keys.is_open(&known).await? => {
                self.drop_unopened(&known, by).await?;
                Ok(self.keys.prepare(request, by).await?)
            }
            made => Ok(made?),
        }
    }

    /// Prepares the key that replaces another one, or finds the one of a command that died.
    async fn prepare_rotation(&self, key_id: &KeyId, by: &str) -> Result<AdminReply, AdminError> {
        let before = self.keys.store.key(key_id).await?;
        let before = before.ok_or_else(|| TenantError::KeyNotFound(key_id.clone()))?;
        let request = KeyRequest::instead_of(&before);
        self.keys.delete_orphans(&before.tenant, ORPHAN_MS).await?;
        match self.keys.prepare(request.clone(), by).await {
            Err(KeyAdminError::Replaced(known)) if self.keys.is_open(&known).await? => {
                Ok(AdminReply::Replaced(known))
            }
            Err(KeyAdminError::Replaced(known)) => {
                self.drop_unopened(&known, by).await?;
                Ok(AdminReply::made(self.keys.prepare(request, by).await?))
            }
            made => Ok(AdminReply::made(made?)),
        }
    }

    async fn drop_unopened(&self, key_id: &KeyId, by: &str) -> Result<(), AdminError> {
        self.keys.revoke(key_id, &self.change(by, "it was never opened")).await?;
        Ok(())
    }

    async fn contain(
        &self,
        tenant: &Tenant,
        cursor: Option<ContainCursor>,
    ) -> Result<Contained, AdminError> {
        match &self.containment {
            Containment::Here(job) => Ok(job.contain(tenant, cursor.unwrap_or_default()).await?),
            Containment::There(session) => {
                let aws = session.aws().await;
                let aws = aws.map_err(|error| AdminError::Deployment(error.to_string()))?;
                let lambda = LambdaClient::new(&aws).with_timeout(renew_apikeys::INVOKE_TIMEOUT);
                let cursor = cursor.map(|cursor| cursor.to_string());
                let event = json!({ "revokeTradingKeysOf": tenant, "cursor": cursor });
                let reply = lambda.invoke(&session.renewal, event.to_string().as_bytes()).await;
                let reply = reply.map_err(|error| AdminError::Function(chain(&error)))?;
                serde_json::from_slice(&reply)
                    .map_err(|error| AdminError::Function(error.to_string()))
            }
        }
    }
}

/// Returns true if a tenant may sign and trade.
#[must_use]
pub fn is_active(tenant: &TenantRecord) -> bool {
    tenant.state == TenantState::Active
}
