//! What a person sees while a day runs: a line per running step and a bar on a terminal, one line per ended step elsewhere.

use crate::{
    graph::Step,
    schedule::{End, Ran},
};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use lake_core::{Exit, Ledger, summary::Outcome};
use lake_edge::Console;
use std::{cell::RefCell, collections::BTreeMap, time::Duration};

const TICK: Duration = Duration::from_millis(120);

/// The live display.
#[derive(Debug)]
pub(crate) struct Board {
    console: Console,
    total: usize,
    bars: Option<Bars>,
}

#[derive(Debug)]
struct Bars {
    all: MultiProgress,
    day: ProgressBar,
    steps: RefCell<BTreeMap<String, ProgressBar>>,
}

impl Board {
    /// Starts the display.
    pub(crate) fn new(console: &Console, total: usize) -> Self {
        let bars = console.terminal().then(|| {
            let all = MultiProgress::new();
            let length = u64::try_from(total).unwrap_or(u64::MAX);
            let day = all.add(ProgressBar::new(length).with_style(style("{bar:40} {pos}/{len} steps, {elapsed}")));
            day.enable_steady_tick(TICK);
            Bars { all, day, steps: RefCell::default() }
        });
        Self { console: console.clone(), total, bars }
    }

    /// Shows a step that runs now.
    pub(crate) fn started(&self, step: &Step) {
        if let Some(bars) = &self.bars {
            let bar = ProgressBar::new_spinner().with_style(style("  {spinner} {msg} {elapsed}")).with_message(step.name());
            let bar = bars.all.insert_before(&bars.day, bar);
            bar.enable_steady_tick(TICK);
            bars.steps.borrow_mut().insert(step.name(), bar);
        }
    }

    /// Shows how a step ended.
    pub(crate) fn ended(&self, step: &Step, end: &End, count: usize) {
        let line = format!("[{count:>3}/{}] {}", self.total, describe(step, end));
        match &self.bars {
            None => self.console.note(&line),
            Some(bars) => {
                if let Some(bar) = bars.steps.borrow_mut().remove(&step.name()) {
                    bar.finish_and_clear();
                }
                bars.day.inc(1);
                // A terminal that went away is no reason to stop a run.
                let _ = bars.all.println(line);
            }
        }
    }

    /// Removes the live part.
    pub(crate) fn done(&self) {
        if let Some(bars) = &self.bars {
            bars.day.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn describe(step: &Step, end: &End) -> String {
    let name = step.name();
    match end {
        End::Blocked(cause) => format!("{name}: not started, since `{cause}` did not end well"),
        End::Ran(Ran { exit: Exit::Ok | Exit::Nothing, summary: Some(summary), elapsed_ms, .. }) => {
            let outcome = match summary.outcome {
                Outcome::Committed => "committed",
                Outcome::Unchanged => "unchanged",
                Outcome::AlreadyDone => "already done",
            };
            format!("{name}: {outcome}, {} ({})", buckets(&summary.ledger), seconds(*elapsed_ms))
        }
        End::Ran(ran) => {
            let error = ran.error.as_deref().unwrap_or("no error text");
            format!("{name}: FAILED with {} ({}): {error}", ran.exit.code(), ran.exit.name())
        }
    }
}

fn buckets(ledger: &Ledger) -> String {
    let mut text = format!("read {}, accepted {}", ledger.read, ledger.accepted);
    let rest = [
        ("quarantined", ledger.quarantined),
        ("duplicate", ledger.duplicate),
        ("superseded", ledger.superseded),
        ("filtered", ledger.filtered),
        ("held", ledger.held),
    ];
    for (name, count) in rest.into_iter().filter(|(_, count)| *count > 0) {
        text.push_str(&format!(", {name} {count}"));
    }
    text
}

/// Milliseconds as seconds with one digit.
pub(crate) fn seconds(milliseconds: u64) -> String {
    format!("{}.{} s", milliseconds / 1_000, milliseconds % 1_000 / 100)
}
