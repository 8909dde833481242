//! `ops/quality_scores`: how good each table, each layer and the day was, by the verdicts of the day's windows.
//!
//! A day is replaced as a whole, and only when something in it differs: running a window again commits nothing.

use crate::{
    graph::{Graph, Work},
    projection::{self, Author},
    schedule::End,
};
use lake_core::{Window, contract::ContractSet};
use lake_edge::Attach as _;
use lake_quality::{
    score::{self, DayScores, TableScore},
    verdict,
};
use lake_table::{Lake, Plan, Proposal, Table};

/// Returns a score as it is kept, with six decimals: one that came in a Summary, as JSON, may differ from the verdict's in its last bit,
/// and both are the same score.
fn kept(score: f64) -> f64 {
    (score * 1e6).round() / 1e6
}

/// Returns the scores of the tables that this run's gates judged.
pub(crate) fn judged(graph: &Graph, ends: &[End], contracts: &ContractSet, author: Author) -> Vec<TableScore> {
    let gates = graph.steps.iter().zip(ends).filter(|(step, _)| step.work == Work::Check);
    gates
        .filter_map(|(step, end)| {
            let End::Ran(ran) = end else { return None };
            let facts = &ran.summary.as_ref()?.facts;
            Some(TableScore {
                table: step.table.clone(),
                layer: contracts.get(&step.table)?.layer.name().to_owned(),
                score: kept(facts.get("score")?.as_f64()?),
                passed: facts.get("passed")?.as_bool()?,
                version: facts.get("checked_version")?.as_i64()?,
                window_to: author.window.to(),
            })
        })
        .collect()
}

/// Returns the scores of the tables that some gate has judged in a window of the same day, whoever started it.
pub(crate) async fn decided(lake: &Lake, contracts: &ContractSet, window: Window) -> anyhow::Result<Vec<TableScore>> {
    let Some(verdicts) = Table::open(lake, &verdict::spec()).await.attach()? else { return Ok(Vec::new()) };
    let mut scores = Vec::new();
    for contract in contracts.iter() {
        let of_table = verdict::read(&verdicts, &contract.table).await.attach()?;
        let Some(newest) = verdict::newest_of_day(&of_table, window.ingest_date()) else { continue };
        scores.push(TableScore {
            table: contract.table.clone(),
            layer: contract.layer.name().to_owned(),
            score: kept(newest.score),
            passed: newest.passed,
            version: newest.key.version,
            window_to: newest.key.window.to(),
        });
    }
    Ok(scores)
}

/// Records the scores beside those of the day's other windows, and returns the day's.
pub(crate) async fn record(
    lake: &Lake,
    contracts: &ContractSet,
    author: Author,
    judged: Vec<TableScore>,
) -> anyhow::Result<DayScores> {
    let known: Vec<(&str, &str)> =
        contracts.in_dependency_order().into_iter().map(|contract| (contract.layer.name(), contract.table.as_str())).collect();
    if judged.is_empty() {
        return Ok(DayScores::of(&known, judged));
    }
    let day = author.window.ingest_date();
    let mut table = Table::open_or_create(lake, &score::spec()).await.attach()?;
    let mut scores = None;
    table
        .commit(async |table: &Table| {
            let remove = score::files_of(table, day);
            let before = score::read(table, remove.clone()).await.attach()?;
            let old = DayScores::of(&known, before.clone());
            let now = DayScores::of(&known, before.into_iter().chain(judged.clone()));
            let mut summary = projection::own_summary(author, table, now.tables.len());
            let unchanged = old == now && !remove.is_empty();
            scores = Some(now.clone());
            if unchanged {
                return Ok(Plan::Done(summary));
            }
            summary.outcome = lake_core::summary::Outcome::Committed;
            let mut writer = table.writer();
            writer.write(&now.to_batch(day).attach()?).await.attach()?;
            let (inserted, removed) = (writer.rows(), remove.iter().map(|file| file.rows).sum());
            let add = writer.finish().await.attach()?;
            Ok(Plan::Commit(Proposal { add, remove, txns: Vec::new(), inserted, removed, summary }))
        })
        .await?;
    Ok(scores.unwrap_or_else(|| DayScores::of(&known, judged)))
}

/// Returns the scores of layers and day for people.
pub(crate) fn line(scores: &DayScores) -> String {
    let shown = |score: Option<f64>| score.map_or_else(|| "-".to_owned(), |score| format!("{score:.1}"));
    let layers = scores
        .layers
        .iter()
        .map(|mean| format!("{} {} ({} of {} tables)", mean.name, shown(mean.score), mean.judged, mean.tables));
    format!("quality {}: {}", shown(scores.day.score), layers.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lake_core::RunId;
    use std::path::Path;

    fn author(window: &str) -> Author {
        Author { run_id: RunId(uuid::Uuid::nil()), attempt: 1, window: window.parse().unwrap() }
    }

    fn score(table: &str, value: f64, author: Author) -> TableScore {
        let (layer, window_to) = (table.split('_').next().unwrap().to_owned(), author.window.to());
        TableScore { table: table.into(), layer, score: value, passed: true, version: 1, window_to }
    }

    async fn version(lake: &Lake) -> i64 {
        Table::open(lake, &score::spec()).await.unwrap().unwrap().version()
    }

    #[tokio::test]
    async fn a_day_is_replaced_when_something_differs_and_only_then() {
        let directory = tempfile::tempdir().unwrap();
        let lake = Lake::open(directory.path().to_str().unwrap()).unwrap();
        let contracts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts");
        let (contracts, _) = lake_edge::load_contracts(&contracts).unwrap();
        let (day, next) = (author("2017-12-30"), author("2017-12-31"));
        let none = record(&lake, &contracts, day, Vec::new()).await.unwrap();
        assert!(none.day.score.is_none() && Table::open(&lake, &score::spec()).await.unwrap().is_none());

        let both = || vec![score("silver_orders", 90.0, day), score("gold_fact_sales", 100.0, day)];
        let first = record(&lake, &contracts, day, both()).await.unwrap();
        assert_eq!((first.day.score, first.day.judged, version(&lake).await), (Some(95.0), 2, 1));
        let again = record(&lake, &contracts, day, both()).await.unwrap();
        assert_eq!((again, version(&lake).await), (first.clone(), 1));
        // Another day leaves this one as it is, and a part of a day keeps the rest.
        record(&lake, &contracts, next, vec![score("silver_orders", 10.0, next)]).await.unwrap();
        let early = author("2017-12-30T00:00:00Z/2017-12-30T02:00:00Z");
        let kept = record(&lake, &contracts, early, vec![score("silver_orders", 10.0, early)]).await.unwrap();
        assert_eq!((kept.tables, version(&lake).await), (first.tables, 2));
        let better = record(&lake, &contracts, day, vec![score("silver_orders", 100.0, day)]).await.unwrap();
        assert_eq!((better.day.score, version(&lake).await), (Some(100.0), 3));
        let table = Table::open(&lake, &score::spec()).await.unwrap().unwrap();
        let rows = |day: Author| score::files_of(&table, day.window.ingest_date()).iter().map(|file| file.rows).sum::<u64>();
        // Tables, three layers, the day.
        assert_eq!((rows(day), rows(next)), (2 + 3 + 1, 1 + 3 + 1));
    }

    #[test]
    fn a_score_is_the_same_whichever_way_it_came() {
        let exact = 100.0 * 14.0 / 15.0;
        let told: f64 = serde_json::from_str("93.33333333333331").unwrap();
        assert!(exact != told && kept(exact) == kept(told) && (kept(exact) - exact).abs() < 1e-6);
    }

    #[test]
    fn layers_without_a_judged_table_have_no_number() {
        let known = [("silver", "silver_orders"), ("gold", "gold_fact_sales"), ("gold", "gold_dim_date")];
        let scores = DayScores::of(&known, [score("silver_orders", 98.75, author("2017-12-30"))]);
        assert_eq!(line(&scores), "quality 98.8: silver 98.8 (1 of 1 tables), gold - (0 of 2 tables)");
    }
}
