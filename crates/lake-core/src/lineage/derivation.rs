//! What the columns of Bronze and Silver are made from, told from their contracts.

use super::{
    columns::{Derivation, Origins, Use},
    dataset::source_label,
    silver,
};
use crate::{
    Contract,
    contract::{
        Bronze, ContractSet, Layer,
        column::BRONZE_META,
        layer::{HubspotSource, Source},
    },
};

/// What every column of a Bronze or Silver table is made from. `None` for Gold, whose model says it.
#[must_use]
pub fn derivation(contract: &Contract, contracts: &ContractSet) -> Option<Derivation> {
    let mut derivation = match &contract.layer {
        Layer::Bronze(bronze) => of_source(contract, bronze),
        Layer::Silver(own) => silver::derivation(contract, own, contracts),
        Layer::Gold(_) => return None,
    };
    // Every column is named, also those that only the run knows.
    for column in &contract.columns {
        derivation.columns.entry(column.name.clone()).or_default();
    }
    Some(derivation)
}

/// Columns that a Kafka record has, and ours that are made from them.
const KAFKA: [(&str, &str, Use); 8] = [
    ("_payload", "value", Use::Identity),
    ("_topic", "topic", Use::Identity),
    ("_partition", "partition", Use::Identity),
    ("_offset", "offset", Use::Identity),
    ("_timestamp", "timestamp", Use::Identity),
    ("_headers", "headers", Use::Transformation),
    ("_key", "key", Use::Transformation),
    ("_position", "offset", Use::Transformation),
];

/// Columns of the ECB's files, and ours that are made from them: a currency is a column there.
const ECB: [(&str, &str, Use); 4] = [
    ("observation_date", "Date", Use::Identity),
    ("currency", "currencies", Use::Transformation),
    ("rate", "currencies", Use::Transformation),
    ("_key", "Date", Use::Transformation),
];

fn of_source(contract: &Contract, bronze: &Bronze) -> Derivation {
    let label = source_label(&bronze.source);
    let from = |column: &str, usage: Use| Origins::part_of(&label, column, usage, None);
    let mut made = Derivation::default();
    let fixed = |made: &mut Derivation, columns: &[(&str, &str, Use)]| {
        columns.iter().for_each(|(own, theirs, usage)| made.add(own, from(theirs, *usage)));
    };
    match &bronze.source {
        Source::Kafka(_) => fixed(&mut made, &KAFKA),
        Source::Ecb(_) => fixed(&mut made, &ECB),
        Source::Hubspot(HubspotSource::Object(object)) => {
            for property in &object.properties {
                made.add("_payload", Origins::part_of(&label, property, Use::Transformation, None));
            }
            fixed(&mut made, &[("_key", "id", Use::Transformation), ("_change", "archived", Use::Transformation)]);
            made.add("_observed_at", from(&object.cursor, Use::Transformation));
            made.rows.add(from(&object.cursor, Use::Filter));
        }
        Source::Hubspot(HubspotSource::Association(_)) => {
            for (own, theirs) in HubspotSource::PAIR_COLUMNS.into_iter().zip(["from.id", "to.toObjectId"]) {
                made.add(own, from(theirs, Use::Transformation));
                made.add("_key", from(theirs, Use::Transformation));
            }
            made.add("_payload", from("to.associationTypes", Use::Transformation));
        }
        Source::Snowflake(_) | Source::Redshift(_) => {
            let own = contract.columns.iter().filter(|column| !BRONZE_META.iter().any(|(name, _)| *name == column.name));
            own.for_each(|column| made.add(&column.name, from(&column.name, Use::Identity)));
        }
    }
    if let Some((key, cursor)) = bronze.source.keyed() {
        key.iter().for_each(|column| made.add("_key", from(column, Use::Transformation)));
        made.add("_position", from(cursor, Use::Transformation));
        made.rows.add(from(cursor, Use::Filter));
    }
    made
}
