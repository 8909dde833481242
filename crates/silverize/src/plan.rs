//! What a run has to do: which versions of its inputs it consumes.
//!
//! Progress is the table's own: the application is the input's Delta id, the version the last one whose rows are in. It moves
//! to the last version that *brought or took away rows*, so that tables that read the same input agree whenever they hold the
//! same rows, and so that what a rebuild has seen removed is not met again by the next run.

use crate::fault;
use chrono::{DateTime, Utc};
use lake_core::{
    Contract, Fault,
    contract::{ContractSet, Silver, layer::SilverKind},
};
use lake_edge::Attach as _;
use lake_quality::{Verdict, verdict};
use lake_table::{Lake, Past, Slice, SliceFile, Table, TableSpec};
use std::collections::{BTreeMap, HashSet};

/// What a run is told about its inputs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    /// Where the tables are.
    pub(crate) lake: &'a Lake,
    /// All contracts.
    pub(crate) contracts: &'a ContractSet,
    /// Versions that the caller fixed.
    pub(crate) inputs: &'a BTreeMap<String, i64>,
    /// Rebuild the table.
    pub(crate) full_refresh: bool,
    /// End of the run's window: how old an input may be depends on it.
    pub(crate) window_end: DateTime<Utc>,
}

/// One input of a run.
#[derive(Debug)]
pub(crate) struct Input {
    /// Number of the input in the contract.
    pub(crate) number: usize,
    /// The input table, at the newest version.
    pub(crate) table: Table,
    /// Version that the table has consumed; none for a rebuild.
    pub(crate) consumed: Option<i64>,
    /// Version to consume.
    pub(crate) target: i64,
    /// Files that the run reads, in the order of their versions.
    pub(crate) files: Vec<SliceFile>,
    /// Files that earlier runs have read; only for tables that need them again.
    pub(crate) earlier: Vec<SliceFile>,
    /// Last of the consumed versions that changed rows; none when nothing did.
    pub(crate) advanced: Option<i64>,
    /// The newest ingest date, in days since 1970.
    pub(crate) newest_date: Option<i32>,
}

impl Input {
    /// The version whose rows are in the table after the run: another run may have gone further than this one was to go, and
    /// tables that have read one input belong together only when this is the same.
    pub(crate) fn seen(&self) -> i64 {
        self.consumed.map_or(self.target, |consumed| consumed.max(self.target))
    }

    /// Application id of the progress.
    pub(crate) fn application(&self) -> &str {
        self.table.id()
    }
}

/// Plans the run of a table at its snapshot; inputs whose table is not there yet are left out.
pub(crate) async fn inputs(ask: Ask<'_>, contract: &Contract, silver: &Silver, table: &Table) -> anyhow::Result<Vec<Input>> {
    if let Some(unknown) = ask.inputs.keys().find(|name| silver.inputs.iter().all(|input| input.table != **name)) {
        let error = anyhow::anyhow!("failed to use --input {unknown}: it is no input of {}", contract.table);
        return Err(error.context(Fault::Config));
    }
    let mut inputs = Vec::new();
    for (number, input) in silver.inputs.iter().enumerate() {
        let source = ask.contracts.table(&input.table).attach()?;
        let Some(found) = Table::open(ask.lake, &TableSpec::of(source)).await.attach()? else {
            if ask.inputs.contains_key(&input.table) {
                return Err(fault::data(format_args!("read `{}`: the table is not there", input.table)));
            }
            continue;
        };
        let target = target(ask, source, &found).await?;
        let recalls = matches!(silver.kind, SilverKind::FxRates | SilverKind::FxRevisions);
        inputs.push(plan(ask, number, found, target, (table, recalls)).await?);
    }
    Ok(inputs)
}

async fn plan(ask: Ask<'_>, number: usize, input: Table, target: i64, of: (&Table, bool)) -> anyhow::Result<Input> {
    let (table, recalls) = of;
    let name = input.spec().name.clone();
    let progress = table.txn(input.id()).await.attach()?;
    if let Some(progress) = progress.filter(|progress| ask.full_refresh && *progress > target) {
        // Progress never goes back: what came after the target would not be read again.
        return Err(fault::data(format_args!(
            "rebuild from version {target} of `{name}`: the table has read version {progress}"
        )));
    }
    let consumed = progress.filter(|_| !ask.full_refresh);
    // Only its files and their number count, so the input may have gained a column since.
    let at_target = input.past(target).await.attach()?;
    let newest_date = newest_date(&at_target);
    if consumed.is_some_and(|consumed| consumed >= target) {
        let (files, earlier) = (Vec::new(), Vec::new());
        return Ok(Input { number, table: input, consumed, target, files, earlier, advanced: None, newest_date });
    }
    let slice = input.slice(consumed, target).await.attach()?;
    if slice.removes_rows && !ask.full_refresh {
        let since = consumed.map_or_else(|| "its first version".to_owned(), |version| format!("version {version}"));
        return Err(fault::data(format_args!("consume `{name}`: it has removed rows since {since}; run --full-refresh")));
    }
    let advanced = slice.changed;
    let files = if ask.full_refresh { rebuilt(&input, target, &at_target, slice)? } else { slice.files };
    let earlier = match consumed {
        Some(consumed) if recalls => {
            let whole = input.slice(None, target).await.attach()?;
            let earlier = live(&at_target, whole);
            earlier.into_iter().filter(|file| file.version <= consumed).collect()
        }
        _ => Vec::new(),
    };
    Ok(Input { number, table: input, consumed, target, files, earlier, advanced, newest_date })
}

/// The version to consume: the caller's, which must have passed, else the newest that has passed, else the newest.
async fn target(ask: Ask<'_>, source: &Contract, table: &Table) -> anyhow::Result<i64> {
    let verdicts = Table::open(ask.lake, &verdict::spec()).await.attach()?;
    let known = match &verdicts {
        Some(verdicts) => verdict::read(verdicts, &source.table).await.attach()?,
        None => Vec::new(),
    };
    if let Some(version) = ask.inputs.get(&source.table) {
        return fixed(ask, source, table, &known, *version);
    }
    if verdicts.is_none() {
        return Ok(table.version());
    }
    verdict::newest_passed(&known, &source.hash)
        .ok_or_else(|| fault::data(format_args!("read `{0}`: no version of it has passed; run dq-check {0}", source.table)))
}

/// The caller's version: a gate that can be walked around by naming a version is none.
fn fixed(ask: Ask<'_>, source: &Contract, table: &Table, known: &[Verdict], version: i64) -> anyhow::Result<i64> {
    let name = &source.table;
    if version > table.version() {
        return Err(fault::data(format_args!("read version {version} of `{name}`: the newest is {}", table.version())));
    }
    let why = match verdict::decided(known, &source.hash, version, ask.window_end) {
        Some(true) => return Ok(version),
        Some(false) => "its checks failed",
        None => "it is not checked under its present contract",
    };
    Err(fault::data(format_args!("read version {version} of `{name}`: {why}; see dq-check {name} --input {name}@{version}")))
}

/// All files that hold the table's rows at a version, as they were added: their versions are where left-over rows come from.
fn rebuilt(input: &Table, target: i64, at_target: &Past, slice: Slice) -> anyhow::Result<Vec<SliceFile>> {
    let files = live(at_target, slice);
    let (there, found) = (at_target.rows(), files.iter().map(|file| file.file.rows).sum::<u64>());
    if there == found {
        return Ok(files);
    }
    let name = &input.spec().name;
    Err(fault::data(format_args!(
        "rebuild from `{name}`: version {target} has {there} rows, the files that its versions added hold {found}"
    )))
}

/// Those of a slice's files whose rows are there at a version: in themselves, or in the larger files that they were put into.
fn live(at_target: &Past, slice: Slice) -> Vec<SliceFile> {
    let live: HashSet<&str> = at_target.files().iter().map(|file| file.path.as_str()).collect();
    let there = |path: &str| live.contains(path) || slice.rewritten.contains(path);
    slice.files.into_iter().filter(|file| there(&file.file.path)).collect()
}

fn newest_date(at_target: &Past) -> Option<i32> {
    let dates = at_target.files().iter().filter_map(|file| file.partition_value("_ingest_date"));
    dates.filter_map(crate::decode::time::date).max()
}
