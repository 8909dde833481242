//! Runs every case of every Gold model: `contracts/gold/<table>/tests/<case>/`.
//!
//! | file | says |
//! |---|---|
//! | `given.<table>.csv` | rows of an input; columns that it does not have are null, an empty field is null |
//! | `expect.csv` | rows of the result in the order of the key; columns that it does not have are not compared |
//! | `expect.quarantine.csv` | the same of the rejected rows; absent: there are none |
//! | `expect.ledger.csv` | `input,bucket,rows`; absent: only the balance is checked |
//! | `query.sql` | what of the result is compared; absent: all |
//! | `policy.yaml` | a policy of the case's own |
//! | `window` | the window of the run, which tells `as_of_date()`; absent: 2017-12-30 |
//! | `why.md` | for people: the arithmetic |
//!
//! Every case also passes the contract's audit, and its ledger and sums balance.

#![expect(clippy::unwrap_used, reason = "test code panics rather than returning errors")]

use arrow::{
    array::{Array as _, ArrayRef, AsArray as _, RecordBatch, StringArray},
    compute::{CastOptions, cast_with_options, concat_batches},
    datatypes::{Field, Float64Type, Schema, SchemaRef},
    util::display::{ArrayFormatter, FormatOptions},
};
use lake_core::{
    Contract, Ledger, Policy, Secret, Window,
    contract::{ContractSet, Layer},
    mask::TokenKey,
};
use lake_sql::{Built, Rows, Session, audit, proof};
use libtest_mimic::{Arguments, Failed, Trial};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

const TOKEN_KEY: &str = r#"{"key_id":"test","key":"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"}"#;

fn main() -> std::process::ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts");
    let contracts = Arc::new(load(&root));
    let mut trials = Vec::new();
    for contract in contracts.iter().filter(|c| matches!(c.layer, Layer::Gold(_))) {
        let mut cases = folders(&contract.path.with_file_name("tests"));
        // Fixtures of the quality rules, which are no cases of the model.
        cases.retain(|case| !case.ends_with("quality"));
        let (whole, table) = (cases.clone(), contract.table.clone());
        trials.push(Trial::test(format!("{table}::some_case_compares_every_column"), {
            let contract = contract.clone();
            move || every_column_is_compared(&contract, &whole)
        }));
        for case in cases {
            let name = case.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let (contracts, table) = (contracts.clone(), table.clone());
            trials.push(Trial::test(format!("{table}::{name}"), move || run(&contracts, &table, &case)));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn run(contracts: &ContractSet, table: &str, case: &Path) -> Result<(), Failed> {
    let contract = contracts.table(table)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(check(contracts, contract, case))
}

async fn check(contracts: &ContractSet, contract: &Contract, case: &Path) -> Result<(), Failed> {
    let policy = policy(&contract.path, case)?;
    let key = TokenKey::parse(&Secret::new(TOKEN_KEY.to_owned()))?;
    let mut session = Session::new(&policy, Some(&key))?;
    session.allow(contract.gold().map_or(&[], |gold| &gold.sensitive));
    session.set_as_of_date(policy.as_of_date(window(case)?));
    let mut read = BTreeMap::new();
    for input in contract.inputs() {
        let (schema, rows) = given(contracts.table(input)?, &case.join(format!("given.{input}.csv")))?;
        read.insert(input.to_owned(), rows.num_rows() as u64);
        session.register(contracts.table(input)?, Rows::Memory(schema, vec![rows]))?;
    }
    let built = lake_sql::build(&session, contract).await?;
    proof::declare(&mut session, contract, &built)?;
    compare_result(&session, contract, &built, case).await?;
    for finding in audit::audit(&session, contract, &built).await? {
        // A case may come to nothing, which a table in use must not.
        if finding.forbids() && finding.rule != "table_empty" {
            return Err(format!("rule `{}` fails: measured {}", finding.rule, finding.measured).into());
        }
    }
    proofs(&session, contract, &read, case).await
}

async fn compare_result(session: &Session, contract: &Contract, built: &Built, case: &Path) -> Result<(), Failed> {
    let query = std::fs::read_to_string(case.join("query.sql")).ok();
    let found = match query {
        Some(query) => session.rows(&query).await?,
        None => built.accepted.read()?.collect::<Result<Vec<_>, _>>()?,
    };
    compare("expect.csv", &case.join("expect.csv"), &found, built.accepted.schema())?;
    let Some(rejected) = &built.rejected else { return Ok(()) };
    let path = case.join("expect.quarantine.csv");
    match (path.exists(), rejected.rows()) {
        (false, 0) => Ok(()),
        (false, rows) => Err(format!("{rows} rows are in quarantine of {}", contract.table).into()),
        (true, _) => {
            compare("expect.quarantine.csv", &path, &rejected.read()?.collect::<Result<Vec<_>, _>>()?, rejected.schema())
        }
    }
}

async fn proofs(session: &Session, contract: &Contract, read: &BTreeMap<String, u64>, case: &Path) -> Result<(), Failed> {
    if let Ok(sql) = std::fs::read_to_string(contract.path.with_file_name("balance.sql")) {
        for balance in proof::balance(session, &sql).await? {
            if !balance.holds() {
                return Err(format!("{}: expected {}, found {}", balance.measure, balance.expected, balance.found).into());
            }
        }
    }
    let Ok(sql) = std::fs::read_to_string(contract.path.with_file_name("ledger.sql")) else { return Ok(()) };
    let mut ledgers = proof::ledger(session, &sql).await?;
    for (input, ledger) in &mut ledgers {
        ledger.read = read.get(input).copied().unwrap_or(0);
        ledger.balanced().map_err(|e| format!("{input}: {e}"))?;
    }
    let path = case.join("expect.ledger.csv");
    if !path.exists() {
        return Ok(());
    }
    let expected: BTreeSet<String> = lines(&path)?.into_iter().map(|line| line.join(" ")).collect();
    let found: BTreeSet<String> = ledgers.iter().flat_map(|(input, ledger)| buckets(input, ledger)).collect();
    if expected == found { Ok(()) } else { Err(format!("ledger: expected {expected:?}, found {found:?}").into()) }
}

fn buckets(input: &str, ledger: &Ledger) -> Vec<String> {
    [
        ("accepted", ledger.accepted),
        ("quarantined", ledger.quarantined),
        ("duplicate", ledger.duplicate),
        ("superseded", ledger.superseded),
        ("filtered", ledger.filtered),
    ]
    .into_iter()
    .filter(|(_, rows)| *rows > 0)
    .map(|(bucket, rows)| format!("{input} {bucket} {rows}"))
    .collect()
}

/// Compares rows with a file, in its columns and its order.
fn compare(name: &str, path: &Path, found: &[RecordBatch], schema: &SchemaRef) -> Result<(), Failed> {
    let schema = found.first().map_or_else(|| schema.clone(), RecordBatch::schema);
    let found = concat_batches(&schema, found)?;
    let expected = typed(path, &schema)?;
    let columns: Vec<String> = expected.schema().fields().iter().map(|f| f.name().clone()).collect();
    let mut actual = Vec::new();
    for column in &columns {
        actual.push(
            found.column_by_name(column).ok_or_else(|| format!("{name} has column `{column}`, the result does not"))?.clone(),
        );
    }
    let (expected, actual) = (texts(expected.columns())?, texts(&actual)?);
    let mut differences: Vec<String> = Vec::new();
    for at in 0..expected.len().max(actual.len()) {
        match (expected.get(at), actual.get(at)) {
            (Some(one), Some(other)) if one == other => {}
            (one, other) => {
                differences.extend(one.map(|row| format!("- {}", row.join(","))));
                differences.extend(other.map(|row| format!("+ {}", row.join(","))));
            }
        }
    }
    if differences.is_empty() {
        Ok(())
    } else {
        Err(format!("{name} differs:\n  {}\n{}", columns.join(","), differences.join("\n")).into())
    }
}

fn texts(columns: &[ArrayRef]) -> Result<Vec<Vec<String>>, Failed> {
    let options = FormatOptions::new().with_null("");
    let formatters: Result<Vec<_>, _> = columns.iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options)).collect();
    let formatters = formatters?;
    let rows = columns.first().map_or(0, |column| column.len());
    let text = |row: usize, at: usize| match columns[at].as_primitive_opt::<Float64Type>() {
        // A double's last digits are the engine's; a ratio is told by its first twelve.
        Some(doubles) if doubles.is_valid(row) => format!("{:.11e}", doubles.value(row)),
        _ => formatters[at].value(row).to_string(),
    };
    Ok((0..rows).map(|row| (0..columns.len()).map(|at| text(row, at)).collect()).collect())
}

/// Reads an input's rows with its contract's types.
fn given(contract: &Contract, path: &Path) -> Result<(SchemaRef, RecordBatch), Failed> {
    let fields: Vec<Field> = contract.columns.iter().map(|c| Field::new(&c.name, lake_table::arrow_type(c.kind), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    if !path.exists() {
        return Ok((schema.clone(), RecordBatch::new_empty(schema)));
    }
    let some = typed(path, &schema)?;
    let whole = |field: &Arc<Field>| match some.column_by_name(field.name()) {
        Some(column) => column.clone(),
        None => arrow::array::new_null_array(field.data_type(), some.num_rows()),
    };
    let columns = schema.fields().iter().map(whole).collect();
    Ok((schema.clone(), RecordBatch::try_new(schema, columns)?))
}

/// Reads a file's columns with the types of a schema.
fn typed(path: &Path, schema: &SchemaRef) -> Result<RecordBatch, Failed> {
    let mut reader = csv::ReaderBuilder::new().from_path(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let names: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
    let rows = lines(path)?;
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (at, name) in names.iter().enumerate() {
        let field = schema.field_with_name(name).map_err(|_| format!("{}: there is no column `{name}`", path.display()))?;
        let values = rows.iter().map(|row| Some(row[at].as_str()).filter(|text| !text.is_empty()));
        let text: ArrayRef = Arc::new(values.collect::<StringArray>());
        columns
            .push(cast_with_options(&text, field.data_type(), &strict).map_err(|e| format!("{}: {name}: {e}", path.display()))?);
        fields.push(field.clone());
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

fn lines(path: &Path) -> Result<Vec<Vec<String>>, Failed> {
    let mut reader = csv::ReaderBuilder::new().from_path(path)?;
    let records: Result<Vec<_>, _> = reader.records().collect();
    Ok(records.map_err(|e| format!("{}: {e}", path.display()))?.iter().map(|r| r.iter().map(str::to_owned).collect()).collect())
}

fn every_column_is_compared(contract: &Contract, cases: &[PathBuf]) -> Result<(), Failed> {
    let own: BTreeSet<&str> = contract.columns.iter().map(|c| c.name.as_str()).filter(|name| !name.starts_with('_')).collect();
    let complete = cases.iter().any(|case| {
        let header =
            csv::ReaderBuilder::new().from_path(case.join("expect.csv")).and_then(|mut reader| reader.headers().cloned());
        header.is_ok_and(|header| own.iter().all(|name| header.iter().any(|column| column == *name)))
    });
    if complete { Ok(()) } else { Err("no case's expect.csv has every column of the contract".into()) }
}

fn policy(contract: &Path, case: &Path) -> Result<Policy, Failed> {
    let own = case.join("policy.yaml");
    let path = if own.exists() { own } else { contract.ancestors().nth(3).unwrap_or(contract).join("policy.yaml") };
    Ok(Policy::parse(&path, &std::fs::read_to_string(&path)?)?)
}

fn window(case: &Path) -> Result<Window, Failed> {
    let path = case.join("window");
    let text = if path.exists() { std::fs::read_to_string(path)? } else { "2017-12-30".to_owned() };
    Ok(text.trim().parse()?)
}

fn load(root: &Path) -> ContractSet {
    let mut contracts = Vec::new();
    for folder in ["bronze", "silver", "gold"]
        .into_iter()
        .flat_map(|layer| folders(&root.join(layer)).into_iter().chain([root.join(layer)]))
    {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.to_string_lossy().ends_with(".odcs.yaml") {
                let model = std::fs::read_to_string(path.with_file_name("model.sql")).ok();
                contracts.push(Contract::parse(&path, &std::fs::read_to_string(&path).unwrap(), model).unwrap());
            }
        }
    }
    ContractSet::new(contracts).unwrap()
}

fn folders(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root).into_iter().flatten();
    let mut folders: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}
