//! The two parties.

use dkls23_secp256k1::protocols::{Parameters, PartyIndex};

/// Party 1, the endpoint function.
#[must_use]
pub fn party_1() -> PartyIndex {
    index(1)
}

/// Party 2, the cosigner.
#[must_use]
pub fn party_2() -> PartyIndex {
    index(2)
}

#[expect(clippy::expect_used, reason = "1 and 2 are not zero")]
fn index(value: u8) -> PartyIndex {
    PartyIndex::new(value).expect("not zero")
}

/// Two of two.
#[must_use]
pub const fn parameters() -> Parameters {
    Parameters { threshold: 2, share_count: 2 }
}
