//! Scores as rows: one per table that was judged, one per layer, one for the day.

use super::{DAY, DayScores, Mean, TableScore};
use crate::QualityError;
use arrow::{
    array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
};
use chrono::{DateTime, NaiveDate};
use lake_table::columns::constant_date;
use std::sync::Arc;

const TABLE: &str = "table";
const LAYER: &str = "layer";

/// Columns of `ops/quality_scores`.
pub(super) fn schema() -> SchemaRef {
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let columns = [
        (DAY, DataType::Date32),
        ("scope", DataType::Utf8),
        ("name", DataType::Utf8),
        (LAYER, DataType::Utf8),
        ("score", DataType::Float64),
        ("judged", DataType::Int64),
        ("tables", DataType::Int64),
        ("passed", DataType::Boolean),
        ("version", DataType::Int64),
        ("window_to", instant),
    ];
    let fields: Vec<Field> = columns.into_iter().map(|(name, kind)| Field::new(name, kind, true)).collect();
    Arc::new(Schema::new(fields))
}

/// One row: either of a table or of a mean.
struct Row<'a> {
    scope: &'static str,
    name: &'a str,
    layer: Option<&'a str>,
    score: Option<f64>,
    judged: u64,
    tables: u64,
    table: Option<&'a TableScore>,
}

impl<'a> Row<'a> {
    fn of_table(table: &'a TableScore) -> Self {
        let (name, layer) = (table.table.as_str(), Some(table.layer.as_str()));
        Self { scope: TABLE, name, layer, score: Some(table.score), judged: 1, tables: 1, table: Some(table) }
    }

    fn of_mean(scope: &'static str, mean: &'a Mean) -> Self {
        let layer = (scope == LAYER).then_some(mean.name.as_str());
        Self { scope, name: &mean.name, layer, score: mean.score, judged: mean.judged, tables: mean.tables, table: None }
    }
}

pub(super) fn write(day: NaiveDate, scores: &DayScores) -> Result<RecordBatch, QualityError> {
    let mut rows: Vec<Row<'_>> = scores.tables.iter().map(Row::of_table).collect();
    rows.extend(scores.layers.iter().map(|mean| Row::of_mean(LAYER, mean)));
    rows.push(Row::of_mean(DAY, &scores.day));
    let count = |of: fn(&Row<'_>) -> u64| -> ArrayRef {
        Arc::new(rows.iter().map(|row| i64::try_from(of(row)).ok()).collect::<Int64Array>())
    };
    let window_to: TimestampMicrosecondArray =
        rows.iter().map(|row| row.table.map(|table| table.window_to.timestamp_micros())).collect();
    let columns: Vec<ArrayRef> = vec![
        constant_date(day, rows.len()),
        Arc::new(rows.iter().map(|row| Some(row.scope)).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| Some(row.name)).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| row.layer).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| row.score).collect::<Float64Array>()),
        count(|row| row.judged),
        count(|row| row.tables),
        Arc::new(rows.iter().map(|row| row.table.map(|table| table.passed)).collect::<BooleanArray>()),
        Arc::new(rows.iter().map(|row| row.table.map(|table| table.version)).collect::<Int64Array>()),
        Arc::new(window_to.with_timezone("UTC")),
    ];
    RecordBatch::try_new(schema(), columns).map_err(|_| QualityError::Column(DAY))
}

/// Reads the rows of tables; means are made of them again.
pub(super) fn read(batch: &RecordBatch) -> Result<Vec<TableScore>, QualityError> {
    let scopes = column::<StringArray>(batch, "scope")?;
    let (names, layers) = (column::<StringArray>(batch, "name")?, column::<StringArray>(batch, LAYER)?);
    let (scores, passed) = (column::<Float64Array>(batch, "score")?, column::<BooleanArray>(batch, "passed")?);
    let (versions, ends) = (column::<Int64Array>(batch, "version")?, column::<TimestampMicrosecondArray>(batch, "window_to")?);
    let of_tables = (0..batch.num_rows()).filter(|row| scopes.is_valid(*row) && scopes.value(*row) == TABLE);
    of_tables
        .map(|row| {
            let window_to = DateTime::from_timestamp_micros(ends.value(row)).ok_or(QualityError::Column("window_to"))?;
            Ok(TableScore {
                table: names.value(row).to_owned(),
                layer: layers.value(row).to_owned(),
                score: scores.value(row),
                passed: passed.value(row),
                version: versions.value(row),
                window_to,
            })
        })
        .collect()
}

fn column<'a, A: Array + 'static>(batch: &'a RecordBatch, name: &'static str) -> Result<&'a A, QualityError> {
    let array = batch.column_by_name(name).and_then(|array| array.as_any().downcast_ref::<A>());
    array.ok_or(QualityError::Column(name))
}
