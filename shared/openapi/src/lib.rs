//! The OpenAPI document of the HTTP API, made from the code: its schemas are those of the types that
//! are sent and read (`shared::api`), its errors are made by the code that answers them, and its
//! operations stand in one list, `operations.rs`.
//!
//! `cargo run -- openapi docs/openapi.json` writes it to where it is committed, and served from.

mod errors;
pub mod models;
mod operations;
mod parameters;
mod webhooks;

use std::collections::{BTreeMap, BTreeSet};

use operations::Operation;
use serde_json::{Value, json};
use shared::api::credential_data::{AgentsData, CredentialData, RevokedData};
use shared::api::error::{ApiError, ErrorBody};
use shared::api::requests::{
    CreateWallet, CreateWebhook, DeleteApiKey, RegisterApiKey, ReplayWebhook, RotateApiKey,
    SignMessage,
};
use shared::api::responses::{
    AsterData, DataBody, HealthBody, HyperliquidData, RotatedData, SignedBody, WalletBody,
    WalletsBody,
};
use shared::api::schema;
use shared::api::webhooks::{ReplayedBody, WebhookDeletedBody, WebhookMadeBody, WebhooksBody};
use shared::webhooks::EventBody;
use utoipa::openapi::example::Example;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::link::LinkBuilder;
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItem, PathsBuilder,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, Header, InfoBuilder, License, OpenApi, OpenApiBuilder, Ref, RefOr,
    Required, Response, ResponseBuilder, Schema,
};
use utoipa::{PartialSchema, ToSchema};

/// Where the document is committed, from the repository's root.
pub const COMMITTED: &str = "docs/openapi.json";

const JSON: &str = "application/json";
const SECURITY: &str = "apiKey";
/// The time in every example, Unix milliseconds.
const EXAMPLE_MS: u64 = 1_762_765_034_479;

const ABOUT: &str = "2-of-2 MPC wallets, and their API keys on exchanges. JSON in, JSON out; \
    docs/api.md says more. Every answer of a function has the header x-request-id. A key is a tenant: \
    it sees and uses only wallets that it created. API Gateway cannot tell a missing key from an \
    unknown one, and answers 403 to both.";

/// Returns the path of every operation, with its parameters in braces.
#[must_use]
pub fn paths() -> BTreeSet<String> {
    operations::all().into_iter().map(|operation| operation.path).collect()
}

/// The document.
#[must_use]
pub fn document() -> OpenApi {
    let mut examples = Examples::default();
    let mut paths = PathsBuilder::new();
    for operation in operations::all() {
        let method = match operation.method.as_str() {
            "POST" => HttpMethod::Post,
            "DELETE" => HttpMethod::Delete,
            _ => HttpMethod::Get,
        };
        let item = PathItem::new(method, described(&operation, &mut examples));
        paths = paths.path(operation.path, item);
    }
    let mut components = components();
    for (body, name) in examples.0 {
        let value = serde_json::from_str(&body).unwrap_or(Value::Null);
        components.examples.insert(name, RefOr::T(example(value)));
    }
    let info = InfoBuilder::new()
        .title("HyperDEX Keys")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(License::new("Apache-2.0")));
    OpenApiBuilder::new()
        .info(info.build())
        .paths(paths.build())
        .components(Some(components))
        .webhooks(Some(webhooks::all()))
        .build()
}

/// The document as it is committed and served.
///
/// # Errors
/// Never with a document of [`document`].
pub fn text() -> Result<String, serde_json::Error> {
    document().to_pretty_json().map(|text| text + "\n")
}

/// Each error once, by its body, with its name.
#[derive(Default)]
struct Examples(BTreeMap<String, String>);

impl Examples {
    fn name(&mut self, error: &ApiError) -> String {
        let taken = self.0.len();
        let body = error.body(EXAMPLE_MS).to_string();
        if let Some(name) = self.0.get(&body) {
            return name.clone();
        }
        let numbered = |number: usize| match number {
            1 => error.code.to_owned(),
            more => format!("{}_{more}", error.code),
        };
        let free =
            (1..=taken + 1).map(numbered).find(|name| !self.0.values().any(|known| known == name));
        let name = free.unwrap_or_default();
        self.0.insert(body, name.clone());
        name
    }
}

fn example(value: Value) -> Example {
    let mut example = Example::new();
    example.value = Some(value);
    example
}

fn described(operation: &Operation, examples: &mut Examples) -> utoipa::openapi::path::Operation {
    let mut built = OperationBuilder::new()
        .operation_id(Some(&operation.id))
        .tag(operation.tag)
        .summary(Some(&operation.summary))
        .description((!operation.description.is_empty()).then_some(operation.description));
    if !operation.open {
        built = built.security(SecurityRequirement::new::<_, [&str; 0], _>(SECURITY, []));
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
                "A new one for each new request. For 24 hours the same request with the same key is \
                 executed once. A response that holds a secret is given again for 10 minutes.",
            ))
            .schema(Some(key.build()));
        built = built.parameter(key.build());
    }
    if let Some((schema, must)) = &operation.body {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(*schema))).build();
        let body = RequestBodyBuilder::new().content(JSON, content).required(Some(must.clone()));
        built = built.request_body(Some(body.build()));
    }
    for (status, means, schema) in &operation.answers {
        built = built.response(status.to_string(), answered(operation, means, schema));
    }
    let mut failures: BTreeMap<u16, Vec<&ApiError>> = BTreeMap::new();
    for error in &operation.errors {
        failures.entry(error.status).or_default().push(error);
    }
    for (status, errors) in failures {
        built = built.response(status.to_string(), refused(status, &errors, examples));
    }
    built.build()
}

fn answered(operation: &Operation, means: &str, schema: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build();
    let mut response = ResponseBuilder::new().description(means).content(JSON, content);
    response = response.header("x-request-id", request_id());
    if operation.once {
        response = response.header("Idempotent-Replay", replay());
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

fn refused(status: u16, errors: &[&ApiError], examples: &mut Examples) -> Response {
    let mut codes: Vec<&str> = errors.iter().map(|error| error.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let shown: BTreeMap<String, RefOr<Example>> = errors
        .iter()
        .map(|error| {
            let name = examples.name(error);
            let place = format!("#/components/examples/{name}");
            (name, RefOr::Ref(Ref::new(place)))
        })
        .collect();
    let code =
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(codes.iter().copied()));
    let schema = AllOfBuilder::new()
        .item(Ref::from_schema_name("Error"))
        .item(ObjectBuilder::new().property("code", code));
    let content = ContentBuilder::new()
        .schema(Some(Schema::AllOf(schema.build())))
        .examples_from_iter(shown)
        .build();
    let mut response = ResponseBuilder::new().description(codes.join(", ")).content(JSON, content);
    response = response.header("x-request-id", request_id());
    if status == 405 {
        response = response.header("Allow", words("The methods that the path has."));
    }
    if errors.iter().any(|error| error.retry_after_s.is_some()) {
        let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
        let header = HeaderBuilder::new().schema(Some(seconds.build()));
        response = response.header("Retry-After", header.description(Some("Seconds.")).build());
    }
    response.build()
}

fn words(description: &str) -> Header {
    let text = ObjectBuilder::new().schema_type(Type::String).build();
    HeaderBuilder::new().schema(Some(text)).description(Some(description)).build()
}

fn request_id() -> Header {
    words("What the request is called in the log.")
}

fn replay() -> Header {
    let text = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["true"])).build();
    let means = "The answer was given before, to this Idempotency-Key.";
    HeaderBuilder::new().schema(Some(text)).description(Some(means)).build()
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
    schemas.add::<WalletsBody>("Wallets");
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
    schemas.add::<WebhooksBody>("Webhooks");
    schemas.add::<WebhookDeletedBody>("WebhookDeleted");
    schemas.add::<ReplayedBody>("Replayed");
    schemas.add::<schema::WebhookIdText>("WebhookIdText");
    webhooks::add(&mut schemas);
    schemas.add::<ErrorBody<'static>>("Error");
    // Parameters name these.
    schemas.add::<schema::WalletName>("WalletName");
    schemas.add::<schema::Cursor>("Cursor");
    let document = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("openapi", ObjectBuilder::new().schema_type(Type::String))
        .required("openapi");
    schemas.0.insert("OpenApi".to_owned(), document.build().into());
    let mut components = Components::new();
    components.schemas = schemas.0;
    let means = "An API key of the usage plan. It is the tenant.";
    let key = ApiKeyValue::with_description("X-API-KEY", means);
    components.add_security_scheme(SECURITY, SecurityScheme::ApiKey(ApiKey::Header(key)));
    components
}

/// What a rotation hands out, with the registration's fields among its own.
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
    /// A type's schema under this name, and those that it names.
    fn add<T: ToSchema + PartialSchema>(&mut self, name: &str) {
        let mut named = Vec::new();
        T::schemas(&mut named);
        self.0.extend(named);
        self.0.insert(name.to_owned(), T::schema());
    }

    /// The schema of an event with this in `data`, under this name.
    fn event<T: ToSchema>(&mut self, name: &str) {
        let mut named = Vec::new();
        EventBody::<T>::schemas(&mut named);
        self.0.extend(named);
        if let RefOr::T(Schema::Object(mut body)) = EventBody::<T>::schema() {
            body.properties.insert("data".to_owned(), T::schema());
            self.0.insert(name.to_owned(), RefOr::T(Schema::Object(body)));
        }
    }

    /// The schema of an answer with this in `data`, under this name. A derive calls the parameter of
    /// a generic type by its name, which two of them share.
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
