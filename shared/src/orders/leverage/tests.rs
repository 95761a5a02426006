use super::*;
use crate::exchanges::budget::Busy;
use crate::exchanges::trade::TradeRefusal;

fn refused(code: TradeCode) -> TradeError {
    TradeError::Refused { client_order_id: None, refusal: TradeRefusal::new(code, "no") }
}

fn errors() -> Vec<TradeError> {
    vec![
        TradeError::Busy(Busy::Limited { retry_after_s: 3 }),
        TradeError::OutOfTime,
        TradeError::Contention,
        TradeError::Store(platform::items::StoreError::Conflict),
        TradeError::Blocked("no".to_owned()),
        TradeError::WalletFrozen,
        TradeError::LeverageInProgress { retry_after_s: 1 },
        refused(TradeCode::RateLimited { retry_after_s: 3 }),
        refused(TradeCode::NonceTooLow),
        refused(TradeCode::AgentUnknown),
    ]
}

#[test]
fn error_after_a_sent_call_states_an_unknown_outcome() {
    for effect in [Effect::Made, Effect::Unknown] {
        for error in errors() {
            let after = after_sending(error, effect);
            assert!(matches!(after, TradeError::LeverageUnknown { .. }), "{effect:?}: {after:?}");
        }
    }
}

#[test]
fn error_before_a_sent_call_is_kept() {
    for error in errors() {
        let text = error.to_string();
        let after = after_sending(error, Effect::Nothing);
        assert!(!matches!(after, TradeError::LeverageUnknown { .. }), "{after:?}");
        assert_eq!(after.to_string(), text);
    }
}

#[test]
fn reason_of_a_refusal_is_stated_unless_an_earlier_response_was_lost() {
    let after = |effect| after_sending(refused(TradeCode::LeverageOutOfRange), effect);
    assert!(matches!(after(Effect::Nothing), TradeError::Refused { .. }));
    assert!(matches!(after(Effect::Made), TradeError::Refused { .. }));
    assert!(matches!(after(Effect::Unknown), TradeError::LeverageUnknown { .. }));
}

#[test]
fn end_of_a_lighter_call_does_not_follow_its_nonce() {
    let signed_at_ms = 1_790_000_000_000;
    let open = LeverageRecord {
        schema: 1,
        revision: Uuid::nil(),
        symbol: "BTC".to_owned(),
        agent: domain::eth::Address::ZERO,
        nonce: signed_at_ms + 3_600_000,
        open: true,
        lease_until_ms: signed_at_ms + LEASE_MS,
        expires_at_s: 0,
        last: None,
    };
    assert_eq!(lighter_end_ms(&open), signed_at_ms + LIGHTER_VALID_MS + LIGHTER_MARGIN_MS);
}
