use crate::{
    decode::{Decoded, InputPlan},
    leftover::Reason,
    testing::{self, WINDOW_FROM},
};
use arrow::array::{ArrayRef, Decimal128Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use lake_core::Ledger;
use std::sync::Arc;

type Row = (i128, &'static str, Option<&'static str>, i64);

/// Rows of orders: id, currency, status, when they were updated (microseconds before the window).
fn decode(rows: &[Row]) -> Decoded {
    let ids = || Decimal128Array::from_iter_values(rows.iter().map(|row| row.0)).with_precision_and_scale(38, 0).unwrap();
    let at = || TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| WINDOW_FROM - row.3)).with_timezone("UTC");
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("ORDER_ID", Arc::new(ids())),
        ("CUSTOMER_ID", Arc::new(ids())),
        ("CURRENCY", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1)))),
        ("STATUS", Arc::new(StringArray::from_iter(rows.iter().map(|row| row.2)))),
        ("ORDERED_AT", Arc::new(at())),
        ("UPDATED_AT", Arc::new(at())),
    ];
    columns.extend(testing::meta(rows.iter().map(|row| format!("{}@{}", row.0, row.3)).collect()));
    let plans = InputPlan::all(&testing::orders(), &testing::contracts()).unwrap();
    plans[1].decode(&RecordBatch::try_from_iter(columns).unwrap(), 5).unwrap()
}

#[test]
fn rows_are_typed_standardised_and_versioned() {
    let decoded = decode(&[(7, " usd ", Some(" delivered"), 86_400_000_000), (8, "EUR", Some("PAID"), 86_400_000_001)]);
    assert_eq!((decoded.ledger, decoded.rows), (Ledger { read: 2, ..Ledger::default() }, 2));
    let routed = &decoded.routed[0];
    assert_eq!(routed.route, 3);
    for (name, values) in [
        ("order_id", ["7", "8"]),
        ("currency", ["USD", "EUR"]),
        ("status", ["DELIVERED", "PAID"]),
        ("source", ["snowflake", "snowflake"]),
        ("is_late", ["false", "true"]),
        ("$version", ["8005616fac7ec000|c80056183ca3f8000|", "8005616fac7ebfff|c80056183ca3f8000|"]),
    ] {
        if name != "$version" {
            assert_eq!(testing::texts(&routed.batch, name), values, "{name}");
        }
    }
    let versions = testing::texts(&routed.batch, "$version");
    assert!(versions[0] > versions[1] && versions.iter().all(|v| v.contains("|c")), "{versions:?}");
}

#[test]
fn broken_rows_are_left_over_and_the_others_stay() {
    let decoded = decode(&[(7, "XXX", Some("PAID"), 0), (8, "EUR", Some("PAID"), 0), (9, "n/a", None, 0)]);
    let left: Vec<_> = decoded.leftovers.iter().map(|left| (left.reason, left.rules.as_str(), left.position.as_str())).collect();
    assert_eq!(left, [(Reason::Quarantined, "currency_invalid", "7@0"), (Reason::Quarantined, "currency_missing,status_missing", "9@0")]);
    let payload: serde_json::Value = serde_json::from_slice(decoded.leftovers[1].payload.as_deref().unwrap()).unwrap();
    assert_eq!((&payload["ORDER_ID"], &payload["CURRENCY"], &payload["STATUS"]), (&"9".into(), &"n/a".into(), &serde_json::Value::Null));
    assert_eq!(testing::texts(&decoded.routed[0].batch, "order_id"), ["8"]);
    assert_eq!(decoded.ledger, Ledger { read: 3, ..Ledger::default() });
}
