//! The API's error responses, and the only place that converts errors to HTTP.
//!
//! A 5xx body is fixed text; the cause is logged here, once.

mod body;

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use platform::items::StoreError;
use protocol::Refusal;

pub use self::body::{Details, ErrorBody};
use crate::mpc::{CosignerError, ProtocolError};
use crate::wallets::{CreateError, SignError};

/// Advice after a fault that a retry resolves.
pub const REPEAT: &str = "Nothing is lost. Retry the call; it resumes where this one stopped.";

/// Returns the advice for an error without its own.
const fn usual_advice(status: u16) -> &'static str {
    match status {
        404 => "Check the name. You can access only the items of your own tenant.",
        429 => "Retry after the time in retryAfterSeconds.",
        500.. => "Retry the call. If it fails again, contact the operator with the x-request-id.",
        _ => "Correct the request before you send it again.",
    }
}

/// An error response of the contract.
#[derive(Clone, Debug)]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// The problem.
    pub error: Cow<'static, str>,
    /// The action to take.
    pub message: Cow<'static, str>,
    /// More advice, when the contract fixes `message`.
    pub advice: Option<Cow<'static, str>>,
    /// A stable upper-snake code for programs to switch on.
    pub code: &'static str,
    /// Seconds to wait, sent as `Retry-After`.
    pub retry_after_s: Option<u64>,
    /// Further facts for programs.
    pub details: Option<Box<Details>>,
}

impl ApiError {
    /// Makes an error with this status, code and text.
    pub fn new(status: u16, code: &'static str, error: impl Into<Cow<'static, str>>) -> Self {
        let message = Cow::Borrowed(usual_advice(status));
        let error = error.into();
        Self { status, error, message, advice: None, code, retry_after_s: None, details: None }
    }

    /// Sets the advice.
    #[must_use]
    pub fn advise(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.message = message.into();
        self
    }

    /// Sets further advice, when the contract fixes the message.
    #[must_use]
    pub fn with_advice(mut self, advice: impl Into<Cow<'static, str>>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Sets `Retry-After`.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Changes the further facts.
    #[must_use]
    pub(super) fn detail(mut self, change: impl FnOnce(&mut Details)) -> Self {
        change(self.details.get_or_insert_default());
        self
    }

    /// Makes a 400.
    pub fn bad_request(error: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, "BAD_REQUEST", error)
    }

    /// Makes a 400 for a field that is absent, null or empty.
    #[must_use]
    pub fn missing(field: &str) -> Self {
        Self::new(400, "MISSING_PARAMETER", format!("Missing required parameter: {field}"))
    }

    /// Makes a 404 for a wallet that does not exist or belongs to another tenant.
    #[must_use]
    pub fn wallet_not_found() -> Self {
        Self::new(404, "WALLET_NOT_FOUND", "Wallet not found")
            .advise("Check the name, or create the wallet with POST /api/wallets.")
    }

    /// Makes a 404 for a wallet without a credential for the exchange.
    #[must_use]
    pub fn api_key_not_found() -> Self {
        Self::new(404, "API_KEY_NOT_FOUND", "API key not found")
            .advise("Register the wallet with this exchange first.")
    }

    /// Makes a 404 for a path that is not a route.
    #[must_use]
    pub fn no_route() -> Self {
        Self::new(404, "NOT_FOUND", "No such route")
            .advise("Check the path; GET /api/openapi.json lists all routes.")
    }

    /// Makes a 405.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        Self::new(405, "METHOD_NOT_ALLOWED", "Method not allowed")
            .advise("Use a method that GET /api/openapi.json lists for this path.")
    }

    /// Makes a 415.
    #[must_use]
    pub fn unsupported_media_type() -> Self {
        Self::new(415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type must be application/json")
            .advise("Send a JSON body with this Content-Type.")
    }

    /// Makes a 415 for a compressed body.
    #[must_use]
    pub fn unsupported_encoding() -> Self {
        Self::new(415, "UNSUPPORTED_MEDIA_TYPE", "Content-Encoding must be identity")
            .advise("Send the body without compression.")
    }

    /// Makes a 401 for a request without a tenant key.
    #[must_use]
    pub fn no_api_key() -> Self {
        Self::new(401, "MISSING_API_KEY", "Missing X-API-KEY")
            .advise("Send the header X-API-KEY with a key that is enabled")
    }

    /// Makes a 403 for an unknown tenant key.
    #[must_use]
    pub fn invalid_api_key() -> Self {
        Self::new(403, "INVALID_API_KEY", "Invalid X-API-KEY")
            .advise("Send the header X-API-KEY with a key that is enabled")
    }

    /// Makes a 413 for a body that is too large, otherwise a 400.
    #[must_use]
    pub fn unreadable_body(status: StatusCode) -> Self {
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            Self::new(413, "PAYLOAD_TOO_LARGE", "Request body is larger than 64 KiB")
                .advise("Send a smaller body.")
        } else {
            Self::bad_request("Request body could not be read")
        }
    }

    /// Makes a 500 with a fixed text, and logs the cause. It is logged nowhere else.
    #[must_use]
    pub fn internal(error: &'static str, cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "internal error");
        Self::new(500, "INTERNAL", error)
    }

    /// Makes a 503: the cosigner did not respond, or lost an open run. Nothing was signed, and a
    /// retry begins a new run.
    #[must_use]
    pub fn signer_unavailable(error: &'static str, cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "the cosigner is unavailable");
        Self::new(503, "SIGNER_UNAVAILABLE", error).advise(REPEAT).retry_after(1)
    }

    /// Makes a 503 when the table was busy until the last attempt, otherwise a 500.
    #[must_use]
    pub fn store(error: &'static str, cause: &StoreError) -> Self {
        if !matches!(cause, StoreError::Busy(_)) {
            return Self::internal(error, cause).advise(REPEAT);
        }
        tracing::warn!(%cause, "the table is busy");
        Self::new(503, "STORE_BUSY", error).advise(REPEAT).retry_after(1)
    }

    /// Makes a 429 for a tenant that exceeds its requests per second.
    #[must_use]
    pub fn rate_limited(wait_s: u64) -> Self {
        Self::new(429, "RATE_LIMITED", "Too many requests").retry_after(wait_s)
    }

    /// Makes a 429 for a tenant that has used up its daily quota.
    #[must_use]
    pub fn quota_exceeded(wait_s: u64) -> Self {
        Self::new(429, "QUOTA_EXCEEDED", "Too many requests")
            .advise("The quota of this X-API-KEY for today (UTC) is used up. Retry tomorrow.")
            .retry_after(wait_s)
    }

    /// Makes a 408 for a slow client, on the local stack.
    #[must_use]
    pub fn request_timeout() -> Self {
        Self::new(408, "REQUEST_TIMEOUT", "Request body did not arrive in time")
            .advise("Send the whole body within 10 seconds.")
    }

    /// Makes a 503 for the local stack's health, when its disk or keys failed.
    #[must_use]
    pub fn unhealthy(trouble: String) -> Self {
        Self::new(503, "UNHEALTHY", trouble)
            .advise("Run `hyperdex doctor` on the machine of the stack")
            .retry_after(5)
    }

    /// Makes a 400 for a path that is not text.
    #[must_use]
    pub fn unreadable_path() -> Self {
        Self::bad_request("Request path must be UTF-8 after percent-decoding")
    }

    /// Returns the body as JSON text, with the time in Unix milliseconds.
    ///
    /// The text is written from the struct, so its fields have one order in every build. A
    /// `serde_json::Value` sorts its fields unless a crate of the same build enables `preserve_order`.
    #[must_use]
    pub fn body(&self, now_ms: u64) -> String {
        let body = ErrorBody::new(self, now_ms);
        #[expect(clippy::expect_used, reason = "a struct of texts and numbers is JSON")]
        serde_json::to_string(&body).expect("a struct of texts and numbers is JSON")
    }
}

/// The middleware writes the body, because it has the clock.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::store("Internal error", &error)
    }
}

impl From<CreateError> for ApiError {
    fn from(error: CreateError) -> Self {
        const ERROR: &str = "Failed to create wallet";
        match error {
            CreateError::Protocol(error) => cosigner_failed(ERROR, &error),
            CreateError::Store(error) => Self::store(ERROR, &error),
            CreateError::QuotaReached { quota } => {
                Self::new(422, "WALLET_QUOTA_REACHED", ERROR).advise(format!(
                    "Your quota of {quota} wallets is used up. No key was made. Ask the operator to \
                     raise the quota."
                ))
            }
            CreateError::Envelope(_) | CreateError::Random(_) => Self::internal(ERROR, &error),
        }
    }
}

impl From<SignError> for ApiError {
    fn from(error: SignError) -> Self {
        const ERROR: &str = "Failed to sign message";
        match error {
            SignError::NotFound => Self::wallet_not_found(),
            SignError::Protocol(error) => cosigner_failed(ERROR, &error),
            SignError::Frozen => frozen(ERROR),
            SignError::Busy | SignError::Worn | SignError::Moved => {
                Self::signer_unavailable(ERROR, &error)
            }
            SignError::FrozenByOperator => frozen_by_operator(ERROR),
            SignError::Store(error) => Self::store(ERROR, &error),
            SignError::Envelope(_) | SignError::Share(_) => Self::internal(ERROR, &error),
        }
    }
}

pub(super) fn frozen(error: &'static str) -> ApiError {
    ApiError::new(422, "WALLET_FROZEN", error).advise(
        "This wallet is barred from signing after a failed protocol run. Contact the operator.",
    )
}

pub(super) fn frozen_by_operator(error: &'static str) -> ApiError {
    ApiError::new(422, "WALLET_FROZEN", error).advise(
        "An operator has frozen this wallet. You can still delete its API keys. For anything else, \
         contact the operator.",
    )
}

pub(super) fn cosigner_failed(error: &'static str, cause: &ProtocolError) -> ApiError {
    match cause {
        ProtocolError::Cosigner(CosignerError::Refused(Refusal::Policy(reason))) => {
            tracing::warn!(%reason, "refused by the cosigner's policy");
            ApiError::new(422, "POLICY_REFUSED", error).advise(format!(
                "The signing policy does not allow this: {reason}. If it should, contact the \
                     operator."
            ))
        }
        ProtocolError::Cosigner(CosignerError::Refused(Refusal::Rate {
            reason,
            retry_after_s,
        })) => {
            tracing::warn!(%reason, "refused by the cosigner's rates");
            ApiError::new(429, "SIGNING_RATE_LIMIT", "Too many requests")
                .advise(format!(
                    "The signing policy allows no more for now: {reason}. Nothing was changed. \
                     Retry after retryAfterSeconds."
                ))
                .retry_after(*retry_after_s)
        }
        ProtocolError::Cosigner(CosignerError::Refused(Refusal::Barred)) => frozen(error),
        ProtocolError::Cosigner(
            CosignerError::Unavailable(_)
            | CosignerError::Refused(Refusal::NoSession | Refusal::Busy),
        ) => ApiError::signer_unavailable(error, cause),
        _ => ApiError::internal(error, cause).advise(REPEAT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::CallError;

    /// The test of the OpenAPI document compares the same order with the schema and the examples.
    #[test]
    fn error_body_has_fields_in_documented_order() {
        let full = ApiError::rate_limited(2).with_advice("Slow down.").body(7);
        assert_eq!(
            full,
            r#"{"success":false,"error":"Too many requests","code":"RATE_LIMITED","message":"Retry after the time in retryAfterSeconds.","retryAfterSeconds":2,"advice":"Slow down.","timestamp":7}"#
        );
        assert_eq!(
            ApiError::missing("userId").body(7),
            r#"{"success":false,"error":"Missing required parameter: userId","code":"MISSING_PARAMETER","message":"Correct the request before you send it again.","timestamp":7}"#
        );
    }

    #[test]
    fn interrupted_run_is_retryable_and_failed_run_is_internal() {
        let gone = CosignerError::Unavailable(CallError::Function("Unhandled".to_owned()));
        for cause in [gone, CosignerError::Refused(Refusal::NoSession)] {
            let error = cosigner_failed("Failed to sign message", &cause.into());
            assert_eq!((error.status, error.code), (503, "SIGNER_UNAVAILABLE"));
            assert_eq!(error.retry_after_s, Some(1));
        }
        for cause in [CosignerError::Nonsense, CosignerError::Refused(Refusal::Malformed)] {
            let error = cosigner_failed("Failed to sign message", &cause.into());
            assert_eq!((error.status, error.code, error.retry_after_s), (500, "INTERNAL", None));
        }
    }
}
