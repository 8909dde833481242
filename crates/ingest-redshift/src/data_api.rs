//! The Data API: statements by HTTPS, rows by UNLOAD to a bucket as Parquet. For windows that are too large for the leader
//! node, and where no connection to the cluster is possible.
//!
//! Count and UNLOAD are one batch, which is one transaction. Each attempt of a run unloads into a folder of its own and first
//! deletes what earlier attempts left; what is read is held against the manifest, the files' footers and the count.

use crate::{
    Args,
    access::{Access, Counts},
    aws_error::{AwsError, COUNT, DESCRIBE, UNLOAD},
    columns::SourceColumn,
    manifest::{self, ManifestError, Staged, StagedFile},
    query::{Scope, Server, Statements, unload},
    text,
};
use anyhow::Context as _;
use arrow::array::RecordBatch;
use aws_config::{BehaviorVersion, timeout::TimeoutConfig};
use aws_sdk_redshiftdata::{
    Client,
    operation::describe_statement::DescribeStatementOutput,
    types::{Field, StatusString},
};
use lake_core::{Run, contract::Column};
use lake_edge::Attach as _;
use lake_table::{Stage, StagedRows};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Pause between two looks at a statement: from the first to the longest, twice as long each time.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// What is asked, of which database, and where rows are staged.
pub(crate) struct DataApi {
    client: Client,
    target: Target,
    scope: Scope,
    stage: Stage,
    role: String,
    folders: Folders,
    limit: Duration,
    reading: Option<Reading>,
}

/// Which database, and as whom.
struct Target {
    database: String,
    cluster: Option<String>,
    workgroup: Option<String>,
    secret_arn: Option<String>,
    user: Option<String>,
}

/// Folders inside the stage, each with a slash at its end.
struct Folders {
    run: String,
    attempt: String,
}

struct Reading {
    columns: Vec<Column>,
    files: VecDeque<StagedFile>,
    open: Option<(StagedFile, StagedRows, u64)>,
    counted: u64,
    read: u64,
}

impl DataApi {
    /// Makes a client from the environment's credentials and region.
    pub(crate) async fn new(args: &Args, run: &Run, scope: Scope) -> anyhow::Result<Self> {
        let data_api = args.data_api()?;
        let attempt_timeout = Duration::from_secs(args.timeout_seconds);
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(attempt_timeout).build();
        let loaded = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts).load().await;
        let folder = format!("run={}/", run.id);
        Ok(Self {
            client: Client::new(&loaded),
            target: Target {
                database: args.database.clone(),
                cluster: data_api.cluster,
                workgroup: data_api.workgroup,
                secret_arn: data_api.secret_arn,
                user: data_api.user,
            },
            scope,
            stage: Stage::open(&data_api.stage).attach()?,
            role: data_api.role,
            folders: Folders { attempt: format!("{folder}{}/", run.attempt), run: folder },
            limit: Duration::from_secs(args.statement_seconds),
            reading: None,
        })
    }

    /// Runs one statement to its end and returns its id.
    async fn execute(&self, action: &'static str, sql: String) -> Result<String, AwsError> {
        let target = &self.target;
        let sent = self
            .client
            .execute_statement()
            .sql(sql)
            .database(&target.database)
            .set_cluster_identifier(target.cluster.clone())
            .set_workgroup_name(target.workgroup.clone())
            .set_secret_arn(target.secret_arn.clone())
            .set_db_user(target.user.clone())
            .send()
            .await;
        let id = sent.map_err(|error| AwsError::of(action, &error))?.id.unwrap_or_default();
        self.finished(action, &id).await.map(|_| id)
    }

    /// Runs statements as one transaction to its end and returns it.
    async fn execute_all(&self, action: &'static str, statements: Vec<String>) -> Result<DescribeStatementOutput, AwsError> {
        let target = &self.target;
        let sent = self
            .client
            .batch_execute_statement()
            .set_sqls(Some(statements))
            .database(&target.database)
            .set_cluster_identifier(target.cluster.clone())
            .set_workgroup_name(target.workgroup.clone())
            .set_secret_arn(target.secret_arn.clone())
            .set_db_user(target.user.clone())
            .send()
            .await;
        let id = sent.map_err(|error| AwsError::of(action, &error))?.id.unwrap_or_default();
        self.finished(action, &id).await
    }

    /// Waits until a statement has ended well; one that takes too long, or that can no longer be looked at, is cancelled: it
    /// would write to the stage after the next attempt has cleaned it.
    async fn finished(&self, action: &'static str, id: &str) -> Result<DescribeStatementOutput, AwsError> {
        let ended = self.watched(action, id).await;
        if matches!(ended, Err(AwsError::Failed { .. } | AwsError::Silent { .. }))
            && let Err(error) = self.client.cancel_statement().id(id).send().await
        {
            tracing::warn!(error = %AwsError::of("cancel a statement", &error), id, "statement not cancelled");
        }
        ended
    }

    async fn watched(&self, action: &'static str, id: &str) -> Result<DescribeStatementOutput, AwsError> {
        let (started, mut pause) = (Instant::now(), PAUSES.0);
        loop {
            let described = self.client.describe_statement().id(id).send().await;
            let described = described.map_err(|error| AwsError::of(action, &error))?;
            match described.status() {
                Some(StatusString::Finished) => return Ok(described),
                Some(StatusString::Failed | StatusString::Aborted) => {
                    return Err(AwsError::statement(action, id, described.error().unwrap_or_default()));
                }
                _ => {}
            }
            let left = self.limit.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Err(AwsError::Silent { action, waited: self.limit });
            }
            tokio::time::sleep(pause.min(left)).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Returns all rows that a statement answers with.
    async fn records(&self, action: &'static str, id: &str) -> Result<Vec<Vec<Field>>, AwsError> {
        let (mut rows, mut next) = (Vec::new(), None);
        loop {
            let page = self.client.get_statement_result().id(id).set_next_token(next).send().await;
            let page = page.map_err(|error| AwsError::of(action, &error))?;
            rows.extend(page.records);
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(rows);
            }
        }
    }

    /// Returns the number that a statement of a batch answers with.
    async fn number(&self, batch: &DescribeStatementOutput, at: usize) -> Result<u64, AwsError> {
        let unreadable = || AwsError::statement(COUNT, batch.id(), "the answer is no number");
        let id = batch.sub_statements().get(at).map(|statement| statement.id().to_owned()).ok_or_else(unreadable)?;
        let rows = self.records(COUNT, &id).await?;
        let number = rows.first().and_then(|row| row.first()?.as_long_value().ok().copied());
        number.and_then(|number| u64::try_from(number).ok()).ok_or_else(unreadable)
    }

    /// Returns the files that were unloaded, once they are as the manifest says.
    async fn staged(&self, counted: u64) -> anyhow::Result<Vec<StagedFile>> {
        let path = manifest::manifest_path(&self.folders.attempt);
        let objects = self.stage.list(self.folders.attempt.trim_end_matches('/')).await.attach()?;
        let files = match self.stage.get(&path).await.attach()? {
            Some(text) => {
                let staged = Staged { stage: self.stage.uri(), folder: &self.folders.attempt, objects: &objects };
                manifest::read(&text, &staged).attach()?
            }
            // Of no rows nothing need be written.
            None if counted == 0 && objects.is_empty() => Vec::new(),
            None => return Err(ManifestError::Absent(path)).attach(),
        };
        agree("the manifest", counted, files.iter().map(|file| file.rows).sum())?;
        Ok(files)
    }
}

impl Access for DataApi {
    fn name(&self) -> String {
        "data-api".to_owned()
    }

    async fn columns(&mut self) -> anyhow::Result<Vec<SourceColumn>> {
        let id = self.execute(DESCRIBE, self.scope.catalogue(Server::Redshift)).await.attach()?;
        let rows = self.records(DESCRIBE, &id).await.attach()?;
        if rows.is_empty() {
            return Err(AwsError::NoTable { table: self.scope.name() }).attach();
        }
        let text = |row: &[Field], at: usize| row.get(at).and_then(|field| field.as_string_value().ok().cloned());
        let number = |row: &[Field], at: usize| row.get(at).and_then(|field| field.as_long_value().ok().copied());
        let column = |row: &Vec<Field>| SourceColumn {
            name: text(row, 0).unwrap_or_default(),
            kind: text(row, 1).unwrap_or_default(),
            precision: number(row, 2).and_then(|digits| u8::try_from(digits).ok()),
            scale: number(row, 3).and_then(|digits| i8::try_from(digits).ok()),
        };
        Ok(rows.iter().map(column).collect())
    }

    async fn begin(&mut self, statements: &Statements, columns: &[Column]) -> anyhow::Result<Counts> {
        let left = self.stage.clean(self.folders.run.trim_end_matches('/')).await.attach()?;
        if left > 0 {
            tracing::info!(files = left, "staged files of an earlier attempt deleted");
        }
        let to = format!("{}{}", self.stage.uri(), self.folders.attempt);
        let sqls = vec![statements.count.clone(), statements.without_cursor.clone(), unload(&statements.staged, &to, &self.role)];
        let batch = self.execute_all(UNLOAD, sqls).await.attach()?;
        lake_core::fault_point!("redshift.unload.after");
        let counts =
            Counts { rows: self.number(&batch, 0).await.attach()?, without_cursor: self.number(&batch, 1).await.attach()? };
        let files = self.staged(counts.rows).await?.into();
        self.reading = Some(Reading { columns: columns.to_vec(), files, open: None, counted: counts.rows, read: 0 });
        Ok(counts)
    }

    async fn next(&mut self) -> anyhow::Result<Option<RecordBatch>> {
        let Some(reading) = &mut self.reading else { return Ok(None) };
        loop {
            let Some((file, mut rows, read)) = reading.open.take() else {
                let Some(file) = reading.files.pop_front() else {
                    agree("the staged files", reading.counted, reading.read)?;
                    return Ok(None);
                };
                let rows = self.stage.open_file(&file.path, file.bytes).await.attach()?;
                agree(&format!("the staged file `{}`", file.path), file.rows, rows.rows)?;
                reading.open = Some((file, rows, 0));
                continue;
            };
            if let Some(batch) = rows.next().await.attach()? {
                let now = batch.num_rows() as u64;
                reading.read += now;
                reading.open = Some((file, rows, read + now));
                return text::decoded(&reading.columns, &batch).map(Some);
            }
            agree(&format!("the staged file `{}`", file.path), file.rows, read)?;
        }
    }

    async fn clean(&mut self) {
        lake_core::fault_point!("redshift.clean.before");
        let cleaned = self.stage.clean(self.folders.run.trim_end_matches('/')).await.context("failed to clean the stage");
        if let Err(error) = cleaned {
            tracing::warn!(error = format!("{error:#}"), "staged files not deleted");
        }
    }
}

fn agree(what: &str, said: u64, found: u64) -> anyhow::Result<()> {
    if said == found { Ok(()) } else { Err(ManifestError::Rows { what: what.to_owned(), said, found }).attach() }
}
