//! Requests for a tenant's own keys.

use domain::ids::Tenant;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

use crate::api::body::{JsonBody, bad_id};
use crate::api::error::ApiError;
use crate::key_admin::{KeyRequest, MAX_OVERLAP_MS, OVERLAP_MS};
use crate::schema;
use crate::tenancy::{Cidr, KeyId, KeyLabel, MAX_CIDRS, Scope, Scopes};

/// `POST /api/keys`.
#[derive(ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateTenantKey {
    /// A label. No two usable keys of a tenant have the same label.
    #[schema(value_type = schema::TenantKeyLabel)]
    pub label: KeyLabel,
    /// The scopes. Absent: those of the calling key, except `money` and `admin`.
    #[schema(value_type = Option<Vec<schema::ScopeName>>, min_items = 1, max_items = 8)]
    pub scopes: Option<Scopes>,
    /// The expiry. Absent: that of the calling key.
    #[schema(value_type = Option<schema::Moment>)]
    pub expires_at: Option<u64>,
    /// The networks that the key may be used from. Absent: those of the calling key.
    #[schema(value_type = Option<Vec<schema::Network>>, min_items = 1, max_items = 20)]
    pub networks: Option<Vec<Cidr>>,
}

impl CreateTenantKey {
    /// Reads and checks a request at a time in Unix milliseconds.
    ///
    /// # Errors
    /// 400, naming the field.
    pub fn read(body: &JsonBody, now_ms: u64) -> Result<Self, ApiError> {
        body.only::<Self>()?;
        let label = body.required("label")?.parse().map_err(bad_id)?;
        let scopes = body.texts("scopes")?.map(|words| scopes(&words)).transpose()?;
        let expires_at = body.optional("expiresAt")?.map(|text| later(text, now_ms)).transpose()?;
        let networks = body.texts("networks")?.map(|texts| networks(&texts)).transpose()?;
        Ok(Self { label, scopes, expires_at, networks })
    }

    /// Returns the requested key. It has the scopes `usual` if the request names none.
    #[must_use]
    pub fn key(self, tenant: &Tenant, usual: Scopes) -> KeyRequest {
        KeyRequest {
            tenant: tenant.clone(),
            label: self.label,
            scopes: self.scopes.unwrap_or(usual),
            expires_at_ms: self.expires_at,
            cidrs: self.networks.unwrap_or_default(),
            replaces: None,
            made_by: None,
        }
    }
}

fn scopes(words: &[&str]) -> Result<Scopes, ApiError> {
    let named = words.iter().map(|word| word.parse::<Scope>()).collect::<Result<Scopes, _>>();
    let named = named.map_err(bad_id)?;
    if named == Scopes::none() {
        return Err(ApiError::bad_request("scopes must name at least one scope"));
    }
    Ok(named)
}

fn networks(texts: &[&str]) -> Result<Vec<Cidr>, ApiError> {
    if !(1..=MAX_CIDRS).contains(&texts.len()) {
        return Err(ApiError::bad_request("networks must have 1 to 20 entries"));
    }
    texts.iter().map(|text| text.parse().map_err(bad_id)).collect()
}

/// A moment after `now_ms`, Unix milliseconds.
fn later(text: &str, now_ms: u64) -> Result<u64, ApiError> {
    let read = OffsetDateTime::parse(text, &Rfc3339).ok();
    let at_ms = read.and_then(|time| u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok());
    match at_ms {
        Some(at_ms) if at_ms > now_ms => Ok(at_ms),
        Some(_) => Err(ApiError::bad_request("expiresAt must be in the future")),
        None => Err(ApiError::bad_request(
            "expiresAt must be an RFC 3339 time, such as 2027-01-31T00:00:00Z",
        )),
    }
}

/// `POST /api/keys/{keyId}/rotate`.
#[derive(ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RotateTenantKey {
    /// The key that the path names.
    #[schema(ignore)]
    pub key_id: KeyId,
    /// The time for which the replaced key still works. 0 revokes it at once. Absent: an hour.
    #[schema(value_type = Option<schema::OverlapSeconds>)]
    pub overlap_seconds: u64,
}

impl RotateTenantKey {
    /// Reads and checks a request. `id`: the key in the path.
    ///
    /// # Errors
    /// 400, naming the field or the parameter.
    pub fn read(id: &str, body: &JsonBody) -> Result<Self, ApiError> {
        let key_id = id.parse().map_err(bad_id)?;
        body.only::<Self>()?;
        let longest = MAX_OVERLAP_MS / 1_000;
        let overlap_seconds = body.number("overlapSeconds", 0..=longest)?;
        Ok(Self { key_id, overlap_seconds: overlap_seconds.unwrap_or(OVERLAP_MS / 1_000) })
    }
}

/// `DELETE /api/keys/{keyId}`.
#[derive(ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevokeTenantKey {
    /// The key that the path names.
    #[schema(ignore)]
    pub key_id: KeyId,
    /// Permits the revocation of the calling key.
    #[schema(value_type = Option<bool>, default = false)]
    pub force: bool,
}

impl RevokeTenantKey {
    /// Reads and checks a request. `id`: the key in the path.
    ///
    /// # Errors
    /// 400, naming the field or the parameter.
    pub fn read(id: &str, body: &JsonBody) -> Result<Self, ApiError> {
        let key_id = id.parse().map_err(bad_id)?;
        body.only::<Self>()?;
        Ok(Self { key_id, force: body.flag("force", false)? })
    }
}
