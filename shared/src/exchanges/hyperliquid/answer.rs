//! What Hyperliquid's answers mean. It answers a no with HTTP 200, so the body decides; and it
//! never says "bad signature", it names a stranger's address.

use serde_json::Value;

use crate::eth::Address;
use crate::exchanges::http::Answer;
use crate::exchanges::{ListedAgent, LookupError, Outcome, Refusal, RefusalKind, Unclear};

/// Its weights are counted by the minute; this is a guess where it does not say.
const RETRY_AFTER_S: u64 = 10;

/// What came of an approval or a removal.
#[must_use]
pub fn outcome(answer: &Answer, wallet: Address) -> Outcome {
    let body: Option<Value> = serde_json::from_str(&answer.body).ok();
    let status = body.as_ref().and_then(|body| body.get("status")).and_then(Value::as_str);
    let text = body.as_ref().and_then(|body| body.get("response")).and_then(Value::as_str);
    match (answer.status, status, text) {
        (429, ..) => {
            let retry_after_s = answer.retry_after_s.unwrap_or(RETRY_AFTER_S);
            Outcome::Refused(Refusal::new(RefusalKind::RateLimited { retry_after_s }, "HTTP 429"))
        }
        (200..=299, Some("ok"), _) => Outcome::Done,
        (200..=499, Some("err"), Some(text)) => {
            Outcome::Refused(Refusal::new(kind(text, wallet), text))
        }
        (422, ..) => Outcome::Refused(Refusal::new(RefusalKind::OurFault, &answer.body)),
        (400..=407 | 409..=499, ..) => {
            Outcome::Refused(Refusal::new(RefusalKind::Other, &format!("HTTP {}", answer.status)))
        }
        _ => Outcome::Unknown(Unclear::BadAnswer(format!("HTTP {}", answer.status))),
    }
}

/// Matched by their beginnings, as the exchange and its users have shown them.
fn kind(text: &str, wallet: Address) -> RefusalKind {
    let text = text.strip_prefix("L1 error: ").unwrap_or(text);
    let starts = |beginning: &str| text.starts_with(beginning);
    if starts("Must deposit before performing actions") || starts("User or API Wallet ") {
        match named_address(text) {
            Some(named) if named == wallet => RefusalKind::DepositRequired,
            _ => RefusalKind::SignatureFault,
        }
    } else if starts("Too many extra agents") {
        RefusalKind::NoAgentSlot
    } else if starts("User has pending agent removal") {
        RefusalKind::RemovalPending
    } else if starts("Extra agent already used") {
        RefusalKind::AgentKnown
    } else if starts("Extra agent does not exist") {
        RefusalKind::AgentUnknown
    } else if starts("Invalid nonce") {
        RefusalKind::NonceRejected
    } else if starts("Too many cumulative requests") {
        RefusalKind::RateLimited { retry_after_s: RETRY_AFTER_S }
    } else if starts("Agent valid_until already expired") {
        RefusalKind::OurFault
    } else if starts("Unable to recover signer") {
        RefusalKind::SignatureFault
    } else {
        RefusalKind::Other
    }
}

fn named_address(text: &str) -> Option<Address> {
    let start = text.find("0x")?;
    text.get(start..start + 42)?.parse().ok()
}

/// Whether the one who was asked about is an agent of this wallet.
///
/// # Errors
/// When the answer does not say, or it is another's.
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
        _ => Ok(false),
    }
}

/// The named agents of `extraAgents`.
///
/// # Errors
/// When the answer is no list of them.
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

/// The body of an answer of `/info`.
fn info(answer: &Answer) -> Option<Value> {
    (answer.status == 200).then(|| serde_json::from_str(&answer.body).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALLET: &str = "0xe58B8D324dfbaC31E4c344a92100C75d7f9a2d81";

    fn read(status: u16, body: &str) -> Outcome {
        let answer = Answer { status, retry_after_s: None, body: body.to_owned() };
        outcome(&answer, WALLET.parse().unwrap())
    }

    fn refused(text: &str) -> RefusalKind {
        let body = serde_json::json!({ "status": "err", "response": text }).to_string();
        match read(200, &body) {
            Outcome::Refused(refusal) => refusal.kind,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn the_body_decides_and_not_the_status() {
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
        for status in [400, 401, 403, 404, 422, 429] {
            assert!(matches!(read(status, "null"), Outcome::Refused(_)), "{status}");
        }
    }

    #[test]
    fn each_known_text_has_its_meaning() {
        let deposit = |user: &str| format!("Must deposit before performing actions. User: {user}");
        let stranger = "0x000000000000000000000000000000000000dead";
        assert_eq!(refused(&deposit(&WALLET.to_lowercase())), RefusalKind::DepositRequired);
        assert_eq!(refused(&deposit(stranger)), RefusalKind::SignatureFault);
        assert_eq!(refused("Must deposit before performing actions."), RefusalKind::SignatureFault);
        assert_eq!(
            refused(&format!("L1 error: User or API Wallet {stranger} does not exist.")),
            RefusalKind::SignatureFault
        );
        assert_eq!(
            refused("Too many extra agents for cumulative volume traded. Current limit is 3"),
            RefusalKind::NoAgentSlot
        );
        assert_eq!(refused("User has pending agent removal"), RefusalKind::RemovalPending);
        assert_eq!(refused("Extra agent already used."), RefusalKind::AgentKnown);
        assert_eq!(refused("Invalid nonce: duplicate nonce 1"), RefusalKind::NonceRejected);
        assert_eq!(refused("Agent valid_until already expired."), RefusalKind::OurFault);
        assert_eq!(refused("Something new"), RefusalKind::Other);
    }

    #[test]
    fn an_agent_is_known_only_as_this_wallets() {
        let wallet = WALLET.parse().unwrap();
        let ask = |status, body: &str| {
            let answer = Answer { status, retry_after_s: None, body: body.to_owned() };
            is_agent_of(&answer, wallet)
        };
        let agent = |user: &str| format!(r#"{{"role":"agent","data":{{"user":"{user}"}}}}"#);
        assert!(ask(200, &agent(&WALLET.to_lowercase())).unwrap());
        assert!(!ask(200, r#"{"role":"missing"}"#).unwrap());
        assert!(ask(200, &agent("0x000000000000000000000000000000000000dead")).is_err());
        assert!(ask(200, "[]").is_err());
        assert!(ask(500, r#"{"role":"missing"}"#).is_err());
        assert!(ask(429, "null").is_err());
    }
}
