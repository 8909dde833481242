//! The beginning and the end of a run as events.

use super::{
    columns::{Derivation, Origins},
    dataset::{DatasetName, Places, source_label},
    event::{Dataset, EventRun, EventType, Job, RunEvent, SCHEMA_URL},
    facet::{
        Assertion, AssertionsFacet, ColumnLineageFacet, DataSourceFacet, DatasetTypeFacet, DocumentationFacet, ErrorMessageFacet,
        Facet as _, Facets, Identifier, InputStatisticsFacet, JobDocumentationFacet, JobOwnershipFacet, JobTypeFacet,
        LineageOfField, NominalTimeFacet, OutputStatisticsFacet, Owner, OwnershipFacet, ParentFacet, ParentJob, ParentRun,
        ProcessingEngineFacet, SchemaFacet, SchemaField, SluiceFacet, SqlFacet, StorageFacet, SymlinksFacet, Tag, TagsFacet,
        VersionFacet, input_fields,
    },
    metrics::Measure,
};
use crate::{
    Contract, Run, Summary,
    contract::{ContractSet, layer::Source, odcs::Classification},
    summary::Outcome,
};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What a run is about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The run.
    pub run: &'a Run,
    /// Version of its program.
    pub version: &'a str,
    /// Whether it judges its table instead of writing it.
    pub judges: bool,
    /// Contract of its table.
    pub contract: &'a Contract,
    /// All contracts.
    pub contracts: &'a ContractSet,
    /// Where tables and sources stand.
    pub places: &'a Places,
    /// What the table's columns are made from, where that is known.
    pub derivation: Option<&'a Derivation>,
    /// Versions of inputs that the caller fixed.
    pub fixed: &'a BTreeMap<String, i64>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy)]
pub enum Ending<'a> {
    /// Well.
    Done(&'a Summary),
    /// With an error: name of the exit, and what was printed.
    Failed(&'a str, &'a str),
    /// Without saying how.
    Lost,
}

/// What all events of a run have in common.
#[derive(Debug, Clone)]
pub struct Record {
    /// OpenLineage's id of the run: one per process, since a run is attempted until it succeeds, and each try has one end.
    pub id: Uuid,
    run: Run,
    contract: (String, String),
    /// `_source` of the rows, for a table that has one.
    source: Option<&'static str>,
    producer: String,
    job: Job,
    judges: bool,
    inputs: Vec<Part>,
    outputs: Vec<Part>,
    versions: BTreeMap<String, i64>,
    assertions: Vec<Assertion>,
    measures: BTreeMap<Measure, f64>,
}

/// A dataset of a run.
#[derive(Debug, Clone)]
struct Part {
    table: String,
    name: DatasetName,
    facets: Facets,
}

impl Record {
    /// What is known before the run begins.
    #[must_use]
    pub fn of(about: &About<'_>) -> Self {
        let (run, contract) = (about.run, about.contract);
        let producer = format!("https://sluice.example/programs/{}/{}", run.program, about.version);
        let describe = Describe { about, producer: &producer };
        let (inputs, outputs) = if about.judges {
            let others = contract.referenced_tables().into_iter().filter(|other| *other != contract.table);
            let tables = [contract.table.as_str()].into_iter().chain(others).filter_map(|name| about.contracts.get(name));
            (tables.map(|table| describe.table(table)).collect(), Vec::new())
        } else {
            let tables = contract.inputs().into_iter().filter_map(|name| about.contracts.get(name));
            let source = contract.bronze().and_then(|bronze| describe.source(&bronze.source));
            (tables.map(|table| describe.table(table)).chain(source).collect(), vec![describe.made()])
        };
        let id = Uuid::new_v5(&run.id.0, format!("{}/{}", run.attempt, run.started_at.timestamp_micros()).as_bytes());
        Self {
            id,
            run: run.clone(),
            contract: (contract.reference(), contract.hash.clone()),
            source: contract.bronze().map(|bronze| bronze.source.name()),
            job: describe.job(),
            judges: about.judges,
            inputs,
            outputs,
            versions: about.fixed.clone(),
            assertions: Vec::new(),
            measures: BTreeMap::new(),
            producer,
        }
    }

    /// The run as tables and summaries know it.
    #[must_use]
    pub const fn run(&self) -> &Run {
        &self.run
    }

    /// `program.table`.
    #[must_use]
    pub fn job(&self) -> &str {
        &self.job.name
    }

    /// Adds what rules found in the table, and which versions they saw.
    pub fn judged(&mut self, versions: BTreeMap<String, i64>, assertions: Vec<Assertion>) {
        self.versions.extend(versions);
        self.assertions = assertions;
    }

    /// Adds what the program measured of its table; the run's end tells it.
    pub fn measured(&mut self, measures: BTreeMap<Measure, f64>) {
        self.measures = measures;
    }

    /// The event of the beginning.
    #[must_use]
    pub fn started(&self) -> RunEvent {
        self.event(EventType::Start, self.run.started_at, None)
    }

    /// The event of a run that goes on: what it measures now, without what its beginning has told.
    #[must_use]
    pub fn running(&self, at: DateTime<Utc>, measures: BTreeMap<Measure, f64>) -> RunEvent {
        let own = Self { measures, inputs: Vec::new(), outputs: Vec::new(), ..self.clone() };
        let mut event = own.event(EventType::Running, self.after_start(at), None);
        event.job.facets = Facets::default();
        event
    }

    /// The event of the end. It is later than the beginning, whatever the clock did meanwhile.
    #[must_use]
    pub fn ended(&self, at: DateTime<Utc>, ending: Ending<'_>) -> RunEvent {
        let kind = match ending {
            Ending::Done(_) => EventType::Complete,
            Ending::Failed(..) => EventType::Fail,
            Ending::Lost => EventType::Abort,
        };
        self.event(kind, self.after_start(at), Some(ending))
    }

    fn after_start(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        at.max(self.run.started_at + chrono::Duration::microseconds(1))
    }

    /// The end of another attempt, of which only the beginning was told. It is later than that beginning, whatever the clocks of
    /// the two say.
    #[must_use]
    pub fn ended_for(&self, start: &RunEvent, at: DateTime<Utc>, ending: Ending<'_>) -> RunEvent {
        let mut event = self.ended(at.max(start.event_time + chrono::Duration::microseconds(1)), ending);
        let facets = start.run.facets.clone().taking(SluiceFacet::KEY, &["outcome", "ledger"], &event.run.facets);
        event.run = EventRun { run_id: start.run.run_id, facets };
        if let Ending::Lost = ending {
            // What this attempt read and found, the other did not.
            (event.inputs, event.outputs) = (start.inputs.clone(), start.outputs.clone());
        }
        event
    }

    fn event(&self, event_type: EventType, event_time: DateTime<Utc>, ending: Option<Ending<'_>>) -> RunEvent {
        let summary = if let Some(Ending::Done(summary)) = ending { Some(summary) } else { None };
        let mut versions = self.versions.clone();
        versions.extend(summary.into_iter().flat_map(|summary| summary.inputs.clone()));
        RunEvent {
            event_type,
            event_time,
            run: EventRun { run_id: self.id, facets: self.run_facets(event_time, ending) },
            job: self.job.clone(),
            inputs: self.inputs.iter().map(|part| self.input(part, &versions, summary)).collect(),
            outputs: self.outputs.iter().map(|part| self.output(part, summary)).collect(),
            producer: self.producer.clone(),
            schema_url: SCHEMA_URL.to_owned(),
        }
    }

    fn run_facets(&self, at: DateTime<Utc>, ending: Option<Ending<'_>>) -> Facets {
        let run = &self.run;
        let (outcome, done_by, ledger) = match ending {
            None => (None, None, None),
            Some(Ending::Lost) => (Some("lost"), None, None),
            Some(Ending::Failed(exit, _)) => (Some(exit), None, None),
            Some(Ending::Done(summary)) => match summary.outcome {
                Outcome::Committed => (Some("committed"), None, Some(summary.ledger)),
                Outcome::Unchanged => (Some("unchanged"), None, None),
                Outcome::AlreadyDone => (Some("already_done"), Some(summary.run_id), None),
            },
        };
        let error = match ending {
            Some(Ending::Failed(_, message)) => {
                Some(ErrorMessageFacet { message: message.to_owned(), programming_language: "RUST".to_owned() })
            }
            _ => None,
        };
        let own = SluiceFacet {
            run_id: run.id,
            attempt: run.attempt,
            generation: run.generation,
            contract: self.contract.0.clone(),
            contract_hash: self.contract.1.clone(),
            outcome: outcome.map(str::to_owned),
            done_by,
            ledger,
            source: self.source.map(str::to_owned),
            duration_ms: ending.and_then(|_| u64::try_from((at - run.started_at).num_milliseconds()).ok()),
            measures: self.measures.clone(),
        };
        let job = ParentJob { namespace: self.job.namespace.clone(), name: self.job.name.clone() };
        let version = self.producer.rsplit('/').next().unwrap_or_default().to_owned();
        Facets::default()
            .with(&self.producer, &ParentFacet { run: ParentRun { run_id: run.id.0 }, job })
            .with(&self.producer, &NominalTimeFacet { nominal_start_time: run.window.from(), nominal_end_time: run.window.to() })
            .with(&self.producer, &ProcessingEngineFacet { version, name: run.program.to_owned() })
            .with(&self.producer, &own)
            .maybe(&self.producer, error.as_ref())
    }

    fn input(&self, part: &Part, versions: &BTreeMap<String, i64>, summary: Option<&Summary>) -> Dataset {
        let version = versions.get(&part.table).map(|version| VersionFacet { dataset_version: version.to_string() });
        let own = self.judges && part.table == self.run.table;
        let rows = summary.filter(|summary| summary.outcome == Outcome::Committed).and_then(|summary| self.rows(part, summary));
        let found = (own && !self.assertions.is_empty()).then(|| AssertionsFacet { assertions: self.assertions.clone() });
        Dataset {
            facets: part.facets.clone().maybe(&self.producer, version.as_ref()),
            input_facets: Facets::default()
                .maybe(&self.producer, rows.map(|row_count| InputStatisticsFacet { row_count }).as_ref())
                .maybe(&self.producer, found.as_ref()),
            output_facets: Facets::default(),
            namespace: part.name.namespace.clone(),
            name: part.name.name.clone(),
        }
    }

    /// Rows that a run read of an input, where it says so.
    fn rows(&self, part: &Part, summary: &Summary) -> Option<u64> {
        if self.judges {
            return (part.table == self.run.table).then_some(summary.ledger.read);
        }
        // `silverize` and `goldify` account for each input; what lands one source reads nothing else.
        let by_input = ["ledger_by_input", "ledger"].into_iter().find_map(|name| summary.facts.get(name));
        match by_input {
            Some(all) => all.get(&part.table)?.get("read")?.as_u64(),
            None => (self.inputs.len() == 1).then_some(summary.ledger.read),
        }
    }

    fn output(&self, part: &Part, summary: Option<&Summary>) -> Dataset {
        let version = summary.and_then(|summary| summary.table_version);
        let version = version.map(|version| VersionFacet { dataset_version: version.to_string() });
        let written = summary.filter(|summary| summary.outcome == Outcome::Committed);
        let written =
            written.map(|summary| OutputStatisticsFacet { row_count: summary.ledger.accepted, size: summary.bytes_written });
        Dataset {
            facets: part.facets.clone().maybe(&self.producer, version.as_ref()),
            input_facets: Facets::default(),
            output_facets: Facets::default().maybe(&self.producer, written.as_ref()),
            namespace: part.name.namespace.clone(),
            name: part.name.name.clone(),
        }
    }
}

/// Describes jobs and datasets.
struct Describe<'a> {
    about: &'a About<'a>,
    producer: &'a str,
}

impl Describe<'_> {
    fn job(&self) -> Job {
        let About { run, contract, .. } = self.about;
        let owners = owners(contract);
        let what = if self.about.judges { "Judges" } else { "Writes" };
        let description = format!("{what} {}: {}", contract.table, contract.document.description.purpose);
        let kind = JobTypeFacet { processing_type: "BATCH".into(), integration: "SLUICE".into(), job_type: "JOB".into() };
        let model = contract.model.clone().filter(|_| !self.about.judges);
        let model = model.map(|query| SqlFacet { query, dialect: "datafusion".to_owned() });
        let facets = Facets::default()
            .with(self.producer, &kind)
            .with(self.producer, &JobDocumentationFacet { description })
            .maybe(self.producer, owners.map(|owners| JobOwnershipFacet { owners }).as_ref())
            .maybe(self.producer, model.as_ref());
        Job { namespace: self.about.places.lake.clone(), name: format!("{}.{}", run.program, run.table), facets }
    }

    /// The table that the run writes, with what its columns are made from.
    fn made(&self) -> Part {
        let mut part = self.table(self.about.contract);
        let About { contract, contracts, places, .. } = self.about;
        let Some(derivation) = self.about.derivation else { return part };
        let label = contract.bronze().map(|bronze| source_label(&bronze.source));
        let name = |table: &str| match contracts.get(table) {
            Some(found) => Some(places.table(found)),
            None => places.source.clone().filter(|_| label.as_deref() == Some(table)),
        };
        let field = |origins: &Origins| LineageOfField { input_fields: input_fields(origins, name) };
        let fields = derivation.columns.iter().map(|(column, origins)| (column.clone(), field(origins))).collect();
        let lineage = ColumnLineageFacet { fields, dataset: input_fields(&derivation.rows, name) };
        part.facets = part.facets.with(self.producer, &lineage);
        part
    }

    fn table(&self, contract: &Contract) -> Part {
        let places = self.about.places;
        let identifier = Identifier { namespace: places.lake.clone(), name: contract.table.clone(), kind: "TABLE".to_owned() };
        let storage = StorageFacet { storage_layer: "delta".into(), file_format: "parquet".into() };
        let description = contract.document.description.purpose.clone();
        let tags = tags(contract);
        let facets = Facets::default()
            .with(self.producer, &schema(contract))
            .with(self.producer, &SymlinksFacet { identifiers: vec![identifier] })
            .with(self.producer, &storage)
            .with(self.producer, &DataSourceFacet { name: "lake".to_owned(), uri: places.lake.clone() })
            .with(self.producer, &DatasetTypeFacet { dataset_type: "TABLE".to_owned() })
            .with(self.producer, &DocumentationFacet { description })
            .maybe(self.producer, owners(contract).map(|owners| OwnershipFacet { owners }).as_ref())
            .maybe(self.producer, (!tags.is_empty()).then_some(TagsFacet { tags }).as_ref());
        Part { table: contract.table.clone(), name: places.table(contract), facets }
    }

    fn source(&self, source: &Source) -> Option<Part> {
        let name = self.about.places.source.clone()?;
        let uri = DataSourceFacet { name: source.name().to_owned(), uri: name.namespace.clone() };
        let kind = if matches!(source, Source::Kafka(_)) { "TOPIC" } else { "TABLE" };
        let facets =
            Facets::default().with(self.producer, &uri).with(self.producer, &DatasetTypeFacet { dataset_type: kind.to_owned() });
        Some(Part { table: source_label(source), name, facets })
    }
}

fn owners(contract: &Contract) -> Option<Vec<Owner>> {
    let team = contract.document.team.as_ref()?;
    Some(vec![Owner { name: format!("team:{}", team.name), kind: "OWNER".to_owned() }])
}

fn schema(contract: &Contract) -> SchemaFacet {
    let described = contract.columns.iter().zip(&contract.document.schema[0].properties);
    let field = |(column, property): (&crate::contract::Column, &crate::contract::odcs::Property)| SchemaField {
        name: column.name.clone(),
        kind: column.kind.to_string(),
        description: property.description.clone(),
    };
    SchemaFacet { fields: described.map(field).collect() }
}

/// The contract's classes of columns.
fn tags(contract: &Contract) -> Vec<Tag> {
    let classed = contract.columns.iter().filter_map(|column| Some((column, column.classification?)));
    let tag = |(column, class): (&crate::contract::Column, Classification)| Tag {
        key: "classification".to_owned(),
        value: if class == Classification::Pii { "pii" } else { "sensitive" }.to_owned(),
        source: "CONTRACT".to_owned(),
        field: Some(column.name.clone()),
    };
    classed.map(tag).collect()
}
