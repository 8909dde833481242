//! One reading of a table: a thread that asks Snowflake and hands its batches over, with a time limit on every answer.
//!
//! The driver's calls block and cannot be stopped, so they run on a thread of their own that the process may leave behind;
//! a runtime's blocking pool would be waited for at the end.

use crate::{
    client::{Client, ClientError, Options},
    query::{Query, slices, text},
};
use arrow::{
    array::{Array as _, ArrayRef, AsArray as _, RecordBatch},
    compute::cast,
    datatypes::{DataType, Int64Type},
};
use lake_core::{Fault, fault::Faulty as _};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Batches in flight between the driver and the writer.
const BATCHES_IN_FLIGHT: usize = 4;

enum Message {
    Start { count: u64, columns: Vec<String>, slices: u64 },
    Rows(RecordBatch),
    End,
    Failed(ClientError),
}

/// The rows of one window, as they come.
pub(crate) struct Reader {
    /// Rows by the source's own count.
    pub(crate) count: u64,
    /// Columns that the source has.
    pub(crate) columns: Vec<String>,
    /// Slices that are read.
    pub(crate) slices: u64,
    messages: Receiver<Message>,
    timeout: Duration,
    read: u64,
}

/// Logs in, with some tries, and starts to read.
pub(crate) async fn start(options: Options, query: Query) -> Result<Reader, ClientError> {
    let mut pause = Duration::from_millis(500);
    for tries_left in (0..=options.retries_max).rev() {
        match attempt(options.clone(), query.clone()).await {
            Err(error) if error.fault() == Fault::Transient && tries_left > 0 => {
                tracing::warn!(%error, tries_left, "Snowflake not reached");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(10));
            }
            result => return result,
        }
    }
    Err(ClientError::Silent { action: "log in to Snowflake", waited: options.timeout })
}

async fn attempt(options: Options, query: Query) -> Result<Reader, ClientError> {
    let timeout = options.timeout;
    let (sender, mut messages) = channel(BATCHES_IN_FLIGHT);
    std::thread::spawn(move || {
        let message = match read(&options, &query, &sender) {
            Ok(()) => Message::End,
            Err(error) => Message::Failed(error),
        };
        // A reader that has gone away needs no answer.
        let _ = sender.blocking_send(message);
    });
    match receive(&mut messages, "log in to Snowflake", timeout).await? {
        Message::Start { count, columns, slices } => Ok(Reader { count, columns, slices, messages, timeout, read: 0 }),
        Message::Failed(error) => Err(error),
        Message::Rows(_) | Message::End => Err(ClientError::Silent { action: "log in to Snowflake", waited: timeout }),
    }
}

async fn receive(messages: &mut Receiver<Message>, action: &'static str, timeout: Duration) -> Result<Message, ClientError> {
    // The driver has time limits of its own; ours is a little longer, so that its message is the one that is seen.
    let received = tokio::time::timeout(timeout + Duration::from_secs(5), messages.recv()).await;
    received.ok().flatten().ok_or(ClientError::Silent { action, waited: timeout })
}

impl Reader {
    /// Returns the next batch; `None` once all rows that the source counted have come.
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>, ClientError> {
        match receive(&mut self.messages, "read rows", self.timeout).await? {
            Message::Rows(batch) => {
                self.read += batch.num_rows() as u64;
                Ok(Some(batch))
            }
            Message::End if self.read == self.count => Ok(None),
            Message::End => Err(ClientError::Moved { counted: self.count, read: self.read }),
            Message::Failed(error) => Err(error),
            Message::Start { .. } => Err(ClientError::Silent { action: "read rows", waited: self.timeout }),
        }
    }
}

/// What the thread does.
fn read(options: &Options, query: &Query, sender: &Sender<Message>) -> Result<(), ClientError> {
    let mut client = Client::connect(options)?;
    let columns = texts(&mut client, &query.source_columns(), false)?;
    if columns.is_empty() {
        return Err(ClientError::NoTable(query.table()));
    }
    let count = count(&mut client, query)?;
    let boundaries = if count > query.slice_rows { texts(&mut client, &query.boundaries(), true)? } else { Vec::new() };
    let slices = slices(&boundaries);
    let start = Message::Start { count, columns, slices: slices.len() as u64 };
    if sender.blocking_send(start).is_err() {
        return Ok(());
    }
    for slice in &slices {
        for batch in client.query(&query.rows(slice))? {
            let batch = batch.map_err(|e| broken(&e))?;
            if batch.num_rows() > 0 && sender.blocking_send(Message::Rows(batch)).is_err() {
                return Ok(());
            }
        }
    }
    // Counted again: a row that came or went between two slices must not pass unseen.
    let again = self::count(&mut client, query)?;
    if again == count { Ok(()) } else { Err(ClientError::Moved { counted: again, read: count }) }
}

fn count(client: &mut Client, query: &Query) -> Result<u64, ClientError> {
    let mut total = 0;
    for batch in client.query(&query.count())? {
        let batch = batch.map_err(|e| broken(&e))?;
        let column = cast(batch.column(0), &DataType::Int64).map_err(|e| broken(&e))?;
        let numbers = column.as_primitive::<Int64Type>();
        total += numbers.iter().flatten().filter_map(|n| u64::try_from(n).ok()).sum::<u64>();
    }
    Ok(total)
}

/// Returns the first column of a result as texts; as SQL literals when they go into a query again.
fn texts(client: &mut Client, sql: &str, literals: bool) -> Result<Vec<String>, ClientError> {
    let mut values = Vec::new();
    for batch in client.query(sql)? {
        let batch = batch.map_err(|e| broken(&e))?;
        let column: &ArrayRef = batch.column(0);
        let number = column.data_type().is_numeric();
        let column = cast(column, &DataType::Utf8).map_err(|e| broken(&e))?;
        let column = column.as_string::<i32>();
        for value in (0..column.len()).filter(|row| column.is_valid(*row)).map(|row| column.value(row)) {
            values.push(if literals && !number { text(value) } else { value.to_owned() });
        }
    }
    Ok(values)
}

fn broken(error: &arrow::error::ArrowError) -> ClientError {
    ClientError::Failed { action: "read an answer", message: error.to_string(), fault: Fault::Transient }
}
