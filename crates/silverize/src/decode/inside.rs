//! Fields that stand inside the JSON of a column: each payload is read once, for all of them.

use super::{
    column::push,
    field::{Cell, FieldPlan, Value},
    pointer::{Found, PointerError, Trees},
    rule::{Rule, broken},
    tombstone::{Breaks, Gone, Tombstones},
};
use anyhow::bail;
use arrow::{
    array::{Array as _, ArrayRef, AsArray as _, BinaryArray, StringArray},
    datatypes::DataType,
};
use lake_table::ColumnBuilder;

/// A column that holds JSON, and the fields inside it.
#[derive(Debug, Clone)]
pub(crate) struct Inside {
    /// The column.
    pub(crate) column: String,
    trees: Trees,
    /// Fields by place, each with its slot.
    fields: Vec<(usize, usize)>,
    /// What a payload breaks that is no JSON object.
    undecodable: Rule,
}

/// How values of a batch are judged.
#[derive(Debug)]
pub(crate) struct Judge<'a> {
    /// All fields of the input.
    pub(crate) fields: &'a [FieldPlan],
    /// Which rows are tombstones, where the input has some.
    pub(crate) tombstones: Option<&'a Tombstones>,
    /// Those that were found so far.
    pub(crate) gone: Gone,
    /// What rows break.
    pub(crate) breaks: &'a mut Breaks,
}

impl Judge<'_> {
    /// Whether a row is asked for a field.
    pub(crate) fn asks(&self, row: usize, field: usize) -> bool {
        !self.gone.is(row) || self.tombstones.is_none_or(|tombstones| tombstones.has(field))
    }

    fn cell<'a>(&mut self, row: usize, field: usize, value: Value<'a>, rules: &mut Vec<Rule>) -> Cell<'a> {
        if !self.asks(row, field) {
            return Cell::Null;
        }
        let cell = self.fields[field].judge(value, 0, rules);
        if !rules.is_empty() {
            let own = self.breaks.entry(row).or_default();
            rules.drain(..).for_each(|rule| broken(own, rule));
        }
        if self.tombstones.is_some_and(|tombstones| tombstones.teller == field && tombstones.says(&cell)) {
            self.gone.mark(row);
        }
        cell
    }
}

impl Inside {
    pub(crate) fn new(column: &str, undecodable: Rule) -> Self {
        Self { column: column.to_owned(), trees: Trees::default(), fields: Vec::new(), undecodable }
    }

    /// Adds a field; what tells tombstones is read before the others.
    pub(crate) fn add(&mut self, field: usize, pointer: &str, is_teller: bool) -> Result<(), PointerError> {
        let slot = self.trees.record.leaf(pointer)?;
        self.fields.insert(if is_teller { 0 } else { self.fields.len() }, (field, slot));
        Ok(())
    }

    /// Reads the column: the fields' places, each with its values.
    pub(crate) fn read(&self, source: &ArrayRef, judge: &mut Judge<'_>) -> anyhow::Result<Vec<(usize, ArrayRef)>> {
        let payloads = Payloads::of(&self.column, source)?;
        let kinds = self.fields.iter().map(|(field, _)| judge.fields[*field].kind);
        let mut builders: Vec<ColumnBuilder> = kinds.map(|kind| ColumnBuilder::new(kind, source.len())).collect();
        let (mut found, mut rules) = (Found::default(), Vec::new());
        for row in 0..source.len() {
            // Of a tombstone most often nothing inside is asked for: then nobody cares what it says.
            let asked = self.fields.iter().any(|(field, _)| judge.asks(row, *field));
            let payload = payloads.value(row).filter(|_| asked);
            let readable = payload.is_none_or(|payload| found.read(&self.trees, payload));
            if !readable {
                broken(judge.breaks.entry(row).or_default(), self.undecodable);
            }
            for ((field, slot), builder) in self.fields.iter().zip(&mut builders) {
                let raw = payload.and_then(|_| found.slots.get(*slot).copied().flatten());
                let cell = if readable { judge.cell(row, *field, Value::of_json(raw), &mut rules) } else { Cell::Null };
                push(builder, &cell);
            }
        }
        Ok(self.fields.iter().map(|(field, _)| *field).zip(builders.into_iter().map(|mut builder| builder.finish())).collect())
    }
}

/// A column of payloads.
enum Payloads<'a> {
    Text(&'a StringArray),
    Bytes(&'a BinaryArray),
}

impl<'a> Payloads<'a> {
    fn of(column: &str, array: &'a ArrayRef) -> anyhow::Result<Self> {
        Ok(match array.data_type() {
            DataType::Utf8 => Self::Text(array.as_string()),
            DataType::Binary => Self::Bytes(array.as_binary()),
            other => bail!("column `{column}` is {other}, and JSON is read from text and bytes"),
        })
    }

    fn value(&self, row: usize) -> Option<&'a [u8]> {
        match self {
            Self::Text(texts) => texts.is_valid(row).then(|| texts.value(row).as_bytes()),
            Self::Bytes(payloads) => payloads.is_valid(row).then(|| payloads.value(row)),
        }
    }
}
