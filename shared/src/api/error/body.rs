//! The body of an error response, and the facts that it states in addition to its texts.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::ApiError;
use crate::schema;

/// Facts of an error in addition to its texts.
#[derive(Clone, Default, Debug)]
pub struct Details {
    /// The id of the order.
    pub client_order_id: Option<String>,
    /// The rule of the trading policy, as an upper-snake word.
    pub reason: Option<&'static str>,
    /// The limit, step or minimum that the request violates.
    pub limit: Option<String>,
    /// The exchange's own text, bounded and without secrets.
    pub exchange_message: Option<String>,
    /// The state of the orders.
    pub data: Option<Box<RawValue>>,
}

/// The body of every error response.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = Error)]
pub struct ErrorBody<'a> {
    #[schema(value_type = schema::Failed)]
    success: bool,
    /// The problem.
    error: &'a str,
    #[schema(value_type = schema::Code)]
    code: &'a str,
    /// The action to take.
    message: &'a str,
    /// Seconds of the header `Retry-After`, if the response has it.
    #[schema(value_type = u64, required = false, minimum = 1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u64>,
    /// More advice, when the contract fixes `message`.
    #[schema(value_type = String, required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'a str>,
    /// The id of the order.
    #[schema(value_type = String, required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    client_order_id: Option<&'a str>,
    /// The rule of the trading policy that the order violates, or why a change of the payment policy
    /// is refused.
    #[schema(value_type = schema::PolicyRuleName, required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// The limit, step or minimum that the order violates.
    #[schema(value_type = String, required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<&'a str>,
    /// The exchange's own text.
    #[schema(value_type = String, required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    exchange_message: Option<&'a str>,
    /// The state of the order, the result of each order of a batch, or a text that approvers sign.
    #[schema(value_type = Object, required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[schema(value_type = schema::UnixMs)]
    timestamp: u64,
}

impl<'a> ErrorBody<'a> {
    /// Returns the body of an error, with the time in Unix milliseconds.
    pub(super) fn new(error: &'a ApiError, now_ms: u64) -> Self {
        let details = error.details.as_deref();
        Self {
            success: false,
            error: &error.error,
            code: error.code,
            message: &error.message,
            advice: error.advice.as_deref(),
            retry_after_seconds: error.retry_after_s,
            client_order_id: details.and_then(|it| it.client_order_id.as_deref()),
            reason: details.and_then(|it| it.reason),
            limit: details.and_then(|it| it.limit.as_deref()),
            exchange_message: details.and_then(|it| it.exchange_message.as_deref()),
            data: details.and_then(|it| it.data.as_deref()),
            timestamp: now_ms,
        }
    }
}
