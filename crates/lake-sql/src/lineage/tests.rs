use super::{derivation, named_tokens};
use crate::SqlError;
use lake_core::{
    Contract, Fault, Policy,
    contract::{ContractSet, Layer},
    fault::Faulty as _,
    lineage::{Derivation, Origins},
};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn load() -> (ContractSet, Policy) {
    let root = root();
    let parse = |path: PathBuf| {
        let model = std::fs::read_to_string(path.with_file_name("model.sql")).ok();
        Contract::parse(&path, &std::fs::read_to_string(&path).unwrap(), model).unwrap()
    };
    let bronze = files(&root.join("bronze")).into_iter().filter(|path| path.is_file());
    let others = ["silver", "gold"].into_iter().flat_map(|layer| files(&root.join(layer)));
    let others = others.map(|folder| folder.join("contract.odcs.yaml"));
    let contracts = ContractSet::new(bronze.chain(others).map(parse).collect()).unwrap();
    let policy = root.join("policy.yaml");
    (contracts, Policy::parse(&policy, &std::fs::read_to_string(&policy).unwrap()).unwrap())
}

/// One line per column that a column is made from.
fn lines(origins: &Origins) -> String {
    let mut text = String::new();
    for (field, ways) in origins.iter() {
        let ways: Vec<String> =
            ways.iter().map(|way| format!("{}{}", way.usage.subtype(), if way.masking { " masked" } else { "" })).collect();
        text.push_str(&format!("    {}.{}: {}\n", field.table, field.column, ways.join(", ")));
    }
    if text.is_empty() { "    nothing\n".to_owned() } else { text }
}

fn shown(contract: &Contract, made: &Derivation) -> String {
    let columns = contract.columns.iter().map(|column| format!("{}\n{}", column.name, lines(&made.of(&column.name))));
    format!("{}(rows)\n{}", columns.collect::<String>(), lines(&made.rows))
}

#[tokio::test]
async fn the_lineage_of_every_gold_column_is_pinned() {
    let (contracts, policy) = load();
    for contract in contracts.iter().filter(|contract| matches!(contract.layer, Layer::Gold(_))) {
        let made = derivation(&contracts, &policy, contract).await.unwrap();
        insta::assert_snapshot!(contract.table.clone(), shown(contract, &made));
    }
}

#[tokio::test]
async fn personal_data_reaches_gold_only_through_a_mask() {
    let (contracts, policy) = load();
    let (mut personal, mut open) = (0, 0);
    for contract in contracts.iter().filter(|contract| matches!(contract.layer, Layer::Gold(_))) {
        let made = derivation(&contracts, &policy, contract).await.unwrap();
        for (field, ways) in made.columns.values().chain([&made.rows]).flat_map(Origins::iter) {
            let pii = contracts.get(&field.table).unwrap().column(&field.column).unwrap().pii();
            assert!(ways.iter().all(|way| way.masking == pii), "{}: {field:?} {ways:?}", contract.table);
            if pii { personal += 1 } else { open += 1 }
        }
    }
    assert!(personal > 5 && open > 100, "{personal} personal columns, {open} others");
}

#[tokio::test]
async fn what_a_model_reads_is_what_its_contract_names() {
    let (contracts, policy) = load();
    for contract in contracts.iter().filter(|contract| matches!(contract.layer, Layer::Gold(_))) {
        let made = derivation(&contracts, &policy, contract).await.unwrap();
        let all = made.columns.values().chain([&made.rows]).flat_map(Origins::iter);
        let mut read: Vec<String> = all.map(|(field, _)| field.table.clone()).collect();
        read.sort();
        read.dedup();
        let mut named: Vec<&str> = contract.inputs();
        named.sort_unstable();
        assert_eq!(read, named, "{}", contract.table);
    }
}

#[tokio::test]
async fn every_token_in_gold_has_the_name_of_one() {
    let (contracts, policy) = load();
    let mut holders = Vec::new();
    for contract in contracts.iter() {
        named_tokens(&contracts, &policy, contract).await.unwrap();
        if matches!(contract.layer, Layer::Gold(_)) {
            let made = derivation(&contracts, &policy, contract).await.unwrap();
            let tokens = made.columns.iter().filter(|(_, origins)| origins.has_token());
            holders.extend(tokens.map(|(column, _)| format!("{}.{column}", contract.table)));
        }
    }
    assert_eq!(holders, ["gold_dim_customers.email_token"]);
}

/// A Gold table whose columns `address` and `mails` have no name of a token.
const ADDRESSES: &str = "
apiVersion: v3.1.0
kind: DataContract
id: gold_addresses
name: n
version: 1.0.0
status: active
description: {purpose: p}
schema:
  - name: addresses
    physicalName: gold_addresses
    dataGranularityDescription: d
    properties:
      - {name: contact_id, logicalType: string, physicalType: STRING, description: d, required: true, primaryKey: true, primaryKeyPosition: 1}
      - {name: address, logicalType: string, physicalType: STRING, description: d}
      - {name: mails, logicalType: integer, physicalType: BIGINT, description: d}
      - {name: _run_id, logicalType: string, physicalType: STRING, description: d}
      - {name: _ingested_at, logicalType: timestamp, physicalType: TIMESTAMP, description: d}
customProperties:
  - property: gold
    value: {inputs: [silver_contacts_history, gold_dim_customers]}
";

async fn addresses(model: &str) -> Result<(), SqlError> {
    let (contracts, policy) = load();
    let own = Contract::parse(Path::new("addresses"), ADDRESSES, Some(model.to_owned())).unwrap();
    let contracts = ContractSet::new(contracts.iter().cloned().chain([own]).collect()).unwrap();
    named_tokens(&contracts, &policy, contracts.get("gold_addresses").unwrap()).await
}

#[tokio::test]
async fn a_token_under_another_name_is_refused() {
    let of_silver = [
        "email_token",
        "CONCAT('mail ', email_token)",
        "COALESCE(email_token, 'none')",
        "sha256_hex(email_token)",
        "token(lifecycle_stage)",
        "CASE WHEN lifecycle_stage IS NULL THEN email_token END",
        "LAG(email_token) OVER (PARTITION BY contact_id ORDER BY changed_at)",
        "MAX(email_token) OVER (PARTITION BY contact_id)",
        "(SELECT MAX(d.email_token) FROM gold_dim_customers d)",
    ]
    .map(|address| format!("SELECT contact_id, {address} AS address, 1 AS mails FROM silver_contacts_history"));
    let others = [
        "SELECT customer_key AS contact_id, email_token AS address, 1 AS mails FROM gold_dim_customers",
        "WITH all_mails AS (
            SELECT contact_id, lifecycle_stage AS mail FROM silver_contacts_history
            UNION ALL SELECT contact_id, email_token FROM silver_contacts_history
         )
         SELECT contact_id, MAX(mail) AS address, 1 AS mails FROM all_mails GROUP BY contact_id",
    ];
    for model in of_silver.iter().map(String::as_str).chain(others) {
        let error = addresses(model).await.expect_err(model);
        assert!(matches!(&error, SqlError::UnnamedToken { column, .. } if column == "address"), "{model}: {error}");
        assert_eq!(error.fault(), Fault::Config);
        assert_eq!(
            error.to_string(),
            "keep tokens in column `address` of `gold_addresses`: `goldify rotate-key` finds tokens by the names that `goldViews` \
             give them (`email_token`), and would leave these with the old key"
        );
    }
}

#[tokio::test]
async fn what_is_only_decided_or_counted_by_tokens_needs_no_name() {
    for address in [
        "lifecycle_stage",
        "email_domain_class",
        "token_key_id()",
        "CASE WHEN email_token IS NULL THEN 'no' ELSE 'yes' END",
        "FIRST_VALUE(lifecycle_stage) OVER (PARTITION BY email_token ORDER BY changed_at)",
    ] {
        let mails = "COUNT(email_token) OVER (PARTITION BY lifecycle_stage)";
        let model = format!("SELECT contact_id, {address} AS address, {mails} AS mails FROM silver_contacts_history");
        addresses(&model).await.expect(address);
    }
}
