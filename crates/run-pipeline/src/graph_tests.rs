use super::*;
use lake_core::Contract;
use std::path::Path;

fn contract(id: &str, own: &str, meta: &[(&str, &str)], relationships: &str) -> Contract {
    let columns: String = meta
        .iter()
        .map(|(name, kind)| format!("      - {{name: {name}, logicalType: string, physicalType: '{kind}', description: x}}\n"))
        .collect();
    let text = format!(
        "apiVersion: v3.1.0\nkind: DataContract\nid: {id}\nname: x\nversion: 1.0.0\nstatus: active\ndescription: {{purpose: x}}\n\
         schema:\n  - name: x\n    physicalName: {id}\n    dataGranularityDescription: x\n    properties:\n      \
         - {{name: id, logicalType: string, physicalType: STRING, description: x, primaryKey: true}}\n{columns}{relationships}\
         customProperties:\n  - {own}\n"
    );
    Contract::parse(Path::new(id), &text, None).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

const RUN: [(&str, &str); 2] = [("_run_id", "STRING"), ("_ingested_at", "TIMESTAMP")];

fn set() -> ContractSet {
    let bronze_meta: Vec<_> = lake_core::contract::column::BRONZE_META.iter().map(|(n, t)| (*n, t.to_string())).collect();
    let bronze_meta: Vec<_> = bronze_meta.iter().map(|(n, t)| (*n, t.as_str())).collect();
    let silver_meta = [RUN[0], RUN[1], ("_version", "STRING")];
    let bronze = "{property: bronze, value: {source: {ecb: {lookback: 1d}}}}";
    let silver = |input: &str| format!("{{property: silver, value: {{kind: current, inputs: [{{table: {input}}}]}}}}");
    let refers = "    relationships:\n      - {from: silver_a.id, to: silver_b.id}\n";
    ContractSet::new(vec![
        contract("bronze_x", bronze, &bronze_meta, ""),
        contract("silver_a", &silver("bronze_x"), &silver_meta, refers),
        contract("silver_b", &silver("bronze_x"), &silver_meta, ""),
        contract("gold_c", "{property: gold, value: {inputs: [silver_a]}}", &RUN, ""),
    ])
    .unwrap()
}

#[test]
fn a_gate_stands_between_every_two_layers() {
    let graph = Graph::of(&set()).unwrap();
    let line = |step: &Step| {
        let after: Vec<_> = step.after.iter().map(|at| graph.steps[*at].name()).collect();
        format!("{} after [{}] given [{}]", step.name(), after.join(", "), step.inputs.join(", "))
    };
    let lines: Vec<_> = graph.steps.iter().map(line).collect();
    assert_eq!(
        lines,
        [
            "ingest-fx bronze_x after [] given []",
            "dq-check bronze_x after [ingest-fx bronze_x] given [bronze_x]",
            "silverize silver_a after [dq-check bronze_x] given [bronze_x]",
            "silverize silver_b after [dq-check bronze_x] given [bronze_x]",
            "dq-check silver_a after [silverize silver_a, silverize silver_b] given [silver_a, silver_b]",
            "dq-check silver_b after [silverize silver_b] given [silver_b]",
            "goldify gold_c after [dq-check silver_a] given [silver_a]",
            "dq-check gold_c after [goldify gold_c] given [gold_c]",
        ]
    );
}

#[test]
fn the_longest_way_is_known() {
    let graph = Graph::of(&set()).unwrap();
    assert_eq!(graph.steps.iter().map(|step| step.height).collect::<Vec<_>>(), [6, 5, 4, 4, 3, 1, 2, 1]);
}
