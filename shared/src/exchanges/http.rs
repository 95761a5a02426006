//! HTTP as exchanges get it: bounded in time and size.

use std::time::Duration;

use http::header::RETRY_AFTER;

use crate::http_client::LazyClient;
use crate::telemetry;

/// The largest answer that is read, in bytes. An account's whole agent list is a few KB.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// The longest that an exchange may ask us to wait, in seconds: it is passed on to callers.
const MAX_RETRY_AFTER_S: u64 = 600;

/// A client of one exchange's HTTP API.
#[derive(Clone, Debug)]
pub struct Http {
    client: LazyClient,
    base: String,
    name: &'static str,
}

/// An exchange's answer, whatever its status.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After` in seconds, where it is given so.
    pub retry_after_s: Option<u64>,
    /// The body, made to text.
    pub body: String,
}

/// Without the body, which may hold a secret.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}

/// Why there is no answer. The texts hold no URL, because a query may hold a signature.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No connection: the exchange never got the request.
    #[error("no connection: {0}")]
    NotSent(String),
    /// No answer in time.
    #[error("no answer in time: {0}")]
    NoAnswer(String),
    /// The answer broke off or is too large.
    #[error("broken answer: {0}")]
    Broken(String),
}

impl Http {
    /// A client for the API below `base`. Made once: it holds the connections.
    #[must_use]
    pub fn new(base: &url::Url, name: &'static str, call_timeout_ms: u64) -> Self {
        let call_timeout = Duration::from_millis(call_timeout_ms);
        let client = LazyClient::new(call_timeout);
        Self { client, base: base.as_str().trim_end_matches('/').to_owned(), name }
    }

    /// `POST` with a body.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post(
        &self,
        path: &str,
        content_type: &'static str,
        body: String,
    ) -> Result<Answer, SendError> {
        let request = self.client()?.post(self.url(path));
        self.send(path, with_body(request, content_type, body)).await
    }

    /// `DELETE` with a body.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn delete(
        &self,
        path: &str,
        content_type: &'static str,
        body: String,
    ) -> Result<Answer, SendError> {
        let request = self.client()?.delete(self.url(path));
        self.send(path, with_body(request, content_type, body)).await
    }

    /// `GET` with a query that is sent as it is.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str, query: &str) -> Result<Answer, SendError> {
        self.send(path, self.client()?.get(format!("{}?{query}", self.url(path)))).await
    }

    fn client(&self) -> Result<&reqwest::Client, SendError> {
        self.client.get().map_err(|error| SendError::NotSent(error.to_string()))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn send(
        &self,
        path: &str,
        request: reqwest::RequestBuilder,
    ) -> Result<Answer, SendError> {
        telemetry::count_call(self.name, path);
        let mut response = request.send().await.map_err(send_error)?;
        let retry_after_s = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.trim().parse().ok())
            .map(|seconds: u64| seconds.min(MAX_RETRY_AFTER_S));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(send_error)? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(SendError::Broken("the answer is too large".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status: response.status().as_u16(),
            retry_after_s,
            // Not copied: an answer may hold a secret, and who reads it wipes it.
            body: String::from_utf8(body)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
        })
    }
}

fn with_body(
    request: reqwest::RequestBuilder,
    content_type: &'static str,
    body: String,
) -> reqwest::RequestBuilder {
    request.header(http::header::CONTENT_TYPE, content_type).body(body)
}

fn send_error(error: reqwest::Error) -> SendError {
    use std::error::Error as _;
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    if error.is_connect() {
        SendError::NotSent(text)
    } else if error.is_timeout() {
        SendError::NoAnswer(text)
    } else {
        SendError::Broken(text)
    }
}

#[cfg(test)]
mod tests;
