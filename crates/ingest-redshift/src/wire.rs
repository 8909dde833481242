//! The wire: PostgreSQL's protocol, every value as text.
//!
//! Redshift answers neither typed binds nor COPY, so there are simple queries only. All of a window is read in one read-only
//! transaction, which sees one state of the table. Rows are taken from the connection as they are written down, so that neither
//! side holds more than some of them: Redshift would keep the whole result of a cursor on its leader node, and a cursor's FETCH is limited there.

use crate::{
    Args,
    access::{Access, Counts},
    columns::SourceColumn,
    query::{Scope, Server, Statements},
    text::Rows,
    tls::Tls,
    wire_error::{BEGIN, COUNT, DESCRIBE, LOGIN, Names, READ, WireError},
};
use anyhow::Context as _;
use arrow::array::RecordBatch;
use futures::StreamExt as _;
use lake_core::{Fault, Secret, contract::Column, fault::Faulty as _};
use lake_edge::Attach as _;
use std::{pin::Pin, time::Duration};
use tokio_postgres::{Client, Config, SimpleQueryMessage, SimpleQueryRow, SimpleQueryStream, config::SslMode};

/// A connection and the window that is read over it.
pub(crate) struct Wire {
    client: Client,
    scope: Scope,
    names: Names,
    server: Server,
    answer: Duration,
    reading: Option<Reading>,
}

struct Reading {
    rows: Rows,
    stream: Pin<Box<SimpleQueryStream>>,
    counted: u64,
    read: u64,
    ended: bool,
}

/// How to connect.
struct Login {
    config: Config,
    tls: Tls,
    names: Names,
    timeout: Duration,
}

impl Wire {
    /// Logs in, with some tries, and begins the transaction.
    pub(crate) async fn connect(args: &Args, password: &Secret, scope: Scope) -> anyhow::Result<Self> {
        let given = args.wire()?;
        let mut config = Config::new();
        config
            .host(&given.host)
            .port(args.port)
            .dbname(&args.database)
            .user(&given.user)
            .password(password.expose())
            .application_name("ingest-redshift")
            .ssl_mode(SslMode::Require);
        let names = Names { host: given.host, user: given.user, table: scope.name() };
        let timeout = Duration::from_secs(args.timeout_seconds);
        let tls = Tls::new(args.ca_file.as_deref()).map_err(WireError::from).attach()?;
        let client = log_in(&Login { config, tls, names: names.clone(), timeout }, args.retries_max).await.attach()?;
        let answer = Duration::from_secs(args.answer_seconds);
        let mut wire = Self { client, scope, names, server: Server::Postgres, answer, reading: None };
        wire.begin_transaction(args.statement_seconds).await.attach()?;
        Ok(wire)
    }

    /// Makes text exact and the same everywhere, and fixes the state of the table that is seen.
    async fn begin_transaction(&mut self, statement_seconds: u64) -> Result<(), WireError> {
        let limit = format!("SET statement_timeout TO {}", statement_seconds * 1_000);
        let settings = ["SET datestyle TO 'ISO, YMD'", "SET timezone TO 'UTC'", "SET extra_float_digits TO 2", &limit];
        for sql in settings.into_iter().chain(["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"]) {
            self.answers(BEGIN, sql).await?;
        }
        let version = self.answers(BEGIN, "SELECT version()").await?;
        self.server = Server::of(version.first().and_then(|row| text(row, 0)).unwrap_or_default());
        Ok(())
    }

    /// Runs a statement with few rows and returns them.
    async fn answers(&self, action: &'static str, sql: &str) -> Result<Vec<SimpleQueryRow>, WireError> {
        let answered = tokio::time::timeout(self.answer, self.client.simple_query(sql)).await;
        let messages = answered.map_err(|_| WireError::Silent { action, waited: self.answer })?;
        let messages = messages.map_err(|error| self.names.failed(action, &error))?;
        let row = |message| if let SimpleQueryMessage::Row(row) = message { Some(row) } else { None };
        Ok(messages.into_iter().filter_map(row).collect())
    }

    async fn number(&self, sql: &str) -> Result<u64, WireError> {
        let rows = self.answers(COUNT, sql).await?;
        let number = rows.first().and_then(|row| text(row, 0)?.parse().ok());
        let unreadable =
            || WireError::Failed { action: COUNT, message: "the answer is no number".into(), fault: Fault::Transient };
        number.ok_or_else(unreadable)
    }
}

impl Access for Wire {
    fn name(&self) -> String {
        format!("wire, {}", self.server.name())
    }

    async fn columns(&mut self) -> anyhow::Result<Vec<SourceColumn>> {
        let rows = self.answers(DESCRIBE, &self.scope.catalogue(self.server)).await.attach()?;
        let column = |row: &SimpleQueryRow| SourceColumn {
            name: text(row, 0).unwrap_or_default().to_owned(),
            kind: text(row, 1).unwrap_or_default().to_owned(),
            precision: text(row, 2).and_then(|digits| digits.parse().ok()),
            scale: text(row, 3).and_then(|digits| digits.parse().ok()),
        };
        if rows.is_empty() {
            let message = "the catalogue shows none of its columns".to_owned();
            return Err(WireError::NoTable { table: self.names.table.clone(), message }).attach();
        }
        Ok(rows.iter().map(column).collect())
    }

    async fn begin(&mut self, statements: &Statements, columns: &[Column]) -> anyhow::Result<Counts> {
        let rows = self.number(&statements.count).await.attach()?;
        let without_cursor = self.number(&statements.without_cursor).await.attach()?;
        let asked = self.client.simple_query_raw(&statements.rows);
        let stream = tokio::time::timeout(self.answer, asked).await;
        let stream = stream.map_err(|_| WireError::Silent { action: READ, waited: self.answer }).attach()?;
        let stream = Box::pin(stream.map_err(|error| self.names.failed(READ, &error)).attach()?);
        self.reading = Some(Reading { rows: Rows::new(columns), stream, counted: rows, read: 0, ended: false });
        Ok(Counts { rows, without_cursor })
    }

    async fn next(&mut self) -> anyhow::Result<Option<RecordBatch>> {
        let Some(reading) = &mut self.reading else { return Ok(None) };
        while !reading.ended && !reading.rows.full() {
            let message = tokio::time::timeout(self.answer, reading.stream.next()).await;
            let message = message.map_err(|_| WireError::Silent { action: READ, waited: self.answer }).attach()?;
            match message.transpose().map_err(|error| self.names.failed(READ, &error)).attach()? {
                Some(SimpleQueryMessage::Row(row)) => {
                    reading.rows.push(|at| row.try_get(at)).attach()?;
                    reading.read += 1;
                }
                Some(_) => {}
                None => reading.ended = true,
            }
        }
        let batch = reading.rows.take().context("failed to put rows together")?;
        let (counted, read) = (reading.counted, reading.read);
        if batch.is_none() && counted != read { Err(WireError::Torn { counted, read }).attach() } else { Ok(batch) }
    }

    /// The transaction ends with the connection, and nothing was written.
    async fn clean(&mut self) {}
}

/// Returns a value of an answer of our own making; what is not there is null.
fn text(row: &SimpleQueryRow, at: usize) -> Option<&str> {
    row.try_get(at).ok().flatten()
}

async fn log_in(login: &Login, retries_max: u32) -> Result<Client, WireError> {
    let mut pause = Duration::from_millis(500);
    let mut tries_left = retries_max;
    loop {
        match once(login).await {
            Ok(client) => return Ok(client),
            Err(error) if error.fault() == Fault::Transient && tries_left > 0 => {
                tracing::warn!(%error, tries_left, "login failed");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(10));
                tries_left -= 1;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn once(login: &Login) -> Result<Client, WireError> {
    let connected = tokio::time::timeout(login.timeout, login.config.connect(login.tls.clone())).await;
    let connected = connected.map_err(|_| WireError::Silent { action: LOGIN, waited: login.timeout })?;
    let (client, connection) = connected.map_err(|error| login.names.failed(LOGIN, &error))?;
    // The connection is driven beside the reading; it ends when its client is dropped.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection ended");
        }
    });
    Ok(client)
}
