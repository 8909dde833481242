//! What a measured value must keep: a contract's operator, or the bound of a rule that the contract implies.

use lake_core::contract::{
    odcs::{Quality, Unit},
    tolerance::percent,
};

/// What a measured value must keep.
#[derive(Debug, Clone)]
pub(crate) enum Bound {
    /// The operator of a rule in the contract.
    Operator(Box<Quality>),
    /// At most so many, in a unit.
    AtMost(f64, String),
}

impl Bound {
    /// No row at all.
    pub(crate) fn no_rows() -> Self {
        Self::AtMost(0.0, "rows".into())
    }

    /// Whether a value keeps the bound.
    pub(crate) fn holds(&self, measured: f64) -> bool {
        match self {
            // A rule without an operator would hold for everything.
            Self::Operator(rule) => rule.operators() == 1 && rule.holds(measured),
            Self::AtMost(limit, _) => measured <= *limit,
        }
    }

    /// Turns a count of rows into the unit that the bound is in.
    pub(crate) fn measure(&self, count: u64, rows: u64) -> f64 {
        self.scale(count as f64, rows)
    }

    /// As [`Self::measure`], for a count that a query made.
    pub(crate) fn scale(&self, count: f64, rows: u64) -> f64 {
        match self {
            Self::Operator(rule) => rule.measure(count, rows),
            Self::AtMost(_, unit) if unit == "percent" => percent(count, rows),
            Self::AtMost(..) => count,
        }
    }

    /// Returns the bound for people: `<= 5 percent`.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::AtMost(limit, unit) if *limit == 0.0 => format!("= 0 {unit}"),
            Self::AtMost(limit, unit) => format!("<= {limit} {unit}"),
            Self::Operator(rule) => {
                format!("{} {}", operator_text(rule), if rule.unit == Unit::Percent { "percent" } else { "rows" })
            }
        }
    }
}

fn operator_text(rule: &Quality) -> String {
    let single = [
        ("=", rule.must_be),
        ("!=", rule.must_not_be),
        (">", rule.must_be_greater_than),
        (">=", rule.must_be_greater_or_equal_to),
        ("<", rule.must_be_less_than),
        ("<=", rule.must_be_less_or_equal_to),
    ];
    let ranges = [("between", rule.must_be_between), ("not between", rule.must_not_be_between)];
    let single = single.into_iter().filter_map(|(name, value)| Some(format!("{name} {}", value?)));
    let ranges = ranges.into_iter().filter_map(|(name, range)| range.map(|[low, high]| format!("{name} {low} and {high}")));
    single.chain(ranges).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::quality;
    use serde_json::{Value, json};

    fn operator(name: &str, value: Value) -> Bound {
        Bound::Operator(Box::new(quality(json!({"id": "r", "metric": "rowCount", name: value}))))
    }

    #[test]
    fn every_operator_holds_where_it_says() {
        let holds = |name: &str, value: Value| {
            let bound = operator(name, value);
            [1.0, 2.0, 3.0].map(|measured| bound.holds(measured))
        };
        assert_eq!(holds("mustBe", json!(2)), [false, true, false]);
        assert_eq!(holds("mustNotBe", json!(2)), [true, false, true]);
        assert_eq!(holds("mustBeGreaterThan", json!(2)), [false, false, true]);
        assert_eq!(holds("mustBeGreaterOrEqualTo", json!(2)), [false, true, true]);
        assert_eq!(holds("mustBeLessThan", json!(2)), [true, false, false]);
        assert_eq!(holds("mustBeLessOrEqualTo", json!(2)), [true, true, false]);
        assert_eq!(holds("mustBeBetween", json!([2, 2])), [false, true, false]);
        assert_eq!(holds("mustNotBeBetween", json!([2, 3])), [true, false, false]);
    }

    #[test]
    fn a_rule_without_an_operator_holds_for_nothing() {
        assert!(!Bound::Operator(Box::new(quality(json!({"id": "r", "metric": "rowCount"})))).holds(0.0));
    }

    #[test]
    fn percent_is_of_all_rows() {
        let percent = Bound::Operator(Box::new(quality(
            json!({"id": "r", "metric": "nullValues", "mustBeLessThan": 5, "unit": "percent"}),
        )));
        assert_eq!(percent.measure(1, 8), 12.5);
        assert_eq!(percent.measure(0, 0), 0.0);
        assert_eq!(percent.text(), "< 5 percent");
        assert_eq!(Bound::no_rows().measure(3, 8), 3.0);
        assert_eq!(Bound::AtMost(2.0, "percent".into()).measure(1, 4), 25.0);
    }

    #[test]
    fn bounds_read_like_sentences() {
        assert_eq!(Bound::no_rows().text(), "= 0 rows");
        assert_eq!(Bound::AtMost(26.0, "h".into()).text(), "<= 26 h");
        assert_eq!(operator("mustBeBetween", json!([1, 2.5])).text(), "between 1 and 2.5 rows");
    }
}
