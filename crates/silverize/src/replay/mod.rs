//! Submits left-over rows again: quarantined and held ones, judged by the contract as it is now.
//!
//! A leftover names the version and the position at which Bronze has its row. The row is read there again (`bronze`) by the code
//! that reads new rows, so its types, its sequence and its place are those of its first reading, and it lands by the same upsert.
//! The commit of the data says which leftovers it resolves; only then they are taken out (`settle`). A run that was stopped in
//! between is made up for by the next one: nothing is lost on the way, and nothing is left out twice.
//!
//! Not done here: rows that Bronze itself found broken (a new generation of their window brings them anew), and exchange rates,
//! which depend on the order in which they were published.

mod bronze;
mod left;
mod settle;

use crate::{
    args::ReplayArgs,
    decode::{Decoded, InputPlan},
    fault,
    leftover::Reason,
    run::{CHUNK_ROWS, Job},
    upsert::{Change, Files, Stamp, Target},
};
use anyhow::Context as _;
use bronze::{Source, Units};
use lake_core::{Fault, Ledger, Summary, contract::layer::SilverKind, summary::Outcome};
use lake_edge::{Attach as _, Edge};
use lake_table::{Plan, Proposal, Table, TableSpec};
use left::Left;
use settle::{Facts, REPLAY};
use std::collections::BTreeMap;

/// A replay of some leftovers.
struct Replay<'e> {
    job: Job<'e>,
    ask: &'e ReplayArgs,
}

/// Submits the leftovers that are asked for again, once.
pub(crate) async fn run(edge: &Edge, ask: &ReplayArgs) -> anyhow::Result<Summary> {
    let mut job = Job::new(edge)?;
    if matches!(job.silver.kind, SilverKind::FxRates | SilverKind::FxRevisions) {
        let table = &edge.contract.table;
        let error = anyhow::anyhow!("failed to replay `{table}`: rates depend on the order of publication; run --full-refresh");
        return Err(error.context(Fault::Config));
    }
    if ask.held {
        job.plans = job.plans.into_iter().map(InputPlan::whenever_it_came).collect();
    }
    let mut table = Table::open_or_create(&edge.lake, &TableSpec::of(&edge.contract)).await.attach()?;
    let replay = Replay { job, ask };
    let summary = table.commit(async |table| replay.attempt(table).await).await?;
    lake_core::fault_point!("replay.data.after");
    settle::settle(edge, &table).await.context("failed to take out what was replayed; run the same command again")?;
    lake_core::fault_point!("replay.leftovers.after");
    Ok(summary)
}

impl Replay<'_> {
    /// Makes the plan of a commit at the table's snapshot.
    async fn attempt(&self, table: &Table) -> anyhow::Result<Plan> {
        let edge = self.job.edge;
        settle::settle(edge, table).await?;
        let sources = bronze::sources(&self.job, table).await?;
        let left = Left::select(edge, self.ask, &sources).await?;
        let mut units = Units::of(&left, &sources).await?;
        let stamp = Stamp { run_id: edge.run.id.to_string(), ingested_at: edge.run.started_at };
        let mut target = Target::new(&edge.contract, self.job.routes.clone(), Files::of(table), 0, stamp)?;
        let mut ledger = Ledger::default();
        for source in &sources {
            self.submit(source, &mut units, &mut target, &mut ledger).await?;
            units.check(source)?;
        }
        let inputs = sources.iter().map(|source| (source.name().to_owned(), source.consumed)).collect();
        let summary = Summary { inputs, ..edge.summary() };
        let resolved = units.resolved();
        if resolved.is_empty() {
            // Nothing was handed to the target, so every row has its bucket.
            return self.nothing(table, Summary { ledger, ..summary }).await.map(Plan::Done);
        }
        let change = target.finish().await?;
        change.ledgers.iter().for_each(|own| ledger += *own);
        lake_core::fault_point!("replay.target.after");
        let number = table.txn(REPLAY).await.attach()?.map_or(1, |last| last + 1);
        let facts = Facts { asked: self.ask.asked(), leftovers: left.marks(&resolved) };
        Self::proposal(change, number, facts, Summary { ledger, duration_ms: edge.elapsed_ms(), ..summary }).map(Plan::Commit)
    }

    /// Reads the selected rows of a source again and gives them to the target, chunk by chunk.
    async fn submit(
        &self,
        source: &Source<'_>,
        units: &mut Units,
        target: &mut Target<'_>,
        ledger: &mut Ledger,
    ) -> anyhow::Result<()> {
        let (mut chunk, mut rows) = (Vec::new(), 0);
        for file in source.files(units).await? {
            let mut picked = source.scan(&file);
            while let Some((batch, numbers)) = picked.next(units).await? {
                let Decoded { routed, leftovers, ledger: read, .. } = source.plan.decode(&batch, file.version)?;
                *ledger += read;
                let mut stays = vec![false; batch.num_rows()];
                for leftover in leftovers {
                    match leftover.reason {
                        Reason::Quarantined => ledger.quarantined += 1,
                        Reason::Held => ledger.held += 1,
                    }
                    stays[leftover.row] = true;
                }
                units.judge(&numbers, &stays);
                rows += routed.iter().map(|routed| routed.batch.num_rows()).sum::<usize>();
                chunk.extend(routed);
                if rows >= CHUNK_ROWS {
                    target.apply(std::mem::take(&mut chunk)).await?;
                    rows = 0;
                }
            }
        }
        target.apply(chunk).await
    }

    /// No leftover is resolved: a second copy of a run answers with what the first one did.
    async fn nothing(&self, table: &Table, summary: Summary) -> anyhow::Result<Summary> {
        if table.txn(REPLAY).await.attach()?.is_some()
            && let Some(last) = table.commit_of(REPLAY).await.attach()?.and_then(|commit| commit.summary)
            && last.run_id == self.job.edge.run.id
        {
            return Ok(Summary { outcome: Outcome::AlreadyDone, ..last });
        }
        Ok(Summary { table_version: Some(table.version()), ..summary })
    }

    fn proposal(change: Change, number: i64, facts: Facts, summary: Summary) -> anyhow::Result<Proposal> {
        let mut summary = summary;
        summary.facts = BTreeMap::from([(REPLAY.to_owned(), serde_json::to_value(facts)?)]);
        if change.resolved > 0 {
            summary.facts.insert("resolved_rows".to_owned(), change.resolved.into());
        }
        Ok(Proposal {
            add: change.add,
            remove: change.remove,
            txns: vec![(REPLAY.to_owned(), number)],
            inserted: change.inserted,
            removed: change.removed,
            summary,
        })
    }
}

/// Refuses rows that Bronze no longer has as the table has read them.
fn rebuilt(input: &str) -> anyhow::Error {
    fault::data(format_args!("replay rows of `{input}`: it no longer has them as they were read; run --full-refresh"))
}
