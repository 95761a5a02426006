//! The simulator's own verification of signatures, with the vectors of the official signer and with
//! signatures of the product's library.

use domain::random::Random;
use exchange_sim::lighter::proof;
use lighter_signer::{Action, Attributes, MAINNET, Transaction};
use serde_json::Value;

use crate::support::lighter::{key, limit};
use crate::support::{text, vectors};

fn bytes(hex_text: &Value) -> Vec<u8> {
    hex::decode(text(hex_text).trim_start_matches("0x")).unwrap()
}

fn numbers(list: &Value) -> Vec<u64> {
    list.as_array().unwrap().iter().map(|it| text(it).parse().unwrap()).collect()
}

fn hash_of(vector: &Value) -> proof::Five {
    let hashes = &vector["hashes"];
    let first = proof::hash_to_five(&numbers(&hashes["elements"]));
    if hashes["attribute_elements"].is_null() {
        return first;
    }
    let attributes = proof::hash_to_five(&numbers(&hashes["attribute_elements"]));
    proof::hash_to_five(&[first, attributes].concat())
}

#[test]
fn official_signatures_verify_with_independent_code() {
    let mut count = 0;
    for vector in vectors("lighter_trading.json") {
        if vector["category"] == "lighter_refused" {
            continue;
        }
        let name = &vector["name"];
        let hash = hash_of(&vector);
        let expected = [&vector["hashes"]["tx_hash"], &vector["hashes"]["message_hash"]];
        assert!(expected.iter().any(|it| it.as_str() == Some(&proof::text(&hash))), "{name}");
        let key = proof::parse(&bytes(&vector["public_key"])).unwrap();
        assert!(proof::is_public_key(&key), "{name}");
        for signature in ["signature", "fixed_nonce_signature"] {
            let mut signature = bytes(&vector[signature]["hex"]);
            assert!(proof::verifies(&key, &hash, &signature), "{name}");
            signature[count % 79] ^= 1;
            assert!(!proof::verifies(&key, &hash, &signature), "{name}");
        }
        count += 1;
    }
    assert_eq!(count, 44);
}

#[test]
fn signatures_of_random_transactions_verify_with_independent_code() {
    let random = Random::system();
    for nonce in 0..20 {
        let transaction = Transaction {
            account_index: nonce << 40,
            api_key_index: 7,
            nonce,
            expired_at_ms: 1_790_000_060_000,
            action: Action::CreateOrder(limit(nonce << 43, nonce % 2 == 0, 1 + nonce, 6_000_000)),
            attributes: Attributes::default(),
        };
        let secret = key(random.bytes::<1>().unwrap()[0] & 0x7e | 1);
        let hash = transaction.hash(MAINNET);
        let signature = secret.sign(&hash, &random).unwrap().to_bytes();
        let public = proof::parse(&secret.public_key().to_bytes()).unwrap();
        let parsed = proof::parse(&hash.to_bytes()).unwrap();
        assert!(proof::verifies(&public, &parsed, &signature), "{nonce}");
    }
}

#[test]
fn invalid_encodings_are_no_public_keys() {
    assert!(!proof::is_public_key(&[0; 5]));
    assert!(proof::is_public_key(&[4, 0, 0, 0, 0]));
    let decoded = (1..40).filter(|w| proof::is_public_key(&[*w, 0, 0, 0, 0])).count();
    assert!((5..35).contains(&decoded), "{decoded}");
    assert_eq!(proof::parse(&[0xff; 40]), None);
    assert_eq!(proof::parse(&[0; 39]), None);
}
