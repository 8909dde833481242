//! Errors of contracts, each with the file, the place and what to do.

use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// Why a contract cannot be used. Always [`crate::Fault::Config`].
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// The YAML does not fit the model.
    #[error("read contract {}:{line}:{column}: {problem}{hint}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Column, from 1.
        column: u64,
        /// What is wrong.
        problem: String,
        /// Empty, or the nearest known key.
        hint: String,
    },
    /// The contract contradicts itself or another one.
    #[error("use contract {}: {problem}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Several problems.
    #[error("use the contracts:\n{}", .0.iter().map(|e| format!("  {e}")).collect::<Vec<_>>().join("\n"))]
    Many(Vec<ContractError>),
    /// No contract has this table.
    #[error("find a contract for table `{table}`{hint}")]
    UnknownTable {
        /// Name as given.
        table: String,
        /// Empty, or the nearest known name.
        hint: String,
    },
}

impl ContractError {
    /// Nothing, the one error, or all of them as one.
    pub(crate) fn all(mut errors: Vec<Self>) -> Result<(), Self> {
        match errors.len() {
            0 => Ok(()),
            1 => Err(errors.remove(0)),
            _ => Err(Self::Many(errors)),
        }
    }
}

impl crate::fault::Faulty for ContractError {
    fn fault(&self) -> crate::Fault {
        crate::Fault::Config
    }
}

/// Returns `; did you mean `x`?` for the nearest known name, or nothing when none is near.
pub fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(given, name), name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .min()
        .map_or_else(String::new, |(_, name)| format!("; did you mean `{name}`?"))
}

/// Parses YAML into a strict model and turns the parser's error into ours.
pub(crate) fn parse_yaml<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, ContractError> {
    serde_saphyr::from_str(text).map_err(|error| {
        let location = error.location();
        let problem = plain_message(&error.without_snippet().to_string());
        ContractError::Syntax {
            path: path.to_owned(),
            line: location.map_or(0, |at| at.line()),
            column: location.map_or(0, |at| at.column()),
            hint: unknown_field_hint(&problem),
            problem,
        }
    })
}

/// The parser appends "at line .., column .." and advice on its own options; the place is said once, by us.
fn plain_message(message: &str) -> String {
    let first = message.lines().next().unwrap_or(message);
    let end = [" at line ", ", set DuplicateKeyPolicy"].into_iter().filter_map(|tail| first.find(tail)).min();
    first[..end.unwrap_or(first.len())].trim_start_matches("error: ").to_owned()
}

/// The parser says ``unknown field `a`, expected one of b, c`` or ``unknown variant ...``: the nearest of those was meant.
fn unknown_field_hint(problem: &str) -> String {
    let given = problem.strip_prefix("unknown ").and_then(|rest| rest.split('`').nth(1));
    let known = problem.split_once(", expected ").map(|(_, known)| known.trim_start_matches("one of "));
    match (given, known) {
        (Some(given), Some(known)) => did_you_mean(given, known.split([',', ' ']).map(|name| name.trim_matches('`'))),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested() {
        assert_eq!(did_you_mean("pyhsicalName", ["physicalName", "name"]), "; did you mean `physicalName`?");
        assert_eq!(did_you_mean("colour", ["physicalName", "name"]), "");
    }
}
