//! The Glue data catalog: entries as its API has them.

use crate::{
    Args,
    entry::{Catalog, CatalogColumn, Entry, Parameters, Present, Replacement},
    glue_error::{EXISTS, GlueError, NOT_FOUND},
};
use aws_config::{BehaviorVersion, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_glue::{
    Client,
    error::{BuildError, ProvideErrorMetadata as _},
    types::{Column, DatabaseInput, SerDeInfo, StorageDescriptor, Table, TableInput},
};
use std::collections::HashMap;

/// The catalog of an account and region.
#[derive(Debug)]
pub(crate) struct Glue {
    client: Client,
}

impl Glue {
    /// Makes a client from the environment's credentials, region and endpoint; nothing is asked yet.
    pub(crate) async fn connect(args: &Args) -> Self {
        let loaded = aws_config::defaults(BehaviorVersion::latest())
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(args.timeout()).build())
            .retry_config(RetryConfig::standard().with_max_attempts(args.retries_max + 1))
            .load()
            .await;
        Self { client: Client::new(&loaded) }
    }

    async fn has_database(&self, database: &str) -> Result<bool, GlueError> {
        match self.client.get_database().name(database).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some(NOT_FOUND) => Ok(false),
            Err(error) => Err(GlueError::of("read database", database, &error)),
        }
    }
}

impl Catalog for Glue {
    async fn tables(&self, database: &str) -> Result<Option<Vec<Present>>, GlueError> {
        let mut pages = self.client.get_tables().database_name(database).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            match page {
                Ok(page) => found.extend(page.table_list.unwrap_or_default().into_iter().map(present)),
                Err(error) if error.code() == Some(NOT_FOUND) => return Ok(None),
                Err(error) => return Err(GlueError::of("list the tables of database", database, &error)),
            }
        }
        // Not every catalog tells a database that is not there from one that is empty.
        let there = !found.is_empty() || self.has_database(database).await?;
        Ok(there.then_some(found))
    }

    async fn make_database(&self, database: &str, description: &str, location: &str) -> Result<(), GlueError> {
        const ACTION: &str = "make database";
        let input = DatabaseInput::builder().name(database).description(description).location_uri(location).build();
        let input = input.map_err(|error| GlueError::unbuilt(ACTION, database, &error))?;
        match self.client.create_database().database_input(input).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some(EXISTS) => Ok(()),
            Err(error) => Err(GlueError::of(ACTION, database, &error)),
        }
    }

    async fn table(&self, database: &str, name: &str) -> Result<Option<Present>, GlueError> {
        match self.client.get_table().database_name(database).name(name).send().await {
            Ok(answer) => Ok(answer.table.map(present)),
            Err(error) if error.code() == Some(NOT_FOUND) => Ok(None),
            Err(error) => Err(GlueError::of("read table", name, &error)),
        }
    }

    async fn create(&self, database: &str, entry: &Entry) -> Result<(), GlueError> {
        const ACTION: &str = "create table";
        let input = input(entry).map_err(|error| GlueError::unbuilt(ACTION, &entry.name, &error))?;
        let created = self.client.create_table().database_name(database).table_input(input).send().await;
        created.map(drop).map_err(|error| GlueError::of_write(ACTION, &entry.name, &error))
    }

    async fn update(&self, database: &str, replacement: Replacement<'_>) -> Result<(), GlueError> {
        const ACTION: &str = "update table";
        let Replacement { entry, version_id, archive } = replacement;
        let input = input(entry).map_err(|error| GlueError::unbuilt(ACTION, &entry.name, &error))?;
        let updated = self
            .client
            .update_table()
            .database_name(database)
            .table_input(input)
            .set_version_id(version_id.map(str::to_owned))
            .skip_archive(!archive)
            .send()
            .await;
        updated.map(drop).map_err(|error| GlueError::of_write(ACTION, &entry.name, &error))
    }

    async fn drop_table(&self, database: &str, name: &str) -> Result<(), GlueError> {
        match self.client.delete_table().database_name(database).name(name).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some(NOT_FOUND) => Ok(()),
            Err(error) => Err(GlueError::of("drop table", name, &error)),
        }
    }
}

fn present(table: Table) -> Present {
    let storage = table.storage_descriptor.unwrap_or_else(|| StorageDescriptor::builder().build());
    let serde = storage.serde_info.unwrap_or_else(|| SerDeInfo::builder().build());
    let entry = Entry {
        name: table.name,
        description: table.description.unwrap_or_default(),
        owner: table.owner.unwrap_or_default(),
        kind: table.table_type.unwrap_or_default(),
        location: storage.location.unwrap_or_default(),
        input_format: storage.input_format.unwrap_or_default(),
        output_format: storage.output_format.unwrap_or_default(),
        serde: serde.serialization_library.unwrap_or_default(),
        serde_parameters: parameters(serde.parameters),
        columns: columns(storage.columns),
        partition_keys: columns(table.partition_keys),
        parameters: parameters(table.parameters),
    };
    Present { entry, version_id: table.version_id }
}

fn columns(found: Option<Vec<Column>>) -> Vec<CatalogColumn> {
    let own = |column: Column| CatalogColumn {
        name: column.name,
        kind: column.r#type.unwrap_or_default(),
        comment: column.comment.unwrap_or_default(),
        parameters: parameters(column.parameters),
    };
    found.unwrap_or_default().into_iter().map(own).collect()
}

fn parameters(found: Option<HashMap<String, String>>) -> Parameters {
    found.unwrap_or_default().into_iter().collect()
}

fn input(entry: &Entry) -> Result<TableInput, BuildError> {
    let serde = SerDeInfo::builder()
        .serialization_library(&entry.serde)
        .set_parameters(Some(entry.serde_parameters.clone().into_iter().collect()))
        .build();
    let storage = StorageDescriptor::builder()
        .set_columns(Some(column_inputs(&entry.columns)?))
        .location(&entry.location)
        .input_format(&entry.input_format)
        .output_format(&entry.output_format)
        .serde_info(serde)
        .build();
    TableInput::builder()
        .name(&entry.name)
        .set_description(told(&entry.description))
        .set_owner(told(&entry.owner))
        .table_type(&entry.kind)
        .storage_descriptor(storage)
        // Athena wants the list also where it is empty.
        .set_partition_keys(Some(column_inputs(&entry.partition_keys)?))
        .set_parameters(Some(entry.parameters.clone().into_iter().collect()))
        .build()
}

fn column_inputs(columns: &[CatalogColumn]) -> Result<Vec<Column>, BuildError> {
    let one = |column: &CatalogColumn| {
        let parameters = (!column.parameters.is_empty()).then(|| column.parameters.clone().into_iter().collect());
        let named = Column::builder().name(&column.name).r#type(&column.kind);
        named.set_comment(told(&column.comment)).set_parameters(parameters).build()
    };
    columns.iter().map(one).collect()
}

/// What is empty is not sent.
fn told(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::entry;

    #[test]
    fn an_entry_comes_back_as_it_was_sent() {
        let mut sent = entry("silver_orders", &[("order_id", "string"), ("lines", "array<struct<sku:string>>")]);
        sent.columns[0].comment = "[pii] Number.".into();
        sent.columns[0].parameters = Parameters::from([("classification".into(), "pii".into())]);
        sent.partition_keys = sent.columns.split_off(1);
        let TableInput { name, storage_descriptor, partition_keys, parameters, .. } = input(&sent).unwrap();
        let there = Table::builder().name(name).set_storage_descriptor(storage_descriptor);
        let there = there.set_partition_keys(partition_keys).set_parameters(parameters).table_type("EXTERNAL_TABLE");
        let back = present(there.version_id("3").build().unwrap());
        assert_eq!(back.entry.difference(&sent), None);
        assert_eq!(back.version_id.as_deref(), Some("3"));
    }

    #[test]
    fn an_entry_without_partitions_says_so() {
        let sent = input(&entry("gold_dim_date", &[("date", "date")])).unwrap();
        assert_eq!(sent.partition_keys, Some(Vec::new()));
        assert_eq!((sent.description, sent.owner), (None, None));
    }
}
