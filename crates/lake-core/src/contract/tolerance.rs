//! How much a rule or a relationship lets pass: read here, once for all who judge.

use super::{
    layer::{QualityProperty, RelationshipProperty},
    odcs::{Quality, Relationship, Severity, Unit},
};

/// Returns a part of all rows in percent; of no rows it is 0.
#[must_use]
pub fn percent(part: f64, rows: u64) -> f64 {
    if rows == 0 { 0.0 } else { 100.0 * part / rows as f64 }
}

/// Whether fewer rows fail than a rule needs to fail at all: of a handful of rows one is many percent.
#[must_use]
pub fn is_few(failing: f64, rows_min: u32) -> bool {
    failing < f64::from(rows_min)
}

impl Quality {
    /// Failing rows from which on the rule can fail; 0 when it does not say.
    #[must_use]
    pub fn failing_rows_min(&self) -> u32 {
        let given = self.custom_properties.iter().filter_map(|property| match property {
            QualityProperty::FailingRowsMin(rows) => Some(*rows),
            QualityProperty::Reads(_) => None,
        });
        given.fold(0, |_, rows| rows)
    }

    /// Turns a count into the unit of the rule.
    #[must_use]
    pub fn measure(&self, count: f64, rows: u64) -> f64 {
        match self.unit {
            Unit::Rows => count,
            Unit::Percent => percent(count, rows),
        }
    }

    /// Whether a count of failing rows keeps the rule.
    #[must_use]
    pub fn keeps(&self, count: f64, rows: u64) -> bool {
        is_few(count, self.failing_rows_min()) || self.holds(self.measure(count, rows))
    }
}

/// What a relationship lets pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tolerance {
    /// Rows without a partner that are allowed, in percent of the rows with a value.
    pub orphans_percent_max: u32,
    /// Fewer rows without a partner than this are allowed whatever their share.
    pub failing_rows_min: u32,
    /// What more of them do.
    pub severity: Severity,
}

impl Tolerance {
    /// Whether a number of rows without a partner, of those with a value, is allowed.
    #[must_use]
    pub fn allows(&self, orphans: f64, valued: u64) -> bool {
        is_few(orphans, self.failing_rows_min) || percent(orphans, valued) <= f64::from(self.orphans_percent_max)
    }
}

impl Relationship {
    /// What the relationship lets pass.
    #[must_use]
    pub fn tolerance(&self) -> Tolerance {
        let mut tolerance = Tolerance::default();
        for property in &self.custom_properties {
            match property {
                RelationshipProperty::OrphansPercentMax(percent) => tolerance.orphans_percent_max = *percent,
                RelationshipProperty::FailingRowsMin(rows) => tolerance.failing_rows_min = *rows,
                RelationshipProperty::Severity(severity) => tolerance.severity = *severity,
            }
        }
        tolerance
    }

    /// Name of the column that refers.
    #[must_use]
    pub fn column(&self) -> &str {
        self.from.rsplit('.').next().unwrap_or_default()
    }

    /// Table and column that are referred to; none when the text is not `table.column`.
    #[must_use]
    pub fn target(&self) -> Option<(&str, &str)> {
        self.to.split_once('.')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(more: serde_json::Value) -> Quality {
        let mut rule = serde_json::json!({"id": "r", "metric": "nullValues", "mustBeLessThan": 5, "unit": "percent"});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(rule).unwrap()
    }

    #[test]
    fn a_limit_in_percent_is_of_all_rows() {
        let plain = rule(serde_json::json!({}));
        assert_eq!((plain.measure(1.0, 8), plain.measure(1.0, 0), plain.failing_rows_min()), (12.5, 0.0, 0));
        assert_eq!([4.0, 5.0].map(|failing| plain.keeps(failing, 100)), [true, false]);
        let rows = rule(serde_json::json!({"unit": "rows"}));
        assert_eq!((rows.measure(7.0, 100), rows.keeps(4.0, 4), rows.keeps(5.0, 1_000)), (7.0, true, false));
    }

    #[test]
    fn fewer_rows_than_the_least_number_do_not_fail_a_rule() {
        let ten = rule(serde_json::json!({"customProperties": [{"property": "failingRowsMin", "value": 10}]}));
        assert_eq!(ten.failing_rows_min(), 10);
        assert_eq!([9.0, 10.0].map(|failing| ten.keeps(failing, 10)), [true, false]);
        assert_eq!([0.0, 1.0].map(|failing| is_few(failing, 0)), [false, false]);
    }

    fn relationship(custom_properties: Vec<RelationshipProperty>) -> Relationship {
        Relationship { from: "orders.customer_id".into(), to: "silver_customers.customer_id".into(), custom_properties }
    }

    #[test]
    fn a_relationship_that_says_nothing_allows_nothing() {
        let strict = relationship(Vec::new());
        assert_eq!(strict.tolerance(), Tolerance { orphans_percent_max: 0, failing_rows_min: 0, severity: Severity::Error });
        assert_eq!([0.0, 1.0].map(|orphans| strict.tolerance().allows(orphans, 1_000_000)), [true, false]);
        assert_eq!((strict.column(), strict.target()), ("customer_id", Some(("silver_customers", "customer_id"))));
    }

    #[test]
    fn a_relationship_allows_a_share_or_a_handful() {
        let loose = relationship(vec![
            RelationshipProperty::OrphansPercentMax(5),
            RelationshipProperty::FailingRowsMin(3),
            RelationshipProperty::Severity(Severity::Warning),
        ]);
        let tolerance = loose.tolerance();
        assert_eq!(tolerance, Tolerance { orphans_percent_max: 5, failing_rows_min: 3, severity: Severity::Warning });
        assert_eq!([2.0, 3.0].map(|orphans| tolerance.allows(orphans, 4)), [true, false]);
        assert_eq!([5.0, 6.0].map(|orphans| tolerance.allows(orphans, 100)), [true, false]);
    }
}
