//! The stack of these tests.

use std::collections::BTreeSet;

use hyperdex_local::{CosignerHost, Options, Stack};
use serde_json::Value;

/// A local stack in this process.
pub(crate) struct App {
    pub(crate) stack: Stack,
    http: reqwest::Client,
    pub(crate) data: tempfile::TempDir,
}

impl App {
    pub(crate) async fn start(change: impl FnOnce(&mut Options)) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut options = Options::new(data.path());
        options.cosigner = CosignerHost::InProcess;
        change(&mut options);
        let stack = Stack::start(options).await.unwrap();
        let http = shared::http_client::client_builder().unwrap().build().unwrap();
        Self { stack, http, data }
    }

    pub(crate) async fn send(&self, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
        let mut request = self.http.get(format!("{}{path}", self.stack.api));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    pub(crate) async fn read(&self, key: &str, path: &str) -> (u16, Value) {
        let answer = self.send(path, &[("x-api-key", key)]).await;
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    }

    pub(crate) async fn post(&self, key: &str, path: &str, body: Value) -> (u16, Value) {
        let request = self.http.post(format!("{}{path}", self.stack.api)).header("x-api-key", key);
        let request = request.header("content-type", "application/json").body(body.to_string());
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    }
}

/// Collects the names of all fields of a response. Members of a list count once.
pub(crate) fn fields(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                found.insert(path.clone());
                fields(value, &path, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| fields(value, at, found)),
        _ => {}
    }
}
