//! The arguments of a measurement.

use std::path::PathBuf;

use clap::Args;

/// Scope of the measurement and target of the report
#[derive(Args, Clone, Debug)]
pub struct BenchOptions {
    /// Measure everything once or twice in a minute, as a check
    #[arg(long)]
    pub(crate) short: bool,
    /// Measure only the bare library and the service, in three minutes, without writing a report
    #[arg(long, conflicts_with = "out")]
    pub(crate) ratios: bool,
    /// Measure only signatures, in a minute, without writing a report
    #[arg(long, conflicts_with_all = ["out", "ratios"])]
    pub(crate) signing: bool,
    /// Measure only the AWS clients, without a network
    #[arg(long, conflicts_with_all = ["out", "ratios", "signing"])]
    pub(crate) clients: bool,
    /// Measure only what recovery records cost a new wallet
    #[arg(long, conflicts_with_all = ["out", "ratios", "signing", "clients"])]
    pub(crate) recovery: bool,
    /// Measure only orders, in three minutes
    ///
    /// With --out, the command replaces only the tables of orders.
    #[arg(long, conflicts_with_all = ["ratios", "signing"])]
    pub(crate) trading: bool,
    /// Number of wallets in the largest table
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) wallets: u64,
    /// Folder of project/performance.md and reference/costs.md, which get the report and a chart
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
    /// Folder of built functions, such as target/lambda, to measure cold starts
    #[arg(long)]
    pub(crate) bootstraps: Option<PathBuf>,
}

impl BenchOptions {
    /// Returns one of two values: the first one for a whole run, the second one for a short run.
    pub(crate) const fn or<T: Copy>(&self, whole: T, short: T) -> T {
        if self.short { short } else { whole }
    }
}
