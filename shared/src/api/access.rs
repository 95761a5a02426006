//! The layer that requires a scope, and the errors of tenant keys.

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::ids::Tenant;
use futures_util::future::join;
use http::request::Parts;
use tower::Layer;

use super::error::ApiError;
use super::layer::{Layered, layered};
use crate::access::{Access, AccessError, Admitted, Presented, Requirement};
use crate::caller::{Caller, Once};
use crate::tenancy::Scope;

/// The layer whose routes require a scope of the tenant key.
///
/// Security invariant: it is the outermost layer of an endpoint's routes. Behind it are the replay of
/// earlier responses and the handler, and nothing else makes a [`Caller`], so a route without this
/// layer is closed.
#[derive(Clone, Copy, Debug)]
pub struct Requires(Requirement);

impl Requires {
    /// Routes that require this scope, and that a suspended tenant may not call.
    #[must_use]
    pub const fn scope(scope: Scope) -> Self {
        Self(Requirement { scope, while_suspended: false })
    }

    /// And that a suspended tenant may call as well: they read or remove.
    #[must_use]
    pub const fn while_suspended(self) -> Self {
        Self(Requirement { while_suspended: true, ..self.0 })
    }
}

impl<S> Layer<S> for Requires {
    type Service = Layered<Self, S>;

    fn layer(&self, routes: S) -> Self::Service {
        layered(self, |requires, request, next| Box::pin(run(requires, request, next)), routes)
    }
}

async fn run(
    State(Requires(required)): State<Requires>,
    mut request: Request,
    next: Next,
) -> Response {
    let extensions = request.extensions();
    let Some(presented) = extensions.get::<Presented>().cloned() else {
        return ApiError::no_api_key().into_response();
    };
    let Some(access) = extensions.get::<Access>().cloned() else {
        let cause = "the entry of this function hands no Access on";
        return ApiError::internal("Internal error", &cause).into_response();
    };
    match access.admit(&presented, required).await {
        Ok(admitted) => {
            request.extensions_mut().insert::<Tenant>(admitted.tenant.clone());
            request.extensions_mut().insert::<Admitted>(admitted.clone());
            // At once, so that the note adds no time of its own.
            join(next.run(request), access.note_use(&admitted)).await.0
        }
        Err(error) => ApiError::access(&error).into_response(),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let admitted = parts.extensions.get::<Admitted>().cloned();
        let Admitted { tenant, key, scopes, limits } = admitted.ok_or_else(ApiError::no_api_key)?;
        Ok(Self { tenant, key, scopes, limits, request: parts.extensions.get::<Once>().cloned() })
    }
}

impl Caller {
    /// Requires one more scope than the route.
    ///
    /// # Errors
    /// 403 when the key lacks it.
    pub fn requires(&self, scope: Scope) -> Result<(), ApiError> {
        if self.scopes.contains(scope) { Ok(()) } else { Err(ApiError::scope_missing(scope)) }
    }
}

impl ApiError {
    /// The error of a key that is not admitted.
    #[must_use]
    pub fn access(error: &AccessError) -> Self {
        match error {
            AccessError::NoRecord => Self::invalid_api_key(),
            AccessError::Revoked => Self::tenant_key_revoked(),
            AccessError::Expired => Self::tenant_key_expired(),
            AccessError::Address => Self::address_not_allowed(),
            AccessError::ScopeMissing(scope) => Self::scope_missing(*scope),
            AccessError::Suspended => Self::tenant_suspended(),
            AccessError::Store(error) => Self::store("Internal error", error),
        }
    }

    /// 401 for a key that is revoked.
    #[must_use]
    pub fn tenant_key_revoked() -> Self {
        Self::new(401, "TENANT_KEY_REVOKED", "This X-API-KEY is revoked")
            .advise("Send another key of the tenant. A revoked key cannot be used again.")
    }

    /// 401 for a key that is expired.
    #[must_use]
    pub fn tenant_key_expired() -> Self {
        Self::new(401, "TENANT_KEY_EXPIRED", "This X-API-KEY is expired")
            .advise("Send another key of the tenant.")
    }

    /// 403 for a key that is used from elsewhere.
    #[must_use]
    pub fn address_not_allowed() -> Self {
        let error = "This X-API-KEY may not be used from this address";
        Self::new(403, "ADDRESS_NOT_ALLOWED", error)
            .advise("Call from a network that the key lists.")
    }

    /// 403 for a key that lacks the scope of an operation.
    #[must_use]
    pub fn scope_missing(scope: Scope) -> Self {
        Self::new(403, "SCOPE_MISSING", format!("This X-API-KEY lacks the scope {scope}"))
            .advise(format!("Send a key of the tenant that has the scope {scope}."))
    }

    /// 403 for a tenant that is suspended.
    #[must_use]
    pub fn tenant_suspended() -> Self {
        Self::new(403, "TENANT_SUSPENDED", "The tenant is suspended").advise(
            "Until the operator resumes the tenant, it can read and delete, and nothing else.",
        )
    }
}
