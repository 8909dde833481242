//! What an entry should be: columns as the Delta log has them, words as the contract has them.

use crate::{
    entry::{COLUMN_CLASS, CONTRACT, CatalogColumn, Entry, ID, PATH, Parameters, TABLE_CLASS, VERSION},
    error::SyncError,
    hive,
};
use lake_core::{Contract, contract::odcs::Classification};
use lake_table::Shape;
use serde_json::Value;

/// Bytes that Glue takes of a column's comment, and of a table's description.
const COMMENT_MAX: usize = 255;
const DESCRIPTION_MAX: usize = 2048;
/// What stands at the end of a text that was cut.
const CUT: &str = "...";

/// The class of a column that the contract does not know: nobody has said that it may be shown.
const UNKNOWN: &str = "unknown";
/// Classes, the strictest first.
const CLASSES: [&str; 3] = ["pii", UNKNOWN, "sensitive"];

/// What Athena, Trino, Spark and Lake Formation want of an entry to take it for a Delta table. Nothing reads the files by these
/// formats.
const TABLE_TYPE: &str = "EXTERNAL_TABLE";
const TABLE_PARAMETERS: [(&str, &str); 4] =
    [("EXTERNAL", "TRUE"), ("table_type", "DELTA"), ("spark.sql.sources.provider", "delta"), ("classification", "delta")];
const INPUT_FORMAT: &str = "org.apache.hadoop.mapred.SequenceFileInputFormat";
const OUTPUT_FORMAT: &str = "org.apache.hadoop.hive.ql.io.HiveSequenceFileOutputFormat";
const SERDE: &str = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe";

/// An entry as it should be, and what it was made from.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) entry: Entry,
    /// Delta table id.
    pub(crate) id: String,
    /// Delta version.
    pub(crate) version: i64,
}

impl Wanted {
    /// Makes the entry of a table that stands at a location.
    pub(crate) fn of(contract: &Contract, shape: &Shape, location: &str) -> Result<Self, SyncError> {
        let fields = shape.schema.get("fields").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let columns: Result<Vec<CatalogColumn>, SyncError> = fields.iter().map(|field| column(contract, field)).collect();
        let mut columns = columns?;
        let mut partition_keys = Vec::new();
        for name in &shape.partition_columns {
            if let Some(at) = columns.iter().position(|column| column.is_named(name)) {
                partition_keys.push(columns.remove(at));
            }
        }
        let mut parameters = pairs(TABLE_PARAMETERS);
        parameters.extend(pairs([
            (CONTRACT, contract.reference().as_str()),
            (ID, shape.id.as_str()),
            (TABLE_CLASS, strictest(columns.iter().chain(&partition_keys))),
            (VERSION, shape.version.to_string().as_str()),
        ]));
        let entry = Entry {
            name: contract.table.clone(),
            description: description(contract),
            owner: contract.document.team.as_ref().map(|team| line(&team.name, COMMENT_MAX)).unwrap_or_default(),
            kind: TABLE_TYPE.to_owned(),
            location: location.to_owned(),
            input_format: INPUT_FORMAT.to_owned(),
            output_format: OUTPUT_FORMAT.to_owned(),
            serde: SERDE.to_owned(),
            serde_parameters: pairs([("serialization.format", "1"), (PATH, location)]),
            columns,
            partition_keys,
            parameters,
        };
        Ok(Self { entry, id: shape.id.clone(), version: shape.version })
    }
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> Parameters {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn column(contract: &Contract, field: &Value) -> Result<CatalogColumn, SyncError> {
    let name = field.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let kind = hive::name_of(field.get("type").unwrap_or(&Value::Null)).map_err(|kind| SyncError::Type {
        table: contract.table.clone(),
        column: name.clone(),
        kind,
    })?;
    let declared = contract.document.schema.iter().flat_map(|table| &table.properties).find(|property| property.name == name);
    let class = match declared {
        None => Some(UNKNOWN),
        Some(property) => property.classification.map(class_name),
    };
    let words = declared.map(|property| property.description.as_str()).unwrap_or_default();
    let comment = class.map_or_else(|| words.to_owned(), |class| format!("[{class}] {words}"));
    let parameters = class.map(|class| pairs([(COLUMN_CLASS, class)])).unwrap_or_default();
    Ok(CatalogColumn { name, kind, comment: line(&comment, COMMENT_MAX), parameters })
}

const fn class_name(class: Classification) -> &'static str {
    match class {
        Classification::Pii => "pii",
        Classification::Sensitive => "sensitive",
    }
}

fn strictest<'a>(columns: impl Iterator<Item = &'a CatalogColumn> + Clone) -> &'static str {
    let holds = |class: &&str| columns.clone().any(|column| column.parameters.get(COLUMN_CLASS).is_some_and(|own| own == class));
    CLASSES.into_iter().find(holds).unwrap_or("none")
}

/// What the table is for, what a row is, and what it must not be used for.
fn description(contract: &Contract) -> String {
    let document = &contract.document;
    let grains = document.schema.iter().map(|table| table.data_granularity_description.as_str());
    let parts =
        [document.description.purpose.as_str()].into_iter().chain(grains).chain(document.description.limitations.as_deref());
    line(&parts.collect::<Vec<_>>().join(" "), DESCRIPTION_MAX)
}

/// Makes one line of a text, at most so many bytes long.
fn line(text: &str, bytes_max: usize) -> String {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    let mut line = words.join(" ");
    if line.len() > bytes_max {
        line.truncate(line.floor_char_boundary(bytes_max - CUT.len()));
        line.push_str(CUT);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{contract, shape};
    use serde_json::json;

    const PLACE: &str = "s3://lake/prod/silver/customers";

    fn customers() -> Wanted {
        let fields =
            [("customer_id", json!("string")), ("email", json!("string")), ("birth_date", json!("date")), ("new", json!("long"))];
        Wanted::of(&contract("silver_customers"), &shape(7, &fields, &[]), PLACE).unwrap()
    }

    #[test]
    fn an_entry_has_what_athena_and_trino_ask_for() {
        let Wanted { entry, .. } = customers();
        assert_eq!((entry.kind.as_str(), entry.location.as_str()), ("EXTERNAL_TABLE", PLACE));
        assert_eq!(entry.serde_parameters, pairs([("path", PLACE), ("serialization.format", "1")]));
        for (key, value) in [("EXTERNAL", "TRUE"), ("table_type", "DELTA"), ("spark.sql.sources.provider", "delta")] {
            assert_eq!(entry.parameters[key], value);
        }
        assert_eq!(entry.parameters["classification"], "delta");
        assert_eq!(entry.synced(), Some(("table-id", 7)));
        assert_eq!((entry.name.as_str(), entry.owner.as_str()), ("silver_customers", "data-team"));
        assert!(entry.description.starts_with("The current state of every customer"), "{}", entry.description);
        assert!(entry.description.contains("One row per customer."), "{}", entry.description);
    }

    #[test]
    fn columns_are_those_of_the_log_and_words_those_of_the_contract() {
        let columns = customers().entry.columns;
        let told: Vec<_> =
            columns.iter().map(|column| (column.name.as_str(), column.kind.as_str(), column.comment.as_str())).collect();
        assert_eq!(told[0], ("customer_id", "string", "Number of the customer; the same in every table."));
        assert_eq!(told[1], ("email", "string", "[pii] E-mail address in lower case."));
        assert_eq!(told[2], ("birth_date", "date", "[pii] Date of birth."));
        assert_eq!(columns.len(), 4);
    }

    #[test]
    fn classes_are_those_of_the_contract_and_a_column_without_one_is_not_taken_for_public() {
        let Wanted { entry, .. } = customers();
        let class = |at: usize| entry.columns[at].parameters.get("classification").map(String::as_str);
        assert_eq!([class(0), class(1), class(2), class(3)], [None, Some("pii"), Some("pii"), Some("unknown")]);
        assert_eq!(entry.columns[3].comment, "[unknown]");
        assert_eq!(entry.parameters["sluice.classification"], "pii");
        let plain = Wanted::of(&contract("gold_dim_date"), &shape(0, &[("date", json!("date"))], &[]), PLACE).unwrap();
        assert_eq!(plain.entry.parameters["sluice.classification"], "none");
    }

    #[test]
    fn partition_keys_stand_apart_in_the_order_of_the_log() {
        let fields = [("_ingest_date", json!("date")), ("_payload", json!("binary")), ("_source", json!("string"))];
        let wanted =
            Wanted::of(&contract("bronze_kafka_orders"), &shape(0, &fields, &["_source", "_ingest_date"]), PLACE).unwrap();
        let names = |columns: &[CatalogColumn]| columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&wanted.entry.columns), ["_payload"]);
        assert_eq!(names(&wanted.entry.partition_keys), ["_source", "_ingest_date"]);
    }

    #[test]
    fn a_type_without_a_name_is_told_with_its_column() {
        let fields = [("customer_id", json!("string")), ("extra", json!("variant"))];
        let error = Wanted::of(&contract("silver_customers"), &shape(0, &fields, &[]), PLACE).unwrap_err();
        assert_eq!(error.to_string(), "name the type of column `extra` of `silver_customers`: Hive has no word for `variant`");
    }

    #[test]
    fn words_fit_into_what_glue_takes() {
        assert_eq!(line("one\ntwo\t three ", 20), "one two three");
        let long = line(&"ü".repeat(200), COMMENT_MAX);
        assert!(long.len() <= COMMENT_MAX && long.ends_with("ü..."), "{long}");
        assert_eq!(line(&"a".repeat(255), COMMENT_MAX).len(), 255);
        assert_eq!(line(&"a".repeat(256), COMMENT_MAX), format!("{}...", "a".repeat(252)));
    }
}
