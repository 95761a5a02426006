//! The policy's limits for the builder that orders carry.

use domain::builder::Builder;

use super::{Policy, PolicyRefusal, PolicyRule, Priced};

/// The limit in a refusal by a policy that allows no builder.
const NO_BUILDER: &str = "no builder";

/// Returns the builder that orders of one call carry. `builder` is the deployment's, with the fee
/// that the wallet has approved. Orders that only reduce a position carry none if the policy does not
/// allow it, so that such a limit keeps no position open.
///
/// # Errors
/// Fails when the policy does not allow the builder or its fee.
pub fn allowed_builder(
    policy: &Policy,
    builder: Option<Builder>,
    orders: &[Priced],
) -> Result<Option<Builder>, PolicyRefusal> {
    let Some(builder) = builder else { return Ok(None) };
    match check_builder(policy, builder) {
        Ok(()) => Ok(Some(builder)),
        Err(_) if orders.iter().all(|order| order.is_reducing) => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

fn check_builder(policy: &Policy, builder: Builder) -> Result<(), PolicyRefusal> {
    if let Some(builders) = &policy.builders
        && !builders.contains(&builder.address)
    {
        let addresses: Vec<_> = builders.iter().map(ToString::to_string).collect();
        let limit = if addresses.is_empty() { NO_BUILDER.to_owned() } else { addresses.join(", ") };
        return Err(PolicyRefusal { rule: PolicyRule::Builder, limit });
    }
    match policy.max_builder_fee {
        Some(limit) if builder.fee.tenths() > limit => {
            Err(PolicyRefusal { rule: PolicyRule::BuilderFee, limit: limit.to_string() })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use domain::eth::Address;

    use super::super::PolicyFields;
    use super::super::tests::order;
    use super::*;
    use crate::trading::order::Side;

    const BUILDER: &str = "0x8c967E73E7B15087c42A10D344cFf4c96D877f1D";
    const OTHER: &str = "0xc2af13e1B1de3A015252A115309A0F9DEEDCFa0A";

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    fn fields(builders: Option<&[&str]>, max_builder_fee: Option<u16>) -> PolicyFields {
        let builders = builders.map(|texts| texts.iter().map(|text| address(text)).collect());
        PolicyFields { builders, max_builder_fee, ..PolicyFields::default() }
    }

    #[test]
    fn builder_outside_the_policy_is_refused_with_the_limit() {
        let builder = Builder { address: address(BUILDER), fee: 50.try_into().unwrap() };
        let entry = order("a", Side::Buy, "10");
        let exit = Priced { is_reducing: true, ..order("b", Side::Sell, "10") };
        let refused = |rule, limit: &str| Err(PolicyRefusal { rule, limit: limit.to_owned() });
        for (builders, fee, expected) in [
            (None, None, Ok(Some(builder))),
            (Some(&[OTHER, BUILDER] as &[_]), Some(50), Ok(Some(builder))),
            (Some(&[OTHER]), None, refused(PolicyRule::Builder, OTHER)),
            (Some(&[]), None, refused(PolicyRule::Builder, "no builder")),
            (None, Some(49), refused(PolicyRule::BuilderFee, "49")),
            (Some(&[BUILDER]), Some(0), refused(PolicyRule::BuilderFee, "0")),
        ] {
            let policy = fields(builders, fee).effective();
            let orders = [exit.clone(), entry.clone()];
            assert_eq!(allowed_builder(&policy, Some(builder), &orders), expected);
            // An exit carries the builder only if the policy allows it, and is placed in any case.
            let exits = std::slice::from_ref(&exit);
            let carried = expected.unwrap_or_default();
            assert_eq!(allowed_builder(&policy, Some(builder), exits), Ok(carried));
            assert_eq!(allowed_builder(&policy, None, &orders), Ok(None));
        }
    }
}
