//! Orders: placed, repeated, changed, cancelled, and found again after a lost response. The tests
//! call the engine, so they see its results before HTTP.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

mod accounts;
mod attached;
mod builders;
mod cancel;
mod changes;
mod close;
mod close_all;
mod deaths;
mod leverage;
mod lighter;
mod lost;
mod manage;
mod markets;
mod names;
mod place;
mod policy;
mod remote_calls;
mod stalled;

use std::sync::{Arc, Mutex};

use domain::ids::{Exchange, Tenant, WalletRef};
use e2e::TestApp;
use e2e::proxy::{Process, Proxy};
use exchange_sim::Address;
use shared::caller::Caller;
use shared::exchanges::budget::Spender;
use shared::orders::{
    OrderToPlace, OrderView, Placing, ResolveLimits, ResolveRun, TradeError, Trader,
};
use shared::store::{OrderRecord, TradingAccount};
use shared::trading::ids::{ClientOrderId, ExchangeOrderId, OrderName};
use shared::trading::order::{AttachedFields, ChangeFields, OrderFields, SymbolText};
use uuid::Uuid;

/// How long every lease runs at most, in milliseconds.
const LEASE_MS: u64 = 21_000;

/// A wallet with funds and a trading key at one exchange.
struct Desk {
    app: Arc<TestApp>,
    proxy: Proxy,
    account: TradingAccount,
    address: Address,
    /// The processes without faults. An endpoint lives as long as its process.
    processes: Mutex<Vec<Arc<Process>>>,
}

/// A limit order that rests: it buys far below the market.
const RESTING: OrderFields<'static> = OrderFields {
    symbol: Some("BTC"),
    side: Some("BUY"),
    order_type: Some("LIMIT"),
    quantity: Some("0.01"),
    price: Some("59000"),
    trigger_price: None,
    stop_price: None,
    time_in_force: None,
    reduce_only: false,
    position_side: None,
    take_profit: None,
    stop_loss: None,
    slippage: None,
};

/// A market order that fills at once.
const MARKET: OrderFields<'static> =
    OrderFields { order_type: Some("MARKET"), price: None, ..RESTING };

/// The attached orders of a long position.
const TAKE_PROFIT: AttachedFields<'static> =
    AttachedFields { trigger_price: Some("66000"), price: None };
const STOP_LOSS: AttachedFields<'static> =
    AttachedFields { trigger_price: Some("50000"), price: None };

impl Desk {
    /// Opens the desks of one wallet at both exchanges.
    async fn both() -> Vec<Self> {
        Self::open_at(&Exchange::ALL).await
    }

    async fn open(exchange: Exchange) -> Self {
        Self::open_at(&[exchange]).await.remove(0)
    }

    async fn open_at(exchanges: &[Exchange]) -> Vec<Self> {
        Self::open_in(TestApp::start().await, exchanges).await
    }

    /// Opens the desks of one wallet in a stack.
    async fn open_in(app: TestApp, exchanges: &[Exchange]) -> Vec<Self> {
        let app = Arc::new(app);
        let proxy = Proxy::start(&app).await;
        let wallet = app.wallet("trader").await;
        let address: Address = wallet.text("/address").parse().unwrap();
        let wallet_id: Uuid = wallet.text("/walletId").parse().unwrap();
        let mut desks = Vec::new();
        for &exchange in exchanges {
            let (aster, hyperliquid) = (&app.stack.aster_sim, &app.stack.hyperliquid_sim);
            match exchange {
                Exchange::Aster => aster.deposit_amount(address, "100000"),
                Exchange::Hyperliquid => hyperliquid.deposit_amount(address, "", "100000"),
                Exchange::Lighter => unreachable!("no wallet is registered there"),
            };
            let registered = app.register(exchange.as_str(), "trader").await;
            assert_eq!(registered.status / 100, 2, "{registered:?}");
            let account = TradingAccount { tenant: Tenant::local(), wallet_id, exchange };
            let (app, proxy) = (app.clone(), proxy.clone());
            desks.push(Self { app, proxy, account, address, processes: Mutex::default() });
        }
        desks
    }

    const fn exchange(&self) -> Exchange {
        self.account.exchange
    }

    /// Returns the engine of a process.
    fn trader(&self, process: &Process) -> Trader {
        let traders = process.endpoints().traders(&self.app.options, Spender::Caller);
        traders.of(self.exchange()).clone()
    }

    fn caller() -> Caller {
        Tenant::local().into()
    }

    const fn wallet(&self) -> WalletRef {
        WalletRef::Wallet(self.account.wallet_id)
    }

    fn order(&self, id: &str, fields: OrderFields<'_>) -> OrderToPlace {
        let request = fields.check(self.exchange()).unwrap();
        OrderToPlace { client_order_id: Some(id.parse().unwrap()), request }
    }

    async fn place_all(
        &self,
        process: &Process,
        orders: &[OrderToPlace],
    ) -> Result<Placing, TradeError> {
        let trader = self.trader(process);
        trader.place(&Self::caller(), &self.wallet(), orders, None).await
    }

    /// Places one order. Returns it, and whether it is a replay.
    async fn place(
        &self,
        process: &Process,
        id: &str,
        fields: OrderFields<'_>,
    ) -> Result<(OrderView, bool), TradeError> {
        self.place_all(process, &[self.order(id, fields)]).await?.single()
    }

    async fn status(&self, name: &str) -> Result<OrderView, TradeError> {
        let name: OrderName = name.parse().unwrap();
        let symbol = symbol("BTC");
        let trader = self.trader(&self.process());
        trader.status(&Self::caller(), &self.wallet(), &name, Some(&symbol)).await
    }

    async fn cancel(&self, name: &str) -> Result<OrderView, TradeError> {
        self.cancel_in(&self.process(), name).await
    }

    async fn cancel_in(&self, process: &Process, name: &str) -> Result<OrderView, TradeError> {
        let name: OrderName = name.parse().unwrap();
        let symbol = symbol("BTC");
        let trader = self.trader(process);
        trader.cancel(&Self::caller(), &self.wallet(), &name, Some(&symbol)).await
    }

    async fn modify(
        &self,
        process: &Process,
        name: &str,
        (price, quantity): (&str, &str),
    ) -> Result<OrderView, TradeError> {
        let name: OrderName = name.parse().unwrap();
        let symbol = symbol("BTC");
        let change = ChangeFields { price: Some(price), quantity: Some(quantity) };
        let change = change.check().unwrap();
        let trader = self.trader(process);
        trader.modify(&Self::caller(), &self.wallet(), &name, &change, Some(&symbol)).await
    }

    async fn open_orders(&self) -> Vec<OrderView> {
        let trader = self.trader(&self.process());
        trader.open_orders(&Self::caller(), &self.wallet(), None).await.unwrap()
    }

    /// Runs the job that resolves orders.
    async fn resolve(&self, process: &Process) -> ResolveRun {
        let traders = process.endpoints().traders(&self.app.options, Spender::Job);
        let run_time = std::time::Duration::from_secs(50);
        let limits = ResolveLimits { limit: 100, run_time };
        traders.of(self.exchange()).resolve_due(&limits).await.unwrap()
    }

    /// Returns the number of times that the exchange accepted the order, under every generation.
    fn accepted(&self, id: &str) -> u32 {
        let id: ClientOrderId = id.parse().unwrap();
        let key = self.account.order_key(&id);
        let executions = match self.exchange() {
            Exchange::Aster => self.app.stack.aster_sim.executions(self.address),
            Exchange::Hyperliquid => self.app.stack.hyperliquid_sim.executions(self.address),
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        let is_entry = |text: &str| {
            let id = ExchangeOrderId::parse(self.exchange(), text);
            id.is_some_and(|id| id.key == key && id.leg == shared::trading::ids::Leg::Entry)
        };
        let of_id = executions.iter().filter(|(text, _)| is_entry(text));
        of_id.map(|(_, executed)| executed.accepted).sum()
    }

    async fn record(&self, id: &str) -> Option<OrderRecord> {
        let id: ClientOrderId = id.parse().unwrap();
        let (store, clock) = (self.app.store(), self.app.clock.clock());
        let keys = [self.account.order_key(&id)];
        store.orders_by_keys(&self.account, &keys, &clock).await.unwrap().pop()
    }

    /// Starts a process without faults, which lives as long as the desk.
    fn process(&self) -> Arc<Process> {
        let process = self.proxy.process();
        self.processes.lock().unwrap().push(process.clone());
        process
    }

    /// Returns the name of the call that asks about an order.
    const fn asks(&self) -> &'static str {
        match self.exchange() {
            Exchange::Aster => "Aster.GET order",
            Exchange::Hyperliquid => "Hyperliquid.orderStatus",
            Exchange::Lighter => unreachable!(),
        }
    }

    /// Returns the name of the call that places an order.
    const fn send_name(&self) -> &'static str {
        match self.exchange() {
            Exchange::Aster => "Aster.POST order",
            Exchange::Hyperliquid => "Hyperliquid.order",
            Exchange::Lighter => unreachable!(),
        }
    }
}

fn symbol(text: &str) -> SymbolText {
    text.parse().unwrap()
}
