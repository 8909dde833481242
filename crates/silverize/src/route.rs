//! Routes: which decoded rows go into which columns.
//!
//! A route's rows become batches in the table's own types: mapped columns, masked twins, the version, and for events the
//! fingerprint of the event. `$late` and `$ingest_date` say how a row was received, so they are no content: rows are compared
//! without them.

use crate::{
    decode::{
        field::{Cell, FieldPlan, Kinds, NullTokens, Value},
        rule::Rules,
        time,
    },
    fault,
};
use arrow::{
    array::{Array, ArrayRef, AsArray as _, RecordBatch, StringArray},
    datatypes::{DataType, Date32Type, Field, Schema, SchemaRef},
};
use lake_core::{
    Contract,
    contract::{
        Column, ColumnType,
        layer::{Route, SilverKind},
    },
    mask,
};
use std::sync::Arc;

/// Name of the column of a routed batch that holds the rows' versions.
pub(crate) const VERSION: &str = "$version";
/// Name of the column of a routed batch that holds the events' fingerprints.
pub(crate) const EVENT_HASH: &str = "$event_hash";

/// What a column is filled with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Source {
    /// A field of the record or row, by place.
    Field(usize),
    /// A field of the line, by place.
    Line(usize),
    /// A constant.
    Constant(Cell<'static>),
    /// Whether the row came late.
    Late,
    /// The ingest date.
    IngestDate,
}

/// One mapped column.
#[derive(Debug, Clone)]
pub(crate) struct RouteColumn {
    /// Name in the table.
    pub(crate) name: String,
    /// Type in the table.
    pub(crate) kind: ColumnType,
    /// What it is filled with.
    pub(crate) source: Source,
}

/// A masked twin of a mapped column.
#[derive(Debug, Clone)]
struct Twin {
    name: String,
    of: usize,
    method: mask::Method,
}

/// A route, ready to take rows.
#[derive(Debug, Clone)]
pub(crate) struct RoutePlan {
    /// Number of the input.
    pub(crate) input: usize,
    /// One row per line.
    pub(crate) explode: bool,
    /// Number of the column group that the rows write.
    pub(crate) group: usize,
    /// Mapped columns.
    pub(crate) columns: Vec<RouteColumn>,
    /// Whether the rows carry the fingerprint of their event.
    pub(crate) hashed: bool,
    twins: Vec<Twin>,
    schema: SchemaRef,
}

/// The fields that a route may name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    /// Of the record or row.
    pub(crate) record: &'a [FieldPlan],
    /// Of a line.
    pub(crate) lines: &'a [FieldPlan],
}

/// Rows of one route.
#[derive(Debug, Clone)]
pub(crate) struct Routed {
    /// Number of the route among those of all inputs.
    pub(crate) route: usize,
    /// The rows.
    pub(crate) batch: RecordBatch,
}

impl RoutePlan {
    /// Prepares a route of a contract's input.
    pub(crate) fn new(contract: &Contract, input: usize, route: &Route, fields: Fields<'_>) -> anyhow::Result<Self> {
        let mut columns = Vec::new();
        for (name, text) in &route.columns {
            let column = contract
                .column(name)
                .ok_or_else(|| fault::contract(contract, format_args!("route names unknown column `{name}`")))?;
            let source = source(text, column, route, fields).map_err(|problem| fault::contract(contract, problem))?;
            columns.push(RouteColumn { name: name.clone(), kind: column.kind, source });
        }
        complete_key(contract, &columns)?;
        let twins = twins(contract, &columns)?;
        let hashed = contract.silver().is_some_and(|silver| silver.kind == SilverKind::Events);
        let schema = schema(&columns, &twins, hashed);
        Ok(Self { input, explode: route.explode, group: group(contract, route)?, columns, hashed, twins, schema })
    }

    /// Puts the mapped columns, in their order, together with what is derived from them.
    pub(crate) fn batch(
        &self,
        mut columns: Vec<ArrayRef>,
        versions: ArrayRef,
        hashes: Option<ArrayRef>,
    ) -> anyhow::Result<RecordBatch> {
        for twin in &self.twins {
            columns.push(masked(&columns[twin.of], twin.method)?);
        }
        columns.push(versions);
        columns.extend(hashes);
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}

fn source(text: &str, column: &Column, route: &Route, fields: Fields<'_>) -> Result<Source, String> {
    let typed = |kind: ColumnType, what: Source| {
        let fits = kind == column.kind;
        if fits { Ok(what) } else { Err(format!("column `{}` is {} but `{text}` is {kind}", column.name, column.kind)) }
    };
    match text {
        "$late" => typed(ColumnType::Boolean, Source::Late),
        "$ingest_date" => typed(ColumnType::Date, Source::IngestDate),
        _ => match text.strip_prefix('=') {
            Some(value) => constant(value, column).map(Source::Constant),
            None => {
                let place = |list: &[FieldPlan]| list.iter().position(|field| field.name == text);
                match (route.explode.then(|| place(fields.lines)).flatten(), place(fields.record)) {
                    (Some(at), _) => typed(fields.lines[at].kind, Source::Line(at)),
                    (None, Some(at)) => typed(fields.record[at].kind, Source::Field(at)),
                    (None, None) => Err(format!("column `{}` is mapped from unknown field `{text}`", column.name)),
                }
            }
        },
    }
}

/// Reads a constant as the column's type, by the rules of fields.
fn constant(text: &str, column: &Column) -> Result<Cell<'static>, String> {
    let field = lake_core::contract::Field::plain(&column.name, "", column.kind);
    let plan = FieldPlan::new(&field, &Kinds::default(), &NullTokens::new(&[]), &mut Rules::default());
    let value: Value<'static> = Value::Text(text.to_owned().into());
    plan.read(value).map_err(|_| format!("`={text}` is no {} for column `{}`", column.kind, column.name))
}

/// Rows of these kinds are found again by their key, so a route must fill it.
fn complete_key(contract: &Contract, columns: &[RouteColumn]) -> anyhow::Result<()> {
    let keyed = contract.silver().is_some_and(|silver| matches!(silver.kind, SilverKind::Current | SilverKind::History));
    match contract.key().into_iter().find(|key| keyed && !columns.iter().any(|mapped| mapped.name == *key)) {
        Some(key) => Err(fault::contract(contract, format_args!("route maps nothing to key column `{key}`"))),
        None => Ok(()),
    }
}

fn twins(contract: &Contract, columns: &[RouteColumn]) -> anyhow::Result<Vec<Twin>> {
    let mut twins = Vec::new();
    for column in &contract.columns {
        let Some(mask) = &column.mask else { continue };
        let Some(of) = columns.iter().position(|mapped| mapped.name == mask.of) else { continue };
        let maskable = matches!(columns[of].kind, ColumnType::String | ColumnType::Date) && column.kind == ColumnType::String;
        if !maskable || mask::partial(mask.method, "").is_none() {
            let problem = format!("twin `{}` cannot be made: text or date, and a method without key, is needed", column.name);
            return Err(fault::contract(contract, problem));
        }
        twins.push(Twin { name: column.name.clone(), of, method: mask.method });
    }
    Ok(twins)
}

fn schema(columns: &[RouteColumn], twins: &[Twin], hashed: bool) -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let mut fields: Vec<Field> = columns.iter().map(|c| Field::new(&c.name, lake_table::arrow_type(c.kind), true)).collect();
    fields.extend(twins.iter().map(|twin| text(&twin.name)));
    fields.push(text(VERSION));
    fields.extend(hashed.then(|| text(EVENT_HASH)));
    Arc::new(Schema::new(fields))
}

/// Where a table has groups every route writes one of them, and no column outside of it.
fn group(contract: &Contract, route: &Route) -> anyhow::Result<usize> {
    let Some(silver) = contract.silver() else { return Err(fault::contract(contract, "it is no Silver contract")) };
    let Some(name) = &route.group else {
        let problem = "a table with column groups needs a `group` in every route";
        return if silver.groups.is_empty() { Ok(0) } else { Err(fault::contract(contract, problem)) };
    };
    let group = silver.groups.iter().position(|group| group.name == *name);
    let group = group.ok_or_else(|| fault::contract(contract, format_args!("route names unknown group `{name}`")))?;
    let key = contract.key();
    let ranked = silver.rank.as_ref().map(|rank| rank.column.as_str());
    let inside = |column: &str| {
        silver.groups[group].columns.iter().any(|c| c == column) || key.contains(&column) || ranked == Some(column)
    };
    match route.columns.keys().find(|column| !inside(column)) {
        Some(column) => {
            Err(fault::contract(contract, format_args!("route of group `{name}` maps column `{column}`, which is not in it")))
        }
        None => Ok(group),
    }
}

/// Masks a column; null stays null.
fn masked(column: &ArrayRef, method: mask::Method) -> anyhow::Result<ArrayRef> {
    let mask = |text: &str| mask::partial(method, text);
    let masked: StringArray = match column.data_type() {
        DataType::Date32 => column.as_primitive::<Date32Type>().iter().map(|days| mask(&time::date_text(days?))).collect(),
        _ => column
            .as_string_opt::<i32>()
            .ok_or_else(|| anyhow::anyhow!("mask a column that is no text"))?
            .iter()
            .map(|text| mask(text?))
            .collect(),
    };
    Ok(Arc::new(masked))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn plan(route: &str) -> anyhow::Result<RoutePlan> {
        let contract = testing::orders();
        let route: Route = serde_json::from_str(route).unwrap();
        let fields = testing::fields(&[("order_id", "STRING"), ("card", "STRING"), ("at", "TIMESTAMP")]);
        RoutePlan::new(&contract, 0, &route, Fields { record: &fields, lines: &[] })
    }

    #[test]
    fn twins_follow_their_column_and_null_stays_null() {
        let plan =
            plan(r#"{"group": "payment", "columns": {"order_id": "order_id", "card_last4": "card", "paid_at": "at"}}"#).unwrap();
        let text = |values: [Option<&str>; 2]| Arc::new(StringArray::from_iter(values)) as ArrayRef;
        let at = arrow::array::new_null_array(&lake_table::arrow_type(ColumnType::Timestamp), 2);
        let columns = plan.columns.iter().map(|c| match c.name.as_str() {
            "card_last4" => text([Some("0042"), None]),
            "paid_at" => at.clone(),
            _ => text([Some("1"), Some("2")]),
        });
        let batch = plan.batch(columns.collect(), text([Some("v"), Some("w")]), None).unwrap();
        let twin = batch.column_by_name("card_last4_masked").unwrap();
        assert_eq!(twin.as_string::<i32>().iter().collect::<Vec<_>>(), [Some("[redacted]"), None]);
    }

    #[test]
    fn routes_that_cannot_work_are_refused() {
        for (route, problem) in [
            (r#"{"group": "payment", "columns": {"order_id": "order_id", "card_last4": "gone"}}"#, "unknown field `gone`"),
            (
                r#"{"group": "payment", "columns": {"order_id": "order_id", "paid_at": "card"}}"#,
                "is TIMESTAMP but `card` is STRING",
            ),
            (r#"{"group": "header", "columns": {"order_id": "order_id", "paid_at": "at"}}"#, "which is not in it"),
            (r#"{"columns": {"order_id": "order_id"}}"#, "needs a `group`"),
            (r#"{"group": "gone", "columns": {"order_id": "order_id"}}"#, "unknown group `gone`"),
            (r#"{"group": "header", "columns": {"order_id": "order_id", "is_late": "=maybe"}}"#, "is no BOOLEAN"),
        ] {
            let error = plan(route).unwrap_err();
            assert!(format!("{error:#}").contains(problem), "{error:#}");
            assert_eq!(error.downcast_ref(), Some(&lake_core::Fault::Config));
        }
    }
}
