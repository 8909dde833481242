//! Reads rows that have columns already: the same fields and checks, column by column.

use super::{
    Decoded, cast,
    check::{CheckPlan, Exact},
    field::{FieldPlan, Kinds, NullTokens},
    inside::{Inside, Judge},
    meta::{self, Meta},
    record_plan::InputOf,
    rule::{Rules, broken},
    tombstone::{Breaks, Gone, Tombstones},
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
    contract::{ColumnType, Field, check::PAYLOAD_UNDECODABLE, layer::SilverKind},
};
use std::sync::Arc;

/// A columnar input, ready to be read.
#[derive(Debug, Clone)]
pub(crate) struct RowsPlan {
    input: usize,
    /// All columns of the source that hold content, for the payload of what is left over.
    columns: Vec<String>,
    fields: Vec<FieldPlan>,
    /// By field: where it stands.
    places: Vec<Place>,
    /// Columns that hold JSON.
    insides: Vec<Inside>,
    tombstones: Option<Tombstones>,
    sequence: Option<usize>,
    happened: Option<usize>,
    checks: Vec<CheckPlan>,
    route: RoutePlan,
    number: usize,
    late_window: Option<i64>,
    rules: Rules,
}

/// Where a field stands.
#[derive(Debug, Clone)]
enum Place {
    /// In a column.
    Column(String),
    /// Inside one, by number.
    Inside(usize),
}

impl RowsPlan {
    /// Prepares a columnar input of a Silver contract.
    pub(crate) fn new(of: InputOf<'_>, source: &Contract) -> anyhow::Result<Self> {
        let refused = |problem: String| fault::contract(of.contract, format_args!("input `{}`: {problem}", of.input.table));
        let (mut rules, kinds) = (Rules::default(), Kinds::default());
        let nulls = NullTokens::new(&of.input.null_tokens);
        let plans: Vec<FieldPlan> =
            of.input.fields.iter().map(|field| FieldPlan::new(field, &kinds, &nulls, &mut rules)).collect();
        if let Some(field) = of.input.fields.iter().find(|field| source.column(field.place().0).is_none()) {
            return Err(refused(format!("field `{}` reads unknown column `{}`", field.name, field.place().0)));
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
        let route = RoutePlan::new(of.contract, of.number, route, Fields { record: &plans, lines: &[] })?;
        let tombstones = Tombstones::new(of, &plans, &route).map_err(refused)?;
        let teller = tombstones.as_ref().map(|tombstones| tombstones.teller);
        let (places, insides) = places(&of.input.fields, teller, &mut rules).map_err(refused)?;
        Ok(Self {
            input: of.number,
            columns: content(source, &of.input.fields),
            places,
            insides,
            tombstones,
            sequence: timestamp(&of.input.sequence)?,
            happened: timestamp(&of.input.event_time)?,
            checks,
            route,
            number: of.first_route,
            late_window: of.input.late_window.and_then(|span| span.0.num_microseconds()),
            fields: plans,
            rules,
        })
    }

    /// The route that all rows take.
    pub(crate) const fn route(&self) -> &RoutePlan {
        &self.route
    }

    /// Columns that are read.
    pub(crate) fn columns(&self) -> Vec<String> {
        let meta = meta::META.iter().filter(|name| !self.columns.iter().any(|column| column == *name));
        self.columns.iter().cloned().chain(meta.map(|name| (*name).to_owned())).collect()
    }

    /// Decodes a batch of Bronze rows.
    pub(crate) fn decode(&self, batch: &RecordBatch, delta_version: i64) -> anyhow::Result<Decoded> {
        let meta = Meta::of(batch)?;
        let rows = batch.num_rows();
        let mut breaks = Breaks::new();
        let (fields, gone) = self.read(batch, &mut breaks)?;
        self.check(&fields, &gone, &mut breaks);
        let mut decoded = Decoded { rows: rows as u64, ..Decoded::default() };
        decoded.ledger.read += rows as u64;
        let mut kept = vec![true; rows];
        let instants = |at: Option<usize>| at.map(|at| fields[at].as_primitive::<TimestampMicrosecondType>());
        let (sequence, happened) = (instants(self.sequence), instants(self.happened));
        for (row, keep) in kept.iter_mut().enumerate() {
            // When something was deleted only its sequence tells.
            let instants = if gone.is(row) { sequence } else { happened.or(sequence) };
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
        decoded.routed.extend(self.routed(&meta, &fields, kept, &gone)?);
        Ok(decoded)
    }

    /// Reads all fields. What tells tombstones comes first: of those not everything is judged.
    fn read(&self, batch: &RecordBatch, breaks: &mut Breaks) -> anyhow::Result<(Vec<ArrayRef>, Gone)> {
        let tombstones = self.tombstones.as_ref();
        let gone = tombstones.map_or_else(Gone::default, |_| Gone::none_of(batch.num_rows()));
        let mut judge = Judge { fields: &self.fields, tombstones, gone, breaks };
        let mut columns: Vec<Option<ArrayRef>> = vec![None; self.fields.len()];
        let source = |column: &String| batch.column_by_name(column).with_context(|| format!("column `{column}` is missing"));
        for at in tombstones.map(|tombstones| tombstones.teller).into_iter().chain(0..self.fields.len()) {
            if columns[at].is_some() {
                continue;
            }
            match &self.places[at] {
                Place::Column(column) => {
                    let typed = read_column(&mut judge, at, source(column)?);
                    let typed = typed.with_context(|| format!("failed to read column `{column}`"))?;
                    if let Some(tombstones) = tombstones.filter(|tombstones| tombstones.teller == at) {
                        judge.gone = tombstones.find(&typed)?;
                    }
                    columns[at] = Some(typed);
                }
                Place::Inside(number) => {
                    let inside = &self.insides[*number];
                    let read = inside.read(source(&inside.column)?, &mut judge)?;
                    read.into_iter().for_each(|(field, typed)| columns[field] = Some(typed));
                }
            }
        }
        let columns: Vec<ArrayRef> = columns.into_iter().collect::<Option<_>>().context("a field was not read")?;
        let Judge { gone, breaks, .. } = judge;
        if let Some(tombstones) = tombstones {
            tombstones.check(&self.fields, &columns, &gone, breaks);
        }
        Ok((columns, gone))
    }

    fn check(&self, fields: &[ArrayRef], gone: &Gone, breaks: &mut Breaks) {
        let numbers: Vec<Numbers<'_>> = fields.iter().map(Numbers::of).collect();
        let rows = fields.first().map_or(0, |field| field.len());
        for check in &self.checks {
            for row in (0..rows).filter(|row| !gone.is(*row)) {
                if !check.holds(0, |at| numbers[at].exact(row)) {
                    broken(breaks.entry(row).or_default(), check.rule);
                }
            }
        }
    }

    /// Puts the rows that stay into the route's columns.
    fn routed(&self, meta: &Meta<'_>, fields: &[ArrayRef], kept: Vec<bool>, gone: &Gone) -> anyhow::Result<Option<Routed>> {
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
        if let Some(tombstones) = &self.tombstones {
            let gone: BooleanArray = rows.iter().map(|row| Some(gone.is(*row))).collect();
            let cleared = columns.into_iter().enumerate().map(|(at, column)| tombstones.clear(at, column, &gone));
            columns = cleared.collect::<anyhow::Result<_>>()?;
        }
        let (mut text, mut versions) = (String::new(), StringBuilder::with_capacity(rows.len(), rows.len() * 36));
        for row in rows {
            let at = sequence.filter(|at| at.is_valid(row)).map_or(0, |at| at.value(row));
            let place = if gone.is(row) { meta.deletion_place(row) } else { meta.table_place(row) };
            version::write(&mut text, at, place, "");
            versions.append_value(&text);
        }
        let batch = self.route.batch(columns, Arc::new(versions.finish()), None)?;
        Ok(Some(Routed { route: self.number, batch }))
    }

    /// Says whether a row is the one that a leftover shows. Columns that came to the contracts since are not looked at.
    pub(crate) fn shows(&self, batch: &RecordBatch, row: usize, payload: &[u8]) -> anyhow::Result<bool> {
        // The reader's own words would quote what it has read.
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(payload).map_err(|_| anyhow::anyhow!("the payload of a leftover is no object"))?;
        for (name, value) in &object {
            let Some(column) = batch.column_by_name(name) else { continue };
            let own = if column.is_null(row) { serde_json::Value::Null } else { text(column, row)?.into() };
            if own != *value {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The same, but no row is held for the time at which it came.
    pub(crate) fn whenever_it_came(self) -> Self {
        Self { late_window: None, ..self }
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
        for name in &self.columns {
            let column = batch.column_by_name(name).with_context(|| format!("column `{name}` is missing"))?;
            object.insert(name.clone(), if column.is_null(row) { serde_json::Value::Null } else { text(column, row)?.into() });
        }
        Ok(Leftover {
            reason: why.0,
            row,
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

/// Reads a field that has a column of its own.
fn read_column(judge: &mut Judge<'_>, at: usize, source: &ArrayRef) -> anyhow::Result<ArrayRef> {
    let field = &judge.fields[at];
    let mut found = Vec::new();
    let typed = cast::column(field, source, |row, rule| found.push((row, rule)))?;
    for (row, rule) in found {
        if judge.asks(row, at) {
            broken(judge.breaks.entry(row).or_default(), rule);
        }
    }
    Ok(typed)
}

/// Finds where fields stand; all that stand inside one column are read together.
fn places(fields: &[Field], teller: Option<usize>, rules: &mut Rules) -> Result<(Vec<Place>, Vec<Inside>), String> {
    let mut insides: Vec<Inside> = Vec::new();
    let mut places = Vec::with_capacity(fields.len());
    for (at, field) in fields.iter().enumerate() {
        let (column, pointer) = field.place();
        let Some(pointer) = pointer else {
            places.push(Place::Column(column.to_owned()));
            continue;
        };
        let number = insides.iter().position(|inside| inside.column == column).unwrap_or_else(|| {
            insides.push(Inside::new(column, rules.add(PAYLOAD_UNDECODABLE)));
            insides.len() - 1
        });
        insides[number].add(at, pointer, teller == Some(at)).map_err(|e| e.0)?;
        places.push(Place::Inside(number));
    }
    Ok((places, insides))
}

/// Columns of the source that hold content: all but Sluice's own, and those of these that a field reads.
fn content(source: &Contract, fields: &[Field]) -> Vec<String> {
    let read = |name: &str| fields.iter().any(|field| field.place().0 == name);
    let names = source.columns.iter().map(|column| column.name.as_str());
    names.filter(|name| !name.starts_with('_') || read(name)).map(str::to_owned).collect()
}

/// A value as text; bytes that are text stand for themselves.
fn text(column: &ArrayRef, row: usize) -> anyhow::Result<String> {
    if let Some(payload) = column.as_binary_opt::<i32>().and_then(|bytes| std::str::from_utf8(bytes.value(row)).ok()) {
        return Ok(payload.to_owned());
    }
    Ok(ArrayFormatter::try_new(column, &FormatOptions::default())?.value(row).try_to_string()?)
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
