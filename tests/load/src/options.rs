//! What a load run is told on its command line.

use std::time::Duration;

use clap::Args;
use domain::clock::Clock;

/// How much, and what goes wrong meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct LoadOptions {
    /// Clients at work at once.
    pub clients: usize,
    /// Wallets of each client.
    pub wallets: usize,
    /// How many operations all clients do together, after the wallets are made.
    pub operations: u64,
    /// How long they may take at most.
    pub duration: Duration,
    /// How often the stack is killed; `None` is never.
    pub kill_every: Option<Duration>,
    /// How often a call of an exchange is made to fail; `None` is never.
    pub fail_every: Option<Duration>,
    /// What the operations and the faults are drawn from.
    pub seed: u64,
    /// Every agent is taken away behind the product's back at the end, which must be found.
    pub plant_loss: bool,
}

/// The arguments of `load`.
#[derive(Args, Clone, Debug)]
pub struct LoadArgs {
    /// Clients at work at once.
    #[arg(long, default_value_t = 16)]
    clients: usize,
    /// Wallets of each client.
    #[arg(long, default_value_t = 2)]
    wallets: usize,
    /// Operations of all clients together.
    #[arg(long, default_value_t = 2_000)]
    operations: u64,
    /// Seconds that they may take at most.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Seconds between two kills of the stack; 0 is never.
    #[arg(long, default_value_t = 10)]
    kill_every: u64,
    /// Milliseconds between two faults of the exchanges; 0 is never.
    #[arg(long, default_value_t = 200)]
    fail_every_ms: u64,
    /// What operations and faults are drawn from; the time when it is not given.
    #[arg(long)]
    seed: Option<u64>,
    /// Take every agent away on the exchanges before the end's look, which must then fail.
    #[arg(long, hide = true)]
    plant_loss: bool,
}

impl LoadArgs {
    /// What they ask for.
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
        }
    }
}
