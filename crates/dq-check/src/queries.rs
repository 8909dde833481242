//! Asks the SQL of a contract's rules: each query answers one number over the tables that it declares.
//!
//! A query sees no personal column. One that no row can save is wrong with the contract and ends the run; what the rows answer,
//! or fail to answer, is a finding.

use anyhow::Context as _;
use lake_core::{Contract, Policy};
use lake_edge::Attach as _;
use lake_quality::Checks;
use lake_sql::{Rows, Session, rule};

/// What the queries of a contract may read.
pub(crate) struct Readable<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) contract: &'a Contract,
    /// Rows of the table itself: those that are judged.
    pub(crate) own: Rows,
    /// Other tables with their rows.
    pub(crate) others: Vec<(&'a Contract, Rows)>,
}

/// Runs every query and gives its answer to the rule.
pub(crate) async fn ask(readable: Readable<'_>, checks: &mut Checks) -> anyhow::Result<()> {
    let queries = checks.queries();
    if queries.is_empty() {
        return Ok(());
    }
    let mut session = Session::new(readable.policy, None).attach()?;
    session.register_for_rules(readable.contract, readable.own).attach()?;
    for (contract, rows) in readable.others {
        session.register_for_rules(contract, rows).attach()?;
    }
    for query in queries {
        if let Some(missing) = query.tables.iter().find(|table| !session.declares(table)) {
            checks.answer(&query.rule, Err(format!("table `{missing}` is not in this lake")));
            continue;
        }
        let answer = rule::answer(&session, &query.rule, &query.sql, &query.tables).await.attach();
        checks.answer(&query.rule, answer.with_context(|| format!("failed to run rule `{}`", query.rule))?);
    }
    Ok(())
}
