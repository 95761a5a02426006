use super::*;

const HASH: &str = "aa01";

fn of(status: u16, body: &str) -> Sent<String> {
    sent(Ok(Answer::new(status, body)), HASH)
}

fn code(status: u16, body: &str) -> TradeCode {
    match of(status, body) {
        Sent::Refused(refusal) => refusal.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn code_of_each_refusal_has_one_meaning() {
    for (place, (code, _)) in CODES.iter().enumerate() {
        assert!(!CODES[..place].iter().any(|(known, _)| known == code), "{code}");
        assert!(!UNKNOWN.contains(code), "{code}");
    }
}

#[test]
fn accepted_transaction_is_not_executed_yet() {
    let body = r#"{"code":200,"message":"{\"ratelimit\": \"x\"}","tx_hash":"AA01","predicted_execution_time_ms":1}"#;
    assert!(matches!(of(200, body), Sent::Accepted(hash) if hash == HASH));
}

#[test]
fn another_hash_of_a_transaction_is_returned() {
    let other = r#"{"code":200,"tx_hash":"0xBB02"}"#;
    assert!(matches!(of(200, other), Sent::Accepted(hash) if hash == "bb02"));
    for body in [r#"{"code":200}"#, r#"{"code":200,"tx_hash":"not hex"}"#] {
        assert!(matches!(of(200, body), Sent::Unknown(_)), "{body}");
    }
}

#[test]
fn refused_transaction_has_the_meaning_of_its_code() {
    for (body, expected) in [
        (r#"{"code":21104,"message":"invalid nonce"}"#, TradeCode::NonceTooLow),
        (r#"{"code":21120,"message":"invalid signature"}"#, TradeCode::AgentUnknown),
        (r#"{"code":20558,"message":"restricted jurisdiction"}"#, TradeCode::RegionBlocked),
        (r#"{"code":21136,"message":"update the SDK"}"#, TradeCode::SignerOutdated),
        (r#"{"code":21739,"message":"not enough margin"}"#, TradeCode::InsufficientFunds),
        (r#"{"code":21733,"message":"accidental price"}"#, TradeCode::PriceOutOfRange),
        (r#"{"code":21728,"message":"client order index exists"}"#, TradeCode::ClientIdTaken),
        (r#"{"code":21506,"message":"too many pending"}"#, TradeCode::TryLater),
        (r#"{"code":21601,"message":"order book is full"}"#, TradeCode::TryLater),
        (r#"{"code":21605,"message":"invalid market status"}"#, TradeCode::TryLater),
        (r#"{"code":29999,"message":"new"}"#, TradeCode::OrderRejected),
    ] {
        assert_eq!(code(400, body), expected, "{body}");
    }
    let region = r#"{"code":20558,"message":"restricted jurisdiction"}"#;
    for status in [200, 403, 451, 503] {
        assert_eq!(code(status, region), TradeCode::RegionBlocked);
    }
    let limited = r#"{"code":23000,"message":"Too Many Requests!"}"#;
    assert!(matches!(code(429, limited), TradeCode::RateLimited { retry_after_s: 60 }));
}

#[test]
fn server_error_leaves_the_outcome_unknown() {
    for (status, body) in [
        (500, r#"{"code":29500,"message":"internal"}"#),
        (400, r#"{"code":29501,"message":"timeout"}"#),
        (503, r#"{"code":21104,"message":"invalid nonce"}"#),
        (200, r#"{"code":29999,"message":"new"}"#),
        (502, "<html>bad gateway</html>"),
        (200, "not JSON"),
    ] {
        assert!(matches!(of(status, body), Sent::Unknown(_)), "{status} {body}");
    }
}

#[test]
fn page_of_the_edge_is_a_block() {
    for status in [403, 405] {
        let Sent::Unknown(unresolved) = of(status, "<html>Request blocked.</html>") else {
            panic!("unknown")
        };
        assert!(matches!(unresolved.why, Unclear::Blocked(_)));
    }
}

#[test]
fn request_limit_of_a_question_is_not_a_refusal() {
    for (status, body) in [
        (429, ""),
        (429, r#"{"code":23000,"message":"Too Many Requests!"}"#),
        (400, r#"{"code":23001}"#),
    ] {
        let error = found("a transaction", &Answer::new(status, body)).unwrap_err();
        let is_limit = matches!(
            error,
            AskError::Failed(LookupError::RateLimited { retry_after_s: RETRY_AFTER_S })
        );
        assert!(is_limit, "{status} {body}: {error:?}");
    }
}

#[test]
fn absent_transaction_is_nothing_and_absent_account_is_refused() {
    for status in [200, 400, 404] {
        let absent = Answer::new(status, r#"{"code":21500,"message":"transaction not found"}"#);
        assert!(found("a transaction", &absent).unwrap().is_none(), "{status}");
        assert!(matches!(stated("an account", &absent), Err(AskError::Refused(_))));
    }
}
