//! The whole stack is killed while it trades on both exchanges. A new stack on the same ports and
//! data finds every order in its true state, and no order executes twice.

mod desk;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use domain::ids::Exchange;

use crate::running::Running;
use desk::{Desk, Order};

/// The longest time until the new stack is healthy.
const HEALTHY: Duration = Duration::from_secs(30);

/// Clients of each exchange.
const CLIENTS: usize = 3;

/// Orders of each exchange that have a response before the kill.
const PLACED: usize = 12;

/// The most orders of one client. The kill comes much earlier.
const MOST: usize = 60;

/// More than the test sends.
const LIMITS: [&str; 4] = ["--key-rate-limit", "10000", "--key-burst-limit", "10000"];

/// What was asked of one exchange before the kill.
struct Asked {
    /// Every order, with the response if there was one.
    orders: Vec<Order>,
    /// An order whose change the exchange has executed.
    changed: Order,
    /// An order whose cancellation the exchange has executed.
    cancelled: Order,
}

/// Trades until orders, a change and a cancellation are under way at each exchange, and kills the
/// stack then.
fn killed_while_trading(stack: Running, desks: &[Desk], round: usize) -> Vec<Asked> {
    let resting: Vec<_> = desks
        .iter()
        .map(|desk| ["changed", "cancelled"].map(|what| desk.rest(&format!("{what}-{round}"))))
        .collect();
    let answered: Vec<_> = desks.iter().map(|_| AtomicUsize::new(0)).collect();
    let numbers = (0..CLIENTS).flat_map(|client| (0..MOST).map(move |number| (client, number)));
    let ids: Vec<_> = numbers.map(|(client, number)| busy_id(round, client, number)).collect();
    thread::scope(|scope| {
        let (mut clients, mut responses) = (Vec::new(), Vec::new());
        for (desk, answered) in desks.iter().zip(&answered) {
            let (sender, response) = channel();
            let client = |number| {
                let sender = sender.clone();
                scope.spawn(move || busy(desk, round, number, (answered, &sender)))
            };
            clients.push((0..CLIENTS).map(client).collect::<Vec<_>>());
            responses.push(response);
        }
        for response in responses {
            response.iter().take(PLACED).for_each(drop);
        }
        // From here on, the exchanges respond to no change of orders.
        for (desk, [changed, cancelled]) in desks.iter().zip(&resting) {
            desk.never_respond(CLIENTS, round == 0);
            scope.spawn(|| desk.change(&changed.id));
            scope.spawn(|| desk.cancel(&cancelled.id));
        }
        for ((desk, answered), [changed, cancelled]) in desks.iter().zip(&answered).zip(&resting) {
            desk.wait_until("an order, a change and a cancellation are under way", || {
                let answered = answered.load(Ordering::SeqCst);
                desk.is_changed(&changed.id)
                    && desk.is_cancelled(&cancelled.id)
                    && desk.accepted(&ids) > answered
            });
        }
        stack.kill();
        let asked = clients.into_iter().zip(&resting).map(|(clients, [changed, cancelled])| {
            let mut orders = vec![changed.clone(), cancelled.clone()];
            orders.extend(clients.into_iter().flat_map(|client| client.join().unwrap()));
            Asked { orders, changed: changed.clone(), cancelled: cancelled.clone() }
        });
        asked.collect()
    })
}

fn busy_id(round: usize, client: usize, number: usize) -> String {
    format!("busy-{round}-{client}-{number}")
}

/// Places orders until one has no response.
fn busy(
    desk: &Desk,
    round: usize,
    client: usize,
    (answered, sender): (&AtomicUsize, &Sender<()>),
) -> Vec<Order> {
    let mut orders = Vec::new();
    for number in 0..MOST {
        let id = busy_id(round, client, number);
        let order = if number % 2 == 0 { Order::limit(&id) } else { Order::market(&id) };
        let order = desk.place(order);
        let has_ended = order.order_id.is_none();
        orders.push(order);
        if has_ended {
            break;
        }
        answered.fetch_add(1, Ordering::SeqCst);
        // No one listens after enough responses.
        let _ = sender.send(());
    }
    orders
}

/// Starts the stack again, and checks that it is healthy in time.
fn restarted(data: &Path, arguments: &[&str]) -> Running {
    let begun = Instant::now();
    let stack = Running::start_on(data, arguments);
    assert_eq!(stack.call("GET", "/api/health", "").0, 200);
    let took = begun.elapsed();
    assert!(took < HEALTHY, "healthy after {took:?}");
    stack
}

#[test]
fn killed_stack_executes_each_order_once() {
    let data = tempfile::tempdir().unwrap();
    let mut stack = Running::start_with(data.path(), &LIMITS);
    let ports = stack.ports();
    let arguments: Vec<&str> = ports.iter().map(String::as_str).chain(LIMITS).collect();
    let desks = [Exchange::Hyperliquid, Exchange::Aster].map(|it| Desk::open(&stack, it));
    let mut all = desks.each_ref().map(|_| Vec::new());
    let mut unanswered = 0;
    for round in 0..2 {
        let asked = killed_while_trading(stack, &desks, round);
        stack = restarted(data.path(), &arguments);
        for ((desk, asked), all) in desks.iter().zip(asked).zip(&mut all) {
            let Asked { orders, changed, cancelled } = asked;
            let lost = orders.iter().filter(|order| order.order_id.is_none()).count();
            println!("{}: {} orders, {lost} without a response", desk.exchange, orders.len());
            unanswered += lost;
            for order in &orders {
                desk.check_state(order, order.id == changed.id);
            }
            desk.check_change(&changed);
            desk.check_cancellation(&cancelled);
            let ids: Vec<_> = orders.iter().map(|order| order.id.clone()).collect();
            for order in orders {
                desk.repeat(&order);
            }
            all.extend(ids);
            desk.check_executions(all);
            desk.cancel_all();
        }
    }
    assert!(unanswered > 0, "every order had a response before the kill");
}
