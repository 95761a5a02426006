//! The report, in Markdown.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use crate::cold::{self, Cold};
use crate::error::{BenchError, failed};
use crate::growth::Growth;
use crate::machine::Machine;
use crate::measured::Measured;
use crate::times::ms;
use crate::turns::{Sides, Turns};

const BEGIN: &str =
    "<!-- bench: what follows is written by `cargo run --release -- bench --out docs` -->";
const END: &str = "<!-- bench: end -->";

/// One aim, and whether it is met.
struct Aim {
    what: &'static str,
    /// Nothing where it is said for comparison alone.
    most: Option<f64>,
    found: f64,
    /// The least and the most that single turns have found.
    turns: Option<(f64, f64)>,
}

fn ratio(part: Duration, whole: Duration) -> f64 {
    part.as_secs_f64() / whole.as_secs_f64().max(1e-9)
}

/// What a ratio is made of.
type Ratio = fn(&Sides) -> f64;

/// The ratios of the service to the bare library, and what they may come to.
const RATIOS: [(&str, Option<f64>, Ratio); 8] = [
    ("signing: processor time of both parties / bare", Some(1.5), |Sides { bare, alone }| {
        ratio(alone.sign.product(), bare.signing.processor())
    }),
    (
        "signing: processor time of both parties / bare, each after a pause, as calls come",
        None,
        |Sides { bare, alone }| ratio(alone.sign.product(), bare.signing_paced.processor()),
    ),
    (
        "signing: wall time of a run at two connections for each signature / bare",
        Some(2.0),
        |Sides { bare, alone }| {
            ratio(alone.sign_by_two.wall / alone.sign_by_two.count(), bare.signing.wall())
        },
    ),
    (
        "signing: wall time of one call at two connections / bare",
        Some(2.0),
        |Sides { bare, alone }| ratio(alone.sign_by_two.p50(), bare.signing.wall()),
    ),
    (
        "creation: wall time / bare, one party after the other",
        Some(0.55),
        |Sides { bare, alone }| ratio(alone.create.p50(), bare.keygen.wall()),
    ),
    ("creation: wall time / bare, both parties at once", None, |Sides { bare, alone }| {
        ratio(alone.create.p50(), bare.keygen_at_once.wall())
    }),
    (
        "creation: the endpoint's processor time / its bare half",
        Some(1.1),
        |Sides { bare, alone }| ratio(alone.create.used().endpoints, bare.keygen.party_1()),
    ),
    (
        "registration: p50 / (p50 of a signature, two writes and the exchange)",
        Some(1.3),
        |Sides { alone, .. }| {
            let expected = alone.sign.p50() + 2 * alone.dynamodb() + alone.exchange();
            ratio(alone.register.p50(), expected)
        },
    ),
];

fn aims(turns: &Turns, cold: &[Cold]) -> Vec<Aim> {
    let all = turns.all();
    let mut aims: Vec<Aim> = RATIOS
        .iter()
        .map(|&(what, most, of)| {
            let turns = turns.0.iter().map(of);
            let ends = turns
                .fold((f64::INFINITY, 0.0_f64), |(least, most), it| (least.min(it), most.max(it)));
            Aim { what, most, found: of(&all), turns: Some(ends) }
        })
        .collect();
    let empty = cold.iter().find(|it| it.name == cold::EMPTY);
    if let Some(empty) = empty {
        let others = || cold.iter().filter(|it| it.name != cold::EMPTY);
        // A job's first answer is a whole run of it.
        let most = |of: fn(&Cold) -> Duration, whose: fn(&Cold) -> bool| {
            others().filter(|it| whose(it)).map(|it| ratio(of(it), of(empty))).fold(0.0, f64::max)
        };
        for (what, found) in [
            (
                "cold start of the slowest: to its first poll / an empty function's",
                most(|it| it.poll, |_| true),
            ),
            (
                "cold start of the slowest: to its first answer / an empty function's",
                most(|it| it.answer, |it| !it.is_job()),
            ),
        ] {
            aims.push(Aim { what, most: Some(1.3), found, turns: None });
        }
    }
    aims
}

/// The bare library beside the service.
pub(crate) fn ratios(machine: &Machine, turns: &Turns) -> String {
    let mut text = format!("{machine}.\n");
    against_the_aims(&mut text, turns, &[]);
    side_by_side(&mut text, turns);
    text
}

fn against_the_aims(text: &mut String, turns: &Turns, cold: &[Cold]) {
    let _ = write!(
        text,
        "\n### Against the aims\n\nThe bare library and the service in {} turns of some seconds each.\n\n",
        turns.0.len(),
    );
    text.push_str("| ratio | at most | found | in single turns | |\n");
    text.push_str("| --- | ---: | ---: | ---: | --- |\n");
    for Aim { what, most, found, turns } in aims(turns, cold) {
        let met = match most {
            None => "",
            Some(most) if found <= most => "met",
            Some(_) => "**missed**",
        };
        let most = most.map_or_else(String::new, |most| format!("{most:.2}"));
        let turns = turns
            .map_or_else(String::new, |(least, largest)| format!("{least:.2} to {largest:.2}"));
        let _ = writeln!(text, "| {what} | {most} | {found:.2} | {turns} | {met} |");
    }
}

pub(crate) fn markdown(measured: &Measured) -> String {
    let mut text = format!("{}.\n", measured.machine);
    against_the_aims(&mut text, &measured.turns, &measured.cold);
    side_by_side(&mut text, &measured.turns);
    throughput(&mut text, measured);
    text.push_str("\n### Remote calls\n\nOne call of each operation, both parties' calls, and DynamoDB's units for them.\n\n");
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
    growth(&mut text, &measured.growth);
    cold_starts(&mut text, &measured.cold);
    first_signature(&mut text, measured);
    text
}

fn cold_starts(text: &mut String, functions: &[Cold]) {
    let Some(empty) = functions.iter().find(|it| it.name == cold::EMPTY) else { return };
    text.push_str("\n### Cold starts\n\nFrom the start of the process, in ms, medians; beside an empty `lambda_http` function that was built alike. An endpoint first answers 404, a job runs once, what takes batches gets an empty one.\n\n");
    text.push_str("| function | to the first poll | / empty | to the first answer | / empty | memory MB | binary MB | zip MB |\n");
    text.push_str("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n");
    let mb = |bytes: u64| Duration::from_micros(bytes).as_secs_f64();
    for it in functions {
        let _ = writeln!(
            text,
            "| {} | {:.1} | {:.2} | {:.1} | {:.2} | {} | {:.1} | {} |",
            it.name,
            ms(it.poll),
            ratio(it.poll, empty.poll),
            ms(it.answer),
            ratio(it.answer, empty.answer),
            it.peak_mb,
            mb(it.size),
            it.zip.map_or_else(String::new, |zip| format!("{:.1}", mb(zip))),
        );
    }
}

fn first_signature(text: &mut String, measured: &Measured) {
    let Some(cold) = measured.first_signature else { return };
    let warm = measured.turns.all().alone.sign.p50();
    let _ = writeln!(
        text,
        "\nWith every client made and every connection opened: `sign-message` answers its first \
         signature {:.1} ms after its start. A warm one takes {:.1} ms.",
        ms(cold),
        ms(warm)
    );
}

fn side_by_side(text: &mut String, turns: &Turns) {
    let Sides { bare, alone } = turns.all();
    text.push_str("\n### The library and the service\n\nOne at a time, in ms; p50 of the wall time, processor time as a mean.\n\n");
    text.push_str("| | wall | endpoint's processor | cosigner's processor | stand-ins' and clients' processor |\n");
    text.push_str("| --- | ---: | ---: | ---: | ---: |\n");
    for (what, runs) in [
        ("key generation", &bare.keygen),
        ("signature", &bare.signing),
        ("signature after a pause of 10 ms", &bare.signing_paced),
    ] {
        let other = runs.processor().saturating_sub(runs.party_1());
        let (wall, one, two) = (ms(runs.wall()), ms(runs.party_1()), ms(other));
        let _ = writeln!(text, "| {what}, bare | {wall:.1} | {one:.1} | {two:.1} | |");
    }
    for (what, timed) in [
        ("a new wallet", &alone.create),
        ("a signature", &alone.sign),
        ("a signature, two at a time", &alone.sign_by_two),
        ("a registration", &alone.register),
    ] {
        let used = timed.used();
        let _ = writeln!(
            text,
            "| {what} | {:.1} | {:.1} | {:.1} | {:.1} |",
            ms(timed.p50()),
            ms(used.endpoints),
            ms(used.cosigner),
            ms(used.others),
        );
    }
    let _ = writeln!(
        text,
        "| key generation, bare, both parties at once | {:.1} | {:.1} | | |",
        ms(bare.keygen_at_once.wall()),
        ms(bare.keygen_at_once.party_1())
    );
    let [third, fourth] = bare.phases().map(ms);
    let (dynamodb, exchange) = (ms(alone.dynamodb()), ms(alone.exchange()));
    let _ = writeln!(
        text,
        "\nOf a bare key generation, phase 3 takes each party {third:.1} ms and phase 4 {fourth:.1} ms. \
         A write of DynamoDB's stand-in takes {dynamodb:.2} ms, a call of an exchange's {exchange:.2} ms."
    );
}

fn throughput(text: &mut String, measured: &Measured) {
    text.push_str("\n### Throughput\n\nThe whole local stack on this machine, stand-ins and clients included. Memory is the most that the endpoints' and the cosigner's process have had until then.\n\n");
    text.push_str("| operation | clients | exchange answers in | a second | p50 ms | p99 ms | product's processor ms | others' ms | memory MB |\n");
    text.push_str("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n");
    for cell in &measured.cells {
        let timed = &cell.timed;
        let latency = match (cell.operation, cell.latency_ms) {
            ("register" | "rotate" | "delete", latency) => format!("{latency} ms"),
            _ => String::new(),
        };
        let _ = writeln!(
            text,
            "| {} | {} | {latency} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {} + {} |",
            cell.operation,
            cell.clients,
            timed.per_second(),
            ms(timed.p50()),
            ms(timed.p99()),
            ms(timed.product()),
            ms(timed.used().others),
            cell.peaks.0,
            cell.peaks.1,
        );
    }
}

fn growth(text: &mut String, grown: &[Growth]) {
    text.push_str("\n### Growth\n\np50 in ms / remote calls of both parties / read units of one call, with so many wallets in the tables. The calls pass a counting edge, which makes them slower than above.\n\n| operation |");
    for it in grown {
        let _ = write!(text, " {} |", it.wallets);
    }
    text.push_str("\n| --- |");
    text.push_str(&" ---: |".repeat(grown.len()));
    text.push('\n');
    for (index, counted) in grown.iter().flat_map(|it| &it.operations).enumerate() {
        if grown.first().is_none_or(|first| index >= first.operations.len()) {
            break;
        }
        let _ = write!(text, "| {} |", counted.operation);
        for counted in grown.iter().filter_map(|it| it.operations.get(index)) {
            let count = f64::from(counted.timed.count());
            #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
            let calls = counted.passed.total("") as f64 / count;
            let read = counted.passed.read_units / count;
            let _ = write!(text, " {:.1} / {calls:.1} / {read:.1} |", ms(counted.timed.p50()));
        }
        text.push('\n');
    }
    for job in 0..grown.first().map_or(0, |it| it.jobs.len()) {
        let name = grown.first().and_then(|it| it.jobs.get(job)).map_or("", |it| it.0);
        let _ = write!(text, "| {name}: calls of DynamoDB |");
        for it in grown {
            let (_, calls) = it.jobs.get(job).copied().unwrap_or_default();
            let _ = write!(text, " {calls} |");
        }
        text.push('\n');
    }
    for it in grown {
        let _ = write!(
            text,
            "\n{} wallets were written in {:.1} s.",
            it.wallets,
            it.written.as_secs_f64()
        );
    }
    text.push('\n');
}

/// Puts the report into a document, in place of the one before.
pub(crate) fn put(file: &Path, report: &str) -> Result<(), BenchError> {
    let document = std::fs::read_to_string(file).map_err(failed)?;
    let ends = document
        .split_once(BEGIN)
        .and_then(|(before, rest)| rest.split_once(END).map(|(_, after)| (before, after)));
    let (before, after) =
        ends.ok_or_else(|| failed(format!("{} has no place for the report", file.display())))?;
    let document = format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", report.trim());
    std::fs::write(file, document).map_err(failed)
}
