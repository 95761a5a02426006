//! The tables of orders, in Markdown.

use std::fmt::Write;

use domain::ids::Exchange;

use super::Trading;
use super::calls::{Counted, Way, before_exchange, steps};
use super::growth::Growth;
use super::throughput::Cell;
use super::turns::{Turn, Turns};
use crate::cost;
use crate::edge::Passed;
use crate::machine::Machine;
use crate::report::ratio;
use crate::times::ms;

/// Target of the service's own processor time of one order, in milliseconds.
const OWN_MS: f64 = 3.0;

/// Target of the sequential remote calls before the exchange's, of a warm process that is given a
/// `walletId`.
const STEPS: usize = 3;

/// The memory of a function that places orders, in MB.
const MEMORY_MB: f64 = 512.0;

const fn name(exchange: Exchange) -> &'static str {
    match exchange {
        Exchange::Aster => "Aster",
        Exchange::Hyperliquid => "Hyperliquid",
        Exchange::Lighter => unreachable!(),
    }
}

const fn status(met: bool) -> &'static str {
    if met { "met" } else { "**missed**" }
}

/// Returns the report for the page on performance.
pub(crate) fn markdown(machine: &Machine, trading: &Trading) -> String {
    let mut text = format!("{machine}\n");
    targets(&mut text, trading);
    side_by_side(&mut text, &trading.speed.turns);
    throughput(&mut text, &trading.speed.cells);
    growth(&mut text, &trading.counts.growth);
    text
}

fn targets(text: &mut String, trading: &Trading) {
    let turns = trading.speed.turns.first().map_or(0, |it| it.turns.len());
    let _ = write!(
        text,
        "\n### Targets of orders\n\nBare signed requests and orders of the service run alternately, in {turns} turns for each exchange.\n\n"
    );
    text.push_str("| value | target | measured | range of single turns | status |\n");
    text.push_str("| --- | ---: | ---: | ---: | --- |\n");
    for it in &trading.speed.turns {
        let (exchange, all) = (name(it.exchange), it.all());
        let own = |turn: &Turn| ms(turn.service.used().endpoints);
        let to_bare = |turn: &Turn| ratio(turn.service.used().endpoints, turn.bare.processor());
        let range = |of: &dyn Fn(&Turn) -> f64| {
            let turns = it.turns.iter().map(of);
            let (least, most) = turns
                .fold((f64::INFINITY, 0.0_f64), |(least, most), it| (least.min(it), most.max(it)));
            format!("{least:.2} to {most:.2}")
        };
        let (found, met) = (own(&all), status(own(&all) <= OWN_MS));
        let _ = writeln!(
            text,
            "| {exchange}: own processor time of one order, ms | {OWN_MS:.2} | {found:.2} | {} | {met} |",
            range(&own)
        );
        let _ = writeln!(
            text,
            "| {exchange}: own processor time / processor time of a bare signed request |  | {:.2} | {} |  |",
            to_bare(&all),
            range(&to_bare)
        );
    }
    for counted in trading.counts.calls.iter().filter(|it| it.operation == "place") {
        let Some(passed) = counted.passed.first() else { continue };
        let found = before_exchange(&passed.spans);
        let _ = writeln!(
            text,
            "| {}: sequential remote calls before the exchange's, `walletId`, warm | {STEPS} | {found} |  | {} |",
            name(counted.exchange),
            status(found <= STEPS)
        );
    }
}

fn side_by_side(text: &mut String, turns: &[Turns]) {
    text.push_str("\n### Bare requests and orders\n\nOne limit order at a time, in ms. Wall time is p50, processor time is the mean. The time of a bare request includes its signature.\n\n");
    text.push_str(
        "| exchange | operation | wall | processor: own | processor: stand-ins and clients |\n",
    );
    text.push_str("| --- | --- | ---: | ---: | ---: |\n");
    for it in turns {
        let (exchange, Turn { bare, service }) = (name(it.exchange), it.all());
        let _ = writeln!(
            text,
            "| {exchange} | bare signed request | {:.2} | {:.2} |  |",
            ms(bare.p50()),
            ms(bare.processor())
        );
        let used = service.used();
        let _ = writeln!(
            text,
            "| {exchange} | order of the service | {:.2} | {:.2} | {:.2} |",
            ms(service.p50()),
            ms(used.endpoints),
            ms(used.others)
        );
    }
}

fn throughput(text: &mut String, cells: &[Cell]) {
    text.push_str("\n### Throughput of orders\n\nThe whole local stack on this machine, including stand-ins and clients. Each client has its own wallet and places one limit order after the other. Memory is the peak so far of the endpoints' process.\n\n");
    text.push_str("| exchange | clients | orders per second | p50 ms | p99 ms | processor ms, own | processor ms, others | memory MB |\n");
    text.push_str("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n");
    for Cell { exchange, clients, timed, peak_mb } in cells {
        let used = timed.used();
        let _ = writeln!(
            text,
            "| {} | {clients} | {:.1} | {:.1} | {:.1} | {:.2} | {:.2} | {peak_mb} |",
            name(*exchange),
            timed.per_second(),
            ms(timed.p50()),
            ms(timed.p99()),
            ms(used.endpoints),
            ms(used.others)
        );
    }
}

fn growth(text: &mut String, grown: &[Growth]) {
    text.push_str("\n### Growth with open orders\n\nFor one call while this many orders of the wallet rest. The write units of the ledger are those of the transaction that stores the order and the ledger. The calls pass a counting proxy, so they are slower than above. Aster permits 200 open orders in a market.\n\n");
    text.push_str("| exchange | resting orders | operation | p50 ms | processor ms, own | remote calls | read units | write units | of the ledger |\n");
    text.push_str("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n");
    for Growth { exchange, resting, operations } in grown {
        for it in operations {
            let count = f64::from(it.timed.count());
            #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
            let calls = it.passed.total("") as f64 / count;
            let ledger: f64 = it
                .passed
                .most_expensive
                .iter()
                .filter(|(call, _)| call.ends_with("TransactWriteItems"))
                .map(|(_, units)| units / count)
                .sum();
            let ledger = if ledger > 0.0 { format!("{ledger:.1}") } else { String::new() };
            let _ = writeln!(
                text,
                "| {} | {resting} | {} | {:.1} | {:.1} | {calls:.1} | {:.1} | {:.1} | {ledger} |",
                name(*exchange),
                it.operation,
                ms(it.timed.p50()),
                ms(it.timed.used().endpoints),
                it.passed.read_units / count,
                it.passed.write_units / count,
            );
        }
    }
}

/// Returns the report for the page on costs.
pub(crate) fn costs(machine: &Machine, trading: &Trading) -> String {
    let mut text = format!("{machine} List prices of us-east-1, November 2026.\n");
    for counted in trading.counts.calls.iter().filter(|it| it.operation == "place") {
        let turns = trading.speed.turns.iter().find(|it| it.exchange == counted.exchange);
        let (Some(turns), Some(passed)) = (turns, counted.passed.first()) else { continue };
        let timed = turns.all().service;
        let what = format!("1,000 orders on {}", name(counted.exchange));
        let one = crate::counted::Counted {
            operation: counted.operation,
            passed: passed.clone(),
            timed: timed.clone(),
        };
        cost::section(&mut text, &what, &one, &timed, MEMORY_MB);
    }
    remote_calls(&mut text, &trading.counts.calls);
    text
}

fn remote_calls(text: &mut String, counted: &[Counted]) {
    text.push_str("\n### Remote calls of orders\n\nRemote calls of one operation / the largest number of calls, one after the other, before the exchange receives the change or the question. A cold process has empty caches and no connections.\n\n| exchange | operation |");
    for (_, way) in Way::ALL {
        let _ = write!(text, " {way} |");
    }
    text.push_str("\n| --- | --- |");
    text.push_str(&" ---: |".repeat(Way::ALL.len()));
    text.push('\n');
    for Counted { exchange, operation, passed } in counted {
        let _ = write!(text, "| {} | {operation} |", name(*exchange));
        for passed in passed {
            let _ = write!(text, " {} / {} |", passed.total(""), before_exchange(&passed.spans));
        }
        text.push('\n');
    }
    text.push_str("\nThe calls of a warm process that is given a `walletId`, and the units of DynamoDB. A step is a call that begins after the end of the step before.\n\n");
    text.push_str(
        "| exchange | operation | AWS | exchange calls | steps | read units | write units |\n",
    );
    text.push_str("| --- | --- | --- | ---: | ---: | ---: | ---: |\n");
    for Counted { exchange, operation, passed } in counted {
        let Some(passed) = passed.first() else { continue };
        let of_exchange = passed.total("Aster") + passed.total("Hyperliquid");
        let _ = writeln!(
            text,
            "| {} | {operation} | {} | {of_exchange} | {} | {} | {} |",
            name(*exchange),
            of_aws(passed),
            steps(&passed.spans, u64::MAX),
            passed.read_units,
            passed.write_units
        );
    }
}

/// Returns the calls of DynamoDB and KMS.
fn of_aws(passed: &Passed) -> String {
    let calls = passed.calls.iter().filter_map(|(name, count)| {
        let call = name.strip_prefix("endpoint ")?;
        let is_aws = !matches!(call, "Aster" | "Hyperliquid");
        is_aws.then(|| format!("{count} {}", call.strip_prefix("DynamoDB.").unwrap_or(call)))
    });
    calls.collect::<Vec<_>>().join(", ")
}
