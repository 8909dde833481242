//! `goldify rotate-key`: another key for all tables that hold tokens, in one planned step.
//!
//! Nothing is committed before every table was made again from the inputs that it is made from and compared with what stands
//! there (`exchange`): with the new key, or with its own when it reads tokens of others, which do not have the new one yet. Then
//! the plan is recorded (`record`), each table is replaced in one commit, and the end is recorded. A run that was stopped goes on
//! from the record; a table that has the new key is done. Between the first table and the last, tokens of both keys stand in the
//! lake, never in one table: every token's key stands beside it, and `keys` refuses to join them.
//!
//! To lineage each table is a run of `goldify` of its own, which begins when the table's turn comes: until then nothing is done.

mod exchange;
mod record;

pub(crate) use record::Rotations;

use crate::{
    Args, PROGRAM, RotateArgs,
    build::{Build, Checked},
    error::GoldError,
    keys,
};
use anyhow::Context as _;
use exchange::Exchange;
use lake_core::{
    Contract, Exit, Ledger, Policy, RunId, Summary, Window, contract::ContractSet, fault_point, mask::TokenKey, summary::Outcome,
};
use lake_edge::{Attach as _, Console, Edge, InputVersion, Output, RunArgs};
use lake_table::{Lake, Table, TableSpec};
use record::{NamedKey, Step, Turn};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The whole command.
pub(crate) async fn run(args: RotateArgs, console: Console) -> anyhow::Result<Exit> {
    let summary = rotate(&args, &console).await.context("failed to rotate the token key")?;
    match args.output {
        Output::Json => console.line(&serde_json::to_string(&summary)?),
        Output::Text => text(&args, &summary).iter().for_each(|line| console.line(line)),
    }
    Ok(Exit::Ok)
}

fn text(args: &RotateArgs, summary: &Summary) -> Vec<String> {
    if summary.outcome == Outcome::Unchanged {
        return vec![format!("nothing to do: all tokens are of the key in {}", args.to)];
    }
    let done = summary.inputs.iter().map(|(table, version)| format!("{table} version {version} has the key in {}", args.to));
    done.chain(["now judge these versions with dq-check, or run the day".to_owned()]).collect()
}

/// What a rotation is about.
struct Rotation<'a> {
    args: &'a RotateArgs,
    console: &'a Console,
    lake: Lake,
    contracts: Arc<ContractSet>,
    policy: Policy,
    key: TokenKey,
    to: NamedKey,
    rotations: Rotations,
    /// The key that goes, where it is known.
    from: Option<NamedKey>,
    /// What the record shows of the run.
    summary: Summary,
    now: chrono::DateTime<chrono::Utc>,
}

/// A table that holds tokens.
struct Holder {
    table: Table,
    /// Ids of their keys.
    ids: BTreeSet<String>,
}

/// The run that makes a table again.
struct Remake {
    args: Args,
    edge: Edge,
}

/// How far a rotation has come.
#[derive(Default)]
struct Progress {
    exchange: Exchange,
    /// By table that has the new key: its version before, where this run has rotated it, and now.
    rotated: BTreeMap<String, (Option<i64>, i64)>,
    rows: u64,
}

async fn rotate(args: &RotateArgs, console: &Console) -> anyhow::Result<Summary> {
    let (contracts, policy) = lake_edge::load_contracts(&args.place.contracts)?;
    let lake = Lake::open(&args.place.lake).attach()?;
    let key = keys::parse(&args.place.secrets.get(&args.to)?, &args.to)?;
    let to = NamedKey { id: key.id.clone(), secret: args.to.clone() };
    let now = lake_edge::now();
    let run_id = args.run_id.unwrap_or_else(|| RunId(uuid::Uuid::now_v7()));
    let window = Window::new(now - chrono::Duration::days(1), now)?;
    let summary = Summary { attempt: args.attempt, ..Summary::begun(run_id, PROGRAM, "ops_key_rotations", window) };
    let rotations = Rotations::read(&lake).await?;
    let contracts = Arc::new(contracts);
    let mut rotation = Rotation { args, console, lake, contracts, policy, key, to, rotations, from: None, summary, now };
    rotation.from = rotation.accept()?;
    rotation.run().await
}

impl Rotation<'_> {
    async fn run(&self) -> anyhow::Result<Summary> {
        let holders = self.holders().await?;
        let mut turns: Vec<Turn> = holders.iter().map(Holder::turn).collect();
        let (done, left): (Vec<Holder>, Vec<Holder>) =
            holders.into_iter().partition(|holder| holder.ids.iter().all(|id| *id == self.to.id));
        let lake = self.rotations.key().or(self.from.as_ref());
        if left.is_empty() && self.rotations.pending().is_none() && lake.is_some_and(|key| key.id == self.to.id) {
            return Ok(self.summary.clone());
        }
        let mut progress = Progress::default();
        progress.rotated.extend(done.into_iter().map(|holder| (holder.name().to_owned(), (None, holder.table.version()))));
        let waits = |holder: &Holder| {
            let inputs = self.contracts.get(holder.name()).map(Contract::inputs).unwrap_or_default();
            left.iter().any(|other| inputs.contains(&other.name()))
        };
        let (later, first): (Vec<&Holder>, Vec<&Holder>) = left.iter().partition(|holder| waits(holder));
        let remakes = self.remakes(&first, &progress).await?;
        let mut checked = Vec::new();
        for (remake, holder) in remakes.iter().zip(&first) {
            checked.push(self.check(&remake.edge, holder, &mut progress).await?);
        }
        if self.rotations.pending().is_none() {
            for holder in &later {
                self.stands(holder).await?;
            }
        }
        fault_point!("rotate.plan.before");
        self.rotations.plan(&self.lake, &self.step(&turns)).await?;
        let planned = self.planned().await?;
        fault_point!("rotate.plan.after");
        for ((one, remake), holder) in checked.iter().zip(&remakes).zip(&first) {
            self.commit(remake, one, holder, &mut progress).await?;
        }
        for holder in later {
            for remake in &self.remakes(&[holder], &progress).await? {
                let one = self.check(&remake.edge, holder, &mut progress).await?;
                self.commit(remake, &one, holder, &mut progress).await?;
            }
        }
        for turn in &mut turns {
            turn.version = progress.rotated.get(&turn.table).map_or(turn.version, |(_, version)| *version);
        }
        planned.end(&self.lake, &self.step(&turns)).await?;
        fault_point!("rotate.end.after");
        Ok(self.done(progress))
    }

    /// Makes a table again, and compares it with what stands there.
    async fn check<'e>(&self, edge: &'e Edge, holder: &Holder, progress: &mut Progress) -> anyhow::Result<Checked<'e>> {
        let one = Build::of(edge, Some(&self.key)).await?.check().await?;
        // An input that another run has rotated, and that was built anew since, may bring other rows.
        let before = |name: &String| progress.rotated.get(name).map(|(before, _)| *before);
        let last = holder.table.last_summary().await.attach()?.map(|last| last.inputs).unwrap_or_default();
        if last.iter().all(|(name, version)| before(name).is_none_or(|before| before == Some(*version))) {
            let tokens = self.contracts.token_columns(&edge.contract);
            progress.exchange.compare(&edge.contract, &tokens, &holder.table, &one.built.accepted).await?;
        }
        Ok(one)
    }

    /// A table that waits for others cannot be made with the new key yet. With its own it must come out as it stands: what is
    /// wrong with it must not come to light when others have changed already.
    async fn stands(&self, holder: &Holder) -> anyhow::Result<()> {
        for remake in &self.remakes(&[holder], &Progress::default()).await? {
            let edge = &remake.edge;
            // Its own key may be gone.
            if keys::choose(edge).await.is_ok() {
                let one = Build::again(edge).await?.check().await?;
                Exchange::default().compare(&edge.contract, &[], &holder.table, &one.built.accepted).await?;
            }
        }
        Ok(())
    }

    async fn commit(&self, remake: &Remake, one: &Checked<'_>, holder: &Holder, progress: &mut Progress) -> anyhow::Result<()> {
        let name = holder.name();
        let spec = holder.table.spec();
        let mut table = Table::open_or_create(&self.lake, spec).await.attach()?;
        let work = async { one.commit(&mut table).await.with_context(|| format!("failed to give `{name}` the key")) };
        let released = lake_edge::tell(&remake.args, &remake.edge, work).await?;
        let version = released.table_version.unwrap_or(table.version());
        progress.rotated.insert(name.to_owned(), (Some(holder.table.version()), version));
        progress.rows += one.built.accepted.rows();
        fault_point!("rotate.table.after");
        Ok(())
    }

    fn step<'s>(&'s self, turns: &'s [Turn]) -> Step<'s> {
        let from_secret = self.from.as_ref().map(|key| key.secret.as_str());
        Step { to: &self.to, from_secret, turns, summary: &self.summary, recorded_at: self.now }
    }

    fn done(&self, progress: Progress) -> Summary {
        let ledger = Ledger { read: progress.rows, accepted: progress.rows, ..Ledger::default() };
        let facts = [("to_key_id", self.to.id.clone().into()), ("tokens", progress.exchange.len().into())];
        let facts = facts.map(|(name, value)| (name.to_owned(), value));
        let inputs = progress.rotated.into_iter().map(|(table, (_, version))| (table, version)).collect();
        Summary { outcome: Outcome::Committed, inputs, ledger, facts: facts.into(), ..self.summary.clone() }
    }

    /// All tables of the lake whose contracts say that they hold tokens, each after its inputs.
    ///
    /// # Errors
    /// [`lake_core::Fault::Config`] when a model keeps tokens of which its contract does not say so.
    async fn holders(&self) -> anyhow::Result<Vec<Holder>> {
        let mut holders = Vec::new();
        for contract in self.contracts.in_dependency_order() {
            lake_sql::named_tokens(&self.contracts, &self.policy, contract).await.attach()?;
            if self.contracts.token_columns(contract).is_empty() {
                continue;
            }
            let Some(table) = Table::open(&self.lake, &TableSpec::of(contract)).await.attach()? else { continue };
            let ids = keys::ids(&table).await?;
            holders.push(Holder { table, ids });
        }
        Ok(holders)
    }

    /// Whether the key may take the place of the lake's; returns that one, where its secret is known.
    fn accept(&self) -> anyhow::Result<Option<NamedKey>> {
        let refused = |problem: String| {
            let (id, secret) = (self.to.id.clone(), self.to.secret.clone());
            Err(GoldError::KeyRefused { id, secret, problem }).attach()
        };
        match self.rotations.pending() {
            Some(pending) if pending.id != self.to.id => {
                return refused(format!(
                    "is not that of the rotation which is under way: end it first, with goldify rotate-key --to {}",
                    pending.secret
                ));
            }
            None if self.rotations.replaced(&self.to.id) => {
                return refused("was replaced by another before: a key's id names one key, once".to_owned());
            }
            _ => {}
        }
        let secret = self.rotations.key().map_or(self.policy.token_key_secret.as_str(), |key| key.secret.as_str());
        // The old key may be gone: only the new one is needed.
        let read = |secret: &str| self.args.place.secrets.get(secret).and_then(|text| keys::parse(&text, secret)).ok();
        let old = read(secret);
        // Of a rotation that was stopped some tables have the key that it began with.
        let begun = self.rotations.pending().and_then(|pending| Some((read(&pending.secret)?, pending.secret.as_str())));
        for (key, secret) in old.iter().map(|old| (old, secret)).chain(begun.iter().map(|(key, secret)| (key, *secret))) {
            if key.id == self.to.id && key.token("") != self.key.token("") {
                return refused(format!("is another key than that in `{secret}`, which has the same id"));
            }
        }
        Ok(old.map(|old| NamedKey { id: old.id, secret: secret.to_owned() }))
    }

    /// The record with the plan in it; another rotation may have come first.
    async fn planned(&self) -> anyhow::Result<Rotations> {
        let planned = Rotations::read(&self.lake).await?;
        match planned.pending().or(planned.key()) {
            Some(key) if key.id == self.to.id => Ok(planned),
            other => {
                let problem = format!("was outrun by a rotation to key `{}`", other.map_or("", |key| key.id.as_str()));
                Err(GoldError::KeyRefused { id: self.to.id.clone(), secret: self.to.secret.clone(), problem }).attach()
            }
        }
    }

    /// What each table is made from now, and as of when: it is made from the same again, with what is rotated already.
    async fn remakes(&self, holders: &[&Holder], progress: &Progress) -> anyhow::Result<Vec<Remake>> {
        let mut remakes = Vec::new();
        for holder in holders {
            let name = holder.name();
            let last = holder.table.last_summary().await.attach()?;
            let last = last.with_context(|| format!("`{name}` does not say what it is made from"))?;
            let again = self.args.place.again(&last);
            let inputs = again.inputs.into_iter().map(|input| {
                let rotated = progress.rotated.get(&input.table);
                InputVersion { version: rotated.map_or(input.version, |(_, rotated)| *rotated), ..input }
            });
            let run = RunArgs {
                inputs: inputs.collect(),
                // A run of its own, and the same one for every attempt.
                run_id: Some(RunId(uuid::Uuid::new_v5(&self.summary.run_id.0, name.as_bytes()))),
                attempt: self.args.attempt,
                output: self.args.output,
                ..again
            };
            let loaded = (Arc::clone(&self.contracts), self.policy.clone());
            let edge = lake_edge::edge(&run, loaded, PROGRAM, env!("CARGO_PKG_VERSION"), self.console.clone())?;
            remakes.push(Remake { args: Args { run }, edge });
        }
        Ok(remakes)
    }
}

impl Holder {
    fn name(&self) -> &str {
        &self.table.spec().name
    }

    fn turn(&self) -> Turn {
        Turn { table: self.name().to_owned(), version: self.table.version(), from: self.ids.first().cloned() }
    }
}
