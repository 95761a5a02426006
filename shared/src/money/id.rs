//! The id of a payment.

use domain::ids::Tenant;
use domain::money::{PaymentError, PaymentId};
use domain::policy::Venue;
use uuid::Uuid;

use crate::store::hash;

/// Number of hex digits of the hash in an id.
const DIGITS: usize = 32;

/// Returns the id of the payment that a request with this `Idempotency-Key` makes. The same key with
/// another wallet, exchange or chain is another payment.
///
/// # Errors
/// Never: the text has the form of an id.
pub fn payment_id(
    tenant: &Tenant,
    wallet_id: Uuid,
    venue: Venue,
    key: &str,
) -> Result<PaymentId, PaymentError> {
    let venue = venue.to_string();
    let parts: [&[u8]; 5] = [
        b"hyperdex/payment/1",
        tenant.as_str().as_bytes(),
        wallet_id.as_bytes(),
        venue.as_bytes(),
        key.as_bytes(),
    ];
    let digest = hash(&parts);
    format!("p-{}", &digest[..DIGITS]).parse()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn id_follows_from_tenant_wallet_venue_and_key() {
        let tenant = |name: &str| name.parse::<Tenant>().unwrap();
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let id = |name, wallet, venue, key| {
            payment_id(&tenant(name), wallet, venue, key).unwrap().to_string()
        };
        let ids: BTreeSet<String> = [
            id("acme", one, Venue::Aster, "k"),
            id("acme", one, Venue::Hyperliquid, "k"),
            id("acme", one, Venue::Evm(56), "k"),
            id("acme", one, Venue::Evm(1), "k"),
            id("acme", two, Venue::Aster, "k"),
            id("acme", one, Venue::Aster, "K"),
            id("acm", one, Venue::Aster, "ek"),
            id("other", one, Venue::Aster, "k"),
        ]
        .into();
        assert_eq!(ids.len(), 8);
        assert_eq!(id("acme", one, Venue::Aster, "k"), id("acme", one, Venue::Aster, "k"));
        assert!(ids.iter().all(|id| id.len() == 34 && id.starts_with("p-")));
    }
}
