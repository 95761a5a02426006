//! AWS clients, configured directly from Lambda's environment. Reading profiles, files and
//! instance metadata costs start-up time, and Lambda has none of them.

mod connector;
mod lazy;
pub(crate) mod retry;

use std::fmt;
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
use domain::clock::Clock;
use domain::random::Random;

use crate::env::{ConfigError, Env};
use crate::telemetry::CountCalls;
pub use connector::Connector;
pub use lazy::Lazy;
pub use retry::{with_retries, without_conflict_retries};

/// Timeout of one attempt of a call to DynamoDB, KMS or SQS.
pub const AWS_CALL_TIMEOUT: Duration = Duration::from_secs(4);

/// The common settings of all AWS clients: region, credentials, and one pool of connections. Each
/// client is made with its first call.
#[derive(Clone, Debug)]
pub struct Aws {
    base: Arc<SdkConfig>,
    connector: Connector,
    credentials: Credentials,
    region: String,
    clock: Clock,
    random: Random,
    dynamodb: Option<String>,
    kms: Option<String>,
    lambda: Option<String>,
    sqs: Option<String>,
    api_gateway: Option<String>,
}

impl Aws {
    /// Reads `AWS_REGION`, the credentials' variables, and the standard `AWS_ENDPOINT_URL_*`
    /// variables that direct the clients to a local stack.
    ///
    /// # Errors
    /// Returns an error that names the missing variable.
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
            dynamodb: endpoint("AWS_ENDPOINT_URL_DYNAMODB"),
            kms: endpoint("AWS_ENDPOINT_URL_KMS"),
            lambda: endpoint("AWS_ENDPOINT_URL_LAMBDA"),
            sqs: endpoint("AWS_ENDPOINT_URL_SQS"),
            api_gateway: endpoint("AWS_ENDPOINT_URL_API_GATEWAY"),
            // The parts of a function make their clients apart, and share their connections.
            ..Self::new(region, credentials, Connector::of_process())
        })
    }

    /// Makes clients of a local stack, with dummy credentials.
    #[must_use]
    pub fn local(dynamodb: &str, kms: &str, lambda: &str) -> Self {
        let credentials = Credentials::from_keys("local", "local", None);
        Self {
            dynamodb: Some(dynamodb.to_owned()),
            kms: Some(kms.to_owned()),
            lambda: Some(lambda.to_owned()),
            ..Self::new("us-east-1".to_owned(), credentials, Connector::new())
        }
    }

    /// Returns the clients of a local stack that send their requests by this connector.
    #[must_use]
    pub fn local_over(connector: Connector) -> Self {
        let credentials = Credentials::from_keys("local", "local", None);
        let nowhere = Some("http://localhost".to_owned());
        Self {
            dynamodb: nowhere.clone(),
            kms: nowhere.clone(),
            lambda: nowhere,
            ..Self::new("us-east-1".to_owned(), credentials, connector)
        }
    }

    /// Makes clients of the region's own endpoints.
    fn new(region: String, credentials: Credentials, connector: Connector) -> Self {
        Self {
            base: base(region.clone(), credentials.clone(), connector.clone()),
            connector,
            credentials,
            region,
            // The system's, because the SDK's clients also read the machine's clock and entropy
            // directly.
            clock: Clock::system(),
            random: Random::system(),
            dynamodb: None,
            kms: None,
            lambda: None,
            sqs: None,
            api_gateway: None,
        }
    }

    /// Sets the address of SQS.
    #[must_use]
    pub fn with_sqs(self, sqs: &str) -> Self {
        Self { sqs: Some(sqs.to_owned()), ..self }
    }

    /// Returns the same clients, with this address of API Gateway's control plane.
    #[must_use]
    pub fn with_api_gateway(self, api_gateway: &str) -> Self {
        Self { api_gateway: Some(api_gateway.to_owned()), ..self }
    }

    /// Returns clients with an operator's credentials. `endpoint` replaces the region's own
    /// endpoints of every service.
    #[must_use]
    pub fn of_operator(region: &str, credentials: Credentials, endpoint: Option<&str>) -> Self {
        let endpoint = endpoint.map(str::to_owned);
        Self {
            dynamodb: endpoint.clone(),
            kms: endpoint.clone(),
            lambda: endpoint.clone(),
            sqs: endpoint.clone(),
            api_gateway: endpoint,
            ..Self::new(region.to_owned(), credentials, Connector::new())
        }
    }

    /// Returns the name of the region.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Returns a client of DynamoDB.
    #[must_use]
    pub fn dynamodb(&self) -> Lazy<aws_sdk_dynamodb::Client> {
        let aws = self.clone();
        Lazy::new(move || {
            let config = aws_sdk_dynamodb::config::Builder::from(&*aws.base);
            let mut config =
                with_retries(config).interceptor(CountCalls).timeout_config(dynamodb_timeouts());
            config.set_endpoint_url(aws.dynamodb);
            aws_sdk_dynamodb::Client::from_conf(config.build())
        })
    }

    /// Returns a client of KMS.
    #[must_use]
    pub fn kms(&self) -> Lazy<aws_sdk_kms::Client> {
        let aws = self.clone();
        Lazy::new(move || {
            let mut config = aws_sdk_kms::config::Builder::from(&*aws.base).interceptor(CountCalls);
            config.set_endpoint_url(aws.kms);
            aws_sdk_kms::Client::from_conf(config.build())
        })
    }

    /// Returns the access to another service, for a client without an SDK.
    #[must_use]
    pub fn access(&self, service: OtherService) -> Access {
        let endpoint = match service {
            OtherService::Lambda => &self.lambda,
            OtherService::Sqs => &self.sqs,
            OtherService::ApiGateway => &self.api_gateway,
        };
        Access {
            connector: self.connector.clone(),
            credentials: self.credentials.clone(),
            region: self.region.clone(),
            service,
            endpoint: endpoint.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
        }
    }
}

/// A service called without an SDK.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OtherService {
    /// Lambda.
    Lambda,
    /// SQS.
    Sqs,
    /// API Gateway's control plane.
    ApiGateway,
}

impl OtherService {
    /// Returns the service's name in signatures and hostnames.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lambda => "lambda",
            Self::Sqs => "sqs",
            Self::ApiGateway => "apigateway",
        }
    }
}

/// The access to a service: connections, credentials and address. Also holds the clock for
/// signatures, and randomness for the waits between attempts.
#[derive(Clone)]
pub struct Access {
    /// The pool of connections.
    pub connector: Connector,
    /// The credentials.
    pub credentials: Credentials,
    /// The region.
    pub region: String,
    /// The service.
    pub service: OtherService,
    /// Its address without a path; `None` for the region's own endpoint.
    pub endpoint: Option<String>,
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub random: Random,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Access({}, {})", self.service.name(), self.region)
    }
}

fn base(region: String, credentials: Credentials, connector: Connector) -> Arc<SdkConfig> {
    let base = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(connector)
        // The credentials never change, because they outlive the function's process.
        .identity_cache(IdentityCache::no_cache())
        // No response is a stream, so the attempt's timeout bounds all of it.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .retry_config(RetryConfig::standard())
        .timeout_config(timeouts(AWS_CALL_TIMEOUT))
        .build();
    Arc::new(base)
}

/// Returns timeouts that allow more attempts than other services have, within the same time.
fn dynamodb_timeouts() -> TimeoutConfig {
    let attempt = timeouts(AWS_CALL_TIMEOUT);
    attempt.to_builder().operation_timeout(3 * AWS_CALL_TIMEOUT).build()
}

fn timeouts(attempt: Duration) -> TimeoutConfig {
    // The connector has its own connection timeout.
    TimeoutConfig::builder().operation_attempt_timeout(attempt).build()
}
