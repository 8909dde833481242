//! What rules reach beyond their own column: the text of SQL rules, and other tables.

use super::{Column, Contract, layer::QualityProperty, odcs::Quality};

/// Placeholders of the table: the standard's text has one, its examples another.
const TABLE: [&str; 2] = ["{object}", "${table}"];
/// Placeholders of the column.
const COLUMN: [&str; 2] = ["{property}", "${column}"];

impl Quality {
    /// Tables besides its own that the rule's query reads.
    #[must_use]
    pub fn reads(&self) -> Vec<&str> {
        let lists = self.custom_properties.iter().filter_map(|property| match property {
            QualityProperty::Reads(tables) => Some(tables),
            QualityProperty::FailingRowsMin(_) => None,
        });
        lists.flatten().map(String::as_str).collect()
    }

    /// The rule's query with names in the place of its placeholders; none when the rule has no query.
    #[must_use]
    pub fn sql(&self, table: &str, column: Option<&str>) -> Option<String> {
        let mut sql = self.query.clone()?;
        for placeholder in TABLE {
            sql = sql.replace(placeholder, table);
        }
        for placeholder in COLUMN {
            sql = column.map_or(sql.clone(), |column| sql.replace(placeholder, column));
        }
        Some(sql)
    }

    /// A placeholder of the column, where the rule has one.
    pub(super) fn names_its_column(&self) -> Option<&'static str> {
        COLUMN.into_iter().find(|placeholder| self.query.as_ref().is_some_and(|query| query.contains(placeholder)))
    }
}

impl Contract {
    /// The rules that the contract spells out, each with the column that it stands at: first the table's, then its columns'.
    pub fn rules(&self) -> impl Iterator<Item = (Option<&Column>, &Quality)> {
        let schema = &self.document.schema[0];
        let of_columns = schema.properties.iter().flat_map(|property| {
            let column = self.column(&property.name);
            property.quality.iter().map(move |rule| (column, rule))
        });
        schema.quality.iter().map(|rule| (None, rule)).chain(of_columns)
    }

    /// Tables that rules refer to or read, each once: a verdict depends on their rows too.
    #[must_use]
    pub fn referenced_tables(&self) -> Vec<&str> {
        let relationships = self.document.schema[0].relationships.iter();
        let referred = relationships.filter_map(|relationship| relationship.target()).map(|(table, _)| table);
        let mut tables: Vec<&str> = Vec::new();
        for table in referred.chain(self.rules().flat_map(|(_, rule)| rule.reads())) {
            if !tables.contains(&table) {
                tables.push(table);
            }
        }
        tables
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn rule(query: &str) -> Quality {
        let reads = serde_json::json!([{"property": "reads", "value": ["silver_orders", "silver_products"]}]);
        let rule = serde_json::json!({"id": "r", "type": "sql", "query": query, "mustBe": 0, "customProperties": reads});
        serde_json::from_value(rule).unwrap()
    }

    #[test]
    fn placeholders_of_the_standard_and_of_its_examples_are_filled_in() {
        let query = "SELECT COUNT(*) FROM {object} JOIN ${table} ON {property} = ${column}";
        assert_eq!(
            rule(query).sql("gold_things", Some("c")).as_deref(),
            Some("SELECT COUNT(*) FROM gold_things JOIN gold_things ON c = c")
        );
        assert_eq!(rule("SELECT {property} FROM {object}").sql("t", None).as_deref(), Some("SELECT {property} FROM t"));
        assert_eq!(rule("SELECT ${column}").names_its_column(), Some("${column}"));
        assert_eq!(rule("SELECT 1 FROM {object}").names_its_column(), None);
    }

    #[test]
    fn tables_that_rules_need_are_told_once() {
        let text = include_str!("testdata/silver.yaml");
        let mut contract = Contract::parse(Path::new("silver.yaml"), text, None).unwrap();
        let before: Vec<String> = contract.referenced_tables().into_iter().map(str::to_owned).collect();
        contract.document.schema[0].quality.extend([rule("SELECT 1"), rule("SELECT 2")]);
        let after: Vec<&str> = contract.referenced_tables();
        let expected: Vec<&str> = before.iter().map(String::as_str).chain(["silver_orders", "silver_products"]).collect();
        assert_eq!(after, expected);
        assert_eq!(contract.rules().filter(|(_, rule)| rule.id == "r").count(), 2);
        assert!(contract.rules().any(|(column, _)| column.is_some()));
    }
}
