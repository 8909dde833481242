//! Whether what a table by key says beyond its columns is sound: tombstones, what outlasts them, a resolved column.

use super::{
    ColumnType, Contract, Field,
    layer::{Resolve, Silver, SilverInput, SilverKind},
    silver::{DELETED_AT, Feed},
    sound::{Problems, names},
    sound_record::field_names,
    sound_silver::{made, outlasts, place},
};

/// Checks what a table says of columns whose values outlast their row or come from others.
pub(super) fn table(contract: &Contract, silver: &Silver, problems: &mut Problems) {
    outlasting(contract, silver, problems);
    if let Some(resolve) = &silver.resolve {
        self::resolve(contract, silver, resolve, problems);
    }
}

/// What stays of a row when a tombstone takes its place.
fn outlasting(contract: &Contract, silver: &Silver, problems: &mut Problems) {
    if silver.keeps.is_empty() {
        return;
    }
    if silver.kind != SilverKind::Current || silver.inputs.iter().all(|input| input.deletes.is_none()) {
        problems.add("`keeps` belongs to the kind current with `deletes`");
    }
    let known = names(contract);
    problems.distinct("column that outlasts a tombstone", silver.keeps.iter().map(String::as_str));
    for name in &silver.keeps {
        problems.known("`keeps`", "column", name, &known);
        let Some(column) = contract.column(name) else { continue };
        if column.key_position.is_some() || name == DELETED_AT || made(column, silver) {
            problems.add(format!("`keeps` must name a column that routes feed, no key and not `{DELETED_AT}`: `{name}` is not"));
        }
    }
}

fn resolve(contract: &Contract, silver: &Silver, resolve: &Resolve, problems: &mut Problems) {
    if silver.kind != SilverKind::Current || !silver.groups.is_empty() {
        problems.add("`resolve` belongs to the kind current without `groups`");
    }
    let known = names(contract);
    let roles = [("column", &resolve.column), ("from", &resolve.from), ("within", &resolve.within)];
    for (role, name) in roles.into_iter().chain(resolve.order.iter().map(|name| ("order", name))) {
        let place = format!("`{role}` of `resolve`");
        problems.known(&place, "column", name, &known);
        let Some(column) = contract.column(name) else { continue };
        if role != "column" && (made(column, silver) || outlasts(silver, name)) {
            problems.add(format!("{place} must name a column that the newest row fills, and `{name}` is none"));
        }
        if matches!(role, "column" | "from") && (column.kind != ColumnType::String || column.pii()) {
            problems.add(format!("{place} must be a STRING and no PII, and `{name}` is not"));
        }
        if role == "column" && (column.key_position.is_some() || column.mask.is_some()) {
            problems.add(format!("{place} must be no key and no twin, and `{name}` is one"));
        }
    }
    problems.distinct("`resolve`: column", roles.into_iter().map(|(_, name)| name.as_str()));
    problems.distinct("`order` of `resolve`: column", resolve.order.iter().map(String::as_str));
    for name in contract.key().into_iter().filter(|name| !resolve.order.iter().any(|column| column == name)) {
        problems.add(format!("`order` of `resolve` must name key column `{name}`, so that there is one first row"));
    }
}

/// Checks which rows of a columnar input are tombstones, and that they can stand in the table.
pub(super) fn deletes(contract: &Contract, silver: &Silver, input: &SilverInput, problems: &mut Problems) {
    let Some(deletes) = &input.deletes else { return };
    let own = format!("`deletes` of input `{}`", input.table);
    let keyed = matches!(silver.kind, SilverKind::Current | SilverKind::History);
    if !keyed || !silver.groups.is_empty() || silver.rank.is_some() {
        problems.add(format!(
            "{own} belongs to the kinds current and history without `groups` and `rank`: a tombstone takes the place of a whole row"
        ));
    }
    let fields: Vec<&Field> = input.fields.iter().collect();
    problems.known(&own, "field", &deletes.field, &field_names(&fields));
    problems.distinct(&format!("{own}: value"), deletes.values.iter().map(String::as_str));
    if deletes.values.is_empty() {
        problems.add(format!("{own} needs `values`: those of tombstones"));
    }
    if let Some(field) = fields.iter().find(|field| field.name == deletes.field) {
        if field.kind != ColumnType::String {
            problems.add(format!("{own} needs a text, and field `{}` is {}", field.name, field.kind));
        }
        let allowed: Vec<&str> = field.allowed.iter().map(String::as_str).collect();
        if !allowed.is_empty() {
            deletes.values.iter().for_each(|value| problems.known(&own, "value", value, &allowed));
        }
    }
    match contract.column(DELETED_AT) {
        None => problems.add(format!("a table with tombstones must have a column `{DELETED_AT}` (TIMESTAMP)")),
        Some(column) if column.kind != ColumnType::Timestamp || column.required || column.key_position.is_some() => {
            problems.add(format!("column `{DELETED_AT}` must be a TIMESTAMP, not required and no key: rows that live have none"));
        }
        Some(_) => tombstones(contract, silver, input, problems),
    }
}

/// What a route must say, and a column must not ask, where tombstones come.
fn tombstones(contract: &Contract, silver: &Silver, input: &SilverInput, problems: &mut Problems) {
    let key = contract.key();
    for route in &input.routes {
        let place = place(input, route);
        let fed = route.columns.get(DELETED_AT).map(|text| Feed::of(text));
        if !matches!(fed, Some(Ok(Feed::Field(_)))) {
            problems.add(format!("{place} must feed column `{DELETED_AT}` from a field: when the source deleted the row"));
        }
        for column in contract.columns.iter().filter(|column| column.required && !made(column, silver)) {
            if !input.tombstone_has(silver, &key, route, &column.name) {
                problems.add(format!("column `{}` must not be required: tombstones have none", column.name));
            }
        }
    }
}
