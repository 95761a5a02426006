//! The arguments of a measurement.

use std::path::PathBuf;

use clap::Args;

/// How much is measured, and where the report goes.
#[derive(Args, Clone, Debug)]
pub struct BenchOptions {
    /// A run of a minute that measures everything once or twice, to see that it can be measured.
    #[arg(long)]
    pub(crate) short: bool,
    /// The bare library and the service alone, three minutes: for trying a change. Nothing is
    /// written.
    #[arg(long, conflicts_with = "out")]
    pub(crate) ratios: bool,
    /// Wallets in the largest table.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) wallets: u64,
    /// A folder with performance.md and costs.md, into which the report is written; a drawing is
    /// put beside it. It is printed in any case.
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
    /// The built functions (`.ci/bootstraps` builds them into target/lambda): their cold starts are
    /// measured too.
    #[arg(long)]
    pub(crate) bootstraps: Option<PathBuf>,
}

impl BenchOptions {
    /// So many, or in a short run so few.
    pub(crate) const fn or<T: Copy>(&self, whole: T, short: T) -> T {
        if self.short { short } else { whole }
    }
}
