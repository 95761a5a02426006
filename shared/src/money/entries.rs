//! Entries of the exchanges' ledgers that belong to a payment.

use domain::eth::Address;
use domain::money::{AsterWithdraw, Payment, Route};

use super::LEASE_MS;
use super::plan::USDC_SYSTEM;
use crate::exchanges::aster::money::HistoryEntry;
use crate::exchanges::hyperliquid::money::{LedgerEntry, LedgerKind};
use crate::store::SignedPayment;

/// How far the ledger's clock may be behind the nonce's, in milliseconds.
pub(super) const CLOCK_MS: u64 = 60_000;

/// Returns whether Hyperliquid's ledger shows the nonce of a payment. `usdSend` and
/// `usdClassTransfer` have none there. Source: the SDK's types of the ledger.
pub(super) const fn has_nonce_in_ledger(payment: &Payment) -> bool {
    match payment {
        Payment::HyperliquidWithdraw(_) => true,
        Payment::HyperliquidSendAsset(send) => !send.standard,
        Payment::HyperliquidMoveOwn(moved) => !moved.standard,
        Payment::AsterWithdraw(_) | Payment::EvmTokenTransfer(_) => false,
    }
}

/// Returns whether an entry of Hyperliquid's ledger is a payment: its nonce, kind and receiver. The
/// ledger also lists what others send to the wallet, with nonces of their choice, and what an agent
/// moves, with the agent's own nonces.
pub(super) fn is_payment(
    entry: &LedgerEntry,
    payment: &Payment,
    wallet: Address,
    nonce_ms: u64,
) -> bool {
    let sent_to = |receiver| {
        entry.kind == LedgerKind::Send
            && entry.sender == Some(wallet)
            && entry.destination == Some(receiver)
    };
    let is_kind = match payment {
        Payment::HyperliquidWithdraw(withdraw) => match withdraw.route {
            Route::Bridge => entry.kind == LedgerKind::Withdraw,
            Route::Cctp { .. } => USDC_SYSTEM.parse().is_ok_and(sent_to),
        },
        Payment::HyperliquidSendAsset(send) => sent_to(send.destination),
        Payment::HyperliquidMoveOwn(_) => sent_to(wallet),
        Payment::AsterWithdraw(_) | Payment::EvmTokenTransfer(_) => false,
    };
    is_kind && entry.nonce == Some(nonce_ms)
}

/// Returns whether an entry of Aster's history can be a withdrawal.
pub(super) fn is_withdrawal(
    entry: &HistoryEntry,
    wanted: &AsterWithdraw,
    signed: &SignedPayment,
) -> bool {
    entry.is_withdrawal
        && entry.asset == wanted.asset
        && entry.chain_id == wanted.chain_id
        && entry.amount == wanted.amount
        && entry.at_ms.saturating_add(CLOCK_MS) >= signed.at_ms
        && entry.at_ms <= signed.at_ms.saturating_add(LEASE_MS + CLOCK_MS)
}

#[cfg(test)]
mod tests {
    use domain::money::{
        Dex, HyperliquidMoveOwn, HyperliquidSendAsset, HyperliquidToken, HyperliquidWithdraw,
        Nonces,
    };

    use domain::policy::Amount;

    use super::super::tests::record;
    use super::*;
    use crate::exchanges::aster::money::HistoryState;

    const NONCE: u64 = 1_790_000_000_000;

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    fn usdc() -> HyperliquidToken {
        "USDC:0x6d1e7cde53ba9467b783cb7c530ce054".to_owned().try_into().unwrap()
    }

    fn address(nth: u8) -> Address {
        format!("0x{nth:040x}").parse().unwrap()
    }

    fn wallet() -> Address {
        address(1)
    }

    fn treasury() -> Address {
        address(2)
    }

    fn entry(kind: LedgerKind, nonce: Option<u64>, destination: Address) -> LedgerEntry {
        LedgerEntry {
            hash: "0xaa".to_owned(),
            kind,
            nonce,
            sender: Some(wallet()),
            destination: Some(destination),
            fee: None,
            at_ms: NONCE,
        }
    }

    fn send(standard: bool) -> Payment {
        Payment::HyperliquidSendAsset(HyperliquidSendAsset {
            destination: treasury(),
            token: usdc(),
            amount: amount("5"),
            source: Dex::perps(),
            target: Dex::perps(),
            standard,
        })
    }

    fn move_own(standard: bool) -> Payment {
        Payment::HyperliquidMoveOwn(HyperliquidMoveOwn {
            token: usdc(),
            amount: amount("5"),
            from: Dex::spot(),
            to: Dex::perps(),
            standard,
        })
    }

    fn withdraw(route: Route) -> Payment {
        Payment::HyperliquidWithdraw(HyperliquidWithdraw {
            destination: treasury(),
            amount: amount("5"),
            route,
            max_fee: amount("1"),
        })
    }

    fn is(entry: &LedgerEntry, payment: &Payment) -> bool {
        is_payment(entry, payment, wallet(), NONCE)
    }

    #[test]
    fn ledger_entry_with_another_nonce_is_another_payment() {
        let bridge = withdraw(Route::Bridge);
        let withdrawn = |nonce| LedgerEntry {
            sender: None,
            destination: None,
            ..entry(LedgerKind::Withdraw, nonce, treasury())
        };
        assert!(is(&withdrawn(Some(NONCE)), &bridge));
        assert!(!is(&withdrawn(Some(NONCE + 1)), &bridge));
        assert!(!is(&withdrawn(None), &bridge));
        let cctp = withdraw(Route::Cctp { domain: 3, gas_limit: 200_000, source: Dex::perps() });
        let system = USDC_SYSTEM.parse().unwrap();
        assert!(is(&entry(LedgerKind::Send, Some(NONCE), system), &cctp));
        assert!(!is(&entry(LedgerKind::Send, Some(NONCE), treasury()), &cctp));
    }

    /// Anybody can send to the wallet with any nonce, and an agent has nonces of its own.
    #[test]
    fn ledger_entry_of_another_sender_or_receiver_is_another_payment() {
        let sent = entry(LedgerKind::Send, Some(NONCE), treasury());
        assert!(is(&sent, &send(false)));
        let moved = entry(LedgerKind::Send, Some(NONCE), wallet());
        assert!(is(&moved, &move_own(false)) && !is(&moved, &send(false)));
        for other in [
            LedgerEntry { sender: Some(address(9)), ..sent.clone() },
            LedgerEntry { sender: None, ..sent.clone() },
            LedgerEntry { destination: None, ..sent.clone() },
            LedgerEntry { kind: LedgerKind::Other, ..sent.clone() },
            LedgerEntry { nonce: None, ..sent },
        ] {
            assert!(!is(&other, &send(false)), "{other:?}");
        }
    }

    #[test]
    fn payment_without_nonce_in_the_ledger_is_not_looked_up_there() {
        for payment in [send(true), move_own(true)] {
            assert!(!has_nonce_in_ledger(&payment), "{payment:?}");
        }
        for payment in [send(false), move_own(false), withdraw(Route::Bridge)] {
            assert!(has_nonce_in_ledger(&payment), "{payment:?}");
        }
    }

    #[test]
    fn history_entry_matches_asset_amount_chain_and_time() {
        let Payment::AsterWithdraw(wanted) = record().payment else { panic!() };
        let nonces = Nonces::Aster(NONCE * 1_000, NONCE * 1_000);
        let body = String::new();
        let signed = SignedPayment { nonces, body, at_ms: NONCE, fenced_at_ms: None };
        let entry = HistoryEntry {
            id: "7".to_owned(),
            is_withdrawal: true,
            asset: "USDT".to_owned(),
            amount: amount("50"),
            chain_id: 56,
            state: HistoryState::Processing,
            tx_hash: None,
            at_ms: NONCE + 2_000,
        };
        assert!(is_withdrawal(&entry, &wanted, &signed));
        for other in [
            HistoryEntry { is_withdrawal: false, ..entry.clone() },
            HistoryEntry { asset: "USDC".to_owned(), ..entry.clone() },
            HistoryEntry { amount: amount("50.000000000000000001"), ..entry.clone() },
            HistoryEntry { chain_id: 1, ..entry.clone() },
            HistoryEntry { at_ms: NONCE - CLOCK_MS - 1, ..entry.clone() },
            HistoryEntry { at_ms: NONCE + 10 * 60_000, ..entry },
        ] {
            assert!(!is_withdrawal(&other, &wanted, &signed), "{other:?}");
        }
    }
}
