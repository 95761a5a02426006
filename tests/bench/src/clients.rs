//! The processor time of the AWS clients themselves: calls that are answered in this process.

use std::fmt::Write;
use std::time::Duration;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use platform::aws::{Aws, Connector};
use serde_json::json;
use shared::aws::LambdaClient;

use crate::error::{BenchError, failed};
use crate::machine::thread_time;
use crate::options::BenchOptions;
use crate::times::ms;

/// The size of a stored share in bytes.
const SHARE: usize = 52_700;
/// The size of the largest message of a signature in bytes.
const MESSAGE: usize = 104_000;

/// Answers every request with the same body.
#[derive(Debug)]
struct Canned(String);

impl HttpConnector for Canned {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let response = http::Response::new(SdkBody::from(self.0.clone()));
        let response = HttpResponse::try_from(response);
        HttpConnectorFuture::ready(response.map_err(|error| ConnectorError::user(error.into())))
    }
}

fn aws(answer: impl Into<String>) -> Aws {
    Aws::local_over(Connector::of(Canned(answer.into())))
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

/// Returns the processor time of one call.
async fn timed(
    count: u32,
    call: impl AsyncFn() -> Result<(), BenchError>,
) -> Result<Duration, BenchError> {
    call().await?;
    let before = thread_time();
    for _ in 0..count {
        call().await?;
    }
    Ok(thread_time().saturating_sub(before) / count)
}

/// Measures the calls of a signature, and returns the table.
pub(crate) async fn measure(options: &BenchOptions) -> Result<String, BenchError> {
    let mut table = String::from("| call | processor ms |\n| --- | ---: |\n");
    let count = options.or(2_000, 10);
    for (name, share) in [("GetItem of 200 bytes", 0), ("GetItem of a share", SHARE)] {
        let sealed = base64_simd::STANDARD.encode_to_string(vec![7; share]);
        let item = json!({ "Item": {
            "pk": { "S": "tenant#W#7ab9d1c5-6ee7-4cf5-8b4f-1c2f3f1f5f6a" }, "sk": { "S": "audit" },
            "schema": { "N": "2" }, "hash": { "S": "5".repeat(64) }, "sealed": { "B": sealed },
        }});
        let db = aws(item.to_string()).dynamodb();
        let took = timed(count, async || {
            let get = db.get_item().table_name("hyperdex-cosigner").consistent_read(true);
            get.key("pk", text("a")).key("sk", text("b")).send().await.map_err(failed)?;
            Ok(())
        });
        row(&mut table, name, took.await?);
    }
    let db = aws("{}").dynamodb();
    let item = || {
        let mut put = Put::builder().table_name("hyperdex-cosigner");
        for name in ["pk", "sk", "hash", "prev", "body", "shard", "session", "seal"] {
            put = put.item(name, text(&"5".repeat(60)));
        }
        put = put.condition_expression("attribute_not_exists(pk)");
        let put = put.build().map_err(failed)?;
        Ok::<_, BenchError>(TransactWriteItem::builder().put(put).build())
    };
    let took = timed(count, async || {
        let write = db.transact_write_items().client_request_token("token");
        let write = write.transact_items(item()?).transact_items(item()?).transact_items(item()?);
        write.send().await.map_err(failed)?;
        Ok(())
    });
    row(&mut table, "TransactWriteItems of three items", took.await?);
    let kms = aws(json!({ "Plaintext": "5".repeat(44), "KeyId": "key" }).to_string()).kms();
    let took = timed(count, async || {
        let decrypt = kms.decrypt().key_id("alias/key").ciphertext_blob(Blob::new(vec![7; 180]));
        let decrypt = decrypt.encryption_context("tenant", "tenant");
        decrypt.encryption_context("walletId", "wallet").send().await.map_err(failed)?;
        Ok(())
    });
    row(&mut table, "KMS Decrypt", took.await?);
    let lambda = LambdaClient::new(&aws("5".repeat(MESSAGE)));
    let payload = vec![b'5'; MESSAGE];
    let took = timed(count, async || {
        lambda.invoke("cosigner", &payload).await.map_err(failed)?;
        Ok(())
    });
    row(&mut table, "Lambda Invoke of a signature's message", took.await?);
    Ok(table)
}

fn row(table: &mut String, name: &str, took: Duration) {
    let _ = writeln!(table, "| {name} | {:.3} |", ms(took));
}
