//! One field: from whatever the source has to a typed value, or a broken rule.

use super::{
    number,
    rule::{Rule, Rules, broken},
    standard, time,
};
use lake_core::contract::{ColumnType, Field, Standard, field::OnInvalid};
use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    ops::Range,
    sync::Arc,
};

/// A value as a source has it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    /// None.
    Null,
    /// Text.
    Text(Cow<'a, str>),
    /// A number by its digits.
    Number(&'a str),
    /// A number as an integer of so many decimals.
    Unscaled(i128, i8),
    /// A float.
    Double(f64),
    /// A truth value.
    Boolean(bool),
    /// Days since 1970.
    Date(i32),
    /// Microseconds since 1970 UTC.
    Instant(i64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A JSON list: a value only of a field that says what it may contain.
    List(&'a str),
    /// An object: no value of any type.
    Other,
}

impl<'a> Value<'a> {
    /// Reads a JSON value that stands at a pointer; `None` when nothing stands there.
    pub(crate) fn of_json(raw: Option<&'a str>) -> Self {
        let Some(raw) = raw else { return Self::Null };
        match raw.as_bytes().first() {
            Some(b'"') => {
                let inner = raw.get(1..raw.len() - 1).unwrap_or_default();
                if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
                    return Self::Text(Cow::Borrowed(inner));
                }
                // A lone surrogate is valid JSON and no text.
                serde_json::from_str::<String>(raw).map_or(Self::Other, |text| Self::Text(Cow::Owned(text)))
            }
            Some(b'-' | b'0'..=b'9') => Self::Number(raw),
            Some(b'n') => Self::Null,
            Some(b't') => Self::Boolean(true),
            Some(b'f') => Self::Boolean(false),
            Some(b'[') => Self::List(raw),
            _ => Self::Other,
        }
    }
}

/// A typed value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell<'a> {
    /// None.
    Null,
    /// Text.
    Text(Cow<'a, str>),
    /// An integer of either width.
    Integer(i64),
    /// A decimal as an integer of its type's scale.
    Decimal(i128),
    /// A float.
    Double(f64),
    /// A truth value.
    Boolean(bool),
    /// Days since 1970.
    Date(i32),
    /// Microseconds since 1970 UTC.
    Instant(i64),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
}

/// A value that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invalid;

/// Kinds of record as bits; see [`Kinds`].
pub(crate) type KindBit = u64;

/// The kinds of record that a contract names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kinds(Vec<String>);

impl Kinds {
    /// How many kinds one record may have: one bit each.
    pub(crate) const MAX: usize = 64;

    /// Adds kinds that some part of a contract names.
    pub(crate) fn add(&mut self, names: &[String]) {
        for name in names {
            if !self.0.contains(name) {
                self.0.push(name.clone());
            }
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Their names, by place.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.0.iter()
    }

    /// Returns the place of a kind.
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|kind| kind == name)
    }

    /// Returns the bits of some kinds.
    pub(crate) fn bits(&self, names: &[String]) -> KindBit {
        names.iter().filter_map(|name| self.place(name)).fold(0, |bits, place| bits | 1 << place)
    }
}

/// Texts that stand for null.
#[derive(Debug, Clone, Default)]
pub(crate) struct NullTokens {
    tokens: Vec<String>,
    longest: usize,
}

impl NullTokens {
    pub(crate) fn new(tokens: &[String]) -> Arc<Self> {
        let longest = tokens.iter().map(String::len).max().unwrap_or(0);
        Arc::new(Self { tokens: tokens.to_vec(), longest })
    }

    fn hold(&self, text: &str) -> bool {
        text.len() <= self.longest && self.tokens.iter().any(|token| token.eq_ignore_ascii_case(text))
    }
}

/// A field, ready to read values.
#[derive(Debug, Clone)]
pub(crate) struct FieldPlan {
    /// Name by which routes and checks refer to it.
    pub(crate) name: String,
    /// Type of its values.
    pub(crate) kind: ColumnType,
    /// Judged before the routes drop kinds.
    pub(crate) envelope: bool,
    kinds: Option<KindBit>,
    required: KindBit,
    required_always: bool,
    nulls: Arc<NullTokens>,
    standards: Vec<Standard>,
    /// By their lower case.
    spellings: HashMap<String, String>,
    allowed: Option<HashSet<String>>,
    /// In microseconds since 1970 UTC, half-open.
    within: Option<Range<i64>>,
    /// Members of the object that a list is searched for; none for other fields.
    contains: Vec<(String, String)>,
    null_when_invalid: bool,
    missing: Rule,
    invalid: Rule,
}

impl FieldPlan {
    /// Prepares a field of a contract.
    pub(crate) fn new(field: &Field, kinds: &Kinds, nulls: &Arc<NullTokens>, rules: &mut Rules) -> Self {
        Self {
            name: field.name.clone(),
            kind: field.kind,
            envelope: field.envelope(),
            kinds: (!field.when.is_empty()).then(|| kinds.bits(&field.when)),
            required: kinds.bits(&field.required_when),
            required_always: field.required,
            nulls: nulls.clone(),
            standards: field.standards.clone(),
            spellings: field.spellings.iter().map(|text| (text.to_lowercase(), text.clone())).collect(),
            allowed: (!field.allowed.is_empty()).then(|| field.allowed.iter().cloned().collect()),
            within: field.within.as_ref().map(|within| within.from.timestamp_micros()..within.before.timestamp_micros()),
            contains: field.contains.iter().map(|(name, text)| (name.clone(), text.clone())).collect(),
            null_when_invalid: field.on_invalid == OnInvalid::Null,
            missing: rules.add(field.missing_rule()),
            invalid: rules.add(field.invalid_rule()),
        }
    }

    /// What a null breaks where one is not allowed.
    pub(crate) const fn missing(&self) -> Rule {
        self.missing
    }

    /// Says whether a null always breaks the row.
    pub(crate) const fn always_required(&self) -> bool {
        self.required_always
    }

    /// Says whether values of the column's own type need no look at all.
    pub(crate) fn passes_through(&self) -> bool {
        self.standards.is_empty() && self.spellings.is_empty() && self.allowed.is_none() && self.within.is_none()
    }

    /// Reads a value and judges it: what breaks a rule is added to `rules` and becomes null.
    pub(crate) fn judge<'a>(&self, value: Value<'a>, kind: KindBit, rules: &mut Vec<Rule>) -> Cell<'a> {
        if self.kinds.is_some_and(|kinds| kinds & kind == 0) {
            return Cell::Null;
        }
        match self.read(value) {
            Ok(Cell::Null) => self.null(kind, rules),
            Ok(cell) => cell,
            Err(Invalid) if self.null_when_invalid => self.null(kind, rules),
            Err(Invalid) => {
                broken(rules, self.invalid);
                Cell::Null
            }
        }
    }

    fn null(&self, kind: KindBit, rules: &mut Vec<Rule>) -> Cell<'static> {
        if self.required_always || self.required & kind != 0 {
            broken(rules, self.missing);
        }
        Cell::Null
    }

    /// Reads a value: null tokens, trimming, type, standards, spellings, the allowed list or interval.
    pub(crate) fn read<'a>(&self, value: Value<'a>) -> Result<Cell<'a>, Invalid> {
        let value = match value {
            Value::Text(text) => {
                let text = trimmed(text);
                if text.is_empty() || self.nulls.hold(&text) {
                    return Ok(Cell::Null);
                }
                Value::Text(text)
            }
            Value::Null => return Ok(Cell::Null),
            other => other,
        };
        if !self.contains.is_empty() {
            return self.search(&value);
        }
        match self.kind {
            ColumnType::String => self.text(value),
            kind => match typed(kind, value)? {
                Cell::Instant(at) if self.within.as_ref().is_some_and(|within| !within.contains(&at)) => Err(Invalid),
                cell => self.allowed_cell(cell),
            },
        }
    }

    /// Says whether a list holds the object that is searched for.
    fn search(&self, value: &Value<'_>) -> Result<Cell<'static>, Invalid> {
        let Value::List(raw) = value else { return Err(Invalid) };
        let items: Vec<serde_json::Value> = serde_json::from_str(raw).map_err(|_| Invalid)?;
        let same = |value: &serde_json::Value, text: &str| match value {
            serde_json::Value::String(own) => own == text,
            serde_json::Value::Number(own) => own.to_string() == text,
            serde_json::Value::Bool(own) => own.to_string() == text,
            _ => false,
        };
        let matches = |item: &serde_json::Value| {
            self.contains.iter().all(|(name, text)| item.get(name).is_some_and(|value| same(value, text)))
        };
        Ok(Cell::Boolean(items.iter().any(matches)))
    }

    fn text<'a>(&self, value: Value<'a>) -> Result<Cell<'a>, Invalid> {
        let mut text = match value {
            Value::Text(text) => text,
            Value::Number(digits) => Cow::Borrowed(digits),
            Value::Unscaled(value, scale) => Cow::Owned(number::text(value, scale)),
            Value::Double(value) => Cow::Owned(value.to_string()),
            Value::Date(days) => Cow::Owned(time::date_text(days)),
            _ => return Err(Invalid),
        };
        for standard in &self.standards {
            text = standard::apply(*standard, text).ok_or(Invalid)?;
        }
        if !self.spellings.is_empty()
            && let Some(spelling) = self.spellings.get(&text.to_lowercase())
        {
            text = Cow::Owned(spelling.clone());
        }
        if self.allowed.as_ref().is_some_and(|allowed| !allowed.contains(text.as_ref())) {
            return Err(Invalid);
        }
        Ok(Cell::Text(text))
    }

    fn allowed_cell<'a>(&self, cell: Cell<'a>) -> Result<Cell<'a>, Invalid> {
        let Some(allowed) = &self.allowed else { return Ok(cell) };
        let text = match &cell {
            Cell::Integer(value) => value.to_string(),
            Cell::Decimal(value) => number::text(*value, scale(self.kind)),
            Cell::Boolean(value) => value.to_string(),
            Cell::Date(days) => time::date_text(*days),
            _ => return Err(Invalid),
        };
        if allowed.contains(&text) { Ok(cell) } else { Err(Invalid) }
    }
}

/// Digits after the point of a type.
pub(crate) const fn scale(kind: ColumnType) -> i8 {
    if let ColumnType::Decimal(_, scale) = kind { scale } else { 0 }
}

/// Cuts white space at both ends; most texts have none.
fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) if text.trim().len() == text.len() => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

/// Reads a value of any type but text.
fn typed(kind: ColumnType, value: Value<'_>) -> Result<Cell<'_>, Invalid> {
    match kind {
        ColumnType::Int => i32::try_from(exact(&value, 0)?).map(|v| Cell::Integer(i64::from(v))).map_err(|_| Invalid),
        ColumnType::Long => i64::try_from(exact(&value, 0)?).map(Cell::Integer).map_err(|_| Invalid),
        ColumnType::Decimal(precision, scale) => {
            let value = exact(&value, scale)?;
            if number::fits(value, precision) { Ok(Cell::Decimal(value)) } else { Err(Invalid) }
        }
        ColumnType::Double => double(&value),
        ColumnType::Boolean => match value {
            Value::Boolean(value) => Ok(Cell::Boolean(value)),
            Value::Text(text) if text.eq_ignore_ascii_case("true") => Ok(Cell::Boolean(true)),
            Value::Text(text) if text.eq_ignore_ascii_case("false") => Ok(Cell::Boolean(false)),
            _ => Err(Invalid),
        },
        ColumnType::Date => match value {
            Value::Date(days) => Ok(Cell::Date(days)),
            Value::Text(text) => time::date(&text).map(Cell::Date).ok_or(Invalid),
            _ => Err(Invalid),
        },
        ColumnType::Timestamp => match value {
            Value::Instant(micros) => Ok(Cell::Instant(micros)),
            Value::Date(days) => Ok(Cell::Instant(i64::from(days) * 86_400_000_000)),
            Value::Text(text) => time::instant(&text).map(Cell::Instant).ok_or(Invalid),
            _ => Err(Invalid),
        },
        ColumnType::Binary => match value {
            Value::Bytes(bytes) => Ok(Cell::Bytes(Cow::Borrowed(bytes))),
            Value::Text(text) => Ok(Cell::Bytes(Cow::Owned(text.into_owned().into_bytes()))),
            _ => Err(Invalid),
        },
        ColumnType::String => Err(Invalid),
    }
}

/// A number as an integer of so many decimals; a float stands for its shortest digits.
fn exact(value: &Value<'_>, scale: i8) -> Result<i128, Invalid> {
    let found = match value {
        Value::Number(digits) => number::scaled(digits, scale),
        Value::Text(text) => number::scaled(text, scale),
        Value::Unscaled(value, from) => number::rescaled(*value, *from, scale),
        Value::Double(value) => number::scaled(&value.to_string(), scale),
        _ => None,
    };
    found.ok_or(Invalid)
}

fn double(value: &Value<'_>) -> Result<Cell<'static>, Invalid> {
    let found = match value {
        Value::Double(value) => Some(*value),
        Value::Number(digits) => digits.parse().ok(),
        // The exact reader decides what a number is: Rust's own also takes `inf` and `nan`.
        Value::Text(text) if text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) => text.parse().ok(),
        Value::Unscaled(value, scale) => number::text(*value, *scale).parse().ok(),
        _ => None,
    };
    found.filter(|value: &f64| value.is_finite()).map(Cell::Double).ok_or(Invalid)
}

#[cfg(test)]
#[path = "field_tests.rs"]
mod tests;
