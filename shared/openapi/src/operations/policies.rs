//! Trading policies.

use http::Method;
use shared::api::requests::SetTradingPolicy;
use shared::tenancy::Scope;
use utoipa::openapi::Required;

use super::Operation;
use crate::errors::trading;
use crate::parameters::{wallet_in_header, wallet_in_query};
use crate::tags::Tag;

pub(super) fn all() -> [Operation; 2] {
    let path = "/api/trading/policy";
    let get = Operation::new(Method::GET, path, "getTradingPolicy", Tag::TradingPolicies)
        .requires(Scope::Read)
        .while_suspended()
        .says(
            "Get the trading policy",
            "Returns the tenant's policy. If the request names a wallet, also returns the wallet's \
             override, and the policy in effect for the wallet.",
        )
        .takes(wallet_in_header())
        .takes(wallet_in_query(Required::False))
        .answers(200, "The policy.", "TradingPolicy")
        .fails(trading::names().into_iter().skip(1));
    let set = Operation::new(Method::PUT, path, "setTradingPolicy", Tag::TradingPolicies)
        .requires(Scope::Trade)
        .says(
            "Set the trading policy",
            "Replaces the tenant's policy, or the override of the wallet that the request names. A \
             change that tightens is in effect at once. A change that loosens any limit also \
             requires the scope admin, and takes effect after a delay (24 hours by default). A key \
             with the scope admin can undo a tightening by other keys at once, within that delay. \
             Its changes replace one that is still pending.",
        )
        .takes(wallet_in_header())
        .takes(wallet_in_query(Required::False))
        .body::<SetTradingPolicy>(Required::True)
        .answers(200, "The policy after the change.", "TradingPolicy")
        .fails(trading::names().into_iter().skip(1))
        .fails(trading::policy_request())
        .fails(trading::policy());
    [get, set]
}
