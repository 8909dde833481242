//! The source's columns: which of the contract's types each one becomes without loss, and how it is asked for.

use crate::query::quoted;
use lake_bronze::ShapeError;
use lake_core::contract::{Column, ColumnType};

/// A column as the server's catalogue describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceColumn {
    /// Name.
    pub(crate) name: String,
    /// The server's name of the type, as in `information_schema`: `character varying`, `numeric`, `super`.
    pub(crate) kind: String,
    /// Digits in all, where the type is `numeric` and says so.
    pub(crate) precision: Option<u8>,
    /// Digits after the point.
    pub(crate) scale: Option<i8>,
}

impl SourceColumn {
    /// Whether values are instants with a time zone.
    pub(crate) fn zoned(&self) -> bool {
        self.kind == "timestamp with time zone"
    }

    /// The type as people write it.
    fn spoken(&self) -> String {
        match (self.kind.as_str(), self.precision, self.scale) {
            ("numeric", Some(precision), Some(scale)) => format!("numeric({precision},{scale})"),
            (kind, _, _) => kind.to_owned(),
        }
    }

    /// SQL that gives a value in the text that [`crate::text`] reads.
    ///
    /// SUPER, which only Redshift has, becomes JSON; of a null Redshift would make the text `null`, so it is not asked to. Bytes
    /// become digits; four-byte floats are widened by the server, which knows their bits.
    pub(crate) fn expression(&self) -> String {
        let name = quoted(&self.name);
        match self.kind.as_str() {
            "super" => format!("CASE WHEN {name} IS NOT NULL THEN JSON_SERIALIZE({name}) END"),
            "bytea" => format!("ENCODE({name}, 'hex')"),
            "binary varying" => format!("TO_HEX({name})"),
            "real" => format!("CAST({name} AS DOUBLE PRECISION)"),
            _ => name,
        }
    }

    /// SQL that gives a value for UNLOAD, under the column's name.
    ///
    /// Parquet has more than one notation of an instant, and which one is written is not documented: they go as text. Whole
    /// numbers are widened to the contract's type by the server.
    pub(crate) fn unloaded(&self, column: &Column) -> String {
        let name = quoted(&self.name);
        let instant = |value: &str| format!("TO_CHAR({value}, 'YYYY-MM-DD HH24:MI:SS.US')");
        let value = match (self.kind.as_str(), column.kind) {
            ("timestamp without time zone", _) => instant(&name),
            ("timestamp with time zone", _) => instant(&format!("{name} AT TIME ZONE 'UTC'")),
            ("smallint", ColumnType::Int) => format!("CAST({name} AS INTEGER)"),
            ("smallint" | "integer", ColumnType::Long) => format!("CAST({name} AS BIGINT)"),
            ("smallint" | "integer" | "bigint", ColumnType::Decimal(digits, 0)) => format!("CAST({name} AS DECIMAL({digits},0))"),
            _ => self.expression(),
        };
        format!("{value} AS {name}")
    }
}

/// Checks that a source's type becomes the contract's by a change of representation alone, which loses nothing.
pub(crate) fn fits(column: &Column, found: &SourceColumn) -> Result<(), ShapeError> {
    use ColumnType::{Binary, Boolean, Date, Decimal, Double, Int, Long, String, Timestamp};
    let fits = match (found.kind.as_str(), column.kind) {
        ("character varying" | "character" | "text" | "json" | "jsonb" | "super" | "uuid", String)
        | ("smallint" | "integer", Int | Long)
        | ("bigint", Long)
        | ("real" | "double precision", Double)
        | ("boolean", Boolean)
        | ("date", Date)
        | ("timestamp without time zone" | "timestamp with time zone", Timestamp)
        | ("bytea" | "binary varying", Binary) => true,
        ("smallint", Decimal(digits, 0)) => digits >= 5,
        ("integer", Decimal(digits, 0)) => digits >= 10,
        ("bigint", Decimal(digits, 0)) => digits >= 19,
        ("numeric", Decimal(digits, after)) => found.scale == Some(after) && found.precision.is_some_and(|own| own <= digits),
        _ => false,
    };
    if fits { Ok(()) } else { Err(ShapeError::kind(column, found.spoken())) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A column of the contract.
    pub(crate) fn column(name: &str, kind: ColumnType) -> Column {
        Column {
            name: name.into(),
            kind,
            required: false,
            key_position: None,
            classification: None,
            mask: None,
            gold_views: Vec::new(),
        }
    }

    /// A column of the source.
    pub(crate) fn source(name: &str, kind: &str) -> SourceColumn {
        SourceColumn { name: name.into(), kind: kind.into(), precision: None, scale: None }
    }

    fn numeric(precision: u8, scale: i8) -> SourceColumn {
        SourceColumn { precision: Some(precision), scale: Some(scale), ..source("a", "numeric") }
    }

    #[test]
    fn a_type_fits_where_nothing_is_lost() {
        let cases = [
            ("character varying", ColumnType::String, true),
            ("super", ColumnType::String, true),
            ("jsonb", ColumnType::String, true),
            ("integer", ColumnType::String, false),
            ("ARRAY", ColumnType::String, false),
            ("integer", ColumnType::Long, true),
            ("bigint", ColumnType::Int, false),
            ("bigint", ColumnType::Decimal(38, 0), true),
            ("bigint", ColumnType::Decimal(18, 0), false),
            ("real", ColumnType::Double, true),
            ("numeric", ColumnType::Double, false),
            ("timestamp with time zone", ColumnType::Timestamp, true),
            ("date", ColumnType::Timestamp, false),
            ("binary varying", ColumnType::Binary, true),
        ];
        for (kind, target, expected) in cases {
            assert_eq!(fits(&column("a", target), &source("a", kind)).is_ok(), expected, "{kind} as {target}");
        }
    }

    #[test]
    fn decimals_keep_their_digits() {
        let target = column("a", ColumnType::Decimal(18, 2));
        assert!(fits(&target, &numeric(10, 2)).is_ok());
        let told = |found| fits(&target, &found).unwrap_err().to_string();
        assert_eq!(
            told(numeric(20, 2)),
            "match the contract: column `a` is DECIMAL(18,2) in the contract and numeric(20,2) in the source"
        );
        assert!(told(numeric(10, 3)).ends_with("numeric(10,3) in the source"));
        assert!(told(source("a", "numeric")).ends_with("numeric in the source"), "without digits any may come");
    }

    #[test]
    fn values_are_asked_for_in_a_text_without_loss() {
        assert_eq!(
            source("meta\"data", "super").expression(),
            r#"CASE WHEN "meta""data" IS NOT NULL THEN JSON_SERIALIZE("meta""data") END"#
        );
        assert_eq!(source("a", "jsonb").expression(), r#""a""#);
        assert_eq!(source("a", "bytea").expression(), r#"ENCODE("a", 'hex')"#);
        assert_eq!(source("a", "real").expression(), r#"CAST("a" AS DOUBLE PRECISION)"#);
    }

    #[test]
    fn values_are_unloaded_in_types_that_parquet_has_one_notation_for() {
        let unloaded = |kind: &str, target| source("a", kind).unloaded(&column("a", target));
        assert_eq!(unloaded("super", ColumnType::String), r#"CASE WHEN "a" IS NOT NULL THEN JSON_SERIALIZE("a") END AS "a""#);
        assert_eq!(
            unloaded("timestamp with time zone", ColumnType::Timestamp),
            r#"TO_CHAR("a" AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS "a""#
        );
        assert_eq!(unloaded("smallint", ColumnType::Long), r#"CAST("a" AS BIGINT) AS "a""#);
        assert_eq!(unloaded("integer", ColumnType::Int), r#""a" AS "a""#);
        assert_eq!(unloaded("integer", ColumnType::Decimal(10, 0)), r#"CAST("a" AS DECIMAL(10,0)) AS "a""#);
    }
}
