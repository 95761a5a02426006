//! HPKE against the RFC's vectors, and the texts of recovery keys.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use protocol::recovery::{
    Encrypted, HpkeError, OpeningKey, RecoveryKey, RecoveryKeyError, RecoveryKeys, SealingKey, Side,
};
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_P256_HKDF_SHA256_AES_128;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke, HpkePrivateKey};

const INFO: &str = "4f6465206f6e2061204772656369616e2055726e";
const PLAIN: &str = "4265617574792069732074727574682c20747275746820626561757479";

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

/// RFC 9180, appendix A.3.1.1, sequence number 0. It has the same KEM and KDF; only the length
/// of the AEAD's key differs.
#[test]
fn vector_of_rfc_9180_a3_is_opened() {
    let enc = "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac98536d7b61a1af4b\
               78e5b7f951c0900be863c403ce65c9bfcb9382657222d18c4";
    let key = HpkePrivateKey::from(bytes(
        "f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2",
    ));
    let sealed = "5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f9076ac232e3ab\
                  2523f39513434";
    let opened = DH_KEM_P256_HKDF_SHA256_AES_128.open(
        &EncapsulatedSecret(bytes(enc)),
        &bytes(INFO),
        b"Count-0",
        &bytes(sealed),
        &key,
    );
    assert_eq!(opened.unwrap(), bytes(PLAIN));
}

/// The keys and the encapsulated key are of the RFC's `test-vectors.json` (mode 0, KEM 16, KDF
/// 1, AEAD 2). The ciphertext was made from them with Python's `cryptography`, by code that
/// also gives the digest of 1,000 ciphertexts in Go's `rfc9180.json` for the same keys.
#[test]
fn vector_of_rfc_9180_with_aes_256_is_opened() {
    let key = OpeningKey::from_bytes(&bytes(
        "317f915db7bc629c48fe765587897e01e282d3e8445f79f27f65d031a88082b2",
    ));
    let key = key.unwrap();
    let public = "04abc7e49a4c6b3566d77d0304addc6ed0e98512ffccf505e6a8e3eb25c685136f85314854487\
                  6de76c0f2ef99cdc3a05ccf5ded7860c7c021238f9e2073d2356c";
    assert_eq!(key.public().to_string(), public);
    let sealed = Encrypted {
        key_id: key.public().id(),
        enc: bytes(
            "04c06b4f6bebc7bb495cb797ab753f911aff80aefb86fd8b6fcc35525f3ab5f03e0b21bd31a86c6048a\
             f3cb2d98e0d3bf01da5cc4c39ff5370d331a4f1f7d5a4e0",
        ),
        ciphertext: bytes(
            "58c61a45059d0c5704560e9d88b564a8b63f1364b8d1fcb3c4c6ddc1d291742465e902cd216f8908da4\
             9f8f96f",
        ),
    };
    let opened = key.open(&bytes(INFO), b"Count-0", &sealed).unwrap();
    assert_eq!(*opened, bytes(PLAIN));
}

#[test]
fn secret_opens_only_with_its_key_and_context() {
    let (key, other) = (OpeningKey::generate().unwrap(), OpeningKey::generate().unwrap());
    let sealed = key.public().seal(b"info", b"aad", b"secret").unwrap();
    assert_eq!(&*key.open(b"info", b"aad", &sealed).unwrap(), b"secret");
    assert_eq!(key.open(b"else", b"aad", &sealed), Err(HpkeError::Mismatch));
    assert_eq!(key.open(b"info", b"else", &sealed), Err(HpkeError::Mismatch));
    assert_eq!(other.open(b"info", b"aad", &sealed), Err(HpkeError::OtherKey));
    let renamed = Encrypted { key_id: other.public().id(), ..sealed };
    assert_eq!(other.open(b"info", b"aad", &renamed), Err(HpkeError::Mismatch));
}

#[test]
fn key_of_damaged_text_is_refused() {
    let key = OpeningKey::generate().unwrap();
    let text = key.public().to_string();
    assert_eq!(text.parse::<SealingKey>().unwrap(), *key.public());
    let last = if text.ends_with('0') { '1' } else { '0' };
    for wrong in [&text[2..], "", "04", &format!("{}{last}", &text[..129])] {
        assert_eq!(wrong.parse::<SealingKey>(), Err(HpkeError::Key), "{wrong}");
    }
    assert!(OpeningKey::from_bytes(&[0; 32]).is_err());
    let again = OpeningKey::from_bytes(key.expose()).unwrap();
    assert_eq!(again.public(), key.public());
    assert!(!format!("{key:?}").contains(&hex::encode(key.expose())));
}

fn key(side: Side) -> String {
    RecoveryKey { side, key: *OpeningKey::generate().unwrap().public() }.to_string()
}

#[test]
fn keys_of_one_side_are_parsed() {
    let (one, two) = (key(Side::Endpoint), key(Side::Endpoint));
    assert!(RecoveryKeys::parse(" ", Side::Endpoint).unwrap().is_empty());
    let keys = RecoveryKeys::parse(&format!("{one}, {two}"), Side::Endpoint).unwrap();
    assert_eq!(keys.as_slice().len(), 2);
    assert_ne!(keys.ids()[0], keys.ids()[1]);
}

#[test]
fn other_keys_are_refused() {
    let (one, two, three) = (key(Side::Endpoint), key(Side::Endpoint), key(Side::Endpoint));
    let other = key(Side::Cosigner);
    for (text, error) in [
        (other, RecoveryKeyError::OtherSide(Side::Cosigner)),
        (format!("{one},{one}"), RecoveryKeyError::Number),
        (format!("{one},{two},{three}"), RecoveryKeyError::Number),
        (one.replace("endpoint:", ""), RecoveryKeyError::Form),
        (one.replace("endpoint", "backup"), RecoveryKeyError::Form),
        (one[..one.len() - 2].to_owned(), RecoveryKeyError::Key(HpkeError::Key)),
    ] {
        assert_eq!(RecoveryKeys::parse(&text, Side::Endpoint), Err(error), "{text}");
    }
}
