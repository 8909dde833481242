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
    datatypes::{DataType, Int64Type, SchemaRef},
};
use lake_core::{Fault, fault::Faulty as _};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Batches in flight between the driver and the writer.
const BATCHES_IN_FLIGHT: usize = 4;
/// The driver has time limits of its own; ours are a little longer, so that its message is the one that is seen.
const GRACE: Duration = Duration::from_secs(5);

const LOGIN: &str = "log in to Snowflake";
/// What the thread does while it asks for the columns.
pub(crate) const DESCRIBE: &str = "describe the table";
const COUNT: &str = "count the rows";
/// What the thread does while rows come.
pub(crate) const READ: &str = "read rows";

enum Message {
    Connected,
    Columns(SchemaRef),
    Start { count: u64, without_cursor: u64, slices: u64 },
    Rows(RecordBatch),
    End,
    Failed(ClientError),
}

/// A table that is found, before any row is read.
pub(crate) struct Found {
    /// Columns that the source has.
    pub(crate) schema: SchemaRef,
    messages: Messages,
}

/// The rows of one window, as they come.
pub(crate) struct Reader {
    /// Rows by the source's own count.
    pub(crate) count: u64,
    /// Rows that no window reads, since their cursor is null.
    pub(crate) without_cursor: u64,
    /// Slices that are read.
    pub(crate) slices: u64,
    messages: Messages,
    read: u64,
}

/// What the thread says, each within its time.
struct Messages {
    receiver: Receiver<Message>,
    answer: Duration,
}

impl Messages {
    async fn next(&mut self, action: &'static str, within: Duration) -> Result<Message, ClientError> {
        match tokio::time::timeout(within + GRACE, self.receiver.recv()).await {
            Ok(Some(Message::Failed(error))) => Err(error),
            Ok(Some(message)) => Ok(message),
            Ok(None) | Err(_) => Err(ClientError::Silent { action, waited: within }),
        }
    }
}

/// Logs in, with some tries, and finds the table.
pub(crate) async fn find(options: &Options, query: &Query) -> Result<Found, ClientError> {
    let mut messages = log_in(options, query).await?;
    let within = messages.answer;
    match messages.next(DESCRIBE, within).await? {
        Message::Columns(schema) => Ok(Found { schema, messages }),
        _ => Err(ClientError::Silent { action: DESCRIBE, waited: within }),
    }
}

impl Found {
    /// Counts the rows and starts to read them.
    pub(crate) async fn read(mut self) -> Result<Reader, ClientError> {
        let within = self.messages.answer;
        match self.messages.next(COUNT, within).await? {
            Message::Start { count, without_cursor, slices } => {
                Ok(Reader { count, without_cursor, slices, messages: self.messages, read: 0 })
            }
            _ => Err(ClientError::Silent { action: COUNT, waited: within }),
        }
    }
}

async fn log_in(options: &Options, query: &Query) -> Result<Messages, ClientError> {
    let mut pause = Duration::from_millis(500);
    let mut tries_left = options.retries_max;
    loop {
        let (sender, receiver) = channel(BATCHES_IN_FLIGHT);
        let (options_of_thread, query) = (options.clone(), query.clone());
        std::thread::spawn(move || {
            let message = read(&options_of_thread, &query, &sender).map_or_else(Message::Failed, |()| Message::End);
            // A reader that has gone away needs no answer.
            let _ = sender.blocking_send(message);
        });
        let mut messages = Messages { receiver, answer: options.answer };
        match messages.next(LOGIN, options.timeout).await {
            Ok(_) => return Ok(messages),
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

impl Reader {
    /// Returns the next batch; `None` once all rows that the source counted have come.
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>, ClientError> {
        let within = self.messages.answer;
        match self.messages.next(READ, within).await? {
            Message::Rows(batch) => {
                self.read += batch.num_rows() as u64;
                Ok(Some(batch))
            }
            Message::End if self.read == self.count => Ok(None),
            Message::End => Err(ClientError::Moved { before: self.count, after: self.read }),
            _ => Err(ClientError::Silent { action: READ, waited: within }),
        }
    }
}

/// What the thread does.
fn read(options: &Options, query: &Query, sender: &Sender<Message>) -> Result<(), ClientError> {
    let mut client = Client::connect(options)?;
    let gone = |message| sender.blocking_send(message).is_err();
    if gone(Message::Connected) {
        return Ok(());
    }
    let schema = client.query(DESCRIBE, &query.shape())?.schema();
    let query = &fitted(query, &schema);
    if gone(Message::Columns(schema)) {
        return Ok(());
    }
    let count = number(&mut client, &query.count())?;
    let without_cursor = number(&mut client, &query.without_cursor())?;
    let boundaries = if count > query.slice_rows { keys(&mut client, query)? } else { Vec::new() };
    let slices = slices(boundaries);
    if gone(Message::Start { count, without_cursor, slices: slices.len() as u64 }) {
        return Ok(());
    }
    for slice in &slices {
        for batch in client.query(READ, &query.rows(slice))? {
            let batch = batch.map_err(|e| broken(READ, &e))?;
            if batch.num_rows() > 0 && gone(Message::Rows(batch)) {
                return Ok(());
            }
        }
    }
    // Counted again: a row that came or went between two slices must not pass unseen.
    let again = number(&mut client, &query.count())?;
    if again == count { Ok(()) } else { Err(ClientError::Moved { before: count, after: again }) }
}

/// Returns the query with bounds of the kind that the cursor has.
fn fitted(query: &Query, schema: &SchemaRef) -> Query {
    let mut fitted = query.clone();
    let cursor = schema.field_with_name(query.cursor()).map(|field| field.data_type());
    if matches!(cursor, Ok(DataType::Timestamp(_, Some(_)))) {
        fitted.bound_by_instants();
    }
    fitted
}

/// Returns the number that a query answers with.
fn number(client: &mut Client, query: &str) -> Result<u64, ClientError> {
    for batch in client.query(COUNT, query)? {
        let batch = batch.map_err(|e| broken(COUNT, &e))?;
        if let Some(column) = batch.columns().first().filter(|column| column.len() == 1) {
            let number = cast(column, &DataType::Int64).map_err(|e| broken(COUNT, &e))?;
            return Ok(u64::try_from(number.as_primitive::<Int64Type>().value(0)).unwrap_or(0));
        }
    }
    Err(ClientError::Failed { action: COUNT, message: "the answer is empty".into(), fault: Fault::Transient })
}

/// Returns the keys at which slices end, as SQL literals.
fn keys(client: &mut Client, query: &Query) -> Result<Vec<Vec<String>>, ClientError> {
    const ACTION: &str = "find the ends of the slices";
    let mut keys = Vec::new();
    for batch in client.query(ACTION, &query.boundaries())? {
        let batch = batch.map_err(|e| broken(ACTION, &e))?;
        let columns: Result<Vec<_>, _> = batch.columns().iter().map(literals).collect();
        let columns = columns.map_err(|e| broken(ACTION, &e))?;
        keys.extend((0..batch.num_rows()).map(|row| columns.iter().map(|column| column[row].clone()).collect()));
    }
    Ok(keys)
}

/// Returns the values of a column as SQL literals.
fn literals(column: &ArrayRef) -> Result<Vec<String>, arrow::error::ArrowError> {
    let kind = match column.data_type() {
        DataType::Date32 => "::DATE",
        DataType::Timestamp(_, None) => "::TIMESTAMP_NTZ",
        DataType::Timestamp(_, Some(_)) => "::TIMESTAMP_TZ",
        _ => "",
    };
    let bare = column.data_type().is_numeric() || column.data_type() == &DataType::Boolean;
    let texts = cast(column, &DataType::Utf8)?;
    let texts = texts.as_string::<i32>().iter().map(Option::unwrap_or_default);
    Ok(texts.map(|value| if bare { value.to_owned() } else { format!("{}{kind}", text(value)) }).collect())
}

fn broken(action: &'static str, error: &arrow::error::ArrowError) -> ClientError {
    ClientError::Failed { action, message: crate::client::plain(&error.to_string()), fault: Fault::Transient }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Date32Array, Decimal128Array, StringArray, TimestampMicrosecondArray};
    use std::sync::Arc;

    fn literal(column: impl arrow::array::Array + 'static) -> String {
        let column: ArrayRef = Arc::new(column);
        literals(&column).unwrap().remove(0)
    }

    #[test]
    fn keys_become_literals_of_their_type() {
        let number = Decimal128Array::from(vec![31_198_975_059]).with_precision_and_scale(38, 0).unwrap();
        assert_eq!(literal(number), "31198975059");
        assert_eq!(literal(StringArray::from(vec!["o'neil"])), "'o''neil'");
        assert_eq!(literal(Date32Array::from(vec![17_529])), "'2017-12-29'::DATE");
        assert_eq!(
            literal(TimestampMicrosecondArray::from(vec![1_514_584_800_000_001])),
            "'2017-12-29T22:00:00.000001'::TIMESTAMP_NTZ"
        );
    }
}
