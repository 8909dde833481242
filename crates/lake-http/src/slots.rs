//! When the next request may be sent. Pure: instants come from the caller.
//!
//! A service counts requests when they reach it, at some instant between sending and answer. So a request takes a slot when
//! it is sent, and its slot is free again one interval after its *answer*: however long requests travel, and whether the
//! service counts in fixed or in sliding intervals, no interval of the service ever sees more than it allows.

use reqwest::header::HeaderMap;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// More requests than this are no allowance that a service gives. Each of them is kept while it counts, so that what is announced
/// bounds the memory.
const REQUESTS_MAX: u32 = 100_000;

/// So many requests in any interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Requests.
    pub requests: u32,
    /// Interval.
    pub interval: Duration,
}

/// Names of the headers in which a service announces its allowance and what is left of it.
#[derive(Debug, Clone, Copy)]
pub struct Headers {
    /// Requests in an interval.
    pub max: &'static str,
    /// Requests that are left in this interval.
    pub remaining: &'static str,
    /// Length of the interval.
    pub interval_ms: &'static str,
    /// Requests that are left on this day.
    pub day_remaining: &'static str,
}

/// What an answer's headers say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Announced {
    max: Option<u32>,
    remaining: Option<u32>,
    interval: Option<Duration>,
    day_remaining: Option<u32>,
}

impl Headers {
    /// Reads an answer's headers; what is missing or no number stays unsaid.
    pub(crate) fn read(&self, headers: &HeaderMap) -> Announced {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u32>().ok();
        Announced {
            max: number(self.max).filter(|max| (1..=REQUESTS_MAX).contains(max)),
            remaining: number(self.remaining),
            interval: number(self.interval_ms).filter(|ms| *ms > 0).map(|ms| Duration::from_millis(ms.into())),
            day_remaining: number(self.day_remaining),
        }
    }
}

/// Whether a request may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It took a slot.
    Now,
    /// Not before this instant.
    At(Instant),
    /// Not before an answer has come.
    AfterAnswer,
    /// Not on this day: its allowance is spent.
    Never,
}

/// The slots of one allowance.
#[derive(Debug)]
pub(crate) struct Slots {
    allowance: Allowance,
    /// Until the first answer one request at a time is sent: what is left is not known.
    known: bool,
    /// What is announced leaves some to others who draw on it.
    shared: bool,
    in_flight: usize,
    /// When requests were answered, ours and what others must have spent; oldest first.
    spent: VecDeque<Instant>,
    day_over: bool,
    sent: u64,
}

impl Slots {
    /// An allowance that the service announces; until then it is taken to be this one.
    pub(crate) fn announced(until_then: Allowance) -> Self {
        Self { allowance: until_then, known: false, shared: true, in_flight: 0, spent: VecDeque::new(), day_over: false, sent: 0 }
    }

    /// An allowance that the service only documents. A run before this one may just have spent all of it.
    pub(crate) fn documented(allowance: Allowance, now: Instant) -> Self {
        let spent = std::iter::repeat_n(now, allowance.requests as usize).collect();
        Self { known: true, shared: false, spent, ..Self::announced(allowance) }
    }

    /// Requests sent.
    pub(crate) const fn sent(&self) -> u64 {
        self.sent
    }

    /// Slots that are ours: of a shared allowance a twentieth is left to runs that begin, since their first request cannot
    /// know what is left.
    fn limit(&self) -> usize {
        let all = self.allowance.requests as usize;
        match (self.known, self.shared) {
            (false, _) => 1,
            (true, false) => all,
            (true, true) => (all - all.div_ceil(20)).max(1),
        }
    }

    /// Takes a slot, or tells when to ask again.
    pub(crate) fn take(&mut self, now: Instant) -> Turn {
        if self.day_over {
            return Turn::Never;
        }
        let interval = self.allowance.interval;
        // Kept for one interval more than they count: an answer on its way still speaks of them.
        while self.spent.front().is_some_and(|at| *at + interval * 2 <= now) {
            self.spent.pop_front();
        }
        let over = self.spent.partition_point(|at| *at + interval <= now);
        let taken = self.in_flight + self.spent.len() - over;
        if taken < self.limit() {
            self.in_flight += 1;
            self.sent += 1;
            return Turn::Now;
        }
        // A slot is free once so many of the oldest are over that the rest is below the limit; those in flight may not be.
        let needed = taken - self.limit();
        self.spent.get(over + needed).map_or(Turn::AfterAnswer, |at| Turn::At(*at + interval))
    }

    /// Takes down an answer, or that there is none, of a request that was sent at an instant.
    pub(crate) fn answered(&mut self, sent: Instant, now: Instant, said: Option<Announced>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.spent.push_back(now);
        let Some(said) = said else { return };
        self.known = true;
        let Some(remaining) = said.remaining.filter(|_| self.shared) else { return };
        self.allowance.requests = said.max.unwrap_or(self.allowance.requests);
        self.allowance.interval = said.interval.unwrap_or(self.allowance.interval);
        self.day_over |= said.day_remaining == Some(0);
        // What the service counts beyond all that can be ours was spent by others, at the latest now.
        let counted = self.allowance.requests.saturating_sub(remaining) as usize;
        let first = self.spent.partition_point(|at| *at + self.allowance.interval <= sent);
        let ours = self.in_flight + self.spent.len() - first;
        let others = counted.saturating_sub(ours).min(self.allowance.requests as usize);
        self.spent.extend(std::iter::repeat_n(now, others));
    }
}

#[cfg(test)]
#[path = "slots_tests.rs"]
mod tests;
