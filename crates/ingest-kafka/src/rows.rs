//! Turns records into Bronze rows: payloads untouched, meta columns beside them.

use arrow::{
    array::{ArrayRef, BinaryBuilder, Int32Builder, Int64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder},
    datatypes::SchemaRef,
};
use lake_bronze::{BronzeError, Meta};
use lake_core::operator::{Mutation, Rows};
use lake_table::columns;
use rdkafka::{
    Message as _,
    message::{BorrowedMessage, Headers as _},
};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::{fmt::Write as _, sync::Arc};

/// Rule id of a payload that is no JSON object.
const UNDECODABLE: &str = "payload_undecodable";

/// Records that wait for their batch, one builder per column.
#[derive(Debug, Default)]
pub(crate) struct Records {
    payload: BinaryBuilder,
    key: StringBuilder,
    partition: Int32Builder,
    offset: Int64Builder,
    timestamp: TimestampMicrosecondBuilder,
    headers: StringBuilder,
    violations: StringBuilder,
    rows: usize,
    bytes: usize,
    mutation: Option<Mutation>,
}

impl Records {
    /// Takes a record.
    pub(crate) fn push(&mut self, message: &BorrowedMessage<'_>) {
        let payload = message.payload();
        self.payload.append_option(payload);
        self.bytes += payload.map_or(0, <[u8]>::len);
        match message.key().map(|key| (std::str::from_utf8(key), key)) {
            None => self.key.append_null(),
            Some((Ok(text), _)) => self.key.append_value(text),
            Some((Err(_), bytes)) => self.key.append_value(format!("hex:{}", lake_core::mask::hex_of(bytes))),
        }
        self.partition.append_value(message.partition());
        self.offset.append_value(message.offset());
        self.timestamp.append_option(message.timestamp().to_millis().map(|ms| ms * 1_000));
        self.headers.append_option(headers(message));
        self.violations.append_option((!decodable(payload)).then_some(UNDECODABLE));
        self.rows += 1;
    }

    /// Bytes of the payloads.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Records {
    /// Number of records.
    pub(crate) const fn rows(&self) -> usize {
        self.rows
    }
}

impl Rows for Records {
    fn rows(&self) -> usize {
        self.rows
    }

    fn mutated(mut self, mutation: Mutation) -> Self {
        self.mutation = Some(mutation);
        self
    }
}

fn headers(message: &BorrowedMessage<'_>) -> Option<String> {
    let headers = message.headers()?;
    let pairs = headers.iter().map(|header| {
        let value = header.value.map(|bytes| std::str::from_utf8(bytes).map_or_else(|_| format!("hex:{}", lake_core::mask::hex_of(bytes)), str::to_owned));
        serde_json::json!([header.key, value])
    });
    Some(serde_json::Value::Array(pairs.collect()).to_string())
}

/// Whether a payload is one JSON object in UTF-8, after an optional schema-registry prefix (zero and four bytes).
fn decodable(payload: Option<&[u8]>) -> bool {
    let json = match payload {
        Some([0, _, _, _, _, json @ ..]) => json,
        Some(json) => json,
        None => return false,
    };
    std::str::from_utf8(json).is_ok_and(|text| serde_json::from_str::<Object>(text).is_ok())
}

/// Any JSON object; its content is read over.
struct Object;

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Object;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Object)
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// Returns the Bronze rows of some records.
pub(crate) fn batch(meta: &Meta, schema: &SchemaRef, topic: &Arc<str>, mut records: Records) -> Result<RecordBatch, BronzeError> {
    let rows = records.rows;
    let (partition, offset) = (records.partition.finish(), records.offset.finish());
    let mut position = StringBuilder::with_capacity(rows, rows * (topic.len() + 26));
    for row in 0..rows {
        // Fixed widths, so that text order is offset order. Writing to a builder cannot fail.
        let _ = write!(position, "{topic}/{:04}/{:020}", partition.value(row), offset.value(row));
        position.append_value("");
    }
    let own: [(&str, ArrayRef); 9] = [
        ("_payload", Arc::new(records.payload.finish())),
        ("_topic", columns::constant_string(topic, rows)),
        ("_partition", Arc::new(partition)),
        ("_offset", Arc::new(offset)),
        ("_timestamp", Arc::new(records.timestamp.finish().with_timezone("UTC"))),
        ("_headers", Arc::new(records.headers.finish())),
        ("_key", Arc::new(records.key.finish())),
        ("_position", Arc::new(position.finish())),
        ("_violations", Arc::new(records.violations.finish())),
    ];
    let batch = meta.assemble(schema, &own, rows)?;
    Ok(match records.mutation {
        Some(mutation) => lake_table::Batch(batch).mutated(mutation).0,
        None => batch,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_objects_are_decodable() {
        for good in [&b"{}"[..], b" {\"a\":[1,{\"b\":null}]} ", b"\x00\x00\x00\x00\x07{\"a\":1}"] {
            assert!(decodable(Some(good)), "{good:?}");
        }
        for bad in [&b""[..], b"null", b"[]", b"1", b"{\"a\":1", b"{\"a\":1} x", b"{\"a\":\"\xff\"}", b"\x00\x00\x00\x00\x07", b"\x00{}"] {
            assert!(!decodable(Some(bad)), "{bad:?}");
        }
        assert!(!decodable(None));
    }
}
