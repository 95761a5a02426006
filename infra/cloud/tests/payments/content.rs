//! Contents that are never signed: fees, system addresses, tokens and chains of no list.

use domain::money::{
    Dex, EvmFee, EvmToken, HyperliquidSendAsset, HyperliquidWithdraw, Payment, Route,
};
use protocol::PaymentRefusal;

use crate::orders::{aster, order, send, transfer, withdraw};
use crate::stack::{Stack, TREASURY};

/// Asserts that the payment is refused for what it is.
async fn refused(stack: &Stack, id: &str, payment: Payment) {
    let refused = stack.pay(&order(id, payment)).await;
    assert!(matches!(refused, Err(PaymentRefusal::NotAllowed(_))), "{id}: {refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn inflated_fee_is_refused_or_counted() {
    let stack = Stack::new().await;
    let fee_too_high = |result| matches!(result, Err(PaymentRefusal::FeeTooHigh { .. }));
    assert!(fee_too_high(stack.pay(&order("1", aster("20", "1.1"))).await));
    let Payment::HyperliquidWithdraw(payment) = withdraw("20") else { unreachable!() };
    let max_fee = "1.5".parse().unwrap();
    let costly = HyperliquidWithdraw { max_fee, ..payment };
    assert!(fee_too_high(stack.pay(&order("2", Payment::HyperliquidWithdraw(costly))).await));
    let mut costly = transfer("20", 0);
    costly.fee = EvmFee::Dynamic {
        max_fee_per_gas: 10_000_000_001,
        max_priority_fee_per_gas: 10_000_000_001,
    };
    assert!(fee_too_high(stack.pay(&order("3", Payment::EvmTokenTransfer(costly.clone()))).await));
    costly.fee = EvmFee::Legacy { gas_price: 1 };
    costly.gas_limit = 2_000_001;
    refused(&stack, "4", Payment::EvmTokenTransfer(costly)).await;

    // Fees within the maximum count.
    stack.pay(&order("5", aster("50", "1"))).await.unwrap();
    let above = stack.pay(&order("6", aster("48.5", "0.6"))).await;
    assert!(matches!(above, Err(PaymentRefusal::LimitExceeded { .. })), "{above:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn gas_counts_against_the_limit_of_the_native_coin() {
    let stack = Stack::new().await;
    stack.set_limit("evm:42161/native", ("0.00003", "1"), Some("90")).await;
    let paid = |id: &str, nonce| order(id, Payment::EvmTokenTransfer(transfer("1", nonce)));
    // Each may cost 0.00002.
    stack.pay(&paid("1", 0)).await.unwrap();
    let above = stack.pay(&paid("2", 1)).await;
    let Err(PaymentRefusal::LimitExceeded { asset, left, .. }) = above else {
        panic!("expected an exceeded limit: {above:?}")
    };
    assert_eq!(
        (asset.to_string().as_str(), left.to_string().as_str()),
        ("evm:42161/native", "0.00001")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn unlisted_content_is_refused() {
    let stack = Stack::new().await;
    for system in [
        "0x2000000000000000000000000000000000000000",
        "0x2222222222222222222222222222222222222222",
        "0x20000000000000000000000000000000000000c8",
    ] {
        let sent = HyperliquidSendAsset { destination: system.parse().unwrap(), ..send("1") };
        refused(&stack, system, Payment::HyperliquidSendAsset(sent)).await;
    }
    let other_dex = Dex::try_from("xyz".to_owned()).unwrap();
    let sent = HyperliquidSendAsset { target: other_dex, ..send("1") };
    refused(&stack, "dex", Payment::HyperliquidSendAsset(sent)).await;
    let namesake = "USDC:0x00000000000000000000000000000000".to_owned().try_into().unwrap();
    let sent = HyperliquidSendAsset { token: namesake, ..send("1") };
    refused(&stack, "namesake", Payment::HyperliquidSendAsset(sent)).await;
    let own = HyperliquidSendAsset { destination: stack.address(), ..send("1") };
    // The cosigner learns its wallet's address only with the share, in the signing call.
    let result = stack.pay(&order("own", Payment::HyperliquidSendAsset(own))).await;
    assert_eq!(result, Err(PaymentRefusal::DestinationNotAllowed));

    let mut fake = transfer("1", 0);
    let EvmToken::Erc20 { contract, .. } = &mut fake.token else { unreachable!() };
    *contract = TREASURY.parse().unwrap();
    refused(&stack, "contract", Payment::EvmTokenTransfer(fake)).await;
    let mut fake = transfer("1", 0);
    let EvmToken::Erc20 { decimals, .. } = &mut fake.token else { unreachable!() };
    *decimals = 0;
    refused(&stack, "decimals", Payment::EvmTokenTransfer(fake)).await;
    let mut other = transfer("1", 0);
    other.chain_id = 10;
    refused(&stack, "chain", Payment::EvmTokenTransfer(other)).await;
    for (domain, gas_limit) in [(9, 200_000), (3, 200_001)] {
        let route = Route::Cctp { domain, gas_limit, source: Dex::perps() };
        let Payment::HyperliquidWithdraw(payment) = withdraw("20") else { unreachable!() };
        let payment = Payment::HyperliquidWithdraw(HyperliquidWithdraw { route, ..payment });
        refused(&stack, &format!("cctp-{domain}"), payment).await;
    }
    // The listed address on the chain of another CCTP domain.
    let route = Route::Cctp { domain: 6, gas_limit: 200_000, source: Dex::perps() };
    let Payment::HyperliquidWithdraw(payment) = withdraw("20") else { unreachable!() };
    let payment = Payment::HyperliquidWithdraw(HyperliquidWithdraw { route, ..payment });
    let result = stack.pay(&order("base", payment)).await;
    assert_eq!(result, Err(PaymentRefusal::DestinationNotAllowed));
}
