//! What Aster's answers mean: `{"code":n,"msg":text}` in Binance's dialect. The code -1000 stands
//! for many things, so its text decides.

use serde_json::Value;

use crate::eth::Address;
use crate::exchanges::http::Answer;
use crate::exchanges::{LookupError, Outcome, Refusal, RefusalKind, Unclear};

/// Its weights are counted by the minute; this is a guess where it does not say.
const RETRY_AFTER_S: u64 = 30;

/// Code and text of an answer, if it is one.
fn parse(body: &str) -> Option<(i64, String)> {
    let body: Value = serde_json::from_str(body).ok()?;
    let code = body.get("code")?;
    let code = code.as_i64().or_else(|| code.as_str()?.parse().ok())?;
    let text = body.get("msg").and_then(Value::as_str).unwrap_or_default();
    Some((code, text.to_owned()))
}

pub(super) fn outcome(answer: &Answer) -> Outcome {
    let refused = |kind, text: &str| Outcome::Refused(Refusal::new(kind, text));
    let limited = || {
        let retry_after_s = answer.retry_after_s.unwrap_or(RETRY_AFTER_S);
        refused(RefusalKind::RateLimited { retry_after_s }, &format!("HTTP {}", answer.status))
    };
    let unclear = || Outcome::Unknown(Unclear::BadAnswer(format!("HTTP {}", answer.status)));
    match (answer.status, parse(&answer.body)) {
        (429 | 418, _) => limited(),
        (408 | 500.., _) => unclear(),
        (200..=299, Some((200, _))) => Outcome::Approved,
        // "Execution status unknown", whatever the HTTP status.
        (_, Some((-1006 | -1007, _))) => unclear(),
        (_, Some((-1003, _))) => limited(),
        (_, Some((code, text))) if code < 0 => refused(kind(code, &text), &text),
        (400..=499, _) => refused(RefusalKind::Other, &format!("HTTP {}", answer.status)),
        _ => unclear(),
    }
}

fn kind(code: i64, text: &str) -> RefusalKind {
    let text = text.to_lowercase();
    let says = |words: &str| text.contains(words);
    match code {
        -5050 => RefusalKind::DepositRequired,
        -4225 => RefusalKind::NonceRejected,
        -1022 => RefusalKind::SignatureFault,
        // Missing, duplicate or invalid parameters.
        -1199..=-1100 => RefusalKind::OurFault,
        _ if says("signature") => RefusalKind::SignatureFault,
        _ if says("illegal agentname") => RefusalKind::AgentKnown,
        _ if says("quantity over limit") => RefusalKind::NoAgentSlot,
        _ if says("expired time too short") => RefusalKind::OurFault,
        _ if says("no aster user found") || says("after deposit") => RefusalKind::DepositRequired,
        _ => RefusalKind::Other,
    }
}

pub(super) fn lists_agent(answer: &Answer, agent: Address) -> Result<bool, LookupError> {
    let unclear = || LookupError(format!("agent list: HTTP {}", answer.status));
    if answer.status == 200
        && let Ok(Value::Array(agents)) = serde_json::from_str(&answer.body)
    {
        return Ok(agents.iter().any(|listed| {
            let address = listed.get("agentAddress").and_then(Value::as_str);
            address.and_then(|text| text.parse::<Address>().ok()) == Some(agent)
        }));
    }
    // An agent that is not registered cannot list: the texts for it differ.
    match (answer.status, parse(&answer.body)) {
        (200..=299 | 400..=407 | 409..=417 | 419..=428, Some((-1000 | -1022 | -2015, _))) => {
            Ok(false)
        }
        _ => Err(unclear()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, retry_after_s: None, body: body.to_owned() }
    }

    fn refused(status: u16, code: i64, text: &str) -> RefusalKind {
        let body = serde_json::json!({ "code": code, "msg": text }).to_string();
        match outcome(&answer(status, &body)) {
            Outcome::Refused(refusal) => refusal.kind,
            other => panic!("{code} {text}: {other:?}"),
        }
    }

    #[test]
    fn only_code_200_is_a_yes() {
        assert!(matches!(
            outcome(&answer(200, r#"{"code":200,"msg":"success"}"#)),
            Outcome::Approved
        ));
        for (status, body) in [
            (200, ""),
            (200, "{}"),
            (200, "[]"),
            (200, r#"{"code":0}"#),
            (500, r#"{"code":200}"#),
            (503, r#"{"code":-1000,"msg":"x"}"#),
            (400, r#"{"code":-1006,"msg":"execution status unknown"}"#),
            (200, r#"{"code":-1007,"msg":"timeout"}"#),
            (408, ""),
        ] {
            assert!(
                matches!(outcome(&answer(status, body)), Outcome::Unknown(_)),
                "{status} {body}"
            );
        }
    }

    #[test]
    fn each_known_code_has_its_meaning() {
        assert_eq!(refused(400, -5050, "x"), RefusalKind::DepositRequired);
        assert_eq!(refused(400, -4225, "Nonce Expired"), RefusalKind::NonceRejected);
        assert_eq!(refused(400, -1000, "Signature check failed"), RefusalKind::SignatureFault);
        assert_eq!(refused(400, -1022, "x"), RefusalKind::SignatureFault);
        assert_eq!(refused(400, -1000, "Illegal agentName"), RefusalKind::AgentKnown);
        assert_eq!(refused(400, -1000, "Agent quantity over limit"), RefusalKind::NoAgentSlot);
        assert_eq!(refused(400, -1000, "Agent expired time too short"), RefusalKind::OurFault);
        assert_eq!(refused(400, -1102, "Mandatory parameter"), RefusalKind::OurFault);
        assert_eq!(refused(400, -9999, "new"), RefusalKind::Other);
        assert_eq!(
            refused(429, -1003, "Too many requests"),
            RefusalKind::RateLimited { retry_after_s: RETRY_AFTER_S }
        );
    }

    #[test]
    fn an_agent_is_known_when_it_is_listed() {
        let agent: Address = "0x410D9849b1089D6DB21dFDD1a0a946Ce1a2d53FA".parse().unwrap();
        let listed = format!(r#"[{{"agentAddress":"{}"}}]"#, agent.to_lower_hex());
        assert!(lists_agent(&answer(200, &listed), agent).unwrap());
        assert!(!lists_agent(&answer(200, "[]"), agent).unwrap());
        let unknown = r#"{"code":-1000,"msg":"No agent found"}"#;
        assert!(!lists_agent(&answer(400, unknown), agent).unwrap());
        for (status, body) in [(500, unknown), (429, ""), (400, ""), (200, "{}")] {
            assert!(lists_agent(&answer(status, body), agent).is_err(), "{status} {body}");
        }
    }
}
