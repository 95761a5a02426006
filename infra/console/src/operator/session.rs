//! An operator's session with a deployment, for commands that change tenants and their keys.

use aws_credential_types::provider::ProvideCredentials;
use clap::Args;
use domain::clock::Clock;
use domain::ids::Tenant;
use platform::aws::{Aws, with_retries};
use shared::store::Store;
use url::Url;

use super::ConsoleOptions;
use super::aws::Account;
use super::deployment::Deployment;
use crate::error::ConsoleError;

/// A deployment, and the AWS profile to reach it with. Without a stack, commands act on the local
/// stack's data directory.
#[derive(Args, Clone, Debug, Default)]
pub struct DeploymentArgs {
    /// The deployment's main CloudFormation stack
    #[arg(long)]
    pub stack: Option<String>,
    /// A profile of ~/.aws/config, else the AWS CLI's default
    #[arg(long, requires = "stack")]
    pub profile: Option<String>,
    /// The region, else the profile's
    #[arg(long, requires = "stack")]
    pub region: Option<String>,
    /// An endpoint that replaces those of AWS
    #[arg(long, requires = "stack")]
    pub endpoint_url: Option<Url>,
}

/// An operator's session with a deployment.
#[derive(Clone)]
pub struct Session {
    account: Account,
    endpoint: Option<String>,
    /// The CloudFormation stack's name, which is the service's.
    pub stack: String,
    /// The wallets' table.
    pub store: Store,
    /// The ARN of the operator's principal.
    pub principal: String,
    /// The usage plan that opens the API.
    pub usage_plan: String,
    /// The name of the renewal job's function.
    pub renewal: String,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({}, {})", self.stack, self.principal)
    }
}

impl Session {
    /// Finds a deployment by its stack, with the operator's own credentials.
    ///
    /// # Errors
    /// Fails when the stack lacks an output, or the credentials are not accepted.
    pub async fn open(
        stack: &str,
        args: &DeploymentArgs,
        clock: Clock,
    ) -> Result<Self, ConsoleError> {
        let endpoint = args.endpoint_url.as_ref().map(|url| url.as_str().to_owned());
        let (profile, region) = (args.profile.as_deref(), args.region.as_deref());
        let account = Account::open(profile, region, endpoint.as_deref(), clock).await;
        let account = account.map_err(|error| failed(error.to_string()))?;
        let found = Deployment::find(&options(stack, args), &account, &account).await?;
        let needs = |output: Option<String>, name: &str| {
            output.ok_or_else(|| failed(format!("the stack has no output {name}; update it")))
        };
        let usage_plan = needs(found.usage_plan, "UsagePlanId")?;
        let renewal = needs(found.renewal, "RenewApikeysFunctionName")?;
        let principal = account.principal().await.map_err(|error| failed(error.to_string()))?;
        // This client writes, so it needs the rules for writes that meet a transaction.
        let config = with_retries(aws_sdk_dynamodb::config::Builder::from(&account.config));
        let db = aws_sdk_dynamodb::Client::from_conf(config.build());
        let store = Store::new(db, &found.wallets_table);
        let stack = stack.to_owned();
        Ok(Self { account, endpoint, stack, store, principal, usage_plan, renewal })
    }

    /// Returns clients with the operator's present credentials. A long command asks for them again:
    /// they expire.
    ///
    /// # Errors
    /// Fails when there are no credentials.
    pub async fn aws(&self) -> Result<Aws, ConsoleError> {
        let provider = self.account.config.credentials_provider();
        let provider = provider.ok_or_else(|| failed("there are no credentials".to_owned()))?;
        let credentials = provider.provide_credentials().await;
        let credentials = credentials.map_err(|error| failed(format!("credentials: {error}")))?;
        Ok(Aws::of_operator(self.account.region(), credentials, self.endpoint.as_deref()))
    }
}

/// Returns AWS clients with the credentials of a profile, or with the AWS CLI's defaults. Needs no
/// deployment.
///
/// # Errors
/// Fails when there are no credentials or no region.
pub async fn operator_aws(
    profile: Option<&str>,
    region: Option<&str>,
    endpoint: Option<&str>,
    clock: Clock,
) -> Result<Aws, ConsoleError> {
    let account = Account::open(profile, region, endpoint, clock).await;
    let account = account.map_err(|error| failed(error.to_string()))?;
    let provider = account.config.credentials_provider();
    let provider = provider.ok_or_else(|| failed("there are no credentials".to_owned()))?;
    let credentials = provider.provide_credentials().await;
    let credentials = credentials.map_err(|error| failed(format!("credentials: {error}")))?;
    Ok(Aws::of_operator(account.region(), credentials, endpoint))
}

fn failed(cause: String) -> ConsoleError {
    ConsoleError::Part { what: "the operator's session", cause }
}

fn options(stack: &str, args: &DeploymentArgs) -> ConsoleOptions {
    ConsoleOptions {
        stack: Some(stack.to_owned()),
        // The search for the deployment does not look at it.
        tenant: Tenant::local(),
        profile: args.profile.clone(),
        region: args.region.clone(),
        cosigner_stack: None,
        cosigner_profile: None,
        wallets_table: None,
        cosigner_table: None,
        audit_public_key: None,
        endpoint_url: args.endpoint_url.clone(),
        port: 0,
    }
}
