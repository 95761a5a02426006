//! The paths of the API, with their published weights.

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::{StatusCode, header};
use serde_json::Value;
use url::form_urlencoded;

use super::refusal::{INVALID_PARAMETER, RESTRICTED, Refusal};
use super::{Exchange, reads, send, wire};
use crate::edge::{Call, MAX_BODY_BYTES, Moment, Reply};
use crate::requests::Limit;

/// Requests per minute of a standard account.
const STANDARD_PER_MINUTE: u32 = 60;

/// Parameters of a request, and the value of `Authorization`.
#[derive(Clone, Default)]
pub(super) struct Parameters {
    pairs: Vec<(String, String)>,
    pub(super) authorization: Option<String>,
}

impl Parameters {
    fn parse(text: &str) -> Self {
        let pairs = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        Self { pairs, authorization: None }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn text(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).filter(|value| !value.is_empty()).ok_or(INVALID_PARAMETER)
    }

    /// Parses a mandatory number.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<T, Refusal> {
        self.text(name)?.parse().map_err(|_| INVALID_PARAMETER)
    }

    /// Parses a number that may be absent.
    pub(super) fn optional<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Refusal> {
        self.get(name).map(|text| text.parse().map_err(|_| INVALID_PARAMETER)).transpose()
    }
}

/// A read.
type Answer = fn(&Exchange, &Parameters, Moment) -> Result<Value, Refusal>;

/// Path, kind, weight, and what answers.
const READS: [(&str, &str, u32, Answer); 11] = [
    ("/api/v1/nextNonce", "nextNonce", 6, reads::next_nonce),
    ("/api/v1/apikeys", "apikeys", 150, reads::api_keys),
    ("/api/v1/tx", "tx", 300, reads::tx),
    ("/api/v1/account", "account", 300, reads::account),
    ("/api/v1/accountsByL1Address", "accountsByL1Address", 300, reads::accounts_by_l1_address),
    ("/api/v1/orderBooks", "orderBooks", 300, reads::order_books),
    ("/api/v1/orderBookDetails", "orderBookDetails", 300, reads::order_book_details),
    ("/api/v1/orderBookOrders", "orderBookOrders", 300, reads::order_book_orders),
    ("/api/v1/accountOrders", "accountOrders", 100, reads::account_orders),
    ("/api/v1/accountActiveOrders", "accountActiveOrders", 100, reads::active_orders),
    ("/api/v1/accountInactiveOrders", "accountInactiveOrders", 100, reads::inactive_orders),
];

/// Weight of a call that sends transactions.
const SEND_WEIGHT: u32 = 6;

pub(super) fn router(exchange: &Exchange) -> Router {
    let mut router = Router::new()
        .route("/api/v1/sendTx", post(send_one))
        .route("/api/v1/sendTxBatch", post(send_batch));
    for (path, kind, weight, answer) in READS {
        let read = move |State(exchange): State<Exchange>, request: Request| async move {
            let mut parameters = Parameters::parse(request.uri().query().unwrap_or_default());
            let value = request.headers().get(header::AUTHORIZATION);
            let value = value.and_then(|value| value.to_str().ok()).map(str::to_owned);
            parameters.authorization = value;
            let reader = exchange.clone();
            let apply = move |at: Moment| {
                reader.settle(at.now);
                reply(permitted(&reader).and_then(|()| answer(&reader, &parameters, at)))
            };
            pass(&exchange, (path, kind, weight), apply).await
        };
        router = router.route(path, get(read));
    }
    router.with_state(exchange.clone())
}

async fn send_one(State(exchange): State<Exchange>, request: Request) -> Response {
    let parameters = form(request).await;
    let kind = parameters.get("tx_type").map_or("otherTx", wire::kind);
    let sender = exchange.clone();
    let apply = move |at: Moment| {
        reply(permitted(&sender).and_then(|()| send::one(&sender, &parameters, at.now)))
    };
    pass(&exchange, ("/api/v1/sendTx", kind, SEND_WEIGHT), apply).await
}

async fn send_batch(State(exchange): State<Exchange>, request: Request) -> Response {
    let parameters = form(request).await;
    let sender = exchange.clone();
    let apply = move |at: Moment| {
        reply(permitted(&sender).and_then(|()| send::batch(&sender, &parameters, at.now)))
    };
    pass(&exchange, ("/api/v1/sendTxBatch", "sendTxBatch", SEND_WEIGHT), apply).await
}

/// Reads a form. A body of another type has no parameters. The real exchange also reads
/// `multipart/form-data`.
async fn form(request: Request) -> Parameters {
    let (head, body) = request.into_parts();
    let kind = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
        return Parameters::default();
    }
    let body = to_bytes(body, MAX_BODY_BYTES).await.unwrap_or_default();
    Parameters::parse(std::str::from_utf8(&body).unwrap_or_default())
}

fn permitted(exchange: &Exchange) -> Result<(), Refusal> {
    if exchange.rules().restricted { Err(RESTRICTED) } else { Ok(()) }
}

fn reply(result: Result<Value, Refusal>) -> Reply {
    match result {
        Ok(body) => Reply::json(true, StatusCode::OK, &body),
        Err(refusal) => Reply::json(false, StatusCode::BAD_REQUEST, &refusal.body()),
    }
}

async fn pass(
    exchange: &Exchange,
    (path, kind, weight): (&str, &'static str, u32),
    apply: impl Fn(Moment) -> Reply + Send + Sync + 'static,
) -> Response {
    let rules = exchange.rules();
    let (weight, limit) = if rules.standard {
        (1, Limit { name: "requests", per_minute: STANDARD_PER_MINUTE })
    } else {
        (weight, Limit { name: "weight", per_minute: rules.weight_per_minute })
    };
    exchange.0.edge.pass(Call { path: path.to_owned(), kind, weight, limit }, apply).await
}
