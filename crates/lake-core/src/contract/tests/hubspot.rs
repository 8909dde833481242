//! What a Bronze contract may say of HubSpot, in its two forms.

use super::*;
use crate::contract::layer::{HubspotSource, Source, Span};

const OBJECT: &str = "{object: contacts, cursor: lastmodifieddate, lookback: 1h, properties: [email, city], sweep: true}";
const PAIRS: &str = "{association: {from: contacts, to: companies}, sweep: true}";
const PAIR_COLUMNS: &str = concat!(
    "      - {name: from_id, logicalType: string, physicalType: STRING, description: Contact}\n",
    "      - {name: to_id, logicalType: string, physicalType: STRING, description: Company}\n",
);

/// A Bronze contract with these columns beside the meta columns and this source.
fn hubspot(columns: &str, source: &str) -> Result<ContractSet, String> {
    let since = if source.contains("association") { "_present_since TIMESTAMP," } else { "" };
    let meta = "\
        _payload BINARY,_change STRING,_observed_at TIMESTAMP,_source STRING,_object STRING,_ingest_date DATE,_window_from TIMESTAMP,\
        _ingested_at TIMESTAMP,_run_id STRING,_key STRING,_position STRING,_contract STRING,_violations STRING";
    let column = |text: &str| {
        let (name, kind) = text.split_once(' ').unwrap();
        let logical = if matches!(kind, "DATE" | "TIMESTAMP") { kind.to_lowercase() } else { "string".to_owned() };
        let key = if matches!(name, "_key" | "_run_id") { ", primaryKey: true, primaryKeyPosition: " } else { "" };
        let position = ["_key", "_run_id"].iter().position(|key| *key == name).map_or(String::new(), |at| (at + 1).to_string());
        format!("      - {{name: {name}, logicalType: {logical}, physicalType: {kind}{key}{position}, description: x}}\n")
    };
    let columns = format!("{columns}{}", format!("{since}{meta}").split(',').map(column).collect::<String>());
    set(&[format!(
        "apiVersion: v3.1.0\nkind: DataContract\nid: bronze_crm_things\nname: Things\nversion: 1.0.0\nstatus: active\n\
         description: {{purpose: For tests}}\nschema:\n  - name: crm_things\n    physicalName: bronze_crm_things\n\
         \x20   dataGranularityDescription: One row per state.\n    properties:\n{columns}\
         customProperties:\n  - property: bronze\n    value:\n      source:\n        hubspot: {source}\n"
    )])
}

fn source(set: &ContractSet) -> &Source {
    &set.get("bronze_crm_things").unwrap().bronze().unwrap().source
}

#[test]
fn objects_are_read_by_a_cursor_and_swept() {
    let set = hubspot("", OBJECT).unwrap();
    let source = source(&set);
    assert_eq!((source.name(), source.object()), ("hubspot", "contacts"));
    let Source::Hubspot(HubspotSource::Object(object)) = source else { panic!("{source:?}") };
    assert_eq!((object.cursor.as_str(), object.lookback), ("lastmodifieddate", Span(chrono::Duration::hours(1))));
    assert_eq!((object.properties.as_slice(), object.sweep), (&["email".to_owned(), "city".to_owned()][..], true));
    assert!(source.rationed());
}

#[test]
fn associations_have_two_types_and_two_columns() {
    let set = hubspot(PAIR_COLUMNS, PAIRS).unwrap();
    assert_eq!(source(&set).object(), "contacts/companies");
    let Source::Hubspot(HubspotSource::Association(pair)) = source(&set) else { panic!("{:?}", source(&set)) };
    assert_eq!((pair.from.as_str(), pair.to.as_str()), ("contacts", "companies"));
}

#[test]
fn the_two_forms_are_not_mixed() {
    let cases = [
        ("{sweep: true}", "a HubSpot source needs either `object` or `association`"),
        (
            "{object: contacts, association: {from: a, to: b}, sweep: true}",
            "a HubSpot source needs either `object` or `association`",
        ),
        (
            "{object: contacts, lookback: 1h, properties: [email]}",
            "`object` needs `cursor`: the property with the time of the last change",
        ),
        (
            "{object: contacts, cursor: c, properties: [email]}",
            "`object` needs `lookback`: how far before the window objects are searched again",
        ),
        ("{object: contacts, cursor: c, lookback: 1h}", "`object` needs `properties`: what to read"),
        ("{object: contacts, cursor: c, lookback: 1h, properties: []}", "`object` needs `properties`: what to read"),
        (
            "{association: {from: a, to: b}, sweep: true, cursor: c}",
            "`cursor`, `lookback` and `properties` belong to `object`, and `association` has none of them",
        ),
        (
            "{association: {from: a, to: b}}",
            "`association` needs `sweep: true`: HubSpot does not say when one changes, so all are compared",
        ),
    ];
    for (source, problem) in cases {
        let told = hubspot("", source).unwrap_err();
        assert!(
            told.starts_with("read contract contracts/0.yaml:") && told.ends_with(&format!(":18: {problem}")),
            "{source}: {told}"
        );
    }
}

#[test]
fn a_typo_is_an_error_with_what_was_meant() {
    let told = hubspot("", &OBJECT.replace("cursor", "curser")).unwrap_err();
    assert!(told.ends_with(
        "unknown field `curser`, expected one of object, association, cursor, lookback, properties, sweep; did you mean `cursor`?"
    ), "{told}");
    let told = hubspot("", &PAIRS.replace("to:", "into:")).unwrap_err();
    assert!(told.ends_with("unknown field `into`, expected one of from, to"), "{told}");
    let told = hubspot("", &OBJECT.replace("1h", "an hour")).unwrap_err();
    assert!(told.ends_with("`an hour` is no length of time such as 90m, 2h or 7d"), "{told}");
}

#[test]
fn what_a_hubspot_source_says_is_checked() {
    let own = "      - {name: email, logicalType: string, physicalType: STRING, description: x}\n";
    let cases = [
        (
            "",
            OBJECT.replace("contacts", "../contacts"),
            "`../contacts` is no type of HubSpot objects: letters, digits, `-` and `_`",
        ),
        ("", OBJECT.replace("city", "email"), "property `email` is declared twice"),
        (own, OBJECT.to_owned(), "column `email`: HubSpot does not give it, the whole object stands in `_payload`"),
        (
            "      - {name: from_id, logicalType: string, physicalType: STRING, description: x}\n",
            PAIRS.to_owned(),
            "column `to_id` (STRING) of an association is not declared",
        ),
    ];
    for (columns, source, problem) in cases {
        assert_eq!(hubspot(columns, &source).unwrap_err(), format!("use contract contracts/0.yaml: {problem}"));
    }
    let number = PAIR_COLUMNS.replacen("string, physicalType: STRING", "integer, physicalType: BIGINT", 1);
    assert_eq!(
        hubspot(&number, PAIRS).unwrap_err(),
        "use contract contracts/0.yaml: column `from_id` must be STRING, and is BIGINT"
    );
}
