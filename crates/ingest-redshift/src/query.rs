//! The SQL of one window. Identifiers are quoted, values are literals that we made: a contract cannot smuggle SQL in.
//!
//! Only what Redshift and PostgreSQL both understand, apart from the names of catalogues and functions that are chosen by what
//! the server says it is.

use crate::columns::SourceColumn;
use chrono::{DateTime, Utc};
use lake_core::{
    Window,
    contract::{Column, bronze::RedshiftSource},
};

/// What the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    /// Amazon Redshift.
    Redshift,
    /// PostgreSQL, or something that passes for it.
    Postgres,
}

impl Server {
    /// Tells from what `SELECT version()` answers.
    pub(crate) fn of(version: &str) -> Self {
        if version.contains("Redshift") { Self::Redshift } else { Self::Postgres }
    }

    /// Name for people.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Redshift => "Redshift",
            Self::Postgres => "PostgreSQL",
        }
    }

    /// The catalogue of columns; Redshift's own also knows late-binding views.
    const fn catalogue(self) -> &'static str {
        match self {
            Self::Redshift => "svv_columns",
            Self::Postgres => "information_schema.columns",
        }
    }
}

/// One window of one table.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    schema: String,
    table: String,
    cursor: String,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

/// The statements that read a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statements {
    /// How many rows the window has.
    pub(crate) count: String,
    /// How many rows are in no window at all, since their cursor is null.
    pub(crate) without_cursor: String,
    /// The rows of the window, as text.
    pub(crate) rows: String,
    /// The rows of the window, as UNLOAD takes them.
    pub(crate) staged: String,
}

impl Scope {
    /// Returns a window of a source, with its lookback.
    pub(crate) fn new(source: &RedshiftSource, window: &Window) -> Self {
        Self {
            schema: source.schema.clone(),
            table: source.table.clone(),
            cursor: source.cursor.clone(),
            from: window.from() - source.lookback.0,
            to: window.to(),
        }
    }

    /// `schema.table`, for people.
    pub(crate) fn name(&self) -> String {
        format!("{}.{}", self.schema, self.table)
    }

    /// The table's columns with their types.
    pub(crate) fn catalogue(&self, server: Server) -> String {
        format!(
            "SELECT column_name, data_type, numeric_precision, numeric_scale FROM {} \
             WHERE table_schema = {} AND table_name = {} ORDER BY ordinal_position",
            server.catalogue(),
            literal(&self.schema),
            literal(&self.table)
        )
    }

    /// The statements that read the window, one value per wanted column.
    pub(crate) fn statements(&self, wanted: &[(&Column, &SourceColumn)], cursor: &SourceColumn) -> Statements {
        let table = format!("{}.{}", quoted(&self.schema), quoted(&self.table));
        let cursor_name = quoted(&self.cursor);
        let predicate = format!("{cursor_name} >= {} AND {cursor_name} < {}", bound(self.from, cursor), bound(self.to, cursor));
        let values: Vec<String> = wanted.iter().map(|(_, found)| found.expression()).collect();
        let unloaded: Vec<String> = wanted.iter().map(|(column, found)| found.unloaded(column)).collect();
        Statements {
            count: format!("SELECT COUNT(*) FROM {table} WHERE {predicate}"),
            without_cursor: format!("SELECT COUNT(*) FROM {table} WHERE {cursor_name} IS NULL"),
            rows: format!("SELECT {} FROM {table} WHERE {predicate}", values.join(", ")),
            staged: format!("SELECT {} FROM {table} WHERE {predicate}", unloaded.join(", ")),
        }
    }
}

/// Writes what a query answers to files under an address, with a manifest that tells each file's rows and bytes.
pub(crate) fn unload(query: &str, to: &str, role: &str) -> String {
    let role = if role == "default" { "default".to_owned() } else { literal(role) };
    format!(
        "UNLOAD ('{}') TO {} IAM_ROLE {role} FORMAT PARQUET MANIFEST VERBOSE MAXFILESIZE 256 MB",
        query.replace('\\', r"\\").replace('\'', "''"),
        literal(to)
    )
}

/// A bound of the window, of the cursor's kind: else a cursor with a time zone is compared in the session's zone.
fn bound(at: DateTime<Utc>, cursor: &SourceColumn) -> String {
    let text = at.format("%Y-%m-%d %H:%M:%S%.6f");
    if cursor.zoned() { format!("CAST('{text}+00:00' AS TIMESTAMPTZ)") } else { format!("CAST('{text}' AS TIMESTAMP)") }
}

/// A quoted identifier.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text literal. Redshift reads a backslash in it as an escape, PostgreSQL does not; a name that holds one is found by neither.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::tests::{column, source};
    use lake_core::contract::{ColumnType, layer::Span};

    fn scope(table: &str) -> Scope {
        let source = RedshiftSource {
            schema: "behavior".into(),
            table: table.into(),
            key: vec!["event_id".into()],
            cursor: "loaded_at".into(),
            lookback: Span(chrono::Duration::hours(2)),
        };
        Scope::new(&source, &"2017-12-30".parse().unwrap())
    }

    #[test]
    fn the_window_reads_back_and_is_half_open() {
        let cursor = source("loaded_at", "timestamp without time zone");
        let (id, at) = (column("event_id", ColumnType::String), column("loaded_at", ColumnType::Timestamp));
        let statements = scope("events").statements(&[(&id, &source("event_id", "text")), (&at, &cursor)], &cursor);
        let predicate = "\"loaded_at\" >= CAST('2017-12-29 22:00:00.000000' AS TIMESTAMP) \
                         AND \"loaded_at\" < CAST('2017-12-31 00:00:00.000000' AS TIMESTAMP)";
        assert_eq!(statements.count, format!("SELECT COUNT(*) FROM \"behavior\".\"events\" WHERE {predicate}"));
        assert_eq!(statements.rows, format!("SELECT \"event_id\", \"loaded_at\" FROM \"behavior\".\"events\" WHERE {predicate}"));
        assert!(statements.without_cursor.ends_with("WHERE \"loaded_at\" IS NULL"));
        assert!(statements.staged.ends_with(&format!(" AS \"loaded_at\" FROM \"behavior\".\"events\" WHERE {predicate}")));
    }

    #[test]
    fn a_cursor_with_a_time_zone_is_compared_with_instants() {
        let cursor = source("loaded_at", "timestamp with time zone");
        let count = scope("events").statements(&[], &cursor).count;
        assert!(count.ends_with("\"loaded_at\" < CAST('2017-12-31 00:00:00.000000+00:00' AS TIMESTAMPTZ)"), "{count}");
    }

    #[test]
    fn the_server_says_what_it_is() {
        let redshift = "PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2, Redshift 1.0.103024";
        assert_eq!(Server::of(redshift), Server::Redshift);
        assert_eq!(Server::of("PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on x86_64-pc-linux-gnu"), Server::Postgres);
        assert!(scope("events").catalogue(Server::Redshift).contains(" FROM svv_columns WHERE table_schema = 'behavior' "));
    }

    #[test]
    fn names_cannot_break_out() {
        let cursor = source("loaded_at", "timestamp without time zone");
        let hostile = scope("e\"; DROP TABLE x; --");
        let rows = hostile.statements(&[(&column("loaded_at", ColumnType::Timestamp), &cursor)], &cursor).rows;
        assert!(rows.contains("FROM \"behavior\".\"e\"\"; DROP TABLE x; --\" WHERE"), "{rows}");
        let catalogue = scope("e\\'; DROP TABLE x; --").catalogue(Server::Postgres);
        assert!(catalogue.contains("table_name = 'e''; DROP TABLE x; --' ORDER"), "{catalogue}");
    }

    #[test]
    fn an_unload_quotes_its_query() {
        assert_eq!(
            unload("SELECT 'a'", "s3://stage/run=1/1/", "arn:aws:iam::1:role/r"),
            "UNLOAD ('SELECT ''a''') TO 's3://stage/run=1/1/' IAM_ROLE 'arn:aws:iam::1:role/r' \
             FORMAT PARQUET MANIFEST VERBOSE MAXFILESIZE 256 MB"
        );
        assert!(unload("SELECT 1", "s3://stage/", "default").contains(" IAM_ROLE default FORMAT "));
        assert!(
            unload(r#"SELECT "a\'b""#, "s3://stage/", "default").starts_with(r#"UNLOAD ('SELECT "a\\''b"') TO"#),
            "no way out of the literal"
        );
    }
}
