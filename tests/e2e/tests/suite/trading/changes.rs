//! Changes of orders that fill meanwhile: the quantity, the filled quantity, and what the exchange
//! has executed agree after every sequence of fills and changes.

use domain::ids::Exchange;
use e2e::proxy::{Arrival, Fate, Plan, Side};
use exchange_sim::Address;
use exchange_sim::faults::Fault;
use exchange_sim::{aster, hyperliquid};
use shared::orders::{OrderView, TradeError};
use shared::store::OrderState;
use shared::trading::decimal::Decimal;
use shared::trading::order::{OrderFields, OrderStatus};

use super::{Desk, LEASE_MS, RESTING};

/// The market of a desk's simulator. It fills resting buy orders.
#[derive(Clone)]
struct House {
    exchange: Exchange,
    aster: aster::Exchange,
    hyperliquid: hyperliquid::Exchange,
    address: Address,
}

impl House {
    fn of(desk: &Desk) -> Self {
        let (aster, hyperliquid) = (&desk.app.stack.aster_sim, &desk.app.stack.hyperliquid_sim);
        let (aster, hyperliquid) = (aster.clone(), hyperliquid.clone());
        Self { exchange: desk.exchange(), aster, hyperliquid, address: desk.address }
    }

    /// Sells a quantity to the orders that buy for at least a price.
    fn sell(&self, price: &str, quantity: &str) {
        let quote = |price: &str, quantity: &str| (price.to_owned(), quantity.to_owned());
        let bids = [quote("50000", "100")];
        let asks = [quote(price, quantity), quote("61000", "100")];
        let idle = [quote("61000", "100")];
        let set = |asks: &[_]| match self.exchange {
            Exchange::Aster => self.aster.set_liquidity("BTCUSDT", &bids, asks),
            Exchange::Hyperliquid => self.hyperliquid.set_liquidity("BTC", &bids, asks),
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        assert!(set(&asks) && set(&idle));
    }

    /// Returns the position, which is what all orders have executed.
    fn position(&self) -> Decimal {
        let position = match self.exchange {
            Exchange::Aster => self.aster.position_of(self.address, "BTCUSDT"),
            Exchange::Hyperliquid => self.hyperliquid.position_of(self.address, "BTC"),
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        Decimal::parse(&position).unwrap()
    }

    /// Returns the quantity that the open orders can still execute.
    fn open(&self) -> Decimal {
        let orders = match self.exchange {
            Exchange::Aster => self.aster.open_orders_of(self.address),
            Exchange::Hyperliquid => self.hyperliquid.open_orders_of(self.address),
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        orders.iter().fold(Decimal::ZERO, |sum, order| {
            let left = number(&order.quantity).checked_sub(number(&order.filled)).unwrap();
            sum.checked_add(left).unwrap()
        })
    }
}

fn number(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

const fn change_name(exchange: Exchange) -> &'static str {
    match exchange {
        Exchange::Aster => "Aster.PUT order",
        Exchange::Hyperliquid => "Hyperliquid.batchModify",
        Exchange::Lighter => unreachable!(),
    }
}

/// The exchange's refusal of a change, which leaves the order as it was.
fn refusal(exchange: Exchange) -> Fault {
    match exchange {
        Exchange::Aster => {
            Fault::Status(400, r#"{"code":-4024,"msg":"Limit price is too low."}"#.to_owned())
        }
        Exchange::Hyperliquid => Fault::Status(
            200,
            r#"{"status":"ok","response":{"type":"order","data":{"statuses":[{"error":"Price too far from oracle asset=3"}]}}}"#
                .to_owned(),
        ),
        Exchange::Lighter => unreachable!("no wallet is registered there"),
    }
}

/// Sells when a change arrives, before the exchange processes it. `times` bounds the number of
/// changes, and `fate` is the fate of the first one.
fn sell_at_change(
    house: &House,
    (price, quantity): (&'static str, &'static str),
    times: usize,
    fate: Fate,
) -> Plan {
    let (house, name) = (house.clone(), change_name(house.exchange));
    Box::new(move |arrival: Arrival<'_>| {
        if arrival.name != name {
            return Fate::Pass;
        }
        if arrival.nth_of_name <= times {
            house.sell(price, quantity);
        }
        if arrival.nth_of_name == 1 { fate.clone() } else { Fate::Pass }
    })
}

fn fail_changes(exchange: Exchange, fault: Fault) -> Plan {
    let name = change_name(exchange);
    Box::new(
        move |arrival: Arrival<'_>| {
            if arrival.name == name { Fate::Fail(fault.clone()) } else { Fate::Pass }
        },
    )
}

/// Delivers late calls, and resolves what is unknown.
async fn resolve_late(desk: &Desk) {
    desk.app.clock.advance_ms(8_000);
    desk.proxy.deliver_late().await;
    desk.app.clock.advance_ms(LEASE_MS);
    desk.resolve(&desk.process()).await;
}

fn numbers(view: &OrderView) -> (&str, &str) {
    (view.quantity.as_str(), view.filled_quantity.as_str())
}

fn shown(view: &OrderView) -> (&str, &str, OrderStatus) {
    (view.quantity.as_str(), view.filled_quantity.as_str(), view.status)
}

#[tokio::test]
async fn change_after_a_failed_change_counts_what_was_filled() {
    for desk in Desk::both().await {
        let (exchange, house) = (desk.exchange(), House::of(&desk));
        let mut executed = Decimal::ZERO;
        for (id, fault) in [("refused", refusal(exchange)), ("late", Fault::Late { ms: 8_000 })] {
            desk.place(&desk.process(), id, RESTING).await.unwrap();
            house.sell("59000", "0.004");
            let changed = desk.modify(&desk.process(), id, ("58900", "0.012")).await.unwrap();
            assert_eq!(shown(&changed), ("0.012", "0.004", OrderStatus::PartiallyFilled));
            let process = desk.proxy.process_with(fail_changes(exchange, fault));
            let failed = desk.modify(&process, id, ("58800", "0.012")).await;
            assert!(failed.is_err(), "{exchange} {id}: {failed:?}");
            resolve_late(&desk).await;
            let status = desk.status(id).await.unwrap();
            let expected = ("0.012", "0.004", OrderStatus::PartiallyFilled);
            assert_eq!(shown(&status), expected, "{exchange} {id}");
            assert_eq!(shown(&desk.open_orders().await[0]), expected, "{exchange} {id}");
            let changed = desk.modify(&desk.process(), id, ("58700", "0.012")).await.unwrap();
            assert_eq!(shown(&changed), expected, "{exchange} {id}");
            house.sell("58700", "1");
            executed = executed.checked_add(number("0.012")).unwrap();
            assert_eq!(house.position(), executed, "{exchange} {id}");
            let status = desk.status(id).await.unwrap();
            assert_eq!(shown(&status), ("0.012", "0.012", OrderStatus::Filled), "{exchange} {id}");
        }
    }
}

#[tokio::test]
async fn fill_during_a_change_is_taken_back() {
    for desk in Desk::both().await {
        let (exchange, house) = (desk.exchange(), House::of(&desk));
        desk.place(&desk.process(), "touch", RESTING).await.unwrap();
        house.sell("59000", "0.004");
        let plan = sell_at_change(&house, ("59000", "0.003"), 1, Fate::Pass);
        let process = desk.proxy.process_with(plan);
        let changed = desk.modify(&process, "touch", ("58900", "0.01")).await.unwrap();
        let expected = ("0.01", "0.007", OrderStatus::PartiallyFilled);
        assert_eq!(shown(&changed), expected, "{exchange}");
        assert_eq!(shown(&desk.status("touch").await.unwrap()), expected, "{exchange}");
        house.sell("58900", "1");
        assert_eq!(house.position(), number("0.01"), "{exchange}");
        let status = desk.status("touch").await.unwrap();
        assert_eq!(shown(&status), ("0.01", "0.01", OrderStatus::Filled), "{exchange}");
    }
}

#[tokio::test]
async fn fill_during_a_lost_change_is_reported_and_taken_back() {
    for desk in Desk::both().await {
        let (exchange, house) = (desk.exchange(), House::of(&desk));
        desk.place(&desk.process(), "lost", RESTING).await.unwrap();
        house.sell("59000", "0.004");
        // The change is made, and the process dies before it reads the response.
        let dies = Fate::Die(Side::After);
        let plan = sell_at_change(&house, ("59000", "0.003"), 1, dies);
        let process = desk.proxy.process_with(plan);
        let ended = tokio::select! {
            changed = desk.modify(&process, "lost", ("58900", "0.01")) => Some(changed),
            () = process.died() => None,
        };
        assert!(!matches!(ended, Some(Ok(_))), "{exchange}: {ended:?}");
        process.settled().await;
        // Nothing hides a fill while the outcome of the change is open.
        let status = desk.status("lost").await.unwrap();
        let on_exchange = if exchange == Exchange::Aster { "0.01" } else { "0.013" };
        assert_eq!(numbers(&status), (on_exchange, "0.007"), "{exchange}");
        desk.app.clock.advance_ms(LEASE_MS);
        desk.resolve(&desk.process()).await;
        assert!(desk.record("lost").await.unwrap().is_at_rest());
        let status = desk.status("lost").await.unwrap();
        assert_eq!(numbers(&status), (on_exchange, "0.007"), "{exchange}");
        // A repeat takes back the excess.
        let changed = desk.modify(&desk.process(), "lost", ("58900", "0.01")).await.unwrap();
        assert_eq!(shown(&changed), ("0.01", "0.007", OrderStatus::PartiallyFilled), "{exchange}");
        house.sell("58900", "1");
        assert_eq!(house.position(), number("0.01"), "{exchange}");
    }
}

#[tokio::test]
async fn excess_that_no_change_can_take_back_is_cancelled() {
    let desk = Desk::open(Exchange::Hyperliquid).await;
    let house = House::of(&desk);
    let large = OrderFields { quantity: Some("0.02"), ..RESTING };
    desk.place(&desk.process(), "raced", large).await.unwrap();
    // Every change meets another fill.
    let plan = sell_at_change(&house, ("58900", "0.002"), 9, Fate::Pass);
    let process = desk.proxy.process_with(plan);
    let changed = desk.modify(&process, "raced", ("58900", "0.02")).await.unwrap();
    assert_eq!(changed.status, OrderStatus::Canceled);
    assert_eq!((number(&changed.filled_quantity), house.open()), (house.position(), Decimal::ZERO));
    assert!(house.position() <= number("0.02"));
    // The rest is below the minimum of the exchange.
    let before = house.position();
    desk.place(&desk.process(), "small", RESTING).await.unwrap();
    let plan = sell_at_change(&house, ("59000", "0.0099"), 1, Fate::Pass);
    let process = desk.proxy.process_with(plan);
    let changed = desk.modify(&process, "small", ("58900", "0.01")).await.unwrap();
    assert_eq!(shown(&changed).1, "0.0099");
    assert_eq!(changed.status, OrderStatus::Canceled);
    assert_eq!(house.position(), before.checked_add(number("0.0099")).unwrap());
    assert_eq!(house.open(), Decimal::ZERO);
}

/// A step of a sequence of changes.
#[derive(Clone, Copy, Debug)]
enum Step {
    Fill,
    Change,
    ChangeMeetsFill,
    ChangeRefused,
    ChangeLate,
    ChangeLost,
    ChangeLostMeetsFill,
    Resolve,
}

const STEPS: [Step; 8] = [
    Step::Fill,
    Step::Change,
    Step::ChangeMeetsFill,
    Step::ChangeRefused,
    Step::ChangeLate,
    Step::ChangeLost,
    Step::ChangeLostMeetsFill,
    Step::Resolve,
];

/// Returns the next number of a fixed sequence.
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

/// Takes a step. Returns the quantity of the last accepted change.
async fn take(desk: &Desk, house: &House, id: &str, step: Step, seed: &mut u64) -> Option<Decimal> {
    let exchange = desk.exchange();
    let price = ["58700", "58800", "58900"][usize::try_from(next(seed) % 3).unwrap()];
    let quantity = format!("0.0{}", 20 + next(seed) % 10);
    let fill = ("58700", "0.001");
    let plan: Plan = match step {
        Step::Fill => {
            house.sell(fill.0, fill.1);
            return None;
        }
        Step::Resolve => {
            desk.app.clock.advance_ms(LEASE_MS);
            desk.resolve(&desk.process()).await;
            return None;
        }
        Step::Change => Box::new(|_| Fate::Pass),
        Step::ChangeMeetsFill => sell_at_change(house, fill, 1, Fate::Pass),
        Step::ChangeRefused => fail_changes(exchange, refusal(exchange)),
        Step::ChangeLate => fail_changes(exchange, Fault::Late { ms: 8_000 }),
        Step::ChangeLost => sell_at_change(house, fill, 0, Fate::Fail(Fault::AppliedButLost)),
        Step::ChangeLostMeetsFill => {
            sell_at_change(house, fill, 1, Fate::Fail(Fault::AppliedButLost))
        }
    };
    let process = desk.proxy.process_with(plan);
    let changed = desk.modify(&process, id, (price, &quantity)).await;
    desk.app.clock.advance_ms(8_000);
    desk.proxy.deliver_late().await;
    match changed {
        Ok(_) => Some(number(&quantity)),
        Err(TradeError::Refused { .. } | TradeError::NotPlaced { .. }) => None,
        Err(TradeError::Unknown { .. }) => {
            resolve_late(desk).await;
            let change = desk.record(id).await.unwrap().change.unwrap();
            (change.state == OrderState::Placed).then(|| number(&quantity))
        }
        Err(error) => panic!("{exchange} {id} {step:?}: {error:?}"),
    }
}

/// Takes all steps in one of four sequences, and checks the numbers after each.
async fn run_sequence(desk: &Desk, house: &House, sequence: usize) {
    let (exchange, id, before) = (desk.exchange(), format!("seq-{sequence}"), house.position());
    let mut seed = u64::try_from(sequence).unwrap() + 1;
    let first = OrderFields { quantity: Some("0.02"), price: Some("58900"), ..RESTING };
    desk.place(&desk.process(), &id, first).await.unwrap();
    let mut accepted = number("0.02");
    let mut steps = Vec::new();
    for nth in 0..STEPS.len() {
        let step = STEPS[(nth * (2 * sequence + 1) + sequence) % STEPS.len()];
        steps.push(step);
        accepted = take(desk, house, &id, step, &mut seed).await.unwrap_or(accepted);
        let executed = house.position().checked_sub(before).unwrap();
        let place = format!("{exchange} {id}: {steps:?}");
        let status = desk.status(&id).await.unwrap();
        assert_eq!(number(&status.filled_quantity), executed, "{place}");
        assert_eq!(number(&status.quantity), accepted, "{place}");
        assert_eq!(executed.checked_add(house.open()), Some(accepted), "{place}");
        // The budget of the exchange is full again.
        desk.app.clock.advance_ms(15_000);
    }
    let listed = desk.open_orders().await;
    assert_eq!(shown(&listed[0]), shown(&desk.status(&id).await.unwrap()), "{exchange} {id}");
    let (last, filled) = if sequence.is_multiple_of(2) {
        house.sell("50000", "1");
        (desk.status(&id).await.unwrap(), accepted)
    } else {
        (desk.cancel(&id).await.unwrap(), number(&listed[0].filled_quantity))
    };
    let executed = house.position().checked_sub(before).unwrap();
    assert_eq!((executed, house.open()), (filled, Decimal::ZERO), "{exchange} {id}");
    assert_eq!(number(&last.filled_quantity), executed, "{exchange} {id}");
    let filled = sequence.is_multiple_of(2);
    let status = if filled { OrderStatus::Filled } else { OrderStatus::Canceled };
    assert_eq!(last.status, status, "{exchange} {id}");
    assert!(desk.record(&id).await.unwrap().is_at_rest());
}

async fn run_sequences(exchange: Exchange) {
    let desk = Desk::open(exchange).await;
    let house = House::of(&desk);
    for sequence in 0..4 {
        run_sequence(&desk, &house, sequence).await;
    }
}

#[tokio::test]
async fn quantities_agree_after_changes_on_aster() {
    run_sequences(Exchange::Aster).await;
}

#[tokio::test]
async fn quantities_agree_after_changes_on_hyperliquid() {
    run_sequences(Exchange::Hyperliquid).await;
}
