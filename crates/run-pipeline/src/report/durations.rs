//! How long the programs took, window by window.

use super::{
    history::{History, comparable},
    label,
};
use crate::graph::Graph;
use lake_core::Window;
use serde::Serialize;
use std::collections::BTreeMap;

/// Times of the programs.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Durations {
    /// In the order in which a day first needs them.
    programs: Vec<&'static str>,
    windows: Vec<WindowTimes>,
}

#[derive(Debug, Clone, Serialize)]
struct WindowTimes {
    window: String,
    milliseconds: BTreeMap<String, u64>,
}

/// Returns the times of a window and of those before it.
pub(super) fn of(history: &History, graph: &Graph, window: Window, windows_max: usize) -> Durations {
    let windows: Vec<WindowTimes> = comparable(history.milliseconds.keys().copied(), window, windows_max)
        .into_iter()
        .filter_map(|one| Some(WindowTimes { window: label(one), milliseconds: history.milliseconds.get(&one)?.clone() }))
        .collect();
    let mut programs: Vec<&'static str> = Vec::new();
    // The gate is no builder: it stands last.
    let (gates, mut builders): (Vec<_>, Vec<_>) = graph.steps.iter().partition(|step| step.work == crate::graph::Work::Check);
    let layers = ["bronze_", "silver_", "gold_"];
    builders.sort_by_key(|step| layers.iter().position(|layer| step.table.starts_with(layer)));
    for step in builders.into_iter().chain(gates) {
        let seen = windows.iter().any(|window| window.milliseconds.contains_key(step.program));
        if seen && !programs.contains(&step.program) {
            programs.push(step.program);
        }
    }
    Durations { programs, windows }
}
