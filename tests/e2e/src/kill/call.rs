//! Calls that a client or a schedule makes, and how an honest client recognizes their end.

mod orders;
mod payments;

use domain::ids::Exchange;
use http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Reply;

/// An operation that a process runs.
#[derive(Clone, Debug)]
pub struct Call {
    pub(super) what: What,
    /// The wallet's user.
    pub user: String,
    /// The `Idempotency-Key`.
    pub key: Option<String>,
    /// The tenant key that it is sent with; `None` on a stack without keys.
    pub tenant_key: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    /// A request to the API.
    Request(Method, String, Option<Value>),
    /// A run of the renewal job. True if callers hold Hyperliquid's keys.
    Renewal(bool),
    /// A refresh of this wallet's shares.
    Refresh(Uuid),
    /// A removal of all agents of the tenant.
    Containment,
    /// A run of the job that resolves the orders of this exchange.
    Resolution(Exchange),
    /// A run of the job that resolves payments.
    Payments,
}

impl Call {
    fn request(method: Method, path: String, body: Option<Value>, user: &str) -> Self {
        let what = What::Request(method, path, body);
        Self { what, user: user.to_owned(), key: None, tenant_key: None }
    }

    /// Adds an `Idempotency-Key`.
    #[must_use]
    pub fn keyed(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Creates the user's wallet.
    #[must_use]
    pub fn create(user: &str) -> Self {
        let body = json!({ "userId": user });
        Self::request(Method::POST, "/api/wallets".to_owned(), Some(body), user)
    }

    /// Creates a webhook for a URL.
    #[must_use]
    pub fn webhook(url: &str, user: &str) -> Self {
        let body = json!({ "url": url });
        Self::request(Method::POST, "/api/webhooks".to_owned(), Some(body), user)
    }

    /// Reads the user's wallet.
    #[must_use]
    pub fn find(user: &str) -> Self {
        Self::request(Method::GET, format!("/api/wallets/{user}"), None, user)
    }

    /// Signs a message.
    #[must_use]
    pub fn sign(user: &str) -> Self {
        let body = json!({ "message": "hello" });
        Self::request(Method::POST, format!("/api/wallets/{user}/sign"), Some(body), user)
    }

    /// Registers the user's wallet with an exchange.
    #[must_use]
    pub fn register(exchange: Exchange, user: &str) -> Self {
        let body = json!({ "walletIdOrAddress": user });
        Self::request(Method::POST, format!("/api/trading/{exchange}/apikey"), Some(body), user)
    }

    /// Reads the credential.
    #[must_use]
    pub fn describe(exchange: Exchange, user: &str) -> Self {
        let path = format!("/api/trading/{exchange}/apikey?walletIdOrAddress={user}");
        Self::request(Method::GET, path, None, user)
    }

    /// Rotates the credential.
    #[must_use]
    pub fn rotate(exchange: Exchange, user: &str) -> Self {
        let body = json!({ "walletIdOrAddress": user });
        let path = format!("/api/trading/{exchange}/apikey/rotate");
        Self::request(Method::POST, path, Some(body), user)
    }

    /// Deletes the credential.
    #[must_use]
    pub fn delete(exchange: Exchange, user: &str) -> Self {
        let path = format!("/api/trading/{exchange}/apikey?walletIdOrAddress={user}");
        Self::request(Method::DELETE, path, None, user)
    }

    /// Creates a tenant key, by another one.
    #[must_use]
    pub fn tenant_key(label: &str, own: &str) -> Self {
        let body = json!({ "label": label });
        let call = Self::request(Method::POST, "/api/keys".to_owned(), Some(body), label);
        Self { tenant_key: Some(own.to_owned()), ..call }
    }

    /// Rotates a tenant key, by another one.
    #[must_use]
    pub fn rotated_tenant_key(id: &str, overlap_s: u64, own: &str) -> Self {
        let body = json!({ "overlapSeconds": overlap_s });
        let call = Self::request(Method::POST, format!("/api/keys/{id}/rotate"), Some(body), id);
        Self { tenant_key: Some(own.to_owned()), ..call }
    }

    /// Revokes a tenant key, by another one.
    #[must_use]
    pub fn revoked_tenant_key(id: &str, own: &str) -> Self {
        let call = Self::request(Method::DELETE, format!("/api/keys/{id}"), None, id);
        Self { tenant_key: Some(own.to_owned()), ..call }
    }

    /// Runs the renewal job.
    #[must_use]
    pub fn renewal(user: &str) -> Self {
        let what = What::Renewal(false);
        Self { what, user: user.to_owned(), key: None, tenant_key: None }
    }

    /// Runs the renewal job where callers hold Hyperliquid's keys, which must stay valid.
    #[must_use]
    pub fn renewal_of_handed_out(user: &str) -> Self {
        let what = What::Renewal(true);
        Self { what, user: user.to_owned(), key: None, tenant_key: None }
    }

    /// Removes all agents of the tenant.
    #[must_use]
    pub fn containment(user: &str) -> Self {
        Self { what: What::Containment, user: user.to_owned(), key: None, tenant_key: None }
    }

    /// Refreshes the shares of the user's wallet.
    #[must_use]
    pub fn refresh(user: &str, wallet_id: Uuid) -> Self {
        let what = What::Refresh(wallet_id);
        Self { what, user: user.to_owned(), key: None, tenant_key: None }
    }

    /// Returns the delay before a retry. A caller retries at once, and the schedule runs again an
    /// hour later, or a minute later for the jobs that resolve orders and payments.
    pub(super) const fn retry_delay_ms(&self) -> u64 {
        match self.what {
            What::Request(..) | What::Refresh(_) | What::Containment => 1,
            What::Renewal(_) => 60 * 60 * 1_000,
            What::Resolution(_) | What::Payments => 60 * 1_000,
        }
    }
}

/// Functions that recognize the end of an operation.
pub mod ended {
    use super::Reply;

    /// Returns true if the wallet exists.
    #[must_use]
    pub fn created(reply: &Reply) -> bool {
        matches!(reply.status, 200 | 201)
    }

    /// Returns true if the credential is registered.
    #[must_use]
    pub fn registered(reply: &Reply) -> bool {
        reply.status == 200 || reply.text("/code") == "API_KEY_EXISTS"
    }

    /// Returns true if the call succeeded.
    #[must_use]
    pub fn done(reply: &Reply) -> bool {
        reply.status == 200
    }

    /// Returns true if the credential does not exist.
    #[must_use]
    pub fn deleted(reply: &Reply) -> bool {
        reply.status == 200 || reply.text("/code") == "API_KEY_NOT_FOUND"
    }

    /// The removal of a tenant's agents: it came to the end of the list, and none was left.
    #[must_use]
    pub fn contained(reply: &Reply) -> bool {
        reply.body["failed"] == 0 && reply.body["next"].is_null() && reply.status == 200
    }

    /// Returns true if the order is cancelled.
    #[must_use]
    pub fn cancelled(reply: &Reply) -> bool {
        let was_cancelled = reply.text("/code") == "ORDER_NOT_OPEN";
        let status = reply.text("/data/status");
        (reply.status == 200 || was_cancelled) && status == "CANCELED"
    }

    /// Returns true if the job had nothing to do.
    #[must_use]
    pub fn idle(reply: &Reply) -> bool {
        reply.body["worked"] == 0
    }
}
