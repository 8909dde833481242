//! Verdicts as rows.

use super::{Verdict, VerdictKey};
use crate::{QualityError, Report};
use arrow::{
    array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
};
use chrono::{DateTime, Utc};
use std::{str::FromStr, sync::Arc};

/// Columns of `ops/dq_verdicts`.
pub(super) fn schema() -> SchemaRef {
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let columns = [
        ("table", DataType::Utf8),
        ("version", DataType::Int64),
        ("contract", DataType::Utf8),
        ("contract_hash", DataType::Utf8),
        ("window", DataType::Utf8),
        ("references", DataType::Utf8),
        ("passed", DataType::Boolean),
        ("waived_by", DataType::Utf8),
        ("reason", DataType::Utf8),
        ("findings", DataType::Utf8),
        ("score", DataType::Float64),
        ("rows", DataType::Int64),
        ("checked_at", instant),
        ("run_id", DataType::Utf8),
    ];
    let fields: Vec<Field> = columns.into_iter().map(|(name, kind)| Field::new(name, kind, true)).collect();
    Arc::new(Schema::new(fields))
}

pub(super) fn write(verdict: &Verdict) -> Result<RecordBatch, QualityError> {
    let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
    let optional = |value: Option<&str>| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
    let number = |value: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![value])) };
    let references = serde_json::to_string(&verdict.key.references).map_err(|_| QualityError::Column("references"))?;
    let findings = serde_json::to_string(&verdict.report.findings).map_err(|_| QualityError::Column("findings"))?;
    let checked_at = TimestampMicrosecondArray::from(vec![verdict.checked_at.timestamp_micros()]).with_timezone("UTC");
    let columns = vec![
        text(&verdict.key.table),
        number(verdict.key.version),
        text(&verdict.contract),
        text(&verdict.key.contract_hash),
        text(&verdict.key.window.to_string()),
        text(&references),
        Arc::new(BooleanArray::from(vec![verdict.passed])),
        optional(verdict.waived_by.as_deref()),
        optional(verdict.reason.as_deref()),
        text(&findings),
        Arc::new(Float64Array::from(vec![verdict.score])),
        number(i64::try_from(verdict.report.rows).unwrap_or(i64::MAX)),
        Arc::new(checked_at),
        text(&verdict.run_id.to_string()),
    ];
    RecordBatch::try_new(schema(), columns).map_err(|_| QualityError::Column("table"))
}

pub(super) fn read(batch: &RecordBatch) -> Result<Vec<Verdict>, QualityError> {
    let columns = Columns(batch);
    (0..batch.num_rows()).map(|row| columns.verdict(row)).collect()
}

struct Columns<'a>(&'a RecordBatch);

impl Columns<'_> {
    fn verdict(&self, row: usize) -> Result<Verdict, QualityError> {
        let key = VerdictKey {
            table: self.text("table", row)?.to_owned(),
            version: self.value::<Int64Array>("version", row)?.value(row),
            contract_hash: self.text("contract_hash", row)?.to_owned(),
            window: self.parsed("window", row)?,
            references: serde_json::from_str(self.text("references", row)?).map_err(|_| QualityError::Column("references"))?,
        };
        let findings = serde_json::from_str(self.text("findings", row)?).map_err(|_| QualityError::Column("findings"))?;
        let rows = self.value::<Int64Array>("rows", row)?.value(row);
        let micros = self.value::<TimestampMicrosecondArray>("checked_at", row)?.value(row);
        let checked_at: DateTime<Utc> = DateTime::from_timestamp_micros(micros).ok_or(QualityError::Column("checked_at"))?;
        Ok(Verdict {
            key,
            contract: self.text("contract", row)?.to_owned(),
            passed: self.value::<BooleanArray>("passed", row)?.value(row),
            waived_by: self.optional("waived_by", row)?,
            reason: self.optional("reason", row)?,
            report: Report { rows: u64::try_from(rows).map_err(|_| QualityError::Column("rows"))?, findings },
            score: self.value::<Float64Array>("score", row)?.value(row),
            checked_at,
            run_id: self.parsed("run_id", row)?,
        })
    }

    fn column<A: Array + 'static>(&self, name: &'static str) -> Result<&A, QualityError> {
        let array = self.0.column_by_name(name).and_then(|array| array.as_any().downcast_ref::<A>());
        array.ok_or(QualityError::Column(name))
    }

    fn value<A: Array + 'static>(&self, name: &'static str, row: usize) -> Result<&A, QualityError> {
        self.column::<A>(name).ok().filter(|array| array.is_valid(row)).ok_or(QualityError::Column(name))
    }

    fn text(&self, name: &'static str, row: usize) -> Result<&str, QualityError> {
        Ok(self.value::<StringArray>(name, row)?.value(row))
    }

    fn optional(&self, name: &'static str, row: usize) -> Result<Option<String>, QualityError> {
        let array = self.column::<StringArray>(name)?;
        Ok(array.is_valid(row).then(|| array.value(row).to_owned()))
    }

    fn parsed<T: FromStr>(&self, name: &'static str, row: usize) -> Result<T, QualityError> {
        self.text(name, row)?.parse().map_err(|_| QualityError::Column(name))
    }
}
