//! Fairness between tenants: what one tenant uses up, another one still has.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so and ends")]

mod exchanges;
mod quota;
mod shares;
mod signatures;
mod webhooks;

use e2e::{Reply, TestApp};
use http::Method;
use serde_json::{Value, json};

/// A tenant that calls with its key.
struct Client<'a> {
    app: &'a TestApp,
    key: String,
}

impl<'a> Client<'a> {
    fn new(app: &'a TestApp, tenant: &str) -> Self {
        Self { app, key: app.key(tenant) }
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        self.app.send_as(&self.key, (method, path), body.as_ref()).await
    }

    async fn create(&self, user: &str) -> Reply {
        self.send(Method::POST, "/api/wallets", Some(json!({ "userId": user }))).await
    }

    async fn register(&self, exchange: &str, user: &str) -> Reply {
        let path = format!("/api/trading/{exchange}/apikey");
        self.send(Method::POST, &path, Some(json!({ "walletIdOrAddress": user }))).await
    }

    async fn rotate(&self, exchange: &str, user: &str) -> Reply {
        let path = format!("/api/trading/{exchange}/apikey/rotate");
        self.send(Method::POST, &path, Some(json!({ "walletIdOrAddress": user }))).await
    }

    async fn delete(&self, exchange: &str, user: &str) -> Reply {
        let path = format!("/api/trading/{exchange}/apikey?walletIdOrAddress={user}");
        self.send(Method::DELETE, &path, None).await
    }

    async fn key_of(&self, exchange: &str, user: &str) -> Reply {
        let path = format!("/api/trading/{exchange}/apikey?walletIdOrAddress={user}");
        self.send(Method::GET, &path, None).await
    }
}
