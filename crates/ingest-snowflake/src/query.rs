//! The SQL of one window. Identifiers are quoted, values are literals that we made: a contract cannot smuggle SQL in.

use chrono::{DateTime, Utc};
use lake_core::{Window, contract::bronze::SnowflakeSource};

/// The queries of one window.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    database: String,
    schema: String,
    table: String,
    columns: Vec<String>,
    key: Vec<String>,
    predicate: String,
    /// Rows of one slice.
    pub(crate) slice_rows: u64,
}

/// A part of the table by the first key column: `(after, upto]`, open where `None`. Values are SQL literals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) after: Option<String>,
    pub(crate) upto: Option<String>,
}

impl Query {
    /// Returns the queries of a window over a source.
    pub(crate) fn new(source: &SnowflakeSource, columns: Vec<String>, window: &Window) -> Self {
        let cursor = quoted(&source.cursor);
        let (from, to) = (literal(window.from() - source.lookback.0), literal(window.to()));
        Self {
            database: source.database.clone(),
            schema: source.schema.clone(),
            table: source.table.clone(),
            columns,
            key: source.key.clone(),
            predicate: format!("{cursor} >= {from} AND {cursor} < {to}"),
            slice_rows: source.slice_rows,
        }
    }

    fn from(&self) -> String {
        format!("{}.{}.{}", quoted(&self.database), quoted(&self.schema), quoted(&self.table))
    }

    /// Name of the table for people.
    pub(crate) fn table(&self) -> String {
        format!("{}.{}.{}", self.database, self.schema, self.table)
    }

    /// The columns that the source has, by name.
    pub(crate) fn source_columns(&self) -> String {
        format!(
            "SELECT COLUMN_NAME FROM {}.INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {} ORDER BY ORDINAL_POSITION",
            quoted(&self.database),
            text(&self.schema),
            text(&self.table)
        )
    }

    /// How many rows the window has.
    pub(crate) fn count(&self) -> String {
        format!("SELECT COUNT(*) AS N FROM {} WHERE {}", self.from(), self.predicate)
    }

    /// Values of the first key column at which slices end.
    pub(crate) fn boundaries(&self) -> String {
        let key = quoted(&self.key[0]);
        format!(
            "SELECT DISTINCT K FROM (SELECT {key} AS K, ROW_NUMBER() OVER (ORDER BY {key}) AS N FROM {} WHERE {}) WHERE MOD(N, {}) = 0 ORDER BY K",
            self.from(),
            self.predicate,
            self.slice_rows
        )
    }

    /// The rows of a slice, in key order.
    pub(crate) fn rows(&self, slice: &Slice) -> String {
        let list = |names: &[String]| names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
        let key = quoted(&self.key[0]);
        let mut predicate = self.predicate.clone();
        if let Some(after) = &slice.after {
            predicate.push_str(&format!(" AND {key} > {after}"));
        }
        if let Some(upto) = &slice.upto {
            predicate.push_str(&format!(" AND {key} <= {upto}"));
        }
        format!("SELECT {} FROM {} WHERE {predicate} ORDER BY {}", list(&self.columns), self.from(), list(&self.key))
    }
}

/// Returns the slices between boundaries; together they are the whole table, whatever the boundaries are.
pub(crate) fn slices(boundaries: &[String]) -> Vec<Slice> {
    let mut slices = Vec::with_capacity(boundaries.len() + 1);
    let mut after = None;
    for boundary in boundaries {
        slices.push(Slice { after: after.replace(boundary.clone()), upto: Some(boundary.clone()) });
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

fn literal(at: DateTime<Utc>) -> String {
    format!("'{}'::TIMESTAMP_NTZ", at.format("%Y-%m-%d %H:%M:%S%.6f"))
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
        Query::new(&source, vec!["ORDER_ID".into(), "A\"B".into()], &"2017-12-30".parse().unwrap())
    }

    #[test]
    fn the_window_reads_back_and_is_half_open() {
        let count = query().count();
        assert!(count.contains("\"UPDATED_AT\" >= '2017-12-29 22:00:00.000000'::TIMESTAMP_NTZ"), "{count}");
        assert!(count.contains("\"UPDATED_AT\" < '2017-12-31 00:00:00.000000'::TIMESTAMP_NTZ"), "{count}");
    }

    #[test]
    fn slices_cover_everything_once() {
        let ends = slices(&["3".into(), "7".into()]);
        let pairs: Vec<_> = ends.iter().map(|s| (s.after.as_deref(), s.upto.as_deref())).collect();
        assert_eq!(pairs, [(None, Some("3")), (Some("3"), Some("7")), (Some("7"), None)]);
        assert_eq!(slices(&[]), [Slice::default()]);
    }

    #[test]
    fn identifiers_and_texts_cannot_break_out() {
        let sql = query().rows(&Slice { after: Some(text("a'; DROP TABLE x; --")), upto: None });
        assert!(sql.contains("\"A\"\"B\""), "{sql}");
        assert!(sql.contains("> 'a''; DROP TABLE x; --'"), "{sql}");
        assert!(sql.ends_with("ORDER BY \"ORDER_ID\", \"LINE\""), "{sql}");
    }
}
