//! The command-line options of a load run.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use domain::clock::Clock;

/// The size of the run and its failures.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// The number of concurrent clients.
    pub clients: usize,
    /// The number of wallets of each client.
    pub wallets: usize,
    /// The number of operations of all clients, after the wallets are created.
    pub operations: u64,
    /// The maximum duration of the operations.
    pub duration: Duration,
    /// The interval between kills of the stack. `None` means never.
    pub kill_every: Option<Duration>,
    /// The interval between failing calls to an exchange. `None` means never.
    pub fail_every: Option<Duration>,
    /// The seed of operations and faults.
    pub seed: u64,
    /// True to remove every agent at the exchanges before the check, which must report the loss.
    pub plant_loss: bool,
    /// Measures a tenant next to a greedy one, in place of everything else.
    pub neighbour: bool,
    /// The program whose stack is measured; `None` is this one.
    pub stack: Option<PathBuf>,
}

/// The arguments of `load`.
#[derive(Args, Clone, Debug)]
pub struct LoadArgs {
    /// Number of concurrent clients
    #[arg(long, default_value_t = 16)]
    clients: usize,
    /// Number of wallets of each client
    #[arg(long, default_value_t = 2)]
    wallets: usize,
    /// Number of operations of all clients
    #[arg(long, default_value_t = 2_000)]
    operations: u64,
    /// Maximum duration of the operations, in seconds
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Seconds between two kills of the stack (0: never)
    #[arg(long, default_value_t = 10)]
    kill_every: u64,
    /// Milliseconds between two faults of the exchanges (0: never)
    #[arg(long, default_value_t = 200)]
    fail_every_ms: u64,
    /// Seed of operations and faults (default: the current time)
    #[arg(long)]
    seed: Option<u64>,
    /// Remove every agent at the exchanges, which the check must report
    #[arg(long, hide = true)]
    plant_loss: bool,
    /// Measure a tenant next to a greedy one
    #[arg(long)]
    neighbour: bool,
    /// Program whose stack is measured with --neighbour
    #[arg(long, requires = "neighbour")]
    stack: Option<PathBuf>,
}

impl LoadArgs {
    /// Returns the options.
    #[must_use]
    pub fn options(&self) -> LoadOptions {
        let some = |time: Duration| (!time.is_zero()).then_some(time);
        LoadOptions {
            clients: self.clients,
            wallets: self.wallets,
            operations: self.operations,
            duration: Duration::from_secs(self.seconds),
            kill_every: some(Duration::from_secs(self.kill_every)),
            fail_every: some(Duration::from_millis(self.fail_every_ms)),
            seed: self.seed.unwrap_or_else(|| Clock::system().now_us()),
            plant_loss: self.plant_loss,
            neighbour: self.neighbour,
            stack: self.stack.clone(),
        }
    }
}
