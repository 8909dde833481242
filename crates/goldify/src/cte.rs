//! `goldify show-cte`: the rows of one step of a model, over the inputs that its table is made from.

use crate::{CteArgs, PROGRAM, build::Build, error::GoldError};
use anyhow::Context as _;
use futures::TryStreamExt as _;
use lake_core::Exit;
use lake_edge::{Attach as _, Console};
use lake_table::{Lake, ParquetFileWriter, Table, TableSpec};
use std::sync::Arc;

/// The whole command.
pub(crate) async fn run(args: CteArgs, console: Console) -> anyhow::Result<Exit> {
    let CteArgs { table, cte, to, .. } = &args;
    let rows = show(&args, &console).await.with_context(|| format!("failed to show `{cte}` of `{table}`"))?;
    console.line(&format!("{rows} rows of `{cte}` are in {}", to.display()));
    Ok(Exit::Ok)
}

async fn show(args: &CteArgs, console: &Console) -> anyhow::Result<u64> {
    let (contracts, policy) = lake_edge::load_contracts(&args.place.contracts)?;
    let contract = contracts.table(&args.table).attach()?;
    let (Some(gold), Some(model)) = (contract.gold(), contract.model.as_deref()) else {
        return Err(GoldError::NoModel).attach();
    };
    // What a model may use and not show must not leave it by this door.
    if let Some(column) = gold.sensitive.first() {
        return Err(GoldError::SensitiveStep { column: column.clone() }).attach();
    }
    if lake_sql::hides_small_groups(model).attach()? {
        return Err(GoldError::SmallGroups).attach();
    }
    let asked = lake_sql::of_cte(model, &args.cte).attach()?;
    let lake = Lake::open(&args.place.lake).attach()?;
    let missing = || GoldError::NotBuilt { table: args.table.clone() };
    let table = Table::open(&lake, &TableSpec::of(contract)).await.attach()?.ok_or_else(missing).attach()?;
    let last = table.last_summary().await.attach()?.ok_or_else(missing).attach()?;
    let loaded = (Arc::new(contracts), policy);
    let edge = lake_edge::edge(&args.place.again(&last), loaded, PROGRAM, env!("CARGO_PKG_VERSION"), console.clone())?;
    let build = Build::again(&edge).await?;
    if !build.release.made(&last) {
        return Err(GoldError::OtherModel { table: args.table.clone() }).attach();
    }
    let session = build.session()?;
    let (schema, mut rows) = session.run_with_schema(&asked).await.attach()?;
    let mut file = ParquetFileWriter::create(&args.to, &schema).attach()?;
    while let Some(batch) = rows.try_next().await.attach()? {
        file.write(&batch).attach()?;
    }
    file.finish().attach()
}
