//! Rows that say that the source has deleted the thing: which they are, and what of them counts.

use super::{
    field::{Cell, FieldPlan},
    record_plan::InputOf,
    rule::{Rule, broken},
};
use crate::route::{RoutePlan, Source};
use anyhow::Context as _;
use arrow::{
    array::{Array as _, ArrayRef, AsArray as _, BooleanArray},
    compute::{not, nullif},
};
use lake_core::contract::silver::DELETED_AT;
use std::collections::BTreeMap;

/// By row: the rules that it breaks.
pub(crate) type Breaks = BTreeMap<usize, Vec<Rule>>;

/// Which rows of an input are tombstones, and what those have.
#[derive(Debug, Clone)]
pub(crate) struct Tombstones {
    /// Place of the field that tells.
    pub(crate) teller: usize,
    values: Vec<String>,
    /// Place of the field with the time of the deletion.
    pub(crate) deleted_at: usize,
    /// By field: whether a tombstone has it.
    fields: Vec<bool>,
    /// By column of the route: which rows have it.
    columns: Vec<Having>,
}

/// Which rows have a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Having {
    All,
    Living,
    Tombstones,
}

impl Tombstones {
    /// Prepares the tombstones of an input, where it has some; the error says what is wrong.
    pub(crate) fn new(of: InputOf<'_>, fields: &[FieldPlan], plan: &RoutePlan) -> Result<Option<Self>, String> {
        let (Some(deletes), Some(silver)) = (&of.input.deletes, of.contract.silver()) else { return Ok(None) };
        let place = |name: &String| fields.iter().position(|field| field.name == *name);
        let teller = place(&deletes.field).ok_or_else(|| format!("`deletes` names unknown field `{}`", deletes.field))?;
        let key = of.contract.key();
        let route = of.input.routes.first().ok_or("rows with columns need exactly one route")?;
        let has = |column: &str| of.input.tombstone_has(silver, &key, route, column);
        let having = |column: &str| match column {
            DELETED_AT => Having::Tombstones,
            _ if has(column) => Having::All,
            _ => Having::Living,
        };
        let mut own: Vec<bool> = fields.iter().map(|field| of.input.sequence.as_ref() == Some(&field.name)).collect();
        let mut deleted_at = None;
        for column in &plan.columns {
            let Source::Field(at) = column.source else { continue };
            own[at] |= has(&column.name);
            if column.name == DELETED_AT {
                deleted_at = Some(at);
            }
        }
        Ok(Some(Self {
            teller,
            values: deletes.values.clone(),
            deleted_at: deleted_at.ok_or_else(|| format!("tombstones need column `{DELETED_AT}`, fed from a field"))?,
            fields: own,
            columns: plan.columns.iter().map(|column| having(&column.name)).collect(),
        }))
    }

    /// Whether a tombstone has a field: others are not asked for, and what is wrong with them breaks nothing.
    pub(crate) fn has(&self, field: usize) -> bool {
        self.fields[field]
    }

    /// Finds the tombstones of a batch by the column that tells.
    pub(crate) fn find(&self, texts: &ArrayRef) -> anyhow::Result<Gone> {
        let texts = texts.as_string_opt::<i32>().context("what tells tombstones is no text")?;
        let says = |text: Option<&str>| text.is_some_and(|text| self.values.iter().any(|value| value == text));
        Ok(Gone(texts.iter().map(says).collect()))
    }

    /// Whether a value says that its row is a tombstone.
    pub(crate) fn says(&self, cell: &Cell<'_>) -> bool {
        matches!(cell, Cell::Text(text) if self.values.iter().any(|value| *value == **text))
    }

    /// Empties a column of the route in the rows that do not have it.
    pub(crate) fn clear(&self, column: usize, array: ArrayRef, gone: &BooleanArray) -> anyhow::Result<ArrayRef> {
        Ok(match self.columns[column] {
            Having::All => array,
            Having::Living if gone.true_count() == 0 => array,
            Having::Living => nullif(&array, gone)?,
            Having::Tombstones => nullif(&array, &not(gone)?)?,
        })
    }

    /// A tombstone without the time of the deletion would look alive.
    pub(crate) fn check(&self, fields: &[FieldPlan], columns: &[ArrayRef], gone: &Gone, breaks: &mut Breaks) {
        let times = &columns[self.deleted_at];
        for row in gone.rows().filter(|row| times.is_null(*row)) {
            let rules = breaks.entry(row).or_default();
            if rules.is_empty() {
                broken(rules, fields[self.deleted_at].missing());
            }
        }
    }
}

/// Which rows of a batch are tombstones; none where the input has none.
#[derive(Debug, Default)]
pub(crate) struct Gone(Vec<bool>);

impl Gone {
    /// No row of a batch, so far.
    pub(crate) fn none_of(rows: usize) -> Self {
        Self(vec![false; rows])
    }

    pub(crate) fn mark(&mut self, row: usize) {
        self.0[row] = true;
    }

    pub(crate) fn is(&self, row: usize) -> bool {
        self.0.get(row).copied().unwrap_or(false)
    }

    fn rows(&self) -> impl Iterator<Item = usize> {
        (0..self.0.len()).filter(|row| self.0[*row])
    }
}
