//! The shares of a wallet key. Only a test can read both.

#![expect(clippy::expect_used, reason = "a failing test panics")]

use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::Tenant;
use domain::random::Random;
use hyperdex_local::{COSIGNER_KEY, COSIGNER_TABLE};
use platform::envelope::{Context, Envelope, Purpose, Sealed};
use protocol::KeyShare;
use uuid::Uuid;

use crate::{TestApp, invariants};

/// Returns party 1's share in use of a user's wallet.
pub async fn party_1(app: &TestApp, user: &str) -> KeyShare {
    let view = invariants::view(app, user).await;
    app.stack.custody.share(&view.wallet).await.expect("a share")
}

/// Returns party 2's share of a version.
pub async fn party_2(app: &TestApp, wallet_id: Uuid, version: u32) -> KeyShare {
    let aws = app.stack.aws();
    let read = aws
        .dynamodb()
        .get_item()
        .table_name(COSIGNER_TABLE)
        .key("pk", AttributeValue::S(format!("local#W#{wallet_id}")))
        .key("sk", AttributeValue::S(format!("share#{version}")))
        .consistent_read(true);
    let item = read.send().await.expect("the table").item.expect("the share");
    let sealed: Sealed =
        serde_dynamo::from_attribute_value(item["sealed"].clone()).expect("a sealed share");
    let context = Context {
        tenant: Tenant::local(),
        wallet_id,
        purpose: Purpose::CosignerShare,
        exchange: None,
        version: version.to_string(),
    };
    let envelope = Envelope::new(aws.kms(), COSIGNER_KEY, Random::system());
    let bytes = envelope.open(&context, &sealed).await.expect("a share sealed with key B");
    KeyShare::from_bytes(&bytes, 2).expect("a share")
}
