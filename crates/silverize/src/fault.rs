//! Errors of this program, with who has to act.

use lake_core::{Contract, Fault};

/// A contract that cannot be executed: somebody must edit it.
pub(crate) fn contract(contract: &Contract, problem: impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("failed to use contract {}: {problem}", contract.path.display()).context(Fault::Config)
}

/// Rows that do not add up, or an input that cannot be consumed: everything downstream must wait.
pub(crate) fn data(problem: impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("failed to {problem}").context(Fault::Data)
}

/// Rows that were lost or doubled between two steps.
pub(crate) fn rows(step: &str, expected: u64, found: u64) -> anyhow::Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(data(format_args!("account for the rows of {step}: expected {expected}, found {found}")))
}
