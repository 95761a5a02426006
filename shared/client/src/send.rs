//! One call: its attempts and its outcome.

use std::error::Error as _;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Method, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use crate::retry::random;
use crate::{Answer, Client, Code, Error, ErrorKind, IdempotencyKey, Refusal};

/// Maximum size of a response, in bytes; the OpenAPI document has about 400 KB.
const MAX_ANSWER_BYTES: usize = 8 << 20;

/// A call to send.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    /// The path's segments, unescaped; they are escaped here.
    pub(crate) path: &'a [&'a str],
    pub(crate) query: &'a [(&'a str, &'a str)],
    pub(crate) body: Option<String>,
    /// Headers of this call alone.
    pub(crate) headers: HeaderMap,
    /// Whether the call takes an `Idempotency-Key`.
    pub(crate) keyed: bool,
    /// Whether the call is sent without the tenant key.
    pub(crate) open: bool,
}

impl<'a> Call<'a> {
    pub(crate) fn get(path: &'a [&'a str], query: &'a [(&'a str, &'a str)]) -> Self {
        let headers = HeaderMap::new();
        Self { method: Method::GET, path, query, body: None, headers, keyed: false, open: false }
    }

    pub(crate) fn post(path: &'a [&'a str], body: &impl Serialize) -> Self {
        // Texts, lists and flags always serialise.
        let body = serde_json::to_string(body).ok();
        Self { method: Method::POST, body, keyed: true, ..Self::get(path, &[]) }
    }
}

/// A complete response.
struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ErrorBody {
    error: String,
    code: String,
    message: Option<String>,
    advice: Option<String>,
    retry_after_seconds: Option<u64>,
    client_order_id: Option<String>,
    reason: Option<String>,
    limit: Option<String>,
    exchange_message: Option<String>,
    data: Option<serde_json::Value>,
    timestamp: u64,
}

/// The response body of the trading routes.
#[derive(Deserialize)]
struct DataBody<T> {
    data: T,
    message: Option<String>,
    timestamp: u64,
}

impl Client {
    /// Sends a call whose response body is the value itself.
    pub(crate) async fn plain<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
    ) -> Result<Answer<T>, Error> {
        let (reply, key, attempts) = self.send(call).await?;
        let value = reply.parse().map_err(|kind| Error::new(kind, key, attempts))?;
        Ok(reply.answer(value, None, None))
    }

    /// Sends a call whose response body has the value in `data`.
    pub(crate) async fn data<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
    ) -> Result<Answer<T>, Error> {
        let (reply, key, attempts) = self.send(call).await?;
        let body: DataBody<T> = reply.parse().map_err(|kind| Error::new(kind, key, attempts))?;
        Ok(reply.answer(body.data, body.message, Some(body.timestamp)))
    }

    /// Sends a call until it succeeds or must not be retried. Returns the response, the key and
    /// the number of attempts.
    async fn send(&self, call: Call<'_>) -> Result<(Reply, Option<IdempotencyKey>, u32), Error> {
        let settings = &self.settings;
        let given = self.key.clone();
        let key = given.or_else(|| settings.keyed.then(IdempotencyKey::random));
        let key = key.filter(|_| call.keyed);
        let url =
            url(&settings.base, call.path, call.query).map_err(|kind| Error::new(kind, None, 0))?;
        // A change is processed once under its key. A read, and a change that takes no key, can be
        // sent again.
        let repeatable = key.is_some() || !call.keyed && call.method != Method::POST;
        let until = settings.clock.now().saturating_add(settings.retry.deadline);
        let mut attempt = 1;
        loop {
            let left = until.saturating_sub(settings.clock.now());
            let request = self.request(&call, url.clone(), key.as_ref());
            let timeout = settings.retry.attempt_timeout.min(left);
            let kind = match exchange(request.timeout(timeout)).await {
                Ok(reply) if (200..300).contains(&reply.status) => {
                    return Ok((reply, key, attempt));
                }
                Ok(reply) => ErrorKind::Refused(Box::new(reply.refusal())),
                Err(kind) => kind,
            };
            let (again, asked) = match &kind {
                ErrorKind::NotSent(_) => (true, None),
                ErrorKind::NoAnswer(_) => (repeatable, None),
                // After 429 nothing was processed.
                ErrorKind::Refused(refusal) => (
                    refusal.repeats() && (repeatable || refusal.status == 429),
                    refusal.retry_after,
                ),
                _ => (false, None),
            };
            let wait = settings.retry.wait(attempt, asked, random());
            let ends = settings.clock.now().saturating_add(wait);
            if !again || attempt >= settings.retry.attempts || ends >= until {
                return Err(Error::new(kind, key, attempt));
            }
            settings.clock.sleep(wait).await;
            attempt += 1;
        }
    }

    fn request(
        &self,
        call: &Call<'_>,
        url: Url,
        key: Option<&IdempotencyKey>,
    ) -> reqwest::RequestBuilder {
        let mut request = self.http.request(call.method.clone(), url);
        if !call.open {
            request = request.header("x-api-key", self.settings.key.clone());
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key.as_str());
        }
        request = request.headers(call.headers.clone());
        match &call.body {
            Some(body) => request.header(CONTENT_TYPE, "application/json").body(body.clone()),
            None => request,
        }
    }
}

/// Builds a URL below the API's base, which may have a path of its own.
fn url(base: &Url, path: &[&str], query: &[(&str, &str)]) -> Result<Url, ErrorKind> {
    // As path segments, these change the path however they are escaped.
    if path.iter().any(|part| matches!(*part, "" | "." | "..")) {
        return Err(ErrorKind::Invalid(
            "a wallet with this userId must be named by its id or address",
        ));
    }
    let mut url = base.clone();
    match url.path_segments_mut() {
        Ok(mut parts) => parts.pop_if_empty().extend(path),
        Err(()) => return Err(ErrorKind::Invalid("the API's URL cannot have a path")),
    };
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    Ok(url)
}

async fn exchange(request: reqwest::RequestBuilder) -> Result<Reply, ErrorKind> {
    let response = request.send().await.map_err(failed)?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Reply { status, headers, body: whole(response).await? })
}

async fn whole(mut response: Response) -> Result<Zeroizing<Vec<u8>>, ErrorKind> {
    let told = response.content_length().and_then(|length| usize::try_from(length).ok());
    // Allocated at full size, so that a growing buffer leaves no copies behind.
    let room = told.unwrap_or_default().clamp(16 << 10, MAX_ANSWER_BYTES);
    let mut body = Zeroizing::new(Vec::with_capacity(room));
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(ErrorKind::Unreadable("the response is too large".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Omits the URL, which names a wallet.
fn failed(error: reqwest::Error) -> ErrorKind {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    if error.is_connect() {
        ErrorKind::NotSent(text)
    } else if error.is_builder() {
        ErrorKind::Invalid("the HTTP client rejected the request")
    } else {
        ErrorKind::NoAnswer(text)
    }
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn request_id(&self) -> Option<String> {
        self.header("x-request-id").map(str::to_owned)
    }

    fn replayed(&self) -> bool {
        self.header("idempotent-replay") == Some("true")
    }

    /// Returns the id of the only order of the request.
    fn client_order_id(&self) -> Option<String> {
        let id = self.header("client-order-id").filter(|ids| !ids.contains(','))?;
        Some(id.trim().to_owned())
    }

    /// Parses the body. An error states only the position, because the text may hold a secret.
    fn parse<T: DeserializeOwned>(&self) -> Result<T, ErrorKind> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let what = if error.is_data() { "unexpected JSON" } else { "invalid JSON" };
            ErrorKind::Unreadable(format!("{what}, at line {line} column {column}"))
        })
    }

    fn answer<T>(&self, value: T, message: Option<String>, timestamp: Option<u64>) -> Answer<T> {
        Answer {
            value,
            http_status: self.status,
            note: message,
            timestamp,
            request_id: self.request_id(),
            replayed: self.replayed(),
        }
    }

    fn refusal(&self) -> Refusal {
        let status = self.status;
        let retry_after =
            self.header(RETRY_AFTER.as_str()).and_then(|text| text.trim().parse::<u64>().ok());
        // A proxy in front of the service has an error body of its own, or none.
        let body = serde_json::from_slice(&self.body).unwrap_or_else(|_| ErrorBody {
            error: format!("HTTP {status}"),
            code: format!("HTTP_{status}"),
            message: None,
            advice: None,
            retry_after_seconds: None,
            client_order_id: None,
            reason: None,
            limit: None,
            exchange_message: None,
            data: None,
            timestamp: 0,
        });
        Refusal {
            status,
            code: Code::from(body.code.as_str()),
            error: body.error,
            message: body.message,
            advice: body.advice,
            timestamp: body.timestamp,
            request_id: self.request_id(),
            retry_after: retry_after.or(body.retry_after_seconds).map(Duration::from_secs),
            replayed: self.replayed(),
            client_order_id: body.client_order_id.or_else(|| self.client_order_id()),
            reason: body.reason,
            limit: body.limit,
            exchange_message: body.exchange_message,
            data: body.data,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_stays_one_path_segment() {
        let made = |base: &str, name: &str| {
            url(&base.parse().unwrap(), &["api", "wallets", name], &[]).map(|url| url.to_string())
        };
        for base in ["https://a.example/v1", "https://a.example/v1/"] {
            let made = made(base, "a|b@c:d.e-1").unwrap();
            assert!(made.starts_with("https://a.example/v1/api/wallets/a"), "{made}");
            assert_eq!(made.matches('/').count(), 6, "{made}");
        }
        assert_eq!(
            made("https://a.example", "../../x?y#z%2f").unwrap(),
            "https://a.example/api/wallets/..%2F..%2Fx%3Fy%23z%252f"
        );
        for name in ["", ".", ".."] {
            assert!(matches!(made("https://a.example", name), Err(ErrorKind::Invalid(_))));
        }
    }

    #[test]
    fn unreadable_response_is_not_shown() {
        let body =
            br#"{"data":{"apiPrivateKey":"0xsecret","expiryTimestamp":"0xsecret"},"timestamp":1}"#;
        let body = Zeroizing::new(body.to_vec());
        let reply = Reply { status: 200, headers: HeaderMap::new(), body };
        let read = reply.parse::<DataBody<crate::HyperliquidKey>>();
        let Err(error) = read else { panic!("the form differs") };
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    }
}
