//! SIGTERM: how a scheduler stops a program.

use lake_core::Fault;
use std::future::Future;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for SIGTERM from its creation on. Once it came, it has come.
#[derive(Debug)]
pub struct Termination {
    signal: Option<Signal>,
    seen: bool,
}

impl Termination {
    /// Begins to listen; before that the signal ends the process at once.
    #[must_use]
    pub fn listen() -> Self {
        // Where signals cannot be had the process ends by the system's own rule.
        Self { signal: signal(SignalKind::terminate()).ok(), seen: false }
    }

    /// Returns once the signal has come. May be dropped and asked again.
    pub async fn came(&mut self) {
        if self.seen {
            return;
        }
        match &mut self.signal {
            Some(signal) => {
                signal.recv().await;
                self.seen = true;
            }
            None => std::future::pending().await,
        }
    }
}

/// A scheduler that stops a program gets 75: the work was abandoned before its commit, or the commit was already whole.
pub(crate) async fn until_terminated<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let mut termination = Termination::listen();
    tokio::select! {
        result = work => result,
        () = termination.came() => Err(anyhow::anyhow!("stopped by SIGTERM").context(Fault::Transient)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The signal itself is sent to whole programs, in `crates/e2e`: here it would reach all tests of this process.
    #[tokio::test]
    async fn a_signal_that_came_is_seen_by_all_who_ask() {
        let mut termination = Termination { signal: None, seen: true };
        termination.came().await;
        termination.came().await;
    }

    #[tokio::test]
    async fn without_a_signal_the_work_goes_on() {
        let mut termination = Termination { signal: None, seen: false };
        tokio::select! {
            biased;
            () = termination.came() => panic!("no signal came"),
            () = std::future::ready(()) => {}
        }
        assert_eq!(until_terminated(std::future::ready(anyhow::Ok(1))).await.unwrap(), 1);
    }
}
