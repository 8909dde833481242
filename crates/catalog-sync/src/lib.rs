//! Brings the Glue catalog up to the lake, so that Athena and Lake Formation see the tables as their Delta logs have them.
//!
//! One database per layer, one entry per table. Columns, types and partition keys come from the Delta schema; comments, owner
//! and classes of columns from the contract. What an entry should be and what is there are held against each other by a pure
//! function (`plan`); a write carries the version of the entry that was read, and is looked at again afterwards, so that two
//! calls at once end as one. Nothing is dropped without `--prune`.
//!
//! Not done here: grants and locations of Lake Formation, partitions (a Delta log knows them), statistics.

mod args;
mod entry;
mod error;
mod glue;
mod glue_error;
mod hive;
mod plan;
#[cfg(test)]
mod plan_tests;
mod report;
mod sync;
#[cfg(test)]
mod sync_tests;
#[cfg(test)]
mod testing;
mod wanted;

pub use args::Args;

use args::LayerName;
use glue::Glue;
use lake_core::{Contract, Exit, contract::ContractSet};
use lake_edge::{Attach as _, Console};
use lake_table::Lake;
use report::Report;
use std::{ffi::OsString, process::ExitCode};
use sync::LakeSync;

/// The program's whole `main`.
pub fn main(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    lake_edge::main_plain(argv, run)
}

/// Syncs what the arguments name and tells what became of each table.
///
/// # Errors
/// With the fault that tells who has to act.
pub async fn run(args: Args, console: Console) -> anyhow::Result<Exit> {
    let (contracts, _) = lake_edge::load_contracts(&args.contracts)?;
    let chosen = chosen(&args, &contracts)?;
    let lake = Lake::open(&args.lake).attach()?;
    let catalog = Glue::connect(&args).await;
    let sync = LakeSync {
        catalog: &catalog,
        lake: &lake,
        database_prefix: &args.database_prefix,
        prune: args.prune,
        dry_run: args.dry_run,
        whole: args.tables.is_empty(),
    };
    let mut report = Report::new(args.dry_run);
    if let Err(error) = sync.layers(&chosen, &mut report).await {
        report.fail(error);
    }
    report.tell(&console, args.output);
    report.failure().attach()?;
    Ok(Exit::Ok)
}

/// The layers to sync, each with its contracts.
fn chosen<'c>(args: &Args, contracts: &'c ContractSet) -> anyhow::Result<Vec<(LayerName, Vec<&'c Contract>)>> {
    for table in &args.tables {
        contracts.table(table).attach()?;
    }
    let is_named = |contract: &&Contract| args.tables.is_empty() || args.tables.contains(&contract.table);
    let of = |layer: LayerName| {
        let own = contracts.iter().filter(|contract| contract.layer.name() == layer.name()).filter(is_named);
        (layer, own.collect::<Vec<_>>())
    };
    let layers = LayerName::ALL.into_iter().filter(|layer| args.layers.is_empty() || args.layers.contains(layer));
    Ok(layers.map(of).filter(|(_, own)| args.tables.is_empty() || !own.is_empty()).collect())
}
