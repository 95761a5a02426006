//! Who calls, and with which request: what an operation knows of the HTTP call that it serves.

use domain::ids::Tenant;

use crate::store::{Outcome, RequestMark, WalletRecord};

/// A request with an `Idempotency-Key`, as the operation knows it.
#[derive(Clone, Debug)]
pub struct Once {
    /// Which request, and which attempt at it.
    pub mark: RequestMark,
    /// What an earlier attempt has brought about already.
    pub outcome: Option<Outcome>,
}

/// Names the wallet in the request's log line.
pub fn note_wallet(wallet: &WalletRecord) {
    tracing::Span::current().record("walletId", tracing::field::display(wallet.wallet_id));
}

/// Who calls.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The tenant.
    pub tenant: Tenant,
    /// The request, if it has an `Idempotency-Key`.
    pub request: Option<Once>,
}

impl Caller {
    /// What an earlier attempt at this request has brought about.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        self.request.as_ref()?.outcome.as_ref()
    }
}

impl From<Tenant> for Caller {
    fn from(tenant: Tenant) -> Self {
        Self { tenant, request: None }
    }
}
