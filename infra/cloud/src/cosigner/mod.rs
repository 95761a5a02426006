//! Lambda's Invoke API with one function behind it, the cosigner; in a process of its own, or in
//! this one for tests.

mod process;

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use cosigner::callers::Unqualified;
use cosigner::{Cosigner, Policy, Setting};
use domain::clock::Clock;
use domain::intent::parse_chain;
use domain::random::Random;
use http::{HeaderName, HeaderValue, StatusCode};
use hyperdex_listen::{Stop, bind, serve, url};
use platform::aws::Aws;
use serde::Deserialize;
use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::engines::CosignerEngine;
use crate::error::CloudError;
use crate::names::{COSIGNER_KEY, COSIGNER_TABLE};
pub use process::{CosignerProcess, in_child};

/// The cosigner's function name.
pub const FUNCTION: &str = "cosigner";

/// The largest payload that Lambda takes in a synchronous invocation, in bytes.
const MAX_PAYLOAD: usize = 6 * 1024 * 1024;

/// What the cosigner's process is told.
#[derive(Clone, Debug)]
pub struct CosignerSettings {
    /// DynamoDB's URL.
    pub dynamodb: String,
    /// KMS's URL.
    pub kms: String,
    /// What it may sign for.
    pub setting: Setting,
    /// A policy document; `None` is the product's own, without limits of signatures.
    pub policy: Option<String>,
    /// Where the Invoke API listens.
    pub ip: IpAddr,
    /// Its port; 0 takes any.
    pub port: u16,
    /// External engines; `None` with the embedded ones.
    pub engine: Option<CosignerEngine>,
}

impl CosignerSettings {
    fn cosigner(&self, clock: Clock, random: Random) -> Result<Cosigner, CloudError> {
        // The cosigner invokes nothing.
        let nowhere = "http://127.0.0.1:9";
        let (aws, key) = match &self.engine {
            None => (Aws::local(&self.dynamodb, &self.kms, nowhere), COSIGNER_KEY),
            Some(engine) => {
                let aws = engine.credentials.aws(&self.dynamodb, &self.kms, nowhere);
                (aws, engine.key.as_str())
            }
        };
        let policy = match &self.policy {
            Some(document) => Policy::new(document, self.setting),
            None => Policy::default_for(self.setting).map(Policy::unlimited),
        };
        let policy = policy.map_err(|error| CloudError::Part {
            what: "the cosigner's policy",
            cause: error.to_string(),
        })?;
        let cosigner = Cosigner::new(&aws, COSIGNER_TABLE, key, policy, clock, random);
        // A call without an alias comes from this machine: it is treated as the alias `local`.
        Ok(cosigner.with_unqualified(Unqualified::Local))
    }

    /// Writes the arguments that a process is started with, as [`Self::from_arguments`] reads them.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        vec![
            "cosigner".to_owned(),
            self.dynamodb.clone(),
            self.kms.clone(),
            self.setting.hyperliquid_chain.as_str().to_owned(),
            self.setting.aster_signature_chain_id.to_string(),
            self.setting.aster_login.to_string(),
            self.policy.clone().unwrap_or_default(),
            self.ip.to_string(),
            self.port.to_string(),
            self.setting.aster_chain.as_str().to_owned(),
        ]
    }

    /// Reads the arguments that the stack starts this process with. Aster's network is the last, and
    /// follows Hyperliquid's where it is left out.
    #[must_use]
    pub fn from_arguments(arguments: &[String]) -> Option<Self> {
        let [dynamodb, kms, chain, aster, login, policy, ip, port, rest @ ..] = arguments else {
            return None;
        };
        let aster_chain = match rest {
            [] => chain,
            [aster_chain] => aster_chain,
            _ => return None,
        };
        Some(Self {
            dynamodb: dynamodb.clone(),
            kms: kms.clone(),
            policy: Some(policy.clone()).filter(|document| !document.is_empty()),
            setting: Setting {
                hyperliquid_chain: parse_chain(chain)?,
                aster_chain: parse_chain(aster_chain)?,
                aster_signature_chain_id: aster.parse().ok()?,
                aster_login: login.parse().ok()?,
            },
            ip: ip.parse().ok()?,
            port: port.parse().ok()?,
            engine: None,
        })
    }
}

/// Serves the Invoke API in this process, and returns its URL.
///
/// # Errors
/// When it cannot listen, or the policy does not allow the settings.
pub async fn in_process(
    settings: &CosignerSettings,
    clock: Clock,
    random: Random,
    stop: Stop,
) -> Result<String, CloudError> {
    let listener = bind("the cosigner", settings.ip, settings.port).await?;
    let address = url(&listener);
    serve(listener, router(settings, clock, random)?, stop);
    Ok(address)
}

/// The child's whole life: listen, say where, serve until standard input ends.
///
/// # Errors
/// When it cannot listen.
pub async fn run_child(
    settings: &CosignerSettings,
    say: impl FnOnce(&str),
) -> Result<(), CloudError> {
    // Ctrl-C reaches the whole process group; this process ends when its parent does.
    tokio::spawn(async { while tokio::signal::ctrl_c().await.is_ok() {} });
    let (sender, stop) = Stop::new();
    let address = in_process(settings, Clock::system(), Random::system(), stop).await?;
    say(&address);
    let mut nothing = Vec::new();
    let _ = tokio::io::stdin().read_to_end(&mut nothing).await;
    let _ = sender.send(true);
    Ok(())
}

/// The Invoke API, with a cosigner of these settings behind it.
///
/// # Errors
/// When the policy does not allow the settings.
pub fn router(
    settings: &CosignerSettings,
    clock: Clock,
    random: Random,
) -> Result<Router, CloudError> {
    let cosigner = settings.cosigner(clock, random)?;
    Ok(Router::new()
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        .layer(DefaultBodyLimit::max(MAX_PAYLOAD))
        .with_state(Arc::new(cosigner)))
}

/// What the Invoke API takes next to the function's name.
#[derive(Deserialize)]
struct Invoked {
    #[serde(rename = "Qualifier")]
    qualifier: Option<String>,
}

/// The ARN that Lambda reports to the function: with the alias that was invoked, if there was one.
/// The function is named as Lambda allows it: `NAME`, `NAME:ALIAS` or an ARN of either.
///
/// # Errors
/// The name, when it is another function's.
fn invoked_arn<'a>(name: &'a str, qualifier: Option<&str>) -> Result<String, &'a str> {
    let named = name.rsplit_once(":function:").map_or(name, |(_, named)| named);
    let (function, alias) = named.split_once(':').map_or((named, None), |(f, a)| (f, Some(a)));
    if function != FUNCTION {
        return Err(function);
    }
    let mut arn = format!("arn:aws:lambda:us-east-1:000000000000:function:{FUNCTION}");
    if let Some(alias) = alias.or(qualifier) {
        arn.push(':');
        arn.push_str(alias);
    }
    Ok(arn)
}

/// Answers as Lambda does: 200 with the payload, or with `X-Amz-Function-Error`.
async fn invoke(
    State(cosigner): State<Arc<Cosigner>>,
    Path(name): Path<String>,
    Query(Invoked { qualifier }): Query<Invoked>,
    payload: Bytes,
) -> Response {
    let invoked = match invoked_arn(&name, qualifier.as_deref()) {
        Ok(invoked) => invoked,
        Err(name) => return not_found(name),
    };
    let answer = match serde_json::from_slice::<String>(&payload) {
        Ok(text) => cosigner.handle(&invoked, &text).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match answer {
        Ok(answer) => Json(answer).into_response(),
        Err(_) => {
            let failed = (
                HeaderName::from_static("x-amz-function-error"),
                HeaderValue::from_static("Unhandled"),
            );
            let body = json!({ "errorType": "Error", "errorMessage": "the cosigner failed" });
            ([failed], body.to_string()).into_response()
        }
    }
}

fn not_found(name: &str) -> Response {
    let body = json!({ "Type": "User", "Message": format!("Function not found: {name}") });
    let kind = (
        HeaderName::from_static("x-amzn-errortype"),
        HeaderValue::from_static("ResourceNotFoundException"),
    );
    (StatusCode::NOT_FOUND, [kind], body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invoked_arn_carries_the_alias_however_the_function_is_named() {
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:cosigner";
        let other = "arn:aws:lambda:eu-west-1:222222222222:function:cosigner";
        let refresh = Ok(format!("{arn}:refresh-shares"));
        assert_eq!(invoked_arn("cosigner", None), Ok(arn.to_owned()));
        assert_eq!(invoked_arn(other, None), Ok(arn.to_owned()));
        assert_eq!(invoked_arn("cosigner:refresh-shares", None), refresh);
        assert_eq!(invoked_arn("cosigner", Some("refresh-shares")), refresh);
        assert_eq!(invoked_arn(&format!("{other}:refresh-shares"), None), refresh);
        assert_eq!(invoked_arn("cosigner-seal-audit:x", None), Err("cosigner-seal-audit"));
    }
}
