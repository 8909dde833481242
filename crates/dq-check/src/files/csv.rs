//! CSV with a header: an empty field is null, a record with more or fewer fields than the header is no row.

use super::sink::{Cell, Sink};
use anyhow::Context as _;
use lake_core::Fault;
use std::{borrow::Cow, io::Read};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

pub(super) fn read(file: impl Read, sink: &mut Sink<'_>) -> anyhow::Result<()> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
    let header = reader.byte_headers().context("failed to read the header").context(Fault::Data)?.clone();
    let names: Vec<Cow<'_, str>> = header.iter().enumerate().map(|(at, name)| column_name(at, name)).collect();
    sink.header(names.iter().map(AsRef::as_ref));
    let columns = &sink.contract().columns;
    let places: Vec<Option<usize>> = columns.iter().map(|column| names.iter().position(|name| *name == column.name)).collect();
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).context("failed to read a record").context(Fault::Config)? {
        if record.len() != header.len() {
            sink.broken();
            continue;
        }
        sink.row(|column| match places[column].and_then(|place| record.get(place)) {
            None | Some(b"") => Cell::Null,
            Some(text) => Cell::Text(Cow::Borrowed(text)),
        })?;
    }
    sink.flush()
}

fn column_name(at: usize, name: &[u8]) -> Cow<'_, str> {
    let name = if at == 0 { name.strip_prefix(BYTE_ORDER_MARK).unwrap_or(name) } else { name };
    String::from_utf8_lossy(name)
}
