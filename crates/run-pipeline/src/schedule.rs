//! Runs the graph: a step starts when all that it waits for has ended well, at most so many at a time, the longest way first.
//!
//! A step that fails stops everything downstream of its table; independent branches go on. The version of a table is
//! resolved once, when its build has ended, and every later step is given exactly that version.

use crate::graph::{Graph, Step, Work};
use futures::stream::{FuturesUnordered, StreamExt as _};
use lake_core::{Exit, Summary};
use std::{collections::BTreeMap, future::Future};

/// What running a step needs from the outside world.
pub(crate) trait Runner {
    /// Runs a step to its end, new tries included.
    fn run(&self, at: usize, step: &Step, inputs: &BTreeMap<String, i64>) -> impl Future<Output = Ran>;

    /// Returns the newest version of a table; none when it does not exist.
    fn version(&self, table: &str) -> impl Future<Output = anyhow::Result<Option<i64>>>;

    /// Is told how a step ended, and how many have.
    fn ended(&self, step: &Step, end: &End, count: usize);
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ran {
    /// Its exit.
    pub(crate) exit: Exit,
    /// What it said of itself.
    pub(crate) summary: Option<Summary>,
    /// What it said when it failed.
    pub(crate) error: Option<String>,
    /// Wall-clock milliseconds of all tries.
    pub(crate) elapsed_ms: u64,
}

/// How a step of the day ended.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a day has some forty of them")]
pub(crate) enum End {
    /// It ran; well or not, its exit says.
    Ran(Ran),
    /// It never started, since this step before it did not end well.
    Blocked(String),
}

impl End {
    /// Whether what waits for the step may start.
    pub(crate) fn good(&self) -> bool {
        matches!(self, Self::Ran(ran) if matches!(ran.exit, Exit::Ok | Exit::Nothing))
    }
}

/// Runs all steps and returns how each ended, in the graph's order.
pub(crate) async fn run(graph: &Graph, runner: &impl Runner, jobs: usize) -> Vec<End> {
    let mut ends: Vec<Option<End>> = vec![None; graph.steps.len()];
    let mut started = vec![false; graph.steps.len()];
    let mut versions: BTreeMap<String, i64> = BTreeMap::new();
    let mut running = FuturesUnordered::new();
    loop {
        block(graph, &mut ends, &started, runner);
        while running.len() < jobs {
            let Some(at) = next(graph, &ends, &started) else { break };
            started[at] = true;
            let step = &graph.steps[at];
            let inputs: BTreeMap<String, i64> =
                step.inputs.iter().filter_map(|table| Some((table.clone(), *versions.get(table)?))).collect();
            running.push(async move { (at, one(at, step, inputs, runner).await) });
        }
        let Some((at, (end, version))) = running.next().await else { break };
        if let Some(version) = version {
            versions.insert(graph.steps[at].table.clone(), version);
        }
        let count = ends.iter().flatten().count() + 1;
        runner.ended(&graph.steps[at], &end, count);
        ends[at] = Some(end);
    }
    // Nothing runs and nothing can start, so every step has ended or is blocked.
    ends.into_iter().map(|end| end.unwrap_or_else(|| End::Blocked(String::new()))).collect()
}

async fn one(at: usize, step: &Step, inputs: BTreeMap<String, i64>, runner: &impl Runner) -> (End, Option<i64>) {
    let mut ran = runner.run(at, step, &inputs).await;
    let good = matches!(ran.exit, Exit::Ok | Exit::Nothing);
    if step.work != Work::Build || !good {
        return (End::Ran(ran), None);
    }
    match runner.version(&step.table).await {
        Ok(version) => (End::Ran(ran), version),
        Err(error) => {
            ran.exit = Exit::Transient;
            ran.error = Some(format!("failed to read the version of {}: {error:#}", step.table));
            (End::Ran(ran), None)
        }
    }
}

/// Marks the steps that can never start.
fn block(graph: &Graph, ends: &mut [Option<End>], started: &[bool], runner: &impl Runner) {
    for (at, step) in graph.steps.iter().enumerate() {
        if started[at] || ends[at].is_some() {
            continue;
        }
        let failed = step.after.iter().find(|before| ends[**before].as_ref().is_some_and(|end| !end.good()));
        if let Some(before) = failed {
            let cause = match &ends[*before] {
                Some(End::Blocked(cause)) => cause.clone(),
                _ => graph.steps[*before].name(),
            };
            let end = End::Blocked(cause);
            runner.ended(step, &end, ends.iter().flatten().count() + 1);
            ends[at] = Some(end);
        }
    }
}

fn next(graph: &Graph, ends: &[Option<End>], started: &[bool]) -> Option<usize> {
    let runs =
        |program: &str| (0..graph.steps.len()).any(|at| started[at] && ends[at].is_none() && graph.steps[at].program == program);
    let ready = |at: &usize| {
        let step = &graph.steps[*at];
        !started[*at]
            && ends[*at].is_none()
            && step.after.iter().all(|before| ends[*before].as_ref().is_some_and(End::good))
            && !(step.alone && runs(step.program))
    };
    (0..graph.steps.len()).filter(ready).max_by_key(|at| (graph.steps[*at].height, usize::MAX - at))
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
