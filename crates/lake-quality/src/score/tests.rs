use super::*;
use crate::{Report, State};

const KNOWN: [(&str, &str); 5] =
    [("bronze", "bronze_a"), ("bronze", "bronze_b"), ("silver", "silver_a"), ("silver", "silver_b"), ("gold", "gold_a")];

fn finding(severity: Severity, passed: bool) -> Finding {
    Finding {
        rule: "r".into(),
        severity,
        dimension: "d".into(),
        state: State::Judged,
        passed,
        measured: None,
        expected: String::new(),
        message: String::new(),
    }
}

fn score(table: &str, score: f64, day: &str) -> TableScore {
    let (layer, window_to) = (table.split('_').next().unwrap().to_owned(), format!("{day}T00:00:00Z").parse().unwrap());
    TableScore { table: table.into(), layer, score, passed: score > 50.0, version: 7, window_to }
}

#[test]
fn errors_weigh_three_times_and_information_nothing() {
    let of = |findings: &[(Severity, bool)]| {
        let findings: Vec<Finding> = findings.iter().map(|(severity, passed)| finding(*severity, *passed)).collect();
        assert_eq!(Report { rows: 0, findings: findings.clone() }.score(), of_findings(&findings));
        of_findings(&findings)
    };
    assert_eq!(of(&[(Severity::Error, true), (Severity::Warning, false)]), 75.0);
    assert_eq!(of(&[(Severity::Error, false), (Severity::Warning, true)]), 25.0);
    assert_eq!(of(&[(Severity::Error, true), (Severity::Info, false)]), 100.0);
    assert_eq!(of(&[(Severity::Info, false)]), 100.0);
    assert_eq!(of(&[(Severity::Error, false)]), 0.0);
    assert_eq!(of(&[]), 100.0);
}

#[test]
fn a_layer_and_a_day_are_the_means_of_their_tables() {
    let scores = ["bronze_a", "silver_b", "silver_a"].into_iter().zip([100.0, 50.0, 75.0]);
    let day = DayScores::of(&KNOWN, scores.map(|(table, value)| score(table, value, "2017-12-31")));
    let told: Vec<_> = day.layers.iter().map(|mean| (mean.name.as_str(), mean.score, mean.judged, mean.tables)).collect();
    assert_eq!(told, [("bronze", Some(100.0), 1, 2), ("silver", Some(62.5), 2, 2), ("gold", None, 0, 1)]);
    assert_eq!((day.day.score, day.day.judged, day.day.tables), (Some(75.0), 3, 5));
    let tables: Vec<&str> = day.tables.iter().map(|table| table.table.as_str()).collect();
    assert_eq!(tables, ["bronze_a", "silver_a", "silver_b"]);
    let nothing = DayScores::of(&KNOWN, []);
    assert_eq!((nothing.day.score, nothing.layers.len()), (None, 3));
}

#[test]
fn of_two_windows_of_a_day_the_newer_one_counts() {
    let (old, new) = (score("gold_a", 10.0, "2017-12-30"), score("gold_a", 90.0, "2017-12-31"));
    for scores in [vec![old.clone(), new.clone()], vec![new.clone(), old]] {
        assert_eq!(DayScores::of(&KNOWN, scores).tables, std::slice::from_ref(&new));
    }
    let again = score("gold_a", 80.0, "2017-12-31");
    assert_eq!(DayScores::of(&KNOWN, [new, again.clone()]).tables, [again]);
    assert_eq!(DayScores::of(&KNOWN, [score("gold_gone", 1.0, "2017-12-31")]).tables, []);
}

#[test]
fn scores_survive_their_rows() {
    let tables = [score("bronze_a", 100.0 / 3.0, "2017-12-31"), score("gold_a", 100.0, "2017-12-31")];
    let day = DayScores::of(&KNOWN, tables);
    let batch = day.to_batch("2017-12-30".parse().unwrap()).unwrap();
    assert_eq!((batch.num_rows(), batch.schema()), (6, rows::schema()));
    assert_eq!(rows::read(&batch).unwrap(), day.tables);
    assert_eq!(DayScores::of(&KNOWN, rows::read(&batch).unwrap()), day);
}
