//! The machine of a measurement, and the processor time of a process.

use std::fmt;
use std::time::Duration;

use domain::clock::Clock;
use rustix::time::{ClockId, clock_gettime};
use time::OffsetDateTime;

use crate::error::{BenchError, failed};

/// The properties of the machine in the report.
pub(crate) struct Machine {
    processor: String,
    /// Whether the processor has instructions for SHA-256, which takes half of a signature without
    /// them.
    has_sha256: bool,
    cores: usize,
    load: String,
    day: String,
}

impl Machine {
    pub(crate) fn look() -> Self {
        let information = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = information.lines().find_map(|line| line.strip_prefix("model name"));
        let processor = model.map_or("unknown", |rest| rest.trim_start_matches([' ', '\t', ':']));
        let seconds = i64::try_from(Clock::system().now_ms() / 1_000).unwrap_or_default();
        let day = OffsetDateTime::from_unix_timestamp(seconds);
        Self {
            processor: processor.to_owned(),
            has_sha256: has_sha256(&information),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            load: std::fs::read_to_string("/proc/loadavg").unwrap_or_default(),
            day: day.map_or_else(|_| String::new(), |day| day.date().to_string()),
        }
    }

    pub(crate) const fn cores(&self) -> usize {
        self.cores
    }

    /// Returns the load of the machine at the start of the run, in cores.
    pub(crate) fn load(&self) -> f64 {
        self.load.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or_default()
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, has_sha256, cores, day, .. } = self;
        let sha256 = if *has_sha256 { "with" } else { "without" };
        let build = if cfg!(debug_assertions) {
            "debug build, so the times are meaningless"
        } else {
            "build without debug assertions"
        };
        write!(
            f,
            "Measured on {day}: {processor} {sha256} SHA-256 instructions, {cores} cores, {build}. \
             Load average at the start: {}.",
            self.load()
        )
    }
}

/// Returns whether `/proc/cpuinfo` names the instructions: `sha_ni` on x86-64, `sha2` on arm64.
fn has_sha256(information: &str) -> bool {
    let lists = |line: &&str| line.starts_with("flags") || line.starts_with("Features");
    let mut flags = information.lines().filter(lists).flat_map(str::split_whitespace);
    flags.any(|flag| flag == "sha_ni" || flag == "sha2")
}

/// Returns the processor time of a process, with a resolution of 10 ms.
pub(crate) fn processor_time(process: u32) -> Result<Duration, BenchError> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).map_err(failed)?;
    // The fields after the name, which may contain spaces: user time and system time.
    let fields = stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').skip(11).take(2));
    let ticks = fields.into_iter().flatten().filter_map(|field| field.parse::<u64>().ok());
    Ok(Duration::from_millis(ticks.sum::<u64>() * 10))
}

/// Returns the processor time of this thread.
pub(crate) fn thread_time() -> Duration {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(spent).unwrap_or_default()
}

/// Returns the peak memory of a process, in MB.
pub(crate) fn peak_mb(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or_default() / 1_024
}
