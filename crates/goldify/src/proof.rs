//! What must hold before a result is committed: its contract's rules, its ledger, its conserved sums.

use crate::{cut::Cut, error::GoldError};
use anyhow::Context as _;
use lake_core::{Contract, Fault, Ledger, mask::sha256_hex};
use lake_edge::Attach as _;
use lake_sql::{
    Built, Session,
    audit::{self, Finding},
    proof::{self, Balance},
    reads_as_of_date,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path};

/// The statements that stand beside a model.
#[derive(Debug)]
pub(crate) struct Proofs {
    ledger: Option<String>,
    balance: Option<String>,
}

/// What the proofs have found.
#[derive(Debug)]
pub(crate) struct Proof {
    /// Rows of all inputs that the contract accounts for.
    pub(crate) ledger: Ledger,
    /// Rows per input and conserved sums, for the summary.
    pub(crate) facts: BTreeMap<String, Value>,
}

impl Proofs {
    /// Reads the statements beside the contract.
    ///
    /// # Errors
    /// [`Fault::Config`] when the contract accounts for inputs and there is no ledger.
    pub(crate) fn beside(contract: &Contract) -> anyhow::Result<Self> {
        let read = |name: &str| {
            let path = contract.path.with_file_name(name);
            if path.exists() { text(&path).map(Some) } else { Ok(None) }
        };
        let proofs = Self { ledger: read("ledger.sql")?, balance: read("balance.sql")? };
        let accounts = contract.gold().is_some_and(|gold| !gold.accounts_for.is_empty());
        if accounts && proofs.ledger.is_none() {
            return Err(GoldError::NoLedger).attach();
        }
        Ok(proofs)
    }

    /// Whether some statement of the table asks for the date as of which it sees the world: the model or one of these.
    ///
    /// # Errors
    /// For what is not one query.
    pub(crate) fn read_as_of_date(&self, contract: &Contract) -> anyhow::Result<bool> {
        let statements = [&contract.model, &self.ledger, &self.balance].into_iter().flatten();
        let asked: Result<Vec<bool>, _> = statements.map(|sql| reads_as_of_date(sql)).collect();
        Ok(asked.attach()?.contains(&true))
    }

    /// Hash of the statements.
    pub(crate) fn hash(&self) -> String {
        let parts = [&self.ledger, &self.balance].map(|sql| sql.as_deref().unwrap_or_default());
        sha256_hex(parts.join("\n--\n").as_bytes())
    }

    /// Checks a result.
    ///
    /// # Errors
    /// [`Fault::Data`] when a rule fails, a row is not accounted for, or a sum is not conserved; [`Fault::Config`] for
    /// statements that cannot be run.
    pub(crate) async fn check(
        &self,
        session: &mut Session,
        contract: &Contract,
        built: &Built,
        cut: &Cut,
    ) -> anyhow::Result<Proof> {
        proof::declare(session, contract, built).attach()?;
        of_one_date(session, contract, built).await?;
        let findings = audit::audit(session, contract, built).await.attach().context("failed to audit the result")?;
        forbidden(&findings)?;
        let ledgers = self.ledgers(session, contract, built, cut).await?;
        let balances = match &self.balance {
            Some(sql) => proof::balance(session, sql).await.attach()?,
            None => Vec::new(),
        };
        conserved(&balances)?;
        let mut ledger = Ledger::default();
        ledgers.values().for_each(|one| ledger += *one);
        let mut facts = BTreeMap::new();
        facts.insert("ledger".to_owned(), json!(ledgers));
        facts.insert("rows".to_owned(), json!(built.accepted.rows()));
        facts.insert("quarantined_rows".to_owned(), json!(built.rejected.as_ref().map_or(0, lake_sql::Spill::rows)));
        let sums: BTreeMap<_, _> = balances.into_iter().map(|balance| (balance.measure, balance.found)).collect();
        facts.insert("conserved".to_owned(), json!(sums));
        Ok(Proof { ledger, facts })
    }

    async fn ledgers(
        &self,
        session: &Session,
        contract: &Contract,
        built: &Built,
        cut: &Cut,
    ) -> anyhow::Result<BTreeMap<String, Ledger>> {
        let accounted: Vec<&str> = contract.gold().into_iter().flat_map(|gold| &gold.accounts_for).map(String::as_str).collect();
        let Some(sql) = self.ledger.as_ref().filter(|_| !accounted.is_empty()) else {
            // A table without inputs accounts for the rows that its model makes.
            let made = session.count(contract.model.as_deref().unwrap_or_default()).await.attach()?;
            let ledger = Ledger { read: made, accepted: built.accepted.rows(), ..Ledger::default() };
            balanced(&contract.table, &ledger)?;
            return Ok(BTreeMap::from([(contract.table.clone(), ledger)]));
        };
        let mut ledgers = proof::ledger(session, sql).await.attach()?;
        if let Some(other) = ledgers.keys().find(|input| !accounted.contains(&input.as_str())) {
            return Err(GoldError::Unaccounted { input: other.clone() }).attach();
        }
        for input in accounted {
            let ledger = ledgers.entry(input.to_owned()).or_default();
            ledger.read = cut.tables().get(input).map_or(0, |table| table.rows());
            balanced(input, ledger)?;
        }
        Ok(ledgers)
    }
}

/// Rows of a snapshot are all of the run's date, and rows that break a rule would have no place: quarantine holds one state.
async fn of_one_date(session: &Session, contract: &Contract, built: &Built) -> anyhow::Result<()> {
    let Some(column) = contract.gold().and_then(|gold| gold.snapshot.as_ref()) else { return Ok(()) };
    if built.rejected.is_some() {
        return Err(GoldError::SnapshotRules).attach();
    }
    let others = format!("SELECT {column} FROM {} WHERE {column} IS DISTINCT FROM as_of_date()", contract.table);
    match session.count(&others).await.attach()? {
        0 => Ok(()),
        rows => Err(GoldError::OtherDates { rows, column: column.clone() }).attach(),
    }
}

fn forbidden(findings: &[Finding]) -> anyhow::Result<()> {
    for finding in findings.iter().filter(|finding| !finding.passed && !finding.forbids()) {
        tracing::warn!(rule = finding.rule, measured = finding.measured, "rule fails without forbidding the commit");
    }
    let broken: Vec<String> =
        findings.iter().filter(|f| f.forbids()).map(|f| format!("`{}` (measured {})", f.rule, f.measured)).collect();
    if broken.is_empty() {
        return Ok(());
    }
    Err(GoldError::Broken { rules: broken.join(", ") }).attach()
}

fn balanced(input: &str, ledger: &Ledger) -> anyhow::Result<()> {
    ledger.balanced().map_err(|imbalance| GoldError::Unbalanced { input: input.to_owned(), imbalance }).attach()
}

fn conserved(balances: &[Balance]) -> anyhow::Result<()> {
    let broken: Vec<String> = balances
        .iter()
        .filter(|balance| !balance.holds())
        .map(|balance| format!("{} is {} instead of {}", balance.measure, balance.found, balance.expected))
        .collect();
    if broken.is_empty() { Ok(()) } else { Err(GoldError::Unconserved { sums: broken.join("; ") }).attach() }
}

fn text(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display())).context(Fault::Config)
}
