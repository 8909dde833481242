//! Arguments of programs that ask a server; the doc comments are the help text.

use crate::Limits;
use std::time::Duration;

/// How long and how often a server is asked. A program with other words or defaults says so with `mut_arg`.
#[derive(Debug, Clone, clap::Args)]
pub struct LimitArgs {
    /// Seconds that one try of one request may take
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout_seconds: u64,

    /// New tries of a request after the first one
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=20))]
    pub retries_max: u32,
}

impl LimitArgs {
    /// Returns the time that one try may take.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }
}

impl From<&LimitArgs> for Limits {
    fn from(args: &LimitArgs) -> Self {
        Self { timeout: args.timeout(), retries_max: args.retries_max, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(Debug, clap::Parser)]
    #[command(mut_arg("retries_max", |arg| arg.default_value("6")))]
    struct Args {
        #[command(flatten)]
        limits: LimitArgs,
    }

    #[test]
    fn a_program_may_have_defaults_of_its_own() {
        let given = |more: &[&str]| Args::try_parse_from(["program"].iter().chain(more)).map(|args| args.limits);
        let limits = Limits::from(&given(&[]).unwrap());
        assert_eq!((limits.timeout, limits.retries_max), (Duration::from_secs(30), 6));
        let limits = Limits::from(&given(&["--timeout-seconds", "1", "--retries-max", "0"]).unwrap());
        assert_eq!((limits.timeout, limits.retries_max), (Duration::from_secs(1), 0));
        assert!(given(&["--timeout-seconds", "0"]).is_err() && given(&["--retries-max", "21"]).is_err());
    }
}
