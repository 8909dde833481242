//! What a column is made from: columns of other tables, and how each of them is used.

use std::collections::{BTreeMap, BTreeSet};

/// A column of a table, or of the source of a Bronze table (see [`super::dataset::source_label`]).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Field {
    /// Full name of the table, or label of the source.
    pub table: String,
    /// Column.
    pub column: String,
}

/// How a column is used: the first three make values, the others decide which rows or which values there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// The value as it is.
    Identity,
    /// A value made from it.
    Transformation,
    /// A value made from those of many rows.
    Aggregation,
    /// Rows are joined by it.
    Join,
    /// Rows are grouped by it.
    GroupBy,
    /// Rows are chosen by it.
    Filter,
    /// Rows are ordered by it.
    Sort,
    /// Rows are parted or ordered by it in a window.
    Window,
    /// It decides which of several values is taken.
    Conditional,
}

impl Use {
    /// Whether values are made from it.
    #[must_use]
    pub const fn direct(self) -> bool {
        matches!(self, Self::Identity | Self::Transformation | Self::Aggregation)
    }

    /// OpenLineage's `type`.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        if self.direct() { "DIRECT" } else { "INDIRECT" }
    }

    /// OpenLineage's `subtype`.
    #[must_use]
    pub const fn subtype(self) -> &'static str {
        match self {
            Self::Identity => "IDENTITY",
            Self::Transformation => "TRANSFORMATION",
            Self::Aggregation => "AGGREGATION",
            Self::Join => "JOIN",
            Self::GroupBy => "GROUP_BY",
            Self::Filter => "FILTER",
            Self::Sort => "SORT",
            Self::Window => "WINDOW",
            Self::Conditional => "CONDITIONAL",
        }
    }

    /// What comes of a value that was made in this way and is then used in another: what only decides keeps its way.
    const fn then(self, outer: Self) -> Self {
        match (self, outer) {
            (inner, Self::Identity) => inner,
            (Self::Identity | Self::Transformation, outer) => outer,
            (Self::Aggregation, outer) if !outer.direct() => outer,
            (inner, _) => inner,
        }
    }
}

/// One way from a column to another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Transformation {
    /// How it is used.
    pub usage: Use,
    /// Whether personal data is masked on the way.
    pub masking: bool,
    /// Where inside the column the value stands, if it is a part of it.
    pub part: Option<String>,
}

/// Columns that something is made from, with every way from each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins {
    fields: BTreeMap<Field, BTreeSet<Transformation>>,
    /// How keyed tokens that were made on the way are used.
    tokens: BTreeSet<Use>,
}

impl Origins {
    /// One column as it is.
    #[must_use]
    pub fn column(table: &str, column: &str) -> Self {
        Self::part_of(table, column, Use::Identity, None)
    }

    /// One column, or a part of what it holds.
    #[must_use]
    pub fn part_of(table: &str, column: &str, usage: Use, part: Option<String>) -> Self {
        let field = Field { table: table.to_owned(), column: column.to_owned() };
        let ways = BTreeSet::from([Transformation { usage, masking: false, part }]);
        Self { fields: BTreeMap::from([(field, ways)]), tokens: BTreeSet::new() }
    }

    /// Takes others in.
    pub fn add(&mut self, others: Self) {
        for (field, ways) in others.fields {
            self.fields.entry(field).or_default().extend(ways);
        }
        self.tokens.extend(others.tokens);
    }

    /// The same columns, after what is made from them was used in a way.
    #[must_use]
    pub fn used(&self, usage: Use) -> Self {
        self.then(usage, false)
    }

    /// The same columns, after what is made from them was masked.
    #[must_use]
    pub fn masked(&self) -> Self {
        self.then(Use::Transformation, true)
    }

    /// The same columns, after keyed tokens were made of what is made from them.
    #[must_use]
    pub fn tokenized(&self) -> Self {
        let mut made = self.masked();
        made.tokens.insert(Use::Transformation);
        made
    }

    /// Whether a keyed token is among what the value is made from.
    #[must_use]
    pub fn has_token(&self) -> bool {
        self.tokens.iter().any(|usage| usage.direct())
    }

    fn then(&self, outer: Use, masks: bool) -> Self {
        let change = |way: &Transformation| Transformation {
            usage: way.usage.then(outer),
            masking: way.masking || masks,
            part: way.part.clone(),
        };
        let fields = self.fields.iter().map(|(field, ways)| (field.clone(), ways.iter().map(&change).collect())).collect();
        Self { fields, tokens: self.tokens.iter().map(|usage| usage.then(outer)).collect() }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Every column with the ways from it.
    pub fn iter(&self) -> impl Iterator<Item = (&Field, &BTreeSet<Transformation>)> {
        self.fields.iter()
    }
}

impl FromIterator<Self> for Origins {
    fn from_iter<I: IntoIterator<Item = Self>>(all: I) -> Self {
        let mut whole = Self::default();
        all.into_iter().for_each(|one| whole.add(one));
        whole
    }
}

/// What the columns of a table are made from, and what decides which rows it has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Derivation {
    /// By column.
    pub columns: BTreeMap<String, Origins>,
    /// What decides which rows there are.
    pub rows: Origins,
}

impl Derivation {
    /// Adds to what a column is made from.
    pub fn add(&mut self, column: &str, origins: Origins) {
        self.columns.entry(column.to_owned()).or_default().add(origins);
    }

    /// What a column is made from; nothing where that is not said.
    #[must_use]
    pub fn of(&self, column: &str) -> Origins {
        self.columns.get(column).cloned().unwrap_or_default()
    }
}
