//! Rules that reach beyond their own column: SQL and the tables that it reads.

use super::{sound::refused, *};

const QUERY: &str = "{id: key_repeated, type: sql, query: 'SELECT COUNT(*) FROM {object}', mustBe: 0";
const RULE: &str = "{id: key_repeated, metric: duplicateValues, arguments: {properties: [id]}, mustBe: 0";

#[test]
fn a_query_declares_the_tables_that_it_reads() {
    let reads = |tables: &str| format!("{QUERY}, customProperties: [{{property: reads, value: [{tables}]}}]");
    let sound = [SILVER.replace(RULE, &reads("gold_sellers")), BRONZE.into(), COLUMNS.into(), GOLD.into()];
    let contracts = set(&sound).unwrap();
    assert_eq!(contracts.get("silver_sales").unwrap().referenced_tables(), ["gold_sellers"]);
    let twice = format!("{QUERY}, customProperties: [{{property: reads, value: []}}, {{property: reads, value: []}}]");
    refused(&[
        (
            RULE,
            &reads("gold_seller"),
            "0.yaml: rule `key_repeated` reads unknown table `gold_seller`; did you mean `gold_sellers`?",
        ),
        (RULE, &reads("gold_sellers, gold_sellers"), "0.yaml: table of rule `key_repeated` `gold_sellers` is declared twice"),
        (RULE, &reads("silver_sales"), "0.yaml: rule `key_repeated` reads its own table, which is `{object}` in its query"),
        (RULE, &twice, "0.yaml: rule `key_repeated` has `reads` twice"),
        (
            RULE,
            &format!("{RULE}, customProperties: [{{property: reads, value: [gold_sellers]}}]"),
            "0.yaml: rule `key_repeated` has `reads`, which needs a query",
        ),
        (
            RULE,
            "{id: key_repeated, type: sql, query: 'SELECT COUNT({property}) FROM {object}', mustBe: 0",
            "0.yaml: rule `key_repeated` names `{property}`, but it stands at no column",
        ),
    ]);
}
