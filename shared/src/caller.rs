//! The caller of an operation, and its request.

use domain::ids::Tenant;

use crate::store::{Outcome, RequestMark, WalletRecord};
use crate::tenancy::{KeyId, Scopes, TenantLimits};

/// A request with an `Idempotency-Key`.
#[derive(Clone, Debug)]
pub struct Once {
    /// The request and the attempt.
    pub mark: RequestMark,
    /// The outcome of an earlier attempt.
    pub outcome: Option<Outcome>,
}

/// Adds the wallet to the request's log line.
pub fn note_wallet(wallet: &WalletRecord) {
    tracing::Span::current().record("walletId", tracing::field::display(wallet.wallet_id));
}

/// The caller of an operation.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The tenant.
    pub tenant: Tenant,
    /// The tenant's key; `None` where none is required, and for a job.
    pub key: Option<KeyId>,
    /// What the key may do.
    pub scopes: Scopes,
    /// The tenant's limits that differ from the deployment's.
    pub limits: TenantLimits,
    /// The request, if it has an `Idempotency-Key`.
    pub request: Option<Once>,
}

impl Caller {
    /// Returns the outcome of an earlier attempt at this request.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        self.request.as_ref()?.outcome.as_ref()
    }
}

impl From<Tenant> for Caller {
    fn from(tenant: Tenant) -> Self {
        let (scopes, limits) = (Scopes::usual(), TenantLimits::default());
        Self { tenant, key: None, scopes, limits, request: None }
    }
}
