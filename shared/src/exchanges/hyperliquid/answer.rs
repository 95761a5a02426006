//! Interprets Hyperliquid's responses. It refuses with HTTP 200, so the body decides. It reports a
//! bad signature by naming an unknown address.

use domain::eth::Address;
use serde_json::Value;

use crate::exchanges::http::Answer;
use crate::exchanges::{ListedAgent, LookupError, Outcome, Refusal, RefusalKind, Unclear};

/// Default wait, in seconds, when a response does not state one. An estimate: weights are counted
/// by the minute.
const RETRY_AFTER_S: u64 = 10;

/// One line of the closed list: the start of an error text, and its meaning.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Start of the text.
    pub text: &'static str,
    /// The meaning.
    pub kind: RefusalKind,
}

const fn known(text: &'static str, kind: RefusalKind) -> Known {
    Known { text, kind }
}

/// The closed list of Hyperliquid's refusals (`{"status":"err","response":text}`), as published by
/// the exchange and its users. Only `{"status":"ok"}` with HTTP 2xx means done. Any other text is
/// a refusal of unknown meaning ([`RefusalKind::Other`]), so the exchange is asked.
pub const ANSWERS: &[Known] = &[
    // Concerns the wallet; with another address it indicates a wrong signature.
    known(MUST_DEPOSIT, RefusalKind::DepositRequired),
    known(NO_USER, RefusalKind::DepositRequired),
    known("Too many extra agents", RefusalKind::NoAgentSlot),
    known("User has pending agent removal", RefusalKind::RemovalPending),
    known(
        "Too many cumulative requests",
        RefusalKind::RateLimited { retry_after_s: RETRY_AFTER_S },
    ),
    known("Agent valid_until already expired", RefusalKind::OurFault),
    known("Extra agent does not exist", RefusalKind::AgentUnknown),
    known("Extra agent already used", RefusalKind::AgentKnown),
    known("Invalid nonce", RefusalKind::NonceRejected),
    known("Unable to recover signer", RefusalKind::SignatureFault),
];

const MUST_DEPOSIT: &str = "Must deposit before performing actions";
const NO_USER: &str = "User or API Wallet ";

/// HTTP 422 in plain text: the request's form was invalid, and it was not processed.
const MALFORMED: &str = "Failed to deserialize";

/// Interprets the response to an approval or a removal.
#[must_use]
pub fn outcome(answer: &Answer, wallet: Address) -> Outcome {
    let body: Option<Value> = serde_json::from_str(&answer.body).ok();
    let status = body.as_ref().and_then(|body| body.get("status")).and_then(Value::as_str);
    let text = body.as_ref().and_then(|body| body.get("response")).and_then(Value::as_str);
    match (answer.status, status, text) {
        (429 | 418, ..) => {
            let kind = RefusalKind::RateLimited { retry_after_s: answer.wait_s(RETRY_AFTER_S) };
            Outcome::Refused(Refusal::new(kind, &format!("HTTP {}", answer.status)))
        }
        (200..=299, Some("ok"), _) => Outcome::Done,
        (200..=407 | 409..=499, Some("err"), Some(text)) => {
            Outcome::Refused(Refusal::new(kind(text, wallet), text))
        }
        (422, ..) if answer.body.starts_with(MALFORMED) => {
            Outcome::Refused(Refusal::new(RefusalKind::OurFault, &answer.body))
        }
        (403 | 451, ..) => Outcome::Unknown(Unclear::Blocked(answer.blocked_words())),
        _ => Outcome::Unknown(Unclear::BadAnswer(format!("HTTP {}", answer.status))),
    }
}

fn kind(text: &str, wallet: Address) -> RefusalKind {
    let text = text.strip_prefix("L1 error: ").unwrap_or(text);
    let known = ANSWERS.iter().find(|known| text.starts_with(known.text));
    match known.map_or(RefusalKind::Other, |known| known.kind) {
        RefusalKind::DepositRequired if named_address(text) != Some(wallet) => {
            RefusalKind::SignatureFault
        }
        kind => kind,
    }
}

fn named_address(text: &str) -> Option<Address> {
    let start = text.find("0x")?;
    text.get(start..start + 42)?.parse().ok()
}

/// Returns whether the address in question is an agent of this wallet.
///
/// # Errors
/// Fails when the response does not state it, or the agent belongs to another account.
pub fn is_agent_of(answer: &Answer, wallet: Address) -> Result<bool, LookupError> {
    let unclear = || LookupError::unreadable("userRole", answer);
    let body = info(answer).ok_or_else(unclear)?;
    match body.get("role").and_then(Value::as_str).ok_or_else(unclear)? {
        "agent" => {
            let master = body.pointer("/data/user").and_then(Value::as_str);
            match master.and_then(|text| text.parse::<Address>().ok()) {
                Some(master) if master == wallet => Ok(true),
                _ => Err(LookupError::Foreign),
            }
        }
        // The other roles of an address.
        "missing" | "user" | "vault" | "subAccount" => Ok(false),
        _ => Err(unclear()),
    }
}

/// Parses the named agents of `extraAgents`.
///
/// # Errors
/// Fails when the response is not a list of agents.
pub fn agents(answer: &Answer) -> Result<Vec<ListedAgent>, LookupError> {
    let unclear = || LookupError::unreadable("extraAgents", answer);
    let body = info(answer).ok_or_else(unclear)?;
    let listed = body.as_array().ok_or_else(unclear)?.iter().map(|agent| {
        Some(ListedAgent {
            address: agent.get("address")?.as_str()?.parse().ok()?,
            name: agent.get("name")?.as_str()?.to_owned(),
            expires_at_ms: agent.get("validUntil").and_then(Value::as_u64),
        })
    });
    listed.collect::<Option<_>>().ok_or_else(unclear)
}

/// Parses the body of a response of `/info`.
pub(super) fn info(answer: &Answer) -> Option<Value> {
    (answer.status == 200).then(|| serde_json::from_str(&answer.body).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchanges::Proof;

    const WALLET: &str = "0xe58B8D324dfbaC31E4c344a92100C75d7f9a2d81";

    fn read(status: u16, body: &str) -> Outcome {
        outcome(&Answer::new(status, body), WALLET.parse().unwrap())
    }

    fn refused(text: &str) -> RefusalKind {
        let body = serde_json::json!({ "status": "err", "response": text }).to_string();
        match read(200, &body) {
            Outcome::Refused(refusal) => refusal.kind,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn body_decides_the_outcome_not_the_status() {
        let ok = r#"{"status":"ok","response":{"type":"default"}}"#;
        assert!(matches!(read(200, ok), Outcome::Done));
        for (status, body) in [
            (200, ""),
            (200, "null"),
            (200, "<html>"),
            (200, "{}"),
            (200, r#"{"status":"err"}"#),
            (200, r#"{"status":"maybe"}"#),
            (500, ok),
            (502, "Bad Gateway"),
            (503, r#"{"status":"err","response":"x"}"#),
            (408, ""),
            (302, ""),
        ] {
            assert!(matches!(read(status, body), Outcome::Unknown(_)), "{status} {body}");
        }
        for status in [400, 401, 404, 405, 422] {
            let outcome = read(status, "null");
            assert!(matches!(outcome, Outcome::Unknown(Unclear::BadAnswer(_))), "{status}");
        }
        for status in [403, 451] {
            let outcome = read(status, "<H1>Request blocked</H1>");
            assert!(matches!(outcome, Outcome::Unknown(Unclear::Blocked(_))), "{status}");
        }
        let malformed = read(422, "Failed to deserialize the JSON body into the target type");
        assert!(matches!(malformed, Outcome::Refused(_)), "{malformed:?}");
        assert!(matches!(read(429, "null"), Outcome::Refused(_)));
    }

    /// Checks every line of the list, without and with the prefix that some texts have.
    #[test]
    fn listed_response_has_its_listed_proof() {
        for line in ANSWERS {
            for prefix in ["", "L1 error: "] {
                let text = format!("{prefix}{} User: {WALLET}", line.text);
                assert_eq!(refused(&text), line.kind, "{text}");
                let body = serde_json::json!({ "status": "err", "response": text }).to_string();
                for status in [408, 500, 502, 503] {
                    assert!(matches!(read(status, &body), Outcome::Unknown(_)), "{status} {text}");
                }
            }
        }
        assert_eq!(refused("Something new").proof(), Proof::Nothing);
    }

    #[test]
    fn deposit_text_for_another_address_is_a_fault() {
        let deposit = |user: &str| format!("Must deposit before performing actions. User: {user}");
        let stranger = "0x000000000000000000000000000000000000dead";
        assert_eq!(refused(&deposit(&WALLET.to_lowercase())), RefusalKind::DepositRequired);
        assert_eq!(refused(&deposit(stranger)), RefusalKind::SignatureFault);
        assert_eq!(refused("Must deposit before performing actions."), RefusalKind::SignatureFault);
        assert_eq!(
            refused(&format!("L1 error: User or API Wallet {stranger} does not exist.")),
            RefusalKind::SignatureFault
        );
    }

    #[test]
    fn agent_of_another_wallet_is_not_known() {
        let wallet = WALLET.parse().unwrap();
        let ask = |status, body: &str| is_agent_of(&Answer::new(status, body), wallet);
        let agent = |user: &str| format!(r#"{{"role":"agent","data":{{"user":"{user}"}}}}"#);
        assert!(ask(200, &agent(&WALLET.to_lowercase())).unwrap());
        assert!(!ask(200, r#"{"role":"missing"}"#).unwrap());
        assert!(ask(200, &agent("0x000000000000000000000000000000000000dead")).is_err());
        assert!(ask(200, r#"{"role":"observer"}"#).is_err());
        assert!(ask(200, "[]").is_err());
        assert!(ask(500, r#"{"role":"missing"}"#).is_err());
        assert!(ask(429, "null").is_err());
    }
}
