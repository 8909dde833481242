//! The contracts of this repository are sound, and what is wrong with a contract is said with its place.

use super::*;
use crate::Policy;

mod history;
mod hubspot;
mod rules;
mod sound;
mod sound_gold;
mod sound_keyed;
mod sound_record;

const BRONZE: &str = include_str!("testdata/bronze.yaml");
const COLUMNS: &str = include_str!("testdata/columns.yaml");
const SILVER: &str = include_str!("testdata/silver.yaml");
const GOLD: &str = include_str!("testdata/gold.yaml");
const KEYED: &str = include_str!("testdata/keyed.yaml");

/// Puts contracts together under made-up names of files; the first one is `contracts/0.yaml`.
fn set(texts: &[String]) -> Result<ContractSet, String> {
    let parse = |(at, text): (usize, &String)| Contract::parse(Path::new(&format!("contracts/{at}.yaml")), text, None);
    let contracts = texts.iter().enumerate().map(parse).collect::<Result<Vec<_>, _>>();
    contracts.and_then(ContractSet::new).map_err(|error| error.to_string())
}

/// The error of the four sound contracts when `from` becomes `to` in the first of them that holds it.
fn broken(from: &str, to: &str) -> String {
    let mut texts = [SILVER, BRONZE, COLUMNS, GOLD].map(str::to_owned);
    let text = texts.iter_mut().find(|text| text.contains(from)).unwrap_or_else(|| panic!("no contract holds `{from}`"));
    *text = text.replacen(from, to, 1);
    set(&texts).err().unwrap_or_else(|| panic!("`{to}` in the place of `{from}` was accepted"))
}

/// The repository's contracts: path below `contracts/`, text, model.
fn repository() -> Vec<Contract> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts");
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(".odcs.yaml") {
                let model = std::fs::read_to_string(path.with_file_name("model.sql")).ok();
                let text = std::fs::read_to_string(&path).unwrap();
                found.push(Contract::parse(path.strip_prefix(&root).unwrap(), &text, model).unwrap_or_else(|e| panic!("{e}")));
            }
        }
    }
    found
}

#[test]
fn the_contracts_of_the_repository_are_sound() {
    let set = ContractSet::new(repository()).unwrap_or_else(|e| panic!("{e}"));
    assert!(set.iter().count() >= 15);
    let policy = include_str!("../../../../contracts/policy.yaml");
    let policy = Policy::parse(Path::new("contracts/policy.yaml"), policy).unwrap();
    policy.permits(&set).unwrap();
}

#[test]
fn the_contracts_of_the_repository_stand_where_their_names_say() {
    for contract in repository() {
        let (layer, name) = (contract.layer.name(), contract.short_name());
        let place =
            if layer == "bronze" { format!("bronze/{name}.odcs.yaml") } else { format!("{layer}/{name}/contract.odcs.yaml") };
        assert_eq!(contract.path.to_string_lossy(), place);
        assert_eq!(contract.document.schema[0].name, name);
    }
}

/// The list of currencies stands in two contracts, since an order comes from two sources.
#[test]
fn both_sources_of_orders_allow_the_same_currencies() {
    let set = ContractSet::new(repository()).unwrap();
    let stream = set.get("bronze_kafka_orders").unwrap().bronze().unwrap().record.as_ref().unwrap();
    let warehouse = &set.get("silver_orders").unwrap().silver().unwrap().inputs[1];
    let allowed = &warehouse.fields.iter().find(|field| field.name == "currency").unwrap().allowed;
    assert_eq!(stream.field("currency").map(|field| &field.allowed), Some(allowed));
}

#[test]
fn sound_contracts_are_put_in_order() {
    let set = set(&[GOLD, SILVER, BRONZE, COLUMNS].map(str::to_owned)).unwrap();
    let order: Vec<_> = set.in_dependency_order().iter().map(|c| c.table.as_str()).collect();
    assert_eq!(order, ["bronze_shop_events", "bronze_shop_ledger", "silver_sales", "gold_sellers"]);
    let sales = set.get("silver_sales").unwrap();
    assert_eq!((sales.reference().as_str(), sales.short_name(), sales.key()), ("silver_sales@1.0.0", "sales", vec!["id"]));
    assert_eq!(sales.hash.len(), 64);
}

#[test]
fn an_unknown_key_is_an_error_with_its_place_and_what_was_meant() {
    assert_eq!(
        broken("physicalName: silver_sales", "phisicalName: silver_sales"),
        "read contract contracts/0.yaml:10:5: unknown field `phisicalName`, expected one of name, physicalName, physicalType, \
         logicalType, dataGranularityDescription, description, properties, quality, relationships; did you mean `physicalName`?"
    );
    assert_eq!(
        broken("lateWindow: 7d", "lateWindw: 7d"),
        "read contract contracts/0.yaml:49:11: unknown field `lateWindw`, expected one of table, lateWindow, sequence, eventTime, \
         deletes, nullTokens, fields, checks, routes; did you mean `lateWindow`?"
    );
    assert_eq!(
        broken("property: silver", "property: sliver"),
        "read contract contracts/0.yaml:40:5: unknown field `sliver`, expected one of bronze, silver, gold, history; did you mean `silver`?"
    );
    assert_eq!(
        broken(
            "metric: nullValues, mustBe: 0",
            "metric: nullValues, mustBe: 0, customProperties: [{property: failingRowMin, value: 1}]"
        ),
        "read contract contracts/0.yaml:20:84: unknown field `failingRowMin`, expected one of failingRowsMin, reads; did you mean \
         `failingRowsMin`?"
    );
    assert_eq!(
        broken("kind: current", "kind: curent"),
        "read contract contracts/0.yaml:42:13: unknown variant `curent`, expected one of current, history, events, fxRates, \
         fxRevisions; did you mean `current`?"
    );
    assert_eq!(
        broken(
            "{property: mask, value: {of: buyer, method: initial}}",
            "{property: mask, value: {of: buyer, method: initial}, note: x}"
        ),
        "read contract contracts/0.yaml:26:67: unknown field `note`, expected one of property, value"
    );
}

#[test]
fn values_of_the_wrong_shape_are_errors_with_their_place() {
    let cases = [
        ("requiredWhen: [SOLD]", "requiredWhen: SOLD", "1.yaml:45:25: expected sequence start"),
        ("lateWindow: 7d", "lateWindow: 7 days", "0.yaml:49:23: `7 days` is no length of time such as 90m, 2h or 7d"),
        ("mustBe: 0", "mustBe: none", "0.yaml:20:61: invalid floating point"),
        ("required: true", "required: yess", "0.yaml:13:73: invalid boolean"),
        ("status: active\n", "", "0.yaml:38:1: missing field `status`"),
        ("name: Sales\n", "name: Sales\nname: Sold\n", "0.yaml:5:1: duplicate mapping key: name"),
        (
            "apiVersion: v3.1.0",
            "apiVersion: v3.2.0",
            "0.yaml:1:13: unknown variant `v3.2.0`, expected one of v3.1.0; did you mean `v3.1.0`?",
        ),
        ("{property: mask, value: {of: buyer, method: initial}}", "{property: mask}", "0.yaml:26:14: missing field `value`"),
        (
            "{property: mask, value: {of: buyer, method: initial}}",
            "{value: {of: buyer, method: initial}, property: mask}",
            "0.yaml:26:13: found `value` where `property` must stand",
        ),
        (
            "type: INT,",
            "type: INTEGER,",
            "1.yaml:47:51: unknown type `INTEGER`, expected STRING, INT, BIGINT, DOUBLE, BOOLEAN, DATE, TIMESTAMP, BINARY or DECIMAL(p,s)",
        ),
    ];
    for (from, to, problem) in cases {
        assert_eq!(broken(from, to), format!("read contract contracts/{problem}"));
    }
}

#[test]
fn an_unknown_table_is_an_error_with_the_nearest_name() {
    let set = set(&[BRONZE.to_owned()]).unwrap();
    let error = set.table("bronze_shop_event").unwrap_err();
    assert_eq!(error.to_string(), "find a contract for table `bronze_shop_event`; did you mean `bronze_shop_events`?");
}

#[test]
fn all_problems_are_told_at_once() {
    let text = SILVER.replace("accountsFor", "").replace("of: buyer", "of: bayer").replace("buyer: buyer", "bayer: buyer");
    let error = set(&[text]).unwrap_err();
    assert!(error.starts_with("use the contracts:\n  use contract contracts/0.yaml: "), "{error}");
    assert!(error.lines().count() > 3, "{error}");
}
