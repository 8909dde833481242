use super::derivation;
use lake_core::{
    Contract, Policy,
    contract::{ContractSet, Layer},
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
