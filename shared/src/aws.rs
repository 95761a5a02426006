//! Clients of AWS, made from Lambda's environment by hand: reading profiles, files and the
//! instance's metadata costs start-up time and finds nothing there.

mod connector;
mod lazy;
pub(crate) mod retry;

use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::IdentityCache;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;

use crate::config::{ConfigError, Env};
use crate::telemetry::CountCalls;
use connector::Connector;
pub use lazy::Lazy;
pub use retry::without_conflict_retries;

/// How long a call of the cosigner may take: longer than its function may run, and three times
/// within what API Gateway waits.
pub const COSIGNER_TIMEOUT: Duration = Duration::from_secs(9);

/// How long one attempt of a call of DynamoDB, KMS or SQS may take.
pub const AWS_CALL_TIMEOUT: Duration = Duration::from_secs(4);

/// What every AWS client needs: region, credentials, one pool of connections. A client is made with
/// its first call.
#[derive(Clone, Debug)]
pub struct Aws {
    base: Arc<SdkConfig>,
    dynamodb: Option<String>,
    kms: Option<String>,
    lambda: Option<String>,
    sqs: Option<String>,
}

impl Aws {
    /// Reads `AWS_REGION`, the credentials' variables, and the standard `AWS_ENDPOINT_URL_*`
    /// variables that point the clients at a local stack.
    ///
    /// # Errors
    /// Names the variable that is missing.
    pub fn from_env(env: &Env<'_>) -> Result<Self, ConfigError> {
        let credentials = Credentials::from_keys(
            env.required("AWS_ACCESS_KEY_ID")?,
            env.required("AWS_SECRET_ACCESS_KEY")?,
            env.optional("AWS_SESSION_TOKEN"),
        );
        let region = env
            .optional("AWS_REGION")
            .or_else(|| env.optional("AWS_DEFAULT_REGION"))
            .ok_or(ConfigError::Missing("AWS_REGION"))?;
        let all = env.optional("AWS_ENDPOINT_URL");
        let endpoint = |name| env.optional(name).or_else(|| all.clone());
        Ok(Self {
            base: base(region, credentials),
            dynamodb: endpoint("AWS_ENDPOINT_URL_DYNAMODB"),
            kms: endpoint("AWS_ENDPOINT_URL_KMS"),
            lambda: endpoint("AWS_ENDPOINT_URL_LAMBDA"),
            sqs: endpoint("AWS_ENDPOINT_URL_SQS"),
        })
    }

    /// Clients of a local stack, with credentials that mean nothing.
    #[must_use]
    pub fn local(dynamodb: &str, kms: &str, lambda: &str) -> Self {
        let credentials = Credentials::from_keys("local", "local", None);
        Self {
            base: base("us-east-1".to_owned(), credentials),
            dynamodb: Some(dynamodb.to_owned()),
            kms: Some(kms.to_owned()),
            lambda: Some(lambda.to_owned()),
            sqs: None,
        }
    }

    /// And this address of SQS.
    #[must_use]
    pub fn with_sqs(self, sqs: &str) -> Self {
        Self { sqs: Some(sqs.to_owned()), ..self }
    }

    /// A client of DynamoDB.
    #[must_use]
    pub fn dynamodb(&self) -> Lazy<aws_sdk_dynamodb::Client> {
        let aws = self.clone();
        Lazy::new(move || {
            let mut config = aws_sdk_dynamodb::config::Builder::from(&*aws.base)
                .interceptor(CountCalls)
                .retry_config(retry::dynamodb())
                .retry_partition(retry::dynamodb_quota())
                .retry_classifier(retry::RejectedWrites)
                .timeout_config(dynamodb_timeouts());
            config.set_endpoint_url(aws.dynamodb);
            aws_sdk_dynamodb::Client::from_conf(config.build())
        })
    }

    /// A client of KMS.
    #[must_use]
    pub fn kms(&self) -> Lazy<aws_sdk_kms::Client> {
        let aws = self.clone();
        Lazy::new(move || {
            let mut config = aws_sdk_kms::config::Builder::from(&*aws.base).interceptor(CountCalls);
            config.set_endpoint_url(aws.kms);
            aws_sdk_kms::Client::from_conf(config.build())
        })
    }

    /// A client of SQS.
    #[must_use]
    pub fn sqs(&self) -> Lazy<aws_sdk_sqs::Client> {
        let aws = self.clone();
        Lazy::new(move || {
            let mut config = aws_sdk_sqs::config::Builder::from(&*aws.base).interceptor(CountCalls);
            config.set_endpoint_url(aws.sqs);
            aws_sdk_sqs::Client::from_conf(config.build())
        })
    }

    /// A client of Lambda. It retries nothing but throttled invocations, which Lambda has not
    /// executed: a step of the two-party protocol happens at most once.
    #[must_use]
    pub fn lambda(&self) -> Lazy<aws_sdk_lambda::Client> {
        let aws = self.clone();
        Lazy::new(move || {
            let mut config = aws_sdk_lambda::config::Builder::from(&*aws.base)
                .interceptor(CountCalls)
                .retry_config(retry::invoke())
                .retry_classifier(retry::ThrottledInvocations)
                .timeout_config(timeouts(COSIGNER_TIMEOUT));
            config.set_endpoint_url(aws.lambda);
            aws_sdk_lambda::Client::from_conf(config.build())
        })
    }
}

fn base(region: String, credentials: Credentials) -> Arc<SdkConfig> {
    let base = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(Connector::new())
        // They never change: a function lives shorter than they do.
        .identity_cache(IdentityCache::no_cache())
        // No answer is a stream: the time for an attempt bounds all of it.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .retry_config(RetryConfig::standard())
        .timeout_config(timeouts(AWS_CALL_TIMEOUT))
        .build();
    Arc::new(base)
}

/// More attempts than other services have, within the same time.
fn dynamodb_timeouts() -> TimeoutConfig {
    let attempt = timeouts(AWS_CALL_TIMEOUT);
    attempt.to_builder().operation_timeout(3 * AWS_CALL_TIMEOUT).build()
}

fn timeouts(attempt: Duration) -> TimeoutConfig {
    // How long a connection may take is the connector's.
    TimeoutConfig::builder().operation_attempt_timeout(attempt).build()
}
