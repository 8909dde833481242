//! What a row remembers of changes that stood at its own instant and lost.
//!
//! Of two different changes of one instant the later place wins. When the loser is delivered again, at a still later place, it
//! is a duplicate of something that the row no longer shows; without a memory it would win. So a version of which there were
//! several at its instant names the others: 32 hex digits each, of the id and of the content.
//!
//! Versions are read by people who must not read personal data, and four digits of a card are found from a fingerprint by trying
//! them all. So of a group that holds personal data only the id is remembered.

use lake_core::mask::sha256_hex;

/// How many losers a row remembers: more at one instant is no history but a flood.
const LOSERS_MAX: usize = 64;
/// Digits of one fingerprint.
const DIGITS: usize = 16;
/// Stands for a fingerprint that there is not.
const NONE: &str = "----------------";

/// Fingerprints of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark(String);

impl Mark {
    /// Takes the fingerprints of an id and of a content, where there are any; no mark where there is neither.
    pub(crate) fn of(identity: Option<&str>, content: Option<&[Option<String>]>) -> Option<Self> {
        if identity.is_none() && content.is_none() {
            return None;
        }
        let id = identity.map_or_else(|| NONE.to_owned(), |id| fingerprint(id.as_bytes()));
        Some(Self(id + &content.map_or_else(|| NONE.to_owned(), |values| fingerprint(&bytes(values)))))
    }

    /// Says whether a memory holds the same change: by its id, or by its content.
    pub(crate) fn is_in(&self, memory: &str) -> bool {
        let (id, content) = self.0.split_at(DIGITS);
        marks(memory).any(|mark| (id != NONE && mark.starts_with(id)) || (content != NONE && mark.ends_with(content)))
    }

    /// Adds a change to a memory.
    pub(crate) fn add_to(&self, memory: &str) -> String {
        let all: Vec<&str> = marks(memory).chain([self.0.as_str()]).collect();
        all[all.len().saturating_sub(LOSERS_MAX)..].concat()
    }
}

/// The values one after the other, so that no two lists look alike; `None` is a null.
fn bytes(values: &[Option<String>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for value in values {
        bytes.push(u8::from(value.is_some()));
        let text = value.as_deref().unwrap_or_default();
        bytes.extend_from_slice(&text.len().to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

fn marks(memory: &str) -> impl Iterator<Item = &str> {
    (0..memory.len() / (2 * DIGITS)).filter_map(|at| memory.get(at * 2 * DIGITS..(at + 1) * 2 * DIGITS))
}

fn fingerprint(bytes: &[u8]) -> String {
    let mut digits = sha256_hex(bytes);
    digits.truncate(DIGITS);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(id: Option<&str>, content: &[Option<&str>]) -> Mark {
        let content: Vec<Option<String>> = content.iter().map(|text| text.map(str::to_owned)).collect();
        Mark::of(id, Some(&content)).unwrap()
    }

    #[test]
    fn a_change_is_known_by_id_or_by_content() {
        let memory = mark(Some("a"), &[Some("x")]).add_to(&mark(None, &[Some("y"), None]).add_to(""));
        assert_eq!(memory.len(), 64);
        for (id, content, is_known) in [
            (Some("a"), vec![Some("other")], true),
            (Some("b"), vec![Some("x")], true),
            (None, vec![Some("y"), None], true),
            (None, vec![Some("y"), Some("")], false),
            (None, vec![Some("other")], false),
            (Some("b"), vec![Some("yx")], false),
        ] {
            assert_eq!(mark(id, &content).is_in(&memory), is_known, "{id:?} {content:?}");
        }
        assert!(!mark(None, &[]).is_in(""));
    }

    #[test]
    fn a_mark_without_content_knows_the_id_only() {
        let memory = Mark::of(Some("a"), None).unwrap().add_to("");
        assert!(memory.ends_with(NONE));
        assert_eq!(["a", "b"].map(|id| Mark::of(Some(id), None).unwrap().is_in(&memory)), [true, false]);
        assert!(!mark(None, &[Some("x")]).is_in(&memory));
        assert_eq!(Mark::of(None, None), None);
    }

    #[test]
    fn a_memory_ends_somewhere() {
        let memory = (0..100).fold(String::new(), |memory, n| mark(None, &[Some(&n.to_string())]).add_to(&memory));
        assert_eq!(memory.len(), LOSERS_MAX * 32);
        assert!(mark(None, &[Some("99")]).is_in(&memory) && !mark(None, &[Some("1")]).is_in(&memory));
    }
}
