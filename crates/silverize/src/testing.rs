//! Contracts and Bronze rows for tests, small and in code.

use crate::{
    decode::{
        field::{FieldPlan, Kinds, NullTokens},
        rule::Rules,
    },
    testing_keyed,
};
use arrow::array::{
    ArrayRef, BinaryArray, Date32Array, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, new_null_array,
};
use lake_core::{
    Contract,
    contract::{ContractSet, Field},
};
use std::{fmt::Write as _, path::Path, sync::Arc};

/// Start of the window of [`bronze`]: 2017-12-30T00:00:00Z.
pub(crate) const WINDOW_FROM: i64 = 1_514_592_000_000_000;
/// Its date.
pub(crate) const INGEST_DATE: i32 = 17_530;

/// A contract's text: columns as `name TYPE [key] [pii] [mask=method:of]`, one a line, and our part as YAML.
pub(crate) fn contract_text(table: &str, columns: &str, part: &str) -> String {
    let layer = table.split('_').next().unwrap();
    let mut text = format!(
        "apiVersion: v3.1.0\nkind: DataContract\nid: {table}\nname: t\nversion: 1.0.0\nstatus: active\ndescription: {{purpose: p}}\n\
         schema:\n  - name: t\n    physicalName: {table}\n    dataGranularityDescription: d\n    properties:\n"
    );
    let mut keys = 0;
    for line in columns.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let more = |word: &&str| words.iter().any(|found| found == word);
        write!(
            text,
            "      - {{name: {}, logicalType: {}, physicalType: '{}', description: d",
            words[0],
            logical(words[1]),
            words[1]
        )
        .unwrap();
        if more(&"key") {
            keys += 1;
            write!(text, ", primaryKey: true, primaryKeyPosition: {keys}").unwrap();
        }
        if more(&"pii") {
            text.push_str(", classification: pii");
        }
        if let Some((method, of)) = words.iter().find_map(|word| word.strip_prefix("mask=")?.split_once(':')) {
            write!(text, ", customProperties: [{{property: mask, value: {{of: {of}, method: {method}}}}}]").unwrap();
        }
        text.push_str("}\n");
    }
    write!(text, "customProperties:\n  - property: {layer}\n    value:\n").unwrap();
    part.lines().for_each(|line| writeln!(text, "      {line}").unwrap());
    text
}

fn logical(kind: &str) -> &'static str {
    match kind.split('(').next().unwrap() {
        "STRING" | "BINARY" => "string",
        "INT" | "BIGINT" => "integer",
        "DOUBLE" | "DECIMAL" => "number",
        "BOOLEAN" => "boolean",
        "DATE" => "date",
        _ => "timestamp",
    }
}

pub(crate) const META: &str = "_source STRING\n_object STRING\n_ingest_date DATE\n_window_from TIMESTAMP\n_ingested_at TIMESTAMP\n_run_id STRING\n_key STRING\n\
    _position STRING\n_contract STRING\n_violations STRING\n";

/// Order events, as small as the rules allow.
fn bronze_events_text() -> String {
    let columns =
        "_payload BINARY\n_topic STRING key\n_partition INT key\n_offset BIGINT key\n_timestamp TIMESTAMP\n_headers STRING\n"
            .to_owned()
            + META;
    contract_text(
        "bronze_events",
        &columns,
        "source: {kafka: {topic: events}}
record:
  discriminator: kind
  identity: id
  eventTime: at
  nullTokens: ['', 'null', n/a, none, nan]
  fields:
    - {name: id, from: /id, type: STRING, required: true}
    - {name: kind, from: /kind, type: STRING, required: true, standards: [upper], allowed: [PLACED, PAID, SHIPPED, RETURNED, CANCELLED]}
    - {name: order_id, from: /order_id, type: STRING, required: true}
    - {name: at, from: /at, type: TIMESTAMP, required: true}
    - {name: customer_id, from: /customer_id, type: STRING, requiredWhen: [PLACED], onInvalid: 'null'}
    - {name: currency, from: /currency, type: STRING, when: [PLACED], required: true, standards: [upper], allowed: [USD, EUR]}
    - {name: method, from: /payment/method, type: STRING, when: [PAID], onInvalid: 'null'}
    - {name: card, from: /payment/card, type: STRING, when: [PAID], onInvalid: 'null'}
  lines:
    pointer: /lines
    key: line
    requiredWhen: [PLACED, RETURNED]
    fields:
      - {name: line, from: /line, type: INT, required: true}
      - {name: quantity, from: /quantity, type: BIGINT, required: true}
      - {name: gross, from: /gross, type: 'DECIMAL(18,2)', required: true}
      - {name: discount, from: /discount, type: 'DECIMAL(18,2)', required: true}
      - {name: net, from: /net, type: 'DECIMAL(18,2)', required: true}
    checks:
      - {id: line_below_1, minimum: {field: line, value: 1}}
      - {id: quantity_negative, minimum: {field: quantity, value: 0}}
      - {id: net_disagrees, difference: {result: net, left: gross, right: discount}}
      - {id: returned_nothing, when: [RETURNED], anyPositive: [quantity, gross]}",
    )
}

/// Orders of the warehouse.
fn bronze_orders_text() -> String {
    let columns = "ORDER_ID DECIMAL(38,0) key\nCUSTOMER_ID DECIMAL(38,0)\nCURRENCY STRING\nSTATUS STRING\nORDERED_AT TIMESTAMP\nUPDATED_AT TIMESTAMP\n".to_owned() + META;
    contract_text(
        "bronze_orders",
        &columns,
        "source: {snowflake: {database: D, schema: S, table: T, key: [ORDER_ID], cursor: UPDATED_AT, lookback: 2h}}",
    )
}

/// One row per order: groups, a rank, two inputs.
fn orders_text() -> String {
    contract_text(
        "silver_orders",
        "order_id STRING key\ncustomer_id STRING\ncurrency STRING\nstatus STRING\nsource STRING\nplaced_at TIMESTAMP\nis_late BOOLEAN\nmethod STRING
        card_last4 STRING pii\ncard_last4_masked STRING mask=redact:card_last4\npaid_at TIMESTAMP\nshipped_at TIMESTAMP
        _header_version STRING\n_payment_version STRING\n_shipped_version STRING\n_run_id STRING\n_ingested_at TIMESTAMP",
        "kind: current
groups:
  - {name: header, columns: [customer_id, currency, source, placed_at, is_late]}
  - {name: payment, columns: [method, card_last4, paid_at]}
  - {name: shipped, columns: [shipped_at]}
rank: {column: status, order: [PLACED, PAID, SHIPPED, RETURNED, CANCELLED]}
inputs:
  - table: bronze_events
    lateWindow: 7d
    routes:
      - when: [PLACED]
        group: header
        columns: {order_id: order_id, status: kind, customer_id: customer_id, currency: currency, source: =kafka, placed_at: at, is_late: $late}
      - {when: [PAID], group: payment, columns: {order_id: order_id, status: kind, method: method, card_last4: card, paid_at: at}}
      - {when: [SHIPPED], group: shipped, columns: {order_id: order_id, status: kind, shipped_at: at}}
  - table: bronze_orders
    sequence: updated_at
    eventTime: ordered_at
    nullTokens: ['', n/a]
    fields:
      - {name: order_id, from: ORDER_ID, type: STRING, required: true}
      - {name: customer_id, from: CUSTOMER_ID, type: STRING}
      - {name: currency, from: CURRENCY, type: STRING, required: true, standards: [upper], allowed: [USD, EUR]}
      - {name: status, from: STATUS, type: STRING, required: true, standards: [upper], allowed: [PLACED, PAID, SHIPPED]}
      - {name: ordered_at, from: ORDERED_AT, type: TIMESTAMP}
      - {name: updated_at, from: UPDATED_AT, type: TIMESTAMP, required: true}
    routes:
      - {group: header, columns: {order_id: order_id, status: status, customer_id: customer_id, currency: currency, source: =snowflake, is_late: $late}}",
    )
}

/// One row per line.
fn items_text() -> String {
    contract_text(
        "silver_items",
        "order_id STRING key\nline INT key\nquantity BIGINT\nnet DECIMAL(18,2)\nat TIMESTAMP\nis_late BOOLEAN\n_version STRING\n_run_id STRING\n_ingested_at TIMESTAMP",
        "kind: current
inputs:
  - table: bronze_events
    lateWindow: 7d
    routes:
      - {when: [PLACED], explode: true, columns: {order_id: order_id, line: line, quantity: quantity, net: net, at: at, is_late: $late}}",
    )
}

/// One row per returned line and per cancellation.
fn movements_text() -> String {
    contract_text(
        "silver_movements",
        "order_id STRING key\nmovement STRING key\nid STRING key\nline INT key\nquantity BIGINT\nat TIMESTAMP\nis_late BOOLEAN
        _version STRING\n_event_hash STRING\n_run_id STRING\n_ingested_at TIMESTAMP",
        "kind: events
inputs:
  - table: bronze_events
    lateWindow: 7d
    routes:
      - {when: [RETURNED], explode: true, columns: {order_id: order_id, movement: =return, id: id, line: line, quantity: quantity, at: at, is_late: $late}}
      - {when: [CANCELLED], columns: {order_id: order_id, movement: =cancellation, id: id, at: at, is_late: $late}}",
    )
}

/// Customers of the warehouse.
fn bronze_customers_text() -> String {
    let columns = "ID DECIMAL(38,0) key\nNAME STRING\nUPDATED_AT TIMESTAMP\n".to_owned() + META;
    contract_text(
        "bronze_customers",
        &columns,
        "source: {snowflake: {database: D, schema: S, table: C, key: [ID], cursor: UPDATED_AT, lookback: 2h}}",
    )
}

/// One row per customer and change.
fn history_text() -> String {
    contract_text(
        "silver_customers_history",
        "id STRING key\nchanged_at TIMESTAMP key\nname STRING\nvalid_from TIMESTAMP\nvalid_to TIMESTAMP\n_version STRING\n_run_id STRING\n_ingested_at TIMESTAMP",
        "kind: history
inputs:
  - table: bronze_customers
    sequence: updated_at
    nullTokens: ['']
    fields:
      - {name: id, from: ID, type: STRING, required: true}
      - {name: name, from: NAME, type: STRING}
      - {name: updated_at, from: UPDATED_AT, type: TIMESTAMP, required: true}
    routes:
      - {columns: {id: id, name: name, changed_at: updated_at, valid_from: updated_at}}",
    )
}

/// Observations of exchange rates.
fn bronze_fx_text() -> String {
    let columns = "observation_date STRING key\ncurrency STRING key\nrate STRING\n".to_owned() + META;
    contract_text("bronze_fx", &columns, "source: {ecb: {lookback: 90d}}")
}

const FX_INPUT: &str = "
inputs:
  - table: bronze_fx
    nullTokens: ['', n/a]
    fields:
      - {name: observation_date, from: observation_date, type: DATE, required: true}
      - {name: currency, from: currency, type: STRING, required: true, standards: [upper]}
      - {name: units_per_eur, from: rate, type: 'DECIMAL(18,10)'}
    checks: [{id: rate_not_positive, anyPositive: [units_per_eur]}]
    routes:
";

/// One rate per currency and day.
fn fx_rates_text() -> String {
    contract_text(
        "silver_fx_rates",
        "currency STRING key\ndate DATE key\nusd_rate DECIMAL(18,10)\nobservation_date DATE\nunits_per_eur DECIMAL(18,10)\n_run_id STRING\n_ingested_at TIMESTAMP",
        &format!(
            "kind: fxRates\nfx: {{base: EUR, quote: USD, ageMax: 7d}}{FX_INPUT}      - columns: {{currency: currency, observation_date: observation_date, units_per_eur: units_per_eur}}"
        ),
    )
}

/// One row per revision.
fn fx_revisions_text() -> String {
    contract_text(
        "silver_fx_revisions",
        "currency STRING key\nobservation_date DATE key\nfirst_units_per_eur DECIMAL(18,10) key\nrevised_units_per_eur DECIMAL(18,10) key\nrevised_on DATE\n_run_id STRING\n_ingested_at TIMESTAMP",
        &format!(
            "kind: fxRevisions{FX_INPUT}      - columns: {{currency: currency, observation_date: observation_date, revised_units_per_eur: units_per_eur, revised_on: $ingest_date}}"
        ),
    )
}

/// The texts of all contracts, Bronze first.
pub(crate) fn texts_of_contracts() -> Vec<String> {
    let bronze = [bronze_events_text(), bronze_orders_text(), bronze_customers_text(), bronze_fx_text()];
    let silver = [orders_text(), items_text(), movements_text(), history_text(), fx_rates_text(), fx_revisions_text()];
    bronze.into_iter().chain(silver).chain(testing_keyed::texts()).collect()
}

pub(crate) fn parsed(text: &str) -> Contract {
    Contract::parse(Path::new("contract.odcs.yaml"), text, None).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

pub(crate) fn bronze_events() -> Contract {
    parsed(&bronze_events_text())
}

pub(crate) fn orders() -> Contract {
    parsed(&orders_text())
}

pub(crate) fn items() -> Contract {
    parsed(&items_text())
}

pub(crate) fn movements() -> Contract {
    parsed(&movements_text())
}

pub(crate) fn history() -> Contract {
    parsed(&history_text())
}

/// All of them.
pub(crate) fn contracts() -> ContractSet {
    ContractSet::new(texts_of_contracts().iter().map(|text| parsed(text)).collect()).unwrap()
}

/// Fields by name and type; a name that ends with `!` is required.
pub(crate) fn fields(list: &[(&str, &str)]) -> Vec<FieldPlan> {
    let plan = |(name, kind): &(&str, &str)| {
        let plain = Field::plain(name.trim_end_matches('!'), "/x", kind.parse().unwrap());
        let field = Field { required: name.ends_with('!'), ..plain };
        FieldPlan::new(&field, &Kinds::default(), &NullTokens::new(&[]), &mut Rules::default())
    };
    list.iter().map(plan).collect()
}

/// Bronze rows of Kafka: partition 0, offsets from 0.
pub(crate) fn bronze(payloads: &[Option<&[u8]>]) -> RecordBatch {
    bronze_from(0, payloads)
}

/// Bronze rows of Kafka: partition 0, offsets from a first one.
pub(crate) fn bronze_from(first: i64, payloads: &[Option<&[u8]>]) -> RecordBatch {
    let offsets = first..first + i64::try_from(payloads.len()).unwrap();
    let positions: Vec<String> = offsets.clone().map(|offset| format!("events/0/{offset}")).collect();
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("_payload", Arc::new(BinaryArray::from_iter(payloads.iter().copied()))),
        ("_partition", Arc::new(Int32Array::from_value(0, payloads.len()))),
        ("_offset", Arc::new(Int64Array::from_iter_values(offsets))),
    ];
    columns.extend(meta(positions));
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Bronze rows of orders: id, currency, status, when they changed and were ordered.
pub(crate) fn bronze_orders(rows: &[(i128, &str, &str, i64)]) -> RecordBatch {
    let ids = || Decimal128Array::from_iter_values(rows.iter().map(|row| row.0)).with_precision_and_scale(38, 0).unwrap();
    let at = || TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.3)).with_timezone("UTC");
    let text = |texts: Vec<&str>| {
        Arc::new(StringArray::from_iter(texts.into_iter().map(|text| Some(text).filter(|text| !text.is_empty()))))
    };
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("ORDER_ID", Arc::new(ids())),
        ("CUSTOMER_ID", Arc::new(ids())),
        ("CURRENCY", text(rows.iter().map(|row| row.1).collect())),
        ("STATUS", text(rows.iter().map(|row| row.2).collect())),
        ("ORDERED_AT", Arc::new(at())),
        ("UPDATED_AT", Arc::new(at())),
    ];
    columns.extend(meta(rows.iter().map(|row| format!("{}@{}", row.0, row.3)).collect()));
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Bronze rows of customers: id, name, when they changed.
pub(crate) fn bronze_customers(rows: &[(i128, &str, i64)]) -> RecordBatch {
    let ids = Decimal128Array::from_iter_values(rows.iter().map(|row| row.0)).with_precision_and_scale(38, 0).unwrap();
    let at = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.2)).with_timezone("UTC");
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("ID", Arc::new(ids)),
        ("NAME", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1)))),
        ("UPDATED_AT", Arc::new(at)),
    ];
    columns.extend(meta(rows.iter().map(|row| format!("{}@{}", row.0, row.2)).collect()));
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Bronze rows of rates: date, currency, rate.
pub(crate) fn bronze_fx(rows: &[(&str, &str, &str)]) -> RecordBatch {
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("observation_date", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0)))),
        ("currency", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1)))),
        ("rate", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.2)))),
    ];
    columns.extend(meta(rows.iter().map(|row| format!("{}/{}", row.0, row.1)).collect()));
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Meta columns of rows at some positions.
pub(crate) fn meta(positions: Vec<String>) -> Vec<(&'static str, ArrayRef)> {
    let rows = positions.len();
    vec![
        ("_position", Arc::new(StringArray::from(positions)) as ArrayRef),
        ("_ingest_date", Arc::new(Date32Array::from_value(INGEST_DATE, rows))),
        ("_window_from", Arc::new(TimestampMicrosecondArray::from_value(WINDOW_FROM, rows).with_timezone("UTC"))),
        ("_violations", new_null_array(&arrow::datatypes::DataType::Utf8, rows)),
    ]
}

/// A runtime for what a test does around the program, which has its own.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().unwrap()
}

/// A column's values as text, null as `-`.
pub(crate) fn texts(batch: &RecordBatch, column: &str) -> Vec<String> {
    let array = batch.column_by_name(column).unwrap_or_else(|| panic!("no column {column}"));
    let options = arrow::util::display::FormatOptions::default().with_null("-");
    let formatter = arrow::util::display::ArrayFormatter::try_new(array, &options).unwrap();
    (0..batch.num_rows()).map(|row| formatter.value(row).to_string()).collect()
}
