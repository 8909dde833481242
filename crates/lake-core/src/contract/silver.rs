//! A Silver table: how the rows of its inputs become typed rows of one key.

use super::{ColumnType, Field, RowCheck, error::did_you_mean, layer::Span};
use std::collections::BTreeMap;

/// The column of a table with tombstones that says when a row was deleted; null in rows that live.
pub const DELETED_AT: &str = "deleted_at";

/// A Silver table.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Silver {
    /// How rows of one key come together.
    pub kind: SilverKind,
    /// Columns that have a sequence of their own; none means one group of all columns.
    #[serde(default)]
    pub groups: Vec<Group>,
    /// A column in which the highest rank ever seen stays.
    pub rank: Option<Rank>,
    /// Columns that a tombstone keeps from the row whose place it takes.
    #[serde(default)]
    pub keeps: Vec<String>,
    /// A column that rows without a value of their own take from the first row of their session.
    pub resolve: Option<Resolve>,
    /// How rates are made (kind `fxRates`).
    pub fx: Option<Fx>,
    /// What it reads.
    pub inputs: Vec<SilverInput>,
}

impl Silver {
    /// Names of the input tables.
    #[must_use]
    pub fn tables(&self) -> Vec<&str> {
        self.inputs.iter().map(|input| input.table.as_str()).collect()
    }
}

/// How rows of one key come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SilverKind {
    /// One row per key: in each column group the values of the row with the highest (sequence, position).
    ///
    /// The winner replaces its group as a whole: columns that its route does not name become null. Key columns and the rank
    /// column belong to no group.
    Current,
    /// One row per key and change of the source; the kind itself makes `valid_to` (the key's next `changed_at`).
    History,
    /// One row per event; events are equal by identity, or by all declared fields but it, and the first by position stays.
    Events,
    /// First published rates, filled over calendar days; the kind itself makes `date` and `usd_rate`.
    ///
    /// A row without value (`N/A`) is filtered. A second value of an observation never replaces the first.
    FxRates,
    /// Later, different values of published rates; the kind itself makes `first_units_per_eur`.
    FxRevisions,
}

impl SilverKind {
    /// Columns that the kind itself makes, so that no route feeds them.
    #[must_use]
    pub const fn made_columns(self) -> &'static [(&'static str, ColumnType)] {
        match self {
            Self::Current | Self::Events => &[],
            Self::History => &[("valid_to", ColumnType::Timestamp)],
            Self::FxRates => &[("date", ColumnType::Date), ("usd_rate", RATE)],
            Self::FxRevisions => &[("first_units_per_eur", RATE)],
        }
    }

    /// Columns that the kind knows by name and that routes must feed.
    #[must_use]
    pub const fn fed_columns(self) -> &'static [(&'static str, ColumnType)] {
        match self {
            Self::Current | Self::Events => &[],
            Self::History => &[("changed_at", ColumnType::Timestamp), ("valid_from", ColumnType::Timestamp)],
            Self::FxRates => &[("currency", ColumnType::String), ("observation_date", ColumnType::Date), ("units_per_eur", RATE)],
            Self::FxRevisions => {
                &[("currency", ColumnType::String), ("observation_date", ColumnType::Date), ("revised_units_per_eur", RATE)]
            }
        }
    }
}

const RATE: ColumnType = ColumnType::Decimal(18, 10);

/// Columns with a sequence of their own.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Name; the meta column `_<name>_version` holds the winner's sequence, position and identity.
    pub name: String,
    /// Columns of the group.
    pub columns: Vec<String>,
}

/// A column in which the highest rank stays, whatever group a row writes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rank {
    /// The column.
    pub column: String,
    /// Values, lowest first.
    pub order: Vec<String>,
}

/// A column that is filled from another row: the own value where there is one, else that of the first row of the same session
/// that has one, over all rows that the table holds now.
///
/// When a row comes, changes or goes, all rows of its sessions follow, in the same commit. No ledger counts those.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolve {
    /// The column; no route feeds it.
    pub column: String,
    /// The column with a row's own value.
    pub from: String,
    /// The column that rows of one session share; rows where it is null have none.
    pub within: String,
    /// Columns by which the first row is found, texts compared as bytes. The key is among them, so that there is one first row.
    pub order: Vec<String>,
}

/// How exchange rates are made from observations of units per base currency.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Fx {
    /// The currency that observations count units of others for; it has 1 unit wherever the quote currency has a value.
    pub base: String,
    /// The currency that rates are given in.
    pub quote: String,
    /// How old an observation may be on the day for which it is used.
    pub age_max: Span,
}

/// One input of a Silver table.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SilverInput {
    /// Full name of the table that is read.
    pub table: String,
    /// How late a row may come, measured against the end of `_ingest_date`; later ones are held.
    pub late_window: Option<Span>,
    /// Field with the sequence (columnar inputs; records are ordered by their `eventTime`).
    pub sequence: Option<String>,
    /// Field from which lateness is measured (columnar inputs; `$late` needs it).
    pub event_time: Option<String>,
    /// Which rows say that the source has deleted the thing (columnar inputs).
    pub deletes: Option<Deletes>,
    /// Texts that stand for null (columnar inputs).
    #[serde(default)]
    pub null_tokens: Vec<String>,
    /// Fields (columnar inputs).
    #[serde(default)]
    pub fields: Vec<Field>,
    /// What a row must keep (columnar inputs).
    #[serde(default)]
    pub checks: Vec<RowCheck>,
    /// Which rows go into which columns; a row that no route takes is filtered.
    #[serde(default)]
    pub routes: Vec<Route>,
}

impl SilverInput {
    /// Whether a tombstone brings a column: those of the key, those that the sequence feeds, and [`DELETED_AT`].
    #[must_use]
    pub fn tombstone_has(&self, silver: &Silver, key: &[&str], route: &Route, column: &str) -> bool {
        let sequence = self.sequence.as_ref().is_some_and(|name| route.columns.get(column) == Some(name));
        let kept = silver.keeps.iter().any(|name| name == column);
        key.contains(&column) || column == DELETED_AT || (sequence && !kept)
    }
}

/// Which rows are tombstones: nothing is asked of them but key, sequence and the time of the deletion, which goes into
/// [`DELETED_AT`]; every other column is null, unless the table `keeps` it. They stay in the table for ever, so that a late update cannot bring back what
/// was deleted. At the instant of a deletion nothing else happens: a tombstone wins against a row of the same sequence.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deletes {
    /// The field that tells.
    pub field: String,
    /// Its values in tombstones.
    pub values: Vec<String>,
}

/// Which rows of an input go into which columns. A column that a route does not name is null in its rows.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Route {
    /// Kinds of record; empty means every row.
    #[serde(default)]
    pub when: Vec<String>,
    /// One row per line instead of one per record; lines' fields come before the record's of the same name.
    #[serde(default)]
    pub explode: bool,
    /// Column group that the row writes.
    pub group: Option<String>,
    /// Column -> field; `=text` is a constant, `$late` the lateness, `$ingest_date` the ingest date. Read it with [`Feed::of`].
    pub columns: BTreeMap<String, String>,
}

/// What a route writes into a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed<'a> {
    /// The value of a field.
    Field(&'a str),
    /// A constant, to be read as the column's type.
    Constant(&'a str),
    /// Whether the window of the row's ingest began more than 24 h after its event time.
    ///
    /// It says how a row came, not what it is: two rows that differ in it alone are equal. So is [`Feed::IngestDate`].
    Late,
    /// The row's `_ingest_date`.
    IngestDate,
}

impl<'a> Feed<'a> {
    /// Reads the text of a route.
    ///
    /// # Errors
    /// When it begins with `$` and is neither `$late` nor `$ingest_date`.
    pub fn of(text: &'a str) -> Result<Self, String> {
        match text.strip_prefix('=') {
            Some(constant) => Ok(Self::Constant(constant)),
            None => match text {
                "$late" => Ok(Self::Late),
                "$ingest_date" => Ok(Self::IngestDate),
                _ if text.starts_with('$') => {
                    Err(format!("`{text}` is unknown{}", did_you_mean(text, ["$late", "$ingest_date"])))
                }
                _ => Ok(Self::Field(text)),
            },
        }
    }
}
