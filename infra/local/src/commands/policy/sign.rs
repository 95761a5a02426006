//! Signing of a text by an approver: with a key file, with AWS KMS, or elsewhere.

use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::clock::Clock;
use domain::policy::{Approval, Authority, Signature};
use hyperdex_cloud::error::chain;
use hyperdex_console::operator::session::operator_aws;
use url::Url;

use super::PolicyCommandError;
use super::arguments::{PlaceArgs, SignerArgs};
use crate::approver::{ApproverKey, point_of_der};
use crate::commands::arguments::Output;

/// A signer that is ready.
pub(super) enum Signer {
    File(ApproverKey),
    Kms(Box<KmsSigner>),
    /// A signature made elsewhere, with the approver's id.
    Elsewhere(Vec<u8>, String),
}

/// A key in AWS KMS.
pub(super) struct KmsSigner {
    client: aws_sdk_kms::Client,
    key: String,
    public_key: String,
}

impl Signer {
    /// Opens the signer that the arguments name. Returns `None` when they name none.
    pub(super) async fn open(
        args: &SignerArgs,
        place: &PlaceArgs,
        clock: &Clock,
    ) -> Result<Option<Self>, PolicyCommandError> {
        if let Some(path) = &args.key {
            return Ok(Some(Self::File(ApproverKey::open(path)?)));
        }
        if let Some(key) = &args.kms_key {
            let signer = KmsSigner::open(key, place, clock).await?;
            return Ok(Some(Self::Kms(Box::new(signer))));
        }
        match (&args.signature, &args.approver) {
            (Some(signature), Some(approver)) => {
                let der = der_of(signature).ok_or(PolicyCommandError::Signature)?;
                Ok(Some(Self::Elsewhere(der, approver.clone())))
            }
            _ => Ok(None),
        }
    }

    /// Returns the public key, if this process knows it.
    fn public_key(&self) -> Option<String> {
        match self {
            Self::File(key) => Some(key.public_key()),
            Self::Kms(key) => Some(key.public_key.clone()),
            Self::Elsewhere(..) => None,
        }
    }

    /// Returns the id under which the authority lists the signer.
    pub(super) fn approver(
        &self,
        named: Option<&str>,
        authority: &Authority,
    ) -> Result<String, PolicyCommandError> {
        let Some(public_key) = self.public_key() else {
            return match self {
                Self::Elsewhere(_, approver) => Ok(approver.clone()),
                _ => Err(PolicyCommandError::NoSigner),
            };
        };
        let listed = authority.approvers.iter().find(|known| known.public_key == public_key);
        match (listed, named) {
            (Some(listed), Some(named)) if listed.id != named => {
                Err(PolicyCommandError::OtherApprover(listed.id.clone()))
            }
            (Some(listed), _) => Ok(listed.id.clone()),
            (None, _) => Err(PolicyCommandError::NotAnApprover(public_key)),
        }
    }

    /// Signs a text.
    pub(super) async fn sign(
        &self,
        approver: String,
        text: &str,
    ) -> Result<Approval, PolicyCommandError> {
        let der = match self {
            Self::File(key) => key.sign(text)?,
            Self::Kms(key) => key.sign(text).await?,
            Self::Elsewhere(der, _) => der.clone(),
        };
        Ok(Approval { approver, signature: Signature::Der(hex::encode(der)) })
    }
}

impl KmsSigner {
    pub(super) async fn open(
        key: &str,
        place: &PlaceArgs,
        clock: &Clock,
    ) -> Result<Self, PolicyCommandError> {
        let (profile, region) = (place.profile.as_deref(), place.region.as_deref());
        let endpoint = place.endpoint_url.as_ref().map(Url::as_str);
        let aws = operator_aws(profile, region, endpoint, clock.clone()).await;
        let client = aws.map_err(|error| PolicyCommandError::Aws(error.to_string()))?.kms();
        let client = aws_sdk_kms::Client::clone(&client);
        let found = client.get_public_key().key_id(key).send().await;
        let found = found.map_err(|error| PolicyCommandError::Aws(chain(&error)))?;
        let point = found.public_key().and_then(|der| point_of_der(der.as_ref()));
        let public_key = point.ok_or_else(|| PolicyCommandError::KmsKey(key.to_owned()))?;
        Ok(Self { client, key: key.to_owned(), public_key })
    }

    pub(super) fn public_key(&self) -> &str {
        &self.public_key
    }

    /// Signs as `aws kms sign --message-type RAW --signing-algorithm ECDSA_SHA_256` does. KMS accepts
    /// up to 4096 bytes of a raw message, so a longer text is sent as its digest.
    async fn sign(&self, text: &str) -> Result<Vec<u8>, PolicyCommandError> {
        const MAX_RAW: usize = 4_096;
        let (message, kind) = if text.len() <= MAX_RAW {
            (text.as_bytes().to_vec(), MessageType::Raw)
        } else {
            (digest(&SHA256, text.as_bytes()).as_ref().to_vec(), MessageType::Digest)
        };
        let signed = self.client.sign().key_id(&self.key).message(Blob::new(message));
        let signed = signed.message_type(kind);
        let signed = signed.signing_algorithm(SigningAlgorithmSpec::EcdsaSha256).send().await;
        let signed = signed.map_err(|error| PolicyCommandError::Aws(chain(&error)))?;
        let signature = signed.signature().map(|it| it.as_ref().to_vec());
        signature.ok_or_else(|| PolicyCommandError::KmsKey(self.key.clone()))
    }
}

/// Returns the bytes of a signature in hex or base64, as a person pastes it.
fn der_of(text: &str) -> Option<Vec<u8>> {
    let text: String = text.chars().filter(|letter| !letter.is_ascii_whitespace()).collect();
    let bytes = hex::decode(&text).ok().or_else(|| STANDARD.decode(&text).ok())?;
    // The DER of an ECDSA signature is a sequence.
    (bytes.len() >= 8 && bytes[0] == 0x30).then_some(bytes)
}

/// Prints a text that nobody signed, and how to sign it.
pub(super) fn explain(
    args: &SignerArgs,
    text: &str,
    output: &impl Output,
) -> Result<(), PolicyCommandError> {
    let Some(path) = &args.text_file else {
        output.say(text);
        output.note("");
        output.note(
            "Nothing was signed or submitted. Run the command again with --key or --kms-key,",
        );
        output.note("or write the text with --text-file, sign it elsewhere, and pass --signature.");
        return Ok(());
    };
    // Without a line feed at the end: the file is exactly the signed text.
    std::fs::write(path, text)
        .map_err(|source| PolicyCommandError::TextFile { path: path.clone(), source })?;
    output.note(&format!("Wrote the text to {}. Sign it:", path.display()));
    let file = path.display();
    output.note(&format!("  openssl dgst -sha256 -sign KEY.pem {file} | base64 -w0"));
    output
        .note("Then repeat the command with the same options and --approver ID --signature TEXT.");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasted_signature_is_hex_or_base64_of_der() {
        let der = [0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01];
        assert_eq!(der_of(&hex::encode(der)).as_deref(), Some(&der[..]));
        assert_eq!(der_of(&format!(" {}\n", STANDARD.encode(der))).as_deref(), Some(&der[..]));
        for text in ["", "30", "zz", &hex::encode([0x31; 8])] {
            assert_eq!(der_of(text), None, "{text}");
        }
    }
}
