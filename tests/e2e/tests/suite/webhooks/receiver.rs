//! A tenant's webhook receiver, and the verification of its deliveries.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use standardwebhooks::Webhook;

/// A delivery that arrived.
#[derive(Clone, Debug)]
pub(super) struct Arrived {
    pub(super) id: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Arrived {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(super) fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }
}

#[derive(Default)]
struct Log {
    arrived: Vec<Arrived>,
    responses: VecDeque<(u16, Option<&'static str>)>,
}

/// A tenant's webhook receiver.
#[derive(Clone)]
pub(super) struct Receiver {
    pub(super) url: String,
    log: Arc<Mutex<Log>>,
}

async fn receive(State(log): State<Arc<Mutex<Log>>>, headers: HeaderMap, body: Bytes) -> Response {
    let mut log = log.lock().unwrap();
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    let body = String::from_utf8(body.to_vec()).unwrap();
    log.arrived.push(Arrived { id, headers, body });
    let (status, retry_after) = log.responses.pop_front().unwrap_or((204, None));
    let status = StatusCode::from_u16(status).unwrap();
    match retry_after {
        Some(seconds) => (status, [("retry-after", seconds)]).into_response(),
        None => status.into_response(),
    }
}

impl Receiver {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/in", listener.local_addr().unwrap());
        let log = Arc::new(Mutex::new(Log::default()));
        let router = Router::new().fallback(receive).with_state(log.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, log }
    }

    /// Sets the responses to the next deliveries.
    pub(super) fn respond_with(&self, responses: &[(u16, Option<&'static str>)]) {
        self.log.lock().unwrap().responses.extend(responses);
    }

    pub(super) fn arrived(&self) -> Vec<Arrived> {
        self.log.lock().unwrap().arrived.clone()
    }

    /// Removes and returns the deliveries that have arrived.
    pub(super) fn take(&self) -> Vec<Arrived> {
        std::mem::take(&mut self.log.lock().unwrap().arrived)
    }
}

pub(super) fn kinds(arrived: &[Arrived]) -> Vec<String> {
    arrived.iter().map(Arrived::kind).collect()
}

/// Verifies the signature with the specification's own library.
pub(super) fn verify(secret: &str, arrived: &Arrived) {
    let at: i64 = arrived.headers["webhook-timestamp"].to_str().unwrap().parse().unwrap();
    let signer = Webhook::new(secret).unwrap();
    let signed = signer.sign(&arrived.id, at, arrived.body.as_bytes()).unwrap();
    assert_eq!(arrived.headers["webhook-signature"].to_str().unwrap(), signed);
    assert_eq!(arrived.headers["content-type"], "application/json");
}
