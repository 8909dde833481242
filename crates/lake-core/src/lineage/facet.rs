//! The facets of OpenLineage that Sluice writes; each knows its key and its schema.

use super::{columns::Origins, metrics::Measure};
use crate::{Ledger, RunId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use uuid::Uuid;

const SPEC: &str = "https://openlineage.io/spec/facets";
/// We own no domain; `example` is reserved for such.
const OWN: &str = "https://sluice.example/lineage/facets";

/// A facet that knows its key and its schema.
pub trait Facet: Serialize {
    /// Key under which it stands.
    const KEY: &'static str;
    /// Version and name of its schema: `1-2-0/SchemaDatasetFacet`.
    const SCHEMA: &'static str;
    /// Whether the schema is ours.
    const OWN: bool = false;
}

/// Facets by their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facets(BTreeMap<String, Value>);

impl Facets {
    /// Adds a facet.
    #[must_use]
    pub fn with<F: Facet>(mut self, producer: &str, facet: &F) -> Self {
        // A struct of texts and numbers is always an object.
        let Ok(Value::Object(body)) = serde_json::to_value(facet) else { return self };
        let (base, name) = (if F::OWN { OWN } else { SPEC }, F::SCHEMA.rsplit('/').next().unwrap_or_default());
        let mut whole = Map::new();
        whole.insert("_producer".to_owned(), producer.into());
        whole.insert("_schemaURL".to_owned(), format!("{base}/{}.json#/$defs/{name}", F::SCHEMA).into());
        whole.extend(body);
        self.0.insert(F::KEY.to_owned(), Value::Object(whole));
        self
    }

    /// Adds a facet where there is one.
    #[must_use]
    pub fn maybe<F: Facet>(self, producer: &str, facet: Option<&F>) -> Self {
        match facet {
            Some(facet) => self.with(producer, facet),
            None => self,
        }
    }

    /// Takes fields of one facet over from others, where they have them.
    #[must_use]
    pub(super) fn taking(mut self, key: &str, fields: &[&str], others: &Self) -> Self {
        if let (Some(Value::Object(own)), Some(other)) = (self.0.get_mut(key), others.0.get(key)) {
            own.extend(fields.iter().filter_map(|field| Some(((*field).to_owned(), other.get(*field)?.clone()))));
        }
        self
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns a facet by its key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }
}

/// Declares facets: key, schema and fields.
macro_rules! facets {
    ($($(#[$doc:meta])* $name:ident($key:literal, $schema:literal) {
        $($(#[$fdoc:meta])* $field:ident: $type:ty),+ $(,)?
    })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name { $($(#[$fdoc])* pub $field: $type),+ }

        impl Facet for $name {
            const KEY: &'static str = $key;
            const SCHEMA: &'static str = $schema;
        }
    )+};
}

facets! {
    /// Columns of a dataset.
    SchemaFacet("schema", "1-2-0/SchemaDatasetFacet") {
        /// In the order of the table.
        fields: Vec<SchemaField>,
    }
    /// What every column is made from.
    ColumnLineageFacet("columnLineage", "1-2-0/ColumnLineageDatasetFacet") {
        /// By column.
        fields: BTreeMap<String, LineageOfField>,
        /// What decides which rows there are.
        dataset: Vec<InputField>,
    }
    /// Version of a dataset.
    VersionFacet("version", "1-0-1/DatasetVersionDatasetFacet") {
        /// Delta version.
        dataset_version: String,
    }
    /// Other names of a dataset.
    SymlinksFacet("symlinks", "1-0-1/SymlinksDatasetFacet") {
        /// The names.
        identifiers: Vec<Identifier>,
    }
    /// How a dataset is stored.
    StorageFacet("storage", "1-0-1/StorageDatasetFacet") {
        /// `delta`.
        storage_layer: String,
        /// `parquet`.
        file_format: String,
    }
    /// The system that holds a dataset.
    DataSourceFacet("dataSource", "1-0-1/DatasourceDatasetFacet") {
        /// Its name.
        name: String,
        /// Its address.
        uri: String,
    }
    /// What a dataset is.
    DatasetTypeFacet("datasetType", "1-0-1/DatasetTypeDatasetFacet") {
        /// `TABLE` or `TOPIC`.
        dataset_type: String,
    }
    /// What a dataset is for.
    DocumentationFacet("documentation", "1-1-0/DocumentationDatasetFacet") {
        /// For people.
        description: String,
    }
    /// Who owns a dataset.
    OwnershipFacet("ownership", "1-0-1/OwnershipDatasetFacet") {
        /// The owners.
        owners: Vec<Owner>,
    }
    /// Words about a dataset and its columns.
    TagsFacet("tags", "1-0-0/TagsDatasetFacet") {
        /// The words.
        tags: Vec<Tag>,
    }
    /// What was read of an input.
    InputStatisticsFacet("inputStatistics", "1-0-0/InputStatisticsInputDatasetFacet") {
        /// Rows.
        row_count: u64,
    }
    /// What was written to an output.
    OutputStatisticsFacet("outputStatistics", "1-0-2/OutputStatisticsOutputDatasetFacet") {
        /// Rows.
        row_count: u64,
        /// Bytes.
        size: u64,
    }
    /// What rules found in an input.
    AssertionsFacet("dataQualityAssertions", "1-1-0/DataQualityAssertionsDatasetFacet") {
        /// One per rule.
        assertions: Vec<Assertion>,
    }
    /// The window of a run.
    NominalTimeFacet("nominalTime", "1-0-1/NominalTimeRunFacet") {
        /// First instant.
        nominal_start_time: DateTime<Utc>,
        /// First instant after it.
        nominal_end_time: DateTime<Utc>,
    }
    /// What a run is a part of.
    ParentFacet("parent", "1-2-0/ParentRunFacet") {
        /// The run.
        run: ParentRun,
        /// Its job.
        job: ParentJob,
    }
    /// Which program runs.
    ProcessingEngineFacet("processing_engine", "1-1-1/ProcessingEngineRunFacet") {
        /// Its version.
        version: String,
        /// Its name.
        name: String,
    }
    /// Why a run failed.
    ErrorMessageFacet("errorMessage", "1-0-1/ErrorMessageRunFacet") {
        /// What the program printed; errors name no value of a row and no secret.
        message: String,
        /// `RUST`.
        programming_language: String,
    }
    /// What kind of job it is.
    JobTypeFacet("jobType", "2-0-4/JobTypeJobFacet") {
        /// `BATCH`.
        processing_type: String,
        /// `SLUICE`.
        integration: String,
        /// `JOB`.
        job_type: String,
    }
    /// What a job is for.
    JobDocumentationFacet("documentation", "1-1-0/DocumentationJobFacet") {
        /// For people.
        description: String,
    }
    /// Who owns a job.
    JobOwnershipFacet("ownership", "1-0-1/OwnershipJobFacet") {
        /// The owners.
        owners: Vec<Owner>,
    }
    /// The model that a job runs.
    SqlFacet("sql", "1-1-0/SQLJobFacet") {
        /// The statement.
        query: String,
        /// `datafusion`.
        dialect: String,
    }
}

/// A column.
#[derive(Debug, Clone, Serialize)]
pub struct SchemaField {
    /// Name.
    pub name: String,
    /// Type as contracts spell it.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it means.
    pub description: String,
}

/// What one column is made from.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LineageOfField {
    /// The columns.
    pub input_fields: Vec<InputField>,
}

/// A column that another one is made from.
#[derive(Debug, Clone, Serialize)]
pub struct InputField {
    /// The system.
    pub namespace: String,
    /// The dataset in it.
    pub name: String,
    /// The column.
    pub field: String,
    /// How it is used.
    pub transformations: Vec<InputTransformation>,
}

/// How a column is used.
#[derive(Debug, Clone, Serialize)]
pub struct InputTransformation {
    /// `DIRECT` or `INDIRECT`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// `IDENTITY`, `JOIN`, ...
    pub subtype: &'static str,
    /// Where inside the column the value stands.
    pub description: String,
    /// Whether personal data is masked.
    pub masking: bool,
}

/// Another name of a dataset.
#[derive(Debug, Clone, Serialize)]
pub struct Identifier {
    /// The system.
    pub namespace: String,
    /// The name in it.
    pub name: String,
    /// `TABLE`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// An owner.
#[derive(Debug, Clone, Serialize)]
pub struct Owner {
    /// `team:<name>`.
    pub name: String,
    /// `OWNER`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// A word about a dataset or one of its columns.
#[derive(Debug, Clone, Serialize)]
pub struct Tag {
    /// What it is about.
    pub key: String,
    /// What it says.
    pub value: String,
    /// `CONTRACT`.
    pub source: String,
    /// The column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// What one rule found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Assertion {
    /// Id of the rule.
    pub assertion: String,
    /// Whether it held.
    pub success: bool,
    /// What a failure does: `error`, `warning` or `info`.
    pub severity: String,
    /// What was expected.
    pub expected: String,
}

/// The run of a [`ParentFacet`].
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParentRun {
    /// Id.
    pub run_id: Uuid,
}

/// The job of a [`ParentFacet`].
#[derive(Debug, Clone, Serialize)]
pub struct ParentJob {
    /// The lake.
    pub namespace: String,
    /// `program.table`.
    pub name: String,
}

/// What the spec has no word for: how the run stands to tables and summaries.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SluiceFacet {
    /// The run as tables and summaries know it.
    pub run_id: RunId,
    /// Number of the attempt.
    pub attempt: u32,
    /// 1, or the number of the deliberate new run of a window.
    pub generation: i64,
    /// `id@version` of the contract.
    pub contract: String,
    /// SHA-256 of the contract.
    pub contract_hash: String,
    /// How the run ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The run that did the work, where an earlier one had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done_by: Option<RunId>,
    /// What became of the rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger: Option<Ledger>,
    /// `_source` of the rows, for a table that has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Wall-clock milliseconds from the beginning to the end, where one process has seen both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// What the program measured of its table.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub measures: BTreeMap<Measure, f64>,
}

impl Facet for SluiceFacet {
    const KEY: &'static str = "sluice_run";
    const SCHEMA: &'static str = "1-1-0/SluiceRunFacet";
    const OWN: bool = true;
}

/// Turns origins into input fields; `name` gives namespace and name of a table's or source's dataset.
pub(super) fn input_fields(origins: &Origins, name: impl Fn(&str) -> Option<super::DatasetName>) -> Vec<InputField> {
    let field = |(field, ways): (&super::Field, &std::collections::BTreeSet<super::Transformation>)| {
        let dataset = name(&field.table)?;
        let transformations = ways.iter().map(|way| InputTransformation {
            kind: way.usage.kind(),
            subtype: way.usage.subtype(),
            description: way.part.clone().unwrap_or_default(),
            masking: way.masking,
        });
        Some(InputField {
            namespace: dataset.namespace,
            name: dataset.name,
            field: field.column.clone(),
            transformations: transformations.collect(),
        })
    };
    origins.iter().filter_map(field).collect()
}
