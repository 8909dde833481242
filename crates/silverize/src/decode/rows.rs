//! Reads rows that have columns already: the same fields and checks, column by column.

use super::{
    Decoded, cast,
    check::{CheckPlan, Exact},
    field::{FieldPlan, Kinds, NullTokens},
    meta::{self, Meta},
    record_plan::InputOf,
    rule::{Rule, Rules, broken},
};
use crate::{
    decode::column::repeated,
    fault,
    leftover::{LATE_WINDOW, Leftover, Reason},
    route::{Fields, RoutePlan, Routed, Source},
    version,
};
use anyhow::Context as _;
use arrow::{
    array::{Array, ArrayRef, AsArray as _, BooleanArray, Date32Array, RecordBatch, StringBuilder},
    compute::filter,
    datatypes::{DataType, Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType},
    util::display::{ArrayFormatter, FormatOptions},
};
use lake_core::{
    Contract,
    contract::{ColumnType, layer::SilverKind},
};
use std::{collections::BTreeMap, sync::Arc};

/// A columnar input, ready to be read.
#[derive(Debug, Clone)]
pub(crate) struct RowsPlan {
    input: usize,
    /// All columns of the source, for the payload of what is left over.
    columns: Vec<String>,
    /// Fields, each with its column.
    fields: Vec<(FieldPlan, String)>,
    sequence: Option<usize>,
    happened: Option<usize>,
    checks: Vec<CheckPlan>,
    route: RoutePlan,
    number: usize,
    late_window: Option<i64>,
    rules: Rules,
}

impl RowsPlan {
    /// Prepares a columnar input of a Silver contract.
    pub(crate) fn new(of: InputOf<'_>, source: &Contract) -> anyhow::Result<Self> {
        let refused = |problem: String| fault::contract(of.contract, format_args!("input `{}`: {problem}", of.input.table));
        let (mut rules, kinds) = (Rules::default(), Kinds::default());
        let nulls = NullTokens::new(&of.input.null_tokens);
        let plans: Vec<FieldPlan> =
            of.input.fields.iter().map(|field| FieldPlan::new(field, &kinds, &nulls, &mut rules)).collect();
        if let Some(field) = of.input.fields.iter().find(|field| source.column(&field.from).is_none()) {
            return Err(refused(format!("field `{}` reads unknown column `{}`", field.name, field.from)));
        }
        let [route] = of.input.routes.as_slice() else {
            return Err(refused("rows with columns need exactly one route".to_owned()));
        };
        if of.contract.silver().is_some_and(|silver| silver.kind == SilverKind::Events) {
            return Err(refused("events are made of records only".to_owned()));
        }
        if !route.when.is_empty() || route.explode {
            return Err(refused(
                "rows with columns have neither kinds nor lines: `when` and `explode` are for records".to_owned(),
            ));
        }
        let timestamp = |name: &Option<String>| match name {
            None => Ok(None),
            Some(name) => match plans.iter().position(|field| field.name == *name) {
                Some(at) if plans[at].kind == ColumnType::Timestamp => Ok(Some(at)),
                _ => Err(refused(format!("`{name}` must be a field of type TIMESTAMP"))),
            },
        };
        let checks = of.input.checks.iter().map(|check| CheckPlan::new(check, &plans, &kinds, &mut rules));
        let checks = checks.collect::<Result<_, _>>().map_err(refused)?;
        Ok(Self {
            input: of.number,
            columns: source.columns.iter().map(|c| c.name.clone()).filter(|name| !name.starts_with('_')).collect(),
            sequence: timestamp(&of.input.sequence)?,
            happened: timestamp(&of.input.event_time)?,
            checks,
            route: RoutePlan::new(of.contract, of.number, route, Fields { record: &plans, lines: &[] })?,
            number: of.first_route,
            late_window: of.input.late_window.and_then(|span| span.0.num_microseconds()),
            fields: plans.into_iter().zip(of.input.fields.iter().map(|field| field.from.clone())).collect(),
            rules,
        })
    }

    /// The route that all rows take.
    pub(crate) const fn route(&self) -> &RoutePlan {
        &self.route
    }

    /// Columns that are read.
    pub(crate) fn columns(&self) -> Vec<String> {
        self.columns.iter().cloned().chain(meta::META.map(str::to_owned)).collect()
    }

    /// Decodes a batch of Bronze rows.
    pub(crate) fn decode(&self, batch: &RecordBatch, delta_version: i64) -> anyhow::Result<Decoded> {
        let meta = Meta::of(batch)?;
        let rows = batch.num_rows();
        let mut breaks: BTreeMap<usize, Vec<Rule>> = BTreeMap::new();
        let mut fields = Vec::with_capacity(self.fields.len());
        for (field, column) in &self.fields {
            let source = batch.column_by_name(column).with_context(|| format!("column `{column}` is missing"))?;
            let typed = cast::column(field, source, |row, rule| broken(breaks.entry(row).or_default(), rule));
            fields.push(typed.with_context(|| format!("failed to read column `{column}`"))?);
        }
        self.check(&fields, rows, &mut breaks);
        let mut decoded = Decoded { rows: rows as u64, ..Decoded::default() };
        decoded.ledger.read += rows as u64;
        let mut kept = vec![true; rows];
        let instants = self.happened.or(self.sequence).map(|at| fields[at].as_primitive::<TimestampMicrosecondType>());
        for (row, keep) in kept.iter_mut().enumerate() {
            let behind = |window| instants.is_some_and(|at| at.is_valid(row) && meta.behind(row, at.value(row), window));
            let (reason, rules) = match (meta.violations(row), breaks.get(&row)) {
                (Some(rules), _) => (Reason::Quarantined, rules.to_owned()),
                (None, Some(rules)) => (Reason::Quarantined, self.rules.text(rules)),
                (None, None) if self.late_window.is_some_and(behind) => (Reason::Held, LATE_WINDOW.to_owned()),
                (None, None) => continue,
            };
            *keep = false;
            decoded.leftovers.push(self.leftover(batch, &meta, row, (reason, rules), delta_version)?);
        }
        decoded.routed.extend(self.routed(&meta, &fields, kept)?);
        Ok(decoded)
    }

    fn check(&self, fields: &[ArrayRef], rows: usize, breaks: &mut BTreeMap<usize, Vec<Rule>>) {
        let numbers: Vec<Numbers<'_>> = fields.iter().map(Numbers::of).collect();
        for check in &self.checks {
            for row in 0..rows {
                if !check.holds(0, |at| numbers[at].exact(row)) {
                    broken(breaks.entry(row).or_default(), check.rule);
                }
            }
        }
    }

    /// Puts the rows that stay into the route's columns.
    fn routed(&self, meta: &Meta<'_>, fields: &[ArrayRef], kept: Vec<bool>) -> anyhow::Result<Option<Routed>> {
        let rows: Vec<usize> = kept.iter().enumerate().filter_map(|(row, keep)| keep.then_some(row)).collect();
        if rows.is_empty() {
            return Ok(None);
        }
        let mask = (rows.len() < kept.len()).then(|| BooleanArray::from(kept));
        let pick = |array: &ArrayRef| mask.as_ref().map_or_else(|| Ok(array.clone()), |mask| filter(array, mask));
        let instants = |at: Option<usize>| at.map(|at| fields[at].as_primitive::<TimestampMicrosecondType>());
        let (sequence, happened) = (instants(self.sequence), instants(self.happened));
        let mut columns = Vec::with_capacity(self.route.columns.len());
        for column in &self.route.columns {
            columns.push(match &column.source {
                Source::Field(at) => pick(&fields[*at])?,
                Source::Constant(cell) => repeated(column.kind, cell, rows.len()),
                Source::Late => {
                    let late = |row| happened.is_some_and(|at| at.is_valid(row) && meta.late(row, at.value(row)));
                    Arc::new(rows.iter().map(|row| Some(late(*row))).collect::<BooleanArray>())
                }
                Source::IngestDate => Arc::new(rows.iter().map(|row| Some(meta.ingest_date(*row))).collect::<Date32Array>()),
                Source::Line(_) => anyhow::bail!("a row with columns has no lines"),
            });
        }
        let (mut text, mut versions) = (String::new(), StringBuilder::with_capacity(rows.len(), rows.len() * 36));
        for row in rows {
            let at = sequence.filter(|at| at.is_valid(row)).map_or(0, |at| at.value(row));
            version::write(&mut text, at, meta.table_place(row), "");
            versions.append_value(&text);
        }
        let batch = self.route.batch(columns, Arc::new(versions.finish()), None)?;
        Ok(Some(Routed { route: self.number, batch }))
    }

    fn leftover(
        &self,
        batch: &RecordBatch,
        meta: &Meta<'_>,
        row: usize,
        why: (Reason, String),
        version: i64,
    ) -> anyhow::Result<Leftover> {
        let mut object = serde_json::Map::new();
        let options = FormatOptions::default();
        for name in &self.columns {
            let column = batch.column_by_name(name).with_context(|| format!("column `{name}` is missing"))?;
            let text = || -> anyhow::Result<serde_json::Value> {
                Ok(ArrayFormatter::try_new(column, &options)?.value(row).try_to_string()?.into())
            };
            object.insert(name.clone(), if column.is_null(row) { serde_json::Value::Null } else { text()? });
        }
        Ok(Leftover {
            reason: why.0,
            input: self.input,
            version,
            position: meta.position(row).to_owned(),
            line: None,
            rules: why.1,
            payload: Some(serde_json::to_vec(&object)?),
            ingest_date: meta.ingest_date(row),
        })
    }
}

/// A column as exact numbers.
enum Numbers<'a> {
    Int(&'a arrow::array::Int32Array),
    Long(&'a arrow::array::Int64Array),
    Decimal(&'a arrow::array::Decimal128Array, i8),
    None,
}

impl<'a> Numbers<'a> {
    fn of(array: &'a ArrayRef) -> Self {
        match array.data_type() {
            DataType::Int32 => Self::Int(array.as_primitive::<Int32Type>()),
            DataType::Int64 => Self::Long(array.as_primitive::<Int64Type>()),
            DataType::Decimal128(_, scale) => Self::Decimal(array.as_primitive::<Decimal128Type>(), *scale),
            _ => Self::None,
        }
    }

    fn exact(&self, row: usize) -> Option<Exact> {
        match self {
            Self::Int(values) => values.is_valid(row).then(|| (i128::from(values.value(row)), 0)),
            Self::Long(values) => values.is_valid(row).then(|| (i128::from(values.value(row)), 0)),
            Self::Decimal(values, scale) => values.is_valid(row).then(|| (values.value(row), *scale)),
            Self::None => None,
        }
    }
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
