//! The operator's AWS account: credentials, and the four calls for which no SDK is linked. The
//! SDK's crates would add a quarter of a million lines to the build, and one has a licence that no
//! other dependency has.

use std::time::{Duration, UNIX_EPOCH};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::region::Region;
use domain::clock::Clock;
use platform::aws::Connector;
use serde_json::Value;
use shared::http_client::client_builder;

const PATIENCE: Duration = Duration::from_secs(10);
/// Maximum size of a response, in bytes. Six hours of all series are some tens of KB.
const MAX_ANSWER_BYTES: usize = 4 << 20;

/// Error of a call to AWS. The text is for the operator, whose credentials are used.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// Credentials or a region are missing.
    #[error("{0}")]
    Setup(String),
    /// AWS rejected the call.
    #[error("{action}: HTTP {status}: {said}")]
    Refused { action: &'static str, status: u16, said: String },
    /// There was no response, or it cannot be read.
    #[error("{action}: {cause}")]
    NoAnswer { action: &'static str, cause: String },
}

/// One account, with the operator's credentials.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) config: SdkConfig,
    http: reqwest::Client,
    clock: Clock,
}

/// A call to an AWS service.
struct Call {
    action: &'static str,
    service: &'static str,
    /// Name of the service in the request's signature.
    signed_as: &'static str,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Account {
    /// Opens an account by a profile, or with the AWS CLI's defaults.
    pub(super) async fn open(
        profile: Option<&str>,
        region: Option<&str>,
        endpoint: Option<&str>,
        clock: Clock,
    ) -> Result<Self, CallError> {
        let setup = |cause: String| CallError::Setup(cause);
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .operation_attempt_timeout(PATIENCE);
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(Connector::of_process())
            .timeout_config(timeouts.build());
        if let Some(profile) = profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = region {
            loader = loader.region(Region::new(region.to_owned()));
        }
        if let Some(endpoint) = endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        let config = loader.load().await;
        if config.region().is_none() {
            return Err(setup("no region: pass --region, or set it in the profile".to_owned()));
        }
        let http = client_builder().map_err(|error| setup(error.to_string()))?;
        let http = http.timeout(PATIENCE).build().map_err(|error| setup(error.to_string()))?;
        Ok(Self { config, http, clock })
    }

    pub(super) fn region(&self) -> &str {
        self.config.region().map(AsRef::as_ref).unwrap_or_default()
    }

    /// Calls `cloudformation:DescribeStacks`, which returns XML.
    pub(super) async fn describe_stack(&self, stack: &str) -> Result<String, CallError> {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", "DescribeStacks").append_pair("Version", "2010-05-15");
        form.append_pair("StackName", stack);
        let kind = "application/x-www-form-urlencoded; charset=utf-8".to_owned();
        self.call(Call {
            action: "cloudformation:DescribeStacks",
            service: "cloudformation",
            signed_as: "cloudformation",
            headers: vec![("content-type", kind)],
            body: form.finish(),
        })
        .await
    }

    /// Returns the ARN of the principal that the credentials belong to: `sts:GetCallerIdentity`,
    /// which needs no permission.
    pub(super) async fn principal(&self) -> Result<String, CallError> {
        const ACTION: &str = "sts:GetCallerIdentity";
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", "GetCallerIdentity").append_pair("Version", "2011-06-15");
        let kind = "application/x-www-form-urlencoded; charset=utf-8".to_owned();
        let said = self
            .call(Call {
                action: ACTION,
                service: "sts",
                signed_as: "sts",
                headers: vec![("content-type", kind)],
                body: form.finish(),
            })
            .await?;
        let arn = said.split_once("<Arn>").and_then(|(_, rest)| rest.split_once("</Arn>"));
        match arn {
            Some((arn, _)) if arn.starts_with("arn:") => Ok(arn.to_owned()),
            _ => Err(CallError::NoAnswer {
                action: ACTION,
                cause: "the response has no ARN".to_owned(),
            }),
        }
    }

    /// Calls CloudWatch with its JSON protocol.
    pub(super) async fn cloudwatch(
        &self,
        action: &'static str,
        body: &Value,
    ) -> Result<Value, CallError> {
        let name = action.rsplit(':').next().unwrap_or_default();
        let target = format!("GraniteServiceVersion20100801.{name}");
        let kind = "application/x-amz-json-1.0".to_owned();
        let said = self
            .call(Call {
                action,
                service: "monitoring",
                signed_as: "monitoring",
                headers: vec![("content-type", kind), ("x-amz-target", target)],
                body: body.to_string(),
            })
            .await?;
        serde_json::from_str(&said)
            .map_err(|error| CallError::NoAnswer { action, cause: error.to_string() })
    }

    fn url(&self, service: &str) -> String {
        match self.config.endpoint_url() {
            Some(url) => format!("{}/", url.trim_end_matches('/')),
            None => {
                let region = self.region();
                let end = if region.starts_with("cn-") { "com.cn" } else { "com" };
                format!("https://{service}.{region}.amazonaws.{end}/")
            }
        }
    }

    async fn call(&self, call: Call) -> Result<String, CallError> {
        let no_answer = |cause: String| CallError::NoAnswer { action: call.action, cause };
        let url = self.url(call.service);
        let headers = self.signed(&call, &url).await?;
        let mut request = self.http.post(&url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let response = request.body(call.body.clone()).send().await;
        let mut response = response.map_err(|error| no_answer(chain(&error)))?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| no_answer(chain(&error)))? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(no_answer("the response is too large".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        let said = String::from_utf8_lossy(&body).into_owned();
        if status.is_success() {
            return Ok(said);
        }
        let said = said.chars().take(500).collect();
        Err(CallError::Refused { action: call.action, status: status.as_u16(), said })
    }

    /// Returns the headers of the call and of its signature.
    async fn signed(&self, call: &Call, url: &str) -> Result<Vec<(String, String)>, CallError> {
        let setup = |cause: String| CallError::Setup(cause);
        let provider = self.config.credentials_provider();
        let provider = provider.ok_or_else(|| {
            setup("no credentials: pass --profile, or sign in with the AWS CLI".to_owned())
        })?;
        let identity = provider.provide_credentials().await;
        let identity =
            identity.map_err(|error| setup(format!("credentials: {}", chain(&error))))?;
        let identity = identity.into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(self.region())
            .name(call.signed_as)
            .time(UNIX_EPOCH + Duration::from_millis(self.clock.now_ms()))
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| setup(error.to_string()))?;
        let own = call.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let body = SignableBody::Bytes(call.body.as_bytes());
        let request = SignableRequest::new("POST", url, own, body);
        let request = request.map_err(|error| setup(error.to_string()))?;
        let signed = sign(request, &params.into()).map_err(|error| setup(error.to_string()))?;
        let own = call.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let mut headers: Vec<(String, String)> = own.collect();
        let made = signed.output().headers();
        headers.extend(made.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Ok(headers)
    }
}

/// Formats an error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
