//! Arguments when files are judged instead of a table of the lake.

use crate::args::EXAMPLES;
use lake_core::{Window, env};
use lake_edge::{InputVersion, Output};
use std::{ffi::OsString, path::PathBuf, str::FromStr};

/// Judge files by a table's contract, without a lake
///
/// All files together are judged as one table. The types are those of the contract: a value that cannot be read is a failed
/// rule and counts as null. Rules that need something which is not given are reported as not judged: other tables
/// (--reference), the end of a window (--window), and columns that Sluice adds (their names begin with `_`) where the files do
/// not have them. Comparisons with earlier windows need a lake.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "dq-check", version, after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(crate) struct FileArgs {
    /// Full name of the table, such as silver_orders
    pub(crate) table: String,

    /// Files to judge: .parquet, .csv with a header, .json (an array or lines), .jsonl, .ndjson
    #[arg(long = "input", value_name = "FILE", required = true, num_args = 1..)]
    pub(crate) inputs: Vec<PathBuf>,

    /// Rows of another table that rules need (repeatable)
    #[arg(long = "reference", value_name = "TABLE=FILE")]
    pub(crate) references: Vec<ReferenceFile>,

    /// Window at whose end ages are measured: a date, or FROM/TO with dates or instants
    #[arg(long)]
    pub(crate) window: Option<Window>,

    /// Directory of the contracts
    #[arg(long, env = env::LAKE_CONTRACTS, default_value = "contracts")]
    pub(crate) contracts: PathBuf,

    /// What stdout gets: lines for people, or one JSON line per finding and one for the whole
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

/// A file with rows of another table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReferenceFile {
    /// Full name of the table.
    pub(crate) table: String,
    /// The file.
    pub(crate) file: PathBuf,
}

impl FromStr for ReferenceFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((table, file)) if !table.is_empty() && !file.is_empty() => {
                Ok(Self { table: table.to_owned(), file: file.into() })
            }
            _ => Err(format!("`{text}` is not TABLE=FILE, such as silver_orders=orders.csv")),
        }
    }
}

/// Whether a command line names files: an `--input` is no TABLE@VERSION, or there is a `--reference`.
pub(crate) fn names_files(argv: &[OsString]) -> bool {
    let texts: Vec<&str> = argv.iter().map(|word| word.to_str().unwrap_or_default()).collect();
    let is_file = |value: &str| value.parse::<InputVersion>().is_err();
    texts.iter().enumerate().any(|(at, word)| match word.split_once('=') {
        Some(("--input", value)) => is_file(value),
        Some(("--reference", _)) => true,
        _ if *word == "--reference" => true,
        _ => *word == "--input" && texts.get(at + 1).is_some_and(|value| is_file(value)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory as _, Parser as _};

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn an_input_is_a_file_unless_it_is_a_version() {
        for files in [
            "dq-check silver_orders --input orders.csv",
            "dq-check silver_orders --input a.csv b.csv",
            "dq-check silver_orders --input=orders.csv",
            "dq-check --input silver_orders@1 --input silver_orders@ silver_orders",
            "dq-check silver_orders --reference silver_customers=c.csv",
            "dq-check silver_orders --reference=silver_customers=c.csv",
        ] {
            assert!(names_files(&words(files)), "{files}");
        }
        for lake in [
            "dq-check silver_orders --window 2017-12-30",
            "dq-check --input silver_orders@12 silver_orders --window 2017-12-30",
            "dq-check silver_orders --input=silver_orders@12 --window 2017-12-30",
            "dq-check --help",
            "dq-check silver_orders --input",
        ] {
            assert!(!names_files(&words(lake)), "{lake}");
        }
    }

    #[test]
    fn the_arguments_fit_together() {
        crate::Args::command().debug_assert();
        FileArgs::command().debug_assert();
    }

    #[test]
    fn files_and_references_may_be_many() {
        let line = "dq-check silver_orders --input a.csv b.csv --input c.json --reference x=d.csv --reference y=e=f.csv";
        let args = FileArgs::try_parse_from(words(line)).unwrap();
        assert_eq!(args.inputs, ["a.csv", "b.csv", "c.json"].map(PathBuf::from));
        assert_eq!(args.references[1], ReferenceFile { table: "y".into(), file: "e=f.csv".into() });
        assert!(FileArgs::try_parse_from(words("dq-check silver_orders --input a.csv --reference =d.csv")).is_err());
        assert!(FileArgs::try_parse_from(words("dq-check silver_orders --input a.csv --waive 3")).is_err());
    }
}
