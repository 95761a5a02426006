//! The operations of the API: each route once, with its parameters and responses.

mod accounts;
mod agents;
mod elsewhere;
mod exchanges;
mod lighter;
mod orders;
mod payment_policy;
mod payments;
mod policies;
mod tenant_keys;
mod webhooks;

use domain::ids::Exchange;
use http::Method;
use platform::items::StoreError;
use serde_json::json;
use shared::access::Requirement;
use shared::api::credential_error::Action;
use shared::api::error::ApiError;
use shared::api::requests::{
    CreateWallet, DeleteApiKey, RegisterApiKey, RotateApiKey, SignMessage,
};
use shared::credentials::CredentialError;
use shared::exchanges::profile::Profile;
use shared::tenancy::Scope;
use utoipa::ToSchema;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use self::exchanges::{Responses, of, responses, secret};
use crate::errors;
use crate::parameters::{form, parameter, wallet_in_path, wallet_in_query};
use crate::tags::Tag;

pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) tag: Tag,
    pub(crate) summary: String,
    pub(crate) description: &'static str,
    /// Whether it is called without a tenant key.
    pub(crate) open: bool,
    /// What it requires of the key; `None` where it is open.
    pub(crate) requires: Option<Requirement>,
    /// Whether it takes an `Idempotency-Key`.
    pub(crate) once: bool,
    /// Whether a response may repeat an earlier one.
    pub(crate) replays: bool,
    /// Whether it gives ids to orders, which its responses state.
    pub(crate) names_orders: bool,
    pub(crate) parameters: Vec<Parameter>,
    /// The schema of its JSON body, and whether the body is required.
    pub(crate) body: Option<(String, Required)>,
    /// Status, description and schema of each success.
    pub(crate) answers: Vec<(u16, &'static str, &'static str)>,
    pub(crate) errors: Vec<ApiError>,
    /// Links from a response to other operations.
    pub(crate) links: Vec<Link>,
}

/// A link's name, its target operation, and the parameter or body field filled from the response.
pub(crate) struct Link {
    pub(crate) name: &'static str,
    pub(crate) operation: &'static str,
    pub(crate) parameter: Option<(&'static str, &'static str)>,
    pub(crate) body: Option<(&'static str, &'static str)>,
}

fn to(
    name: &'static str,
    operation: &'static str,
    parameter: (&'static str, &'static str),
) -> Link {
    Link { name, operation, parameter: Some(parameter), body: None }
}

impl Operation {
    fn new(method: Method, path: impl Into<String>, id: impl Into<String>, tag: Tag) -> Self {
        let errors = errors::keyed().into_iter().chain([errors::method()]).collect();
        Self {
            method,
            path: path.into(),
            id: id.into(),
            tag,
            summary: String::new(),
            description: "",
            open: false,
            requires: None,
            once: false,
            replays: false,
            names_orders: false,
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            errors,
            links: Vec::new(),
        }
    }

    fn says(mut self, summary: impl Into<String>, description: &'static str) -> Self {
        (self.summary, self.description) = (summary.into(), description);
        self
    }

    fn open(mut self) -> Self {
        (self.open, self.errors) = (true, vec![errors::method()]);
        self
    }

    /// With the scope that it requires. A suspended tenant may not call it.
    fn requires(mut self, scope: Scope) -> Self {
        self.requires = Some(Requirement { scope, while_suspended: false });
        self
    }

    /// Which a suspended tenant may call as well: it reads or removes.
    fn while_suspended(mut self) -> Self {
        self.requires = self.requires.map(|known| Requirement { while_suspended: true, ..known });
        self
    }

    fn takes(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Sets the JSON body of this request type.
    fn body<T: ToSchema>(mut self, must: Required) -> Self {
        self.body = Some((T::name().into_owned(), must));
        self.fails(errors::body())
    }

    fn once(mut self) -> Self {
        (self.once, self.replays) = (true, true);
        self.fails(errors::once())
    }

    fn replays(mut self) -> Self {
        self.replays = true;
        self
    }

    /// Which places orders. Its responses state their ids, and may repeat an earlier one.
    fn names_orders(mut self) -> Self {
        self.names_orders = true;
        self.replays()
    }

    fn answers(mut self, status: u16, means: &'static str, schema: &'static str) -> Self {
        self.answers.push((status, means, schema));
        self
    }

    fn fails(mut self, errors: impl IntoIterator<Item = ApiError>) -> Self {
        self.errors.extend(errors);
        self
    }

    fn leads(mut self, links: impl IntoIterator<Item = Link>) -> Self {
        self.links.extend(links);
        self
    }
}

pub(crate) fn all() -> Vec<Operation> {
    let mut all = vec![health(), document()];
    all.extend(wallets());
    for exchange in Exchange::ALL {
        all.extend([register(exchange), describe(exchange), delete(exchange), rotate(exchange)]);
        all.extend([agents::list(exchange), agents::remove(exchange)]);
        all.extend(orders::all(exchange));
        all.extend(accounts::all(exchange));
    }
    all.extend(lighter::all());
    all.extend(elsewhere::all());
    all.extend(accounts::with_wallet_in_path());
    all.extend(orders::elsewhere());
    all.extend(accounts::elsewhere());
    all.extend(payments::elsewhere());
    all.extend(policies::all());
    all.extend(payments::all());
    all.extend(payment_policy::all());
    all.extend(webhooks::all());
    all.extend(tenant_keys::all());
    all
}

fn health() -> Operation {
    Operation::new(Method::GET, "/api/health", "getHealth", Tag::Service)
        .says("Check that the service responds", "")
        .open()
        .answers(200, "The service responds.", "Health")
        .fails([errors::unhealthy()])
}

fn document() -> Operation {
    Operation::new(Method::GET, "/api/openapi.json", "getOpenApi", Tag::Service)
        .says("Get the OpenAPI document", "")
        .open()
        .answers(200, "OpenAPI 3.1.", "OpenApi")
}

fn wallets() -> [Operation; 4] {
    const ID: &str = "$response.body#/walletId";
    let to_register = |name, operation| Link {
        name,
        operation,
        parameter: None,
        body: Some(("walletIdOrAddress", ID)),
    };
    let create = Operation::new(Method::POST, "/api/wallets", "createWallet", Tag::Wallets)
        .requires(Scope::Wallets)
        .says(
            "Create a wallet for a user",
            "A user of a tenant has one wallet. Distributed key generation makes its key: no process \
             ever holds the whole key.",
        )
        .once()
        .body::<CreateWallet>(Required::True)
        .fails(errors::create_wallet())
        .answers(201, "This call made the wallet.", "Wallet")
        .answers(200, "The user has a wallet already.", "Wallet")
        .fails(errors::create())
        .leads([
            to("byWalletId", "getWallet", ("walletIdOrAddress", ID)),
            to("byUserId", "getWallet", ("walletIdOrAddress", "$response.body#/userId")),
            to("byAddress", "getWallet", ("walletIdOrAddress", "$response.body#/address")),
            to("sign", "signMessage", ("walletIdOrAddress", ID)),
            to_register("registerWithAster", "registerAster"),
            to_register("registerWithHyperliquid", "registerHyperliquid"),
        ]);
    let limit = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(100));
    let limit = parameter(
        ParameterIn::Query,
        "limit",
        Required::False,
        limit.default(Some(json!(25))).build().into(),
    );
    let cursor = parameter(ParameterIn::Query, "cursor", Required::False, form("Cursor"));
    let list = Operation::new(Method::GET, "/api/wallets", "listWallets", Tag::Wallets)
        .requires(Scope::Read)
        .while_suspended()
        .says(
            "List the tenant's wallets",
            "A page may have fewer wallets than limit, and the last one may be empty. Pass \
             nextCursor as cursor to get the next page, until nextCursor is null. A cursor is bound to the tenant.",
        )
        .takes(limit.description(Some("Maximum number of wallets in a page.")).build())
        .takes(cursor.description(Some("The nextCursor of the previous page.")).build())
        .answers(200, "A page of wallets.", "WalletPage")
        .fails(errors::page())
        .leads([to("nextPage", "listWallets", ("cursor", "$response.body#/nextCursor"))]);
    let get =
        Operation::new(Method::GET, "/api/wallets/{walletIdOrAddress}", "getWallet", Tag::Wallets)
            .requires(Scope::Read)
            .while_suspended()
            .says("Get a wallet", "")
            .takes(wallet_in_path())
            .answers(200, "The wallet.", "Wallet")
            .fails(errors::named().into_iter().chain([errors::wallet()]));
    let sign = "/api/wallets/{walletIdOrAddress}/sign";
    let sign = Operation::new(Method::POST, sign, "signMessage", Tag::Wallets)
        .requires(Scope::Sign)
        .says(
            "Sign a message",
            "EIP-191 personal_sign of the text's UTF-8 bytes. Refuses messages that an exchange treats \
             as a login or a key approval.",
        )
        .once()
        .takes(wallet_in_path())
        .body::<SignMessage>(Required::True)
        .fails(errors::sign_message())
        .answers(200, "The signature.", "Signed")
        .fails(errors::named().into_iter().chain(errors::sign()));
    [create, list, get, sign]
}

fn register(exchange: Exchange) -> Operation {
    let (path, name) = of(exchange);
    let Responses { registered, wallet, next, .. } = responses(exchange);
    let advice = format!("If you cannot use the existing key, rotate it: POST {path}/rotate.");
    let mut own = vec![CredentialError::Exists { advice }, CredentialError::Revoking];
    if Profile::of(exchange).makes_keys {
        own.extend([
            CredentialError::NotOffered,
            CredentialError::SecretLost(StoreError::Conflict),
        ]);
    }
    Operation::new(Method::POST, path, format!("register{name}"), Tag::Credentials)
        .requires(Scope::Keys)
        .says(
            format!("Register a trading key with {name}"),
            "A retry resumes where the previous call stopped.",
        )
        .once()
        .body::<RegisterApiKey>(Required::True)
        .fails(errors::register())
        .answers(200, "The exchange has approved the key.", registered)
        .fails(errors::credential(Action::Generate, own))
        .fails(secret(exchange))
        .leads(next.map(|id| to(id, id, ("walletIdOrAddress", wallet))))
}

fn describe(exchange: Exchange) -> Operation {
    let (path, name) = of(exchange);
    Operation::new(Method::GET, path, format!("get{name}ApiKey"), Tag::Credentials)
        .requires(Scope::Read)
        .while_suspended()
        .says(
            format!("Get a wallet's trading key for {name}"),
            "Returns state and metadata, without secrets.",
        )
        .takes(wallet_in_query(Required::True))
        .answers(200, "The state and the metadata.", "ApiKey")
        .fails(errors::unnamed())
        .fails(errors::named().into_iter().take(1))
        .fails([errors::wallet(), ApiError::api_key_not_found()])
}

fn delete(exchange: Exchange) -> Operation {
    let (path, name) = of(exchange);
    let own = vec![CredentialError::NoCredential, CredentialError::NotOffered];
    Operation::new(Method::DELETE, path, format!("delete{name}ApiKey"), Tag::Credentials)
        .requires(Scope::Keys)
        .while_suspended()
        .says(
            format!("Revoke a wallet's trading key for {name}"),
            "Revokes the key on the exchange, then deletes its credential. Name the wallet in the \
             query or in the body. If you give several names, all must name the same wallet.",
        )
        .once()
        .takes(wallet_in_query(Required::False))
        .body::<DeleteApiKey>(Required::False)
        .fails(errors::delete())
        .answers(200, "The key is revoked and deleted.", "ApiKeyRevoked")
        .fails(errors::credential(Action::Revoke, own))
}

fn rotate(exchange: Exchange) -> Operation {
    let (path, name) = of(exchange);
    let own = vec![
        CredentialError::NoCredential,
        CredentialError::Unregistered,
        CredentialError::Revoking,
        CredentialError::NotOffered,
    ];
    Operation::new(
        Method::POST,
        format!("{path}/rotate"),
        format!("rotate{name}ApiKey"),
        Tag::Credentials,
    )
    .requires(Scope::Keys)
    .says(
        format!("Rotate a wallet's trading key for {name}"),
        "The new key is active before the old one is revoked.",
    )
    .once()
    .body::<RotateApiKey>(Required::True)
    .fails(errors::rotate())
    .answers(200, "The new key.", responses(exchange).rotated)
    .fails(errors::credential(Action::Rotate, own))
    .fails(secret(exchange))
}
