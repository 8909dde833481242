//! What a contract may say of its past.

use super::{sound::refused, *};
use crate::contract::{
    history::{History, Trend},
    odcs::Severity,
};

const PROPERTIES: &str = "customProperties:\n  - property: silver";

fn with(history: &str) -> String {
    format!("customProperties:\n  - {{property: history, value: {history}}}\n  - property: silver")
}

#[test]
fn a_table_is_compared_with_its_past_by_defaults_or_as_it_says() {
    let parsed = |text: &str| Contract::parse(Path::new("0.yaml"), text, None).unwrap().history();
    let usual = Trend { deviations_max: 5, severity: Severity::Warning };
    assert_eq!(parsed(SILVER), History { volume: usual, nulls: usual });
    let own = with("{volume: {deviationsMax: 8, severity: error}, nulls: {severity: info}}");
    let history = parsed(&SILVER.replace(PROPERTIES, &own));
    assert_eq!(history.volume, Trend { deviations_max: 8, severity: Severity::Error });
    assert_eq!(history.nulls, Trend { deviations_max: 5, severity: Severity::Info });
}

#[test]
fn a_history_is_one_and_has_room() {
    let twice = with("{}").replace("  - property: silver", "  - {property: history, value: {}}\n  - property: silver");
    refused(&[
        (
            PROPERTIES,
            &with("{volume: {deviationsMax: 0}}"),
            "0.yaml: `volume` of `history` needs a `deviationsMax` of at least 1: no two windows are equal",
        ),
        (PROPERTIES, &twice, "0.yaml: `customProperties` holds `history` twice"),
        (
            PROPERTIES,
            "customProperties:\n  - {property: gold, value: {inputs: []}}\n  - property: silver",
            "0.yaml: `customProperties` must hold exactly one of `bronze`, `silver`, `gold`",
        ),
    ]);
    let error = broken(PROPERTIES, &with("{volume: {deviationMax: 3}}"));
    assert!(error.contains("did you mean `deviationsMax`?"), "{error}");
}
