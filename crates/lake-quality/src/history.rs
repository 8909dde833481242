//! Compares what a window brought with what earlier windows brought.
//!
//! The baseline is the median of earlier windows and how far they usually are from it (MAD, the median of the distances, which
//! one bad window in three cannot move far). It is made of the findings that stand on record, of the newest verdict about each
//! earlier window of the same length that passed and that nobody had to let pass. The window that is tested is never part of its
//! own baseline.
//!
//! Not done here: measuring (`Checks`, `dq-check`).

use crate::{Finding, State, Verdict};
use lake_core::{Window, contract::history::Trend};
use std::collections::BTreeMap;

/// Windows that a baseline needs; with fewer a comparison is learning.
pub const POINTS_MIN: usize = 14;
/// Newest windows that a baseline is made of: what was usual a year ago says little.
const POINTS_MAX: usize = 90;
/// What makes the MAD of normally distributed numbers their standard deviation.
const NORMAL: f64 = 1.4826;

/// The least distance that counts as one deviation: where windows are all but equal, the next one may still differ a little.
#[derive(Debug, Clone, Copy)]
pub struct Floor {
    /// In units of the number.
    pub absolute: f64,
    /// As a share of the median.
    pub share: f64,
}

/// What is usual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baseline {
    /// Windows that it is made of.
    pub windows: usize,
    /// The median.
    pub median: f64,
    /// One robust standard deviation, never 0.
    pub deviation: f64,
}

impl Baseline {
    /// What is usual by the numbers of earlier windows, in whatever order; none when they are too few.
    #[must_use]
    pub fn of(numbers: &[f64], floor: Floor) -> Option<Self> {
        let numbers: Vec<f64> = numbers.iter().copied().filter(|number| number.is_finite()).collect();
        if numbers.len() < POINTS_MIN {
            return None;
        }
        let median = median(numbers.clone());
        let distances = numbers.iter().map(|number| (number - median).abs()).collect();
        let least = floor.absolute.max(floor.share * median.abs());
        let deviation = (NORMAL * self::median(distances)).max(least);
        Some(Self { windows: numbers.len(), median, deviation })
    }

    /// How many deviations a number is from the median.
    #[must_use]
    pub fn distance(&self, number: f64) -> f64 {
        (number - self.median).abs() / self.deviation
    }
}

/// The middle one, or the mean of the two in the middle.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let half = numbers.len() / 2;
    match numbers.len() {
        0 => 0.0,
        even if even.is_multiple_of(2) => f64::midpoint(numbers[half - 1], numbers[half]),
        _ => numbers[half],
    }
}

/// A number that a window brought.
#[derive(Debug, Clone)]
pub struct Point<'a> {
    /// Id of the rule.
    pub rule: String,
    /// Dimension of quality.
    pub dimension: &'a str,
    /// The number.
    pub number: f64,
    /// The number for people: `12 rows were added`.
    pub told: String,
    /// Digits after the point that people are shown.
    pub digits: usize,
    /// Least deviation.
    pub floor: Floor,
}

/// Compares a number with those of earlier windows.
#[must_use]
pub fn compare(known: &[Verdict], window: Window, trend: Trend, point: Point<'_>) -> Finding {
    let numbers: Vec<f64> = earlier(known, window).into_iter().filter_map(|verdict| measured(verdict, &point.rule)).collect();
    let digits = point.digits;
    let (state, passed, expected, message) = match Baseline::of(&numbers, point.floor) {
        None => {
            let message = format!("{}; {} of {POINTS_MIN} earlier windows are known", point.told, numbers.len());
            (State::Learning, true, format!("nothing before {POINTS_MIN} windows"), message)
        }
        Some(usual) => {
            let distance = usual.distance(point.number);
            let expected = format!(
                "<= {} deviations of {:.digits$} from {:.digits$}, the median of {} windows",
                trend.deviations_max, usual.deviation, usual.median, usual.windows
            );
            let message = format!("{}, {distance:.1} deviations from the median of earlier windows", point.told);
            (State::Judged, distance <= f64::from(trend.deviations_max), expected, message)
        }
    };
    Finding {
        rule: point.rule,
        severity: trend.severity,
        dimension: point.dimension.to_owned(),
        state,
        passed,
        measured: Some(point.number),
        expected,
        message,
    }
}

fn measured(verdict: &Verdict, rule: &str) -> Option<f64> {
    verdict.report.findings.iter().find(|finding| finding.rule == rule)?.measured
}

/// The newest verdict about each earlier window of the same length, where it passed by itself; the newest windows first.
fn earlier(known: &[Verdict], window: Window) -> Vec<&Verdict> {
    let length = |window: Window| window.to() - window.from();
    let mut newest: BTreeMap<_, &Verdict> = BTreeMap::new();
    let own = known.iter().filter(|v| v.key.window.to() < window.to() && length(v.key.window) == length(window));
    for verdict in own {
        let decided = newest.entry(verdict.key.window.to()).or_insert(verdict);
        if verdict.order() >= decided.order() {
            *decided = verdict;
        }
    }
    let passed = newest.into_values().rev().filter(|verdict| verdict.passed && verdict.waived_by.is_none());
    passed.take(POINTS_MAX).collect()
}

/// Where the rows of a window begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Nobody has looked at the table before the window: all its rows came with it.
    Nothing,
    /// The version of the table before the window.
    Version(i64),
    /// A later window is in the table, or the one before came after this one: nobody can tell whose the rows are.
    Unknown,
}

/// Returns the version of a table before a window, by the verdicts about it up to a version.
#[must_use]
pub fn before(known: &[Verdict], window: Window, version: i64) -> Before {
    let about = || known.iter().filter(|verdict| verdict.key.version <= version);
    let earlier = about().filter(|verdict| verdict.key.window.to() <= window.from());
    let before = earlier.map(|verdict| verdict.key.version).max();
    let later = about().any(|verdict| verdict.key.window.to() > window.to());
    let mut own = about().filter(|verdict| verdict.key.window.to() == window.to());
    let overtaken = own.any(|verdict| Some(verdict.key.version) <= before);
    match before {
        _ if later || overtaken => Before::Unknown,
        Some(version) => Before::Version(version),
        None => Before::Nothing,
    }
}

#[cfg(test)]
mod tests;
