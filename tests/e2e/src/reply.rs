//! Responses of the API.

use serde_json::Value;

/// A response of the API.
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Value,
    /// The headers.
    pub headers: http::HeaderMap,
}

/// Redacts secrets, so that a failing test does not print them.
impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut body = self.body.clone();
        for secret in ["/data/apiPrivateKey", "/apiKey"] {
            if let Some(secret) = body.pointer_mut(secret) {
                *secret = Value::from("(redacted)");
            }
        }
        write!(f, "{} {body} {:?}", self.status, self.headers)
    }
}

impl Reply {
    /// Returns the sorted names of the fields of the object at `pointer`.
    #[must_use]
    pub fn fields(&self, pointer: &str) -> Vec<&str> {
        let object = self.body.pointer(pointer).and_then(Value::as_object);
        let mut names: Vec<&str> =
            object.into_iter().flat_map(|object| object.keys().map(String::as_str)).collect();
        names.sort_unstable();
        names
    }

    /// Returns the address of the agent that a registration or a rotation made.
    #[must_use]
    pub fn agent(&self, exchange: &str) -> &str {
        self.text(match exchange {
            "aster" => "/data/agentAddress",
            _ => "/data/apiWalletAddress",
        })
    }

    /// Returns the value of `Retry-After`, in seconds.
    #[must_use]
    pub fn retry_after_s(&self) -> Option<u64> {
        self.headers.get("retry-after")?.to_str().ok()?.parse().ok()
    }

    /// Returns the text at `pointer`, or an empty string.
    #[must_use]
    pub fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}
