use serde_json::{Value, json};

use super::*;
use crate::exchanges::http::TransportError;

const WALLET: &str = "0xe58b8d324dfbac31e4c344a92100c75d7f9a2d81";
const AGENT: &str = "0x14791697260e4c9a71f18484c9f997b308e59325";
const STRANGER: &str = "0x000000000000000000000000000000000000dead";

fn sender(is_first: bool) -> Sender {
    Sender { wallet: WALLET.parse().unwrap(), agent: AGENT.parse().unwrap(), is_first }
}

fn cloid(byte: u8) -> Cloid {
    Cloid([byte; 16])
}

fn statuses(list: &Value) -> Answer {
    let response = json!({ "type": "order", "data": { "statuses": list } });
    Answer::new(200, json!({ "status": "ok", "response": response }).to_string())
}

fn err(text: &str) -> Answer {
    Answer::new(200, json!({ "status": "err", "response": text }).to_string())
}

fn read(answer: Answer, count: u8, is_first: bool) -> Sent<Vec<EntryOutcome>> {
    let cloids: Vec<_> = (0..count).map(|byte| Some(cloid(byte))).collect();
    placed(Ok(answer), &cloids, sender(is_first))
}

fn accepted(answer: Answer, count: u8) -> Vec<EntryOutcome> {
    match read(answer, count, true) {
        Sent::Accepted(outcomes) => outcomes,
        other => panic!("{other:?}"),
    }
}

/// Returns whether the outcome is unknown, and whether the nonce is known to be used.
fn unknown<T>(sent: Sent<T>) -> Option<bool> {
    match sent {
        Sent::Unknown(why) => Some(why.fenced),
        _ => None,
    }
}

fn refused<T: std::fmt::Debug>(sent: Sent<T>) -> TradeCode {
    match sent {
        Sent::Refused(refusal) => refusal.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_status_is_the_outcome_of_its_order() {
    let list = json!([
        { "resting": { "oid": 9_007_199_254_740_993_u64, "cloid": cloid(0).to_string() } },
        { "filled": { "totalSz": "0.02", "avgPx": "1891.40", "oid": 7 } },
        "waitingForFill",
        "waitingForTrigger",
        { "error": "Insufficient margin to place order. asset=3" },
    ]);
    let outcomes = accepted(statuses(&list), 5);
    let words: Vec<_> = outcomes
        .iter()
        .map(|outcome| match outcome {
            EntryOutcome::Placed(placed) => {
                let price = placed.average_price.map(Decimal::text);
                let (id, word) = (placed.order_id.as_deref(), placed.exchange_status.as_str());
                (id.unwrap_or("-"), word, placed.filled.text(), price)
            }
            EntryOutcome::Refused(refusal) => {
                assert_eq!(refusal.code, TradeCode::InsufficientFunds);
                ("-", refusal.text.as_str(), String::new(), None)
            }
        })
        .collect();
    let zero = "0".to_owned();
    let expected = [
        ("9007199254740993", "resting", zero.clone(), None),
        ("7", "filled", "0.02".to_owned(), Some("1891.4".to_owned())),
        ("-", "waitingForFill", zero.clone(), None),
        ("-", "waitingForTrigger", zero, None),
        ("-", "Insufficient margin to place order. asset=3", String::new(), None),
    ];
    assert_eq!(words, expected);
}

#[test]
fn one_error_counts_for_the_whole_batch() {
    let list = json!([{ "error": "Price too far from oracle asset=1" }]);
    let outcomes = accepted(statuses(&list), 3);
    assert_eq!(outcomes.len(), 3);
    for outcome in outcomes {
        let EntryOutcome::Refused(refusal) = outcome else { panic!("{outcome:?}") };
        assert_eq!(refusal.code, TradeCode::PriceOutOfRange);
    }
    match read(err("Price must be divisible by tick size."), 3, true) {
        Sent::Refused(refusal) => assert_eq!(refusal.code, TradeCode::TickSize),
        other => panic!("{other:?}"),
    }
}

#[test]
fn other_length_shape_or_cloid_is_unknown() {
    let resting = |byte: u8| json!({ "resting": { "oid": 5, "cloid": cloid(byte).to_string() } });
    for (list, count) in [
        (json!([]), 1),
        (json!([resting(0)]), 2),
        (json!([resting(0), resting(1)]), 1),
        (json!([{ "error": "x" }, { "error": "y" }]), 3),
        (json!([resting(7)]), 1),
        (json!([{ "resting": { "oid": 5, "cloid": "x" } }]), 1),
        (json!([{ "resting": { "oid": 5.5 } }]), 1),
        (json!([{ "resting": { "oid": 1e300 } }]), 1),
        (json!([{ "resting": { "oid": "5" } }]), 1),
        (json!([{ "resting": {} }]), 1),
        (json!([{ "resting": { "oid": 5 }, "filled": {} }]), 1),
        (json!([{ "filled": { "totalSz": 0.02, "avgPx": "1", "oid": 7 } }]), 1),
        (json!([{ "filled": { "totalSz": "1e5", "avgPx": "1", "oid": 7 } }]), 1),
        (json!([{ "filled": { "totalSz": "1", "avgPx": "-1", "oid": 7 } }]), 1),
        (json!(["success"]), 1),
        (json!(["waitingForGodot"]), 1),
        (json!([{ "__proto__": { "oid": 5 } }]), 1),
        (json!([null]), 1),
        (json!({ "resting": { "oid": 5 } }), 1),
    ] {
        let sent = read(statuses(&list), count, true);
        assert_eq!(unknown(sent), Some(false), "{list}");
    }
}

#[test]
fn response_outside_the_protocol_is_unknown() {
    let ok = statuses(&json!([{ "resting": { "oid": 5 } }])).body;
    let refusal = err("Insufficient margin to place order.").body;
    for (status, body) in [
        (200, ""),
        (200, "null"),
        (200, "<html>"),
        (200, "{}"),
        (200, r#"{"status":"ok"}"#),
        (200, r#"{"status":"ok","response":{"type":"default"}}"#),
        (200, r#"{"status":"ok","response":"x"}"#),
        (200, r#"{"status":"err"}"#),
        (200, r#"{"status":"maybe","response":"x"}"#),
        (302, &ok),
        (400, &refusal),
        (401, "null"),
        (403, "<H1>Request blocked</H1>"),
        (404, "null"),
        (408, &refusal),
        (422, "null"),
        (451, ""),
        (500, &ok),
        (502, "Bad Gateway"),
        (503, &refusal),
    ] {
        let sent = read(Answer::new(status, body), 1, true);
        assert_eq!(unknown(sent), Some(false), "{status} {body}");
    }
    let blocked = read(Answer::new(403, "<b>Blocked</b>"), 1, true);
    assert!(
        matches!(&blocked, Sent::Unknown(Unresolved { why: Unclear::Blocked(_), .. })),
        "{blocked:?}"
    );
}

#[test]
fn listed_text_of_an_order_has_its_code() {
    for line in ORDER_TEXTS {
        for text in [line.text.to_owned(), format!("{} and more. asset=7", line.text)] {
            let outcomes = accepted(statuses(&json!([{ "error": text }])), 1);
            let expected =
                EntryOutcome::Refused(TradeRefusal { code: line.code, text: text.clone() });
            assert_eq!(outcomes, [expected]);
            assert_eq!(refused(read(err(&text), 1, true)), line.code, "{text}");
            assert_eq!(unknown(read(err(&text), 1, false)), Some(false), "{text}: sent before");
        }
    }
    let outcomes = accepted(statuses(&json!([{ "error": "Something new" }])), 1);
    let [EntryOutcome::Refused(refusal)] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    assert_eq!((refusal.code, refusal.text.as_str()), (TradeCode::OrderRejected, "Something new"));
}

#[test]
fn listed_text_of_a_call_has_its_code() {
    for line in CALL_TEXTS {
        for prefix in ["", "L1 error: "] {
            let address = if line.code == TradeCode::AgentUnknown { AGENT } else { WALLET };
            let text = format!("{prefix}{}{address} x", line.text);
            assert_eq!(refused(read(err(&text), 2, true)), line.code, "{text}");
            assert_eq!(unknown(read(err(&text), 2, false)), Some(false), "{text}: sent before");
        }
    }
    match read(err("Something new asset=5"), 1, true) {
        Sent::Unknown(Unresolved { text: Some(text), fenced: false, .. }) => {
            assert_eq!(text, "Something new asset=5");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn duplicate_nonce_is_unknown_and_fenced() {
    let text = "Invalid nonce: duplicate nonce 1790000000000";
    for is_first in [true, false] {
        assert_eq!(unknown(read(err(text), 1, is_first)), Some(true));
        assert_eq!(unknown(read(err(&format!("L1 error: {text}")), 1, is_first)), Some(true));
    }
}

#[test]
fn strange_address_is_a_signature_fault() {
    let deposit = "Must deposit before performing actions. User: ";
    let unknown_user = "User or API Wallet ";
    let code = |text: &str, address: &str| {
        refused(read(err(&format!("{text}{address} does not exist.")), 1, true))
    };
    assert_eq!(code(deposit, WALLET), TradeCode::DepositRequired);
    assert_eq!(code(deposit, AGENT), TradeCode::SignatureFault);
    assert_eq!(code(deposit, STRANGER), TradeCode::SignatureFault);
    assert_eq!(code(deposit, ""), TradeCode::SignatureFault);
    assert_eq!(code(unknown_user, AGENT), TradeCode::AgentUnknown);
    assert_eq!(code(unknown_user, WALLET), TradeCode::AgentUnknown);
    assert_eq!(code(unknown_user, STRANGER), TradeCode::SignatureFault);
}

#[test]
fn limit_and_malformed_request_prove_on_the_first_send_only() {
    let limited = |status| Answer { retry_after_s: Some(7), ..Answer::new(status, "null") };
    let malformed = "Failed to deserialize the JSON body into the target type";
    let code = TradeCode::RateLimited { retry_after_s: 7 };
    assert_eq!(refused(read(limited(429), 1, true)), code);
    assert!(matches!(refused(read(limited(418), 1, true)), TradeCode::RateLimited { .. }));
    assert_eq!(refused(read(Answer::new(422, malformed), 1, true)), TradeCode::OurFault);
    for answer in [limited(429), limited(418), Answer::new(422, malformed)] {
        assert_eq!(unknown(read(answer, 1, false)), Some(false));
    }
}

/// The exchange checks some rules before the nonce, so a refusal of bytes that were sent before may
/// hide their execution. A success cannot: the nonce executes once.
#[test]
fn repeated_bytes_prove_an_order_but_no_refusal() {
    let error = json!({ "error": "Insufficient margin to place order." });
    let resting = json!({ "resting": { "oid": 5 } });
    assert_eq!(unknown(read(statuses(&json!([error])), 1, false)), Some(false));
    assert_eq!(unknown(read(statuses(&json!([error])), 2, false)), Some(false));
    assert_eq!(unknown(read(statuses(&json!([error, error])), 2, false)), Some(false));
    let mixed = read(statuses(&json!([resting, error])), 2, false);
    let Sent::Accepted(outcomes) = mixed else { panic!("{mixed:?}") };
    assert!(matches!(outcomes[0], EntryOutcome::Placed(_)));
    assert!(matches!(outcomes[1], EntryOutcome::Refused(_)));
}

#[test]
fn call_without_a_response_has_its_outcome() {
    let read = |error| placed(Err(error), &[None], sender(true));
    let cause = || TransportError::TooLarge;
    assert!(matches!(read(SendError::NotSent(cause())), Sent::NotSent(_)));
    assert_eq!(unknown(read(SendError::NoAnswer(cause()))), Some(false));
    assert_eq!(unknown(read(SendError::Broken(cause()))), Some(false));
}

#[test]
fn modification_states_what_became_of_the_old_order() {
    let read = |list: Value| modified(Ok(statuses(&list)), Some(cloid(1)), sender(true));
    let resting = json!([{ "resting": { "oid": 5, "cloid": cloid(1).to_string() } }]);
    assert!(matches!(read(resting), Sent::Accepted(ModifyOutcome::Replaced(_))));
    let gone = json!([{ "error": "Cannot modify canceled or filled order" }]);
    let Sent::Accepted(ModifyOutcome::Refused(refusal)) = read(gone) else { panic!("refused") };
    assert_eq!(refusal.code, TradeCode::OrderNotOpen);
    let text = "Error placing new order during modify: Insufficient margin to place order.";
    let Sent::Accepted(ModifyOutcome::Lost(refusal)) = read(json!([{ "error": text }])) else {
        panic!("not lost")
    };
    assert_eq!((refusal.code, refusal.text.as_str()), (TradeCode::InsufficientFunds, text));
    assert_eq!(unknown(read(json!([]))), Some(false));
    assert_eq!(unknown(read(json!(["success"]))), Some(false));
}

#[test]
fn cancellation_has_one_outcome_for_each_order() {
    let read = |list: Value, count| cancelled(Ok(statuses(&list)), count, sender(true));
    let gone = "Order was never placed, already canceled, or filled. asset=3";
    let sent = read(json!(["success", { "error": gone }]), 2);
    let Sent::Accepted(outcomes) = sent else { panic!("{sent:?}") };
    let refusal = TradeRefusal { code: TradeCode::OrderNotOpen, text: gone.to_owned() };
    assert_eq!(outcomes, [CancelOutcome::Cancelled, CancelOutcome::Refused(refusal)]);
    assert_eq!(unknown(read(json!(["success"]), 2)), Some(false));
    assert_eq!(unknown(read(json!([{ "resting": { "oid": 5 } }]), 1)), Some(false));
    assert_eq!(unknown(read(json!(["waitingForFill"]), 1)), Some(false));
}

#[test]
fn leverage_has_the_exchanges_answer() {
    let read = |answer| leverage_set(Ok(answer), sender(true));
    let ok = r#"{"status":"ok","response":{"type":"default"}}"#;
    assert!(matches!(read(Answer::new(200, ok)), Sent::Accepted(())));
    for (text, expected) in [
        ("Invalid leverage value", TradeCode::LeverageOutOfRange),
        (
            "Cross position does not have sufficient margin available to decrease leverage.",
            TradeCode::InsufficientFunds,
        ),
        ("Cannot switch leverage type with open position.", TradeCode::MarginModeLocked),
        ("Cross margin is not allowed for this asset.", TradeCode::MarginModeLocked),
        ("Something new", TradeCode::OrderRejected),
        ("Action already expired", TradeCode::Expired),
    ] {
        let sent = read(err(text));
        let Sent::Refused(refusal) = sent else { panic!("{sent:?}") };
        assert_eq!((refusal.code, refusal.text.as_str()), (expected, text));
    }
    assert_eq!(unknown(read(err("Invalid nonce: duplicate nonce 5"))), Some(true));
    for answer in [Answer::new(500, ok), Answer::new(200, "{}"), Answer::new(200, "")] {
        assert_eq!(unknown(read(answer)), Some(false));
    }
    let lost = leverage_set(Err(SendError::NoAnswer(TransportError::TooLarge)), sender(true));
    assert_eq!(unknown(lost), Some(false));
}

#[test]
fn noop_states_whether_the_nonce_is_used() {
    let fence = |answer: Answer| match nonce_use(Ok(answer)) {
        NonceUse::Used(fence) => Some(fence),
        NonceUse::Unknown(_) => None,
    };
    let ok = r#"{"status":"ok","response":{"type":"default"}}"#;
    assert_eq!(fence(Answer::new(200, ok)), Some(Fence::Taken));
    assert_eq!(fence(err("Invalid nonce: duplicate nonce 5")), Some(Fence::Spent));
    assert_eq!(fence(err("L1 error: Invalid nonce: nonce too low 5 < 7")), Some(Fence::Spent));
    for answer in [
        err("Invalid nonce"),
        err("Action already expired"),
        err(&format!("User or API Wallet {AGENT} does not exist.")),
        err("Something new"),
        Answer::new(500, ok),
        Answer::new(429, "null"),
        Answer::new(403, ok),
        Answer::new(200, "{}"),
        Answer::new(200, ""),
    ] {
        assert_eq!(fence(answer), None);
    }
    let error = SendError::NoAnswer(TransportError::TooLarge);
    assert!(matches!(nonce_use(Err(error)), NonceUse::Unknown(_)));
}

#[test]
fn text_of_the_exchange_is_bounded_and_without_secrets() {
    let text = format!("No\u{202e} {} {}", "ab".repeat(65), "x".repeat(500));
    let outcomes = accepted(statuses(&json!([{ "error": text }])), 1);
    let [EntryOutcome::Refused(refusal)] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    assert!(refusal.text.starts_with("No (hidden) xxx"), "{}", refusal.text);
    assert_eq!(refusal.text.chars().count(), 200);
}
