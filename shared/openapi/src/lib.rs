//! The OpenAPI document of the HTTP API, generated from the code. Its schemas are those of the
//! request and response types (`shared::api`). Its errors are made by the code that returns them.
//! Its operations are listed in `operations.rs`.
//!
//! `cargo xtask openapi` writes it to the file that is committed and served.

mod errors;
mod headers;
pub mod models;
mod operations;
mod parameters;
mod refusals;
mod tags;
mod text;
mod webhooks;

pub use text::text;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use shared::access::Requirement;
use shared::api::credential_data::{AgentsData, CredentialData, RevokedData};
use shared::api::error::ErrorBody;
use shared::api::money::{PaymentData, QuoteData};
use shared::api::policy_chain::{ChangeData, ChangeTextData, PaymentPolicyData};
use shared::api::requests::{
    ApprovePolicyChange, CancelPolicyChange, ClosePosition, CreateTenantKey, CreateWallet,
    CreateWebhook, DeleteApiKey, ModifyOrder, PlaceOrderRequest, ProposePolicyChange,
    RegisterApiKey, ReplayWebhook, RevokeTenantKey, RotateApiKey, RotateTenantKey, SendTokens,
    SetLeverage, SetTradingPolicy, SignMessage, TransferAtHyperliquid, UpdateWebhook,
    WithdrawFromAster, WithdrawFromHyperliquid,
};
use shared::api::responses::{
    AsterData, DataBody, HealthBody, HyperliquidData, RotatedData, SignedBody, WalletBody,
    WalletsBody,
};
use shared::api::tenant_keys::{TenantKeyMadeBody, TenantKeyRevokedBody, TenantKeysBody};
use shared::api::trading::{
    AllPositionsBody, AsterPositionsBody, BalancesData, BatchData, CanceledData, FillsBody,
    KeyDeleted, LeverageData, LighterKeyData, OpenOrdersBody, OrderData, PastOrdersBody,
    PolicyData, PositionsBody, StoreLighterKey,
};
use shared::api::webhooks::{
    DeliveriesBody, ReplayedBody, WebhookBody, WebhookDeletedBody, WebhookMadeBody,
    WebhookTestedBody, WebhooksBody,
};
use shared::schema;
use shared::webhooks::EventBody;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::link::LinkBuilder;
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItem, PathsBuilder,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::server::{Server, ServerBuilder, ServerVariableBuilder};
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr,
    Required, Response, ResponseBuilder, Schema,
};
use utoipa::{PartialSchema, ToSchema};

use operations::Operation;
use refusals::Refusals;

/// The path of the committed document, from the repository's root.
pub const COMMITTED: &str = "docs/openapi.json";

const JSON: &str = "application/json";
const SECURITY: &str = "apiKey";

const ABOUT: &str = "2-of-2 MPC wallets, and their trading keys on exchanges. Requests and responses \
    are JSON; docs/reference/api.md describes the rules. Every response of a function has the \
    header x-request-id. \
    The header X-API-KEY is a key of a tenant, which can access only its own wallets. The x-scope of \
    an operation is the scope that the key requires. A suspended tenant can call only the operations \
    with x-while-suspended. A \
    deployment returns 403 for a missing and for an unknown key, because API Gateway does not \
    tell them apart; the local stack returns 401 for a missing key.";

/// Returns the path of every operation, with its parameters in braces.
#[must_use]
pub fn paths() -> BTreeSet<String> {
    operations::all().into_iter().map(|operation| operation.path).collect()
}

/// Builds the document.
#[must_use]
pub fn document() -> OpenApi {
    let operations = operations::all();
    let refusals = Refusals::of(&operations);
    let mut paths = PathsBuilder::new();
    for operation in &operations {
        let method = match operation.method.as_str() {
            "POST" => HttpMethod::Post,
            "PUT" => HttpMethod::Put,
            "DELETE" => HttpMethod::Delete,
            _ => HttpMethod::Get,
        };
        let item = PathItem::new(method, described(operation, &refusals));
        paths = paths.path(&operation.path, item);
    }
    let mut components = components();
    refusals.add_to(&mut components);
    headers::add_to(&mut components);
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0"));
    let info = InfoBuilder::new()
        .title("HyperDEX Keys")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(license.build()));
    OpenApiBuilder::new()
        .info(info.build())
        .servers(Some(servers()))
        .tags(Some(tags::all()))
        .paths(paths.build())
        .components(Some(components))
        .webhooks(Some(webhooks::all()))
        .build()
}

/// Returns the servers: a deployment with the template's stage, and the local stack at its default
/// port.
fn servers() -> [Server; 2] {
    let variable = |default: &str, description: &str| {
        ServerVariableBuilder::new().default_value(default).description(Some(description)).build()
    };
    let host = "https://{apiId}.execute-api.{region}.amazonaws.com/{stage}";
    let deployed = ServerBuilder::new()
        .url(host)
        .description(Some("A deployment: the output ApiUrl of its stack."))
        .parameter("apiId", variable("abcde12345", "The API's id in API Gateway."))
        .parameter("region", variable("us-east-1", "The AWS region of the stack."))
        .parameter("stage", variable("v1", "The stage of the API."));
    let local = ServerBuilder::new()
        .url("http://127.0.0.1:3000")
        .description(Some("The local stack: cargo run"));
    [deployed.build(), local.build()]
}

fn described(operation: &Operation, refusals: &Refusals) -> utoipa::openapi::path::Operation {
    let mut built = OperationBuilder::new()
        .operation_id(Some(&operation.id))
        .tag(operation.tag.name())
        .summary(Some(&operation.summary))
        .description((!operation.description.is_empty()).then_some(operation.description));
    let key = || SecurityRequirement::new::<_, [&str; 0], _>(SECURITY, []);
    built = built.securities(Some((!operation.open).then(key)));
    if let Some(Requirement { scope, while_suspended }) = operation.requires {
        let mut requires = ExtensionsBuilder::new().add("x-scope", scope.as_str());
        if while_suspended {
            requires = requires.add("x-while-suspended", true);
        }
        built = built.extensions(Some(requires.build()));
    }
    for parameter in &operation.parameters {
        built = built.parameter(parameter.clone());
    }
    if operation.once {
        let key = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[!-~]+$"))
            .min_length(Some(1))
            .max_length(Some(255))
            .examples(["6e4bf6a5-1c4e-4a52-9f0c-8f5c0d3f7a10"]);
        let key = ParameterBuilder::new()
            .name("Idempotency-Key")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(
                "Use a new value for each new request. Within 24 hours, the same request with the \
                 same key is executed once. A response with a secret is returned again for 10 minutes.",
            ))
            .schema(Some(key.build()));
        built = built.parameter(key.build());
    }
    if let Some((schema, must)) = &operation.body {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build();
        let body = RequestBodyBuilder::new().content(JSON, content).required(Some(must.clone()));
        built = built.request_body(Some(body.build()));
    }
    for (status, means, schema) in &operation.answers {
        built = built.response(status.to_string(), answered(operation, means, schema));
    }
    for (status, place) in refusals.responses(operation) {
        built = built.response(status.to_string(), place);
    }
    built.build()
}

fn answered(operation: &Operation, means: &str, schema: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build();
    let mut response = ResponseBuilder::new().description(means).content(JSON, content);
    response = headers::request_id(response);
    if operation.replays {
        response = headers::replay(response);
    }
    if operation.names_orders {
        response = headers::client_order_id(response);
    }
    for link in &operation.links {
        let mut leads = LinkBuilder::new().operation_id(link.operation);
        if let Some((name, from)) = link.parameter {
            leads = leads.parameter(name, from);
        }
        if let Some((field, from)) = link.body {
            leads = leads.request_body(Some(json!({ field: from })));
        }
        response = response.link(link.name, leads.build());
    }
    response.build()
}

fn components() -> Components {
    let mut schemas = Schemas::default();
    schemas.add::<CreateWallet>("CreateWallet");
    schemas.add::<SignMessage>("SignMessage");
    schemas.add::<RegisterApiKey>("RegisterApiKey");
    schemas.add::<RotateApiKey>("RotateApiKey");
    schemas.add::<DeleteApiKey>("DeleteApiKey");
    schemas.add::<HealthBody>("Health");
    schemas.add::<WalletBody>("Wallet");
    schemas.add::<WalletsBody>("WalletPage");
    schemas.add::<SignedBody>("Signed");
    schemas.data::<AsterData>("AsterRegistered", AsterData::schema());
    schemas.data::<HyperliquidData>("HyperliquidRegistered", HyperliquidData::schema());
    schemas.data::<RotatedData<AsterData>>("AsterRotated", rotated::<AsterData>());
    schemas
        .data::<RotatedData<HyperliquidData>>("HyperliquidRotated", rotated::<HyperliquidData>());
    schemas.data::<CredentialData>("ApiKey", CredentialData::schema());
    schemas.data::<RevokedData>("ApiKeyRevoked", RevokedData::schema());
    schemas.data::<AgentsData>("Agents", AgentsData::schema());
    schemas.data::<RevokedData>("AgentRemoved", RevokedData::schema());
    schemas.add::<schema::AgentName>("AgentName");
    schemas.add::<CreateWebhook>("CreateWebhook");
    schemas.add::<ReplayWebhook>("ReplayWebhook");
    schemas.add::<WebhookMadeBody>("WebhookMade");
    schemas.add::<WebhooksBody>("WebhookList");
    schemas.add::<WebhookDeletedBody>("WebhookDeleted");
    schemas.add::<UpdateWebhook>("UpdateWebhook");
    schemas.add::<WebhookBody>("WebhookChanged");
    schemas.add::<WebhookTestedBody>("WebhookTested");
    schemas.add::<DeliveriesBody>("DeliveryPage");
    schemas.add::<ReplayedBody>("Replayed");
    schemas.add::<schema::WebhookIdText>("WebhookIdText");
    schemas.add::<CreateTenantKey>("CreateTenantKey");
    schemas.add::<RotateTenantKey>("RotateTenantKey");
    schemas.add::<RevokeTenantKey>("RevokeTenantKey");
    schemas.add::<TenantKeysBody>("TenantKeyList");
    schemas.add::<TenantKeyMadeBody>("TenantKeyMade");
    schemas.add::<TenantKeyRevokedBody>("TenantKeyRevoked");
    schemas.add::<schema::TenantKeyId>("TenantKeyId");
    webhooks::add(&mut schemas);
    trading(&mut schemas);
    schemas.add::<ProposePolicyChange>("ProposePolicyChange");
    schemas.add::<ApprovePolicyChange>("ApprovePolicyChange");
    schemas.add::<CancelPolicyChange>("CancelPolicyChange");
    schemas.add::<schema::ChangeNumber>("ChangeNumber");
    schemas.data::<PaymentPolicyData>("PaymentPolicy", PaymentPolicyData::schema());
    schemas.data::<ChangeData>("PolicyChange", ChangeData::schema());
    schemas.data::<ChangeTextData>("PolicyChangeText", ChangeTextData::schema());
    schemas.add::<ErrorBody<'static>>("Error");
    // Parameters refer to these.
    schemas.add::<schema::WalletName>("WalletName");
    schemas.add::<schema::Cursor>("Cursor");
    schemas.add::<schema::PaymentCursor>("PaymentCursor");
    let document = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("openapi", ObjectBuilder::new().schema_type(Type::String))
        .required("openapi");
    schemas.0.insert("OpenApi".to_owned(), document.build().into());
    let mut components = Components::new();
    components.schemas = schemas.0;
    let means = "The tenant key. In a deployment, an API key of the usage plan.";
    let key = ApiKeyValue::with_description("X-API-KEY", means);
    components.add_security_scheme(SECURITY, SecurityScheme::ApiKey(ApiKey::Header(key)));
    components
}

/// Adds the schemas of orders and policies.
fn trading(schemas: &mut Schemas) {
    schemas.add::<PlaceOrderRequest>("PlaceOrderRequest");
    schemas.add::<ModifyOrder>("ModifyOrder");
    schemas.add::<SetTradingPolicy>("SetTradingPolicy");
    schemas.add::<schema::OrderName>("OrderName");
    schemas.add::<schema::SymbolName>("SymbolName");
    schemas.data::<OrderData>("OrderResponse", OrderData::schema());
    schemas.add::<BatchData>("OrderBatch");
    schemas.data::<CanceledData>("OrdersCanceled", CanceledData::schema());
    schemas.data::<PolicyData>("TradingPolicy", PolicyData::schema());
    schemas.add::<OpenOrdersBody>("OpenOrders");
    schemas.add::<ClosePosition>("ClosePosition");
    schemas.add::<SetLeverage>("SetLeverage");
    schemas.add::<schema::FillCursorText>("FillCursorText");
    schemas.add::<PositionsBody>("OpenPositions");
    schemas.add::<AllPositionsBody>("AllPositions");
    schemas.add::<FillsBody>("Fills");
    schemas.add::<AsterPositionsBody>("AsterPositions");
    schemas.add::<PastOrdersBody>("PastOrders");
    schemas.data::<BalancesData>("BalancesResponse", BalancesData::schema());
    schemas.data::<LeverageData>("LeverageSet", LeverageData::schema());
    schemas.add::<WithdrawFromAster>("WithdrawFromAster");
    schemas.add::<WithdrawFromHyperliquid>("WithdrawFromHyperliquid");
    schemas.add::<TransferAtHyperliquid>("TransferAtHyperliquid");
    schemas.add::<SendTokens>("SendTokens");
    schemas.add::<schema::TransferIdText>("TransferIdText");
    schemas.add::<QuoteData>("PaymentQuote");
    schemas.data::<PaymentData>("PaymentState", PaymentData::schema());
    let paying = OneOfBuilder::new()
        .item(Ref::from_schema_name("Payment"))
        .item(Ref::from_schema_name("PaymentQuote"))
        .description(Some("The payment, or its quote with dryRun."));
    schemas.data::<PaymentData>("PaymentResponse", RefOr::T(Schema::OneOf(paying.build())));
    schemas.add::<PaymentData>("Payment");
    schemas.add::<StoreLighterKey>("StoreLighterKey");
    schemas.data::<LighterKeyData>("LighterKeyResponse", LighterKeyData::schema());
    schemas.data::<KeyDeleted>("LighterKeyDeletedResponse", KeyDeleted::schema());
    let placing = OneOfBuilder::new()
        .item(Ref::from_schema_name("Order"))
        .item(Ref::from_schema_name("OrderBatch"))
        .description(Some("The order, or the result of each order of a batch."));
    schemas.data::<OrderData>("OrderPlacing", RefOr::T(Schema::OneOf(placing.build())));
}

/// Returns the schema of a rotation, which includes a registration's fields.
fn rotated<T: ToSchema>() -> RefOr<Schema> {
    match RotatedData::<T>::schema() {
        RefOr::T(Schema::AllOf(mut parts)) => {
            let is_named = |part: &&mut RefOr<Schema>| matches!(part, RefOr::Ref(_));
            if let Some(registered) = parts.items.iter_mut().find(is_named) {
                *registered = T::schema();
            }
            RefOr::T(Schema::AllOf(parts))
        }
        other => other,
    }
}

#[derive(Default)]
struct Schemas(BTreeMap<String, RefOr<Schema>>);

impl Schemas {
    /// Adds a type's schema under this name, with the schemas that it refers to.
    fn add<T: ToSchema + PartialSchema>(&mut self, name: &str) {
        let mut named = Vec::new();
        T::schemas(&mut named);
        self.0.extend(named);
        self.0.insert(name.to_owned(), T::schema());
    }

    /// Adds the schema of an event with this type in `data`, under this name.
    fn event<T: ToSchema>(&mut self, name: &str) {
        let mut named = Vec::new();
        EventBody::<T>::schemas(&mut named);
        self.0.extend(named);
        if let RefOr::T(Schema::Object(mut body)) = EventBody::<T>::schema() {
            body.properties.insert("data".to_owned(), T::schema());
            self.0.insert(name.to_owned(), RefOr::T(Schema::Object(body)));
        }
    }

    /// Adds the schema of a response with this type in `data`, under this name. The derive macro
    /// would give two of them the same name.
    fn data<T: ToSchema>(&mut self, name: &str, data: RefOr<Schema>) {
        let mut named = Vec::new();
        DataBody::<T>::schemas(&mut named);
        self.0.extend(named);
        if let RefOr::T(Schema::Object(mut body)) = DataBody::<T>::schema() {
            body.properties.insert("data".to_owned(), data);
            self.0.insert(name.to_owned(), RefOr::T(Schema::Object(body)));
        }
    }
}
