//! Who has to act when something fails, and the exit code that tells the scheduler.
//!
//! The error rule of the whole workspace: libraries return their own small enum; a message is a lower-case fragment that
//! completes "failed to ...", names kind and object, and never holds a secret or a value of a row. Programs return
//! `anyhow::Result`; an error that leaves a library carries its [`Fault`] as context, and `lake-edge` reads it back with
//! `error.downcast_ref::<Fault>()`. No fault attached means a bug of ours.

use std::fmt;

/// Who has to act, and so how the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The source, the network or a commit conflict: the same command may work later. Exit 75.
    Transient,
    /// The data broke its contract or a gate failed: everything downstream must wait. Exit 65.
    Data,
    /// Options, environment or a contract file are wrong: a person must edit something. Exit 2.
    Config,
}

/// An error that knows who has to act.
pub trait Faulty: std::error::Error + Send + Sync + 'static {
    /// Returns who has to act.
    fn fault(&self) -> Fault;

    /// Returns what the person who reads the error can do, where there is something to say.
    fn hint(&self) -> Option<String> {
        None
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transient => "transient",
            Self::Data => "data",
            Self::Config => "configuration",
        })
    }
}

impl std::error::Error for Fault {}

/// How a program ends. The numbers are public: Airflow reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; the summary is on stdout.
    Ok,
    /// An error that we did not foresee.
    Bug,
    /// Usage or configuration.
    Config,
    /// The data broke its contract or a gate failed (`EX_DATAERR`).
    Data,
    /// Try again later (`EX_TEMPFAIL`).
    Transient,
    /// Nothing to do; only with `--skip-when-empty`.
    Nothing,
}

impl Exit {
    /// Every exit, in the order of the public table.
    pub const ALL: [Self; 6] = [Self::Ok, Self::Bug, Self::Config, Self::Data, Self::Transient, Self::Nothing];

    /// Returns the process exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Bug => 1,
            Self::Config => 2,
            Self::Data => 65,
            Self::Transient => 75,
            Self::Nothing => 99,
        }
    }

    /// Returns the name that documents and logs use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Bug => "bug",
            Self::Config => "config",
            Self::Data => "data",
            Self::Transient => "transient",
            Self::Nothing => "nothing",
        }
    }

    /// Returns the exit that stands for a code, `Bug` for codes that are not ours (such as those of a signal).
    #[must_use]
    pub fn from_code(code: i32) -> Self {
        Self::ALL.into_iter().find(|exit| i32::from(exit.code()) == code).unwrap_or(Self::Bug)
    }

    /// Returns the worse of two exits: a bug before bad configuration, bad data, a transient fault, nothing, ok.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        const WORST_FIRST: [Exit; 6] = [Exit::Bug, Exit::Config, Exit::Data, Exit::Transient, Exit::Ok, Exit::Nothing];
        WORST_FIRST.into_iter().find(|exit| *exit == self || *exit == other).unwrap_or(Exit::Bug)
    }
}

impl From<Fault> for Exit {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Config => Self::Config,
            Fault::Data => Self::Data,
            Fault::Transient => Self::Transient,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_public_ones() {
        assert_eq!(Exit::ALL.map(Exit::code), [0, 1, 2, 65, 75, 99]);
        for exit in Exit::ALL {
            assert_eq!(Exit::from_code(i32::from(exit.code())), exit);
        }
        assert_eq!(Exit::from_code(137), Exit::Bug);
    }

    #[test]
    fn the_worse_exit_wins() {
        assert_eq!(Exit::Ok.merge(Exit::Data), Exit::Data);
        assert_eq!(Exit::Transient.merge(Exit::Data), Exit::Data);
        assert_eq!(Exit::Config.merge(Exit::Data), Exit::Config);
        assert_eq!(Exit::Nothing.merge(Exit::Ok), Exit::Ok);
    }
}
