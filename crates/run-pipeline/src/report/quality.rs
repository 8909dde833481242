//! How good the tables are: the newest verdicts of the window, and how scores and failed rules changed.

use super::{LAYERS, history::comparable, in_order, label};
use chrono::NaiveDate;
use lake_core::{Window, contract::ContractSet, contract::odcs::Severity};
use lake_edge::Attach as _;
use lake_quality::{
    State, Verdict,
    score::{self, DayScores, Mean},
    severity_text, verdict,
};
use lake_table::{Lake, Table};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What the gates found.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Quality {
    day: Mean,
    layers: Vec<Mean>,
    tables: Vec<Judged>,
    failures: Vec<Failure>,
    trend: Vec<DayScore>,
    rules: Vec<WindowRules>,
}

/// The newest verdict about a table. Who let a version pass, and why, stays in `ops/dq_verdicts`.
#[derive(Debug, Clone, Serialize)]
struct Judged {
    name: String,
    layer: &'static str,
    score: f64,
    passed: bool,
    waived: bool,
    rows: u64,
    held: usize,
    failed: usize,
    learning: usize,
    not_judged: usize,
}

#[derive(Debug, Clone, Serialize)]
struct Failure {
    table: String,
    rule: String,
    severity: &'static str,
    measured: Option<f64>,
    expected: String,
    message: String,
}

#[derive(Debug, Clone, Serialize)]
struct DayScore {
    day: NaiveDate,
    /// By layer, and `day` for all tables; absent where nothing was judged.
    scores: BTreeMap<String, f64>,
}

/// What became of the rules in a window.
#[derive(Debug, Clone, Default, Serialize)]
struct WindowRules {
    window: String,
    held: usize,
    error: usize,
    warning: usize,
    info: usize,
    learning: usize,
    not_judged: usize,
}

/// Verdicts by window and table; of several the one that was decided last.
type Newest = BTreeMap<Window, BTreeMap<String, Verdict>>;

/// Returns what the gates found in a window and before.
pub(super) async fn of(
    lake: &Lake,
    contracts: &ContractSet,
    window: Option<Window>,
    windows_max: usize,
) -> anyhow::Result<Quality> {
    let newest = newest(lake, contracts).await?;
    let days = days(lake, contracts, window, windows_max).await?;
    let of_day = window.and_then(|window| days.get(&window.ingest_date()).cloned());
    let DayScores { layers, day, .. } = of_day.unwrap_or_else(|| DayScores::of(&known(contracts), Vec::new()));
    let shown = window.and_then(|window| newest.get(&window));
    let judged = in_order(contracts)
        .into_iter()
        .filter_map(|contract| Some((contract, shown?.get(&contract.table)?)))
        .map(|(contract, verdict)| judged(contract, verdict))
        .collect();
    let alike = window.map(|window| comparable(newest.keys().copied(), window, windows_max)).unwrap_or_default();
    Ok(Quality {
        day,
        layers,
        tables: judged,
        failures: failures(shown.into_iter().flat_map(BTreeMap::values)),
        trend: days.into_iter().map(|(day, scores)| DayScore { day, scores: means(&scores) }).collect(),
        rules: alike.into_iter().filter_map(|one| Some(rules(one, newest.get(&one)?))).collect(),
    })
}

fn known(contracts: &ContractSet) -> Vec<(&str, &str)> {
    in_order(contracts).into_iter().map(|contract| (contract.layer.name(), contract.table.as_str())).collect()
}

async fn newest(lake: &Lake, contracts: &ContractSet) -> anyhow::Result<Newest> {
    let mut newest = Newest::new();
    let Some(table) = Table::open(lake, &verdict::spec()).await.attach()? else { return Ok(newest) };
    for contract in contracts.iter() {
        for found in verdict::read(&table, &contract.table).await.attach()? {
            let of_window = newest.entry(found.key.window).or_default();
            let order = |verdict: &Verdict| (verdict.checked_at, verdict.waived_by.is_some());
            if of_window.get(&contract.table).is_none_or(|known| order(&found) >= order(known)) {
                of_window.insert(contract.table.clone(), found);
            }
        }
    }
    Ok(newest)
}

/// Returns the scores of the newest days up to the window's own.
async fn days(
    lake: &Lake,
    contracts: &ContractSet,
    window: Option<Window>,
    days_max: usize,
) -> anyhow::Result<BTreeMap<NaiveDate, DayScores>> {
    let mut scores = BTreeMap::new();
    let Some(table) = Table::open(lake, &score::spec()).await.attach()? else { return Ok(scores) };
    let days = table.files().iter().filter_map(|file| file.partition_value("day")?.parse::<NaiveDate>().ok());
    let days: BTreeSet<NaiveDate> = days.filter(|day| window.is_none_or(|window| *day <= window.ingest_date())).collect();
    for day in days.iter().rev().take(days_max) {
        let found = score::read(&table, score::files_of(&table, *day)).await.attach()?;
        scores.insert(*day, DayScores::of(&known(contracts), found));
    }
    Ok(scores)
}

fn means(scores: &DayScores) -> BTreeMap<String, f64> {
    let all = scores.layers.iter().chain([&scores.day]);
    all.filter_map(|mean| Some((mean.name.clone(), mean.score?))).collect()
}

fn judged(contract: &lake_core::Contract, verdict: &Verdict) -> Judged {
    let report = &verdict.report;
    Judged {
        name: contract.table.clone(),
        layer: contract.layer.name(),
        score: verdict.score,
        passed: verdict.passed,
        waived: verdict.waived_by.is_some(),
        rows: report.rows,
        held: report.held(),
        failed: report.findings.iter().filter(|finding| finding.failed()).count(),
        learning: report.count(State::Learning),
        not_judged: report.count(State::NotJudged),
    }
}

/// Returns the rules that failed: errors first, then by layer and table.
fn failures<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> Vec<Failure> {
    let mut all: Vec<Failure> = verdicts
        .flat_map(|verdict| {
            verdict.report.findings.iter().filter(|finding| finding.failed()).map(move |finding| (verdict, finding))
        })
        .map(|(verdict, finding)| Failure {
            table: verdict.key.table.clone(),
            rule: finding.rule.clone(),
            severity: severity_text(finding.severity),
            measured: finding.measured,
            expected: finding.expected.clone(),
            message: finding.message.clone(),
        })
        .collect();
    let severity = |one: &Failure| ["error", "warning", "info"].iter().position(|name| *name == one.severity);
    let layer = |one: &Failure| LAYERS.iter().position(|layer| one.table.starts_with(layer));
    all.sort_by_key(|one| (severity(one), layer(one), one.table.clone()));
    all
}

fn rules(window: Window, verdicts: &BTreeMap<String, Verdict>) -> WindowRules {
    let failed = |severity: Severity| verdicts.values().map(|verdict| verdict.report.failed(severity).count()).sum();
    let state = |state: State| verdicts.values().map(|verdict| verdict.report.count(state)).sum();
    WindowRules {
        window: label(window),
        held: verdicts.values().map(|verdict| verdict.report.held()).sum(),
        error: failed(Severity::Error),
        warning: failed(Severity::Warning),
        info: failed(Severity::Info),
        learning: state(State::Learning),
        not_judged: state(State::NotJudged),
    }
}
