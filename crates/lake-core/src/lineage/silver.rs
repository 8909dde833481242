//! What the columns of a Silver table are made from.

use super::columns::{Derivation, Origins, Use};
use crate::{
    Contract,
    contract::{
        Column, ContractSet, Feed, Field, Silver,
        bronze::Record,
        column::version_column,
        layer::{Route, SilverInput, SilverKind},
    },
};

/// One input and where its fields stand.
struct Reader<'a> {
    input: &'a SilverInput,
    source: &'a Contract,
    record: Option<&'a Record>,
}

/// Every column by the routes that feed it, then what the kind of the table makes, then the masked twins.
pub(super) fn derivation(contract: &Contract, silver: &Silver, contracts: &ContractSet) -> Derivation {
    let mut made = Derivation::default();
    let found = silver.inputs.iter().filter_map(|input| Some((input, contracts.get(&input.table)?)));
    for (input, source) in found {
        let reader = Reader { input, source, record: source.bronze().and_then(|bronze| bronze.record.as_ref()) };
        reader.routed(&mut made);
        reader.chosen(silver, &mut made);
        reader.version(silver, &mut made);
    }
    by_kind(contract, silver, &mut made);
    by_session(silver, &mut made);
    for column in &contract.columns {
        if let Some(mask) = &column.mask {
            made.add(&column.name, made.of(&mask.of).masked());
        }
    }
    made
}

impl Reader<'_> {
    /// Columns that routes feed.
    fn routed(&self, made: &mut Derivation) {
        for route in &self.input.routes {
            for (column, feed) in &route.columns {
                let origins = match Feed::of(feed) {
                    Ok(Feed::Field(name)) => self.field(name, Some(route)),
                    Ok(Feed::IngestDate) => Origins::column(&self.source.table, "_ingest_date"),
                    Ok(Feed::Late) => self.late(),
                    Ok(Feed::Constant(_)) | Err(_) => Origins::default(),
                };
                made.add(column, origins);
            }
        }
    }

    fn late(&self) -> Origins {
        let event_time = self.time().map(|name| self.field(name, None).used(Use::Transformation));
        let window = Origins::part_of(&self.source.table, "_window_from", Use::Transformation, None);
        event_time.into_iter().chain([window]).collect()
    }

    fn time(&self) -> Option<&str> {
        self.record.map(|record| record.event_time.as_str()).or(self.input.event_time.as_deref())
    }

    fn sequence(&self) -> Option<&str> {
        self.record.map(|record| record.event_time.as_str()).or(self.input.sequence.as_deref())
    }

    /// Where a field stands. Lines' fields come before the record's.
    fn field(&self, name: &str, route: Option<&Route>) -> Origins {
        let table = &self.source.table;
        let Some(record) = self.record else {
            let field = self.input.fields.iter().find(|field| field.name == name);
            return field.map(|field| self.columnar(field)).unwrap_or_default();
        };
        let payload = |pointer: String| Origins::part_of(table, "_payload", Use::Transformation, Some(pointer));
        let exploded = route.is_none_or(|route| route.explode);
        let lines = record.lines.as_ref().filter(|_| exploded);
        let line = lines.and_then(|lines| lines.fields.iter().find(|field| field.name == name).map(|field| (lines, field)));
        match line {
            Some((lines, field)) => payload(format!("{}/*{}", lines.pointer, field.from)),
            None => record.field(name).map(|field| payload(field.from.clone())).unwrap_or_default(),
        }
    }

    fn columnar(&self, field: &Field) -> Origins {
        let (column, pointer) = field.place();
        let part = pointer.map(str::to_owned);
        let usage = if self.as_it_is(field, column) { Use::Identity } else { Use::Transformation };
        Origins::part_of(&self.source.table, column, usage, part)
    }

    /// Text is always trimmed and has words that stand for null; other values of the same type come as they are.
    fn as_it_is(&self, field: &Field, column: &str) -> bool {
        let same = self.source.column(column).is_some_and(|found: &Column| found.kind == field.kind);
        let text = field.kind == crate::contract::ColumnType::String;
        same && !text && field.contains.is_empty() && field.within.is_none() && !field.from.contains("#/")
    }

    /// What decides which rows there are: routes, rules, tombstones, and which row of a key wins.
    fn chosen(&self, silver: &Silver, made: &mut Derivation) {
        let mut rows = Origins::default();
        let mut decides = |name: &str, usage: Use| rows.add(self.field(name, None).used(usage));
        if let Some(record) = self.record.filter(|_| self.input.routes.iter().any(|route| !route.when.is_empty())) {
            decides(&record.discriminator, Use::Filter);
        }
        let fields = self.record.map_or(&self.input.fields, |record| &record.fields);
        fields.iter().filter(|field| field.required).for_each(|field| decides(&field.name, Use::Filter));
        let exploded = self.input.routes.iter().any(|route| route.explode);
        let lines = self.record.and_then(|record| record.lines.as_ref()).filter(|_| exploded);
        let checks = self.input.checks.iter().chain(lines.into_iter().flat_map(|lines| &lines.checks));
        checks.flat_map(|check| check.fields()).for_each(|name| decides(name, Use::Filter));
        if let Some(deletes) = &self.input.deletes {
            decides(&deletes.field, Use::Conditional);
        }
        if silver.kind != SilverKind::Events
            && let Some(name) = self.sequence()
        {
            decides(name, Use::Window);
        }
        made.rows.add(rows);
    }

    /// The meta columns that tell which row won.
    fn version(&self, silver: &Silver, made: &mut Derivation) {
        let position = Origins::part_of(&self.source.table, "_position", Use::Transformation, None);
        let names: Vec<String> = match silver.kind {
            SilverKind::FxRates | SilverKind::FxRevisions => return,
            _ if silver.groups.is_empty() => vec![version_column(None)],
            _ => silver.groups.iter().map(|group| version_column(Some(&group.name))).collect(),
        };
        for name in names {
            let sequence = self.sequence().map(|name| self.field(name, None).used(Use::Transformation));
            made.add(&name, sequence.into_iter().chain([position.clone()]).collect());
        }
    }
}

/// Columns that the kind of the table makes, and the key by which rows come together.
fn by_kind(contract: &Contract, silver: &Silver, made: &mut Derivation) {
    let key: Origins = contract.key().into_iter().map(|column| made.of(column)).collect();
    let within = match silver.kind {
        SilverKind::Current | SilverKind::History => Use::Window,
        SilverKind::Events | SilverKind::FxRates | SilverKind::FxRevisions => Use::GroupBy,
    };
    made.rows.add(key.used(within));
    match silver.kind {
        SilverKind::Current => {}
        SilverKind::History => {
            made.add("valid_to", made.of("changed_at").used(Use::Transformation));
            made.add("valid_to", key.used(Use::Window));
        }
        SilverKind::Events => {
            let all: Origins = made.columns.iter().filter(|(name, _)| !name.starts_with('_')).map(|(_, o)| o.clone()).collect();
            made.add("_event_hash", all.used(Use::Transformation));
        }
        SilverKind::FxRates => {
            made.add("date", made.of("observation_date").used(Use::Transformation));
            made.add("usd_rate", made.of("units_per_eur").used(Use::Transformation));
            made.add("usd_rate", made.of("currency").used(Use::Conditional));
        }
        SilverKind::FxRevisions => {
            made.add("first_units_per_eur", made.of("revised_units_per_eur").used(Use::Transformation));
        }
    }
}

/// The column that rows take from the first row of their session.
fn by_session(silver: &Silver, made: &mut Derivation) {
    let Some(resolve) = &silver.resolve else { return };
    made.add(&resolve.column, made.of(&resolve.from).used(Use::Transformation));
    for name in [&resolve.within].into_iter().chain(&resolve.order) {
        made.add(&resolve.column, made.of(name).used(Use::Window));
    }
}
