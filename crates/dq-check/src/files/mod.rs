//! Judges files by a contract, without a lake: for people who were sent some, and for the fixtures beside the contracts.
//!
//! The rules are the same as for a table. Rules that need something which was not given are reported as not judged, and what
//! the files themselves do not say (a value that cannot be read, a column that is not there) is a failed rule of its own.
//!
//! Not done here: verdicts, and what only verdicts can tell (what is usual). Nothing is recorded.

mod args;
mod csv;
mod json;
mod parquet;
mod sink;
mod typed;
mod unsaid;

pub(crate) use args::{FileArgs, ReferenceFile, names_files};

use crate::{
    error::DqError,
    queries::{self, Readable},
    text::{self, Shown},
};
use anyhow::{Context as _, anyhow};
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use chrono::DateTime;
use lake_core::{
    Contract, Exit, Fault, Policy, Window,
    contract::{ContractSet, error::did_you_mean},
};
use lake_edge::{Attach as _, Bar, Console, Output};
use lake_quality::{Checks, Need, Report, State};
use lake_sql::{Rows, Session};
use lake_table::TableSpec;
use sink::{Seen, Sink, Take};
use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

/// What is asked.
pub(crate) struct Question<'a> {
    pub(crate) contracts: &'a ContractSet,
    pub(crate) contract: &'a Contract,
    pub(crate) policy: &'a Policy,
    pub(crate) inputs: &'a [PathBuf],
    pub(crate) references: &'a [ReferenceFile],
    pub(crate) window: Option<Window>,
    pub(crate) bar: &'a Bar,
}

/// Judges files and prints what was found.
pub(crate) async fn run(args: FileArgs, console: Console) -> anyhow::Result<Exit> {
    let (contracts, policy) = lake_edge::load_contracts(&args.contracts)?;
    let contract = contracts.table(&args.table).attach()?;
    let files = args.inputs.iter().chain(args.references.iter().map(|reference| &reference.file));
    let bytes = files.filter_map(|file| file.metadata().ok()).map(|found| found.len()).sum();
    let bar = console.progress(&contract.table, Some(bytes));
    let question = Question {
        contracts: &contracts,
        contract,
        policy: &policy,
        inputs: &args.inputs,
        references: &args.references,
        window: args.window,
        bar: &bar,
    };
    let report = judge(&question).await?;
    bar.done();
    let shown =
        Shown { table: &contract.table, version: None, place: place(&args.inputs), report: &report, score: report.score() };
    match args.output {
        Output::Text => shown.table(if report.passed() { "passed" } else { "failed" }).iter().for_each(|line| console.line(line)),
        Output::Json => {
            shown.json_lines().iter().for_each(|line| console.line(line));
            console.line(&text::files_line(&shown, &contract.reference(), &args.inputs).to_string());
        }
    }
    let failed = text::names(&report);
    if failed.is_empty() {
        return Ok(Exit::Ok);
    }
    let rules = report.count(State::Judged);
    Err(DqError::Files { table: contract.table.clone(), failed: failed.len(), rules, names: failed.join(", ") }).attach()
}

fn place(inputs: &[PathBuf]) -> String {
    match inputs {
        [one] => format!("in {}", one.display()),
        many => format!("in {} files", many.len()),
    }
}

/// Judges files.
pub(crate) async fn judge(question: &Question<'_>) -> anyhow::Result<Report> {
    let contract = question.contract;
    let end = question.window.map_or(DateTime::UNIX_EPOCH, |window| window.to());
    let mut checks = Checks::of(contract, end);
    if question.window.is_none() {
        checks.leave_out(Need::Instant, "give --window, at whose end ages are measured");
    }
    let others = others(question, &mut checks)?;
    // Queries read the rows again, so these are kept on the local disk, however many they are.
    let session = Session::new(question.policy, None).attach()?;
    let mut spill = match checks.queries().is_empty() {
        true => None,
        false => Some(session.spill(&TableSpec::of(contract).schema).attach()?),
    };
    let mut seen = Seen::default();
    for input in question.inputs {
        let mut take = |batch: &RecordBatch| {
            if let Some(spill) = &mut spill {
                spill.write(batch).attach()?;
            }
            let batch = std::slice::from_ref(batch);
            checks.observe_ages_batches(batch).attach()?;
            checks.observe_batches(batch).attach()
        };
        read(input, contract, &mut seen, question.bar, &mut take)?;
    }
    unsaid::leave_out(contract, &seen, &mut checks);
    if let Some(spill) = spill {
        let own = Rows::Spill(spill.finish().attach()?);
        queries::ask(Readable { policy: question.policy, contract, own, others }, &mut checks).await?;
    }
    let mut report = checks.finish();
    report.findings.splice(0..0, unsaid::findings(contract, &seen));
    Ok(report)
}

/// Reads the reference files and gives the rules what they refer to; what is not given is not judged.
fn others<'a>(question: &Question<'a>, checks: &mut Checks) -> anyhow::Result<Vec<(&'a Contract, Rows)>> {
    let needed = question.contract.referenced_tables();
    let mut given: BTreeMap<&str, (&Contract, SchemaRef, Vec<RecordBatch>)> = BTreeMap::new();
    for reference in question.references {
        let table = reference.table.as_str();
        if !needed.contains(&table) {
            let hint = did_you_mean(table, needed.iter().copied());
            let text = format!("failed to use --reference {table}=...: no rule of `{}` needs it{hint}", question.contract.table);
            return Err(anyhow!(text).context(Fault::Config));
        }
        let contract = question.contracts.table(table).attach()?;
        let mut seen = Seen::default();
        let rows = given.entry(table).or_insert_with(|| (contract, TableSpec::of(contract).schema, Vec::new()));
        let mut take = |batch: &RecordBatch| {
            rows.2.push(batch.clone());
            Ok(())
        };
        read(&reference.file, contract, &mut seen, question.bar, &mut take)?;
        if let Some(problem) = unsaid::problem(&seen) {
            return Err(DqError::Reference { table: table.to_owned(), file: reference.file.clone(), problem }).attach();
        }
        for (name, column) in checks.references() {
            if name == table && !seen.present.contains(&column) {
                checks.withhold(table, &format!("`{table}.{column}` is not in {}", reference.file.display()));
            }
        }
    }
    for table in needed.into_iter().filter(|table| !given.contains_key(table)) {
        checks.leave_out(Need::Table(table), &format!("give --reference {table}=FILE"));
    }
    for (table, column) in checks.references() {
        let Some((_, schema, batches)) = given.get(table.as_str()) else { continue };
        let at = schema.index_of(&column)?;
        let column_alone: Result<Vec<_>, _> = batches.iter().map(|batch| batch.project(&[at])).collect();
        checks.provide_batches(&table, &column, &column_alone?).attach()?;
    }
    Ok(given.into_values().map(|(contract, schema, batches)| (contract, Rows::Memory(schema, batches))).collect())
}

/// Reads one file, in the format that its name says.
fn read(path: &Path, contract: &Contract, seen: &mut Seen, bar: &Bar, take: &mut Take<'_>) -> anyhow::Result<()> {
    let shown = path.display();
    let failed = || format!("failed to read {shown}");
    let kind = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_ascii_lowercase();
    if !["csv", "json", "jsonl", "ndjson", "parquet"].contains(&kind.as_str()) {
        let text = format!(
            "failed to read {shown}: its name must end in .parquet, .csv, .json, .jsonl or .ndjson (a version is TABLE@VERSION)"
        );
        return Err(anyhow!(text).context(Fault::Config));
    }
    let file = File::open(path).with_context(failed).context(Fault::Config)?;
    let bytes = file.metadata().map_or(0, |found| found.len());
    let mut sink = Sink::new(contract, seen, bar, take);
    match kind.as_str() {
        "parquet" => parquet::read(file, &shown.to_string(), bytes, &mut sink),
        "csv" => csv::read(Counted { file, bar }, &mut sink),
        _ => json::read(Counted { file, bar }, &mut sink),
    }
    .with_context(failed)
}

/// A file that moves the bar.
struct Counted<'a> {
    file: File,
    bar: &'a Bar,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.bar.inc(read as u64);
        Ok(read)
    }
}
