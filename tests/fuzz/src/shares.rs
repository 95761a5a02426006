//! Key shares as they are stored: bytes that were sealed, and still may be damaged.

use protocol::KeyShare;

/// The bytes as either party's share.
pub fn run(data: &[u8]) {
    for party in [1, 2] {
        let Ok(share) = KeyShare::from_bytes(data, party) else { continue };
        let bytes = share.to_bytes();
        let again = KeyShare::from_bytes(&bytes, party).expect("it is read again");
        assert!(*again.to_bytes() == *bytes, "it is another share");
        assert_eq!(share.address(), again.address());
        assert!(format!("{share:?}").len() < 200, "it shows too much");
    }
}
