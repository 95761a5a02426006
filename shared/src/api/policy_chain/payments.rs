//! The cosigner's list of counted payments over HTTP.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Uri;
use protocol::{OpenPayment, OpenPayments, OutcomeReport};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::ApiError;
use crate::schema;

/// Longest position in a cursor, in bytes.
const MAX_POSITION: usize = 160;

/// A payment that the cosigner has counted.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = CountedPayment)]
pub(super) struct CountedPaymentData {
    #[schema(value_type = schema::WalletId)]
    wallet_id: String,
    #[schema(value_type = schema::TransferIdText)]
    payment_id: String,
    /// The payment as the cosigner has checked it.
    #[schema(value_type = Object)]
    payment: Value,
    #[schema(value_type = schema::CountedStateName)]
    state: &'static str,
    /// When it was counted, Unix milliseconds.
    #[schema(value_type = schema::UnixMs)]
    counted_at: u64,
    /// Until when the exchange accepts it, Unix milliseconds. Absent for a transaction on a chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::UnixMs, required = false)]
    valid_until: Option<u64>,
    /// What the service reported. The cosigner cannot verify it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = ReportData, required = false)]
    report: Option<ReportData>,
}

/// The outcome of a payment as the service reported it to the cosigner.
#[derive(Serialize, ToSchema, Debug)]
#[schema(as = PaymentReport)]
struct ReportData {
    #[schema(value_type = schema::ReportedOutcomeName)]
    outcome: &'static str,
    /// The hash or number in the exchange's ledger or on the chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    reference: Option<String>,
    /// When it was reported, Unix milliseconds.
    #[schema(value_type = schema::UnixMs)]
    at: u64,
    /// The function that reported it.
    by: String,
}

impl From<&OutcomeReport> for ReportData {
    fn from(report: &OutcomeReport) -> Self {
        let OutcomeReport { outcome, reference, at_ms, by } = report.clone();
        Self { outcome: outcome.as_str(), reference, at: at_ms, by }
    }
}

impl CountedPaymentData {
    pub(super) fn new(payment: &OpenPayment, now_ms: u64) -> Self {
        Self {
            wallet_id: payment.wallet_id.to_string(),
            payment_id: payment.id.to_string(),
            payment: serde_json::to_value(&payment.payment).unwrap_or_default(),
            state: payment.state(now_ms).as_str(),
            counted_at: payment.counted_at_ms,
            valid_until: payment.valid_until_ms,
            report: payment.report.as_ref().map(ReportData::from),
        }
    }
}

/// Encodes the start of the next page.
pub(super) fn cursor(page: &OpenPayments) -> Option<String> {
    page.next.as_ref().map(|next| URL_SAFE_NO_PAD.encode(next))
}

/// Reads the start of a page of payments from a query's `cursor`. It holds a position within the caller's own list.
///
/// # Errors
/// 400 when it is not a cursor.
pub fn payments_from(uri: &Uri) -> Result<Option<String>, ApiError> {
    let query = uri.query().unwrap_or_default();
    let mut cursors = url::form_urlencoded::parse(query.as_bytes()).filter(|it| it.0 == "cursor");
    let Some((_, text)) = cursors.next() else { return Ok(None) };
    if cursors.next().is_some() {
        return Err(ApiError::bad_request("cursor must be given once"));
    }
    let read = URL_SAFE_NO_PAD.decode(text.as_bytes()).ok();
    let read = read.filter(|bytes| bytes.len() <= MAX_POSITION && bytes.is_ascii());
    let read = read.and_then(|bytes| String::from_utf8(bytes).ok()).filter(|it| !it.is_empty());
    let wrong = || ApiError::bad_request("cursor must be the nextCursor of a response");
    read.map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Option<String>, u16> {
        payments_from(&format!("/api/policy{query}").parse().unwrap()).map_err(|error| error.status)
    }

    #[test]
    fn cursor_reads_back_as_the_start_of_the_next_page() {
        let next = Some("0001790000000000#29dd4dc0-1ff9-4df6-a19f-936f997cbc5a#p-1".to_owned());
        let page = OpenPayments { payments: Vec::new(), next: next.clone() };
        assert_eq!(read(&format!("?cursor={}", cursor(&page).unwrap())), Ok(next));
        assert_eq!(read("?other=1"), Ok(None));
    }

    #[test]
    fn damaged_cursor_is_refused() {
        let long = "A".repeat(400);
        for text in ["", "a", "%00", "w6Q", "A==", &long] {
            assert_eq!(read(&format!("?cursor={text}")), Err(400), "{text}");
        }
        assert_eq!(read("?cursor=QUFB&cursor=QUFB"), Err(400));
    }
}
