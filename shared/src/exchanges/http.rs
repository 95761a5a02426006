//! The HTTP client for exchanges, bounded in time and size.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use domain::clock::Clock;
use http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, RETRY_AFTER};
use http::{HeaderMap, Method};
use platform::telemetry;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use super::{bounded, without_secrets};
use crate::http_client::{HttpSetupError, LazyClient};

/// Maximum size of a response, in bytes, unless the call allows more. An account's whole agent list
/// takes a few KB.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// Maximum wait after a plain "too many requests", in seconds. It is passed on to callers.
const MAX_RETRY_AFTER_S: u64 = 600;

/// Maximum ban of the egress address that is accepted, in seconds. Aster documents two minutes to
/// three days.
const MAX_BAN_S: u64 = 3 * 24 * 60 * 60;

/// Duration of a ban without a stated end, in seconds: the shortest documented one.
const SHORTEST_BAN_S: u64 = 120;

/// Clock differences from this size are reported, in milliseconds.
pub const SKEW_MS: u64 = 60_000;

/// A client of one exchange's HTTP API.
#[derive(Clone, Debug)]
pub struct Http {
    client: LazyClient,
    base: String,
    name: &'static str,
    /// Timeout of a call, if it is not the client's.
    timeout: Option<Duration>,
    clock: Clock,
    /// Lead of the local clock over the exchange's at its last response, in milliseconds.
    skew_ms: Arc<AtomicI64>,
}

/// An exchange's response, whatever its status.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, if given in seconds.
    pub retry_after_s: Option<u64>,
    /// The exchange's time (its `Date` header), otherwise the local time; Unix milliseconds.
    pub at_ms: u64,
    /// The body as text.
    pub body: String,
}

impl Answer {
    /// Makes a response without headers.
    #[must_use]
    pub fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, retry_after_s: None, at_ms: 0, body: body.into() }
    }

    /// Returns the seconds that an exchange requires to wait; `otherwise` when it does not state
    /// them. A ban (418, or "banned until" and a time in the text) may last for days.
    #[must_use]
    pub fn wait_s(&self, otherwise: u64) -> u64 {
        let banned_until_ms = banned_until_ms(&self.body);
        let left_s = banned_until_ms.map(|until| until.saturating_sub(self.at_ms).div_ceil(1_000));
        let is_ban = self.status == 418 || left_s.is_some();
        let longest_s = if is_ban { MAX_BAN_S } else { MAX_RETRY_AFTER_S };
        let otherwise = if is_ban { otherwise.max(SHORTEST_BAN_S) } else { otherwise };
        left_s.max(self.retry_after_s).unwrap_or(otherwise).clamp(1, longest_s)
    }

    /// Returns the edge's text for the log, without markup and without anything that looks like a
    /// signature or a key.
    #[must_use]
    pub fn blocked_words(&self) -> String {
        let mut is_markup = false;
        let plain: String = self
            .body
            .chars()
            .take(4_096)
            .map(|letter| {
                is_markup = letter == '<' || is_markup;
                let shown = if is_markup { ' ' } else { letter };
                is_markup = is_markup && letter != '>';
                shown
            })
            .collect();
        let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("HTTP {}: {}", self.status, bounded(&without_secrets(&words)))
    }
}

/// Returns the time after "banned until" in an error's text, Unix milliseconds.
fn banned_until_ms(body: &str) -> Option<u64> {
    let (_, after) = body.split_once("banned until ")?;
    let digits = after.split(|letter: char| !letter.is_ascii_digit()).next()?;
    // Milliseconds of this century have 13 digits.
    (digits.len() == 13).then(|| digits.parse().ok())?
}

/// Omits the body, which may hold a secret.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}

/// Why a call has no response. The texts omit URLs, because a query may hold a signature.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No connection: the request did not reach the exchange.
    #[error("no connection: {0}")]
    NotSent(#[source] TransportError),
    /// No response within the timeout.
    #[error("no response in time: {0}")]
    NoAnswer(#[source] TransportError),
    /// The response was incomplete or too large.
    #[error("incomplete response: {0}")]
    Broken(#[source] TransportError),
}

/// A failure on the way to an exchange or back. The text names every cause, and no URL.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The client could not be made.
    #[error(transparent)]
    Setup(#[from] HttpSetupError),
    /// The call failed.
    #[error("{}", with_causes(.0))]
    Call(#[source] reqwest::Error),
    /// The response exceeds the size limit.
    #[error("the response is too large")]
    TooLarge,
    /// A value cannot be a header.
    #[error("invalid header")]
    Header,
}

impl Http {
    /// Makes a client for the API below `base`. Make it once, because it holds the connections.
    #[must_use]
    pub fn new(base: &url::Url, name: &'static str, call_timeout_ms: u64, clock: Clock) -> Self {
        let call_timeout = Duration::from_millis(call_timeout_ms);
        let client = LazyClient::new(call_timeout);
        let base = base.as_str().trim_end_matches('/').to_owned();
        Self { client, base, name, timeout: None, clock, skew_ms: Arc::default() }
    }

    /// Returns a client with the same connections and another timeout of a call.
    #[must_use]
    pub fn with_timeout(&self, call_timeout_ms: u64) -> Self {
        Self { timeout: Some(Duration::from_millis(call_timeout_ms)), ..self.clone() }
    }

    /// Returns the clock.
    pub(super) const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Returns how far the local clock was ahead of the exchange's at its last response, in
    /// milliseconds; negative when it was behind. The header has whole seconds, and the time in
    /// transit is subtracted.
    pub(super) fn skew_ms(&self) -> i64 {
        self.skew_ms.load(Ordering::Relaxed)
    }

    /// Sends a `POST` with a body.
    ///
    /// # Errors
    /// Fails without a response.
    pub async fn post(
        &self,
        path: &str,
        content_type: &'static str,
        body: String,
    ) -> Result<Answer, SendError> {
        self.post_up_to(path, content_type, body, MAX_ANSWER_BYTES).await
    }

    /// Sends a `POST` as [`Http::post`] does, and accepts a response of at most `max_bytes`.
    ///
    /// # Errors
    /// Fails without a response.
    pub async fn post_up_to(
        &self,
        path: &str,
        content_type: &'static str,
        body: String,
        max_bytes: usize,
    ) -> Result<Answer, SendError> {
        self.send_body((Method::POST, path), content_type, body, max_bytes).await
    }

    /// Sends a `PUT` with a body.
    ///
    /// # Errors
    /// Fails without a response.
    pub async fn put(
        &self,
        path: &str,
        content_type: &'static str,
        body: String,
    ) -> Result<Answer, SendError> {
        self.send_body((Method::PUT, path), content_type, body, MAX_ANSWER_BYTES).await
    }

    /// Sends a `DELETE` with a body.
    ///
    /// # Errors
    /// Fails without a response.
    pub async fn delete(
        &self,
        path: &str,
        content_type: &'static str,
        body: String,
    ) -> Result<Answer, SendError> {
        self.send_body((Method::DELETE, path), content_type, body, MAX_ANSWER_BYTES).await
    }

    /// Sends a `GET` with a query that is already encoded. The request has no `Content-Type`.
    ///
    /// # Errors
    /// Fails without a response.
    pub async fn get(&self, path: &str, query: &str) -> Result<Answer, SendError> {
        self.get_up_to(path, query, MAX_ANSWER_BYTES).await
    }

    /// Sends a `GET` as [`Http::get`] does, and accepts a response of at most `max_bytes`.
    ///
    /// # Errors
    /// Fails without a response.
    pub async fn get_up_to(
        &self,
        path: &str,
        query: &str,
        max_bytes: usize,
    ) -> Result<Answer, SendError> {
        let url = match query {
            "" => self.url(path),
            query => format!("{}?{query}", self.url(path)),
        };
        self.send(path, self.client()?.get(url), max_bytes).await
    }

    /// Sends a `GET` as [`Http::get_up_to`] does, with a secret token in the header `Authorization`.
    ///
    /// # Errors
    /// Fails without a response.
    pub async fn get_authorized(
        &self,
        path: &str,
        query: &str,
        token: &str,
        max_bytes: usize,
    ) -> Result<Answer, SendError> {
        let request = self.client()?.get(format!("{}?{query}", self.url(path)));
        let mut token = http::HeaderValue::from_str(token)
            .map_err(|_| SendError::NotSent(TransportError::Header))?;
        token.set_sensitive(true);
        self.send(path, request.header(AUTHORIZATION, token), max_bytes).await
    }

    async fn send_body(
        &self,
        (method, path): (Method, &str),
        content_type: &'static str,
        body: String,
        max_bytes: usize,
    ) -> Result<Answer, SendError> {
        let request = self.client()?.request(method, self.url(path));
        let request = request.header(CONTENT_TYPE, content_type).body(body);
        self.send(path, request, max_bytes).await
    }

    fn client(&self) -> Result<&reqwest::Client, SendError> {
        self.client.get().map_err(|error| SendError::NotSent(error.into()))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn send(
        &self,
        path: &str,
        request: reqwest::RequestBuilder,
        max_bytes: usize,
    ) -> Result<Answer, SendError> {
        let request = match self.timeout {
            Some(timeout) => request.timeout(timeout),
            None => request,
        };
        telemetry::count_call(self.name, path);
        let sent_ms = self.clock.now_ms();
        let mut response = request.send().await.map_err(send_error)?;
        let received_ms = self.clock.now_ms();
        let retry_after_s = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.trim().parse().ok());
        let date_ms = date_ms(response.headers());
        if let Some(date_ms) = date_ms {
            self.skew_ms.store(skew_ms(sent_ms, received_ms, date_ms), Ordering::Relaxed);
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(send_error)? {
            if body.len() + chunk.len() > max_bytes {
                return Err(SendError::Broken(TransportError::TooLarge));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status: response.status().as_u16(),
            retry_after_s,
            at_ms: date_ms.unwrap_or(received_ms),
            // Not copied: a response may hold a secret, and its reader wipes it.
            body: String::from_utf8(body)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
        })
    }
}

/// Parses the `Date` header of RFC 9110 (`Sun, 06 Nov 1994 08:49:37 GMT`) to Unix milliseconds.
fn date_ms(headers: &HeaderMap) -> Option<u64> {
    let format = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let text = headers.get(DATE)?.to_str().ok()?;
    let date: OffsetDateTime = PrimitiveDateTime::parse(text, format).ok()?.assume_utc();
    u64::try_from(date.unix_timestamp()).ok()?.checked_mul(1_000)
}

/// Returns how far the local clock is ahead of a clock that showed the second `date_ms` between
/// two local times.
fn skew_ms(sent_ms: u64, received_ms: u64, date_ms: u64) -> i64 {
    let ahead = sent_ms.saturating_sub(date_ms.saturating_add(999));
    let behind = date_ms.saturating_sub(received_ms);
    i64::try_from(ahead).unwrap_or(i64::MAX) - i64::try_from(behind).unwrap_or(i64::MAX)
}

fn with_causes(error: &reqwest::Error) -> String {
    use std::error::Error as _;
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn send_error(error: reqwest::Error) -> SendError {
    let (is_connect, is_timeout) = (error.is_connect(), error.is_timeout());
    let cause = TransportError::Call(error.without_url());
    if is_connect {
        SendError::NotSent(cause)
    } else if is_timeout {
        SendError::NoAnswer(cause)
    } else {
        SendError::Broken(cause)
    }
}

#[cfg(test)]
pub(super) mod scripted;
#[cfg(test)]
mod tests;
