//! The payment policy of a tenant, as the cosigner keeps it.
//!
//! This side only passes requests on: the cosigner verifies every signature, and nothing here
//! decides. A compromised endpoint can withhold a change; it cannot make one.

use domain::clock::Clock;
use domain::ids::Tenant;
use domain::policy::{Approval, ChangeRecord, PolicyState, Proposal};
use platform::env::ConfigError;
use protocol::{Answer, Call, OpenPayments, PolicyAnswer, PolicyCall, WalletKey};

use crate::mpc::{CosignerClient, CosignerError};
use crate::runtime::Runtime;

/// The cosigner's policy chains.
#[derive(Clone, Debug)]
pub struct PolicyChain {
    cosigner: CosignerClient,
    /// The clock.
    pub clock: Clock,
}

impl PolicyChain {
    /// Makes the client with this cosigner.
    #[must_use]
    pub const fn new(cosigner: CosignerClient, clock: Clock) -> Self {
        Self { cosigner, clock }
    }

    /// Makes the client from the environment: `COSIGNER_FUNCTION` and `AWS_LAMBDA_FUNCTION_NAME`.
    ///
    /// # Errors
    /// Returns an error that names the missing variable.
    pub fn from_env(runtime: &Runtime<'_>) -> Result<Self, ConfigError> {
        Ok(Self::new(CosignerClient::from_env(&runtime.env)?, runtime.clock.clone()))
    }

    /// Returns a tenant's policy.
    ///
    /// # Errors
    /// Fails when the cosigner refuses or does not respond.
    pub async fn state(&self, tenant: &Tenant) -> Result<PolicyState, CosignerError> {
        match self.call(tenant, PolicyCall::Show).await? {
            PolicyAnswer::State(state) => Ok(state),
            PolicyAnswer::Change(_) => Err(CosignerError::Nonsense),
        }
    }

    /// Returns a page of a tenant's counted payments, the newest first. `from` is
    /// [`OpenPayments::next`] of the page before.
    ///
    /// # Errors
    /// Fails when the cosigner refuses or does not respond.
    pub async fn payments(
        &self,
        tenant: &Tenant,
        from: Option<String>,
    ) -> Result<OpenPayments, CosignerError> {
        let key = WalletKey::of_tenant(tenant.clone());
        match self.cosigner.call(&key, Default::default(), Call::ListPayments { from }).await? {
            Answer::OpenPayments(page) => Ok(page),
            _ => Err(CosignerError::Nonsense),
        }
    }

    /// Submits a change with its first approvals. A repeat returns the same record.
    ///
    /// # Errors
    /// Fails when the cosigner refuses or does not respond. After a lost response, repeat it.
    pub async fn propose(
        &self,
        tenant: &Tenant,
        proposal: Proposal,
    ) -> Result<ChangeRecord, CosignerError> {
        self.change(tenant, PolicyCall::Propose(proposal)).await
    }

    /// Adds an approval to a pending change. A repeat returns the same record.
    ///
    /// # Errors
    /// Fails when the cosigner refuses or does not respond. After a lost response, repeat it.
    pub async fn approve(
        &self,
        tenant: &Tenant,
        seq: u64,
        approval: Approval,
    ) -> Result<ChangeRecord, CosignerError> {
        self.change(tenant, PolicyCall::Approve { seq, approval }).await
    }

    /// Cancels a pending change as the operator, without a signature. Only the operator's alias of
    /// the cosigner may.
    ///
    /// # Errors
    /// Fails when the cosigner refuses or does not respond.
    pub async fn cancel(&self, tenant: &Tenant, seq: u64) -> Result<ChangeRecord, CosignerError> {
        self.change(tenant, PolicyCall::Cancel { seq }).await
    }

    /// Stops a tenant's payments as the operator, without a signature. Only the operator's alias of the
    /// cosigner may.
    ///
    /// # Errors
    /// Fails when the cosigner refuses or does not respond.
    pub async fn freeze(&self, tenant: &Tenant) -> Result<ChangeRecord, CosignerError> {
        self.change(tenant, PolicyCall::Freeze).await
    }

    async fn change(
        &self,
        tenant: &Tenant,
        call: PolicyCall,
    ) -> Result<ChangeRecord, CosignerError> {
        match self.call(tenant, call).await? {
            PolicyAnswer::Change(record) => Ok(record),
            PolicyAnswer::State(_) => Err(CosignerError::Nonsense),
        }
    }

    async fn call(&self, tenant: &Tenant, call: PolicyCall) -> Result<PolicyAnswer, CosignerError> {
        // A policy has no wallet and no session: the tenant alone names it.
        let key = WalletKey::of_tenant(tenant.clone());
        match self.cosigner.call(&key, Default::default(), Call::Policy(call)).await? {
            Answer::Policy(answer) => Ok(answer),
            _ => Err(CosignerError::Nonsense),
        }
    }
}
