//! The graph of a day cut into jobs: each is one start of a machine and runs its steps one after another (`dags/README.md`).
//!
//! A start costs about a minute, so a job holds all tables of a layer and source; Silver tables that read one Bronze table share
//! a job too, since Gold refuses siblings that have consumed different versions of it.

use crate::graph::{Graph, Step, Work};
use anyhow::anyhow;
use lake_core::{
    Contract, Fault,
    contract::{ContractSet, Layer},
};
use serde::Serialize;
use std::collections::BTreeSet;

/// Longest time of a step that builds.
const BUILD_SECONDS_MAX: u64 = 1_200;
/// Longest time of a gate.
const CHECK_SECONDS_MAX: u64 = 600;
/// Time between the beginnings of two turns. A record waits for a commit, for the turn under way and for its own: less than a minute
/// with turns that take no longer than this. Each turn leaves a file per table, so it is no shorter than it must be.
const TURN_EVERY_SECONDS: u64 = 20;
/// How often a turn also judges Silver, all rows of it: nobody in the turn waits for that verdict, and rows become more and more.
const GATE_EVERY_SECONDS: u64 = 900;
/// Longest time of a step that sends what runs have told; what is left goes the next time.
const SEND_SECONDS_MAX: u64 = 240;
/// Longest time of a step that repeats what the tables' logs say.
const PUBLISH_SECONDS_MAX: u64 = 600;
/// What the launcher puts the job's window in place of.
const WINDOW: &str = "{window}";
/// Layer of what runs beside the tables.
const OPS: &str = "ops";

/// Longest time of a job of a layer: the layers' deadlines are a quarter to three quarters of an hour apart, and what hangs
/// longer is tried again.
const fn minutes_max(layer: &Layer) -> u64 {
    match layer {
        Layer::Bronze(_) | Layer::Silver(_) => 30,
        Layer::Gold(_) => 45,
    }
}

/// What one machine is started for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Job {
    /// Name.
    pub(crate) job: String,
    /// Layer of its last table.
    pub(crate) layer: &'static str,
    /// Kinds of the sources that its rows come from.
    pub(crate) sources: BTreeSet<&'static str>,
    /// Teams of its tables.
    pub(crate) owners: BTreeSet<String>,
    /// Jobs that must have ended well.
    pub(crate) after: BTreeSet<String>,
    /// Longest time; none for what is kept alive.
    pub(crate) timeout_minutes: Option<u64>,
    /// Tables that it builds, in order.
    pub(crate) tables: Vec<String>,
    /// Processes, one after another.
    pub(crate) steps: Vec<JobStep>,
    /// What is done again and again beside the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) turns: Option<Turns>,
}

/// Turns of the same steps, beside one that is kept alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Turns {
    /// Time between the beginnings of two turns; one that takes longer is followed at once.
    pub(crate) every_seconds: u64,
    /// Processes, one after another.
    pub(crate) steps: Vec<JobStep>,
}

/// One process of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct JobStep {
    /// Name of the program.
    pub(crate) program: &'static str,
    /// Full name of the table; empty where it has none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) table: String,
    /// What it does.
    pub(crate) work: Work,
    /// Tables whose versions it is given.
    pub(crate) inputs: Vec<String>,
    /// Longest time; none for what is kept alive.
    pub(crate) timeout_seconds: Option<u64>,
    /// Least time between two of its runs, in turns; none: it is in each of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) every_seconds: Option<u64>,
    /// Words that follow the program's name, where no table does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) arguments: Vec<&'static str>,
}

impl Job {
    /// Makes a job of steps, which are in order.
    pub(crate) fn of<'g>(name: String, contracts: &ContractSet, steps: impl Iterator<Item = &'g Step>) -> Self {
        let steps: Vec<&Step> = steps.collect();
        let tables: Vec<String> = steps.iter().filter(|step| step.work == Work::Build).map(|step| step.table.clone()).collect();
        let built: Vec<&Contract> = tables.iter().filter_map(|table| contracts.get(table)).collect();
        let owners = built.iter().filter_map(|contract| contract.document.team.as_ref());
        Self {
            job: name,
            layer: built.last().map_or("", |contract| contract.layer.name()),
            sources: built.iter().flat_map(|contract| sources(contracts, contract)).collect(),
            owners: owners.map(|team| team.name.clone()).collect(),
            after: BTreeSet::new(),
            timeout_minutes: built.last().map(|contract| minutes_max(&contract.layer)),
            tables,
            steps: steps.into_iter().map(JobStep::of).collect(),
            turns: None,
        }
    }

    /// Makes a job that sends what runs have told; the scheduler knows where to.
    pub(crate) fn sending(name: &str, what: &[&[&'static str]]) -> Self {
        let step = |words: &&[&'static str]| JobStep::beside("lineage-emit", Work::Send, words, SEND_SECONDS_MAX);
        Self::beside(name, what.iter().map(step).collect())
    }

    /// Makes the job behind all others: it repeats what their commits say in the tables of `ops` and in the catalog. Nobody waits for
    /// it, and it runs however they ended, since a day that failed is one that people look at.
    pub(crate) fn publishing(name: &str, jobs: &[Self]) -> Self {
        let steps = vec![
            JobStep::beside("run-pipeline", Work::Publish, &["ledger", "--window", WINDOW], PUBLISH_SECONDS_MAX),
            JobStep::beside("catalog-sync", Work::Publish, &[], PUBLISH_SECONDS_MAX),
        ];
        // Behind each of them: where one failed, those that wait for it are done with before all others have ended.
        Self { after: jobs.iter().map(|job| job.job.clone()).collect(), ..Self::beside(name, steps) }
    }

    /// Makes a job without tables; a minute more than its steps is for its start.
    fn beside(name: &str, steps: Vec<JobStep>) -> Self {
        let seconds: u64 = steps.iter().filter_map(|step| step.timeout_seconds).sum();
        Self {
            job: name.to_owned(),
            layer: OPS,
            sources: BTreeSet::new(),
            owners: BTreeSet::new(),
            after: BTreeSet::new(),
            timeout_minutes: Some(seconds / 60 + 1),
            tables: Vec::new(),
            steps,
            turns: None,
        }
    }

    /// Keeps the job alive: steps that land what comes never end, all others are taken in turns beside them.
    pub(crate) fn kept_alive(mut self) -> Self {
        let lands = |step: &JobStep| step.work == Work::Build && step.inputs.is_empty();
        let (landing, mut others): (Vec<JobStep>, Vec<JobStep>) = self.steps.drain(..).partition(lands);
        let is_landed = |table: &str| landing.iter().any(|step| step.table == table);
        for step in others.iter_mut().filter(|step| step.work == Work::Check && !is_landed(&step.table)) {
            step.every_seconds = Some(GATE_EVERY_SECONDS);
        }
        self.steps = landing.into_iter().map(|step| JobStep { timeout_seconds: None, ..step }).collect();
        self.timeout_minutes = None;
        self.turns = Some(Turns { every_seconds: TURN_EVERY_SECONDS, steps: others });
        self
    }
}

impl JobStep {
    fn of(step: &Step) -> Self {
        let seconds = if step.work == Work::Build { BUILD_SECONDS_MAX } else { CHECK_SECONDS_MAX };
        Self {
            program: step.program,
            table: step.table.clone(),
            work: step.work,
            inputs: step.inputs.clone(),
            timeout_seconds: Some(seconds),
            every_seconds: None,
            arguments: Vec::new(),
        }
    }

    fn beside(program: &'static str, work: Work, words: &[&'static str], seconds: u64) -> Self {
        Self {
            program,
            table: String::new(),
            work,
            inputs: Vec::new(),
            timeout_seconds: Some(seconds),
            every_seconds: None,
            arguments: words.to_vec(),
        }
    }
}

/// Kinds of the sources that a table's rows come from; none for Gold, which is made from all of them.
pub(crate) fn sources(contracts: &ContractSet, contract: &Contract) -> BTreeSet<&'static str> {
    match &contract.layer {
        Layer::Bronze(bronze) => BTreeSet::from([bronze.source.name()]),
        Layer::Silver(silver) => {
            let inputs = silver.tables().into_iter().filter_map(|table| contracts.get(table));
            inputs.flat_map(|input| sources(contracts, input)).collect()
        }
        Layer::Gold(_) => BTreeSet::new(),
    }
}

/// Cuts a whole day into jobs, each after those that it waits for.
///
/// # Errors
/// [`Fault::Config`] when jobs of two layers wait for each other, so that neither could start.
pub(crate) fn of_day(contracts: &ContractSet, graph: &Graph) -> anyhow::Result<Vec<Job>> {
    let groups = Groups::of(contracts, graph)?;
    let waits = groups.waits(graph);
    let name = |at: usize| groups.0[at].name();
    let mut waiting: Vec<usize> = (0..groups.0.len()).collect();
    waiting.sort_by_key(|at| graph.steps.iter().position(|step| groups.0[*at].tables.contains(&step.table)));
    let mut order: Vec<usize> = Vec::new();
    while let Some(ready) = waiting.iter().position(|at| waits[*at].iter().all(|before| order.contains(before))) {
        order.push(waiting.remove(ready));
    }
    let job = |at: usize| {
        let steps = graph.steps.iter().filter(|step| groups.0[at].tables.contains(&step.table));
        Job { after: waits[at].iter().map(|before| name(*before)).collect(), ..Job::of(name(at), contracts, steps) }
    };
    Ok(order.into_iter().map(job).collect())
}

/// Tables that share a job.
#[derive(Debug)]
struct Group {
    layer: &'static str,
    sources: BTreeSet<&'static str>,
    tables: BTreeSet<String>,
}

impl Group {
    fn name(&self) -> String {
        let parts: Vec<&str> = [self.layer].into_iter().chain(self.sources.iter().copied()).collect();
        parts.join("_")
    }

    /// Whether both have a table that reads the same one.
    fn shares_an_input(&self, other: &Self, contracts: &ContractSet) -> bool {
        let inputs = |group: &Self| -> BTreeSet<String> {
            let read = group.tables.iter().filter_map(|table| contracts.get(table)).flat_map(Contract::inputs);
            read.map(str::to_owned).collect()
        };
        !inputs(self).is_disjoint(&inputs(other))
    }
}

#[derive(Debug)]
struct Groups(Vec<Group>);

impl Groups {
    /// Puts tables together until none are left that must share a job.
    fn of(contracts: &ContractSet, graph: &Graph) -> anyhow::Result<Self> {
        let alone = |contract: &Contract| Group {
            layer: contract.layer.name(),
            sources: sources(contracts, contract),
            tables: BTreeSet::from([contract.table.clone()]),
        };
        let mut groups = Self(contracts.iter().map(alone).collect());
        while let Some((first, second)) = groups.pair(contracts, graph)? {
            let other = groups.0.remove(second);
            groups.0[first].sources.extend(other.sources);
            groups.0[first].tables.extend(other.tables);
        }
        Ok(groups)
    }

    /// Returns two groups that must be one, the lower position first.
    fn pair(&self, contracts: &ContractSet, graph: &Graph) -> anyhow::Result<Option<(usize, usize)>> {
        let waits = self.waits(graph);
        for second in 1..self.0.len() {
            for first in 0..second {
                let (one, other) = (&self.0[first], &self.0[second]);
                let circle = reaches(&waits, first, second) && reaches(&waits, second, first);
                if one.layer != other.layer {
                    if circle {
                        return Err(circular(one, other));
                    }
                } else if circle || one.sources == other.sources || one.shares_an_input(other, contracts) {
                    return Ok(Some((first, second)));
                }
            }
        }
        Ok(None)
    }

    /// For each group the others that it waits for.
    fn waits(&self, graph: &Graph) -> Vec<BTreeSet<usize>> {
        let of = |table: &str| self.0.iter().position(|group| group.tables.contains(table));
        let mut waits = vec![BTreeSet::new(); self.0.len()];
        for step in &graph.steps {
            let Some(own) = of(&step.table) else { continue };
            let before = step.after.iter().filter_map(|at| of(&graph.steps[*at].table));
            waits[own].extend(before.filter(|other| *other != own));
        }
        waits
    }
}

fn circular(one: &Group, other: &Group) -> anyhow::Error {
    let text = format!(
        "failed to cut the day into jobs: `{}` and `{}` wait for each other; a gate may not compare a table with one of a later layer",
        one.name(),
        other.name()
    );
    anyhow!(text).context(Fault::Config)
}

fn reaches(waits: &[BTreeSet<usize>], from: usize, to: usize) -> bool {
    let (mut seen, mut pending) = (BTreeSet::from([from]), vec![from]);
    while let Some(at) = pending.pop() {
        if waits[at].contains(&to) {
            return true;
        }
        pending.extend(waits[at].iter().copied().filter(|next| seen.insert(*next)));
    }
    false
}

#[cfg(test)]
#[path = "jobs_tests.rs"]
mod tests;
