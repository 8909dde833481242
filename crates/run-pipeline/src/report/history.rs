//! What earlier windows did, by `ops/ledger`, `ops/runs` and the commits of `ops/dq_verdicts`.

use super::scan;
use crate::projection;
use lake_core::{
    Ledger, Window,
    contract::{ContractSet, Layer},
};
use lake_edge::Attach as _;
use lake_quality::verdict;
use lake_table::{Lake, Table};
use std::collections::{BTreeMap, BTreeSet};

/// Newest commits of verdicts that durations are taken from: some hundred windows of some ten tables.
const VERDICT_COMMITS_MAX: i64 = 5_000;

/// What one commit says of the rows of its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    /// Version of the commit.
    pub(super) version: u64,
    /// The counts.
    pub(super) ledger: Ledger,
}

/// What all windows did.
#[derive(Debug, Default)]
pub(super) struct History {
    /// By window and table: the commits.
    pub(super) counted: BTreeMap<Window, BTreeMap<String, Vec<Counted>>>,
    /// By window and program: milliseconds of all its processes that committed something.
    pub(super) milliseconds: BTreeMap<Window, BTreeMap<String, u64>>,
}

impl History {
    /// Reads all there is. Rows that were put aside have commits of their own, which repeat their run: those are left out.
    pub(super) async fn read(lake: &Lake, contracts: &ContractSet) -> anyhow::Result<Self> {
        let mut history = Self::default();
        history.read_ledger(lake, contracts).await?;
        history.read_runs(lake, contracts).await?;
        history.read_checks(lake).await?;
        Ok(history)
    }

    async fn read_ledger(&mut self, lake: &Lake, contracts: &ContractSet) -> anyhow::Result<()> {
        let Some(table) = Table::open(lake, &projection::ledger_spec()).await.attach()? else { return Ok(()) };
        let names = ["table", "version", "window_from", "window_to"];
        let buckets = ["read", "accepted", "quarantined", "duplicate", "superseded", "filtered", "held"];
        scan::each(&table, table.files().to_vec(), &[&names[..], &buckets].concat(), |columns| {
            let (tables, versions) = (columns.texts("table")?, columns.counts("version")?);
            let window = windows(columns)?;
            let [read, accepted, quarantined, duplicate, superseded, filtered, held] = buckets.map(|name| columns.counts(name));
            let (read, accepted, quarantined) = (read?, accepted?, quarantined?);
            let (duplicate, superseded, filtered, held) = (duplicate?, superseded?, filtered?, held?);
            for row in 0..columns.rows() {
                let (Some(window), table) = (window(row), tables.value(row)) else { continue };
                if contracts.get(table).is_none() {
                    continue;
                }
                let ledger = Ledger {
                    read: read(row),
                    accepted: accepted(row),
                    quarantined: quarantined(row),
                    duplicate: duplicate(row),
                    superseded: superseded(row),
                    filtered: filtered(row),
                    held: held(row),
                };
                let commits = self.counted.entry(window).or_default().entry(table.to_owned()).or_default();
                commits.push(Counted { version: versions(row), ledger });
            }
            Ok(())
        })
        .await
    }

    async fn read_runs(&mut self, lake: &Lake, contracts: &ContractSet) -> anyhow::Result<()> {
        let Some(table) = Table::open(lake, &projection::runs_spec()).await.attach()? else { return Ok(()) };
        let names = ["table", "program", "window_from", "window_to", "duration_ms"];
        scan::each(&table, table.files().to_vec(), &names, |columns| {
            let (tables, programs) = (columns.texts("table")?, columns.texts("program")?);
            let (window, duration) = (windows(columns)?, columns.counts("duration_ms")?);
            for row in (0..columns.rows()).filter(|row| contracts.get(tables.value(*row)).is_some()) {
                if let Some(window) = window(row) {
                    self.took(window, programs.value(row), duration(row));
                }
            }
            Ok(())
        })
        .await
    }

    /// A verdict's own commit says how long it took; `ops/runs` only knows the tables of contracts.
    async fn read_checks(&mut self, lake: &Lake) -> anyhow::Result<()> {
        let Some(table) = Table::open(lake, &verdict::spec()).await.attach()? else { return Ok(()) };
        let after = table.version() - VERDICT_COMMITS_MAX;
        for summary in table.commits((after >= 0).then_some(after)).await.attach()?.into_iter().filter_map(|entry| entry.summary)
        {
            self.took(summary.window, &summary.program, summary.duration_ms);
        }
        Ok(())
    }

    /// Windows that reached Gold: whole days, and not a source's own windows.
    pub(super) fn days<'a>(&'a self, contracts: &'a ContractSet) -> impl Iterator<Item = Window> + 'a {
        let gold = |table: &String| contracts.get(table).is_some_and(|contract| matches!(contract.layer, Layer::Gold(_)));
        self.counted.iter().filter(move |(_, tables)| tables.keys().any(gold)).map(|(window, _)| *window)
    }

    fn took(&mut self, window: Window, program: &str, milliseconds: u64) {
        *self.milliseconds.entry(window).or_default().entry(program.to_owned()).or_default() += milliseconds;
    }
}

fn windows<'a>(columns: &scan::Columns<'a>) -> anyhow::Result<impl Fn(usize) -> Option<Window> + 'a> {
    let (from, to) = (columns.instants("window_from")?, columns.instants("window_to")?);
    Ok(move |row| Window::new(from(row)?, to(row)?).ok())
}

/// Returns the newest windows that are as long as a given one and end no later, oldest first: only these compare with it.
pub(super) fn comparable(windows: impl Iterator<Item = Window>, with: Window, windows_max: usize) -> Vec<Window> {
    let length = |window: Window| window.to() - window.from();
    let alike: BTreeSet<Window> = windows.filter(|one| length(*one) == length(with) && one.to() <= with.to()).collect();
    let too_many = alike.len().saturating_sub(windows_max);
    alike.into_iter().skip(too_many).collect()
}
