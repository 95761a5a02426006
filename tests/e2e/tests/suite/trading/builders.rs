//! Orders that carry the deployment's builder.

mod refused;

use domain::builder::Builder;
use domain::ids::Exchange;
use e2e::TestApp;
use exchange_sim::Address;
use hyperdex_local::Options;
use shared::exchanges::budget::Spender;
use shared::store::CredentialRecord;
use shared::trading::order::{OrderFields, OrderStatus};
use shared::trading::policy::{PolicyFields, PolicyRule};

use super::policy::{rule, set as set_policy};
use super::{Desk, MARKET, RESTING, STOP_LOSS, TAKE_PROFIT};

const BUILDER: &str = "0x8c967E73E7B15087c42A10D344cFf4c96D877f1D";
const OTHER: &str = "0xc2af13e1B1de3A015252A115309A0F9DEEDCFa0A";

fn builder(address: &str, tenths: u16) -> Option<Builder> {
    Some(Builder { address: address.parse().unwrap(), fee: tenths.try_into().unwrap() })
}

fn set(options: &mut Options, builder: Option<Builder>) {
    (options.hyperliquid.builder, options.aster.builder) = (builder, builder);
}

/// Opens the desks of a wallet that was registered with this builder.
async fn desks(registered: Option<Builder>) -> Vec<Desk> {
    let app = TestApp::start_with(|options| set(options, registered)).await;
    Desk::open_in(app, &Exchange::ALL).await
}

impl Desk {
    fn paid(&self, builder: &str) -> String {
        let (account, builder): (Address, Address) = (self.address, builder.parse().unwrap());
        let stack = &self.app.stack;
        match self.exchange() {
            Exchange::Aster => stack.aster_sim.paid_to_builder(account, builder),
            Exchange::Hyperliquid => stack.hyperliquid_sim.paid_to_builder(account, builder),
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        }
    }

    /// Removes the approval at the exchange.
    fn withdraw_approval(&self, builder: &str) {
        let builder: Address = builder.parse().unwrap();
        let stack = &self.app.stack;
        match self.exchange() {
            Exchange::Aster => stack.aster_sim.remove_builder(self.address, builder),
            Exchange::Hyperliquid => {
                stack.hyperliquid_sim.set_builder_fee(self.address, builder, 0);
            }
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        }
    }

    async fn credential(&self) -> CredentialRecord {
        let view = e2e::invariants::view(&self.app, "trader").await;
        view.credential(self.exchange()).unwrap().clone()
    }

    fn requests(&self, kind: &str) -> usize {
        let stack = &self.app.stack;
        let requests = match self.exchange() {
            Exchange::Aster => stack.aster_sim.requests(),
            Exchange::Hyperliquid => stack.hyperliquid_sim.requests(),
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        requests.iter().filter(|request| request.kind == kind).count()
    }

    /// Places a market order of 0.1 with a process of a deployment that has this builder.
    async fn buys_with(&self, builder: Option<Builder>, id: &str) -> u64 {
        let before = cents(&self.paid(BUILDER)) + cents(&self.paid(OTHER));
        let mut options = self.app.options.clone();
        set(&mut options, builder);
        let traders = self.process().endpoints().traders(&options, Spender::Caller);
        let orders = [self.order(id, BIG)];
        let trader = traders.of(self.exchange());
        let placed = trader.place(&Self::caller(), &self.wallet(), &orders, None).await.unwrap();
        let (order, _) = placed.single().unwrap();
        assert_eq!(order.status, OrderStatus::Filled, "{order:?}");
        assert_eq!(self.accepted(id), 1);
        cents(&self.paid(BUILDER)) + cents(&self.paid(OTHER)) - before
    }

    const fn order_kind(&self) -> &'static str {
        match self.exchange() {
            Exchange::Aster => "placeOrder",
            Exchange::Hyperliquid => "order",
            Exchange::Lighter => unreachable!(),
        }
    }
}

/// Reads a decimal as cents.
fn cents(text: &str) -> u64 {
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{places:0<2.2}").parse().unwrap()
}

/// A market order for about 6,000 dollars: a tenth of a basis point of it is 6 cents.
const BIG: OrderFields<'static> = OrderFields { quantity: Some("0.1"), ..MARKET };

#[tokio::test(flavor = "multi_thread")]
async fn order_carries_the_approved_builder() {
    for desk in desks(builder(BUILDER, 50)).await {
        assert_eq!(desk.credential().await.builder, builder(BUILDER, 50));
        let paid = desk.buys_with(builder(BUILDER, 50), "fee").await;
        assert!((290..=315).contains(&paid), "{paid} cents");
        assert_eq!(cents(&desk.paid(BUILDER)), paid);
    }
}

/// A deployment that has no builder any more, or another one, which the wallet has not approved.
#[tokio::test(flavor = "multi_thread")]
async fn order_carries_only_a_builder_that_the_wallet_approved() {
    for desk in desks(builder(BUILDER, 50)).await {
        assert_eq!(desk.buys_with(None, "none").await, 0);
        assert_eq!(desk.buys_with(builder(OTHER, 50), "other").await, 0);
        // A lower fee needs no approval. A higher one is carried as far as it is approved.
        let lower = desk.buys_with(builder(BUILDER, 25), "lower").await;
        assert!((145..=160).contains(&lower), "{lower} cents");
        let higher = desk.buys_with(builder(BUILDER, 100), "higher").await;
        assert!((290..=320).contains(&higher), "{higher} cents");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wallet_registered_without_a_builder_carries_none() {
    for desk in desks(None).await {
        assert_eq!(desk.credential().await.builder, None);
        assert_eq!(desk.buys_with(builder(BUILDER, 50), "old").await, 0);
        assert_eq!(desk.requests(desk.order_kind()), 1, "the exchange was not asked in vain");
    }
}

/// The wallet's owner has removed the approval elsewhere. The exchange refuses the builder, and the
/// order is signed once more without it.
#[tokio::test(flavor = "multi_thread")]
async fn order_refused_for_its_builder_is_placed_without_it() {
    for desk in desks(builder(BUILDER, 50)).await {
        desk.withdraw_approval(BUILDER);
        assert_eq!(desk.buys_with(builder(BUILDER, 50), "gone").await, 0);
        assert_eq!(desk.requests(desk.order_kind()), 2);
        assert_eq!(desk.record("gone").await.unwrap().generation, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batch_refused_for_its_builder_is_placed_without_it() {
    for desk in desks(builder(BUILDER, 50)).await {
        desk.withdraw_approval(BUILDER);
        let batch = [desk.order("b-1", RESTING), desk.order("b-2", RESTING)];
        let placed = desk.place_all(&desk.process(), &batch).await.unwrap();
        assert!(placed.orders.iter().all(|order| order.result.is_ok()), "{placed:?}");
        assert_eq!((desk.accepted("b-1"), desk.accepted("b-2")), (1, 1));
    }
}

/// The policy names the builder and its maximum fee. An order that reduces a position is placed in
/// any case, and carries no builder.
#[tokio::test(flavor = "multi_thread")]
async fn builder_outside_the_policy_is_refused_before_signing() {
    for desk in desks(builder(BUILDER, 50)).await {
        let address = |text: &str| vec![text.parse().unwrap()];
        let fields = |builders, max_builder_fee| PolicyFields {
            builders,
            max_builder_fee,
            ..PolicyFields::default()
        };
        let id = |nth: usize| format!("p-{nth}");
        let allowed = fields(Some(address(BUILDER)), Some(50));
        set_policy(&desk, allowed).await;
        let paid = desk.buys_with(builder(BUILDER, 50), "allowed").await;
        assert!((290..=315).contains(&paid), "{paid} cents");
        for (nth, (policy, expected)) in [
            (fields(Some(address(OTHER)), None), PolicyRule::Builder),
            (fields(Some(vec![]), None), PolicyRule::Builder),
            (fields(None, Some(49)), PolicyRule::BuilderFee),
            (fields(None, Some(0)), PolicyRule::BuilderFee),
        ]
        .into_iter()
        .enumerate()
        {
            set_policy(&desk, policy).await;
            let refused = desk.place(&desk.process(), &id(nth), RESTING).await;
            assert_eq!(rule(refused), expected, "{} {nth}", desk.exchange());
            assert_eq!((desk.record(&id(nth)).await, desk.accepted(&id(nth))), (None, 0));
        }
        let before = desk.paid(BUILDER);
        let close = OrderFields { side: Some("SELL"), reduce_only: true, ..BIG };
        desk.place(&desk.process(), "close", close).await.unwrap();
        assert_eq!((desk.accepted("close"), desk.paid(BUILDER)), (1, before));
    }
}

/// Closing a position pays the fee, and so does each order of a batch.
#[tokio::test(flavor = "multi_thread")]
async fn batch_and_reducing_order_carry_the_builder() {
    for desk in desks(builder(BUILDER, 100)).await {
        let batch = [desk.order("b-1", BIG), desk.order("b-2", BIG)];
        let placed = desk.place_all(&desk.process(), &batch).await.unwrap();
        assert!(placed.orders.iter().all(|order| order.result.is_ok()), "{placed:?}");
        let opened = cents(&desk.paid(BUILDER));
        assert!((1_170..=1_260).contains(&opened), "{opened} cents");
        let close = OrderFields { side: Some("SELL"), reduce_only: true, ..BIG };
        desk.place(&desk.process(), "close", close).await.unwrap();
        let closed = cents(&desk.paid(BUILDER)) - opened;
        assert!((570..=620).contains(&closed), "{closed} cents");
    }
}

/// On Hyperliquid the builder is a part of the action, so attached orders carry it, too.
#[tokio::test(flavor = "multi_thread")]
async fn attached_order_carries_the_builder() {
    let app = TestApp::start_with(|options| set(options, builder(BUILDER, 100))).await;
    let desk = Desk::open_in(app, &[Exchange::Hyperliquid]).await.remove(0);
    let entry = OrderFields { take_profit: Some(TAKE_PROFIT), stop_loss: Some(STOP_LOSS), ..BIG };
    desk.place(&desk.process(), "entry", entry).await.unwrap();
    let entered = cents(&desk.paid(BUILDER));
    desk.app.stack.hyperliquid_sim.set_price("BTC", "66500");
    assert_eq!(desk.app.stack.hyperliquid_sim.position_of(desk.address, "BTC"), "0");
    let left = cents(&desk.paid(BUILDER)) - entered;
    assert!(left > 600, "{left} cents");
}
