//! Trading policies over HTTP.

use crate::api::Handled;
use axum::Json;
use axum::extract::State;
use domain::clock::Clock;
use domain::eth::Address;
use domain::ids::{Tenant, WalletRef};
use domain::random::Random;
use http::{HeaderMap, Uri};
use platform::env::ConfigError;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::body::JsonBody;
use crate::api::error::{ApiError, REPEAT};
use crate::api::requests::SetTradingPolicy;
use crate::api::responses::DataBody;
use crate::api::wallet_names::WalletNames;
use crate::caller::Caller;
use crate::runtime::Runtime;
use crate::schema;
use crate::store::{PolicyChange, PolicyError, Store, TradingPolicies};
use crate::tenancy::Scope;
use crate::trading::policy::{PendingPolicy, Policy, PolicyFields, PolicyRecord};

const HOUR_MS: u64 = 60 * 60 * 1_000;

/// Hours after which a looser policy is in effect, when `POLICY_DELAY_HOURS` is not set.
pub const POLICY_DELAY_HOURS: u32 = 24;

/// The state of the function that reads policies.
#[derive(Clone, Debug)]
pub struct PolicyReads {
    /// The wallets' table.
    pub store: Store,
    /// The clock.
    pub clock: Clock,
}

/// The state of the function that changes policies.
#[derive(Clone, Debug)]
pub struct PolicyWrites {
    /// The wallets' table.
    pub store: Store,
    /// The clock.
    pub clock: Clock,
    /// The source of randomness.
    pub random: Random,
    /// Time after which a looser policy is in effect, in milliseconds.
    pub delay_ms: u64,
}

impl PolicyWrites {
    /// Makes the state from the environment: `POLICY_DELAY_HOURS` (0 to 168, default 24).
    ///
    /// # Errors
    /// Returns an error that names the missing or invalid variable.
    pub fn from_env(runtime: &Runtime<'_>) -> Result<Self, ConfigError> {
        let hours = runtime.env.number("POLICY_DELAY_HOURS", 0..=168)?;
        Ok(Self {
            store: Store::from_env(&runtime.env)?,
            clock: runtime.clock.clone(),
            random: runtime.random.clone(),
            delay_ms: u64::from(hours.unwrap_or(POLICY_DELAY_HOURS)) * HOUR_MS,
        })
    }
}

/// `GET /api/trading/policy`: returns the tenant's policy, or also a wallet's override.
///
/// # Errors
/// When the request is invalid, or the table cannot be read.
pub fn get_policy(
    State(PolicyReads { store, clock }): State<PolicyReads>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
) -> Handled<Json<DataBody<PolicyData>>> {
    Box::pin(async move {
        let names = WalletNames::perhaps_in_request(&headers, &uri, None)?;
        let wallet_id = wallet_id(&store, &caller.tenant, names).await?;
        let policies = store.trading_policies(&caller.tenant, wallet_id, &clock).await?;
        let policies = policies.ok_or_else(ApiError::wallet_not_found)?;
        let now_ms = clock.now_ms();
        Ok(Json(DataBody::new(None, PolicyData::new(&policies, wallet_id, now_ms), now_ms)))
    })
}

/// `PUT /api/trading/policy`: replaces the tenant's policy, or a wallet's override. A change that
/// loosens a limit requires the scope `admin` and takes effect after the delay.
///
/// # Errors
/// When the request is invalid, the key lacks a scope, or the policy cannot be written.
pub fn set_policy(
    State(PolicyWrites { store, clock, random, delay_ms }): State<PolicyWrites>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
    body: JsonBody,
) -> Handled<Json<DataBody<PolicyData>>> {
    Box::pin(async move {
        let (names, fields) = SetTradingPolicy::read(&headers, &uri, &body)?.fields();
        let wallet_id = wallet_id(&store, &caller.tenant, names).await?;
        let may_loosen = caller.scopes.contains(Scope::Admin);
        let tenant = caller.tenant.clone();
        let change = PolicyChange { tenant, wallet_id, fields, may_loosen, delay_ms };
        let changed = store.change_trading_policy(&change, &clock, &random).await;
        let (policies, _) = changed.map_err(trading_policy_error)?;
        let now_ms = clock.now_ms();
        Ok(Json(DataBody::new(None, PolicyData::new(&policies, wallet_id, now_ms), now_ms)))
    })
}

/// Returns the id of the wallet that a request names, if it names one.
async fn wallet_id(
    store: &Store,
    tenant: &Tenant,
    names: Option<WalletNames>,
) -> Result<Option<Uuid>, ApiError> {
    let Some(names) = names else { return Ok(None) };
    let name: WalletRef = names.pointed(store, tenant).await?;
    let id = store.resolve(tenant, &name).await?;
    id.map(Some).ok_or_else(ApiError::wallet_not_found)
}

/// Converts the error of a change of a policy.
#[must_use]
pub fn trading_policy_error(error: PolicyError) -> ApiError {
    const ERROR: &str = "Failed to change the trading policy";
    match error {
        PolicyError::MayNotLoosen => ApiError::scope_missing(Scope::Admin).advise(
            "The change loosens a limit. Send a key that has the scopes trade and admin, or tighten \
             the limits only.",
        ),
        PolicyError::NoWallet => ApiError::wallet_not_found(),
        PolicyError::Overtaken => {
            ApiError::new(503, "STORE_BUSY", ERROR).advise(REPEAT).retry_after(1)
        }
        PolicyError::Random(cause) => ApiError::internal(ERROR, &cause).advise(REPEAT),
        PolicyError::Store(cause) => ApiError::store(ERROR, &cause),
    }
}

/// The fields of a policy as they are set.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = TradingPolicyFields)]
struct FieldsData {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<schema::SymbolName>, required = false)]
    symbols: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::NumberText, required = false)]
    max_order_notional: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::NumberText, required = false)]
    max_position_notional: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u32, required = false)]
    max_leverage: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u32, required = false)]
    orders_per_minute: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = bool, required = false)]
    reduce_only: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::NumberText, required = false)]
    max_slippage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<schema::AddressText>, required = false)]
    builders: Option<Vec<String>>,
    /// In tenths of a basis point.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u16, required = false)]
    max_builder_fee: Option<u16>,
}

impl From<&PolicyFields> for FieldsData {
    fn from(fields: &PolicyFields) -> Self {
        Self {
            symbols: fields.symbols.clone(),
            max_order_notional: fields.max_order_notional.map(|it| it.text()),
            max_position_notional: fields.max_position_notional.map(|it| it.text()),
            max_leverage: fields.max_leverage,
            orders_per_minute: fields.orders_per_minute,
            reduce_only: fields.reduce_only,
            max_slippage: fields.max_slippage.map(|it| it.text()),
            builders: addresses(fields.builders.as_deref()),
            max_builder_fee: fields.max_builder_fee,
        }
    }
}

impl From<&Policy> for FieldsData {
    fn from(policy: &Policy) -> Self {
        Self {
            symbols: policy.symbols.clone(),
            max_order_notional: Some(policy.max_order_notional.text()),
            max_position_notional: policy.max_position_notional.map(|it| it.text()),
            max_leverage: policy.max_leverage,
            orders_per_minute: Some(policy.orders_per_minute),
            reduce_only: Some(policy.reduce_only),
            max_slippage: Some(policy.max_slippage.text()),
            builders: addresses(policy.builders.as_deref()),
            max_builder_fee: policy.max_builder_fee,
        }
    }
}

/// Returns addresses in checksum form.
fn addresses(of: Option<&[Address]>) -> Option<Vec<String>> {
    of.map(|addresses| addresses.iter().map(Address::to_string).collect())
}

/// A looser policy that is not in effect yet.
#[derive(Serialize, ToSchema, Debug)]
#[schema(as = PendingTradingPolicy)]
struct PendingData {
    policy: FieldsData,
    /// When it takes effect, Unix milliseconds.
    #[schema(value_type = schema::UnixMs)]
    from: u64,
}

/// The trading policy of a tenant, and of the wallet that the request names.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = TradingPolicyData)]
pub struct PolicyData {
    /// The tenant's policy.
    policy: FieldsData,
    /// The wallet's override, if the request names a wallet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = FieldsData, required = false)]
    wallet: Option<FieldsData>,
    /// The policy in effect: for each field the tighter of the override and the tenant's, unless a
    /// key with the scope admin has made the override looser.
    effective: FieldsData,
    /// A looser policy of the tenant, or of the wallet that the request names.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = PendingData, required = false)]
    pending: Option<PendingData>,
}

impl PolicyData {
    /// Returns the data of policies at a time. `wallet_id` is the wallet that the request names.
    #[must_use]
    pub fn new(policies: &TradingPolicies, wallet_id: Option<Uuid>, now_ms: u64) -> Self {
        let TradingPolicies { tenant, wallet } = policies;
        let fields = |record: &Option<PolicyRecord>| {
            let setting = record.as_ref().map(|record| record.setting_at(now_ms));
            FieldsData::from(&setting.unwrap_or_default().policy)
        };
        let changed = if wallet_id.is_some() { wallet } else { tenant };
        let pending = changed.as_ref().and_then(|record| record.pending_at(now_ms));
        let pending = pending.map(|PendingPolicy { policy, from_ms, .. }| PendingData {
            policy: policy.into(),
            from: *from_ms,
        });
        Self {
            policy: fields(tenant),
            wallet: wallet_id.map(|_| fields(wallet)),
            effective: (&policies.effective(now_ms)).into(),
            pending,
        }
    }
}
