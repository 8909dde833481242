use crate::{
    decode::{Decoded, InputPlan},
    leftover::Reason,
    testing::{self, WINDOW_FROM},
};
use lake_core::Ledger;

/// Rows of orders: id, currency, status, when they were updated (microseconds before the window).
fn decode(rows: &[(i128, &str, &str, i64)]) -> Decoded {
    let rows: Vec<_> = rows.iter().map(|row| (row.0, row.1, row.2, WINDOW_FROM - row.3)).collect();
    let plans = InputPlan::all(&testing::orders(), &testing::contracts()).unwrap();
    plans[1].decode(&testing::bronze_orders(&rows), 5).unwrap()
}

#[test]
fn rows_are_typed_standardised_and_versioned() {
    let decoded = decode(&[(7, " usd ", " shipped", 86_400_000_000), (8, "EUR", "PAID", 86_400_000_001)]);
    assert_eq!((decoded.ledger, decoded.rows), (Ledger { read: 2, ..Ledger::default() }, 2));
    let routed = &decoded.routed[0];
    assert_eq!(routed.route, 3);
    for (name, values) in [
        ("order_id", ["7", "8"]),
        ("currency", ["USD", "EUR"]),
        ("status", ["SHIPPED", "PAID"]),
        ("source", ["snowflake", "snowflake"]),
        ("is_late", ["false", "true"]),
    ] {
        assert_eq!(testing::texts(&routed.batch, name), values, "{name}");
    }
    let versions = testing::texts(&routed.batch, "$version");
    assert!(versions[0] > versions[1] && versions.iter().all(|v| v.contains("|c")), "{versions:?}");
}

#[test]
fn broken_rows_are_left_over_and_the_others_stay() {
    let decoded = decode(&[(7, "XXX", "PAID", 0), (8, "EUR", "PAID", 0), (9, "n/a", "", 0)]);
    let (at7, at9) = (format!("7@{WINDOW_FROM}"), format!("9@{WINDOW_FROM}"));
    let left: Vec<_> = decoded.leftovers.iter().map(|left| (left.reason, left.rules.as_str(), left.position.as_str())).collect();
    assert_eq!(
        left,
        [
            (Reason::Quarantined, "currency_invalid", at7.as_str()),
            (Reason::Quarantined, "currency_missing,status_missing", at9.as_str())
        ]
    );
    let payload: serde_json::Value = serde_json::from_slice(decoded.leftovers[1].payload.as_deref().unwrap()).unwrap();
    assert_eq!(
        (&payload["ORDER_ID"], &payload["CURRENCY"], &payload["STATUS"]),
        (&"9".into(), &"n/a".into(), &serde_json::Value::Null)
    );
    assert_eq!(testing::texts(&decoded.routed[0].batch, "order_id"), ["8"]);
    assert_eq!(decoded.ledger, Ledger { read: 3, ..Ledger::default() });
}
