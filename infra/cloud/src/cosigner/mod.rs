//! Lambda's Invoke API for one function, the cosigner. It runs in a separate process, or in this
//! process for tests.

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
use hyperdex_listen::{Listener, Stop, bind, bind_reserved, serve, url};
use platform::aws::Aws;
use protocol::recovery::{RecoveryKeys, Side};
use serde::Deserialize;
use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::engines::CosignerEngine;
use crate::error::CloudError;
use crate::names::{
    COSIGNER_KEY, COSIGNER_RECOVERY_TABLE, COSIGNER_TABLE, LOCAL_DEPLOYMENT, SEALS_TABLE,
};
pub use process::{CosignerProcess, in_child};

/// Function name of the cosigner.
pub const FUNCTION: &str = "cosigner";

/// Maximum payload of a synchronous Lambda invocation, in bytes.
const MAX_PAYLOAD: usize = 6 * 1024 * 1024;

/// Settings of the cosigner's process.
#[derive(Clone, Debug)]
pub struct CosignerSettings {
    /// URL of DynamoDB.
    pub dynamodb: String,
    /// URL of KMS.
    pub kms: String,
    /// Networks and addresses that the cosigner may sign for.
    pub setting: Setting,
    /// Policy document. `None` selects the built-in policy, without limits of signatures.
    pub policy: Option<String>,
    /// Address of the Invoke API.
    pub ip: IpAddr,
    /// Port of the Invoke API; 0 picks a free port.
    pub port: u16,
    /// The cosigner's recovery keys.
    pub recovery: RecoveryKeys,
    /// External engine. `None` selects the embedded one.
    pub engine: Option<CosignerEngine>,
}

impl CosignerSettings {
    fn cosigner(&self, clock: Clock, random: Random) -> Result<Cosigner, CloudError> {
        // The cosigner invokes no function.
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
        // A call without an alias comes from this machine, and is treated as the alias `local`.
        let cosigner = cosigner.with_seals(Some(SEALS_TABLE.to_owned())).with_recovery(
            self.recovery.clone(),
            COSIGNER_RECOVERY_TABLE,
            LOCAL_DEPLOYMENT,
        );
        Ok(cosigner.with_unqualified(Unqualified::Local))
    }

    /// Returns the process's arguments, which [`Self::from_arguments`] parses.
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
            self.recovery.to_text(Side::Cosigner),
        ]
    }

    /// Parses the arguments that the stack passes to this process. The last are Aster's network,
    /// which defaults to Hyperliquid's, and the recovery keys.
    #[must_use]
    pub fn from_arguments(arguments: &[String]) -> Option<Self> {
        let [dynamodb, kms, chain, aster, login, policy, ip, port, rest @ ..] = arguments else {
            return None;
        };
        let (aster_chain, recovery) = match rest {
            [] => (chain, ""),
            [aster_chain] => (aster_chain, ""),
            [aster_chain, recovery] => (aster_chain, recovery.as_str()),
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
            recovery: RecoveryKeys::parse(recovery, Side::Cosigner).ok()?,
            engine: None,
        })
    }
}

/// Serves the Invoke API in this process, and returns its URL.
///
/// # Errors
/// Returns an error when it cannot listen, or the policy does not allow the settings.
pub async fn in_process(
    settings: &CosignerSettings,
    clock: Clock,
    random: Random,
    stop: Stop,
) -> Result<String, CloudError> {
    let listener = bind("the cosigner", settings.ip, settings.port).await?;
    serve_on(listener, settings, (clock, random), stop)
}

fn serve_on(
    listener: Listener,
    settings: &CosignerSettings,
    (clock, random): (Clock, Random),
    stop: Stop,
) -> Result<String, CloudError> {
    let address = url(&listener);
    serve(listener, router(settings, clock, random)?, stop);
    Ok(address)
}

/// Runs the child process: listens on the port that the parent reserved, prints its URL, and serves
/// until standard input ends.
///
/// # Errors
/// Returns an error when it cannot listen.
pub async fn run_child(
    settings: &CosignerSettings,
    say: impl FnOnce(&str),
) -> Result<(), CloudError> {
    // Ctrl-C reaches the whole process group. This process ends with its parent.
    tokio::spawn(async { while tokio::signal::ctrl_c().await.is_ok() {} });
    let (sender, stop) = Stop::new();
    let listener = bind_reserved("the cosigner", settings.ip, settings.port)?;
    let address = serve_on(listener, settings, (Clock::system(), Random::system()), stop)?;
    say(&address);
    let mut nothing = Vec::new();
    let _ = tokio::io::stdin().read_to_end(&mut nothing).await;
    let _ = sender.send(true);
    Ok(())
}

/// Returns the Invoke API in front of a cosigner with these settings.
///
/// # Errors
/// Returns an error when the policy does not allow the settings.
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

/// Query parameters of an invocation.
#[derive(Deserialize)]
struct Invoked {
    #[serde(rename = "Qualifier")]
    qualifier: Option<String>,
}

/// Returns the ARN that Lambda reports to the function, with the invoked alias, if any. Lambda
/// accepts the name as `NAME`, `NAME:ALIAS` or an ARN of either.
///
/// # Errors
/// Returns the name of another function.
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

/// Responds as Lambda does: 200 with the payload, or with `X-Amz-Function-Error`.
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
    fn invoked_arn_has_alias_for_every_name_form() {
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
