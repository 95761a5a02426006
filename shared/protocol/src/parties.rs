//! The two parties' indexes.

use dkls23_secp256k1::protocols::{Parameters, PartyIndex};

/// Returns party 1, the endpoint function.
#[must_use]
pub fn party_1() -> PartyIndex {
    index(1)
}

/// Returns party 2, the cosigner.
#[must_use]
pub fn party_2() -> PartyIndex {
    index(2)
}

#[expect(clippy::expect_used, reason = "1 and 2 are not zero")]
fn index(value: u8) -> PartyIndex {
    PartyIndex::new(value).expect("not zero")
}

/// Returns the parameters of a 2-of-2 scheme.
#[must_use]
pub const fn parameters() -> Parameters {
    Parameters { threshold: 2, share_count: 2 }
}
