//! Target for stored key shares: bytes that were sealed but may still be damaged.

use protocol::KeyShare;

/// Parses the bytes as a share of either party.
pub fn run(data: &[u8]) {
    for party in [1, 2] {
        let Ok(share) = KeyShare::from_bytes(data, party) else { continue };
        let bytes = share.to_bytes();
        let again = KeyShare::from_bytes(&bytes, party).expect("a readable share");
        assert!(*again.to_bytes() == *bytes, "the round trip changed the share");
        assert_eq!(share.address(), again.address());
        assert!(format!("{share:?}").len() < 200, "the debug output is too long");
    }
}
