//! The stream of an external engine's table, read with signed requests. The SDK's crate for streams
//! would be compiled for four calls only.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use domain::clock::Clock;
use platform::aws::Aws;
use serde_json::{Value, json};
use shared::http_client::client_builder;

use super::{BATCH, ShardRead, StreamError};
use crate::dynamodb::sdk_error;
use crate::engines::{EngineCredentials, Engines};
use crate::error::CloudError;
use crate::names::WALLETS_TABLE;
use crate::queue::Queue;

const PATIENCE: Duration = Duration::from_secs(10);
/// Position of a shard that was read to its end.
const CLOSED: &str = "closed";

/// A stream that can be read.
#[derive(Clone)]
pub struct EngineStream {
    url: String,
    arn: String,
    credentials: EngineCredentials,
    http: reqwest::Client,
    clock: Clock,
}

/// Error of a call to the stream.
enum CallError {
    /// The engine refused the call.
    Refused(String),
    Failed(String),
}

impl From<CallError> for StreamError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused(cause) | CallError::Failed(cause) => Self::Stream(cause),
        }
    }
}

impl EngineStream {
    /// Opens the stream of the wallets' table. Returns the cause when the engine has no stream.
    ///
    /// # Errors
    /// Returns an error when the table cannot be described.
    pub async fn open(
        engines: &Engines,
        aws: &Aws,
        clock: &Clock,
    ) -> Result<Result<Self, String>, CloudError> {
        let described = aws.dynamodb().describe_table().table_name(WALLETS_TABLE).send().await;
        let table = described.map_err(sdk_error)?.table;
        let arn = table.and_then(|table| table.latest_stream_arn).filter(|arn| !arn.is_empty());
        let Some(arn) = arn else { return Ok(Err("the table has no stream".to_owned())) };
        let http = client_builder().map_err(|error| part(&error))?.timeout(PATIENCE).build();
        let stream = Self {
            url: format!("{}/", engines.dynamodb),
            arn,
            credentials: engines.credentials.clone(),
            http: http.map_err(|error| part(&error))?,
            clock: clock.clone(),
        };
        Ok(match stream.shards().await {
            Ok(_) => Ok(stream),
            Err(CallError::Refused(cause) | CallError::Failed(cause)) => Err(cause),
        })
    }

    /// Reads the next records of the first shard that has any.
    pub(super) async fn next(&self, queue: &Queue) -> Result<Option<ShardRead>, StreamError> {
        let shards = self.shards().await?;
        let id = |shard: &Value, name: &str| shard[name].as_str().unwrap_or_default().to_owned();
        let ids: Vec<String> = shards.iter().map(|shard| id(shard, "ShardId")).collect();
        for shard in &shards {
            let position = self.position(&id(shard, "ShardId"));
            let after = queue.position(&position)?;
            let parent = id(shard, "ParentShardId");
            let is_later = ids.contains(&parent)
                && queue.position(&self.position(&parent))?.as_deref() != Some(CLOSED);
            if after.as_deref() == Some(CLOSED) || is_later {
                continue;
            }
            let mut read = self.read(&id(shard, "ShardId"), after.as_deref()).await?;
            let records = match read["Records"].take() {
                Value::Array(records) => records,
                _ => Vec::new(),
            };
            if !records.is_empty() {
                return Ok(Some(ShardRead { position, records }));
            }
            if read["NextShardIterator"].is_null() {
                queue.set_position(&position, CLOSED)?;
            }
        }
        Ok(None)
    }

    fn position(&self, shard: &str) -> String {
        format!("{}#{shard}", self.arn)
    }

    /// Returns every shard, parents before their children, in the engine's order.
    async fn shards(&self) -> Result<Vec<Value>, CallError> {
        let mut shards = Vec::new();
        let mut asked = json!({ "StreamArn": self.arn });
        loop {
            let mut described = self.call("DescribeStream", &asked).await?;
            let mut description = described["StreamDescription"].take();
            match description["Shards"].take() {
                Value::Array(page) => shards.extend(page),
                _ => return Err(CallError::Failed("DescribeStream: no shards".to_owned())),
            }
            match description["LastEvaluatedShardId"].as_str() {
                Some(last) => asked["ExclusiveStartShardId"] = last.into(),
                None => return Ok(shards),
            }
        }
    }

    async fn read(&self, shard: &str, after: Option<&str>) -> Result<Value, StreamError> {
        let mut asked = json!({
            "StreamArn": self.arn,
            "ShardId": shard,
            "ShardIteratorType": "TRIM_HORIZON",
        });
        if let Some(sequence) = after {
            asked["ShardIteratorType"] = "AFTER_SEQUENCE_NUMBER".into();
            asked["SequenceNumber"] = sequence.into();
        }
        let at = match self.call("GetShardIterator", &asked).await {
            // Records older than a day are gone. Continue with the oldest record left.
            Err(CallError::Refused(cause)) if cause.contains("TrimmedDataAccess") => {
                asked["ShardIteratorType"] = "TRIM_HORIZON".into();
                if let Value::Object(asked) = &mut asked {
                    asked.remove("SequenceNumber");
                }
                self.call("GetShardIterator", &asked).await?
            }
            at => at?,
        };
        let asked = json!({ "ShardIterator": at["ShardIterator"], "Limit": BATCH });
        Ok(self.call("GetRecords", &asked).await?)
    }

    async fn call(&self, operation: &str, body: &Value) -> Result<Value, CallError> {
        let failed =
            |cause: &dyn std::fmt::Display| CallError::Failed(format!("{operation}: {cause}"));
        let target = format!("DynamoDBStreams_20120810.{operation}");
        let own = [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", &target)];
        let body = body.to_string();
        let credentials = &self.credentials;
        let identity = Credentials::new(
            credentials.id.as_str(),
            credentials.secret.as_str(),
            credentials.token.as_ref().map(|token| token.to_string()),
            None,
            "environment",
        );
        let identity = identity.into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&credentials.region)
            .name("dynamodb")
            .time(UNIX_EPOCH + Duration::from_millis(self.clock.now_ms()))
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| failed(&error))?;
        let signable = SignableBody::Bytes(body.as_bytes());
        let signable = SignableRequest::new("POST", &self.url, own.into_iter(), signable);
        let signable = signable.map_err(|error| failed(&error))?;
        let signed = sign(signable, &params.into()).map_err(|error| failed(&error))?;
        let mut request = self.http.post(&self.url);
        for (name, value) in own.into_iter().chain(signed.output().headers()) {
            request = request.header(name, value);
        }
        let response = request.body(body.clone()).send().await.map_err(|error| failed(&error))?;
        let status = response.status();
        let said = response.bytes().await.map_err(|error| failed(&error))?;
        if status.is_client_error() {
            let said: String = String::from_utf8_lossy(&said).chars().take(300).collect();
            return Err(CallError::Refused(format!("{operation}: HTTP {status}: {said}")));
        }
        if !status.is_success() {
            return Err(failed(&format!("HTTP {status}")));
        }
        serde_json::from_slice(&said).map_err(|error| failed(&error))
    }
}

impl std::fmt::Debug for EngineStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EngineStream({})", self.arn)
    }
}

fn part(cause: &dyn std::fmt::Display) -> CloudError {
    CloudError::Part { what: "the reader of the stream", cause: cause.to_string() }
}
