//! What contracts say of each other: inputs, routes, relationships, and no way back to where one started.

use super::{
    ColumnType, Contract, ContractError, ContractSet, Layer, TOKEN_KEY_ID, error::did_you_mean, sound::Problems, sound_silver,
};

/// Checks what contracts say of each other.
pub(super) fn validate(set: &ContractSet) -> Result<(), ContractError> {
    let mut errors = Vec::new();
    for contract in set.iter() {
        let mut problems = Problems::default();
        inputs(contract, set, &mut problems);
        sensitive(contract, set, &mut problems);
        tokens(contract, set, &mut problems);
        relationships(contract, set, &mut problems);
        queries(contract, set, &mut problems);
        errors.extend(problems.into_result(contract).err());
    }
    if errors.is_empty() {
        errors.extend(cycle(set));
    }
    ContractError::all(errors)
}

fn inputs(contract: &Contract, set: &ContractSet, problems: &mut Problems) {
    for name in contract.inputs() {
        let Some(source) = set.get(name) else {
            problems.add(format!("input `{name}` has no contract{}", nearest_table(name, set)));
            continue;
        };
        let allowed = match contract.layer {
            Layer::Bronze(_) => false,
            Layer::Silver(_) => !matches!(source.layer, Layer::Gold(_)),
            Layer::Gold(_) => !matches!(source.layer, Layer::Bronze(_)),
        };
        if !allowed {
            problems.add(format!("a {} table must not read `{name}`", contract.layer.name()));
        }
        if let Layer::Silver(silver) = &contract.layer {
            for input in silver.inputs.iter().filter(|input| input.table == name) {
                sound_silver::input(contract, silver, input, source, problems);
            }
        }
    }
}

/// A model names the sensitive columns that it reads, and no others.
fn sensitive(contract: &Contract, set: &ContractSet, problems: &mut Problems) {
    let Some(gold) = contract.gold() else { return };
    let inputs: Vec<&str> = gold.inputs.iter().map(String::as_str).collect();
    problems.distinct("sensitive column", gold.sensitive.iter().map(String::as_str));
    for name in &gold.sensitive {
        let Some((table, column)) = name.split_once('.') else {
            problems.add(format!("`sensitive` names `{name}`, which must be `table.column`"));
            continue;
        };
        problems.known("`sensitive`", "input", table, &inputs);
        let Some(source) = set.get(table).filter(|_| inputs.contains(&table)) else { continue };
        let known: Vec<&str> = source.columns.iter().filter(|c| c.sensitive()).map(|c| c.name.as_str()).collect();
        problems.known("`sensitive`", "sensitive column", column, &known);
    }
}

/// Tokens of different keys never meet unseen: the key's id stands beside them. Dates of a snapshot that are past cannot be made
/// again with another key.
fn tokens(contract: &Contract, set: &ContractSet, problems: &mut Problems) {
    let Some(gold) = contract.gold() else { return };
    let key = contract.column(TOKEN_KEY_ID);
    let tokens = set.token_columns(contract);
    match tokens.first() {
        Some(token) if key.is_none_or(|key| key.kind != ColumnType::String) => {
            problems
                .add(format!("column `{token}` holds tokens, so a column `{TOKEN_KEY_ID}` of type STRING must stand beside it"));
        }
        Some(token) if gold.snapshot.is_some() => {
            problems
                .add(format!("column `{token}` holds tokens, which a `snapshot` cannot keep: past dates would have an old key"));
        }
        None if key.is_some() => problems.add(format!(
            "column `{TOKEN_KEY_ID}` has no tokens beside it; a column of tokens keeps the name that `goldViews` gives it"
        )),
        _ => {}
    }
}

fn relationships(contract: &Contract, set: &ContractSet, problems: &mut Problems) {
    for relationship in &contract.document.schema[0].relationships {
        let Some((table, column)) = relationship.to.split_once('.') else {
            problems.add(format!("relationship to `{}` must be `table.column`", relationship.to));
            continue;
        };
        let Some(other) = set.get(table) else {
            problems.add(format!("relationship to unknown table `{table}`{}", nearest_table(table, set)));
            continue;
        };
        let Some(target) = other.column(column) else {
            let hint = did_you_mean(column, other.columns.iter().map(|c| c.name.as_str()));
            problems.add(format!("relationship to unknown column `{column}` of `{table}`{hint}"));
            continue;
        };
        let from = relationship.from.split_once('.').and_then(|(_, name)| contract.column(name));
        if let Some(from) = from.filter(|from| from.kind != target.kind) {
            let (here, there) = (from.kind, target.kind);
            problems.add(format!(
                "relationship from `{}` ({here}) to `{}` ({there}) compares different types",
                relationship.from, relationship.to
            ));
        }
    }
}

/// Tables that the queries of rules read.
fn queries(contract: &Contract, set: &ContractSet, problems: &mut Problems) {
    for (_, rule) in contract.rules() {
        for table in rule.reads().into_iter().filter(|table| set.get(table).is_none()) {
            problems.add(format!("rule `{}` reads unknown table `{table}`{}", rule.id, nearest_table(table, set)));
        }
    }
}

fn nearest_table(name: &str, set: &ContractSet) -> String {
    did_you_mean(name, set.iter().map(|contract| contract.table.as_str()))
}

/// The first way from a table through its inputs back to itself.
fn cycle(set: &ContractSet) -> Option<ContractError> {
    let ordered = set.in_dependency_order();
    let stuck = |table: &str| !ordered.iter().any(|done| done.table == table);
    let mut way = vec![set.iter().find(|contract| stuck(&contract.table))?];
    // Every stuck table has a stuck input, so the way ends where it meets itself.
    while let Some(next) =
        way.last().and_then(|last| last.inputs().into_iter().find(|name| stuck(name))).and_then(|name| set.get(name))
    {
        if let Some(start) = way.iter().position(|seen| seen.table == next.table) {
            let tables: Vec<&str> = way[start..].iter().chain([&next]).map(|c| c.table.as_str()).collect();
            let problem = format!("its inputs lead back to itself: {}", tables.join(" <- "));
            return Some(ContractError::Invalid { path: next.path.clone(), problem });
        }
        way.push(next);
    }
    None
}
