//! Runs the operations on the agents that an exchange lists.

use exchange_sim::Address;
use exchange_sim::faults::Fault;
use http::Method;
use serde_json::json;

use super::{Exchange, erase_response, wear_out};
use crate::cloud::Cloud;

fn paths(exchange: &Exchange, user: &str) -> (String, String) {
    let agents = exchange.path.replace("apikey", "agents");
    let query = format!("?walletIdOrAddress={user}");
    (format!("{agents}{query}"), format!("{agents}/hdxlost{query}"))
}

async fn add(cloud: &Cloud, exchange: &Exchange, user: &str, byte: u8) {
    let view = e2e::invariants::view(&cloud.app, user).await;
    let master = view.wallet.address.to_string().parse().unwrap();
    (exchange.add)(&cloud.app, master, Address::repeat_byte(byte));
}

/// Lists and removes a leftover next to the current agent, also with a lost response.
pub(super) async fn listed_and_removed(cloud: &Cloud, exchange: &Exchange) {
    cloud.app.clock.advance_ms(60_000);
    let (list_path, path) = paths(exchange, "user_2");
    let list = async || {
        let (status, listed) = cloud.send("list-agents", (Method::GET, &list_path), None).await;
        assert_eq!(status, 200, "{listed}");
        listed["data"]["agents"].as_array().unwrap().len()
    };
    assert_eq!(list().await, 1);
    add(cloud, exchange, "user_2", 0x31).await;
    assert_eq!(list().await, 2);
    // Nonce and budget are used, the response is lost, and the list shows the outcome.
    (exchange.fail)(&cloud.app, exchange.remove, Fault::AppliedButLost);
    let gone = cloud.send_twice("delete-agent", (Method::DELETE, &path), json!({})).await;
    assert_eq!(gone.0, 200, "{gone:?}");
    assert_eq!(list().await, 1);
    let gone = cloud.send("delete-agent", (Method::DELETE, &path), None).await;
    assert_eq!(gone.0, 404, "{gone:?}");
    // A key whose function was killed before it stored the response.
    erase_response(cloud, &format!("DELETE:{path}")).await;
    let gone = cloud.send_twice("delete-agent", (Method::DELETE, &path), json!({})).await;
    assert_eq!(gone.0, 404, "{gone:?}");
}

/// The shares of a worn wallet are refreshed before a removal is signed.
pub(super) async fn removed_when_worn(cloud: &Cloud, exchange: &Exchange, user: &str) {
    cloud.app.clock.advance_ms(60_000);
    add(cloud, exchange, user, 0x35).await;
    wear_out(cloud, user).await;
    let (_, path) = paths(exchange, user);
    let gone = cloud.send("delete-agent", (Method::DELETE, &path), None).await;
    assert_eq!(gone.0, 200, "{gone:?}");
}
