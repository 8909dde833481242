use super::*;
use crate::State;
use lake_core::contract::odcs::Severity;

const HASH: &str = "c0ffee";

fn run_id(number: u8) -> RunId {
    format!("00000000-0000-7000-8000-0000000000{number:02}").parse().unwrap()
}

fn key(version: i64, window: &str) -> VerdictKey {
    VerdictKey {
        table: "gold_things".into(),
        version,
        contract_hash: HASH.into(),
        window: window.parse().unwrap(),
        references: BTreeMap::from([("gold_owners".to_owned(), 4)]),
    }
}

fn report(passed: bool) -> Report {
    let finding = |rule: &str, passed, measured| Finding {
        rule: rule.into(),
        severity: Severity::Error,
        dimension: "completeness".into(),
        state: State::Judged,
        passed,
        measured,
        expected: "= 0 rows".into(),
        message: "c: 1 of 3 rows are null".into(),
    };
    Report { rows: 3, findings: vec![finding("a", true, Some(0.5)), finding("b", passed, None)] }
}

fn verdict(version: i64, day: &str, passed: bool) -> Verdict {
    let checked_at = "2026-11-24T10:00:00.123456Z".parse().unwrap();
    Verdict::of(key(version, day), "gold_things@1.0.0".into(), report(passed), checked_at, run_id(1))
}

fn waiver(of: &Verdict) -> Verdict {
    of.waived("ada", "known outage", of.checked_at + chrono::Duration::hours(1), run_id(2))
}

#[test]
fn a_verdict_survives_its_row() {
    for written in [verdict(7, "2017-12-30", true), waiver(&verdict(7, "2017-01-01/2017-12-30", false))] {
        let batch = written.to_batch().unwrap();
        assert_eq!(batch.schema(), rows::schema());
        assert_eq!(rows::read(&batch).unwrap(), [written]);
    }
}

#[test]
fn a_row_that_is_no_verdict_is_refused() {
    let batch = verdict(7, "2017-12-30", true).to_batch().unwrap();
    let at = batch.schema().index_of("findings").unwrap();
    let mut columns = batch.columns().to_vec();
    columns[at] = std::sync::Arc::new(arrow::array::StringArray::from(vec!["[{}"]));
    let broken = RecordBatch::try_new(batch.schema(), columns).unwrap();
    assert!(matches!(rows::read(&broken), Err(QualityError::Column("findings"))));
}

#[test]
fn a_verdict_is_what_its_report_comes_to() {
    let failed = verdict(7, "2017-12-30", false);
    assert_eq!((failed.passed, failed.score, failed.failures().count()), (false, 50.0, 1));
    let waived = waiver(&failed);
    assert_eq!(
        (waived.passed, waived.score, waived.waived_by.as_deref(), waived.reason.as_deref()),
        (true, 50.0, Some("ada"), Some("known outage"))
    );
    assert_eq!((waived.report, waived.run_id), (failed.report, run_id(2)));
}

#[test]
fn a_day_is_told_by_what_was_decided_last_in_its_newest_window() {
    let early = "2017-12-30T00:00:00Z/2017-12-30T02:00:00Z";
    let (morning, whole, next) = (verdict(7, early, false), verdict(8, "2017-12-30", false), verdict(9, "2017-12-31", true));
    let day = |verdicts: &[Verdict]| newest_of_day(verdicts, "2017-12-30".parse().unwrap()).cloned();
    assert_eq!(day(std::slice::from_ref(&next)), None);
    assert_eq!(day(&[morning.clone(), next.clone()]), Some(morning.clone()));
    let let_pass = waiver(&whole);
    assert_eq!(day(&[whole.clone(), morning.clone(), next.clone()]), Some(whole.clone()));
    assert_eq!(day(&[let_pass.clone(), whole, next, morning]), Some(let_pass));
}

#[test]
fn the_application_tells_every_part_of_the_key() {
    let own = key(7, "2017-12-30");
    let other = |change: fn(&mut VerdictKey)| {
        let mut key = own.clone();
        change(&mut key);
        key
    };
    let others = [
        other(|k| k.table = "gold_others".into()),
        other(|k| k.version = 8),
        other(|k| k.contract_hash = "deaf".into()),
        other(|k| k.window = "2017-12-31".parse().unwrap()),
        other(|k| k.references = BTreeMap::from([("gold_owners".to_owned(), 5)])),
        other(|k| k.references = BTreeMap::new()),
    ];
    for different in others {
        assert_ne!(different.application(), own.application(), "{different:?}");
        assert!(!different.same(&own));
    }
    let longer = other(|k| k.window = "2017-01-01/2017-12-31".parse().unwrap());
    assert_eq!(longer.application(), own.application());
    assert!(longer.same(&own));
    assert!(own.application().starts_with("dq/") && own.application().len() == 35);
}

#[test]
fn the_newest_verdict_about_a_version_decides() {
    let (day, next) = ("2017-12-30", "2017-12-31");
    assert_eq!(newest_passed(&[], HASH), None);
    assert_eq!(newest_passed(&[verdict(3, day, true), verdict(5, day, true), verdict(6, day, false)], HASH), Some(5));
    assert_eq!(newest_passed(&[verdict(3, day, true), verdict(5, day, true)], "other"), None);
    // Version 5 has grown old, in whatever order the rows are read.
    let stale = [verdict(3, day, true), verdict(5, day, true), verdict(5, next, false)];
    assert_eq!(newest_passed(&stale, HASH), Some(3));
    assert_eq!(newest_passed(&[stale[2].clone(), stale[1].clone()], HASH), None);
    let waived = waiver(&stale[2]);
    assert_eq!(newest_passed(&[stale[0].clone(), waived, stale[1].clone(), stale[2].clone()], HASH), Some(5));
}

#[test]
fn the_verdict_of_the_window_decides_about_a_fixed_version() {
    let (day, next) = ("2017-12-30", "2017-12-31");
    let end = |day: &str| day.parse::<Window>().unwrap().to();
    // Fresh on its own day, old on the next.
    let known = [verdict(5, day, true), verdict(5, next, false)];
    assert_eq!(decided(&known, HASH, 5, end(day)), Some(true));
    assert_eq!(decided(&known, HASH, 5, end(next)), Some(false));
    assert_eq!(decided(&known, HASH, 5, end("2018-01-01")), Some(false));
    assert_eq!(decided(&[known[0].clone(), known[1].clone(), waiver(&known[1])], HASH, 5, end(next)), Some(true));
    assert_eq!((decided(&known, HASH, 4, end(day)), decided(&known, "other", 5, end(day))), (None, None));
}

#[test]
fn a_failure_by_rows_stands_until_a_pass_of_its_contract_settles_it() {
    let day = "2017-12-30";
    let under = |hash: &str, mut verdict: Verdict| {
        verdict.key.contract_hash = hash.into();
        verdict
    };
    let versions = |known: &[Verdict], hash: &str, upto| -> Vec<i64> {
        unsettled(known, hash, upto).iter().map(|v| v.key.version).collect()
    };
    let known = [verdict(3, day, true), verdict(4, day, false), verdict(5, day, false)];
    assert_eq!(versions(&known, HASH, 9), [4, 5]);
    assert_eq!(versions(&known, HASH, 4), [4]);
    // Neither an edited contract nor a pass before the failure settles it.
    assert_eq!(versions(&known, "edited", 9), [4, 5]);
    let settled = [known.to_vec(), vec![waiver(&known[2])]].concat();
    assert_eq!(versions(&settled, HASH, 9), Vec::<i64>::new());
    assert_eq!(versions(&settled, "edited", 9), Vec::<i64>::new());
    let mended = [known.to_vec(), vec![under("edited", verdict(6, day, true))]].concat();
    assert_eq!(versions(&mended, "edited", 9), Vec::<i64>::new());
    // What failed for its age, for other tables or for earlier rows says nothing of its own rows.
    for rule in ["latency:c", "reference:c:t.c", "volume:rows", "nulls:c", "failed-slice:2"] {
        let mut other = verdict(4, day, false);
        other.report.findings[1].rule = rule.into();
        assert_eq!(versions(&[other.clone()], HASH, 9), Vec::<i64>::new(), "{rule}");
        assert_eq!([Some(1), Some(2), None].map(|passed| other.overtaken(passed)), [false, rule == "failed-slice:2", false]);
    }
}

#[test]
fn rows_that_passed_once_are_not_checked_again() {
    let (day, next) = ("2017-12-30", "2017-12-31");
    let all = [verdict(3, day, true), verdict(5, day, true), verdict(5, next, false), verdict(6, next, false)];
    assert_eq!(rows_passed(&all, HASH, 9), Some(5));
    assert_eq!(rows_passed(&all, HASH, 4), Some(3));
    assert_eq!(rows_passed(&all, HASH, 3), Some(3));
    assert_eq!(rows_passed(&all, HASH, 2), None);
    assert_eq!(rows_passed(&all, "other", 9), None);
    assert_eq!(rows_passed(&[waiver(&all[3])], HASH, 9), Some(6));
}

#[test]
fn an_equal_question_is_answered_from_the_record() {
    let failed = verdict(5, "2017-12-30", false);
    let known = [verdict(4, "2017-12-30", true), failed.clone(), waiver(&failed)];
    assert!(answer(&known[..2], &key(5, "2017-12-30")).is_some_and(|v| !v.passed));
    assert!(answer(&known, &key(5, "2017-12-30")).is_some_and(|v| v.passed));
    assert!(answer(&known, &key(5, "2017-12-31")).is_none());
    assert!(answer(&known, &key(6, "2017-12-30")).is_none());
    // A waiver is about the version, whatever became of the tables that it refers to.
    let mut moved = key(5, "2017-12-30");
    moved.references = BTreeMap::from([("gold_owners".to_owned(), 9)]);
    assert!(answer(&known, &moved).is_some_and(|v| v.waived_by.is_some()));
    assert!(answer(&known[..2], &moved).is_none());
    let mut mended = key(5, "2017-12-30");
    mended.contract_hash = "deaf".into();
    assert!(answer(&known, &mended).is_none());
}
