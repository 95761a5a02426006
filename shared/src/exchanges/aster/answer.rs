//! What Aster's answers mean: `{"code":n,"msg":text}` in Binance's dialect. The code -1000 stands
//! for many things, so its text decides.

use serde_json::Value;

use crate::exchanges::http::Answer;
use crate::exchanges::{ListedAgent, LookupError, Outcome, Refusal, RefusalKind, Unclear};

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

/// What came of an approval or a removal.
#[must_use]
pub fn outcome(answer: &Answer) -> Outcome {
    let refused = |kind, text: &str| Outcome::Refused(Refusal::new(kind, text));
    let limited = || {
        let retry_after_s = answer.retry_after_s.unwrap_or(RETRY_AFTER_S);
        refused(RefusalKind::RateLimited { retry_after_s }, &format!("HTTP {}", answer.status))
    };
    let unclear = || Outcome::Unknown(Unclear::BadAnswer(format!("HTTP {}", answer.status)));
    match (answer.status, parse(&answer.body)) {
        (429 | 418, _) => limited(),
        (408 | 500.., _) => unclear(),
        (200..=299, Some((200, _))) => Outcome::Done,
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
        _ if says("no agent found") || says("agent not found") => RefusalKind::AgentUnknown,
        _ if says("illegal agentname") => RefusalKind::AgentKnown,
        _ if says("quantity over limit") => RefusalKind::NoAgentSlot,
        _ if says("expired time too short") => RefusalKind::OurFault,
        _ if says("no aster user found") || says("after deposit") => RefusalKind::DepositRequired,
        _ => RefusalKind::Other,
    }
}

/// The list of agents; `None` when whoever asked is no agent.
///
/// # Errors
/// When the answer says neither.
pub fn agents(answer: &Answer) -> Result<Option<Vec<ListedAgent>>, LookupError> {
    let unclear = || LookupError::unreadable("agent list", answer);
    if answer.status == 200
        && let Ok(Value::Array(agents)) = serde_json::from_str(&answer.body)
    {
        let listed = agents.iter().map(|agent| {
            Some(ListedAgent {
                address: agent.get("agentAddress")?.as_str()?.parse().ok()?,
                name: agent.get("agentName").and_then(Value::as_str).unwrap_or_default().to_owned(),
                expires_at_ms: agent.get("expired").and_then(Value::as_u64),
            })
        });
        return listed.collect::<Option<_>>().map(Some).ok_or_else(unclear);
    }
    // An agent that is not registered cannot list: the texts for it differ.
    match (answer.status, parse(&answer.body)) {
        (200..=299 | 400..=407 | 409..=417 | 419..=428, Some((-1000 | -1022 | -2015, _))) => {
            Ok(None)
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
        assert!(matches!(outcome(&answer(200, r#"{"code":200,"msg":"success"}"#)), Outcome::Done));
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
    fn a_list_names_every_agent_and_a_stranger_gets_none() {
        let agent: crate::eth::Address =
            "0x410D9849b1089D6DB21dFDD1a0a946Ce1a2d53FA".parse().unwrap();
        let listed = format!(
            r#"[{{"agentAddress":"{}","agentName":"hdx1","expired":1790000000000}}]"#,
            agent.to_lower_hex()
        );
        let listed = agents(&answer(200, &listed)).unwrap().unwrap();
        assert_eq!((listed[0].address, listed[0].name.as_str()), (agent, "hdx1"));
        assert_eq!(listed[0].expires_at_ms, Some(1_790_000_000_000));
        assert!(agents(&answer(200, "[]")).unwrap().unwrap().is_empty());
        let unknown = r#"{"code":-1000,"msg":"No agent found"}"#;
        assert!(agents(&answer(400, unknown)).unwrap().is_none());
        for (status, body) in
            [(500, unknown), (429, ""), (400, ""), (200, "{}"), (200, r#"[{"agentAddress":1}]"#)]
        {
            assert!(agents(&answer(status, body)).is_err(), "{status} {body}");
        }
    }
}
