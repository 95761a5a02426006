//! Changes that an account's owner makes with another client.

use crate::support::{
    DAY_MS, START, Wallet,
    aster::{Aster, said},
    hyperliquid::Hyperliquid,
};

fn owner() -> Wallet {
    Wallet::number(1)
}

fn agent() -> Wallet {
    Wallet::number(9)
}

#[tokio::test]
async fn hyperliquid_lists_agent_added_elsewhere() {
    let hyperliquid = Hyperliquid::new();
    let (exchange, owner, agent) = (&hyperliquid.exchange, owner().address(), agent());
    assert!(exchange.add_agent(owner, "bot", agent.address(), START + DAY_MS));
    assert_eq!(hyperliquid.info("userRole", agent.address()).await["role"], "agent");
    assert_eq!(hyperliquid.noop(&agent).await, "ok");
    let listed = hyperliquid.info("extraAgents", owner).await;
    assert_eq!(
        (&listed[0]["name"], &listed[0]["validUntil"]),
        (&"bot".into(), &(START + DAY_MS).into())
    );
    assert!(!exchange.add_agent(owner, "other", agent.address(), START + DAY_MS), "address in use");
    // Slots are not enforced, and the same name replaces.
    for number in 10..20 {
        let address = Wallet::number(number).address();
        assert!(exchange.add_agent(owner, &format!("bot{number}"), address, START + DAY_MS));
    }
    assert!(exchange.add_agent(owner, "bot", Wallet::number(8).address(), START + DAY_MS));
    assert_eq!(exchange.agents_of(owner).len(), 11);
    assert_eq!(hyperliquid.info("userRole", agent.address()).await["role"], "missing");
    hyperliquid.clock.advance(DAY_MS);
    assert!(exchange.agents_of(owner).is_empty());
}

#[tokio::test]
async fn hyperliquid_omits_agent_removed_elsewhere() {
    let hyperliquid = Hyperliquid::new();
    let (exchange, agent) = (&hyperliquid.exchange, agent().address());
    assert!(!exchange.remove_agent(owner().address(), agent), "not there yet");
    for name in ["bot", ""] {
        assert_eq!(hyperliquid.approve(&owner(), name, agent).await, "ok");
        assert!(!exchange.remove_agent(Wallet::number(2).address(), agent), "another's account");
        assert!(exchange.remove_agent(owner().address(), agent));
        assert!(exchange.agents_of(owner().address()).is_empty());
        assert_eq!(hyperliquid.info("userRole", agent).await["role"], "missing");
        let pending = hyperliquid.approve(&owner(), name, agent).await;
        assert_eq!(pending, "User has pending agent removal");
        hyperliquid.clock.advance(5_000);
    }
}

#[tokio::test]
async fn aster_lists_agent_added_elsewhere() {
    let aster = Aster::new();
    let (exchange, owner, agent) = (&aster.exchange, owner().address(), agent());
    assert!(exchange.add_agent(owner, "bot", agent.address(), START + 1));
    let known = exchange.agents_of(owner);
    assert_eq!((known[0].name.as_str(), known[0].expired), ("bot", START + 1));
    assert!(known[0].can_spot_trade && known[0].can_perp_trade && !known[0].can_withdraw);
    assert!(!exchange.add_agent(owner, "bot", Wallet::number(8).address(), START + 1));
    assert!(!exchange.add_agent(owner, "bot2", agent.address(), START + 1));
    assert_eq!(aster.call("/fapi/v3/agent", owner, &agent).await.status, 200);
    aster.clock.advance(1);
    let expired = aster.call("/fapi/v3/agent", owner, &agent).await;
    assert_eq!(said(&expired), "-1000 No agent found");
}

#[tokio::test]
async fn aster_omits_agent_removed_elsewhere() {
    let aster = Aster::new();
    let (exchange, user) = (&aster.exchange, owner().address());
    assert!(!exchange.remove_agent(user, agent().address()), "not there yet");
    assert_eq!(aster.register(&owner(), "bot", agent().address()).await, "200 success");
    assert!(exchange.remove_agent(user, agent().address()));
    assert!(!exchange.remove_agent(user, agent().address()), "gone already");
    let answer = aster.call("/fapi/v3/agent", user, &agent()).await;
    assert_eq!(said(&answer), "-1000 No agent found");
    assert_eq!(aster.register(&owner(), "bot", agent().address()).await, "200 success");
}
