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

/// The parser appends "at line .., column .." or a path; the place is said once, by us.
fn plain_message(message: &str) -> String {
    let first = message.lines().next().unwrap_or(message);
    let cut = first.find(" at line ").unwrap_or(first.len());
    first[..cut].trim_start_matches("error: ").to_owned()
}

/// serde says ``unknown field `a`, expected one of `b`, `c` ``: the nearest of those is what was meant.
fn unknown_field_hint(problem: &str) -> String {
    let mut quoted = problem.split('`').skip(1).step_by(2);
    match (problem.starts_with("unknown"), quoted.next()) {
        (true, Some(given)) => did_you_mean(given, quoted),
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
