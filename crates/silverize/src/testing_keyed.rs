//! Contracts and Bronze rows of things that can be deleted, have JSON in columns, or take values from other rows.

use crate::testing::{self, META, contract_text, parsed};
use arrow::array::{ArrayRef, BinaryArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use lake_core::Contract;
use std::sync::Arc;

/// One minute.
pub(crate) const MINUTE: i64 = 60_000_000;

/// States of people, as a CRM shows them.
fn bronze_people() -> String {
    let columns = "ID STRING key\nCHANGE STRING\nSEEN_AT TIMESTAMP\nPAYLOAD BINARY\nNOTE STRING\n".to_owned() + META;
    let source = "source: {snowflake: {database: D, schema: S, table: P, key: [ID], cursor: SEEN_AT, lookback: 2h}}";
    contract_text("bronze_people", &columns, source)
}

const PEOPLE_INPUT: &str = "inputs:
  - table: bronze_people
    sequence: seen_at
    eventTime: at
    lateWindow: 7d
    deletes: {field: change, values: [archived, absent]}
    nullTokens: ['', n/a]
    fields:
      - {name: id, from: ID, type: STRING, required: true}
      - {name: email, from: 'PAYLOAD#/properties/email', type: STRING, required: true, standards: [lower]}
      - {name: income, from: 'PAYLOAD#/properties/income', type: 'DECIMAL(18,2)'}
      - {name: age, from: 'PAYLOAD#/properties/age', type: INT, onInvalid: 'null'}
      - {name: at, from: 'PAYLOAD#/at', type: TIMESTAMP}
      - {name: note, from: 'NOTE#/text', type: STRING}
      - {name: change, from: CHANGE, type: STRING, required: true, allowed: [present, archived, absent]}
      - {name: seen_at, from: SEEN_AT, type: TIMESTAMP, required: true}
    checks:
      - {id: income_negative, minimum: {field: income, value: 0}}
    routes:
";

const PERSON: &str =
    "email STRING pii\nemail_masked STRING mask=redact:email\nincome DECIMAL(18,2)\nage INT\nnote STRING\nsource STRING
    is_late BOOLEAN\ndeleted_at TIMESTAMP\n_version STRING\n_run_id STRING\n_ingested_at TIMESTAMP\n";

const ROUTE: &str = "email: email, income: income, age: age, note: note, source: =crm, is_late: $late, deleted_at: seen_at";

fn people_text() -> String {
    let part = format!("kind: current\n{PEOPLE_INPUT}      - {{columns: {{id: id, seen_at: seen_at, {ROUTE}}}}}");
    contract_text("silver_people", &format!("id STRING key\nseen_at TIMESTAMP\n{PERSON}"), &part)
}

fn people_history_text() -> String {
    let columns = format!("id STRING key\nchanged_at TIMESTAMP key\nvalid_from TIMESTAMP\nvalid_to TIMESTAMP\n{PERSON}");
    let times = "changed_at: seen_at, valid_from: seen_at";
    let part = format!("kind: history\n{PEOPLE_INPUT}      - {{columns: {{id: id, {times}, {ROUTE}}}}}");
    contract_text("silver_people_history", &columns, &part)
}

/// Pairs of people and firms: what tells that one is gone, and when, stands inside the JSON.
fn links_text() -> String {
    contract_text(
        "silver_links",
        "person STRING key\nfirm STRING key\nis_primary BOOLEAN\nlinked_at TIMESTAMP\nseen_at TIMESTAMP\ndeleted_at TIMESTAMP
        _version STRING\n_run_id STRING\n_ingested_at TIMESTAMP",
        "kind: current
keeps: [is_primary, linked_at]
inputs:
  - table: bronze_people
    sequence: seen_at
    deletes: {field: state, values: [gone]}
    fields:
      - {name: primary, from: 'PAYLOAD#/types', type: BOOLEAN, required: true, contains: {category: DEFINED, typeId: '1'}}
      - {name: since, from: 'PAYLOAD#/since', type: TIMESTAMP, required: true}
      - {name: state, from: 'PAYLOAD#/state', type: STRING}
      - {name: gone_at, from: 'PAYLOAD#/gone_at', type: TIMESTAMP}
      - {name: firm, from: 'PAYLOAD#/firm', type: STRING, required: true}
      - {name: person, from: ID, type: STRING, required: true}
      - {name: seen_at, from: SEEN_AT, type: TIMESTAMP, required: true}
    routes:
      - {columns: {person: person, firm: firm, is_primary: primary, linked_at: since, seen_at: seen_at, deleted_at: gone_at}}",
    )
}

/// Visits, of which some name no customer.
fn bronze_visits() -> String {
    let columns =
        "ID STRING key\nSESSION STRING\nCUSTOMER STRING\nAT TIMESTAMP\nLOADED_AT TIMESTAMP\nOP STRING\n".to_owned() + META;
    let source = "source: {snowflake: {database: D, schema: S, table: V, key: [ID], cursor: LOADED_AT, lookback: 2h}}";
    contract_text("bronze_visits", &columns, source)
}

fn visits_text() -> String {
    contract_text(
        "silver_visits",
        "id STRING key\nsession STRING\ncustomer STRING\ncustomer_found STRING\nat TIMESTAMP\nloaded_at TIMESTAMP\ndeleted_at TIMESTAMP
        _version STRING\n_run_id STRING\n_ingested_at TIMESTAMP",
        "kind: current
resolve: {column: customer_found, from: customer, within: session, order: [at, id]}
inputs:
  - table: bronze_visits
    sequence: loaded_at
    deletes: {field: op, values: [D]}
    fields:
      - {name: id, from: ID, type: STRING, required: true}
      - {name: session, from: SESSION, type: STRING}
      - {name: customer, from: CUSTOMER, type: STRING}
      - {name: at, from: AT, type: TIMESTAMP, required: true}
      - {name: loaded_at, from: LOADED_AT, type: TIMESTAMP, required: true}
      - {name: op, from: OP, type: STRING}
    routes:
      - {columns: {id: id, session: session, customer: customer, at: at, loaded_at: loaded_at, deleted_at: loaded_at}}",
    )
}

/// The texts of these contracts, Bronze first.
pub(crate) fn texts() -> Vec<String> {
    vec![bronze_people(), bronze_visits(), people_text(), people_history_text(), links_text(), visits_text()]
}

pub(crate) fn visits() -> Contract {
    parsed(&visits_text())
}

/// A state of a person: id, what happened, minutes after the start of the window, payload.
pub(crate) type State<'a> = (&'a str, &'a str, i64, Option<&'a [u8]>);

/// Bronze rows of people.
pub(crate) fn people(states: &[State<'_>]) -> RecordBatch {
    noted(states, None)
}

/// Bronze rows of people with a note on each.
pub(crate) fn noted(states: &[State<'_>], note: Option<&str>) -> RecordBatch {
    let text = |texts: Vec<Option<&str>>| Arc::new(StringArray::from(texts)) as ArrayRef;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("ID", text(states.iter().map(|state| Some(state.0)).collect())),
        ("CHANGE", text(states.iter().map(|state| Some(state.1)).collect())),
        ("SEEN_AT", instants(states.iter().map(|state| state.2))),
        ("PAYLOAD", Arc::new(BinaryArray::from_iter(states.iter().map(|state| state.3)))),
        ("NOTE", text(vec![note; states.len()])),
    ];
    with_meta(columns, states.iter().map(|state| format!("{}/{}", state.0, state.2)).collect())
}

/// A visit: id, session, customer, minute of the visit, minute of its arrival; deleted when it has no session and no customer
/// and happened in minute -1.
pub(crate) type Visit = (String, Option<String>, Option<String>, i64, i64);

/// A visit that is deleted.
pub(crate) fn deletion(id: &str, loaded_at: i64) -> Visit {
    (id.to_owned(), None, None, -1, loaded_at)
}

/// A visit of a session.
pub(crate) fn visit(id: &str, session: &str, customer: Option<&str>, at: i64, loaded_at: i64) -> Visit {
    (id.to_owned(), Some(session.to_owned()), customer.map(str::to_owned), at, loaded_at)
}

/// Bronze rows of visits.
pub(crate) fn bronze_of(visits: &[Visit]) -> RecordBatch {
    let text = |texts: Vec<Option<&str>>| Arc::new(StringArray::from(texts)) as ArrayRef;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("ID", text(visits.iter().map(|visit| Some(visit.0.as_str())).collect())),
        ("SESSION", text(visits.iter().map(|visit| visit.1.as_deref()).collect())),
        ("CUSTOMER", text(visits.iter().map(|visit| visit.2.as_deref()).collect())),
        ("AT", instants(visits.iter().map(|visit| visit.3))),
        ("LOADED_AT", instants(visits.iter().map(|visit| visit.4))),
        ("OP", text(visits.iter().map(|visit| (visit.3 < 0).then_some("D")).collect())),
    ];
    with_meta(columns, visits.iter().map(|visit| format!("{}/{}", visit.0, visit.4)).collect())
}

fn instants(minutes: impl Iterator<Item = i64>) -> ArrayRef {
    let micros = minutes.map(|minute| testing::WINDOW_FROM + minute * MINUTE);
    Arc::new(TimestampMicrosecondArray::from_iter_values(micros).with_timezone("UTC"))
}

fn with_meta(mut columns: Vec<(&str, ArrayRef)>, positions: Vec<String>) -> RecordBatch {
    columns.extend(testing::meta(positions));
    RecordBatch::try_from_iter(columns).unwrap()
}

/// The same rows, read by a window that begins so many days later.
pub(crate) fn days_later(batch: &RecordBatch, days: i64) -> RecordBatch {
    let from = testing::WINDOW_FROM + days * 24 * 60 * MINUTE;
    let window: ArrayRef = Arc::new(TimestampMicrosecondArray::from_value(from, batch.num_rows()).with_timezone("UTC"));
    let columns = batch.schema_ref().fields().iter().zip(batch.columns()).map(|(field, column)| {
        let column = if field.name() == "_window_from" { window.clone() } else { column.clone() };
        (field.name().clone(), column)
    });
    RecordBatch::try_from_iter(columns.collect::<Vec<_>>()).unwrap()
}
