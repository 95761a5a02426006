use alloy_primitives::Address;
use exchange_sim::hyperliquid::{Chain, Rules};
use serde_json::json;

use crate::support::{
    DAY_MS, START, Wallet,
    hyperliquid::{Hyperliquid, OK, approval, l1},
};

const PENDING: &str = "User has pending agent removal";
const VALID_UNTIL: &str = "Agent valid_until already expired.";
const USED: &str = "Extra agent already used.";

fn owner() -> Wallet {
    Wallet::number(1)
}

fn agent(number: u8) -> Address {
    Wallet::number(100 + number).address()
}

#[tokio::test]
async fn agent_without_expiry_expires_after_90_days() {
    let hyperliquid = Hyperliquid::new();
    let body = approval(Chain::Mainnet, &owner(), "bot", agent(1), hyperliquid.nonce());
    assert_eq!(hyperliquid.post("/exchange", &body).await.body, OK);
    let until = START + DAY_MS;
    assert_eq!(hyperliquid.approve_until(&owner(), "day", agent(2), until).await, "ok");
    let agents = hyperliquid.exchange.agents_of(owner().address());
    let seen: Vec<_> = agents.iter().map(|it| (it.name.as_str(), it.valid_until)).collect();
    assert_eq!(seen, [("bot", START + 90 * DAY_MS), ("day", until)]);
}

#[tokio::test]
async fn expiry_outside_180_days_is_refused() {
    let hyperliquid = Hyperliquid::new();
    for bad in [START - 1, START, START + 180 * DAY_MS + 1] {
        let said = hyperliquid.approve_until(&owner(), "bot", agent(1), bad).await;
        assert_eq!(said, VALID_UNTIL);
    }
    let beyond_u64 = "bot valid_until 99999999999999999999999";
    assert_eq!(hyperliquid.approve(&owner(), beyond_u64, agent(1)).await, VALID_UNTIL);
    let longest = START + 180 * DAY_MS;
    assert_eq!(hyperliquid.approve_until(&owner(), "bot", agent(1), longest).await, "ok");
}

#[tokio::test]
async fn agent_after_expiry_is_removed() {
    let hyperliquid = Hyperliquid::new();
    let key = Wallet::number(9);
    hyperliquid.approve_until(&owner(), "bot", key.address(), START + 1_000).await;
    hyperliquid.clock.advance(999);
    assert_eq!(hyperliquid.noop(&key).await, "ok");
    hyperliquid.clock.advance(1);
    let unknown = format!("User or API Wallet {:#x} does not exist.", key.address());
    assert_eq!(hyperliquid.noop(&key).await, unknown);
    assert!(hyperliquid.exchange.agents_of(owner().address()).is_empty());
    // No removal is pending, and the address is free.
    assert_eq!(hyperliquid.approve(&owner(), "bot", key.address()).await, "ok");
}

#[tokio::test]
async fn name_over_16_characters_is_refused() {
    let hyperliquid = Hyperliquid::new();
    let too_long = "abcdefghijklmnopq";
    let text = "Extra agent name is too long.";
    assert_eq!(hyperliquid.approve(&owner(), too_long, agent(1)).await, text);
    let said = hyperliquid.approve_until(&owner(), too_long, agent(1), START + 1).await;
    assert_eq!(said, text);
    let until = START + DAY_MS;
    assert_eq!(hyperliquid.approve_until(&owner(), &too_long[..16], agent(1), until).await, "ok");
}

#[tokio::test]
async fn malformed_suffix_is_part_of_name() {
    let hyperliquid = Hyperliquid::new();
    assert_eq!(hyperliquid.approve(&owner(), "a valid_until x", agent(1)).await, "ok");
    assert_eq!(hyperliquid.approve(&owner(), "b valid_until ", agent(2)).await, "ok");
    let names = hyperliquid.exchange.agents_of(owner().address());
    assert_eq!([&*names[0].name, &*names[1].name], ["a valid_until x", "b valid_until "]);
}

#[tokio::test]
async fn same_name_replaces_agent_and_blocks_for_5_s() {
    let hyperliquid = Hyperliquid::new();
    let (old, new) = (Wallet::number(8), Wallet::number(9));
    assert_eq!(hyperliquid.approve(&owner(), "bot", old.address()).await, "ok");
    assert_eq!(hyperliquid.approve(&owner(), "bot", new.address()).await, "ok");
    assert_eq!(hyperliquid.noop(&new).await, "ok");
    // Seen live: the error for the replaced agent names the master.
    let text = format!("Must deposit before performing actions. User: {:#x}", owner().address());
    assert_eq!(hyperliquid.noop(&old).await, text);

    hyperliquid.clock.advance(4_999);
    assert_eq!(hyperliquid.approve(&owner(), "other", agent(1)).await, PENDING);
    assert_eq!(hyperliquid.approve(&Wallet::number(2), "other", agent(2)).await, "ok");
    hyperliquid.clock.advance(1);
    assert_eq!(hyperliquid.approve(&owner(), "other", agent(1)).await, "ok");
    let unknown = format!("User or API Wallet {:#x} does not exist.", old.address());
    assert_eq!(hyperliquid.noop(&old).await, unknown);
}

#[tokio::test]
async fn zero_address_removes_agent_and_blocks_for_5_s() {
    let hyperliquid = Hyperliquid::new();
    let key = Wallet::number(9);
    let missing = "Extra agent does not exist";
    assert_eq!(hyperliquid.approve(&owner(), "bot", Address::ZERO).await, missing);
    assert_eq!(hyperliquid.approve(&owner(), "bot", key.address()).await, "ok");
    assert_eq!(hyperliquid.approve(&owner(), "", agent(1)).await, "ok");
    assert_eq!(hyperliquid.approve(&owner(), "bot", Address::ZERO).await, "ok");
    let unknown = format!("User or API Wallet {:#x} does not exist.", key.address());
    assert_eq!(hyperliquid.noop(&key).await, unknown);
    // Every approval gets this error first, even if it has other faults.
    assert_eq!(hyperliquid.approve(&owner(), "", Address::ZERO).await, PENDING);
    assert_eq!(hyperliquid.approve_until(&owner(), "bot", agent(2), 1).await, PENDING);
    hyperliquid.clock.advance(5_000);
    assert_eq!(hyperliquid.approve(&owner(), "", Address::ZERO).await, "ok");
    hyperliquid.clock.advance(5_000);
    // Only current registrations count.
    assert_eq!(hyperliquid.approve(&owner(), "bot", key.address()).await, "ok");
}

#[tokio::test]
async fn address_of_other_accounts_agent_is_refused() {
    let hyperliquid = Hyperliquid::new();
    assert_eq!(hyperliquid.approve(&owner(), "bot", agent(1)).await, "ok");
    assert_eq!(hyperliquid.approve(&owner(), "bot", agent(1)).await, USED);
    assert_eq!(hyperliquid.approve(&owner(), "", agent(1)).await, USED);
    assert_eq!(hyperliquid.approve(&Wallet::number(2), "bot", agent(1)).await, USED);
    assert_eq!(hyperliquid.approve(&owner(), "me", owner().address()).await, USED);
}

#[tokio::test]
async fn account_holds_three_named_and_one_unnamed_agent() {
    let hyperliquid = Hyperliquid::new();
    let short_lived = START + 1_000;
    assert_eq!(hyperliquid.approve_until(&owner(), "a", agent(1), short_lived).await, "ok");
    assert_eq!(hyperliquid.approve(&owner(), "b", agent(2)).await, "ok");
    assert_eq!(hyperliquid.approve(&owner(), "c", agent(3)).await, "ok");
    assert_eq!(hyperliquid.approve(&owner(), "", agent(4)).await, "ok");
    let text = "Too many extra agents for cumulative volume traded. Current limit is 3";
    assert_eq!(hyperliquid.approve(&owner(), "d", agent(5)).await, text);
    hyperliquid.clock.advance(1_000);
    assert_eq!(hyperliquid.approve(&owner(), "d", agent(5)).await, "ok");
    hyperliquid.exchange.set_rules(Rules { max_named_agents: 4, ..Rules::default() });
    assert_eq!(hyperliquid.approve(&owner(), "e", agent(6)).await, "ok");
}

#[tokio::test]
async fn approval_without_required_deposit_is_refused() {
    let hyperliquid = Hyperliquid::new();
    hyperliquid.exchange.require_deposit(true);
    let address = owner().address();
    let text = format!("Must deposit before performing actions. User: {address:#x}");
    assert_eq!(hyperliquid.approve(&owner(), "bot", agent(1)).await, text);
    assert_eq!(hyperliquid.info("userRole", address).await, json!({"role": "missing"}));
    hyperliquid.exchange.deposit(address);
    assert_eq!(hyperliquid.approve(&owner(), "bot", agent(1)).await, "ok");
}

#[tokio::test]
async fn approval_signed_by_agent_is_refused() {
    let hyperliquid = Hyperliquid::new();
    let key = Wallet::number(9);
    assert_eq!(hyperliquid.approve(&owner(), "bot", key.address()).await, "ok");
    let text = format!("Must deposit before performing actions. User: {:#x}", key.address());
    assert_eq!(hyperliquid.approve(&key, "bot2", agent(1)).await, text);
}

#[tokio::test]
async fn changed_approval_has_unknown_signer() {
    let change = [
        ("agentName", json!("bos")),
        ("agentAddress", json!(agent(2))),
        ("signatureChainId", json!("0x1")),
        ("hyperliquidChain", json!("Testnet")),
    ];
    for (field, value) in change {
        let hyperliquid = Hyperliquid::new();
        hyperliquid.exchange.require_deposit(true);
        hyperliquid.exchange.deposit(owner().address());
        let mut body = approval(Chain::Mainnet, &owner(), "bot", agent(1), START);
        body["action"][field] = value;
        let said = hyperliquid.exchange(&body).await;
        let user = said.strip_prefix("Must deposit before performing actions. User: 0x").unwrap();
        assert_eq!(user, user.to_lowercase());
        // Only signed data counts: changing the sent chain alone does not change the signer.
        let is_owner = format!("0x{user}") == format!("{:#x}", owner().address());
        assert_eq!(is_owner, field == "hyperliquidChain");
    }
}

#[tokio::test]
async fn approval_for_vault_is_refused() {
    let hyperliquid = Hyperliquid::new();
    let mut body = approval(Chain::Mainnet, &owner(), "bot", agent(1), START);
    body["vaultAddress"] = json!(agent(7));
    assert_eq!(hyperliquid.exchange(&body).await, "Vault may not perform this action.");
}

#[tokio::test]
async fn nonce_of_failed_action_is_used() {
    let hyperliquid = Hyperliquid::new();
    let duplicate = format!("Invalid nonce: duplicate nonce {START}");
    let body = approval(Chain::Mainnet, &owner(), "bot", Address::ZERO, START);
    assert_eq!(hyperliquid.exchange(&body).await, "Extra agent does not exist");
    assert_eq!(hyperliquid.exchange(&body).await, duplicate);
    // Another signer has its own nonces.
    let body = approval(Chain::Mainnet, &Wallet::number(2), "bot", agent(1), START);
    assert_eq!(hyperliquid.exchange(&body).await, "ok");
}

#[tokio::test]
async fn nonce_outside_time_window_is_refused() {
    let two_days_ago = START - 2 * DAY_MS;
    let cases = [
        (
            two_days_ago,
            format!("Invalid nonce: nonce too low {two_days_ago} < {}", two_days_ago + 1),
        ),
        (two_days_ago + 1, "ok".to_owned()),
        (START + DAY_MS - 1, "ok".to_owned()),
        (
            START + DAY_MS,
            format!("Invalid nonce: nonce too high {} > {}", START + DAY_MS, START + DAY_MS),
        ),
    ];
    for (nonce, expected) in cases {
        let hyperliquid = Hyperliquid::new();
        let body = approval(Chain::Mainnet, &owner(), "bot", agent(1), nonce);
        assert_eq!(hyperliquid.exchange(&body).await, expected);
    }
}

#[tokio::test]
async fn nonce_below_100_highest_is_refused() {
    let hyperliquid = Hyperliquid::new();
    let key = Wallet::number(9);
    assert_eq!(hyperliquid.approve(&owner(), "bot", key.address()).await, "ok");
    let noop = json!({"type": "noop"});
    let send = |nonce| l1(Chain::Mainnet, &key, &noop, nonce, None, None);
    for nonce in (START + 2..START + 202).step_by(2) {
        assert_eq!(hyperliquid.exchange(&send(nonce)).await, "ok");
    }
    let too_low = |nonce, lowest| format!("Invalid nonce: nonce too low {nonce} < {lowest}");
    let low = START + 1;
    assert_eq!(hyperliquid.exchange(&send(low)).await, too_low(low, START + 2));
    // A nonce in between is accepted and evicts the lowest, which is then too low rather than
    // duplicate.
    assert_eq!(hyperliquid.exchange(&send(START + 3)).await, "ok");
    assert_eq!(hyperliquid.exchange(&send(START + 2)).await, too_low(START + 2, START + 3));
}
