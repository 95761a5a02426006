//! Aster's legacy API V1. A wallet signs a login message over a nonce from Aster, and receives an
//! API key with a secret. According to Aster, new keys are no longer issued since March 25, 2026.
//!
//! Source: Aster's spot API V1 document before that day, `getNonce` and `createApiKey`. Neither
//! requires a key, although Aster's own demo signs them with another account's key.
//!
//! V1 differs from V3 in three ways. Aster makes the secret, so its response contains it: no
//! response text may appear in an error. A lost response loses the key, because Aster never shows
//! it again. And Aster keeps one nonce per wallet, so requesting another invalidates the first.

use std::fmt;
use std::net::Ipv4Addr;

use domain::clock::Clock;
use domain::eth::{Address, Signature};
use domain::intent::AsterLogin;
use serde::Deserialize;
use url::form_urlencoded::Serializer;
use zeroize::{Zeroize, Zeroizing};

use super::answer::{ANSWERS, Known};
use super::{FORM, PROFILE, answer};
use crate::exchanges::http::{Answer, Http, TransportError};
use crate::exchanges::{Outcome, Refusal, RefusalKind, Unclear};

/// Maximum length of a key's description, in characters. It must be unique for the account.
pub const MAX_DESC: usize = 20;

/// Aster's default maximum age of an arriving request, in milliseconds.
pub const DEFAULT_RECV_WINDOW_MS: u64 = 5_000;

const OPERATION: &str = "CREATE_API_KEY";

/// Maximum number of digits of a nonce. Six are usual.
const MAX_NONCE_DIGITS: usize = 32;

/// Maximum accepted length of a key's half. The documents show 64 hex digits, and guarantee
/// nothing.
const MAX_KEY: usize = 256;

/// A client of Aster's API V1.
#[derive(Clone, Debug)]
pub struct V1Client {
    http: Http,
    recv_window_ms: u64,
}

/// An API key as Aster returns it, once.
pub struct V1ApiKey {
    /// Identifies the key in calls.
    pub api_key: String,
    /// Signs calls (HMAC-SHA256).
    pub api_secret: Zeroizing<String>,
}

impl fmt::Debug for V1ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("V1ApiKey(..)")
    }
}

/// The outcome of a request for a key.
#[derive(Debug)]
pub enum V1Outcome {
    /// The key.
    Created(V1ApiKey),
    /// The exchange refused. A known description ([`RefusalKind::AgentKnown`]) may belong to a key
    /// whose response was lost; the next attempt must use another description.
    Refused(Refusal),
    /// The request did not reach the exchange.
    NotSent(TransportError),
    /// A key with an unknown secret may exist, or may still be made.
    Unknown(Unclear),
}

impl From<Outcome> for V1Outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Refused(refusal) => Self::Refused(refusal),
            Outcome::NotSent(cause) => Self::NotSent(cause),
            Outcome::Unknown(unclear) => Self::Unknown(unclear),
            // Success without a key.
            _ => Self::Unknown(Unclear::BadAnswer("success without a key".to_owned())),
        }
    }
}

/// Why a nonce is missing. A request changes nothing, so it may be retried.
#[derive(Debug, thiserror::Error)]
pub enum NonceError {
    /// The exchange refused.
    #[error("no nonce: {}", .0.text)]
    Refused(Refusal),
    /// The request did not reach the exchange.
    #[error("no nonce: {0}")]
    NotSent(#[source] TransportError),
    /// No response, or one that is not a nonce.
    #[error("no nonce: {0}")]
    Unclear(#[source] Unclear),
}

impl From<Outcome> for NonceError {
    fn from(outcome: Outcome) -> Self {
        match V1Outcome::from(outcome) {
            V1Outcome::Refused(refusal) => Self::Refused(refusal),
            V1Outcome::NotSent(cause) => Self::NotSent(cause),
            V1Outcome::Unknown(unclear) => Self::Unclear(unclear),
            V1Outcome::Created(_) => Self::Unclear(Unclear::BadAnswer("a key".to_owned())),
        }
    }
}

impl V1Client {
    /// Makes a client of the API below `url` (`sapi`, not `fapi`). Each call has a timeout of
    /// `call_timeout_ms`, and may arrive `recv_window_ms` late, at most 60,000.
    #[must_use]
    pub fn new(url: &url::Url, recv_window_ms: u64, call_timeout_ms: u64, clock: Clock) -> Self {
        Self { http: Http::new(url, PROFILE.name, call_timeout_ms, clock), recv_window_ms }
    }

    /// Returns how far the local clock was ahead of Aster's at its last response, in milliseconds.
    pub(super) fn skew_ms(&self) -> i64 {
        self.http.skew_ms()
    }

    /// Requests the login that the wallet must sign. It is valid once, for a short time, and only
    /// until the next one is requested.
    ///
    /// # Errors
    /// Fails when the exchange returns none.
    pub async fn login_nonce(&self, wallet: Address) -> Result<AsterLogin, NonceError> {
        let body = nonce_body(wallet, self.http.clock().now_ms());
        match self.http.post("/api/v1/getNonce", FORM, body).await {
            Ok(answer) => login(&answer),
            Err(error) => Err(Outcome::from(error).into()),
        }
    }

    /// Requests a key with a signed login. `desc` must be new for the wallet and have at most
    /// [`MAX_DESC`] characters. With `ip_whitelist`, the key works only from that address.
    pub async fn create_api_key(
        &self,
        wallet: Address,
        desc: &str,
        ip_whitelist: Option<Ipv4Addr>,
        signature: &Signature,
    ) -> V1Outcome {
        let times = (self.recv_window_ms, self.http.clock().now_ms());
        let body = create_body(wallet, desc, ip_whitelist, signature, times);
        match self.http.post("/api/v1/createApiKey", FORM, body).await {
            Ok(answer) => created(answer),
            Err(error) => Outcome::from(error).into(),
        }
    }
}

/// Refusals that only the API V1 has. Their texts are not published; these come from the documents
/// and from other exchanges of this dialect. With a refusal outside both lists, a key may exist.
const ANSWERS_OF_V1: &[Known] = &[
    // The text "V1 new API Key creation is no longer supported".
    Known { codes: -1020..=-1020, text: "", kind: RefusalKind::Other },
    // A wrong clock, or an unexpected demand for a key.
    Known { codes: -1021..=-1021, text: "", kind: RefusalKind::OurFault },
    Known { codes: -2014..=-2014, text: "", kind: RefusalKind::OurFault },
    Known { codes: -2015..=-2015, text: "invalid api", kind: RefusalKind::OurFault },
    Known { codes: -1000..=-1000, text: "duplicate desc", kind: RefusalKind::AgentKnown },
    Known {
        codes: -1000..=-1000,
        text: "apikey desc already exists",
        kind: RefusalKind::AgentKnown,
    },
    Known { codes: -1000..=-1000, text: "nonce not found", kind: RefusalKind::NonceRejected },
];

fn refused(answer: &Answer) -> Outcome {
    match answer::read(answer, ANSWERS_OF_V1) {
        Outcome::Unknown(_) => match answer::read(answer, ANSWERS) {
            // The text may contain half of a key.
            Outcome::Unknown(Unclear::BadAnswer(_)) => {
                Outcome::Unknown(Unclear::BadAnswer(format!("HTTP {}", answer.status)))
            }
            outcome => outcome,
        },
        outcome => outcome,
    }
}

/// Returns the form body that requests a nonce.
#[must_use]
pub fn nonce_body(wallet: Address, timestamp_ms: u64) -> String {
    format!("userOperationType={OPERATION}&address={wallet}&timestamp={timestamp_ms}")
}

/// Returns the form body that requests a key; the times are `recvWindow` and `timestamp`. A body,
/// because queries are logged by proxies.
#[must_use]
pub fn create_body(
    wallet: Address,
    desc: &str,
    ip_whitelist: Option<Ipv4Addr>,
    signature: &Signature,
    (recv_window_ms, timestamp_ms): (u64, u64),
) -> String {
    let mut form = Serializer::new(String::new());
    form.append_pair("userOperationType", OPERATION)
        .append_pair("userSignature", &signature.to_hex())
        .append_pair("address", &wallet.to_string())
        .append_pair("desc", desc);
    if let Some(ip) = ip_whitelist {
        form.append_pair("apikeyIP", &ip.to_string());
    }
    form.append_pair("recvWindow", &recv_window_ms.to_string())
        .append_pair("timestamp", &timestamp_ms.to_string())
        .finish()
}

/// Parses the nonce of a login: a number, with or without quotation marks.
///
/// # Errors
/// Fails when the response is neither.
pub fn login(answer: &Answer) -> Result<AsterLogin, NonceError> {
    let body = answer.body.trim();
    let digits = body.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(body);
    let is_nonce = (1..=MAX_NONCE_DIGITS).contains(&digits.len())
        && digits.bytes().all(|digit| digit.is_ascii_digit());
    if answer.status == 200 && is_nonce {
        return Ok(AsterLogin { nonce: digits.to_owned() });
    }
    Err(refused(answer).into())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    api_key: Zeroizing<String>,
    api_secret: Zeroizing<String>,
}

/// Interprets the response to a request for a key, and wipes the response.
#[must_use]
pub fn created(mut answer: Answer) -> V1Outcome {
    let given = serde_json::from_str::<Given>(&answer.body).ok();
    let outcome = match given {
        Some(given) if (200..=299).contains(&answer.status) => {
            let Given { api_key, api_secret } = given;
            if is_key(&api_key) && is_key(&api_secret) {
                V1Outcome::Created(V1ApiKey { api_key: api_key.to_string(), api_secret })
            } else {
                V1Outcome::Unknown(Unclear::BadAnswer("a key of an unknown form".to_owned()))
            }
        }
        _ => refused(&answer).into(),
    };
    answer.body.zeroize();
    outcome
}

/// Returns whether a text can be used in a header and in a record.
fn is_key(text: &str) -> bool {
    (1..=MAX_KEY).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "4821c6c23b274455d6bbbf521bf4c7d9b4d0e692269d107f5772b9326ff9cdec";
    const KEY: &str = "bb8eef57bf5ca9e33b2e56d3aa4f33f6b16f443b7e8f2deb04a396c448be39bd";

    fn answer(status: u16, body: &str) -> Answer {
        Answer::new(status, body)
    }

    fn said(code: i64, text: &str) -> Answer {
        answer(400, &serde_json::json!({ "code": code, "msg": text }).to_string())
    }

    fn refused(code: i64, text: &str) -> RefusalKind {
        match created(said(code, text)) {
            V1Outcome::Refused(refusal) => refusal.kind,
            other => panic!("{code} {text}: {other:?}"),
        }
    }

    #[test]
    fn nonce_response_accepts_digits_only() {
        let longest = "9".repeat(32);
        for (body, nonce) in [
            ("111111", "111111"),
            ("0", "0"),
            ("\"501182\"", "501182"),
            (" 111111\n", "111111"),
            (longest.as_str(), longest.as_str()),
        ] {
            assert_eq!(login(&answer(200, body)).unwrap().nonce, nonce);
        }
        for body in ["", "\"\"", "\"1", "1 1", "-1", "1.5", "1e9", "null", "{}", "１", "<html>"] {
            assert!(
                matches!(login(&answer(200, body)), Err(NonceError::Unclear(_))),
                "{body} is not a nonce"
            );
        }
        assert!(login(&answer(200, &"9".repeat(33))).is_err());
        assert!(matches!(login(&answer(500, "111111")), Err(NonceError::Unclear(_))));
        let Err(NonceError::Refused(refusal)) = login(&said(-1020, "no longer supported")) else {
            panic!("a refusal expected");
        };
        assert_eq!(
            (refusal.kind, refusal.text.as_str()),
            (RefusalKind::Other, "no longer supported")
        );
        let Err(NonceError::Refused(refusal)) = login(&answer(429, "")) else {
            panic!("a refusal expected");
        };
        assert!(matches!(refusal.kind, RefusalKind::RateLimited { .. }));
    }

    #[test]
    fn key_response_requires_both_halves() {
        let body = format!(r#"{{"apiKey":"{KEY}","apiSecret":"{SECRET}","keyId":0}}"#);
        let V1Outcome::Created(key) = created(answer(200, &body)) else { panic!("a key") };
        assert_eq!((key.api_key.as_str(), key.api_secret.as_str()), (KEY, SECRET));
        let shown = format!("{:?}", V1Outcome::Created(key));
        assert!(!shown.contains(SECRET) && !shown.contains(KEY), "{shown}");
    }

    #[test]
    fn response_without_key_is_unknown_and_not_quoted() {
        let whole = format!(r#"{{"apiKey":"{KEY}","apiSecret":"{SECRET}"}}"#);
        for (status, body) in [
            (500, whole.clone()),
            (302, whole.clone()),
            (408, String::new()),
            (200, whole[..whole.len() - 2].to_owned()),
            (200, format!(r#"{{"apiKey":"","apiSecret":"{SECRET}"}}"#)),
            (200, format!(r#"{{"apiKey":"{KEY}","apiSecret":"{SECRET} \n"}}"#)),
            (200, format!(r#"{{"apiKey":"{KEY}","apiSecret":"{}"}}"#, SECRET.repeat(5))),
            (200, format!(r#"{{"apiKey":1,"apiSecret":"{SECRET}"}}"#)),
            (200, format!(r#"{{"code":200,"msg":"{SECRET}"}}"#)),
            (200, format!(r#"{{"code":"000000","data":{{"apiSecret":"{SECRET}"}}}}"#)),
            (200, format!("<html>{SECRET}")),
            (400, format!(r#"{{"code":-1006,"msg":"{SECRET}"}}"#)),
        ] {
            let outcome = created(answer(status, &body));
            assert!(matches!(outcome, V1Outcome::Unknown(_)), "{status} {body}: {outcome:?}");
            assert!(!format!("{outcome:?}").contains(&SECRET[..8]), "{outcome:?}");
        }
    }

    #[test]
    fn v1_refusals_have_their_listed_meaning() {
        for (code, text, kind) in [
            (-1000, "Duplicate desc", RefusalKind::AgentKnown),
            (-1000, "apiKey desc already exists", RefusalKind::AgentKnown),
            (-4225, "Nonce Expired", RefusalKind::NonceRejected),
            (-1000, "nonce not found", RefusalKind::NonceRejected),
            (-1000, "Signature check failed", RefusalKind::SignatureFault),
            (-1022, "The signature for this request is invalid.", RefusalKind::SignatureFault),
            (
                -1021,
                "Timestamp for this request is outside of the recvWindow.",
                RefusalKind::OurFault,
            ),
            (-2014, "API-key format invalid.", RefusalKind::OurFault),
            (-2015, "Invalid API key, IP, or permissions for action.", RefusalKind::OurFault),
            (-1130, "Data sent for parameter 'desc' is not valid.", RefusalKind::OurFault),
            (-5050, "This function can only be used after deposit", RefusalKind::DepositRequired),
            (-1020, "V1 new API Key creation is no longer supported", RefusalKind::Other),
        ] {
            assert_eq!(refused(code, text), kind, "{code} {text}");
        }
        for unknown in [answer(404, "<html>"), said(-1000, "busy"), said(-9999, "new")] {
            assert!(matches!(created(unknown), V1Outcome::Unknown(Unclear::BadAnswer(_))));
        }
        let blocked = created(answer(403, "<html>blocked"));
        assert!(matches!(blocked, V1Outcome::Unknown(Unclear::Blocked(_))), "{blocked:?}");
    }

    #[test]
    fn refusal_that_echoes_the_request_is_redacted() {
        let address = "0xe58B8D324dfbaC31E4c344a92100C75d7f9a2d81";
        let V1Outcome::Refused(refusal) =
            created(said(-1020, &format!("{address}: 0x{SECRET}, no")))
        else {
            panic!("a no");
        };
        assert_eq!(refusal.text, format!("{address}: 0x(hidden), no"));
    }
}
