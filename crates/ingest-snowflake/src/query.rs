//! The SQL of one window. Identifiers are quoted, values are literals that we made: a contract cannot smuggle SQL in.

use chrono::{DateTime, Utc};
use lake_core::{Window, contract::bronze::SnowflakeSource};

/// The queries of one window.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    table: String,
    columns: Vec<String>,
    key: Vec<String>,
    cursor: String,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    predicate: String,
    /// Rows of one slice.
    pub(crate) slice_rows: u64,
}

/// A part of the table by its key: `(after, upto]`, open where `None`. Each holds one SQL literal per key column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Slice {
    after: Option<Vec<String>>,
    upto: Option<Vec<String>>,
}

impl Query {
    /// Returns the queries of a window over a source.
    pub(crate) fn new(source: &SnowflakeSource, columns: &[String], window: &Window) -> Self {
        let (from, to) = (window.from() - source.lookback.0, window.to());
        let mut query = Self {
            table: format!("{}.{}.{}", quoted(&source.database), quoted(&source.schema), quoted(&source.table)),
            columns: columns.iter().map(|name| quoted(name)).collect(),
            key: source.key.iter().map(|name| quoted(name)).collect(),
            cursor: source.cursor.clone(),
            from,
            to,
            predicate: String::new(),
            slice_rows: source.slice_rows,
        };
        query.bound("", "TIMESTAMP_NTZ");
        query
    }

    /// Takes the bounds as instants: else a cursor with a time zone is compared in the session's zone, whatever that is.
    pub(crate) fn bound_by_instants(&mut self) {
        self.bound(" +00:00", "TIMESTAMP_TZ");
    }

    fn bound(&mut self, zone: &str, kind: &str) {
        let literal = |at: DateTime<Utc>| format!("'{}{zone}'::{kind}", at.format("%Y-%m-%d %H:%M:%S%.6f"));
        let cursor = quoted(&self.cursor);
        self.predicate = format!("{cursor} >= {} AND {cursor} < {}", literal(self.from), literal(self.to));
    }

    /// Name of the column that windows are cut by.
    pub(crate) fn cursor(&self) -> &str {
        &self.cursor
    }

    /// No row, but all columns of the source with their types.
    pub(crate) fn shape(&self) -> String {
        format!("SELECT * FROM {} LIMIT 0", self.table)
    }

    /// How many rows the window has.
    pub(crate) fn count(&self) -> String {
        format!("SELECT COUNT(*) FROM {} WHERE {}", self.table, self.predicate)
    }

    /// How many rows are in no window at all.
    pub(crate) fn without_cursor(&self) -> String {
        format!("SELECT COUNT(*) FROM {} WHERE {} IS NULL", self.table, quoted(&self.cursor))
    }

    /// The key of every row with which a slice ends.
    pub(crate) fn boundaries(&self) -> String {
        let key = self.key.join(", ");
        format!(
            "SELECT {key} FROM {} WHERE {} AND {} QUALIFY MOD(ROW_NUMBER() OVER (ORDER BY {key}), {}) = 0 ORDER BY {key}",
            self.table,
            self.predicate,
            self.each_key("IS NOT NULL", " AND "),
            self.slice_rows
        )
    }

    /// The rows of a slice, in key order. Rows without a whole key stand in the last one.
    pub(crate) fn rows(&self, slice: &Slice) -> String {
        let mut within = Vec::new();
        // The first column alone is said again: it is what the service can skip partitions by.
        if let Some(after) = &slice.after {
            within.push(format!("{} >= {} AND {}", self.key[0], after[0], compared(&self.key, after, '>', ">")));
        }
        if let Some(upto) = &slice.upto {
            within.push(format!("{} <= {} AND {}", self.key[0], upto[0], compared(&self.key, upto, '<', "<=")));
        }
        let mut predicate = self.predicate.clone();
        if !within.is_empty() {
            let within = format!("{} AND {}", self.each_key("IS NOT NULL", " AND "), within.join(" AND "));
            let rest = if slice.upto.is_none() { format!(" OR {}", self.each_key("IS NULL", " OR ")) } else { String::new() };
            predicate.push_str(&format!(" AND ({within}{rest})"));
        }
        format!("SELECT {} FROM {} WHERE {predicate} ORDER BY {}", self.columns.join(", "), self.table, self.key.join(", "))
    }

    fn each_key(&self, what: &str, join: &str) -> String {
        self.key.iter().map(|key| format!("{key} {what}")).collect::<Vec<_>>().join(join)
    }
}

/// Compares a compound key column by column, as text order does letter by letter.
fn compared(key: &[String], values: &[String], before: char, last: &str) -> String {
    match (key, values) {
        ([key], [value]) => format!("{key} {last} {value}"),
        ([key, keys @ ..], [value, values @ ..]) => {
            format!("({key} {before} {value} OR ({key} = {value} AND {}))", compared(keys, values, before, last))
        }
        _ => "TRUE".to_owned(),
    }
}

/// Returns the slices between boundaries; together they are the whole table, whatever the boundaries are.
pub(crate) fn slices(mut boundaries: Vec<Vec<String>>) -> Vec<Slice> {
    boundaries.dedup();
    let mut slices = Vec::with_capacity(boundaries.len() + 1);
    let mut after = None;
    for boundary in boundaries {
        slices.push(Slice { after: after.replace(boundary.clone()), upto: Some(boundary) });
    }
    slices.push(Slice { after, upto: None });
    slices
}

/// A quoted identifier.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text literal.
pub(crate) fn text(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lake_core::contract::layer::Span;

    fn query() -> Query {
        let source = SnowflakeSource {
            database: "ANALYTICS".into(),
            schema: "PUBLIC".into(),
            table: "ORDERS".into(),
            key: vec!["ORDER_ID".into(), "LINE".into()],
            cursor: "UPDATED_AT".into(),
            lookback: Span(chrono::Duration::hours(2)),
            slice_rows: 10,
        };
        Query::new(&source, &["ORDER_ID".into(), "A\"B".into()], &"2017-12-30".parse().unwrap())
    }

    fn literals(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn the_window_reads_back_and_is_half_open() {
        let count = query().count();
        assert!(count.starts_with("SELECT COUNT(*) FROM \"ANALYTICS\".\"PUBLIC\".\"ORDERS\" WHERE "), "{count}");
        assert!(count.contains("\"UPDATED_AT\" >= '2017-12-29 22:00:00.000000'::TIMESTAMP_NTZ"), "{count}");
        assert!(count.ends_with("\"UPDATED_AT\" < '2017-12-31 00:00:00.000000'::TIMESTAMP_NTZ"), "{count}");
        let mut zoned = query();
        zoned.bound_by_instants();
        assert!(zoned.count().ends_with("\"UPDATED_AT\" < '2017-12-31 00:00:00.000000 +00:00'::TIMESTAMP_TZ"), "{count}");
    }

    #[test]
    fn slices_follow_each_other_without_gap() {
        let boundaries = vec![literals(&["3", "1"]), literals(&["7", "2"]), literals(&["7", "2"])];
        let ends: Vec<_> = slices(boundaries).into_iter().map(|slice| (slice.after, slice.upto)).collect();
        let (first, second) = (literals(&["3", "1"]), literals(&["7", "2"]));
        assert_eq!(ends, [(None, Some(first.clone())), (Some(first), Some(second.clone())), (Some(second), None)]);
        assert_eq!(slices(Vec::new()), [Slice::default()]);
    }

    #[test]
    fn a_compound_key_is_compared_column_by_column() {
        let slice = Slice { after: Some(literals(&["3", "1"])), upto: Some(literals(&["7", "2"])) };
        let sql = query().rows(&slice);
        assert!(sql.contains(r#"AND "ORDER_ID" >= 3 AND ("ORDER_ID" > 3 OR ("ORDER_ID" = 3 AND "LINE" > 1))"#), "{sql}");
        assert!(sql.contains(r#"AND "ORDER_ID" <= 7 AND ("ORDER_ID" < 7 OR ("ORDER_ID" = 7 AND "LINE" <= 2))"#), "{sql}");
        assert!(sql.ends_with(r#"ORDER BY "ORDER_ID", "LINE""#), "{sql}");
    }

    #[test]
    fn rows_without_a_whole_key_are_in_the_last_slice_only() {
        let query = query();
        let (first, second) = (literals(&["3", "1"]), literals(&["7", "2"]));
        let texts: Vec<String> = slices(vec![first, second]).iter().map(|slice| query.rows(slice)).collect();
        for (text, is_last) in texts.iter().zip([false, false, true]) {
            assert!(text.contains(r#"AND ("ORDER_ID" IS NOT NULL AND "LINE" IS NOT NULL AND "ORDER_ID""#), "{text}");
            assert_eq!(text.contains(r#" OR "ORDER_ID" IS NULL OR "LINE" IS NULL) ORDER BY"#), is_last, "{text}");
        }
        assert!(!query.rows(&Slice::default()).contains("NULL"));
        assert!(query.boundaries().contains(r#" AND "ORDER_ID" IS NOT NULL AND "LINE" IS NOT NULL QUALIFY"#));
        assert!(query.without_cursor().ends_with(r#"WHERE "UPDATED_AT" IS NULL"#));
    }

    #[test]
    fn identifiers_and_texts_cannot_break_out() {
        assert!(query().rows(&Slice::default()).starts_with("SELECT \"ORDER_ID\", \"A\"\"B\" FROM "));
        assert_eq!(text("a'; DROP TABLE x; --\\"), "'a''; DROP TABLE x; --\\\\'");
    }
}
