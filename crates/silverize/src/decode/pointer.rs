//! One pass over a JSON payload that keeps only what a contract points to.
//!
//! The pointers are a tree, built once. A value at a pointer is kept as the slice of the payload that holds it, so numbers
//! keep their digits and nothing is copied; everything else is skipped.
//!
//! Source: RFC 6901, <https://www.rfc-editor.org/rfc/rfc6901>.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Visitor methods for everything that is neither object nor list nor null.
macro_rules! scalars {
    ($self:ident => $result:expr) => {
        fn visit_bool<E>($self, _: bool) -> Result<Self::Value, E> {
            $result
        }

        fn visit_i64<E>($self, _: i64) -> Result<Self::Value, E> {
            $result
        }

        fn visit_u64<E>($self, _: u64) -> Result<Self::Value, E> {
            $result
        }

        fn visit_f64<E>($self, _: f64) -> Result<Self::Value, E> {
            $result
        }

        fn visit_str<E>($self, _: &str) -> Result<Self::Value, E> {
            $result
        }
    };
}

/// Pointers that lead into each other, or to nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PointerError(pub(crate) String);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// A value: its slot.
    Leaf(usize),
    /// The list of lines.
    Lines,
    /// An object (or list) with pointers below it.
    Node(usize),
}

/// The pointers of a contract as a tree of names.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    nodes: Vec<Vec<(String, Target)>>,
    slots: usize,
}

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: vec![Vec::new()], slots: 0 }
    }
}

impl Tree {
    /// Adds a pointer to a value and returns its slot; equal pointers share one.
    pub(crate) fn leaf(&mut self, pointer: &str) -> Result<usize, PointerError> {
        let slot = self.slots;
        match self.add(pointer, Target::Leaf(slot))? {
            Target::Leaf(found) => {
                self.slots += usize::from(found == slot);
                Ok(found)
            }
            _ => Err(PointerError(format!("pointer `{pointer}` leads to what holds other fields"))),
        }
    }

    /// Adds the pointer to the list of lines.
    pub(crate) fn lines(&mut self, pointer: &str) -> Result<(), PointerError> {
        match self.add(pointer, Target::Lines)? {
            Target::Lines => Ok(()),
            _ => Err(PointerError(format!("pointer `{pointer}` of the lines leads to a field"))),
        }
    }

    /// Number of slots that a record needs.
    pub(crate) const fn slots(&self) -> usize {
        self.slots
    }

    fn add(&mut self, pointer: &str, target: Target) -> Result<Target, PointerError> {
        let malformed = || PointerError(format!("`{pointer}` is no JSON pointer such as `/payment/method`"));
        let path = pointer.strip_prefix('/').ok_or_else(malformed)?;
        let mut names: Vec<String> = path.split('/').map(|name| name.replace("~1", "/").replace("~0", "~")).collect();
        let last = names.pop().ok_or_else(malformed)?;
        let mut node = 0;
        for name in names {
            let new = Target::Node(self.nodes.len());
            node = match self.child(node, name, new) {
                Target::Node(next) => {
                    if Target::Node(next) == new {
                        self.nodes.push(Vec::new());
                    }
                    next
                }
                _ => return Err(PointerError(format!("pointer `{pointer}` leads into another field"))),
            };
        }
        Ok(self.child(node, last, target))
    }

    /// Returns what stands under a name, adding it when nothing does.
    fn child(&mut self, node: usize, name: String, target: Target) -> Target {
        let children = &mut self.nodes[node];
        if let Some((_, found)) = children.iter().find(|(known, _)| *known == name) {
            return *found;
        }
        children.push((name, target));
        target
    }
}

/// What one payload has at the pointers.
#[derive(Debug, Default)]
pub(crate) struct Found<'a> {
    /// By slot: the value's slice of the payload.
    pub(crate) slots: Vec<Option<&'a str>>,
    /// The lines.
    pub(crate) lines: Lines<'a>,
}

/// The list of lines of one payload.
#[derive(Debug, Default)]
pub(crate) struct Lines<'a> {
    /// By line, then slot.
    pub(crate) slots: Vec<Option<&'a str>>,
    /// How many there are; objects or not.
    pub(crate) count: usize,
    /// Whether something stands at the pointer that is neither null nor a list of objects.
    pub(crate) malformed: bool,
}

impl<'a> Found<'a> {
    /// Reads a payload; `false` when it is no JSON object. What was found before is gone.
    pub(crate) fn read(&mut self, trees: &Trees, payload: &'a [u8]) -> bool {
        let Ok(text) = std::str::from_utf8(payload) else { return false };
        self.slots.clear();
        self.slots.resize(trees.record.slots(), None);
        self.lines.clear();
        let mut json = serde_json::Deserializer::from_str(text);
        let object = Object { trees, tree: &trees.record, node: 0, slots: &mut self.slots, lines: Some(&mut self.lines) };
        object.deserialize(&mut json).is_ok_and(|is_object| is_object) && json.end().is_ok()
    }
}

impl Lines<'_> {
    fn clear(&mut self) {
        self.slots.clear();
        (self.count, self.malformed) = (0, false);
    }
}

/// The pointers of records and of their lines.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trees {
    /// Of the record.
    pub(crate) record: Tree,
    /// Of a line, relative to it.
    pub(crate) line: Tree,
}

/// Reads what should be an object; returns whether it is one.
struct Object<'t, 'f, 'a> {
    trees: &'t Trees,
    tree: &'t Tree,
    node: usize,
    slots: &'f mut [Option<&'a str>],
    lines: Option<&'f mut Lines<'a>>,
}

impl<'a> DeserializeSeed<'a> for Object<'_, '_, 'a> {
    type Value = bool;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Object<'_, '_, 'a> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<bool, A::Error> {
        let children = &self.tree.nodes[self.node];
        let mut expected = 0;
        while let Some(found) = map.next_key_seed(Key { children, expected })? {
            let Some(at) = found else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            expected = at + 1;
            match children[at].1 {
                Target::Leaf(slot) => self.slots[slot] = Some(map.next_value::<&'a RawValue>()?.get()),
                Target::Node(node) => {
                    let lines = self.lines.as_deref_mut();
                    map.next_value_seed(Object { trees: self.trees, tree: self.tree, node, slots: &mut *self.slots, lines })?;
                }
                Target::Lines => match self.lines.as_deref_mut() {
                    Some(lines) => map.next_value_seed(List { trees: self.trees, lines })?,
                    None => drop(map.next_value::<IgnoredAny>()?),
                },
            }
        }
        Ok(true)
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut seq: A) -> Result<bool, A::Error> {
        // A pointer may name an element of a list by its index.
        for index in 0usize.. {
            let name = index.to_string();
            let target = self.tree.nodes[self.node].iter().find(|(child, _)| *child == name).map(|(_, target)| *target);
            let more = match target {
                Some(Target::Leaf(slot)) => {
                    seq.next_element::<&'a RawValue>()?.map(|raw| self.slots[slot] = Some(raw.get())).is_some()
                }
                Some(Target::Node(node)) => {
                    let lines = self.lines.as_deref_mut();
                    seq.next_element_seed(Object { trees: self.trees, tree: self.tree, node, slots: &mut *self.slots, lines })?
                        .is_some()
                }
                Some(Target::Lines) | None => seq.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                break;
            }
        }
        Ok(false)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    scalars!(self => Ok(false));
}

/// Reads what should be the list of lines.
struct List<'t, 'f, 'a> {
    trees: &'t Trees,
    lines: &'f mut Lines<'a>,
}

impl<'a> DeserializeSeed<'a> for List<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        // A repeated name: the last one counts, as for values.
        self.lines.clear();
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for List<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        let stride = self.trees.line.slots();
        loop {
            let from = self.lines.slots.len();
            self.lines.slots.resize(from + stride, None);
            let slots = &mut self.lines.slots[from..];
            match seq.next_element_seed(Object { trees: self.trees, tree: &self.trees.line, node: 0, slots, lines: None })? {
                Some(is_object) => {
                    self.lines.count += 1;
                    self.lines.malformed |= !is_object;
                }
                None => {
                    self.lines.slots.truncate(from);
                    return Ok(());
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        self.lines.malformed = true;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    scalars!(self => {
        self.lines.malformed = true;
        Ok(())
    });
}

/// Finds a name among those wanted; sources write their fields in one order, so the next one is tried first.
struct Key<'t> {
    children: &'t [(String, Target)],
    expected: usize,
}

impl<'a> DeserializeSeed<'a> for Key<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        if self.children.get(self.expected).is_some_and(|(child, _)| child == name) {
            return Ok(Some(self.expected));
        }
        Ok(self.children.iter().position(|(child, _)| child == name))
    }
}

#[cfg(test)]
#[path = "pointer_tests.rs"]
mod tests;
