//! Contradictions in the fields of a record.

use super::{sound::refused, *};

#[test]
fn an_interval_of_instants_holds_some_and_belongs_to_instants() {
    let (at, amount) = ("from: /at, type: TIMESTAMP,", "from: /amount, type: 'DECIMAL(18,2)',");
    let within = |from: &str, before: &str| format!(" within: {{from: '{from}', before: '{before}'}},");
    let (start, end) = ("1999-01-02T00:00:00Z", "2036-01-01T00:00:00Z");
    refused(&[
        (at, &format!("{at}{}", within(end, end)), "1.yaml: `within` of field `at` holds no instant"),
        (
            amount,
            &format!("{amount}{}", within(start, end)),
            "1.yaml: field `amount` is DECIMAL(18,2), and `within` is for TIMESTAMP",
        ),
    ]);
}

#[test]
fn a_spelling_is_for_text_and_stands_once() {
    let (buyer, amount) = ("from: /buyer, type: STRING,", "from: /amount, type: 'DECIMAL(18,2)',");
    refused(&[
        (buyer, &format!("{buyer} spellings: [Ab, aB],"), "1.yaml: field `buyer`: spelling `ab` is declared twice"),
        (
            amount,
            &format!("{amount} spellings: [Ab],"),
            "1.yaml: field `amount` is DECIMAL(18,2), and `standards`, `spellings` and `allowed` are for text",
        ),
    ]);
}

/// The contract of a table in which the Snowflake source became a Redshift one.
fn redshift(source: &str) -> Result<ContractSet, String> {
    let (head, _) = COLUMNS.split_once("        snowflake:\n").unwrap();
    set(&[format!("{head}        redshift: {source}\n")])
}

#[test]
fn a_redshift_table_is_read_by_key_and_cursor() {
    let set = redshift("{schema: behavior, table: events, key: [ID], cursor: UPDATED_AT, lookback: 2h}").unwrap();
    let source = &set.get("bronze_shop_ledger").unwrap().bronze().unwrap().source;
    assert_eq!((source.name(), source.object()), ("redshift", "events"));
    assert_eq!(source.keyed(), Some((&["ID".to_owned()][..], "UPDATED_AT")));
    assert!(!source.enforces_keys());
}

#[test]
fn what_a_redshift_source_says_is_checked() {
    let told = |source: &str| redshift(source).unwrap_err();
    let cases = [
        (
            "{schema: b, table: e, key: [], cursor: UPDATED_AT, lookback: 2h}",
            "use contract contracts/0.yaml: `key` of the source must name at least one column",
        ),
        (
            "{schema: b, table: e, key: [ID, ID], cursor: UPDATED_AT, lookback: 2h}",
            "use contract contracts/0.yaml: key column `ID` is declared twice",
        ),
        (
            "{schema: b, table: e, key: [IDS], cursor: UPDATED_AT, lookback: 2h}",
            "use contract contracts/0.yaml: the source names unknown column `IDS`; did you mean `ID`?",
        ),
        (
            "{schema: b, table: e, key: [_run_id], cursor: UPDATED_AT, lookback: 2h}",
            "use contract contracts/0.yaml: the source names `_run_id`, which is Sluice's own column",
        ),
        (
            "{schema: b, table: e, key: [ID], cursor: BUYER, lookback: 2h}",
            "use contract contracts/0.yaml: `cursor` must be a TIMESTAMP, and `BUYER` is not",
        ),
    ];
    for (source, problem) in cases {
        assert_eq!(told(source), problem);
    }
    let unknown = told("{schema: b, table: e, key: [ID], cursor: UPDATED_AT, lookback: 2h, databse: d}");
    assert!(unknown.contains("unknown field `databse`, expected one of schema, table, key, cursor, lookback"), "{unknown}");
    let missing = told("{schema: b, table: e, key: [ID], cursor: UPDATED_AT}");
    assert!(missing.contains("missing field `lookback`"), "{missing}");
}
