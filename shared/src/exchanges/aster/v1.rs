//! Aster's legacy API V1: a wallet signs a login message over a nonce that Aster gives, and is
//! given an API key with a secret. Closed for new keys since March 25, 2026, says Aster.
//!
//! Source: Aster's spot API V1 document before that day, `getNonce` and `createApiKey`. Both want
//! no key; Aster's own demo signs them with another account's all the same.
//!
//! Three things differ from the API V3. Aster makes the secret, so an answer holds it: no answer's
//! text goes into an error. A lost answer loses the key, because nobody can ask for it again. And
//! Aster keeps one nonce for each wallet, so whoever asks for another makes this one useless.

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

/// The longest description of a key, in characters. It is unique for the account.
pub const MAX_DESC: usize = 20;

/// How old a request may be when it arrives, in milliseconds, where Aster is not told otherwise.
pub const DEFAULT_RECV_WINDOW_MS: u64 = 5_000;

const OPERATION: &str = "CREATE_API_KEY";

/// The longest nonce, in digits. Six are usual.
const MAX_NONCE_DIGITS: usize = 32;

/// The longest half of a key that is taken. The documents show 64 hex digits, and promise nothing.
const MAX_KEY: usize = 256;

/// A client of Aster's API V1.
#[derive(Clone, Debug)]
pub struct V1Client {
    http: Http,
    recv_window_ms: u64,
}

/// An API key as Aster gives it, once.
pub struct V1ApiKey {
    /// Names the key in calls.
    pub api_key: String,
    /// Signs calls (HMAC-SHA256).
    pub api_secret: Zeroizing<String>,
}

impl fmt::Debug for V1ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("V1ApiKey(..)")
    }
}

/// What came of asking for a key.
#[derive(Debug)]
pub enum V1Outcome {
    /// The key.
    Created(V1ApiKey),
    /// The exchange said no. A known description ([`RefusalKind::AgentKnown`]) may be that of a
    /// key whose answer was lost: another description has to be taken.
    Refused(Refusal),
    /// The exchange never got it.
    NotSent(TransportError),
    /// There may be a key now that nobody knows, or there may yet be.
    Unknown(Unclear),
}

impl From<Outcome> for V1Outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Refused(refusal) => Self::Refused(refusal),
            Outcome::NotSent(cause) => Self::NotSent(cause),
            Outcome::Unknown(unclear) => Self::Unknown(unclear),
            // "Success", and no key.
            _ => Self::Unknown(Unclear::BadAnswer("a yes without a key".to_owned())),
        }
    }
}

/// Why there is no nonce. Asking changes nothing, so it may be asked again.
#[derive(Debug, thiserror::Error)]
pub enum NonceError {
    /// The exchange said no.
    #[error("no nonce: {}", .0.text)]
    Refused(Refusal),
    /// The exchange never got it.
    #[error("no nonce: {0}")]
    NotSent(#[source] TransportError),
    /// No answer, or none that is a nonce.
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
    /// A client of the API below `url` (`sapi`, not `fapi`); each call may take `call_timeout_ms`,
    /// and arrive
    /// `recv_window_ms` late, at most 60,000.
    #[must_use]
    pub fn new(url: &url::Url, recv_window_ms: u64, call_timeout_ms: u64, clock: Clock) -> Self {
        Self { http: Http::new(url, PROFILE.name, call_timeout_ms, clock), recv_window_ms }
    }

    /// How far our clock was ahead of Aster's at its last answer, in milliseconds.
    pub(super) fn skew_ms(&self) -> i64 {
        self.http.skew_ms()
    }

    /// Asks for the login that the wallet has to sign. It is good once, not for long, and only
    /// until the next is asked for.
    ///
    /// # Errors
    /// When the exchange gives none.
    pub async fn login_nonce(&self, wallet: Address) -> Result<AsterLogin, NonceError> {
        let body = nonce_body(wallet, self.http.clock().now_ms());
        match self.http.post("/api/v1/getNonce", FORM, body).await {
            Ok(answer) => login(&answer),
            Err(error) => Err(Outcome::from(error).into()),
        }
    }

    /// Asks for a key with a signed login. `desc` is new for the wallet and has at most
    /// [`MAX_DESC`] characters; with `ip_whitelist` the key works from that address only.
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

/// What the API V1 refuses where the API V3 has no such refusal. The texts are not published; they
/// are those that the documents and other exchanges of this dialect have. A refusal outside both
/// lists leaves open whether there is a key.
const ANSWERS_OF_V1: &[Known] = &[
    // "V1 new API Key creation is no longer supported".
    Known { codes: -1020..=-1020, text: "", kind: RefusalKind::Other },
    // The clock is wrong; or a key is asked for after all.
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
            // Its text may be half a key.
            Outcome::Unknown(Unclear::BadAnswer(_)) => {
                Outcome::Unknown(Unclear::BadAnswer(format!("HTTP {}", answer.status)))
            }
            outcome => outcome,
        },
        outcome => outcome,
    }
}

/// The form body that asks for a nonce.
#[must_use]
pub fn nonce_body(wallet: Address, timestamp_ms: u64) -> String {
    format!("userOperationType={OPERATION}&address={wallet}&timestamp={timestamp_ms}")
}

/// The form body that asks for a key; the times are `recvWindow` and `timestamp`. Never a query:
/// those are logged along the way.
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

/// The nonce to sign in with: a bare number, or that in quotation marks.
///
/// # Errors
/// When the answer is none.
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

/// What came of making an API key. The answer is wiped.
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

/// Whether it can stand in a header, and in a record.
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
    fn a_nonce_is_digits() {
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
                "{body} is no nonce"
            );
        }
        assert!(login(&answer(200, &"9".repeat(33))).is_err());
        assert!(matches!(login(&answer(500, "111111")), Err(NonceError::Unclear(_))));
        let Err(NonceError::Refused(refusal)) = login(&said(-1020, "no longer supported")) else {
            panic!("a no is a no");
        };
        assert_eq!(
            (refusal.kind, refusal.text.as_str()),
            (RefusalKind::Other, "no longer supported")
        );
        let Err(NonceError::Refused(refusal)) = login(&answer(429, "")) else {
            panic!("a limit is a no");
        };
        assert!(matches!(refusal.kind, RefusalKind::RateLimited { .. }));
    }

    #[test]
    fn a_key_is_what_has_both_halves() {
        let body = format!(r#"{{"apiKey":"{KEY}","apiSecret":"{SECRET}","keyId":0}}"#);
        let V1Outcome::Created(key) = created(answer(200, &body)) else { panic!("a key") };
        assert_eq!((key.api_key.as_str(), key.api_secret.as_str()), (KEY, SECRET));
        let shown = format!("{:?}", V1Outcome::Created(key));
        assert!(!shown.contains(SECRET) && !shown.contains(KEY), "{shown}");
    }

    #[test]
    fn an_answer_that_is_no_key_is_unclear_and_is_not_quoted() {
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
    fn each_no_has_its_meaning() {
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
    fn a_no_that_repeats_what_was_sent_hides_it() {
        let address = "0xe58B8D324dfbaC31E4c344a92100C75d7f9a2d81";
        let V1Outcome::Refused(refusal) =
            created(said(-1020, &format!("{address}: 0x{SECRET}, no")))
        else {
            panic!("a no");
        };
        assert_eq!(refusal.text, format!("{address}: 0x(hidden), no"));
    }
}
