//! JSON: an array of objects, or one object a line. A field that is not there is null.
//!
//! Numbers are read as they are written, so that no float stands between the file and a decimal.

use super::sink::{Cell, Sink};
use anyhow::Context as _;
use lake_core::{Fault, contract::ColumnType};
use serde::de::{Deserializer as _, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    io::{BufRead, BufReader, Read},
};

pub(super) fn read(file: impl Read, sink: &mut Sink<'_>) -> anyhow::Result<()> {
    let mut file = BufReader::new(file);
    let array = loop {
        let buffer = file.fill_buf().context("failed to read").context(Fault::Config)?;
        let Some(first) = buffer.first().copied() else { return Ok(()) };
        if !first.is_ascii_whitespace() {
            break first == b'[';
        }
        file.consume(1);
    };
    if array {
        elements(file, sink)?
    } else {
        lines(file, sink)?
    }
    sink.flush()
}

fn lines(mut file: impl BufRead, sink: &mut Sink<'_>) -> anyhow::Result<()> {
    let mut line = Vec::new();
    while file.read_until(b'\n', &mut line).context("failed to read").context(Fault::Config)? > 0 {
        if !line.trim_ascii().is_empty() {
            match std::str::from_utf8(&line) {
                Ok(text) => object(text, sink)?,
                Err(_) => sink.broken(),
            }
        }
        line.clear();
    }
    Ok(())
}

/// What follows a mistake in an array cannot be found, so the rest is one broken record.
fn elements(file: impl Read, sink: &mut Sink<'_>) -> anyhow::Result<()> {
    let mut reader = serde_json::Deserializer::from_reader(file);
    let mut failed = None;
    let read = (&mut reader).deserialize_seq(Elements { sink, failed: &mut failed }).and_then(|()| reader.end());
    match (failed, read) {
        (Some(error), _) => Err(error),
        (None, Err(error)) if error.is_io() => Err(error).context("failed to read").context(Fault::Config),
        (None, Err(_)) => {
            sink.broken();
            Ok(())
        }
        (None, Ok(())) => Ok(()),
    }
}

/// Takes the elements of an array one by one.
struct Elements<'s, 'a> {
    sink: &'s mut Sink<'a>,
    failed: &'s mut Option<anyhow::Error>,
}

impl<'de> Visitor<'de> for Elements<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element::<Box<RawValue>>()? {
            if let Err(error) = object(element.get(), self.sink) {
                *self.failed = Some(error);
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

/// Takes an object as a row.
fn object(text: &str, sink: &mut Sink<'_>) -> anyhow::Result<()> {
    let Ok(fields) = serde_json::from_str::<BTreeMap<String, &RawValue>>(text) else {
        sink.broken();
        return Ok(());
    };
    fields.keys().for_each(|name| sink.column(name));
    let contract = sink.contract();
    sink.row(|at| {
        let column = &contract.columns[at];
        fields.get(&column.name).map_or(Cell::Null, |value| cell(value.get(), column.kind))
    })
}

fn cell(token: &str, kind: ColumnType) -> Cell<'_> {
    match token.as_bytes().first() {
        Some(b'"') => match serde_json::from_str::<Cow<'_, str>>(token) {
            Ok(text) => Cell::Text(Cow::Owned(text.into_owned().into_bytes())),
            Err(_) => Cell::Unreadable,
        },
        Some(b'{' | b'[') | None => Cell::Unreadable,
        Some(_) if token == "null" => Cell::Null,
        // A number or a truth value is no text, though every text could stand for one.
        Some(_) if matches!(kind, ColumnType::String | ColumnType::Binary) => Cell::Unreadable,
        Some(_) => Cell::Text(Cow::Borrowed(token.as_bytes())),
    }
}
