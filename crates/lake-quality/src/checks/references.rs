//! Values of other tables that rows refer to.

use super::{reason, tally::keyed, total};
use polars::prelude::{DataFrame, JoinArgs, JoinType, PolarsResult, col};
use std::collections::BTreeMap;

/// All values of referenced columns, by table and column.
#[derive(Debug, Clone, Default)]
pub(super) struct References(BTreeMap<(String, String), Vec<DataFrame>>);

impl References {
    pub(super) fn provide(&mut self, table: &str, column: &str, frames: Vec<DataFrame>) {
        self.0.insert((table.to_owned(), column.to_owned()), frames);
    }

    /// Returns the rows whose value is in no frame of the referenced column, and the rows that have a value at all.
    /// `values` holds each value and, in `count`, its rows.
    pub(super) fn orphans(
        &self,
        values: Option<&DataFrame>,
        from: &str,
        to: (&str, &str),
        count: &str,
    ) -> Result<(u64, u64), String> {
        let (table, column) = to;
        let frames =
            self.0.get(&(table.to_owned(), column.to_owned())).ok_or_else(|| format!("`{table}.{column}` was not given"))?;
        let Some(values) = values else { return Ok((0, 0)) };
        let here = values.column(from).map_err(|e| reason(&e))?.dtype();
        let mut orphans = values.clone();
        for frame in frames {
            let there = frame.column(column).map_err(|_| format!("column `{column}` is not in `{table}`"))?.dtype();
            if here != there {
                return Err(format!("`{from}` and `{table}.{column}` differ in type"));
            }
            orphans = without(&orphans, (from, count), frame, column).map_err(|e| reason(&e))?;
        }
        let rows = |frame: &DataFrame| total(frame, count).map_err(|e| reason(&e));
        Ok((rows(&orphans)?, rows(values)?))
    }
}

fn without(values: &DataFrame, (from, count): (&str, &str), partners: &DataFrame, to: &str) -> PolarsResult<DataFrame> {
    let (values, left) = keyed(values, &[from], &[count])?;
    let (partners, right) = keyed(partners, &[to], &[])?;
    values.join(partners, left, right, JoinArgs::new(JoinType::Anti)).select([col(from), col(count)]).collect()
}
