//! The tenant's own keys: each is a value of `X-API-KEY`.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::send::Call;
use crate::{Answer, Client, Error, Secret};

/// A kind of operation that a tenant key may call.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Scope {
    /// Reads wallets, credentials and agents.
    Read,
    /// Creates wallets.
    Wallets,
    /// Signs messages.
    Sign,
    /// Registers, rotates and removes trading keys.
    Keys,
    /// Places and cancels orders.
    Trade,
    /// Moves money.
    Money,
    /// Reads, creates, deletes and replays webhooks.
    Webhooks,
    /// Manages the tenant's own keys.
    Admin,
    /// A scope that this version of the crate does not know.
    #[serde(untagged)]
    Other(String),
}

/// A request for a tenant key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewTenantKey {
    /// A label. No two usable keys of a tenant have the same label.
    pub label: String,
    /// The scopes. `None`: those of the calling key, except `money` and `admin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<Scope>>,
    /// The expiry in RFC 3339. `None`: that of the calling key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// The networks that the key may be used from, in CIDR notation. `None`: those of the calling key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub networks: Option<Vec<String>>,
}

impl NewTenantKey {
    /// A key with this label and the usual scopes.
    pub fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), scopes: None, expires_at: None, networks: None }
    }
}

/// A tenant key, without its value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantKey {
    /// Its id, which is not a secret.
    pub key_id: String,
    /// The tenant's label.
    pub label: String,
    /// Its scopes.
    pub scopes: Vec<Scope>,
    /// `active`, `expired` or `revoked`.
    pub state: String,
    /// True for the key that sent the request.
    pub calling: bool,
    /// RFC 3339 in whole seconds.
    pub created_at: String,
    /// When it expires. `None`: it does not expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// When it was last used, to the hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<String>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
    /// The networks that it may be used from. Empty: any.
    pub networks: Vec<String>,
    /// The key that it replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

/// The keys of a tenant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TenantKeys {
    /// The keys in the order of their creation; revoked ones for 90 days.
    pub keys: Vec<TenantKey>,
}

/// A new tenant key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantKeyMade {
    /// The key.
    pub key: TenantKey,
    /// The value of `X-API-KEY`, returned once. The same request under the same `Idempotency-Key`
    /// returns it again for ten minutes, in case the response was lost.
    pub api_key: Secret,
}

/// A revoked tenant key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TenantKeyRevoked {
    /// The key.
    pub key: TenantKey,
}

impl Client {
    /// Lists the tenant's keys. `GET /api/keys`.
    ///
    /// # Errors
    /// Fails without a successful response; [`Code::ScopeMissing`](crate::Code::ScopeMissing).
    pub async fn list_tenant_keys(&self) -> Result<Answer<TenantKeys>, Error> {
        self.plain(Call::get(&["api", "keys"], &[])).await
    }

    /// Creates a key of the tenant. `POST /api/keys`.
    ///
    /// # Errors
    /// Fails without a successful response; [`Code::GrantNotAllowed`](crate::Code::GrantNotAllowed).
    pub async fn create_tenant_key(
        &self,
        key: &NewTenantKey,
    ) -> Result<Answer<TenantKeyMade>, Error> {
        self.plain(Call::post(&["api", "keys"], key)).await
    }

    /// Replaces a key of the tenant. The replaced key still works for this number of seconds, by
    /// default an hour.
    /// `POST /api/keys/{keyId}/rotate`.
    ///
    /// # Errors
    /// Fails without a successful response; [`Code::TenantKeyNotFound`](crate::Code::TenantKeyNotFound).
    pub async fn rotate_tenant_key(
        &self,
        key_id: &str,
        overlap_seconds: Option<u64>,
    ) -> Result<Answer<TenantKeyMade>, Error> {
        let body = match overlap_seconds {
            Some(seconds) => json!({ "overlapSeconds": seconds }),
            None => Value::Object(serde_json::Map::new()),
        };
        self.plain(Call::post(&["api", "keys", key_id, "rotate"], &body)).await
    }

    /// Revokes a key of the tenant for good. `force`: also the key of this client.
    /// `DELETE /api/keys/{keyId}`.
    ///
    /// # Errors
    /// Fails without a successful response; [`Code::TenantKeyInUse`](crate::Code::TenantKeyInUse).
    pub async fn revoke_tenant_key(
        &self,
        key_id: &str,
        force: bool,
    ) -> Result<Answer<TenantKeyRevoked>, Error> {
        let path = &["api", "keys", key_id];
        let method = Method::DELETE;
        let body = force.then(|| json!({ "force": true }).to_string());
        self.plain(Call { method, body, keyed: true, ..Call::get(path, &[]) }).await
    }
}
