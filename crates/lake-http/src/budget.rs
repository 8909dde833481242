//! An allowance of a service, shared by all requests that draw on it.

use crate::slots::{Allowance, Headers, Slots, Turn};
use reqwest::header::HeaderMap;
use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{sync::Notify, time::timeout_at};

/// An allowance: requests wait here until sending them cannot be more than the service allows.
#[derive(Debug)]
pub struct Budget {
    slots: Mutex<Slots>,
    headers: Option<Headers>,
    changed: Notify,
    /// Until when the service has told all who share it to wait.
    closed_until: Arc<Mutex<Option<Instant>>>,
}

/// The right to send one request. Dropped without an answer it counts as spent: the request may have arrived.
#[derive(Debug)]
pub(crate) struct Permit<'a> {
    budget: &'a Budget,
    sent: Instant,
    open: bool,
}

impl Budget {
    /// An allowance that the service announces in every answer; until the first one it is taken to be `until_then`.
    ///
    /// A twentieth of it is left to other runs that draw on it, and what they spend is counted.
    #[must_use]
    pub fn announced(until_then: Allowance, headers: Headers) -> Self {
        Self::of(Slots::announced(until_then), Some(headers))
    }

    /// An allowance that the service documents but does not announce. The first request waits for one interval, since a run
    /// before this one may have spent all.
    #[must_use]
    pub fn documented(allowance: Allowance) -> Self {
        Self::of(Slots::documented(allowance, Instant::now()), None)
    }

    fn of(slots: Slots, headers: Option<Headers>) -> Self {
        Self { slots: Mutex::new(slots), headers, changed: Notify::new(), closed_until: Arc::default() }
    }

    /// The same, but who is told to wait within the other allowance waits within this one too, and the other way round.
    #[must_use]
    pub fn beside(self, other: &Self) -> Self {
        Self { closed_until: other.closed_until.clone(), ..self }
    }

    /// Requests sent so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        locked(&self.slots).sent()
    }

    /// Waits for a slot; `None` when the service allows no more on this day.
    pub(crate) async fn take(&self) -> Option<Permit<'_>> {
        loop {
            let mut changed = pin!(self.changed.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            let now = Instant::now();
            let closed_until = *locked(&self.closed_until);
            let turn = match closed_until.filter(|until| *until > now) {
                Some(until) => Turn::At(until),
                None => locked(&self.slots).take(now),
            };
            match turn {
                Turn::Now => return Some(Permit { budget: self, sent: now, open: true }),
                // The time is over or something has changed: either way the question is asked again.
                Turn::At(at) => drop(timeout_at(at.into(), changed).await),
                Turn::AfterAnswer => changed.await,
                Turn::Never => return None,
            }
        }
    }

    /// Lets no request pass for a while, here and beside.
    pub(crate) fn pause(&self, pause: Duration) {
        let mut closed_until = locked(&self.closed_until);
        *closed_until = (*closed_until).max(Some(Instant::now() + pause));
    }

    fn answered(&self, sent: Instant, headers: Option<&HeaderMap>) {
        let said = headers.map(|headers| self.headers.map(|names| names.read(headers)).unwrap_or_default());
        locked(&self.slots).answered(sent, Instant::now(), said);
        self.changed.notify_waiters();
    }
}

/// Nothing panics while it holds one of these locks, and what they guard is right after every step.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Permit<'_> {
    /// Takes down an answer.
    pub(crate) fn answered(mut self, headers: &HeaderMap) {
        self.open = false;
        self.budget.answered(self.sent, Some(headers));
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.open {
            self.budget.answered(self.sent, None);
        }
    }
}
