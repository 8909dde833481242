//! `show`: what a table or a column is made from and goes into.

use crate::{
    args::{Form, ShowArgs},
    error::EmitError,
    graph::{Direction, Graph, Node, Step},
};
use lake_core::{Exit, contract::error::did_you_mean};
use lake_edge::{Attach as _, Console};
use std::collections::{BTreeMap, BTreeSet};

/// Shows it.
pub(crate) async fn run(args: &ShowArgs, console: &Console) -> anyhow::Result<Exit> {
    let (contracts, policy) = lake_edge::load_contracts(&args.contracts)?;
    let contract = contracts.table(&args.table).attach()?;
    let (graph, start) = match &args.column {
        None => (Graph::of_tables(&contracts), Node::table(&args.table)),
        Some(column) => {
            if contract.column(column).is_none() {
                let hint = did_you_mean(column, contract.columns.iter().map(|column| column.name.as_str()));
                return Err(EmitError::Column { table: args.table.clone(), column: column.clone(), hint }).attach();
            }
            (Graph::of_columns(&contracts, &policy, args.indirect).await?, Node::column(&args.table, column))
        }
    };
    match args.output {
        Form::Text => text(&graph, &start).iter().for_each(|line| console.line(line)),
        Form::Mermaid => mermaid(&graph, &start).iter().for_each(|line| console.line(line)),
        Form::Json => console.line(&json(&graph, &start).to_string()),
    }
    Ok(Exit::Ok)
}

/// Two trees. What stands in a tree already is named again, but not what is behind it.
fn text(graph: &Graph, start: &Node) -> Vec<String> {
    let mut lines = vec![start.to_string()];
    for (title, direction) in [("made from", Direction::Up), ("goes into", Direction::Down)] {
        lines.push(format!("  {title}"));
        let before = lines.len();
        branch(graph, start, direction, 2, &mut BTreeSet::new(), &mut lines);
        if lines.len() == before {
            lines.push("    nothing".to_owned());
        }
    }
    lines
}

fn branch(graph: &Graph, node: &Node, direction: Direction, depth: usize, seen: &mut BTreeSet<Node>, lines: &mut Vec<String>) {
    for step in graph.next(node, direction) {
        let far = step.far(direction);
        let known = !seen.insert(far.clone());
        let ways = if step.ways.is_empty() { String::new() } else { format!("  {}", step.ways.join(", ")) };
        let above = if known && !graph.next(far, direction).is_empty() { "  (above)" } else { "" };
        lines.push(format!("{}{far}{ways}{above}", "  ".repeat(depth)));
        if !known {
            branch(graph, far, direction, depth + 1, seen, lines);
        }
    }
}

/// A flowchart from left to right; arrows follow the data.
fn mermaid(graph: &Graph, start: &Node) -> Vec<String> {
    let (up, down) = (graph.reach(start, Direction::Up), graph.reach(start, Direction::Down));
    let steps: BTreeSet<&Step> = up.into_iter().chain(down).collect();
    let mut nodes: BTreeMap<&Node, usize> = BTreeMap::from([(start, 0)]);
    for step in &steps {
        for node in [&step.from, &step.to] {
            let next = nodes.len();
            nodes.entry(node).or_insert(next);
        }
    }
    let mut lines = vec!["flowchart LR".to_owned()];
    lines.extend(nodes.iter().map(|(node, id)| format!("  n{id}[\"{node}\"]")));
    for step in steps {
        let (from, to) = (nodes[&step.from], nodes[&step.to]);
        let dashed = !step.ways.is_empty() && step.ways.iter().all(|way| decides(way));
        let arrow = if dashed { "-.->" } else { "-->" };
        let masked = if step.ways.iter().any(|way| way.contains(" masked")) { "|masked|" } else { "" };
        lines.push(format!("  n{from} {arrow}{masked} n{to}"));
    }
    lines.push("  style n0 stroke-width:3px".to_owned());
    lines
}

fn decides(way: &str) -> bool {
    !["IDENTITY", "TRANSFORMATION", "AGGREGATION"].iter().any(|direct| way.starts_with(direct))
}

fn json(graph: &Graph, start: &Node) -> serde_json::Value {
    serde_json::json!({
        "schema_version": 1,
        "of": start,
        "upstream": graph.reach(start, Direction::Up),
        "downstream": graph.reach(start, Direction::Down),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph() -> Graph {
        let contracts = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts");
        Graph::of_tables(&lake_edge::load_contracts(&contracts).unwrap().0)
    }

    async fn columns(indirect: bool) -> Graph {
        let contracts = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts");
        let (contracts, policy) = lake_edge::load_contracts(&contracts).unwrap();
        Graph::of_columns(&contracts, &policy, indirect).await.unwrap()
    }

    #[test]
    fn a_table_has_both_sides() {
        insta::assert_snapshot!("table", text(&graph(), &Node::table("gold_fact_sales")).join("\n"));
    }

    #[test]
    fn the_flowchart_is_mermaid() {
        insta::assert_snapshot!("mermaid", mermaid(&graph(), &Node::table("silver_orders")).join("\n"));
    }

    #[tokio::test]
    async fn a_column_leads_to_its_source_and_says_where_it_is_masked() {
        let start = Node::column("gold_dim_customers", "email_token");
        insta::assert_snapshot!("column", text(&columns(false).await, &start).join("\n"));
    }

    #[tokio::test]
    async fn what_only_decides_is_shown_when_asked() {
        let start = Node::column("gold_dim_products", "category");
        let (direct, all) = (columns(false).await, columns(true).await);
        assert!(all.reach(&start, Direction::Up).len() > direct.reach(&start, Direction::Up).len());
        let dashed = mermaid(&all, &start);
        assert!(dashed.iter().any(|line| line.contains("-.->")), "{dashed:?}");
    }
}
