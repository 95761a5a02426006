//! What a client, or the schedule, asks for, and how an honest one knows that it has ended.

use domain::ids::Exchange;
use http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Reply;

/// What a process is started for.
#[derive(Clone, Debug)]
pub struct Call {
    pub(super) what: What,
    /// Whose wallet it is about.
    pub user: String,
    /// Its `Idempotency-Key`.
    pub key: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    /// A request of the API.
    Request(Method, String, Option<Value>),
    /// The scheduled job that renews; whether Hyperliquid's keys were handed out.
    Renewal(bool),
    /// A refresh of the shares of this wallet.
    Refresh(Uuid),
}

impl Call {
    fn request(method: Method, path: String, body: Option<Value>, user: &str) -> Self {
        Self { what: What::Request(method, path, body), user: user.to_owned(), key: None }
    }

    /// The same, with an `Idempotency-Key`.
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

    /// Has events sent to a URL.
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

    /// A run of the renewal job.
    #[must_use]
    pub fn renewal(user: &str) -> Self {
        Self { what: What::Renewal(false), user: user.to_owned(), key: None }
    }

    /// A run of the renewal job where callers have Hyperliquid's keys, which are to stay.
    #[must_use]
    pub fn renewal_of_handed_out(user: &str) -> Self {
        Self { what: What::Renewal(true), user: user.to_owned(), key: None }
    }

    /// Refreshes the shares of the user's wallet.
    #[must_use]
    pub fn refresh(user: &str, wallet_id: Uuid) -> Self {
        Self { what: What::Refresh(wallet_id), user: user.to_owned(), key: None }
    }

    /// A caller comes back at once, the job's schedule an hour later.
    pub(super) const fn again_after_ms(&self) -> u64 {
        match self.what {
            What::Request(..) | What::Refresh(_) => 1,
            What::Renewal(_) => 60 * 60 * 1_000,
        }
    }
}

/// How an honest client knows that an operation has ended.
pub mod ended {
    use super::Reply;

    /// Creation.
    #[must_use]
    pub fn created(reply: &Reply) -> bool {
        matches!(reply.status, 200 | 201)
    }

    /// Registration.
    #[must_use]
    pub fn registered(reply: &Reply) -> bool {
        reply.status == 200 || reply.text("/code") == "API_KEY_EXISTS"
    }

    /// What just succeeds.
    #[must_use]
    pub fn done(reply: &Reply) -> bool {
        reply.status == 200
    }

    /// Deletion.
    #[must_use]
    pub fn deleted(reply: &Reply) -> bool {
        reply.status == 200 || reply.text("/code") == "API_KEY_NOT_FOUND"
    }

    /// The renewal job: there was nothing left to do.
    #[must_use]
    pub fn idle(reply: &Reply) -> bool {
        reply.body["worked"] == 0
    }
}
