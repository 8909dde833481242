//! Reads contracts and policy from their directory.

use crate::Attach as _;
use anyhow::{Context as _, anyhow};
use lake_core::{
    Contract, Fault, Policy,
    contract::{ContractError, ContractSet},
};
use std::path::{Path, PathBuf};

/// Reads all contracts under a directory (`bronze/*.odcs.yaml`, `silver/*/contract.odcs.yaml`, `gold/*/contract.odcs.yaml`)
/// and `policy.yaml`, and checks every reference between them.
///
/// # Errors
/// [`Fault::Config`] with file, line and what to do.
pub fn load_contracts(directory: &Path) -> anyhow::Result<(ContractSet, Policy)> {
    let policy_path = directory.join("policy.yaml");
    let policy = Policy::parse(&policy_path, &read(&policy_path)?).attach()?;
    let (mut contracts, mut broken) = (Vec::new(), Vec::new());
    for path in contract_files(directory)? {
        let model = path.with_file_name("model.sql");
        let model = if model.exists() { Some(read(&model)?) } else { None };
        match Contract::parse(&path, &read(&path)?, model) {
            Ok(contract) => contracts.push(contract),
            Err(error) => broken.push(error),
        }
    }
    // All problems at once: a person mends them in one go.
    if broken.len() > 1 {
        return Err(ContractError::Many(broken)).attach();
    }
    if let Some(error) = broken.pop() {
        return Err(error).attach();
    }
    if contracts.is_empty() {
        return Err(anyhow!("failed to find contracts in {}", directory.display()).context(Fault::Config));
    }
    let contracts = ContractSet::new(contracts).attach()?;
    policy.permits(&contracts).attach()?;
    Ok((contracts, policy))
}

fn contract_files(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for layer in ["bronze", "silver", "gold"] {
        let mut pending = vec![directory.join(layer)];
        while let Some(folder) = pending.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for entry in entries {
                let path = entry.with_context(|| format!("failed to list {}", folder.display())).context(Fault::Config)?.path();
                if path.is_dir() {
                    pending.push(path);
                } else if path.to_string_lossy().ends_with(".odcs.yaml") {
                    files.push(path);
                }
            }
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display())).context(Fault::Config)
}
