//! External DynamoDB and KMS in place of the embedded ones: `--dynamodb-url`, `--kms-url`. The
//! cosigner, the queue of webhooks and the simulators stay on this machine.

use std::collections::BTreeMap;
use std::fmt;

use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use platform::aws::Aws;
use platform::env::{ConfigError, Env};
use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use crate::dynamodb::sdk_error;
use crate::error::CloudError;
use crate::kms::create_key;
use crate::names::{AUDIT_KEY, COSIGNER_KEY, COSIGNER_TABLE, WALLETS_KEY, WALLETS_TABLE};

/// Environment variable of the cosigner's process of a stack with external engines: its KMS key.
pub(crate) const CHILD_KEY: &str = "HYPERDEX_EXTERNAL_COSIGNER_KEY";

/// Credentials for the engines.
#[derive(Clone)]
pub struct EngineCredentials {
    pub(crate) id: String,
    pub(crate) secret: Zeroizing<String>,
    pub(crate) token: Option<Zeroizing<String>>,
    pub(crate) region: String,
}

impl EngineCredentials {
    /// Reads AWS's standard variables. Without an access key, returns a placeholder, which local
    /// engines accept.
    fn from_env(env: &Env<'_>) -> Result<Self, ConfigError> {
        let id = env.optional("AWS_ACCESS_KEY_ID");
        let secret = env.optional("AWS_SECRET_ACCESS_KEY");
        let (id, secret, token) = match (id, secret) {
            (Some(id), Some(secret)) => (id, secret, env.optional("AWS_SESSION_TOKEN")),
            (None, None) => ("local".to_owned(), "local".to_owned(), None),
            (Some(_), None) => return Err(ConfigError::Missing("AWS_SECRET_ACCESS_KEY")),
            (None, Some(_)) => return Err(ConfigError::Missing("AWS_ACCESS_KEY_ID")),
        };
        let region = env.optional("AWS_REGION").or_else(|| env.optional("AWS_DEFAULT_REGION"));
        Ok(Self {
            id,
            secret: Zeroizing::new(secret),
            token: token.map(Zeroizing::new),
            region: region.unwrap_or_else(|| "us-east-1".to_owned()),
        })
    }

    /// Returns clients for these addresses.
    #[must_use]
    pub fn aws(&self, dynamodb: &str, kms: &str, lambda: &str) -> Aws {
        let aws = Aws::from_env(&Env(&|name| match name {
            "AWS_ACCESS_KEY_ID" => Some(self.id.clone()),
            "AWS_SECRET_ACCESS_KEY" => Some(self.secret.to_string()),
            "AWS_SESSION_TOKEN" => self.token.as_ref().map(|token| token.to_string()),
            "AWS_REGION" => Some(self.region.clone()),
            "AWS_ENDPOINT_URL_DYNAMODB" => Some(dynamodb.to_owned()),
            "AWS_ENDPOINT_URL_KMS" => Some(kms.to_owned()),
            "AWS_ENDPOINT_URL_LAMBDA" => Some(lambda.to_owned()),
            _ => None,
        }));
        // Never an error: all required values are present.
        aws.unwrap_or_else(|_| Aws::local(dynamodb, kms, lambda))
    }
}

impl fmt::Debug for EngineCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EngineCredentials({})", self.region)
    }
}

/// The cosigner's part of [`Engines`], in its own process.
#[derive(Clone, Debug)]
pub struct CosignerEngine {
    pub(crate) credentials: EngineCredentials,
    pub(crate) key: String,
}

impl CosignerEngine {
    /// Reads the variables that the stack sets for the cosigner's process. Returns `None` with
    /// embedded engines.
    ///
    /// # Errors
    /// Returns an error when the credentials are incomplete.
    pub fn from_env(env: &Env<'_>) -> Result<Option<Self>, ConfigError> {
        let Some(key) = env.optional(CHILD_KEY) else { return Ok(None) };
        Ok(Some(Self { credentials: EngineCredentials::from_env(env)?, key }))
    }
}

/// External engines.
#[derive(Clone, Debug)]
pub struct Engines {
    /// URL of DynamoDB.
    pub dynamodb: String,
    /// URL of KMS.
    pub kms: String,
    /// KMS key A: an alias, an id or an ARN.
    pub wallets_key: String,
    /// KMS key B.
    pub cosigner_key: String,
    /// Credentials for both engines.
    pub credentials: EngineCredentials,
}

impl Engines {
    /// Returns engines at these addresses, with credentials from AWS's standard variables.
    ///
    /// # Errors
    /// Returns an error when one half of the credentials is missing.
    pub fn new(
        (dynamodb, kms): (&Url, &Url),
        (wallets_key, cosigner_key): (Option<&str>, Option<&str>),
        env: &Env<'_>,
    ) -> Result<Self, ConfigError> {
        let text = |url: &Url| url.as_str().trim_end_matches('/').to_owned();
        Ok(Self {
            dynamodb: text(dynamodb),
            kms: text(kms),
            wallets_key: wallets_key.unwrap_or(WALLETS_KEY).to_owned(),
            cosigner_key: cosigner_key.unwrap_or(COSIGNER_KEY).to_owned(),
            credentials: EngineCredentials::from_env(env)?,
        })
    }

    /// Returns the cosigner's part.
    #[must_use]
    pub fn cosigner(&self) -> CosignerEngine {
        let credentials = self.credentials.clone();
        CosignerEngine { credentials, key: self.cosigner_key.clone() }
    }

    /// Returns the keys that seal data.
    #[must_use]
    pub fn sealing_keys(&self) -> [&str; 2] {
        [&self.wallets_key, &self.cosigner_key]
    }

    /// Creates missing keys, and returns the audit key's public half.
    ///
    /// # Errors
    /// Returns an error when KMS cannot create or describe a key.
    pub async fn prepare_keys(&self, aws: &Aws, create: bool) -> Result<Vec<u8>, CloudError> {
        let client = aws.kms();
        if create {
            for alias in self.sealing_keys() {
                create_key(&client, alias).await?;
            }
            create_audit_key(&client).await?;
        }
        let public = client.get_public_key().key_id(AUDIT_KEY).send().await.map_err(failed)?;
        Ok(public.public_key.map(Blob::into_inner).unwrap_or_default())
    }

    /// Seals a text under a key, in base64.
    ///
    /// # Errors
    /// Returns an error when KMS cannot seal it.
    pub async fn seal(&self, aws: &Aws, key: &str, text: &str) -> Result<String, CloudError> {
        let text = Blob::new(text.as_bytes());
        let sealed = aws.kms().encrypt().key_id(key).plaintext(text).send().await;
        let sealed = sealed.map_err(failed)?.ciphertext_blob.map(Blob::into_inner);
        Ok(STANDARD.encode(sealed.unwrap_or_default()))
    }

    /// Returns whether a key decrypts the result of [`Self::seal`] for this text.
    ///
    /// # Errors
    /// Returns an error when KMS cannot be reached.
    pub async fn opens(
        &self,
        aws: &Aws,
        key: &str,
        sealed: &str,
        text: &str,
    ) -> Result<bool, CloudError> {
        let Ok(sealed) = STANDARD.decode(sealed) else { return Ok(false) };
        let opened = aws.kms().decrypt().key_id(key).ciphertext_blob(Blob::new(sealed)).send();
        match opened.await {
            Ok(opened) => Ok(opened.plaintext.is_some_and(|it| it.as_ref() == text.as_bytes())),
            // A refusal is a result; a failed connection is not.
            Err(error) if error.as_service_error().is_some() => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }
}

async fn create_audit_key(client: &aws_sdk_kms::Client) -> Result<(), CloudError> {
    match client.describe_key().key_id(AUDIT_KEY).send().await {
        Ok(_) => return Ok(()),
        Err(error) if error.as_service_error().is_some_and(|it| it.is_not_found_exception()) => {}
        Err(error) => return Err(failed(error)),
    }
    let created = client
        .create_key()
        .description(AUDIT_KEY)
        .key_spec(KeySpec::EccNistP256)
        .key_usage(KeyUsageType::SignVerify)
        .send()
        .await
        .map_err(failed)?;
    let id = created.key_metadata.map(|key| key.key_id).unwrap_or_default();
    let alias = client.create_alias().alias_name(AUDIT_KEY).target_key_id(id);
    alias.send().await.map_err(failed)?;
    Ok(())
}

/// Identities that DynamoDB gave the tables. A table that was deleted and created again has a new
/// one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TableIds(BTreeMap<String, String>);

impl TableIds {
    /// Reads the current identities. A table that does not exist has none.
    ///
    /// # Errors
    /// Returns an error when DynamoDB cannot describe a table.
    pub async fn read(aws: &Aws) -> Result<Self, CloudError> {
        let client = aws.dynamodb();
        let mut ids = BTreeMap::new();
        for table in [WALLETS_TABLE, COSIGNER_TABLE] {
            let described = match client.describe_table().table_name(table).send().await {
                Ok(described) => described.table,
                Err(error)
                    if error
                        .as_service_error()
                        .is_some_and(|it| it.is_resource_not_found_exception()) =>
                {
                    None
                }
                Err(error) => return Err(sdk_error(error)),
            };
            let Some(described) = described else { continue };
            // An engine without table ids at least reports the creation time.
            let id = described.table_id.unwrap_or_else(|| {
                described.creation_date_time.map(|time| time.to_string()).unwrap_or_default()
            });
            ids.insert(table.to_owned(), id);
        }
        Ok(Self(ids))
    }
}

fn failed<E: std::error::Error + 'static>(error: E) -> CloudError {
    let cause = DisplayErrorContext(&error).to_string().replace('\n', " ");
    CloudError::Part { what: "the external KMS", cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engines(variables: &[(&str, &str)]) -> Result<Engines, ConfigError> {
        let url = Url::parse("http://127.0.0.1:8000").unwrap();
        let env = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Engines::new((&url, &url), (None, Some("alias/own")), &Env(&env))
    }

    #[test]
    fn engines_without_credentials_use_placeholder() {
        let engines = engines(&[]).unwrap();
        assert_eq!(engines.dynamodb, "http://127.0.0.1:8000");
        assert_eq!(engines.sealing_keys(), [WALLETS_KEY, "alias/own"]);
        assert_eq!(
            (engines.credentials.id.as_str(), engines.credentials.secret.as_str()),
            ("local", "local")
        );
    }

    #[test]
    fn half_credentials_error_names_missing_variable() {
        let missing = engines(&[("AWS_ACCESS_KEY_ID", "id")]).unwrap_err();
        assert_eq!(missing.to_string(), "AWS_SECRET_ACCESS_KEY is not set");
        let missing = engines(&[("AWS_SECRET_ACCESS_KEY", "secret")]).unwrap_err();
        assert_eq!(missing.to_string(), "AWS_ACCESS_KEY_ID is not set");
    }

    #[test]
    fn engines_debug_shows_no_secret() {
        let variables = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "hidden")];
        assert!(!format!("{:?}", engines(&variables).unwrap()).contains("hidden"));
    }
}
