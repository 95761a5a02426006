//! `Idempotency-Key`: a retried request takes effect once and gets the original response.
//!
//! A request without the header passes through at no extra cost. A request with the header is
//! recorded before it is processed, and its response is stored afterwards. Only successes are
//! stored. A refusal has changed nothing, and its reason may change (a deposit, a wallet, an
//! exchange's state). The same request therefore runs again as a further attempt at the same
//! operation, and resumes where the last attempt stopped.
//!
//! A success that holds a secret is returned again only for
//! [`SECRET_MS`](crate::store::SECRET_MS). This suffices for a client that has lost the response,
//! and limits what a key found in that day's logs reveals. The same holds for an outcome whose
//! response could not be stored.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::clock::{Clock, wait_for_lease_s};
use domain::ids::Tenant;
use domain::random::Random;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use platform::env::ConfigError;
use platform::envelope::{Envelope, EnvelopeError};
use platform::items::{SCHEMA, StoreError};
use tower::Layer;

use super::error::ApiError;
use super::layer::{Layered, layered};
use crate::caller::Once;
use crate::runtime::Runtime;
use crate::store::{RequestMark, RequestRecord, Store, StoredAnswer, hash, is_hidden};
use crate::wallets::{Custody, envelope_from_env};
use crate::webhooks::Webhooks;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
pub(super) const REPLAY: HeaderName = HeaderName::from_static("idempotent-replay");

/// Maximum duration of one attempt. It exceeds API Gateway's timeout.
const LEASE_MS: u64 = 30_000;

/// Time for which a key is remembered.
const KEY_LIFE_MS: u64 = 24 * 60 * 60 * 1_000;

/// Maximum size of a stored response, far above any actual one.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// Marks a response that holds a secret, so that it is stored sealed.
#[derive(Clone, Copy, Default, Debug)]
pub struct HoldsSecret {
    /// Since when an earlier response may have shown the secret, Unix milliseconds. `None` when
    /// none has, except where the request's outcome states it.
    pub shown_from_ms: Option<u64>,
}

/// Marks a response that repeats an earlier one.
#[derive(Clone, Copy)]
pub(super) struct Replayed;

/// The clients that remember requests.
#[derive(Clone, Debug)]
pub struct Memory {
    /// The table that records requests.
    pub store: Store,
    /// Seals responses that hold a secret.
    pub envelope: Envelope,
    /// The clock.
    pub clock: Clock,
    /// The source of randomness.
    pub random: Random,
}

impl Memory {
    /// Makes the clients from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing variable.
    pub fn from_env(runtime: &Runtime<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            store: Store::from_env(&runtime.env)?,
            envelope: envelope_from_env(runtime)?,
            clock: runtime.clock.clone(),
            random: runtime.random.clone(),
        })
    }
}

impl From<Custody> for Memory {
    fn from(custody: Custody) -> Self {
        let Custody { store, envelope, clock, random, .. } = custody;
        Self { store, envelope, clock, random }
    }
}

impl From<Webhooks> for Memory {
    fn from(webhooks: Webhooks) -> Self {
        let Webhooks { store, envelope, clock, random } = webhooks;
        Self { store, envelope, clock, random }
    }
}

/// The layer that implements `Idempotency-Key` for `POST` and `DELETE`.
#[derive(Clone, Debug)]
pub struct Idempotency(Memory);

impl Idempotency {
    /// Makes the layer with this memory.
    pub fn new(memory: impl Into<Memory>) -> Self {
        Self(memory.into())
    }
}

impl<S> Layer<S> for Idempotency {
    type Service = Layered<Self, S>;

    fn layer(&self, routes: S) -> Self::Service {
        layered(self, |memory, request, next| Box::pin(run(memory, request, next)), routes)
    }
}

async fn run(
    State(Idempotency(memory)): State<Idempotency>,
    request: Request,
    next: Next,
) -> Response {
    let changes = matches!(*request.method(), Method::POST | Method::DELETE);
    let key = match key_of(request.headers()) {
        Ok(Some(key)) if changes => hash(&[key.as_bytes()]),
        Err(error) if changes => return error.into_response(),
        _ => return next.run(request).await,
    };
    // The handler refuses requests without a tenant.
    let Some(tenant) = request.extensions().get::<Tenant>().cloned() else {
        return next.run(request).await;
    };
    let (parts, body) = request.into_parts();
    let whole = Request::from_parts(parts.clone(), body);
    let body = match Bytes::from_request(whole, &()).await {
        Ok(body) => body,
        Err(refused) => return ApiError::unreadable_body(refused.status()).into_response(),
    };
    match begin(&memory, &tenant, key, &fingerprint(&parts, &body)).await {
        Ok(Begun::Attempt(once)) => {
            let mark = once.mark.clone();
            let shown_from_ms = once.outcome.as_ref().and_then(|outcome| outcome.shown_from_ms);
            let mut request = Request::from_parts(parts, Body::from(body));
            request.extensions_mut().insert(once);
            let response = next.run(request).await;
            keep(&memory, &tenant, (&mark, shown_from_ms), response).await
        }
        Ok(Begun::Answered(response)) => response,
        Err(error) => error.into_response(),
    }
}

/// Returns the client's key: 1 to 255 visible ASCII characters, given once.
///
/// # Errors
/// 400 when the header is invalid.
pub fn key_of(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut given = headers.get_all(KEY).iter();
    let Some(key) = given.next() else { return Ok(None) };
    let is_visible = |text: &&str| text.bytes().all(|byte| byte.is_ascii_graphic());
    let text = key.to_str().ok().filter(is_visible);
    match text {
        Some(text) if given.next().is_none() && (1..=255).contains(&text.len()) => Ok(Some(text)),
        _ => Err(ApiError::idempotency_key_invalid()),
    }
}

fn fingerprint(parts: &Parts, body: &[u8]) -> String {
    let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
    hash(&[parts.method.as_str().as_bytes(), path.as_bytes(), query.as_bytes(), body])
}

enum Begun {
    /// This call must process the request.
    Attempt(Once),
    /// An earlier call has responded.
    Answered(Response),
}

async fn begin(
    memory: &Memory,
    tenant: &Tenant,
    key: String,
    fingerprint: &str,
) -> Result<Begun, ApiError> {
    let now_ms = memory.clock.now_ms();
    let lease_until_ms = now_ms + LEASE_MS;
    let random = &memory.random;
    let drawn = || random.uuid().map_err(|error| failed(&error));
    let mut mark = RequestMark { key, operation: drawn()?, attempt: drawn()? };
    let ends_at_ms = now_ms + KEY_LIFE_MS;
    let new = RequestRecord {
        schema: SCHEMA,
        fingerprint: fingerprint.to_owned(),
        operation: mark.operation,
        attempt: mark.attempt,
        lease_until_ms,
        ends_at_ms,
        expires_at_s: ends_at_ms / 1_000 + 1,
        outcome: None,
        answer: None,
    };
    let store = &memory.store;
    let known = match store.begin_request(tenant, &mark.key, &new, now_ms).await {
        Ok(None) => return Ok(Begun::Attempt(Once { mark, outcome: None })),
        Ok(Some(known)) => known,
        Err(StoreError::Conflict) => return Err(ApiError::idempotency_in_progress(1)),
        Err(error) => return Err(ApiError::store("Internal error", &error)),
    };
    if known.fingerprint != fingerprint {
        return Err(ApiError::idempotency_key_reused());
    }
    mark.operation = known.operation;
    let first_seen_ms = known.ends_at_ms.saturating_sub(KEY_LIFE_MS);
    if let Some(answer) = known.answer.clone() {
        return replay(memory, tenant, &mark, answer, first_seen_ms).await.map(Begun::Answered);
    }
    if now_ms < known.lease_until_ms {
        let wait_s = wait_for_lease_s(known.lease_until_ms, LEASE_MS, now_ms);
        return Err(ApiError::idempotency_in_progress(wait_s));
    }
    match store.take_request_over(tenant, &mark, &known, (now_ms, lease_until_ms)).await {
        Ok(RequestRecord { answer: Some(answer), .. }) => {
            replay(memory, tenant, &mark, answer, first_seen_ms).await.map(Begun::Answered)
        }
        Ok(now) => Ok(Begun::Attempt(Once { mark, outcome: now.outcome })),
        Err(StoreError::Conflict) => Err(ApiError::idempotency_in_progress(1)),
        Err(error) => Err(ApiError::store("Internal error", &error)),
    }
}

async fn replay(
    memory: &Memory,
    tenant: &Tenant,
    mark: &RequestMark,
    answer: StoredAnswer,
    first_seen_ms: u64,
) -> Result<Response, ApiError> {
    let given_ms = answer.at_ms.unwrap_or(first_seen_ms);
    if answer.sealed.is_some() && is_hidden(given_ms, memory.clock.now_ms()) {
        return Err(ApiError::secret_not_shown_again());
    }
    let body = match (answer.body, answer.sealed) {
        (Some(body), _) => Body::from(body),
        (None, Some(sealed)) => {
            let opened = memory.envelope.open(&mark.context(tenant), &sealed).await;
            Body::from(opened.map_err(|error| failed(&error))?.to_vec())
        }
        (None, None) => Body::empty(),
    };
    let status = http::StatusCode::from_u16(answer.status).map_err(|error| failed(&error))?;
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(REPLAY, HeaderValue::from_static("true"));
    response.extensions_mut().insert(Replayed);
    Ok(response)
}

/// Stores a final response. If that fails, the response is returned anyway, because a retry finds
/// the recorded outcome.
async fn keep(
    memory: &Memory,
    tenant: &Tenant,
    (mark, shown_from_ms): (&RequestMark, Option<u64>),
    response: Response,
) -> Response {
    let (response, kept) = if response.status().is_success() {
        seal(memory, tenant, (mark, shown_from_ms), response).await
    } else {
        (response, memory.store.end_request(tenant, mark, None).await.map_err(KeepError::from))
    };
    if let Err(error) = kept {
        tracing::warn!(%error, "response not stored for its Idempotency-Key");
    }
    response
}

async fn seal(
    memory: &Memory,
    tenant: &Tenant,
    (mark, shown_from_ms): (&RequestMark, Option<u64>),
    response: Response,
) -> (Response, Result<(), KeepError>) {
    let (parts, body) = response.into_parts();
    let bytes = match to_bytes(body, MAX_ANSWER_BYTES).await {
        Ok(bytes) => bytes,
        Err(cause) => return (failed(&cause).into_response(), Ok(())),
    };
    let secret = parts.extensions.get::<HoldsSecret>().copied();
    let earlier_ms = secret.and_then(|secret| secret.shown_from_ms).or(shown_from_ms);
    let kept = async {
        let at_ms = Some(earlier_ms.unwrap_or_else(|| memory.clock.now_ms()));
        let status = parts.status.as_u16();
        let mut answer = StoredAnswer { status, body: None, sealed: None, at_ms };
        if secret.is_some() {
            answer.sealed = Some(memory.envelope.seal(mark.context(tenant), &bytes).await?);
        } else {
            answer.body = Some(String::from_utf8_lossy(&bytes).into_owned());
        }
        Ok(memory.store.end_request(tenant, mark, Some(&answer)).await?)
    };
    let kept = kept.await;
    (Response::from_parts(parts, Body::from(bytes)), kept)
}

#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
}

impl ApiError {
    /// Makes a 400 for an invalid `Idempotency-Key`.
    #[must_use]
    pub fn idempotency_key_invalid() -> Self {
        let error = "Idempotency-Key must be given once, as 1 to 255 visible ASCII characters";
        Self::new(400, "IDEMPOTENCY_KEY_INVALID", error)
            .advise("Send one Idempotency-Key, such as a UUID, that is new for each new request.")
    }

    /// Makes a 410 for an `Idempotency-Key` whose response held a secret that is no longer shown.
    #[must_use]
    pub fn secret_not_shown_again() -> Self {
        let error = "The response to this Idempotency-Key held a secret that is no longer shown";
        Self::new(410, "SECRET_NOT_SHOWN_AGAIN", error).advise(
            "The request has succeeded. If you have lost the secret, rotate the API key, or delete \
             the webhook and create a new one.",
        )
    }

    /// Makes a 422 for an `Idempotency-Key` that belongs to another request.
    #[must_use]
    pub fn idempotency_key_reused() -> Self {
        let error = "Idempotency-Key was used for another request";
        Self::new(422, "IDEMPOTENCY_KEY_REUSED", error)
            .advise("Use a new key for each new request.")
    }

    /// Makes a 409 for an `Idempotency-Key` whose request is running.
    #[must_use]
    pub fn idempotency_in_progress(seconds: u64) -> Self {
        let error = "A request with this Idempotency-Key is running";
        Self::new(409, "IDEMPOTENCY_IN_PROGRESS", error)
            .advise("Retry the call after retryAfterSeconds; it is executed once.")
            .retry_after(seconds.max(1))
    }
}

fn failed(cause: &dyn std::fmt::Display) -> ApiError {
    ApiError::internal("Internal error", cause).advise(super::error::REPEAT)
}
