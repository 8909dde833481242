//! Names of datasets, by OpenLineage's naming of places: `s3://bucket` / `prefix/silver/orders`, `file` / `/lake/silver/orders`.

use crate::{
    Contract,
    contract::layer::{HubspotSource, Source},
};

/// Namespace and name of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DatasetName {
    /// The system.
    pub namespace: String,
    /// The dataset in it.
    pub name: String,
}

/// Where tables and sources stand.
#[derive(Debug, Clone)]
pub struct Places {
    /// Address of the lake's root, without a slash at its end.
    pub lake: String,
    /// Namespace and prefix of everything in the lake.
    pub root: DatasetName,
    /// The source of the run's Bronze table.
    pub source: Option<DatasetName>,
}

impl Places {
    /// The dataset of a table.
    #[must_use]
    pub fn table(&self, contract: &Contract) -> DatasetName {
        let name = format!("{}/{}/{}", self.root.name, contract.layer.name(), contract.short_name());
        // A key of a bucket has no slash in front; the root of a bucket is empty.
        let name = if self.root.namespace == "file" { name } else { name.trim_start_matches('/').to_owned() };
        DatasetName { namespace: self.root.namespace.clone(), name }
    }
}

/// What column lineage calls the source of a Bronze table: `kafka:orders.events`. No table has such a name.
#[must_use]
pub fn source_label(source: &Source) -> String {
    format!("{}:{}", source.name(), source.object())
}

/// Name of a source's dataset inside its system.
#[must_use]
pub fn source_name(source: &Source) -> String {
    match source {
        Source::Kafka(kafka) => kafka.topic.clone(),
        Source::Snowflake(table) => format!("{}.{}.{}", table.database, table.schema, table.table),
        Source::Redshift(table) => format!("{}.{}", table.schema, table.table),
        Source::Hubspot(HubspotSource::Object(object)) => format!("crm/objects/{}", object.object),
        Source::Hubspot(HubspotSource::Association(pair)) => format!("crm/associations/{}/{}", pair.from, pair.to),
        Source::Ecb(_) => source.object().to_owned(),
    }
}

/// The dataset of a source in its system.
#[must_use]
pub fn source_dataset(source: &Source, namespace: String) -> DatasetName {
    DatasetName { namespace, name: source_name(source) }
}
