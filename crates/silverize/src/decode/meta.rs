//! What Bronze says about each row besides its content.

use crate::version::Place;
use anyhow::{Context as _, anyhow};
use arrow::{
    array::{
        Array, ArrayRef, AsArray as _, BinaryArray, Date32Array, Int32Array, Int64Array, RecordBatch, StringArray,
        TimestampMicrosecondArray,
    },
    datatypes::{Date32Type, Int32Type, Int64Type, TimestampMicrosecondType},
};

/// How late a row is when it counts as late: its window began more than this after it happened.
const LATE_MICROS: i64 = 24 * 3_600 * 1_000_000;
const DAY_MICROS: i64 = 86_400_000_000;

/// Meta columns that every Bronze table has, as far as Silver reads them.
pub(crate) const META: [&str; 4] = ["_position", "_ingest_date", "_window_from", "_violations"];
/// Meta columns of a log.
pub(crate) const LOG: [&str; 2] = ["_partition", "_offset"];
/// The record's bytes.
pub(crate) const PAYLOAD: &str = "_payload";

/// The meta columns of one batch.
#[derive(Debug)]
pub(crate) struct Meta<'a> {
    position: &'a StringArray,
    ingest_date: &'a Date32Array,
    window_from: &'a TimestampMicrosecondArray,
    violations: &'a StringArray,
    log: Option<(&'a Int32Array, &'a Int64Array)>,
    payload: Option<&'a BinaryArray>,
}

impl<'a> Meta<'a> {
    pub(crate) fn of(batch: &'a RecordBatch) -> anyhow::Result<Self> {
        let log = match (batch.column_by_name(LOG[0]), batch.column_by_name(LOG[1])) {
            (Some(_), Some(_)) => Some((
                typed(batch, LOG[0], |a| a.as_primitive_opt::<Int32Type>())?,
                typed(batch, LOG[1], |a| a.as_primitive_opt::<Int64Type>())?,
            )),
            _ => None,
        };
        Ok(Self {
            position: typed(batch, META[0], |a| a.as_string_opt())?,
            ingest_date: typed(batch, META[1], |a| a.as_primitive_opt::<Date32Type>())?,
            window_from: typed(batch, META[2], |a| a.as_primitive_opt::<TimestampMicrosecondType>())?,
            violations: typed(batch, META[3], |a| a.as_string_opt())?,
            log,
            payload: batch.column_by_name(PAYLOAD).and_then(|a| a.as_binary_opt()),
        })
    }

    /// Rules that Bronze saw broken.
    pub(crate) fn violations(&self, row: usize) -> Option<&'a str> {
        self.violations.is_valid(row).then(|| self.violations.value(row)).filter(|text| !text.is_empty())
    }

    /// The record's bytes.
    pub(crate) fn payload(&self, row: usize) -> Option<&'a [u8]> {
        self.payload.filter(|payload| payload.is_valid(row)).map(|payload| payload.value(row))
    }

    /// Where the source has the row, as Bronze writes it.
    pub(crate) fn position(&self, row: usize) -> &'a str {
        self.position.value(row)
    }

    /// Where a stream has the row.
    pub(crate) fn stream_place(&self, row: usize) -> Place<'a> {
        match self.log {
            Some((partition, offset)) => Place::Log(partition.value(row), offset.value(row)),
            None => Place::Stream(self.window_from.value(row), self.position.value(row)),
        }
    }

    /// Where a table has the row.
    pub(crate) fn table_place(&self, row: usize) -> Place<'a> {
        Place::Table(self.window_from.value(row))
    }

    /// Where a table no longer has the row.
    pub(crate) fn deletion_place(&self, row: usize) -> Place<'a> {
        Place::Deletion(self.window_from.value(row))
    }

    /// Ingest date in days since 1970.
    pub(crate) fn ingest_date(&self, row: usize) -> i32 {
        self.ingest_date.value(row)
    }

    /// Whether the window began more than a day after the event.
    pub(crate) fn late(&self, row: usize, event: i64) -> bool {
        self.window_from.value(row).saturating_sub(event) > LATE_MICROS
    }

    /// Whether an event lies behind a late window, counted back from the end of the window's first day: counted from its
    /// last day, a first load of a year would hold all but its last week.
    pub(crate) fn behind(&self, row: usize, event: i64, window: i64) -> bool {
        let first_day = self.window_from.value(row).div_euclid(DAY_MICROS);
        event < (first_day + 1) * DAY_MICROS - window
    }
}

fn typed<'a, T>(batch: &'a RecordBatch, name: &str, cast: impl Fn(&'a ArrayRef) -> Option<&'a T>) -> anyhow::Result<&'a T> {
    let column = batch.column_by_name(name).ok_or_else(|| anyhow!("column `{name}` is missing"))?;
    cast(column).with_context(|| format!("column `{name}` is {}", column.data_type()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::bronze;
    use arrow::array::{Date32Array, TimestampMicrosecondArray};
    use std::sync::Arc;

    #[test]
    fn late_is_more_than_a_day_before_the_window() {
        let batch = bronze(&[Some(b"{}")]);
        let meta = Meta::of(&batch).unwrap();
        let from = crate::testing::WINDOW_FROM;
        assert!(!meta.late(0, from - LATE_MICROS) && meta.late(0, from - LATE_MICROS - 1) && !meta.late(0, from + 5));
    }

    #[test]
    fn the_late_window_is_counted_back_from_the_end_of_the_windows_first_day() {
        let edge = crate::testing::WINDOW_FROM + DAY_MICROS - 7 * DAY_MICROS;
        let holds = |batch: &RecordBatch| {
            let meta = Meta::of(batch).unwrap();
            !meta.behind(0, edge, 7 * DAY_MICROS) && meta.behind(0, edge - 1, 7 * DAY_MICROS)
        };
        let day = bronze(&[Some(b"{}")]);
        assert!(holds(&day));
        assert!(
            holds(&with(&day, META[2], Arc::new(micros(crate::testing::WINDOW_FROM + DAY_MICROS / 2)))),
            "a window that begins at noon"
        );
        assert!(
            holds(&with(&day, META[1], Arc::new(Date32Array::from_value(crate::testing::INGEST_DATE + 364, 1)))),
            "a window of a year"
        );
    }

    fn micros(instant: i64) -> TimestampMicrosecondArray {
        TimestampMicrosecondArray::from_value(instant, 1).with_timezone("UTC")
    }

    fn with(batch: &RecordBatch, name: &str, column: ArrayRef) -> RecordBatch {
        let mut columns = batch.columns().to_vec();
        columns[batch.schema().index_of(name).unwrap()] = column;
        RecordBatch::try_new(batch.schema(), columns).unwrap()
    }
}
