//! What tells a landed record from any other at its offset, and where the log keeps it: in the summary's facts.
//!
//! A topic that was deleted and created again has the same name, and the client library shows no topic ids. So the next run
//! reads the last landed record once more and compares it.

use crate::broker::Topic;
use lake_core::mask::sha256_hex;
use rdkafka::{Message as _, message::BorrowedMessage};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Name of the fact: per application id the mark of the last landed record.
pub(crate) const FACT: &str = "last_records";
/// Hex digits of a digest: too few to find personal data by, enough beside offset and time.
const DIGITS: usize = 8;

/// The last landed record of each partition.
pub(crate) type Marks = BTreeMap<i32, Mark>;

/// What tells a record from any other at its offset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// Its offset.
    pub(crate) offset: i64,
    timestamp_ms: Option<i64>,
    digest: String,
}

impl Mark {
    /// Time of the record in milliseconds since 1970.
    pub(crate) const fn timestamp_ms(&self) -> Option<i64> {
        self.timestamp_ms
    }

    /// Returns the mark of a record.
    pub(crate) fn of(record: &BorrowedMessage<'_>) -> Self {
        Self::new(record.offset(), record.timestamp().to_millis(), [record.key(), record.payload()])
    }

    /// Returns the mark of a record with this time, key and value.
    pub(crate) fn new(offset: i64, timestamp_ms: Option<i64>, key_and_value: [Option<&[u8]>; 2]) -> Self {
        let mut bytes = Vec::new();
        for part in key_and_value {
            // With its length, so that no byte moves from key to value; nothing at all is not the same as empty.
            bytes.extend(part.map(|part| part.len() as u64).map_or([u8::MAX; 8], u64::to_le_bytes));
            bytes.extend_from_slice(part.unwrap_or_default());
        }
        let mut digest = sha256_hex(&bytes);
        digest.truncate(DIGITS);
        Self { offset, timestamp_ms, digest }
    }
}

/// Returns the marks that a summary's facts hold for a topic. An older program wrote none down: then nothing is compared.
pub(crate) fn read(facts: &BTreeMap<String, Value>, topic: &Topic) -> Marks {
    let Some(Value::Object(marks)) = facts.get(FACT) else { return Marks::new() };
    let mark = |(application, mark): (&String, &Value)| {
        Some((topic.partition(application)?, serde_json::from_value::<Mark>(mark.clone()).ok()?))
    };
    marks.iter().filter_map(mark).collect()
}

/// Returns marks as a fact.
pub(crate) fn fact(marks: &Marks, topic: &Topic) -> Value {
    let marks = marks.iter().map(|(partition, mark)| (topic.application(*partition), serde_json::json!(mark)));
    Value::Object(marks.collect::<Map<String, Value>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(offset: i64, timestamp_ms: Option<i64>, key: Option<&str>, value: Option<&str>) -> Mark {
        Mark::new(offset, timestamp_ms, [key.map(str::as_bytes), value.map(str::as_bytes)])
    }

    #[test]
    fn records_that_differ_have_different_marks() {
        let one = mark(4, Some(7), Some("1"), Some("{}"));
        assert_eq!(one, mark(4, Some(7), Some("1"), Some("{}")));
        for other in [
            mark(5, Some(7), Some("1"), Some("{}")),
            mark(4, Some(8), Some("1"), Some("{}")),
            mark(4, None, Some("1"), Some("{}")),
            mark(4, Some(7), Some("1{"), Some("}")),
            mark(4, Some(7), None, Some("1{}")),
            mark(4, Some(7), Some("1"), Some("")),
            mark(4, Some(7), Some("1"), None),
        ] {
            assert_ne!(one, other);
        }
        assert_ne!(mark(0, None, None, None), mark(0, None, None, Some("")), "no value is not an empty one");
    }

    #[test]
    fn marks_come_back_from_the_facts_for_their_own_topic() {
        let topic = Topic::of(&[(0, 0, 9), (3, 0, 9)]);
        let marks = Marks::from([(0, mark(8, Some(7), None, None)), (3, mark(5, None, None, Some("{}")))]);
        let mut facts = BTreeMap::from([(FACT.to_owned(), fact(&marks, &topic))]);
        assert_eq!(read(&facts, &topic), marks);
        facts.insert(FACT.to_owned(), serde_json::json!({ "kafka/c/other/0": marks[&0], "kafka/c/t/1": "of a later program" }));
        assert_eq!(read(&facts, &topic), Marks::new());
        assert_eq!(read(&BTreeMap::new(), &topic), Marks::new(), "commits of older programs have none");
    }
}
