//! Who is made from whom: tables, or columns.

use lake_core::{
    Policy,
    contract::{ContractSet, Layer},
    lineage::{self, Derivation, Origins, dataset::source_label},
};
use lake_edge::Attach as _;
use serde::Serialize;
use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
};

/// A table, a source, or a column of one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Node {
    pub(crate) table: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) column: Option<String>,
}

impl Node {
    pub(crate) fn table(name: &str) -> Self {
        Self { table: name.to_owned(), column: None }
    }

    pub(crate) fn column(table: &str, column: &str) -> Self {
        Self { table: table.to_owned(), column: Some(column.to_owned()) }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.column {
            Some(column) => write!(f, "{}.{column}", self.table),
            None => f.write_str(&self.table),
        }
    }
}

/// One is made from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Step {
    pub(crate) from: Node,
    pub(crate) to: Node,
    /// How, for columns: `IDENTITY`, `TRANSFORMATION masked`, ...
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ways: Vec<String>,
}

/// All steps.
#[derive(Debug, Default)]
pub(crate) struct Graph(BTreeSet<Step>);

/// Where to go from a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// To what it is made from.
    Up,
    /// To what it goes into.
    Down,
}

impl Graph {
    /// Tables and sources, as the contracts name them.
    pub(crate) fn of_tables(contracts: &ContractSet) -> Self {
        let mut steps = BTreeSet::new();
        for contract in contracts.iter() {
            let source = contract.bronze().map(|bronze| source_label(&bronze.source));
            let inputs = contract.inputs().into_iter().map(str::to_owned).chain(source);
            let to = Node::table(&contract.table);
            steps.extend(inputs.map(|input| Step { from: Node::table(&input), to: to.clone(), ways: Vec::new() }));
        }
        Self(steps)
    }

    /// Columns, as contracts and models make them; with `indirect` also those that only decide.
    pub(crate) async fn of_columns(contracts: &ContractSet, policy: &Policy, indirect: bool) -> anyhow::Result<Self> {
        let mut graph = Self::default();
        for contract in contracts.iter() {
            let made = match &contract.layer {
                Layer::Gold(_) => lake_sql::derivation(contracts, policy, contract).await.attach()?,
                Layer::Bronze(_) | Layer::Silver(_) => lineage::derivation(contract, contracts).unwrap_or_default(),
            };
            graph.take(&contract.table, &made, indirect);
        }
        Ok(graph)
    }

    fn take(&mut self, table: &str, made: &Derivation, indirect: bool) {
        for (column, origins) in &made.columns {
            let mut all = origins.clone();
            if indirect {
                all.add(made.rows.clone());
            }
            self.0.extend(steps(&Node::column(table, column), &all, indirect));
        }
    }

    /// Steps that lead from a node in a direction.
    pub(crate) fn next(&self, node: &Node, direction: Direction) -> Vec<&Step> {
        let near = |step: &&Step| match direction {
            Direction::Up => step.to == *node,
            Direction::Down => step.from == *node,
        };
        self.0.iter().filter(near).collect()
    }

    /// All steps that lead from a node in a direction, near ones first.
    pub(crate) fn reach(&self, start: &Node, direction: Direction) -> Vec<&Step> {
        let (mut found, mut seen) = (Vec::new(), BTreeSet::from([start.clone()]));
        let mut waiting = VecDeque::from([start.clone()]);
        while let Some(node) = waiting.pop_front() {
            for step in self.next(&node, direction) {
                found.push(step);
                let far = step.far(direction);
                if seen.insert(far.clone()) {
                    waiting.push_back(far.clone());
                }
            }
        }
        found
    }
}

impl Step {
    /// The end that a direction leads to.
    pub(crate) const fn far(&self, direction: Direction) -> &Node {
        match direction {
            Direction::Up => &self.from,
            Direction::Down => &self.to,
        }
    }
}

fn steps(to: &Node, origins: &Origins, indirect: bool) -> Vec<Step> {
    let step = |(field, ways): (&lineage::Field, &BTreeSet<lineage::Transformation>)| {
        let told = ways.iter().filter(|way| indirect || way.usage.direct());
        let told: Vec<String> = told.map(way).collect();
        let from = Node::column(&field.table, &field.column);
        (!told.is_empty()).then(|| Step { from, to: to.clone(), ways: told })
    };
    origins.iter().filter_map(step).collect()
}

fn way(way: &lineage::Transformation) -> String {
    let masked = if way.masking { " masked" } else { "" };
    let part = way.part.as_deref().map_or_else(String::new, |part| format!(" of {part}"));
    format!("{}{masked}{part}", way.usage.subtype())
}
