//! Turns records into Bronze rows: payloads untouched, meta columns beside them.

use arrow::{
    array::{ArrayRef, BinaryBuilder, Int32Builder, Int64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder},
    datatypes::SchemaRef,
};
use chrono::Datelike as _;
use lake_bronze::{BronzeError, Meta};
use lake_core::operator::{Mutation, Rows};
use lake_table::columns;
use rdkafka::{
    Message as _,
    message::{BorrowedHeaders, BorrowedMessage, Headers as _},
};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::{borrow::Cow, fmt::Write as _, panic::AssertUnwindSafe, sync::Arc};

/// Rule id of a payload that is no JSON object.
const UNDECODABLE: &str = "payload_undecodable";
/// Rule id of headers that cannot be read; the record lands without them.
const HEADERS_UNREADABLE: &str = "headers_unreadable";
/// Both.
const BOTH: &str = "payload_undecodable,headers_unreadable";
/// How bytes that are no text begin where a column is text.
const HEX: &str = "hex:";

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
    undecodable: u64,
    mutation: Option<Mutation>,
}

impl Records {
    /// Takes a record.
    pub(crate) fn push(&mut self, message: &BorrowedMessage<'_>) {
        let payload = message.payload();
        self.payload.append_option(payload);
        self.bytes += payload.map_or(0, <[u8]>::len) + message.key().map_or(0, <[u8]>::len);
        match message.key().map(text) {
            None => self.key.append_null(),
            Some(key) => self.key.append_value(key),
        }
        self.partition.append_value(message.partition());
        self.offset.append_value(message.offset());
        self.timestamp.append_option(message.timestamp().to_millis().and_then(micros));
        let violation = match (decodable(payload), message.headers().map(headers)) {
            (decodable, Some(None)) => {
                self.headers.append_null();
                Some(if decodable { HEADERS_UNREADABLE } else { BOTH })
            }
            (decodable, headers) => {
                let headers = headers.flatten();
                self.bytes += headers.as_ref().map_or(0, String::len);
                self.headers.append_option(headers);
                (!decodable).then_some(UNDECODABLE)
            }
        };
        self.undecodable += u64::from(violation.is_some());
        self.violations.append_option(violation);
        self.rows += 1;
    }

    /// Bytes of payloads, keys and headers.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Number of records with a violation.
    pub(crate) const fn undecodable(&self) -> u64 {
        self.undecodable
    }

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

/// Microseconds of a record's time; none for one that no calendar has. Producers set it, and some set it in another unit.
fn micros(ms: i64) -> Option<i64> {
    let at = chrono::DateTime::from_timestamp_millis(ms)?;
    (1..=9999).contains(&at.year()).then(|| at.timestamp_micros())
}

/// Bytes as text without loss: UTF-8 as it is, anything else (and what looks like it) in hex behind `hex:`.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.starts_with(HEX) => Cow::Borrowed(text),
        _ => Cow::Owned(format!("{HEX}{}", lake_core::mask::hex_of(bytes))),
    }
}

/// Headers as JSON, `[[name, value], ...]` in their order; `None` when a name is not UTF-8, on which rdkafka panics.
fn headers(headers: &BorrowedHeaders) -> Option<String> {
    let read = || headers.iter().map(|header| serde_json::json!([header.key, header.value.map(text)])).collect();
    let pairs = std::panic::catch_unwind(AssertUnwindSafe(read)).ok()?;
    Some(serde_json::Value::Array(pairs).to_string())
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
    fn bytes_become_text_without_loss() {
        assert_eq!(text(b"order-1"), "order-1");
        assert_eq!(text("gr\u{fc}n".as_bytes()), "gr\u{fc}n");
        assert_eq!(text(b"\xff\x01"), "hex:ff01");
        assert_eq!(text(b"hex:ff01"), "hex:6865783a66663031");
        assert_eq!(text(b""), "");
    }

    #[test]
    fn a_time_that_no_calendar_has_is_none() {
        assert_eq!(micros(1_514_592_000_123), Some(1_514_592_000_123_000));
        // Micro- and nanoseconds in a field of milliseconds, and what no clock shows.
        for other in [1_514_592_000_123_000, 1_514_592_000_123_000_000, i64::MAX, i64::MIN] {
            assert_eq!(micros(other), None, "{other}");
        }
    }

    #[test]
    fn only_json_objects_are_decodable() {
        for good in [&b"{}"[..], b" {\"a\":[1,{\"b\":null}]} ", b"\x00\x00\x00\x00\x07{\"a\":1}"] {
            assert!(decodable(Some(good)), "{good:?}");
        }
        for bad in
            [&b""[..], b"null", b"[]", b"1", b"{\"a\":1", b"{\"a\":1} x", b"{\"a\":\"\xff\"}", b"\x00\x00\x00\x00\x07", b"\x00{}"]
        {
            assert!(!decodable(Some(bad)), "{bad:?}");
        }
        assert!(!decodable(None));
    }
}
