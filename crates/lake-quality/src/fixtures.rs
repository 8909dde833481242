//! Small contracts and rows for tests.

use crate::{Checks, Finding, Report};
use arrow::{
    array::{
        ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
        TimestampMicrosecondArray,
    },
    datatypes::{Field, Schema},
};
use chrono::{DateTime, Utc};
use lake_core::{Contract, contract::odcs::Quality};
use std::{path::Path, sync::Arc};

/// A rule from the JSON that stands for its YAML.
pub(crate) fn quality(rule: serde_json::Value) -> Quality {
    serde_json::from_value(rule).unwrap()
}

/// A Gold contract (its meta columns are the fewest) for the table `gold_things` with columns `name TYPE [key] [required]`.
pub(crate) fn contract(columns: &[&str]) -> Contract {
    let keyed = columns.iter().any(|column| column.contains(" key"));
    let meta = [if keyed { "_run_id STRING" } else { "_run_id STRING key" }, "_ingested_at TIMESTAMP"];
    let mut position = 0;
    let properties: Vec<String> = columns.iter().chain(&meta).map(|column| property(column, &mut position)).collect();
    let text = format!(
        "apiVersion: v3.1.0\nkind: DataContract\nid: gold_things\nname: things\nversion: 1.0.0\nstatus: active\n\
         description: {{purpose: tests}}\n\
         schema:\n  - name: things\n    physicalName: gold_things\n    dataGranularityDescription: one row per thing\n\
         \x20   properties:\n{}\
         customProperties: [{{property: gold, value: {{inputs: []}}}}]\n",
        properties.concat()
    );
    Contract::parse(Path::new("things.odcs.yaml"), &text, None).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn property(column: &str, position: &mut u32) -> String {
    let words: Vec<&str> = column.split(' ').collect();
    let logical = match words[1].split('(').next().unwrap() {
        "INT" | "BIGINT" => "integer",
        "DOUBLE" | "DECIMAL" => "number",
        "BOOLEAN" => "boolean",
        "DATE" => "date",
        "TIMESTAMP" => "timestamp",
        _ => "string",
    };
    let mut more = String::new();
    if words.contains(&"key") {
        *position += 1;
        more.push_str(&format!(", primaryKey: true, primaryKeyPosition: {position}"));
    }
    if words.contains(&"required") {
        more.push_str(", required: true");
    }
    format!("      - {{name: {}, logicalType: {logical}, physicalType: '{}', description: x{more}}}\n", words[0], words[1])
}

/// A contract of one column `c` with one rule at it.
pub(crate) fn column_rule(kind: &str, rule: serde_json::Value) -> Contract {
    let mut contract = contract(&[&format!("c {kind}")]);
    contract.document.schema[0].properties[0].quality.push(quality(rule));
    contract
}

/// Midnight after 2017-12-30: the end of the windows in tests.
pub(crate) fn window_end() -> DateTime<Utc> {
    "2017-12-31T00:00:00Z".parse().unwrap()
}

pub(crate) fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields: Vec<Field> = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, array)| array).collect()).unwrap()
}

pub(crate) fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

pub(crate) fn ints(values: &[Option<i32>]) -> ArrayRef {
    Arc::new(Int32Array::from(values.to_vec()))
}

pub(crate) fn longs(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

pub(crate) fn doubles(values: &[Option<f64>]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

pub(crate) fn booleans(values: &[Option<bool>]) -> ArrayRef {
    Arc::new(BooleanArray::from(values.to_vec()))
}

/// Decimals with two digits after the point, in hundredths.
pub(crate) fn cents(values: &[Option<i128>]) -> ArrayRef {
    Arc::new(Decimal128Array::from(values.to_vec()).with_precision_and_scale(18, 2).unwrap())
}

pub(crate) fn dates(values: &[Option<&str>]) -> ArrayRef {
    let days = |text: &str| {
        let date: chrono::NaiveDate = text.parse().unwrap();
        i32::try_from(date.signed_duration_since(chrono::NaiveDate::default()).num_days()).unwrap()
    };
    Arc::new(Date32Array::from(values.iter().map(|v| v.map(days)).collect::<Vec<_>>()))
}

pub(crate) fn instants(values: &[Option<&str>]) -> ArrayRef {
    let micros = |text: &str| text.parse::<DateTime<Utc>>().unwrap().timestamp_micros();
    let values: Vec<Option<i64>> = values.iter().map(|v| v.map(micros)).collect();
    Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"))
}

/// Runs all rules over batches, each seen on its own.
pub(crate) fn report(contract: &Contract, batches: &[RecordBatch]) -> Report {
    let mut checks = Checks::of(contract, window_end());
    observe(&mut checks, batches);
    checks.finish()
}

pub(crate) fn observe(checks: &mut Checks, batches: &[RecordBatch]) {
    for batch in batches {
        checks.observe_batches(std::slice::from_ref(batch)).unwrap();
        checks.observe_ages_batches(std::slice::from_ref(batch)).unwrap();
    }
}

/// The finding of a rule.
pub(crate) fn finding(report: &Report, rule: &str) -> Finding {
    let found = report.findings.iter().find(|finding| finding.rule == rule);
    found.unwrap_or_else(|| panic!("no finding `{rule}` in {report:#?}")).clone()
}

/// What a rule of [`column_rule`] with id `r` measures over one column of values.
pub(crate) fn measured(kind: &str, rule: serde_json::Value, values: ArrayRef) -> Result<f64, String> {
    let finding = finding(&report(&column_rule(kind, rule), &[batch(vec![("c", values)])]), "r");
    finding.measured.ok_or(finding.message)
}
