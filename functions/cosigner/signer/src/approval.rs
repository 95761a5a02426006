//! Verifies the signatures of approvers: ECDSA over P-256 with SHA-256, directly over the text or
//! as a WebAuthn assertion.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use base64_simd::URL_SAFE_NO_PAD;
use domain::policy::{Approval, Approver, Authority, Signature, WebAuthnOrigin};
use protocol::{ApprovalRejection, RejectedApproval};
use serde::Deserialize;

/// Why an approval does not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ApprovalFault {
    /// The authority has no approver of this name.
    Unknown,
    /// The signature is not one of this approver over this text.
    Invalid,
}

/// Checks one approval of a text.
///
/// # Errors
/// Fails when the approver is unknown or the signature is invalid.
pub(crate) fn check(
    authority: &Authority,
    text: &str,
    approval: &Approval,
) -> Result<(), ApprovalFault> {
    let approver = authority.approver(&approval.approver).ok_or(ApprovalFault::Unknown)?;
    if is_signed(approver, text, &approval.signature) {
        Ok(())
    } else {
        Err(ApprovalFault::Invalid)
    }
}

/// The most approvals of one text: an authority has at most as many approvers.
const MAX_APPROVALS: usize = 16;

/// Returns whether approvals are few enough to verify: each one costs a verification.
pub(crate) const fn are_few(approvals: &[Approval]) -> bool {
    approvals.len() <= MAX_APPROVALS
}

/// Returns the first approval of an approver that has one before it.
pub(crate) fn duplicate(approvals: &[Approval]) -> Option<&Approval> {
    let mut places = approvals.iter().enumerate();
    let found = places.find(|(place, approval)| is_repeated(approvals, *place, approval));
    found.map(|(_, approval)| approval)
}

fn is_repeated(approvals: &[Approval], place: usize, approval: &Approval) -> bool {
    approvals.iter().take(place).any(|other| other.approver == approval.approver)
}

/// Returns an approver's id as a caller stated it, with a limited length.
pub(crate) fn stated_id(approval: &Approval) -> String {
    approval.approver.chars().take(32).collect()
}

/// The approvals of a text after their check.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The approvers whose approvals count, in the order of their ids.
    pub(crate) approvers: Vec<String>,
    /// The approvals that do not count.
    pub(crate) rejected: Vec<RejectedApproval>,
}

impl Checked {
    /// Checks approvals of a text. The same approver counts once.
    pub(crate) fn of(authority: &Authority, text: &str, approvals: &[Approval]) -> Self {
        let (mut approvers, mut rejected) = (Vec::new(), Vec::new());
        for (place, approval) in approvals.iter().enumerate() {
            let found = if is_repeated(approvals, place, approval) {
                Err(ApprovalRejection::Duplicate)
            } else {
                check(authority, text, approval).map_err(|fault| match fault {
                    ApprovalFault::Unknown => ApprovalRejection::UnknownApprover,
                    ApprovalFault::Invalid => ApprovalRejection::BadSignature,
                })
            };
            match found {
                Ok(()) => approvers.push(approval.approver.clone()),
                Err(reason) => rejected.push(rejection(place, approval, reason)),
            }
        }
        approvers.sort_unstable();
        Self { approvers, rejected }
    }

    /// Returns whether enough approvers have signed, each of them once. Approvals of strangers and
    /// invalid ones are ignored.
    pub(crate) fn suffice(&self, authority: &Authority) -> bool {
        let is_repeated = |one: &RejectedApproval| one.reason == ApprovalRejection::Duplicate;
        self.approvers.len() >= usize::from(authority.threshold)
            && !self.rejected.iter().any(is_repeated)
    }
}

/// Returns all approvals of a text whose time has passed.
pub(crate) fn expired(approvals: &[Approval]) -> Vec<RejectedApproval> {
    let late = |(place, approval)| rejection(place, approval, ApprovalRejection::Expired);
    approvals.iter().enumerate().map(late).collect()
}

fn rejection(place: usize, approval: &Approval, reason: ApprovalRejection) -> RejectedApproval {
    let index = u32::try_from(place).unwrap_or(u32::MAX);
    RejectedApproval { index, approver: stated_id(approval), reason }
}

/// Returns whether every approver's key is a point of the curve. A key that can never sign would
/// lock its tenant out.
pub(crate) fn has_valid_keys(authority: &Authority) -> bool {
    authority.approvers.iter().all(|approver| {
        let key = approver.key().unwrap_or_default();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key).parse().is_ok()
    })
}

fn is_signed(approver: &Approver, text: &str, signature: &Signature) -> bool {
    let Ok(key) = approver.key() else { return false };
    match (signature, &approver.webauthn) {
        (Signature::Der(signature), None) => {
            hex::decode(signature).is_ok_and(|der| verifies(&key, text.as_bytes(), &der))
        }
        (Signature::WebAuthn { authenticator_data, client_data_json, signature }, Some(page)) => {
            let decode = |text: &String| URL_SAFE_NO_PAD.decode_to_vec(text).ok();
            let (Some(data), Some(client), Some(der)) =
                (decode(authenticator_data), decode(client_data_json), decode(signature))
            else {
                return false;
            };
            if !is_client_data(&client, text, page) || !is_authenticator_data(&data, page) {
                return false;
            }
            let mut signed = data;
            signed.extend_from_slice(digest(&SHA256, &client).as_ref());
            verifies(&key, &signed, &der)
        }
        // A WebAuthn key must not sign without its checks, and another key has no origin.
        (Signature::Der(_), Some(_)) | (Signature::WebAuthn { .. }, None) => false,
    }
}

fn verifies(key: &[u8], message: &[u8], der: &[u8]) -> bool {
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key).verify(message, der).is_ok()
}

/// The fields of WebAuthn's `CollectedClientData` that are checked.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
}

/// The challenge is the SHA-256 of the text. Source: Web Authentication Level 2, section 7.2.
fn is_client_data(client: &[u8], text: &str, page: &WebAuthnOrigin) -> bool {
    let Ok(data) = serde_json::from_slice::<ClientData>(client) else { return false };
    let challenge = URL_SAFE_NO_PAD.encode_to_string(digest(&SHA256, text.as_bytes()).as_ref());
    data.kind == "webauthn.get"
        && data.challenge == challenge
        && data.origin == page.origin
        && !data.cross_origin
}

/// Bits of the flags: a person was present, and was verified with a PIN or biometrics.
const PRESENT_AND_VERIFIED: u8 = 0x01 | 0x04;

/// The data begins with the SHA-256 of the relying party's id, the flags, and a counter of 4 bytes.
fn is_authenticator_data(data: &[u8], page: &WebAuthnOrigin) -> bool {
    data.len() >= 37
        && data[..32] == *digest(&SHA256, page.rp_id.as_bytes()).as_ref()
        && data[32] & PRESENT_AND_VERIFIED == PRESENT_AND_VERIFIED
}

#[cfg(test)]
pub(crate) mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
    use serde_json::json;

    use super::*;

    /// An approver with its private key.
    pub(crate) struct Signer {
        pub(crate) approver: Approver,
        pair: EcdsaKeyPair,
    }

    impl Signer {
        pub(crate) fn new(id: &str) -> Self {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
            let public_key = hex::encode(pair.public_key().as_ref());
            let approver = Approver { id: id.to_owned(), public_key, webauthn: None };
            Self { approver, pair }
        }

        fn der(&self, message: &[u8]) -> Vec<u8> {
            self.pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
        }

        pub(crate) fn sign(&self, text: &str) -> Approval {
            let signature = Signature::Der(hex::encode(self.der(text.as_bytes())));
            Approval { approver: self.approver.id.clone(), signature }
        }

        fn assert(&self, data: &[u8], client: &str) -> Approval {
            let mut signed = data.to_vec();
            signed.extend_from_slice(digest(&SHA256, client.as_bytes()).as_ref());
            let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode_to_string(bytes);
            let signature = Signature::WebAuthn {
                authenticator_data: encode(data),
                client_data_json: encode(client.as_bytes()),
                signature: encode(&self.der(&signed)),
            };
            Approval { approver: self.approver.id.clone(), signature }
        }
    }

    pub(crate) fn authority(threshold: u8, signers: &[&Signer]) -> Authority {
        let approvers = signers.iter().map(|signer| signer.approver.clone()).collect();
        Authority { threshold, approvers }
    }

    #[test]
    fn signature_of_another_key_or_text_is_invalid() {
        let (alice, bob, eve) = (Signer::new("alice"), Signer::new("bob"), Signer::new("eve"));
        let both = authority(2, &[&alice, &bob]);
        assert_eq!(check(&both, "text", &alice.sign("text")), Ok(()));
        assert_eq!(check(&both, "text!", &alice.sign("text")), Err(ApprovalFault::Invalid));
        assert_eq!(check(&both, "text", &eve.sign("text")), Err(ApprovalFault::Unknown));
        let forged = Approval { approver: "bob".to_owned(), ..eve.sign("text") };
        assert_eq!(check(&both, "text", &forged), Err(ApprovalFault::Invalid));
        for signature in ["", "zz", "3006020100020100"] {
            let signature = Signature::Der(signature.to_owned());
            let broken = Approval { approver: "bob".to_owned(), signature };
            assert_eq!(check(&both, "text", &broken), Err(ApprovalFault::Invalid));
        }
    }

    #[test]
    fn quorum_counts_each_approver_once() {
        let (alice, bob, eve) = (Signer::new("alice"), Signer::new("bob"), Signer::new("eve"));
        let both = authority(2, &[&alice, &bob]);
        let suffice = |approvals: &[Approval]| Checked::of(&both, "t", approvals).suffice(&both);
        assert!(!suffice(&[alice.sign("t"), alice.sign("t"), eve.sign("t")]));
        assert!(!suffice(&[alice.sign("t"), bob.sign("t"), bob.sign("t")]));
        assert!(suffice(&[bob.sign("t"), alice.sign("t")]));
        assert!(suffice(&[alice.sign("t"), eve.sign("t"), bob.sign("t")]));
        assert!(!suffice(&[alice.sign("t"), bob.sign("other")]));
        assert!(!suffice(&[]));
    }

    #[test]
    fn rejected_approvals_have_their_place_and_reason() {
        let (alice, bob, eve) = (Signer::new("alice"), Signer::new("bob"), Signer::new("eve"));
        let both = authority(2, &[&alice, &bob]);
        let mut stranger = eve.sign("t");
        stranger.approver = "e".repeat(100);
        let approvals = [alice.sign("t"), stranger, bob.sign("other"), alice.sign("t")];
        let Checked { approvers, rejected } = Checked::of(&both, "t", &approvals);
        assert_eq!(approvers, ["alice"]);
        let found: Vec<_> =
            rejected.iter().map(|one| (one.index, one.approver.as_str(), one.reason)).collect();
        let long = "e".repeat(32);
        let want = [
            (1, long.as_str(), ApprovalRejection::UnknownApprover),
            (2, "bob", ApprovalRejection::BadSignature),
            (3, "alice", ApprovalRejection::Duplicate),
        ];
        assert_eq!(found, want);
        assert_eq!(duplicate(&approvals), Some(&approvals[3]));
        assert_eq!(duplicate(&approvals[..3]), None);
    }

    #[test]
    fn webauthn_assertion_is_checked_in_every_field() {
        let mut signer = Signer::new("alice");
        let (origin, rp_id) = ("https://keys.example.com".to_owned(), "example.com".to_owned());
        let mut data = digest(&SHA256, rp_id.as_bytes()).as_ref().to_vec();
        data.extend_from_slice(&[0x05, 0, 0, 0, 9]);
        signer.approver.webauthn = Some(WebAuthnOrigin { origin: origin.clone(), rp_id });
        let one = authority(1, &[&signer]);
        let challenge = URL_SAFE_NO_PAD.encode_to_string(digest(&SHA256, b"text").as_ref());
        let client = json!({ "type": "webauthn.get", "challenge": challenge, "origin": origin });
        let valid = client.to_string();
        assert_eq!(check(&one, "text", &signer.assert(&data, &valid)), Ok(()));
        assert_eq!(
            check(&one, "other", &signer.assert(&data, &valid)),
            Err(ApprovalFault::Invalid)
        );
        for (field, value) in [
            ("type", json!("webauthn.create")),
            ("challenge", json!("AAAA")),
            ("origin", json!("https://evil.example.com")),
            ("crossOrigin", json!(true)),
        ] {
            let mut other = client.clone();
            other[field] = value;
            let approval = signer.assert(&data, &other.to_string());
            assert_eq!(check(&one, "text", &approval), Err(ApprovalFault::Invalid), "{field}");
        }
        // Neither presence nor verification alone, another relying party, and cut data.
        for (place, byte) in [(32, 0x01), (32, 0x04), (0, !data[0])] {
            let mut other = data.clone();
            other[place] = byte;
            let approval = signer.assert(&other, &valid);
            assert_eq!(check(&one, "text", &approval), Err(ApprovalFault::Invalid));
        }
        let cut = signer.assert(&data[..36], &valid);
        assert_eq!(check(&one, "text", &cut), Err(ApprovalFault::Invalid));
        // A credential of WebAuthn does not sign plainly, and a plain key does not assert.
        assert_eq!(check(&one, "text", &signer.sign("text")), Err(ApprovalFault::Invalid));
        signer.approver.webauthn = None;
        let plain = authority(1, &[&signer]);
        let asserted = signer.assert(&data, &valid);
        assert_eq!(check(&plain, "text", &asserted), Err(ApprovalFault::Invalid));
    }
}
