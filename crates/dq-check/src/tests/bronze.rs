//! Bronze: a verdict is about the rows that came since the last version that passed.

use super::*;
use crate::{gate, measures};
use lake_core::{Fault, lineage::Measure, summary::Outcome};

const TABLE: &str = "bronze_rates";

#[tokio::test(flavor = "multi_thread")]
async fn only_rows_since_the_last_pass_are_judged() {
    let world = World::new();
    world.put(TABLE, &rates("2017-12-30", &[Some("USD"), Some("GBP")]), false).await;
    let first = world.ask(TABLE).judge().await.unwrap();
    assert_eq!((first.verdict.passed, first.summary.ledger.read), (true, 2));
    world.put(TABLE, &rates("2017-12-31", &[Some("USD")]), false).await;
    world.put(TABLE, &rates("2017-12-31", &[Some("CHF")]), false).await;
    let next = world.ask(TABLE).window("2017-12-31").judge().await.unwrap();
    assert_eq!((next.verdict.passed, next.verdict.key.version, next.summary.ledger.read), (true, 3, 2));
    let whole = world.ask(TABLE).window("2018-01-01").whole().judge().await.unwrap();
    assert_eq!((whole.verdict.passed, whole.summary.ledger.read), (true, 4));
    assert_eq!(world.passed(TABLE).await, Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_has_nothing_new_is_not_empty() {
    let world = World::new();
    world.put(TABLE, &rates("2017-12-30", &[Some("USD"), Some("GBP")]), false).await;
    assert!(world.ask(TABLE).judge().await.unwrap().verdict.passed);
    // An earlier window runs again: the same version, asked anew.
    let again = world.ask(TABLE).window("2017-12-29").judge().await.unwrap();
    assert_eq!((failed(&again), again.summary.ledger.read), (vec![], 0));
    // A run that brought no row is another matter.
    world.put(TABLE, &rates("2017-12-31", &[]), false).await;
    let nothing = world.ask(TABLE).window("2017-12-31").judge().await.unwrap();
    assert_eq!((failed(&nothing), nothing.verdict.key.version), (vec!["table_empty"], 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_whose_files_were_put_together_since_is_not_empty() {
    let world = World::new();
    world.put(TABLE, &rates("2017-12-30", &[Some("USD")]), false).await;
    world.put(TABLE, &rates("2017-12-30", &[Some("GBP")]), false).await;
    assert!(world.ask(TABLE).judge().await.unwrap().verdict.passed);
    let compacted = world.table(TABLE).await.compact(1).await.unwrap().unwrap();
    let again = world.ask(TABLE).judge().await.unwrap();
    assert_eq!((failed(&again), again.summary.ledger.read), (vec![], 0));
    assert_eq!((again.verdict.key.version, world.passed(TABLE).await), (compacted.version, Some(compacted.version)));
    // A run that brought no row is another matter, also here.
    world.put(TABLE, &rates("2017-12-30", &[]), false).await;
    assert_eq!(failed(&world.ask(TABLE).judge().await.unwrap()), ["table_empty"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_checks_leave_few_files_and_all_verdicts() {
    let world = World::new();
    let checks = crate::judge::SMALL_FILES_MAX + 5;
    for number in 0..checks {
        let currency = format!("{}{}A", char::from(b'A' + (number / 26) as u8), char::from(b'A' + (number % 26) as u8));
        world.put(TABLE, &rates("2017-12-30", &[Some(currency.as_str())]), false).await;
        assert!(world.ask(TABLE).judge().await.unwrap().verdict.passed);
        let verdicts = Table::open(&world.lake, &verdict::spec()).await.unwrap().unwrap();
        let files = verdicts.files().len();
        assert!(files <= crate::judge::SMALL_FILES_MAX + 1, "{files} files after {number} checks");
        let again = world.ask(TABLE).judge().await.unwrap();
        let newest = Table::open(&world.lake, &verdict::spec()).await.unwrap().unwrap();
        assert_eq!((again.summary.outcome, newest.version()), (Outcome::AlreadyDone, verdicts.version()));
    }
    let versions: Vec<i64> = world.verdicts(TABLE).await.iter().map(|verdict| verdict.key.version).collect();
    assert_eq!(versions.iter().copied().collect::<std::collections::BTreeSet<i64>>().len(), checks);
    assert_eq!((versions.len(), world.passed(TABLE).await), (checks, i64::try_from(checks).ok()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_slice_blocks_the_later_ones() {
    let world = World::new();
    world.put(TABLE, &rates("2017-12-30", &[Some("USD")]), false).await;
    world.ask(TABLE).judge().await.unwrap();
    world.put(TABLE, &rates("2017-12-31", &[Some("dollar")]), false).await;
    let broken = world.ask(TABLE).window("2017-12-31").judge().await.unwrap();
    assert_eq!((failed(&broken), broken.summary.ledger.read), (vec!["currency_invalid"], 1));
    world.put(TABLE, &rates("2018-01-01", &[Some("GBP")]), false).await;
    let blocked = world.ask(TABLE).window("2018-01-01").judge().await.unwrap();
    assert_eq!((failed(&blocked), blocked.summary.ledger.read), (vec!["currency_invalid", "failed-slice:2"], 2));
    assert_eq!(world.passed(TABLE).await, Some(1));
}

/// A lake in which one undecodable record of one failed, and enough good ones came after it.
async fn diluted() -> World {
    let world = World::new();
    world.put(TABLE, &rates("2017-12-30", &[Some("USD")]), false).await;
    assert!(world.ask(TABLE).judge().await.unwrap().verdict.passed);
    let mut broken = rates("2017-12-31", &[Some("GBP")]);
    broken.push(("_violations", texts(&[Some("undecodable")])));
    world.put(TABLE, &broken, false).await;
    let first = world.ask(TABLE).window("2017-12-31").judge().await.unwrap();
    assert_eq!(failed(&first), ["violations_most"]);
    let good = ["AUD", "CAD", "CHF", "CNY", "DKK", "JPY"].map(Some);
    world.put(TABLE, &rates("2018-01-01", &good), false).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn good_rows_do_not_thin_out_a_failed_slice() {
    let world = diluted().await;
    let later = world.ask(TABLE).window("2018-01-01").judge().await.unwrap();
    assert_eq!((failed(&later), later.summary.ledger.read), (vec!["failed-slice:2"], 7));
    let error = gate(&later).unwrap_err();
    let told = format!("{error}; {}", lake_core::fault::Faulty::hint(&error).unwrap());
    let window = "2017-12-31T00:00:00Z/2018-01-01T00:00:00Z";
    for part in ["1 rows of version 2", window, "still break violations_most", "next --generation", "--waive 3 --reason"] {
        assert!(told.contains(part), "no `{part}` in {told}");
    }
    // Asked again, the answer is the same; nor does it help to look at all rows, or to edit the contract.
    let again = world.ask(TABLE).window("2018-01-01").run(2).judge().await.unwrap();
    assert_eq!((failed(&again), again.summary.outcome), (vec!["failed-slice:2"], Outcome::AlreadyDone));
    let whole = world.ask(TABLE).window("2018-01-02").whole().judge().await.unwrap();
    assert_eq!((failed(&whole), whole.summary.ledger.read), (vec!["failed-slice:2"], 8));
    let edited = world.ask(TABLE).window("2018-01-01").edited().judge().await.unwrap();
    assert_eq!((failed(&edited), edited.summary.ledger.read), (vec!["failed-slice:2"], 8));
    assert_eq!(world.passed(TABLE).await, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiver_of_the_failed_slice_or_of_a_later_version_ends_the_block() {
    let world = diluted().await;
    assert!(!world.ask(TABLE).window("2018-01-01").judge().await.unwrap().verdict.passed);
    world.ask(TABLE).window("2017-12-31").run(2).waive(2, Some("ada"), Some("known outage")).await.unwrap();
    let judged = world.ask(TABLE).window("2018-01-01").run(3).judge().await.unwrap();
    assert_eq!((judged.verdict.passed, judged.summary.outcome, judged.summary.ledger.read), (true, Outcome::Committed, 6));
    let again = world.ask(TABLE).window("2018-01-01").run(4).judge().await.unwrap();
    assert_eq!((again.verdict.passed, again.summary.outcome), (true, Outcome::AlreadyDone));
    assert_eq!(world.passed(TABLE).await, Some(3));

    let world = diluted().await;
    assert!(!world.ask(TABLE).window("2018-01-01").judge().await.unwrap().verdict.passed);
    world.ask(TABLE).window("2018-01-01").run(2).waive(3, Some("ada"), Some("known outage")).await.unwrap();
    world.put(TABLE, &rates("2018-01-02", &[Some("GBP")]), false).await;
    let next = world.ask(TABLE).window("2018-01-02").run(3).judge().await.unwrap();
    assert_eq!((next.verdict.passed, next.summary.ledger.read), (true, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_generation_of_the_failed_slice_ends_the_block() {
    let world = diluted().await;
    assert!(!world.ask(TABLE).window("2018-01-01").judge().await.unwrap().verdict.passed);
    world.put(TABLE, &rates("2017-12-31", &[Some("GBP")]), true).await;
    assert!(world.ask(TABLE).window("2018-01-01").judge().await.unwrap().verdict.passed);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_generation_repairs_a_slice() {
    let world = World::new();
    world.put(TABLE, &rates("2017-12-30", &[Some("dollar"), Some("GBP")]), false).await;
    assert!(!world.ask(TABLE).judge().await.unwrap().verdict.passed);
    world.put(TABLE, &rates("2017-12-30", &[Some("USD"), Some("GBP")]), true).await;
    let repaired = world.ask(TABLE).judge().await.unwrap();
    assert_eq!((repaired.verdict.passed, repaired.summary.ledger.read), (true, 2));
    // Later generations replace rows that had passed: only what is still there is judged.
    world.put(TABLE, &rates("2017-12-31", &[Some("euro")]), false).await;
    world.put(TABLE, &rates("2017-12-31", &[Some("EUR")]), true).await;
    let again = world.ask(TABLE).window("2017-12-31").judge().await.unwrap();
    assert_eq!((again.verdict.passed, again.summary.ledger.read), (true, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiver_lets_a_slice_pass_on_record() {
    let world = World::new();
    world.put(TABLE, &rates("2017-12-30", &[Some("dollar")]), false).await;
    let broken = world.ask(TABLE).judge().await.unwrap();
    assert!(gate(&broken).is_err());
    let waived = world.ask(TABLE).run(7).waive(1, Some("ada"), Some(" known outage ")).await.unwrap();
    assert!(gate(&waived).is_ok());
    assert_eq!((waived.summary.outcome, waived.summary.facts["waived_by"].as_str()), (Outcome::Committed, Some("ada")));
    let on_record = world.verdicts(TABLE).await;
    let waiver = on_record.iter().find(|v| v.waived_by.is_some()).unwrap();
    assert_eq!(
        (waiver.passed, waiver.reason.as_deref(), waiver.run_id),
        (true, Some("known outage"), RunId(uuid::Uuid::from_u128(7)))
    );
    assert_eq!((waiver.score, &waiver.report), (broken.verdict.score, &broken.verdict.report));
    assert_eq!(on_record.len(), 2);
    assert_eq!(world.passed(TABLE).await, Some(1));
    // The gate answers from the record, and the next slice begins after the waived one.
    let again = world.ask(TABLE).run(8).judge().await.unwrap();
    assert_eq!((again.verdict.passed, again.summary.outcome), (true, Outcome::AlreadyDone));
    let twice = world.ask(TABLE).run(9).waive(1, Some("bob"), Some("me too")).await.unwrap();
    assert_eq!((twice.summary.outcome, twice.verdict.waived_by.as_deref()), (Outcome::AlreadyDone, Some("ada")));
    world.put(TABLE, &rates("2017-12-31", &[Some("GBP")]), false).await;
    let next = world.ask(TABLE).window("2017-12-31").judge().await.unwrap();
    assert_eq!((next.verdict.passed, next.summary.ledger.read), (true, 1));
    assert_eq!(world.verdicts(TABLE).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_failed_version_of_the_window_can_be_waived_and_by_somebody_for_a_reason() {
    let world = World::new();
    let refused = async |version, by, reason| {
        let error = world.ask(TABLE).waive(version, by, reason).await.unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Fault::Config));
        format!("{:#}", error)
    };
    assert!(refused(1, Some("ada"), Some("x")).await.contains("no failed verdict is about it"));
    world.put(TABLE, &rates("2017-12-30", &[Some("USD")]), false).await;
    world.ask(TABLE).judge().await.unwrap();
    world.put(TABLE, &rates("2017-12-30", &[Some("dollar")]), false).await;
    world.ask(TABLE).window("2017-12-31").judge().await.unwrap();
    assert!(refused(1, Some("ada"), Some("x")).await.contains("no failed verdict is about it"));
    assert!(refused(2, Some("ada"), Some("x")).await.contains("no failed verdict is about it"));
    let other_version = world.ask(TABLE).window("2017-12-31").waive(1, Some("ada"), Some("x")).await.unwrap_err();
    assert!(format!("{other_version:#}").contains("no failed verdict is about it"));
    assert!(refused(2, None, Some("x")).await.contains("nobody is named"));
    assert!(refused(2, Some(" "), Some("x")).await.contains("nobody is named"));
    assert!(refused(2, Some("ada"), Some(" ")).await.contains("the reason is empty"));
    let waived = world.ask(TABLE).window("2017-12-31").waive(2, Some("ada"), Some("x")).await.unwrap();
    assert!(waived.verdict.passed);
    assert!(world.ask(TABLE).window("2017-12-31").edited().waive(2, Some("ada"), Some("x")).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_source_grows_old_although_no_version_is_new() {
    let world = World::new();
    world.put(TABLE, &rates("2017-12-30", &[Some("USD")]), false).await;
    assert!(world.ask(TABLE).judge().await.unwrap().verdict.passed);
    let at_the_limit = world.ask(TABLE).window("2017-12-31").judge().await.unwrap();
    assert_eq!((at_the_limit.verdict.passed, at_the_limit.summary.ledger.read), (true, 0));
    assert_eq!(finding(&at_the_limit, "latency:_ingest_date").measured, Some(2.0));
    let told = measures(world.contract(TABLE), &at_the_limit);
    assert_eq!(
        told,
        BTreeMap::from([(Measure::QualityScore, at_the_limit.verdict.score), (Measure::FreshnessSeconds, 172_800.0)])
    );
    let stale = world.ask(TABLE).window("2018-01-01").judge().await.unwrap();
    assert_eq!((failed(&stale), stale.verdict.key.version), (vec!["latency:_ingest_date"], 1));
    assert_eq!(world.passed(TABLE).await, None);
    // New rows make it fresh, and the old ones are not judged again.
    world.put(TABLE, &rates("2018-01-02", &[Some("USD")]), false).await;
    let fresh = world.ask(TABLE).window("2018-01-02").judge().await.unwrap();
    assert_eq!((fresh.verdict.passed, fresh.summary.ledger.read), (true, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_contract_judges_all_rows_again() {
    let world = World::new();
    world.put(TABLE, &rates("2017-12-30", &[Some("USD")]), false).await;
    world.ask(TABLE).judge().await.unwrap();
    world.put(TABLE, &rates("2017-12-30", &[Some("GBP")]), false).await;
    let edited = world.ask(TABLE).edited().judge().await.unwrap();
    assert_eq!((edited.verdict.passed, edited.summary.ledger.read), (true, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_one_window_are_unique_across_files() {
    let world = World::new();
    let day = rates("2017-12-30", &[Some("USD")]);
    world.put(TABLE, &day, false).await;
    world.put(TABLE, &day, false).await;
    let twice = world.ask(TABLE).judge().await.unwrap();
    assert_eq!(failed(&twice), ["primary-key:currency,_run_id"]);
    let both: Vec<(&str, ArrayRef)> = day.iter().map(|(name, column)| (*name, chained(column, column))).collect();
    world.put(TABLE, &both, true).await;
    assert_eq!(failed(&world.ask(TABLE).judge().await.unwrap()), ["primary-key:currency,_run_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_delivers_other_rows_than_the_log_counts_is_refused() {
    let world = World::new();
    world.put(TABLE, &rates("2017-12-30", &[Some("USD"), Some("GBP")]), false).await;
    let table = world.table(TABLE).await;
    let mut files = table.files().to_vec();
    assert!(crate::scan::each(&table, files.clone(), vec!["currency".into()], &bar(), |_| Ok(())).await.is_ok());
    files[0].rows += 1;
    let error = crate::scan::each(&table, files, vec!["currency".into()], &bar(), |_| Ok(())).await.unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Fault::Data));
    assert!(format!("{error:#}").contains("the scan delivered 2 rows where the log counts 3"), "{error:#}");
}

/// The project's own contracts: what a source may send twice is reported, what only we can double stops the chain.
#[test]
fn only_a_source_that_enforces_no_keys_may_repeat_them() {
    let (contracts, _) = lake_edge::load_contracts(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../contracts"))).unwrap();
    let mut sources = std::collections::BTreeSet::new();
    for contract in contracts.in_dependency_order() {
        let Some(bronze) = contract.bronze() else { continue };
        let enforced = bronze.source.enforces_keys();
        sources.insert(enforced);
        let schema = TableSpec::of(contract).schema;
        let text = |kind: &arrow::datatypes::DataType| matches!(kind, arrow::datatypes::DataType::Utf8);
        // Twice the same row: texts are there, the rest is null.
        let column = |field: &arrow::datatypes::FieldRef| match text(field.data_type()) {
            true => texts(&[Some("x"), Some("x")]),
            false => new_null_array(field.data_type(), 2),
        };
        let twice = RecordBatch::try_new(schema.clone(), schema.fields().iter().map(column).collect()).unwrap();
        let mut checks = lake_quality::Checks::of_rows(contract);
        checks.observe_batches(&[twice]).unwrap();
        let report = checks.finish();
        let repeated: Vec<&Finding> = report.findings.iter().filter(|f| f.dimension == "uniqueness").collect();
        assert_eq!(repeated.len(), 2, "{}: {repeated:#?}", contract.table);
        for finding in repeated {
            let stops = finding.severity == lake_core::contract::odcs::Severity::Error;
            assert_eq!((finding.passed, stops), (false, enforced), "{}: {finding:#?}", contract.table);
        }
    }
    assert_eq!(sources.len(), 2);
}
