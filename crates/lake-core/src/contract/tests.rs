//! The contracts of this repository are sound, and what is wrong with a contract is said with its place.

use super::*;
use crate::Policy;

/// The repository's contracts: (path below `contracts/`, text, model).
fn repository() -> Vec<(PathBuf, String, Option<String>)> {
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
                let below = Path::new("contracts").join(path.strip_prefix(&root).unwrap());
                found.push((below, std::fs::read_to_string(&path).unwrap(), model));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_contract_of_the_repository_is_sound() {
    let contracts = repository().into_iter().map(|(path, text, model)| Contract::parse(&path, &text, model).unwrap_or_else(|e| panic!("{e}")));
    let set = ContractSet::new(contracts.collect()).unwrap_or_else(|e| panic!("{e}"));
    assert!(set.iter().count() >= 15);
}
