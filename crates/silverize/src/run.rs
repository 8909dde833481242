//! One attempt at one snapshot of the table: read, decode, merge, keep the leftovers, propose the commit.

use crate::{
    decode::InputPlan,
    fault,
    leftover::Reason,
    plan::{self, Ask, Input},
    quarantine::{Context, Leftovers, Progress, REBUILT},
    route::RoutePlan,
    source::{self, Decodings},
    upsert::{Change, Files, Stamp, Target},
};
use lake_core::{Ledger, Summary, contract::Silver, summary::Outcome};
use lake_edge::{Attach as _, Bar, Edge};
use lake_table::{Plan, Proposal, Table};
use std::{collections::BTreeMap, sync::Arc};

/// Rows that are merged at once: bounds the memory.
pub(crate) const CHUNK_ROWS: usize = 500_000;

/// What stays the same from attempt to attempt.
#[derive(Debug)]
pub(crate) struct Job<'e> {
    /// The edge.
    pub(crate) edge: &'e Edge,
    /// The Silver part of the contract.
    pub(crate) silver: &'e Silver,
    /// Inputs, ready to be read.
    pub(crate) plans: Vec<InputPlan>,
    /// Routes of all inputs.
    pub(crate) routes: Arc<[RoutePlan]>,
}

/// What happened to the rows so far.
struct Books {
    quarantined: Leftovers,
    held: Leftovers,
    /// By input: read, filtered and collapsed rows.
    ledgers: Vec<Ledger>,
    /// By input: rows of the source that were read, each once, however many rows it became.
    consumed: Vec<u64>,
    bar: Bar,
}

impl<'e> Job<'e> {
    /// Prepares the run of a contract.
    pub(crate) fn new(edge: &'e Edge) -> anyhow::Result<Self> {
        let contract = &edge.contract;
        let Some(silver) = contract.silver() else {
            return Err(fault::contract(contract, "silverize makes Silver tables; this is none"));
        };
        let plans = InputPlan::all(contract, &edge.contracts)?;
        let routes = plans.iter().flat_map(|plan| plan.routes().iter().cloned()).collect();
        Ok(Self { edge, silver, plans, routes })
    }

    /// Says whether the inputs hold what the table has not consumed at its snapshot.
    pub(crate) async fn has_news(&self, table: &Table) -> anyhow::Result<bool> {
        Ok(self.inputs(table).await?.iter().any(|input| !input.files.is_empty()))
    }

    async fn inputs(&self, table: &Table) -> anyhow::Result<Vec<Input>> {
        let edge = self.edge;
        let ask = Ask {
            lake: &edge.lake,
            contracts: &edge.contracts,
            inputs: &edge.inputs,
            full_refresh: edge.full_refresh,
            window_end: edge.run.window.to(),
        };
        plan::inputs(ask, &edge.contract, self.silver, table).await
    }

    /// Makes the plan of a commit at the table's snapshot.
    pub(crate) async fn attempt(&self, table: &Table) -> anyhow::Result<Plan> {
        let edge = self.edge;
        let inputs = self.inputs(table).await?;
        lake_core::fault_point!("silver.plan.after");
        let versions: BTreeMap<String, i64> =
            inputs.iter().map(|input| (self.plans[input.number].table.clone(), input.seen())).collect();
        let summary = Summary { inputs: versions, ..edge.summary() };
        if !edge.full_refresh && inputs.iter().all(|input| input.files.is_empty()) {
            return self.nothing(table, summary).await.map(Plan::Done);
        }
        let files = if edge.full_refresh { Files::emptied(table) } else { Files::of(table) };
        let end = inputs.iter().filter_map(|input| input.newest_date).max().map_or(0, |date| date.saturating_add(1));
        let stamp = Stamp { run_id: edge.run.id.to_string(), ingested_at: edge.run.started_at };
        let mut target = Target::new(&edge.contract, self.routes.clone(), files, end, stamp.clone())?;
        let mut books = self.books(stamp, &inputs);
        self.recall(&mut target, &inputs).await?;
        self.consume(&mut target, &mut books, &inputs).await?;
        books.bar.done();
        let change = target.finish().await?;
        lake_core::fault_point!("silver.target.after");
        self.close(table, books, change, (&inputs, summary)).await
    }

    /// Nothing is new: a second copy of a run answers with what the first one did.
    async fn nothing(&self, table: &Table, summary: Summary) -> anyhow::Result<Summary> {
        match table.last_summary().await.attach()? {
            // How far it has read is what the table says now: others may have brought it further since.
            Some(last) if last.run_id == self.edge.run.id => {
                Ok(Summary { outcome: Outcome::AlreadyDone, inputs: summary.inputs, ..last })
            }
            _ => Ok(Summary { table_version: Some(table.version()), ..summary }),
        }
    }

    fn books(&self, stamp: Stamp, inputs: &[Input]) -> Books {
        let (edge, contract) = (self.edge, &self.edge.contract);
        let context = Context {
            inputs: self.plans.iter().map(|plan| plan.table.clone()).collect(),
            contract: contract.reference(),
            contract_hash: contract.hash.clone(),
            stamp,
        };
        let rows = inputs.iter().flat_map(|input| &input.files).map(|file| file.file.rows).sum();
        Books {
            quarantined: Leftovers::new(Reason::Quarantined, contract, &edge.lake, context.clone()),
            held: Leftovers::new(Reason::Held, contract, &edge.lake, context),
            ledgers: vec![Ledger::default(); self.plans.len()],
            consumed: vec![0; self.plans.len()],
            bar: edge.progress(&contract.table, Some(rows)),
        }
    }

    fn read(&self, input: &Input, earlier: bool) -> anyhow::Result<Decodings> {
        let files = if earlier { &input.earlier } else { &input.files };
        source::decode(&self.plans[input.number], &self.edge.contracts, input, files)
    }

    async fn recall(&self, target: &mut Target<'_>, inputs: &[Input]) -> anyhow::Result<()> {
        for input in inputs {
            let mut decodings = self.read(input, true)?;
            while let Some(decoded) = decodings.next().await? {
                target.recall(&decoded.routed)?;
            }
        }
        Ok(())
    }

    /// Takes all rows in, chunk by chunk.
    async fn consume(&self, target: &mut Target<'_>, books: &mut Books, inputs: &[Input]) -> anyhow::Result<()> {
        let (mut chunk, mut rows) = (Vec::new(), 0);
        for input in inputs {
            let mut decodings = self.read(input, false)?;
            while let Some(decoded) = decodings.next().await? {
                books.ledgers[input.number] += decoded.ledger;
                books.consumed[input.number] += decoded.rows;
                books.bar.inc(decoded.rows);
                books.quarantined.take(&decoded.leftovers).await?;
                books.held.take(&decoded.leftovers).await?;
                for mut routed in decoded.routed {
                    routed.batch = lake_core::operator!("silver.decode", lake_table::Batch(routed.batch)).0;
                    rows += routed.batch.num_rows();
                    chunk.push(routed);
                }
                if rows >= CHUNK_ROWS {
                    target.apply(std::mem::take(&mut chunk)).await?;
                    rows = 0;
                }
            }
        }
        target.apply(chunk).await
    }

    /// Commits the leftovers, then proposes the commit of the data.
    async fn close(&self, table: &Table, books: Books, change: Change, of: (&[Input], Summary)) -> anyhow::Result<Plan> {
        let (inputs, summary) = of;
        let by_input = self.ledgers(&books, &change);
        let names = || self.plans.iter().map(|plan| plan.table.clone());
        let consumed: BTreeMap<String, u64> = names().zip(books.consumed.iter().copied()).collect();
        let mut ledger = Ledger::default();
        by_input.iter().for_each(|one| ledger += *one);
        // The commit checks this, too; leftovers must not be committed for a run that cannot be.
        ledger.balanced().map_err(|imbalance| anyhow::Error::new(imbalance).context(lake_core::Fault::Data))?;
        let progress: Vec<Progress> = inputs.iter().map(Progress::of).collect();
        let rebuild = self.edge.full_refresh;
        lake_core::fault_point!("silver.quarantine.before");
        books.quarantined.commit(&progress, rebuild, summary.clone()).await?;
        lake_core::fault_point!("silver.quarantine.after");
        books.held.commit(&progress, rebuild, summary.clone()).await?;
        lake_core::fault_point!("silver.held.after");
        let mut txns = Vec::new();
        for input in inputs {
            let stored = lake_edge::Attach::attach(table.txn(input.application()).await)?.unwrap_or(-1);
            txns.extend(
                input.advanced.filter(|version| *version > stored).map(|version| (input.application().to_owned(), version)),
            );
        }
        let mut facts = BTreeMap::new();
        facts.insert("ledger_by_input".to_owned(), serde_json::to_value(names().zip(by_input).collect::<BTreeMap<_, _>>())?);
        // What `dq-check` compares with the sources' own logs.
        facts.insert("consumed".to_owned(), serde_json::to_value(consumed)?);
        if change.resolved > 0 {
            facts.insert("resolved_rows".to_owned(), change.resolved.into());
        }
        if rebuild {
            facts.insert(REBUILT.to_owned(), true.into());
        }
        let gone = if rebuild { table.rows() } else { 0 };
        Ok(Plan::Commit(Proposal {
            add: change.add,
            remove: change.remove,
            txns,
            inserted: change.inserted,
            removed: change.removed + gone,
            summary: Summary { ledger, facts, duration_ms: self.edge.elapsed_ms(), ..summary },
        }))
    }

    /// Every bucket from where its rows ended.
    fn ledgers(&self, books: &Books, change: &Change) -> Vec<Ledger> {
        let mut all = books.ledgers.clone();
        for (number, ledger) in all.iter_mut().enumerate() {
            ledger.quarantined += books.quarantined.taken[number];
            ledger.held += books.held.taken[number];
            if let Some(own) = change.ledgers.get(number) {
                *ledger += *own;
            }
        }
        all
    }
}
