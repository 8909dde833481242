//! Contracts and Bronze rows for tests, small and in code.

use crate::decode::{
    field::{FieldPlan, Kinds, NullTokens},
    rule::Rules,
};
use arrow::array::{
    ArrayRef, BinaryArray, Date32Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
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

/// The contract of [`contract_text`].
pub(crate) fn contract(table: &str, columns: &str, part: &str) -> Contract {
    let text = contract_text(table, columns, part);
    Contract::parse(Path::new("contract.odcs.yaml"), &text, None).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

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
        write!(text, "      - {{name: {}, logicalType: {}, physicalType: '{}', description: d", words[0], logical(words[1]), words[1]).unwrap();
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

const META: &str = "_source STRING\n_object STRING\n_ingest_date DATE\n_window_from TIMESTAMP\n_ingested_at TIMESTAMP\n_run_id STRING\n_key STRING\n\
    _position STRING\n_contract STRING\n_violations STRING\n";

/// Order events, as small as the rules allow.
pub(crate) fn bronze_events() -> Contract {
    let columns = "_payload BINARY\n_topic STRING\n_partition INT\n_offset BIGINT\n_timestamp TIMESTAMP\n_headers STRING\n".to_owned() + META;
    contract(
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
pub(crate) fn bronze_orders() -> Contract {
    let columns = "ORDER_ID DECIMAL(38,0)\nCUSTOMER_ID DECIMAL(38,0)\nCURRENCY STRING\nSTATUS STRING\nORDERED_AT TIMESTAMP\nUPDATED_AT TIMESTAMP\n".to_owned() + META;
    contract("bronze_orders", &columns, "source: {snowflake: {database: D, schema: S, table: T, key: [ORDER_ID], cursor: UPDATED_AT, lookback: 2h}}")
}

/// One row per order: groups, a rank, two inputs.
pub(crate) fn orders() -> Contract {
    contract(
        "silver_orders",
        "order_id STRING key\ncustomer_id STRING\ncurrency STRING\nstatus STRING\nsource STRING\nplaced_at TIMESTAMP\nis_late BOOLEAN\nmethod STRING
        card_last4 STRING pii\ncard_last4_masked STRING mask=redact:card_last4\npaid_at TIMESTAMP\nshipped_at TIMESTAMP
        _header_version STRING\n_payment_version STRING\n_shipped_version STRING\n_run_id STRING\n_ingested_at TIMESTAMP",
        "kind: current
groups:
  - {name: header, columns: [customer_id, currency, source, placed_at, is_late]}
  - {name: payment, columns: [method, card_last4, paid_at]}
  - {name: shipped, columns: [shipped_at]}
rank: {column: status, order: [PLACED, PAID, SHIPPED]}
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
      - {name: status, from: STATUS, type: STRING, required: true, standards: [upper]}
      - {name: ordered_at, from: ORDERED_AT, type: TIMESTAMP}
      - {name: updated_at, from: UPDATED_AT, type: TIMESTAMP, required: true}
    routes:
      - {group: header, columns: {order_id: order_id, status: status, customer_id: customer_id, currency: currency, source: =snowflake, is_late: $late}}",
    )
}

/// One row per line.
pub(crate) fn items() -> Contract {
    contract(
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
pub(crate) fn movements() -> Contract {
    contract(
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

/// All of them.
pub(crate) fn contracts() -> ContractSet {
    ContractSet::new(vec![bronze_events(), bronze_orders(), orders(), items(), movements()]).unwrap()
}

/// Fields by name and type; a name that ends with `!` is required.
pub(crate) fn fields(list: &[(&str, &str)]) -> Vec<FieldPlan> {
    let plan = |(name, kind): &(&str, &str)| {
        let field = Field {
            name: name.trim_end_matches('!').to_owned(),
            from: "/x".into(),
            kind: kind.parse().unwrap(),
            when: Vec::new(),
            required: name.ends_with('!'),
            required_when: Vec::new(),
            standards: Vec::new(),
            allowed: Vec::new(),
            on_invalid: lake_core::contract::field::OnInvalid::Reject,
        };
        FieldPlan::new(&field, &Kinds::default(), &NullTokens::new(&[]), &mut Rules::default())
    };
    list.iter().map(plan).collect()
}

/// Bronze rows of Kafka: partition 0, offsets from 0.
pub(crate) fn bronze(payloads: &[Option<&[u8]>]) -> RecordBatch {
    let offsets = 0..i64::try_from(payloads.len()).unwrap();
    let positions: Vec<String> = offsets.clone().map(|offset| format!("events/0/{offset}")).collect();
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("_payload", Arc::new(BinaryArray::from_iter(payloads.iter().copied()))),
        ("_partition", Arc::new(Int32Array::from_value(0, payloads.len()))),
        ("_offset", Arc::new(Int64Array::from_iter_values(offsets))),
    ];
    columns.extend(meta(positions));
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

/// A column's values as text, null as `-`.
pub(crate) fn texts(batch: &RecordBatch, column: &str) -> Vec<String> {
    let array = batch.column_by_name(column).unwrap_or_else(|| panic!("no column {column}"));
    let options = arrow::util::display::FormatOptions::default().with_null("-");
    let formatter = arrow::util::display::ArrayFormatter::try_new(array, &options).unwrap();
    (0..batch.num_rows()).map(|row| formatter.value(row).to_string()).collect()
}
