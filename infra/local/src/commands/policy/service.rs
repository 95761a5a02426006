//! The way to a policy: the local stack, the API with a tenant key, or the cosigner itself.

use std::time::Duration;

use domain::ids::Tenant;
use domain::policy::{Approval, Change, ChangeRecord, PolicyState, Proposal};
use hyperdex_console::operator::session::operator_aws;
use protocol::OpenPayments;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::aws::LambdaClient;
use shared::http_client::client_builder;
use shared::mpc::CosignerClient;
use shared::policy_chain::PolicyChain;
use url::Url;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::PolicyCommandError;
use super::arguments::PlaceArgs;
use super::export::Known;
use super::wire::{payments_of, record_of, state_of};
use crate::admin::{AdminReply, AdminRequest, PolicyRequest};
use crate::commands::arguments::Place;
use crate::commands::reach::Reach;
use crate::data::existing;
use hyperdex_console::operator::session::DeploymentArgs;

/// The alias of the cosigner's function that operators invoke.
const OPERATOR: &str = "operator";

/// The variable with the tenant key for `--api-url`.
const API_KEY: &str = "HYPERDEX_API_KEY";

const TIMEOUT: Duration = Duration::from_secs(30);
/// Most bytes of a response that are read.
const MAX_RESPONSE: usize = 4 << 20;

/// The way to a tenant's policy.
pub(super) enum Service {
    /// A local stack.
    Local(Reach),
    /// The API.
    Api(Api),
    /// The cosigner's function, with the operator's credentials.
    Cosigner(Box<PolicyChain>),
}

impl Service {
    /// Finds the policy that the arguments name.
    pub(super) async fn find(
        args: &PlaceArgs,
        place: &Place<'_>,
        api_key: Option<Zeroizing<String>>,
    ) -> Result<Self, PolicyCommandError> {
        if let Some(url) = &args.api_url {
            let key = api_key.ok_or(PolicyCommandError::NoApiKey(API_KEY))?;
            return Ok(Self::Api(Api::new(url, key)?));
        }
        if let Some(function) = &args.cosigner {
            let (profile, region) = (args.profile.as_deref(), args.region.as_deref());
            let endpoint = args.endpoint_url.as_ref().map(Url::as_str);
            let aws = operator_aws(profile, region, endpoint, place.clock.clone()).await;
            let aws = aws.map_err(|error| PolicyCommandError::Aws(error.to_string()))?;
            let function = format!("{function}:{OPERATOR}");
            let caller = format!("operator:{}", place.user);
            let cosigner = CosignerClient::new(LambdaClient::new(&aws), function, caller);
            let chain = PolicyChain::new(cosigner, place.clock.clone());
            return Ok(Self::Cosigner(Box::new(chain)));
        }
        existing(place.data_dir)?;
        Ok(Self::Local(Reach::find(&DeploymentArgs::default(), place).await?))
    }

    pub(super) async fn state(&self, tenant: &Tenant) -> Result<PolicyState, PolicyCommandError> {
        match self {
            Self::Api(api) => {
                let body = api.call(Method::GET, "api/policy", None).await?;
                state_of(&body["data"]).ok_or(PolicyCommandError::Response)
            }
            Self::Cosigner(chain) => Ok(chain.state(tenant).await?),
            Self::Local(reach) => match ask(reach, tenant, PolicyRequest::State).await? {
                AdminReply::PolicyState(state) => Ok(*state),
                _ => Err(PolicyCommandError::Response),
            },
        }
    }

    /// Returns a page of the counted payments.
    pub(super) async fn payments(
        &self,
        tenant: &Tenant,
        from: Option<String>,
    ) -> Result<OpenPayments, PolicyCommandError> {
        match self {
            Self::Api(api) => {
                // A cursor has no character that a query escapes.
                let query = from.map(|from| format!("?cursor={from}")).unwrap_or_default();
                let body = api.call(Method::GET, &format!("api/policy{query}"), None).await?;
                payments_of(&body["data"]).ok_or(PolicyCommandError::Response)
            }
            Self::Cosigner(chain) => Ok(chain.payments(tenant, from).await?),
            Self::Local(reach) => {
                match ask(reach, tenant, PolicyRequest::Payments { from }).await? {
                    AdminReply::CountedPayments(page) => Ok(*page),
                    _ => Err(PolicyCommandError::Response),
                }
            }
        }
    }

    /// Returns what the service knows about a wallet. A tenant key may not be allowed to read it.
    pub(super) async fn wallet(
        &self,
        tenant: &Tenant,
        wallet_id: Uuid,
    ) -> Result<Known, PolicyCommandError> {
        match self {
            Self::Cosigner(_) => Ok(Known::Nothing),
            Self::Api(api) => {
                match api.call(Method::GET, &format!("api/wallets/{wallet_id}"), None).await {
                    Ok(body) => {
                        let address = body["address"].as_str().and_then(|it| it.parse().ok());
                        let address = address.ok_or(PolicyCommandError::Response)?;
                        Ok(Known::Wallet(address, None))
                    }
                    Err(PolicyCommandError::Api { status: 404, .. }) => Ok(Known::Missing),
                    Err(PolicyCommandError::Api { status: 403, .. }) => Ok(Known::Nothing),
                    Err(error) => Err(error),
                }
            }
            Self::Local(reach) => {
                match ask(reach, tenant, PolicyRequest::Wallet { wallet_id }).await? {
                    AdminReply::Wallet(Some((address, version))) => {
                        Ok(Known::Wallet(address, Some(version)))
                    }
                    AdminReply::Wallet(None) => Ok(Known::Missing),
                    _ => Err(PolicyCommandError::Response),
                }
            }
        }
    }

    pub(super) async fn propose(
        &self,
        tenant: &Tenant,
        proposal: Proposal,
    ) -> Result<ChangeRecord, PolicyCommandError> {
        match self {
            Self::Api(api) => {
                let mut body = json!({
                    "notAfter": proposal.not_after_s,
                    "sequence": proposal.seq,
                    "previousHash": proposal.prev_hash,
                    "quorum": proposal.quorum,
                    "approvals": proposal.approvals,
                });
                let body = match &proposal.change {
                    Change::Cancel { seq } => {
                        let path = format!("api/policy/changes/{seq}");
                        api.call(Method::DELETE, &path, Some(&body)).await?
                    }
                    change => {
                        body["change"] = json!(change);
                        api.call(Method::POST, "api/policy/changes", Some(&body)).await?
                    }
                };
                record_of(&body["data"]).ok_or(PolicyCommandError::Response)
            }
            Self::Cosigner(chain) => Ok(chain.propose(tenant, proposal).await?),
            Self::Local(reach) => change(reach, tenant, PolicyRequest::Propose(proposal)).await,
        }
    }

    pub(super) async fn approve(
        &self,
        tenant: &Tenant,
        seq: u64,
        approval: Approval,
    ) -> Result<ChangeRecord, PolicyCommandError> {
        match self {
            Self::Api(api) => {
                let path = format!("api/policy/changes/{seq}/approvals");
                let body = api.call(Method::POST, &path, Some(&json!(approval))).await?;
                record_of(&body["data"]).ok_or(PolicyCommandError::Response)
            }
            Self::Cosigner(chain) => Ok(chain.approve(tenant, seq, approval).await?),
            Self::Local(reach) => {
                change(reach, tenant, PolicyRequest::Approve { seq, approval }).await
            }
        }
    }

    /// Cancels a change as the operator, without a signature.
    pub(super) async fn cancel(
        &self,
        tenant: &Tenant,
        seq: u64,
    ) -> Result<ChangeRecord, PolicyCommandError> {
        match self {
            Self::Api(_) => Err(PolicyCommandError::NoSigner),
            Self::Cosigner(chain) => Ok(chain.cancel(tenant, seq).await?),
            Self::Local(reach) => change(reach, tenant, PolicyRequest::Cancel { seq }).await,
        }
    }

    /// Stops payments as the operator, without a signature.
    pub(super) async fn freeze(&self, tenant: &Tenant) -> Result<ChangeRecord, PolicyCommandError> {
        match self {
            Self::Api(_) => Err(PolicyCommandError::NoSigner),
            Self::Cosigner(chain) => Ok(chain.freeze(tenant).await?),
            Self::Local(reach) => change(reach, tenant, PolicyRequest::Freeze).await,
        }
    }

    /// Stops the stack that the command started.
    pub(super) async fn close(self) {
        if let Self::Local(reach) = self {
            reach.close().await;
        }
    }
}

async fn ask(
    reach: &Reach,
    tenant: &Tenant,
    request: PolicyRequest,
) -> Result<AdminReply, PolicyCommandError> {
    let request = AdminRequest::Policy { tenant: tenant.clone(), request: Box::new(request) };
    Ok(reach.ask(request).await?)
}

async fn change(
    reach: &Reach,
    tenant: &Tenant,
    request: PolicyRequest,
) -> Result<ChangeRecord, PolicyCommandError> {
    match ask(reach, tenant, request).await? {
        AdminReply::PolicyChange(record) => Ok(*record),
        _ => Err(PolicyCommandError::Response),
    }
}

/// The API, called with a tenant key.
pub(super) struct Api {
    url: Url,
    key: Zeroizing<String>,
    http: reqwest::Client,
}

impl Api {
    fn new(url: &Url, key: Zeroizing<String>) -> Result<Self, PolicyCommandError> {
        let failed = |cause: String| PolicyCommandError::Api { status: 0, text: cause };
        let http = client_builder().map_err(|error| failed(error.to_string()))?;
        let http = http.timeout(TIMEOUT).build().map_err(|error| failed(error.to_string()))?;
        let mut url = url.clone();
        // `join` replaces the last part of a path without a slash at its end.
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Self { url, key, http })
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, PolicyCommandError> {
        let failed = |error: &dyn std::fmt::Display| PolicyCommandError::Api {
            status: 0,
            text: error.to_string(),
        };
        let url = self.url.join(path).map_err(|error| failed(&error))?;
        let mut request = self.http.request(method, url).header("x-api-key", self.key.as_str());
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let mut response = request.send().await.map_err(|error| failed(&error))?;
        let status = response.status();
        let mut text = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| failed(&error))? {
            if text.len() + part.len() > MAX_RESPONSE {
                return Err(failed(&"the response is too large"));
            }
            text.extend_from_slice(&part);
        }
        let body: Value = serde_json::from_slice(&text).unwrap_or_default();
        if matches!(status, StatusCode::OK | StatusCode::CREATED) {
            return Ok(body);
        }
        let text = [&body["error"], &body["message"]].map(|it| it.as_str().unwrap_or_default());
        Err(PolicyCommandError::Api { status: status.as_u16(), text: text.join(". ") })
    }
}
