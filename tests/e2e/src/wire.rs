//! A raw socket to the API, for requests that HTTP clients do not send, and a view of all stored
//! items.

#![expect(clippy::expect_used, reason = "a failing test panics")]

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use hyperdex_local::{COSIGNER_TABLE, WALLETS_TABLE};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::TestApp;

/// Longer than any expected wait. A test that reaches it has found a hang.
const HANG_LIMIT: Duration = Duration::from_secs(60);

/// The bytes that arrived before the connection was closed.
#[derive(Debug)]
pub struct RawReply(String);

impl RawReply {
    /// Returns the status of each response in order, or none if the connection was closed without a
    /// response.
    #[must_use]
    pub fn statuses(&self) -> Vec<u16> {
        let heads = self.0.split("HTTP/1.").skip(1);
        heads.filter_map(|head| head.get(2..5)?.parse().ok()).collect()
    }

    /// Returns the status of the only response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        let statuses = self.statuses();
        assert!(statuses.len() <= 1, "more than one response: {}", self.0);
        statuses.first().copied()
    }

    /// Returns the body of the last response, or null.
    #[must_use]
    pub fn body(&self) -> Value {
        let body = self.0.rsplit_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
        serde_json::from_str(body).unwrap_or_default()
    }

    /// Returns everything that arrived.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// A connection to the API.
#[derive(Debug)]
pub struct Wire(TcpStream);

impl Wire {
    /// Opens a connection.
    pub async fn open(app: &TestApp) -> Self {
        let address = app.stack.api.trim_start_matches("http://");
        Self(TcpStream::connect(address).await.expect("a connection"))
    }

    /// Sends these bytes. Returns true if the peer still accepts them.
    pub async fn send(&mut self, bytes: &[u8]) -> bool {
        let sent = timeout(HANG_LIMIT, self.0.write_all(bytes)).await;
        sent.expect("the peer reads or closes").is_ok()
    }

    /// Reads until the peer closes the connection.
    pub async fn receive(mut self) -> RawReply {
        let mut bytes = Vec::new();
        // A reset counts as a close. The bytes before it count.
        let _ =
            timeout(HANG_LIMIT, self.0.read_to_end(&mut bytes)).await.expect("a closed connection");
        RawReply(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Sends these bytes on a new connection and reads until it is closed.
pub async fn send_raw(app: &TestApp, bytes: &[u8]) -> RawReply {
    let mut wire = Wire::open(app).await;
    wire.send(bytes).await;
    wire.receive().await
}

/// Returns every item of both tables.
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
