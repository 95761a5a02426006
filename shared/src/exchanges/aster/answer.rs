//! Interprets Aster's responses: `{"code":n,"msg":text}` in Binance's dialect. The code -1000
//! covers many errors, so its text decides.
//!
//! [`ANSWERS`] is the closed list of meaningful responses. Any other response, whatever its
//! status, leaves the outcome unknown.

use std::ops::RangeInclusive;

use serde_json::Value;

use crate::exchanges::http::Answer;
use crate::exchanges::{
    ListedAgent, LookupError, Outcome, Proof, Refusal, RefusalKind, Unclear, bounded,
    without_secrets,
};

/// Default wait, in seconds, when a response does not state one. An estimate: weights are counted
/// by the minute.
const RETRY_AFTER_S: u64 = 30;

/// One line of the closed list.
#[derive(Clone, Debug)]
pub struct Known {
    /// The codes.
    pub codes: RangeInclusive<i64>,
    /// Start of the text, in lower case. When empty, the code alone decides.
    pub text: &'static str,
    /// The meaning.
    pub kind: RefusalKind,
}

const fn known(code: i64, text: &'static str, kind: RefusalKind) -> Known {
    Known { codes: code..=code, text, kind }
}

/// The closed list of Aster's refusals. Sources: the error list of its futures API V3 document,
/// and the texts of -1000 that its users have published. Only code 200 with HTTP 2xx means done.
///
/// The outcome is unknown for everything else: -1000 with any other text, -1001 (disconnected),
/// -1006 and -1007 (execution status unknown), -1008 (overloaded), -2015 (permissions or address),
/// every other code, HTTP 5xx and 408.
pub const ANSWERS: &[Known] = &[
    known(-5050, "", RefusalKind::DepositRequired),
    known(-1000, "no aster user found", RefusalKind::DepositRequired),
    known(-1000, "agent quantity over limit", RefusalKind::NoAgentSlot),
    known(-1000, "agent expired time too short", RefusalKind::OurFault),
    // Missing, duplicate or invalid parameters.
    Known { codes: -1136..=-1100, text: "", kind: RefusalKind::OurFault },
    known(-1000, "no agent found", RefusalKind::AgentUnknown),
    known(-1000, "agent not found", RefusalKind::AgentUnknown),
    known(-1000, "illegal agentname", RefusalKind::AgentKnown),
    // The same code covers stale and used nonces.
    known(-4225, "", RefusalKind::NonceRejected),
    known(-4226, "", RefusalKind::NonceRejected),
    known(-1022, "", RefusalKind::SignatureFault),
    known(-1000, "signature check failed", RefusalKind::SignatureFault),
    known(-1000, "invalid signature", RefusalKind::SignatureFault),
];

/// Parses the code and text of a response.
pub(super) fn parse(body: &str) -> Option<(i64, String)> {
    let body: Value = serde_json::from_str(body).ok()?;
    let code = body.get("code")?;
    let code = code.as_i64().or_else(|| code.as_str()?.parse().ok())?;
    let text = body.get("msg").and_then(Value::as_str).unwrap_or_default();
    Some((code, text.to_owned()))
}

/// Interprets the response to an approval or a removal.
#[must_use]
pub fn outcome(answer: &Answer) -> Outcome {
    read(answer, ANSWERS)
}

/// Interprets a response whose refusals are in this list.
pub(super) fn read(answer: &Answer, list: &[Known]) -> Outcome {
    let parsed = parse(&answer.body);
    let limited = || {
        let kind = RefusalKind::RateLimited { retry_after_s: answer.wait_s(RETRY_AFTER_S) };
        Outcome::Refused(Refusal::new(kind, &format!("HTTP {}", answer.status)))
    };
    let unclear = || {
        let said = parsed.as_ref().map(|(code, text)| format!(", {code} {text}"));
        let words = format!("HTTP {}{}", answer.status, said.unwrap_or_default());
        Outcome::Unknown(Unclear::BadAnswer(bounded(&without_secrets(&words))))
    };
    match (answer.status, &parsed) {
        (429 | 418, _) => limited(),
        (408 | 500.., _) => unclear(),
        (200..=299, Some((200, _))) => Outcome::Done,
        (_, Some((-1003, _))) => limited(),
        (_, Some((code, text))) => match kind_in(list, *code, text) {
            Some(kind) => Outcome::Refused(Refusal::new(kind, &without_secrets(text))),
            None if is_blocked(answer) => Outcome::Unknown(blocked(answer)),
            None => unclear(),
        },
        _ if is_blocked(answer) => Outcome::Unknown(blocked(answer)),
        _ => unclear(),
    }
}

const fn is_blocked(answer: &Answer) -> bool {
    matches!(answer.status, 403 | 451)
}

fn blocked(answer: &Answer) -> Unclear {
    Unclear::Blocked(answer.blocked_words())
}

fn kind_in(list: &[Known], code: i64, text: &str) -> Option<RefusalKind> {
    let text = text.trim().to_lowercase();
    let is_it = |known: &&Known| known.codes.contains(&code) && text.starts_with(known.text);
    list.iter().find(is_it).map(|known| known.kind)
}

/// Parses the list of agents. Returns `None` when the response states that the asking agent is not
/// an agent of the account. Any other failure proves nothing.
///
/// # Errors
/// Fails when the response is neither.
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
    match outcome(answer) {
        Outcome::Refused(refusal) if refusal.kind.proof() == Proof::Gone => Ok(None),
        Outcome::Refused(Refusal { kind: RefusalKind::NonceRejected, .. }) => {
            Err(LookupError::NonceRejected)
        }
        _ => Err(unclear()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer::new(status, body)
    }

    fn refused(status: u16, code: i64, text: &str) -> RefusalKind {
        let body = serde_json::json!({ "code": code, "msg": text }).to_string();
        match outcome(&answer(status, &body)) {
            Outcome::Refused(refusal) => refusal.kind,
            other => panic!("{code} {text}: {other:?}"),
        }
    }

    #[test]
    fn only_code_200_means_done() {
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

    /// Checks every line of the list, with every text it covers, in each status of a refusal.
    #[test]
    fn listed_response_has_its_listed_proof() {
        for line in ANSWERS {
            for code in line.codes.clone() {
                let texts = [line.text.to_owned(), format!(" {} now", line.text.to_uppercase())];
                for (status, text) in [200, 400, 401, 403].into_iter().zip(texts.iter().cycle()) {
                    assert_eq!(refused(status, code, text), line.kind, "{status} {code} {text}");
                }
                let body = serde_json::json!({ "code": code, "msg": line.text }).to_string();
                for status in [408, 500, 502, 503, 504] {
                    let outcome = outcome(&answer(status, &body));
                    assert!(matches!(outcome, Outcome::Unknown(_)), "{status} {body}: {outcome:?}");
                }
            }
        }
        assert_eq!(
            refused(429, -1003, "Too many requests"),
            RefusalKind::RateLimited { retry_after_s: RETRY_AFTER_S }
        );
    }

    /// Responses that Aster documents as "status unknown", that do not concern the agent, or that
    /// are undocumented. They prove nothing, neither for a send nor for the list.
    const UNKNOWN: [(u16, i64, &str); 14] = [
        (400, -1000, "An unknown error occured while processing the request."),
        (400, -1000, ""),
        (200, -1000, "System busy"),
        (400, -1000, "Please try again: no agent found"),
        (400, -1001, "Internal error; unable to process your request. Please try again."),
        (400, -1006, "Execution status unknown"),
        (200, -1007, "Timeout waiting for response from backend server."),
        (400, -1008, "Server is currently overloaded"),
        (503, -1000, "Agent quantity over limit"),
        (401, -2015, "Invalid API-key, IP, or permissions for action."),
        (401, -1002, "You are not authorized to execute this request."),
        (400, -1137, "x"),
        (400, -9999, "new"),
        (400, 400, "success"),
    ];

    #[test]
    fn unlisted_response_leaves_the_outcome_unknown() {
        for (status, code, text) in UNKNOWN {
            let body = serde_json::json!({ "code": code, "msg": text }).to_string();
            let outcome = outcome(&answer(status, &body));
            let Outcome::Unknown(Unclear::BadAnswer(words)) = outcome else {
                panic!("{status} {code} {text}: {outcome:?}")
            };
            assert!(words.starts_with(&format!("HTTP {status}, {code}")), "{words}");
        }
        for status in [400, 401, 404, 405, 409, 422] {
            let outcome = outcome(&answer(status, "<html>"));
            assert!(matches!(outcome, Outcome::Unknown(_)), "{status}: {outcome:?}");
        }
    }

    #[test]
    fn call_refused_by_the_edge_is_blocked() {
        let restricted = r#"{"code":0,"msg":"Service unavailable from a restricted location"}"#;
        for (status, body) in [(403, "<H1>Request blocked</H1>"), (451, restricted), (403, "")] {
            let outcome = outcome(&answer(status, body));
            assert!(matches!(outcome, Outcome::Unknown(Unclear::Blocked(_))), "{outcome:?}");
            let list = agents(&answer(status, body));
            assert!(matches!(list, Err(LookupError::Blocked(_))), "{list:?}");
        }
    }

    #[test]
    fn failed_agent_list_proves_nothing() {
        for (status, code, text) in UNKNOWN {
            let body = serde_json::json!({ "code": code, "msg": text }).to_string();
            let list = agents(&answer(status, &body));
            assert!(
                matches!(list, Err(LookupError::Unreadable { .. })),
                "{status} {body}: {list:?}"
            );
        }
        for line in ANSWERS {
            let body = serde_json::json!({ "code": line.codes.start(), "msg": line.text });
            let list = agents(&answer(400, &body.to_string()));
            assert_eq!(list.is_ok(), line.kind == RefusalKind::AgentUnknown, "{body}: {list:?}");
        }
    }

    #[test]
    fn agent_list_names_all_agents_or_refuses_strangers() {
        let agent: domain::eth::Address =
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
