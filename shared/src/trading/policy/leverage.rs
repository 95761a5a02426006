//! The policy's limit for a change of leverage.

use super::{Policy, PolicyRefusal, PolicyRule};

/// Checks a change of the leverage of a market, by the exchange's name. `None` leaves the leverage
/// as it is.
///
/// # Errors
/// Fails when the market is not in the list, or when the leverage is too high.
pub fn check_leverage(
    policy: &Policy,
    symbol: &str,
    leverage: Option<u32>,
) -> Result<(), PolicyRefusal> {
    if let Some(symbols) = &policy.symbols
        && !symbols.iter().any(|allowed| allowed == symbol)
    {
        return Err(PolicyRefusal { rule: PolicyRule::Symbol, limit: symbols.join(", ") });
    }
    match (policy.max_leverage, leverage) {
        (Some(limit), Some(leverage)) if leverage > limit => {
            Err(PolicyRefusal { rule: PolicyRule::Leverage, limit: limit.to_string() })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::PolicyFields;
    use super::*;

    #[test]
    fn leverage_above_the_limit_is_refused() {
        let fields = PolicyFields {
            max_leverage: Some(5),
            symbols: Some(vec!["BTC".to_owned()]),
            ..PolicyFields::default()
        };
        let policy = fields.effective();
        for (symbol, leverage, refused) in [
            ("BTC", Some(5), None),
            ("BTC", None, None),
            ("BTC", Some(6), Some(PolicyRule::Leverage)),
            ("ETH", Some(1), Some(PolicyRule::Symbol)),
        ] {
            let checked = check_leverage(&policy, symbol, leverage);
            assert_eq!(checked.err().map(|refusal| refusal.rule), refused, "{symbol} {leverage:?}");
        }
        assert_eq!(check_leverage(&PolicyFields::default().effective(), "ETH", Some(50)), Ok(()));
    }
}
