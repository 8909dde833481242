//! What became of the rows, from layer to layer.

use super::{
    LAYERS,
    history::{Counted, History, comparable},
    in_order, label,
};
use lake_core::{
    Ledger, Window,
    contract::{ContractSet, Layer},
};
use serde::Serialize;
use std::collections::BTreeMap;

/// Rows of the window, and of windows before it.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Flow {
    layers: Vec<LayerRows>,
    tables: Vec<TableRows>,
    windows: Vec<WindowRows>,
}

#[derive(Debug, Clone, Serialize)]
struct LayerRows {
    name: &'static str,
    tables: usize,
    #[serde(flatten)]
    ledger: Ledger,
}

#[derive(Debug, Clone, Serialize)]
struct TableRows {
    name: String,
    layer: &'static str,
    #[serde(flatten)]
    ledger: Ledger,
}

#[derive(Debug, Clone, Serialize)]
struct WindowRows {
    window: String,
    layers: Vec<LayerRows>,
}

/// Returns the rows of a window and of those before it.
pub(super) fn of(history: &History, contracts: &ContractSet, window: Window, windows_max: usize) -> Flow {
    let none = BTreeMap::new();
    let tables = |window: &Window| tables(history.counted.get(window).unwrap_or(&none), contracts);
    let shown = tables(&window);
    let windows = comparable(history.counted.keys().copied(), window, windows_max);
    let windows = windows.into_iter().map(|one| WindowRows { window: label(one), layers: layers(&tables(&one)) }).collect();
    Flow { layers: layers(&shown), tables: shown, windows }
}

/// A Gold table is made anew by every run, so its newest commit has all its rows; elsewhere each commit has rows of its own.
fn tables(counted: &BTreeMap<String, Vec<Counted>>, contracts: &ContractSet) -> Vec<TableRows> {
    let rows = |contract: &lake_core::Contract| {
        let commits = counted.get(&contract.table)?;
        let ledger = if matches!(contract.layer, Layer::Gold(_)) {
            commits.iter().max_by_key(|commit| commit.version)?.ledger
        } else {
            sum(commits.iter().map(|commit| commit.ledger))
        };
        Some(TableRows { name: contract.table.clone(), layer: contract.layer.name(), ledger })
    };
    in_order(contracts).into_iter().filter_map(rows).collect()
}

fn layers(tables: &[TableRows]) -> Vec<LayerRows> {
    let of = |name: &'static str| {
        let own: Vec<Ledger> = tables.iter().filter(|table| table.layer == name).map(|table| table.ledger).collect();
        (!own.is_empty()).then(|| LayerRows { name, tables: own.len(), ledger: sum(own.iter().copied()) })
    };
    LAYERS.into_iter().filter_map(of).collect()
}

fn sum(ledgers: impl Iterator<Item = Ledger>) -> Ledger {
    let mut all = Ledger::default();
    ledgers.for_each(|ledger| all += ledger);
    all
}
