//! The API over a bare socket, for what no HTTP client would send, and a look at all that is stored.

#![expect(clippy::expect_used, reason = "a test that cannot go on should say so and end")]

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use hyperdex_local::{COSIGNER_TABLE, WALLETS_TABLE};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::TestApp;

/// Longer than anything that is waited for: a test that gets here has found something that hangs.
const FOR_EVER: Duration = Duration::from_secs(60);

/// What came back before the connection was closed.
#[derive(Debug)]
pub struct Heard(String);

impl Heard {
    /// The status of each answer, in order; none when the connection was closed without a word.
    #[must_use]
    pub fn statuses(&self) -> Vec<u16> {
        let heads = self.0.split("HTTP/1.").skip(1);
        heads.filter_map(|head| head.get(2..5)?.parse().ok()).collect()
    }

    /// The status of the one answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        let statuses = self.statuses();
        assert!(statuses.len() <= 1, "more than one answer: {}", self.0);
        statuses.first().copied()
    }

    /// The body of the last answer; null when it has none.
    #[must_use]
    pub fn body(&self) -> Value {
        let body = self.0.rsplit_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
        serde_json::from_str(body).unwrap_or_default()
    }

    /// All of it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// A connection to the API.
#[derive(Debug)]
pub struct Wire(TcpStream);

impl Wire {
    /// A new connection.
    pub async fn open(app: &TestApp) -> Self {
        let address = app.stack.api.trim_start_matches("http://");
        Self(TcpStream::connect(address).await.expect("a connection"))
    }

    /// Sends these bytes. Whether the other side still takes them.
    pub async fn say(&mut self, bytes: &[u8]) -> bool {
        let said = timeout(FOR_EVER, self.0.write_all(bytes)).await;
        said.expect("the other side reads or closes").is_ok()
    }

    /// Reads until the other side closes.
    pub async fn hear(mut self) -> Heard {
        let mut bytes = Vec::new();
        // Reset or closed is the same here: what had come is kept.
        let _ = timeout(FOR_EVER, self.0.read_to_end(&mut bytes)).await.expect("it is closed");
        Heard(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Sends these bytes on a connection of their own, and reads until it is closed.
pub async fn say(app: &TestApp, bytes: &[u8]) -> Heard {
    let mut wire = Wire::open(app).await;
    wire.say(bytes).await;
    wire.hear().await
}

/// Everything in both tables.
pub async fn tables(app: &TestApp) -> BTreeMap<(String, String), HashMap<String, AttributeValue>> {
    let mut all = BTreeMap::new();
    for table in [WALLETS_TABLE, COSIGNER_TABLE] {
        for item in app.scan(table).await {
            let text = |name: &str| item[name].as_s().expect("a key").clone();
            all.insert((format!("{table} {}", text("pk")), text("sk")), item);
        }
    }
    all
}
