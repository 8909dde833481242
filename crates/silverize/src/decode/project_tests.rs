//! What the project's own contracts say of single values.

use crate::{
    decode::{Decoded, InputPlan},
    leftover::Reason,
    testing,
};
use arrow::{
    array::{ArrayRef, RecordBatch, StringArray, new_null_array},
    datatypes::DataType,
};
use std::{path::Path, sync::Arc};

/// Decodes rows of an input as a table of the project does.
fn decode(table: &str, input: &str, batch: impl Fn(Vec<String>) -> RecordBatch) -> Decoded {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts");
    let (contracts, _) = lake_edge::load_contracts(&path).unwrap();
    let plans = InputPlan::all(contracts.table(table).unwrap(), &contracts).unwrap();
    let plan = plans.iter().find(|plan| plan.table == input).unwrap();
    plan.decode(&batch(plan.columns(contracts.table(input).unwrap())), 1).unwrap()
}

/// Rows of the warehouse with these columns; those that are not named are null.
fn rows(columns: Vec<String>, named: &[(&str, &[Option<&str>])]) -> RecordBatch {
    let count = named[0].1.len();
    let meta = testing::meta((0..count).map(|row| row.to_string()).collect());
    let column = |name: &String| -> ArrayRef {
        let texts = named.iter().find(|(known, _)| known == name);
        texts.map_or_else(|| new_null_array(&DataType::Utf8, count), |(_, texts)| Arc::new(StringArray::from(texts.to_vec())))
    };
    let own = columns.into_iter().filter(|name| meta.iter().all(|(known, _)| known != name));
    let columns: Vec<(String, ArrayRef)> = own.map(|name| (name.clone(), column(&name))).collect();
    RecordBatch::try_from_iter(columns.into_iter().chain(meta.into_iter().map(|(name, array)| (name.to_owned(), array)))).unwrap()
}

fn left(decoded: &Decoded) -> Vec<(Reason, &str)> {
    decoded.leftovers.iter().map(|left| (left.reason, left.rules.as_str())).collect()
}

#[test]
fn events_outside_the_calendar_are_quarantined_for_every_table() {
    let event = |kind: &str, at: &str| {
        format!(
            r#"{{"event_id":"{kind}{at}","event_type":"{kind}","order_id":"o1","event_ts":"{at}","customer_id":"c1","store_id":1}}"#
        )
    };
    let outside = ["0001-01-01T00:00:00Z", "1999-01-01T23:59:59.999999Z", "2036-01-01T00:00:00Z", "9999-12-31T23:59:59Z"];
    let inside = ["1999-01-02T00:00:00Z", "2035-12-31T23:59:59.999999Z"];
    for table in ["silver_orders", "silver_order_items", "silver_order_movements"] {
        for kind in ["PLACED", "SHIPPED", "RETURNED", "CANCELLED"] {
            let judged = |at: &str| {
                let payload = event(kind, at);
                let decoded = decode(table, "bronze_kafka_orders", |_| testing::bronze_from(0, &[Some(payload.as_bytes())]));
                left(&decoded).contains(&(Reason::Quarantined, "event_ts_invalid"))
            };
            assert!(outside.into_iter().all(judged), "{table} {kind}");
            assert!(!inside.into_iter().any(judged), "{table} {kind}");
        }
    }
}

#[test]
fn orders_of_the_warehouse_have_a_date_in_the_calendar() {
    let dates = ["1999-01-01T23:59:59Z", "1999-01-02T00:00:00Z", "2035-12-31T23:59:59Z", "2036-01-01T00:00:00Z"];
    let at: Vec<Option<&str>> = dates.into_iter().map(Some).chain([None]).collect();
    let texts = |text: &'static str| vec![Some(text); at.len()];
    let decoded = decode("silver_orders", "bronze_snowflake_orders", |columns| {
        let (ids, usd, status, updated) = (texts("1"), texts("USD"), texts("PLACED"), texts("2017-12-29T12:00:00Z"));
        rows(
            columns,
            &[("ORDER_ID", &ids), ("CURRENCY", &usd), ("STATUS", &status), ("UPDATED_AT", &updated), ("ORDERED_AT", &at)],
        )
    });
    let rules = ["ordered_at_invalid", "ordered_at_invalid", "ordered_at_missing"];
    assert_eq!(left(&decoded), rules.map(|rule| (Reason::Quarantined, rule)));
    assert_eq!(decoded.routed[0].batch.num_rows(), 2);
}

#[test]
fn states_and_income_bands_are_repaired_for_case() {
    let (states, bands) = ([Some("ny"), Some(" Oh"), None], [Some("under 15k"), Some("35-49k "), Some("lots")]);
    for table in ["silver_customers", "silver_customers_history"] {
        let decoded = decode(table, "bronze_snowflake_customers", |columns| {
            let (ids, updated) = ([Some("1"); 3], [Some("2017-12-29T12:00:00Z"); 3]);
            rows(columns, &[("CUSTOMER_ID", &ids), ("UPDATED_AT", &updated), ("STATE", &states), ("INCOME_BAND", &bands)])
        });
        let batch = &decoded.routed[0].batch;
        assert_eq!(testing::texts(batch, "state"), ["NY", "OH", "-"]);
        assert_eq!(testing::texts(batch, "income_band"), ["Under 15K", "35-49K", "lots"]);
    }
}
