//! Computes costs in dollars from counted calls and measured times.

use std::fmt::Write;
use std::time::Duration;

use crate::counted::Counted;
use crate::drive::Timed;
use crate::measured::Measured;

/// On-demand list prices of us-east-1, November 2026, in dollars per unit.
const API_CALL: f64 = 3.50 / 1e6;
const INVOCATION: f64 = 0.20 / 1e6;
/// For arm64.
const GB_SECOND: f64 = 0.000_013_333_4;
const KMS_CALL: f64 = 0.03 / 1e4;
const WRITE_UNIT: f64 = 0.625 / 1e6;
const READ_UNIT: f64 = 0.125 / 1e6;

/// The memory size that gives a whole processor, in MB.
const WHOLE_MB: f64 = 1_769.0;
/// The assumed wait for a call to DynamoDB or KMS, and for a call to an exchange, in seconds.
/// Lambda charges for waiting.
const CALL_S: f64 = 0.005;
const EXCHANGE_S: f64 = 0.2;

struct Item {
    name: &'static str,
    dollars: f64,
}

fn calls(counted: &Counted, of: &str) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a few dozen")]
    let calls = counted.passed.total(of) as f64;
    calls
}

/// Returns how long one operation occupies an instance of the endpoint and one of the cosigner, in
/// seconds.
fn taken(counted: &Counted, timed: &Timed, memory_mb: f64) -> (f64, f64) {
    let exchange = calls(counted, "Aster") + calls(counted, "Hyperliquid");
    let compute_s = |time: Duration, mb: f64| time.as_secs_f64() * (WHOLE_MB / mb).max(1.0);
    let cosigner = compute_s(timed.used().cosigner, WHOLE_MB) + calls(counted, "cosigner") * CALL_S;
    // Assumes that the endpoint makes its calls one after the other.
    let own = calls(counted, "endpoint") - calls(counted, "Lambda") - exchange;
    let wait_s = own * CALL_S + exchange * EXCHANGE_S;
    (compute_s(timed.used().endpoints, memory_mb) + wait_s + cosigner, cosigner)
}

/// Returns the cost items of a thousand operations, the largest first.
fn items(counted: &Counted, (endpoint_s, cosigner_s): (f64, f64), memory_mb: f64) -> Vec<Item> {
    let passed = &counted.passed;
    let (invocations, kms) = (calls(counted, "Lambda"), calls(counted, "KMS"));
    let gb_seconds = (endpoint_s * memory_mb + cosigner_s * WHOLE_MB) / 1_024.0;
    let thousand = |name, each: f64| Item { name, dollars: each * 1_000.0 };
    let mut items = vec![
        thousand("DynamoDB writes", passed.write_units * WRITE_UNIT),
        thousand("DynamoDB reads", passed.read_units * READ_UNIT),
        thousand("KMS", kms * KMS_CALL),
        thousand("Lambda duration", gb_seconds * GB_SECOND),
        thousand("Lambda requests", (1.0 + invocations) * INVOCATION),
        thousand("API Gateway", API_CALL),
    ];
    items.sort_by(|one, other| other.dollars.total_cmp(&one.dollars));
    items
}

pub(crate) fn markdown(measured: &Measured) -> String {
    let alone = measured.turns.all().alone;
    let mut text = format!("{} List prices of us-east-1, November 2026.\n", measured.machine);
    for (operation, what, timed, memory_mb) in [
        ("create", "1,000 wallets", &alone.create, WHOLE_MB),
        ("sign", "1,000 signatures", &alone.sign, 512.0),
        ("register hyperliquid", "1,000 registrations", &alone.register, 512.0),
    ] {
        let Some(counted) = measured.counted.iter().find(|it| it.operation == operation) else {
            continue;
        };
        section(&mut text, what, counted, timed, memory_mb);
    }
    remote_calls(&mut text, measured);
    text
}

/// Writes the costs of a thousand operations.
pub(crate) fn section(
    text: &mut String,
    what: &str,
    counted: &Counted,
    timed: &Timed,
    memory_mb: f64,
) {
    let taken = taken(counted, timed, memory_mb);
    let items = items(counted, taken, memory_mb);
    let sum: f64 = items.iter().map(|item| item.dollars).sum();
    let passed = &counted.passed;
    let cosigner = if taken.1 > 0.0 {
        let cosigner_ms = taken.1 * 1_000.0;
        format!(" It occupies one cosigner instance for {cosigner_ms:.0} ms of that time.")
    } else {
        String::new()
    };
    let _ = writeln!(
        text,
        "\n### {what}: {sum:.3} dollars\n\nEach takes {} read units, {} write units and {} KMS calls. \
         It occupies one endpoint instance for {:.0} ms, so an instance completes {:.1} per second.\
         {cosigner}\n\n\
         | item | dollars | share |\n| --- | ---: | ---: |",
        passed.read_units,
        passed.write_units,
        passed.total("KMS"),
        taken.0 * 1_000.0,
        1.0 / taken.0,
    );
    for Item { name, dollars } in &items {
        let part = dollars / sum * 100.0;
        let _ = writeln!(text, "| {name} | {dollars:.4} | {part:.0} % |");
    }
    let mut writes: Vec<_> = passed.most_expensive.iter().collect();
    writes.sort_by(|one, other| other.1.total_cmp(one.1));
    let writes = writes.iter().take(3).map(|(name, units)| format!("{name} {units}"));
    let _ = writeln!(
        text,
        "\nWrite units of the most expensive writes: {}.",
        writes.collect::<Vec<_>>().join(", ")
    );
}

/// The remote calls of each operation, with the units that DynamoDB bills.
fn remote_calls(text: &mut String, measured: &Measured) {
    text.push_str("\n### Remote calls\n\nCalls of both parties and units of DynamoDB for one operation by `userId`. By `walletId` it is one `GetItem` less.\n\n");
    text.push_str("| operation | endpoint | cosigner | exchange | read units | write units |\n");
    text.push_str("| --- | --- | --- | ---: | ---: | ---: |\n");
    for counted in &measured.counted {
        let passed = &counted.passed;
        let of = |who: &str| {
            let own = passed.calls.iter().filter_map(|(name, count)| {
                let call = name.strip_prefix(who)?.trim();
                let exchange = matches!(call, "Aster" | "Hyperliquid");
                let call = call.strip_prefix("DynamoDB.").unwrap_or(call);
                (!exchange).then(|| format!("{count} {call}"))
            });
            own.collect::<Vec<_>>().join(", ")
        };
        let exchange = passed.total("Aster") + passed.total("Hyperliquid");
        let (read, write) = (passed.read_units, passed.write_units);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {exchange} | {read} | {write} |",
            counted.operation,
            of("endpoint"),
            of("cosigner"),
        );
    }
}
