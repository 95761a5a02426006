use exchange_sim::hyperliquid::Rules;
use serde_json::json;

use crate::support::{DAY_MS, START, Wallet, hyperliquid::Hyperliquid};

#[tokio::test]
async fn extra_agents_lists_names_without_suffix() {
    let hyperliquid = Hyperliquid::new();
    let (owner, bot) = (Wallet::number(1), Wallet::number(8).address());
    assert_eq!(hyperliquid.info("extraAgents", owner.address()).await, json!([]));
    let until = START + DAY_MS;
    hyperliquid.approve_until(&owner, "bot", bot, until).await;
    hyperliquid.approve(&owner, "", Wallet::number(9).address()).await;
    let listed = json!([{"name": "bot", "address": format!("{bot:#x}"), "validUntil": until}]);
    assert_eq!(hyperliquid.info("extraAgents", owner.address()).await, listed);
    // Both agents can act.
    assert_eq!(hyperliquid.exchange.agents_of(owner.address()).len(), 2);
    hyperliquid.clock.advance(DAY_MS);
    assert_eq!(hyperliquid.info("extraAgents", owner.address()).await, json!([]));
}

#[tokio::test]
async fn user_role_returns_master_of_agent() {
    let hyperliquid = Hyperliquid::new();
    let (owner, agents) = (Wallet::number(1), [8, 9].map(|key| Wallet::number(key).address()));
    let missing = json!({"role": "missing"});
    assert_eq!(hyperliquid.info("userRole", owner.address()).await, missing);
    assert_eq!(hyperliquid.info("userRole", agents[0]).await, missing);
    hyperliquid.approve(&owner, "bot", agents[0]).await;
    hyperliquid.approve(&owner, "", agents[1]).await;
    let master = format!("{:#x}", owner.address());
    for agent in agents {
        let role = json!({"role": "agent", "data": {"user": master}});
        assert_eq!(hyperliquid.info("userRole", agent).await, role);
    }
    assert_eq!(hyperliquid.info("userRole", owner.address()).await, json!({"role": "user"}));
    hyperliquid.clock.advance(90 * DAY_MS);
    assert_eq!(hyperliquid.info("userRole", agents[0]).await, missing);
}

#[tokio::test]
async fn account_with_deposit_has_role_user() {
    let hyperliquid = Hyperliquid::new();
    let address = Wallet::number(1).address();
    hyperliquid.exchange.deposit(address);
    assert_eq!(hyperliquid.info("userRole", address).await, json!({"role": "user"}));
}

#[tokio::test]
async fn unknown_info_request_returns_422() {
    let hyperliquid = Hyperliquid::new();
    let questions = [
        json!({"type": "agents", "user": Wallet::number(1).address()}),
        json!({"type": "userRole"}),
        json!({"type": "userRole", "user": "0x12"}),
        json!([]),
    ];
    for question in questions {
        let answer = hyperliquid.post("/info", &question).await;
        assert_eq!(answer.status, 422);
        assert_eq!(answer.body, "Failed to deserialize the JSON body into the target type");
    }
}

#[tokio::test]
async fn requests_over_minute_weight_return_429() {
    let hyperliquid = Hyperliquid::new();
    let user = Wallet::number(1).address();
    hyperliquid.exchange.set_rules(Rules { weight_per_minute: 81, ..Rules::default() });
    hyperliquid.info("userRole", user).await;
    hyperliquid.clock.advance(10_000);
    hyperliquid.info("extraAgents", user).await;
    let unknown = format!("User or API Wallet {user:#x} does not exist.");
    assert_eq!(hyperliquid.noop(&Wallet::number(1)).await, unknown);
    let question = json!({"type": "userRole", "user": user});
    let refused = hyperliquid.post("/info", &question).await;
    assert_eq!((refused.status.as_u16(), refused.body.as_str()), (429, "null"));
    assert_eq!(refused.headers["retry-after"], "50");
    hyperliquid.clock.advance(50_000);
    assert_eq!(hyperliquid.post("/info", &question).await.status, 200);

    let requests = hyperliquid.exchange.requests();
    let seen: Vec<_> = requests.iter().map(|it| (it.kind, it.weight, it.accepted)).collect();
    let expected = [
        ("userRole", 60, true),
        ("extraAgents", 20, true),
        ("noop", 1, false),
        ("userRole", 60, false),
        ("userRole", 60, true),
    ];
    assert_eq!(seen, expected);
    assert_eq!((requests[2].path.as_str(), requests[2].at), ("/exchange", START + 10_000));
}

#[tokio::test]
async fn forty_orders_add_one_weight() {
    let hyperliquid = Hyperliquid::new();
    let order = json!({
        "a": 1, "b": true, "p": "2000", "s": "1", "r": false, "t": {"limit": {"tif": "Gtc"}},
    });
    for batch in [1, 39, 40, 80] {
        let action = json!({"type": "order", "orders": vec![&order; batch], "grouping": "na"});
        hyperliquid.act(&Wallet::number(1), &action).await;
    }
    let weights: Vec<_> = hyperliquid.exchange.requests().iter().map(|it| it.weight).collect();
    assert_eq!(weights, [1, 1, 2, 3]);
}

#[tokio::test]
async fn info_requests_of_sdk_clients_are_supported() {
    let hyperliquid = Hyperliquid::new();
    for (question, field) in [
        (json!({"type": "meta"}), "universe"),
        (json!({"type": "meta", "dex": ""}), "universe"),
        (json!({"type": "spotMeta"}), "tokens"),
        (json!({"type": "exchangeStatus"}), "time"),
        (json!({"type": "metaAndAssetCtxs"}), "/1/3/markPx"),
        (json!({"type": "metaAndAssetCtxs", "dex": "xyz"}), "/1/0/midPx"),
        (json!({"type": "spotMetaAndAssetCtxs"}), "/1/1/coin"),
    ] {
        let answer = hyperliquid.post("/info", &question).await;
        assert_eq!(answer.status, 200, "{question}");
        let found = answer.json();
        let found = if field.starts_with('/') { found.pointer(field) } else { found.get(field) };
        assert!(found.is_some_and(|value| !value.is_null()), "{question}");
    }
}
