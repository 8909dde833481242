//! stdout is data, stderr is for people: the only place that writes to either.

use lake_core::{Summary, summary::Outcome};
use std::io::{IsTerminal, Write};

/// Where a program writes.
#[derive(Debug, Clone)]
pub struct Console {
    terminal: bool,
}

/// A progress bar; silent where stderr is no terminal.
#[derive(Debug)]
pub struct Bar(indicatif::ProgressBar);

impl Bar {
    /// Adds to what is done.
    pub fn inc(&self, delta: u64) {
        self.0.inc(delta);
    }

    /// Removes the bar.
    pub fn done(&self) {
        self.0.finish_and_clear();
    }
}

impl Console {
    /// Starts logging to stderr: text on a terminal, JSON lines otherwise; `RUST_LOG` wins over `-v`.
    #[must_use]
    pub fn new(verbose: u8) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let level = match verbose {
            0 => "warn",
            1 => "info",
            2 => "debug",
            _ => "trace",
        };
        let quiet =
            format!("{level},delta_kernel=error,buoyant_kernel=error,deltalake_core=error,datafusion=error,aws_config=error");
        let filter =
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(quiet));
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        // A second console in one process keeps the first one's logging.
        let _ = if terminal { builder.try_init() } else { builder.json().try_init() };
        Self { terminal }
    }

    /// Whether a person watches stderr.
    #[must_use]
    pub const fn terminal(&self) -> bool {
        self.terminal
    }

    /// Writes a line of data to stdout. A reader that went away is no error.
    pub fn line(&self, text: &str) {
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }

    /// Writes a line for people to stderr.
    pub fn note(&self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    /// Starts a progress bar.
    #[must_use]
    pub fn progress(&self, what: &str, total: Option<u64>) -> Bar {
        if !self.terminal {
            return Bar(indicatif::ProgressBar::hidden());
        }
        let bar = total.map_or_else(indicatif::ProgressBar::new_spinner, indicatif::ProgressBar::new);
        let template = if total.is_some() {
            "{msg} {bar:30} {human_pos}/{human_len} {per_sec} {eta}"
        } else {
            "{msg} {human_pos} {per_sec} {elapsed}"
        };
        if let Ok(style) = indicatif::ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        Bar(bar)
    }
}

/// The summary for people.
pub(crate) fn summary_text(summary: &Summary) -> String {
    let ledger = summary.ledger;
    let outcome = match summary.outcome {
        Outcome::Committed => "committed",
        Outcome::Unchanged => "unchanged",
        Outcome::AlreadyDone => "already done",
    };
    let version = summary.table_version.map_or_else(String::new, |version| format!(" version {version}"));
    let by = if summary.outcome == Outcome::AlreadyDone { format!(" by {}", summary.run_id) } else { String::new() };
    let mut buckets = format!("read {}, accepted {}", ledger.read, ledger.accepted);
    for (name, count) in [
        ("quarantined", ledger.quarantined),
        ("duplicate", ledger.duplicate),
        ("superseded", ledger.superseded),
        ("filtered", ledger.filtered),
        ("held", ledger.held),
    ] {
        if count > 0 {
            buckets.push_str(&format!(", {name} {count}"));
        }
    }
    format!("{}{version} {outcome}{by}: {buckets} ({} ms)", summary.table, summary.duration_ms)
}

/// Peak resident memory of this process in bytes; 0 where the system does not say.
pub(crate) fn peak_rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
