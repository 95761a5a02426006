//! Runs one party in its own process, for tests that need several processes. It takes the arguments
//! of `hyperdex cosigner` and `hyperdex endpoints` and runs the same code.

use std::io::Write;
use std::process::ExitCode;

use bench::{EndpointsSettings, run_endpoints};
use hyperdex_cloud::cosigner::{CosignerSettings, run_child};

/// Prints the address for the test.
fn print_address(address: &str) {
    let mut output = std::io::stdout().lock();
    let _ = writeln!(output, "{address}").and_then(|()| output.flush());
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (party, settings) = (arguments.next().unwrap_or_default(), arguments.collect::<Vec<_>>());
    let ended = match party.as_str() {
        "cosigner" => match CosignerSettings::from_arguments(&settings) {
            Some(settings) => run_child(&settings, print_address).await.is_ok(),
            None => return ExitCode::from(2),
        },
        "endpoints" => match EndpointsSettings::from_arguments(&settings) {
            Some(settings) => run_endpoints(&settings, print_address).await.is_ok(),
            None => return ExitCode::from(2),
        },
        _ => return ExitCode::from(2),
    };
    if ended { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
