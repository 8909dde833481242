//! Whether a Silver contract is sound: every column is fed once, by values of its type.

use super::{
    Column, ColumnType, Contract, Field, Layer,
    layer::{Group, Lines, Record, Route, Silver, SilverInput, SilverKind},
    silver::Feed,
    sound::{Problems, names},
    sound_keyed,
    sound_record::{check_checks, check_fields, check_kinds, field_names},
};

/// Checks what a Silver contract says of itself.
pub(super) fn table(contract: &Contract, silver: &Silver, problems: &mut Problems) {
    kind_columns(contract, silver, problems);
    groups(contract, silver, problems);
    sound_keyed::table(contract, silver, problems);
    for (input, route) in routes(silver) {
        let place = place(input, route);
        for (name, text) in &route.columns {
            problems.known(&place, "column", name, &names(contract));
            if let Some(column) = contract.column(name) {
                feed(&place, column, silver, text, problems);
            }
        }
        route_columns(contract, silver, &place, route, problems);
    }
    let fed = |column: &&Column| routes(silver).any(|(_, route)| route.columns.contains_key(&column.name));
    for column in contract.columns.iter().filter(|c| !made(c, silver)).filter(|c| !fed(c)) {
        problems.add(format!("column `{}` is fed by no route", column.name));
    }
}

/// Checks a Silver input against the contract that it reads.
pub(super) fn input(contract: &Contract, silver: &Silver, input: &SilverInput, source: &Contract, problems: &mut Problems) {
    let record = if let Layer::Bronze(bronze) = &source.layer { bronze.record.as_ref() } else { None };
    match record {
        Some(record) => record_input(silver, input, record, problems),
        None => columnar_input(contract, silver, input, source, problems),
    }
    let kinds = record.map_or(&[][..], Record::kinds);
    for route in &input.routes {
        let place = place(input, route);
        check_kinds(&place, &route.when, kinds, problems);
        if route.explode {
            exploded(&place, route, record.and_then(|r| r.lines.as_ref()), kinds, problems);
        }
        let fields = visible(input, route, record);
        for (name, text) in &route.columns {
            let (Some(column), Ok(Feed::Field(field))) = (contract.column(name), Feed::of(text)) else { continue };
            problems.known(&place, "field", field, &field_names(&fields));
            if let Some(field) = fields.iter().find(|f| f.name == field) {
                field_fits(&place, column, silver, route, field, problems);
            }
        }
    }
}

/// How errors name a route.
pub(super) fn place(input: &SilverInput, route: &Route) -> String {
    match route.when.as_slice() {
        [] => format!("route of `{}`", input.table),
        kinds => format!("route {} of `{}`", kinds.join(", "), input.table),
    }
}

fn routes(silver: &Silver) -> impl Iterator<Item = (&SilverInput, &Route)> {
    silver.inputs.iter().flat_map(|input| input.routes.iter().map(move |route| (input, route)))
}

/// Columns that no route feeds: Sluice's own, masked twins, what is taken from other rows, and what the kind makes.
pub(super) fn made(column: &Column, silver: &Silver) -> bool {
    column.name.starts_with('_')
        || column.mask.is_some()
        || silver.resolve.as_ref().is_some_and(|resolve| resolve.column == column.name)
        || silver.kind.made_columns().iter().any(|(name, _)| *name == column.name)
}

fn kind_columns(contract: &Contract, silver: &Silver, problems: &mut Problems) {
    for (name, kind) in silver.kind.made_columns().iter().chain(silver.kind.fed_columns()) {
        match contract.column(name) {
            None => problems.add(format!("a table of this kind must have a column `{name}` ({kind})")),
            Some(column) if column.kind != *kind => problems.add(format!("column `{name}` must be {kind}, not {}", column.kind)),
            Some(_) => {}
        }
    }
    if (silver.kind == SilverKind::FxRates) != silver.fx.is_some() {
        problems.add("`fx` must stand in the kind fxRates, and in no other");
    }
    if silver.kind != SilverKind::Current && !(silver.groups.is_empty() && silver.rank.is_none()) {
        problems.add("`groups` and `rank` belong to the kind current");
    }
    if silver.kind == SilverKind::History && !contract.key().contains(&"changed_at") {
        problems.add("`changed_at` must be part of a history's key");
    }
    if silver.inputs.is_empty() {
        problems.add("`inputs` must name at least one table");
    }
    problems.distinct("input", silver.tables());
}

fn groups(contract: &Contract, silver: &Silver, problems: &mut Problems) {
    if let Some(rank) = &silver.rank {
        problems.known("`rank`", "column", &rank.column, &names(contract));
        problems.distinct("rank", rank.order.iter().map(String::as_str));
    }
    if silver.groups.is_empty() {
        return;
    }
    problems.distinct("group", silver.groups.iter().map(|group| group.name.as_str()));
    for group in &silver.groups {
        let place = format!("group `{}`", group.name);
        group.columns.iter().for_each(|name| problems.known(&place, "column", name, &names(contract)));
    }
    for column in &contract.columns {
        let name = &column.name;
        let count = silver.groups.iter().flat_map(|g| &g.columns).filter(|c| *c == name).count();
        let alone = column.key_position.is_some() || made(column, silver) || ranked(silver, name);
        match (alone, count) {
            (true, 0) | (false, 1) => {}
            (true, _) => {
                problems.add(format!("column `{name}` must be in no group: it is a key, a rank, a twin or Sluice's own"))
            }
            (false, 0) => problems.add(format!("column `{name}` is in no group")),
            (false, _) => problems.add(format!("column `{name}` is in {count} groups")),
        }
    }
}

/// Columns in which a value stays although another row wins.
pub(super) fn outlasts(silver: &Silver, column: &str) -> bool {
    silver.keeps.iter().any(|name| name == column) || ranked(silver, column)
}

fn ranked(silver: &Silver, column: &str) -> bool {
    silver.rank.as_ref().is_some_and(|rank| rank.column == column)
}

/// What one route writes: the whole key, and the columns of its group.
fn route_columns(contract: &Contract, silver: &Silver, place: &str, route: &Route, problems: &mut Problems) {
    let group = match (&route.group, silver.groups.is_empty()) {
        (Some(name), _) => {
            let known: Vec<&str> = silver.groups.iter().map(|group| group.name.as_str()).collect();
            problems.known(place, "group", name, &known);
            silver.groups.iter().find(|group| group.name == *name)
        }
        (None, true) => None,
        (None, false) => return problems.add(format!("{place} needs a `group`")),
    };
    if let Some(Group { name, columns }) = group {
        let elsewhere = silver.groups.iter().filter(|other| other.name != *name).flat_map(|other| &other.columns);
        for column in elsewhere.filter(|column| !columns.contains(column) && route.columns.contains_key(*column)) {
            problems.add(format!("{place} feeds column `{column}`, which is not in its group `{name}`"));
        }
    }
    for column in contract.columns.iter().filter(|c| c.required && !made(c, silver)) {
        let other_group = group
            .is_some_and(|g| column.key_position.is_none() && !ranked(silver, &column.name) && !g.columns.contains(&column.name));
        if !other_group && !route.columns.contains_key(&column.name) {
            problems.add(format!("{place} does not feed column `{}`, which is required", column.name));
        }
    }
}

/// Whether a route's text can stand in a column, as far as no field is needed to tell.
fn feed(place: &str, column: &Column, silver: &Silver, text: &str, problems: &mut Problems) {
    let name = &column.name;
    if made(column, silver) {
        return problems.add(format!("{place} feeds column `{name}`, which Sluice makes itself"));
    }
    let fits = match Feed::of(text) {
        Err(problem) => return problems.add(format!("{place}: {problem}")),
        Ok(Feed::Field(_)) => true,
        Ok(Feed::Late) => column.kind == ColumnType::Boolean,
        Ok(Feed::IngestDate) => column.kind == ColumnType::Date,
        Ok(Feed::Constant(constant)) => match column.kind {
            ColumnType::String => true,
            ColumnType::Boolean => matches!(constant, "true" | "false"),
            ColumnType::Int => constant.parse::<i32>().is_ok(),
            ColumnType::Long => constant.parse::<i64>().is_ok(),
            _ => false,
        },
    };
    if !fits {
        problems.add(format!("{place} feeds `{text}` into column `{name}`, which is {}", column.kind));
    }
}

fn field_fits(place: &str, column: &Column, silver: &Silver, route: &Route, field: &Field, problems: &mut Problems) {
    let (name, kind) = (&column.name, column.kind);
    if field.kind != kind {
        problems.add(format!("{place} feeds field `{}` ({}) into column `{name}` ({kind})", field.name, field.kind));
    }
    if !field.when.is_empty() && !route.when.iter().any(|kind| field.when.contains(kind)) {
        problems.add(format!("{place} reads field `{}`, which only {} has", field.name, field.when.join(", ")));
    }
    if let Some(rank) = silver.rank.as_ref().filter(|rank| rank.column == *name) {
        let order: Vec<&str> = rank.order.iter().map(String::as_str).collect();
        if field.allowed.is_empty() {
            problems.add(format!("field `{}` feeds the rank, so it must list its `allowed` values", field.name));
        }
        field.allowed.iter().for_each(|value| problems.known(&format!("field `{}`", field.name), "rank", value, &order));
    }
}

fn record_input(silver: &Silver, input: &SilverInput, record: &Record, problems: &mut Problems) {
    let table = &input.table;
    let own = !(input.fields.is_empty() && input.checks.is_empty() && input.null_tokens.is_empty());
    if own || input.sequence.is_some() || input.event_time.is_some() || input.deletes.is_some() {
        problems
            .add(format!("input `{table}` is decoded as its own contract says: only `lateWindow` and `routes` may stand here"));
    }
    if matches!(silver.kind, SilverKind::FxRates | SilverKind::FxRevisions) {
        problems.add(format!("input `{table}` has records, and rates are made from columns"));
    }
    let whole: &[String] = record.kinds();
    let taken = input.routes.iter().flat_map(|route| if route.when.is_empty() { whole } else { &route.when });
    problems.distinct(&format!("input `{table}`: the route of kind"), taken.map(String::as_str));
    if input.routes.is_empty() {
        problems.add(format!("input `{table}` has no route"));
    }
}

fn columnar_input(contract: &Contract, silver: &Silver, input: &SilverInput, source: &Contract, problems: &mut Problems) {
    let place = format!("input `{}`", input.table);
    let fields: Vec<&Field> = input.fields.iter().collect();
    check_fields(&place, &fields, &[], problems);
    check_checks(&place, &input.checks, &fields, &[], problems);
    fields.iter().for_each(|field| column_of(field, source, problems));
    sound_keyed::deletes(contract, silver, input, problems);
    let rates = matches!(silver.kind, SilverKind::FxRates | SilverKind::FxRevisions);
    if input.sequence.is_none() && !rates {
        problems.add(format!("{place} needs a `sequence`: the field that tells which of two rows is newer"));
    }
    if silver.kind == SilverKind::Events {
        problems.add(format!("{place} has no records, and events need their identity"));
    }
    for (role, name) in [("sequence", &input.sequence), ("eventTime", &input.event_time)] {
        let Some(name) = name else { continue };
        problems.known(&format!("`{role}` of {place}"), "field", name, &field_names(&fields));
        if fields.iter().any(|field| field.name == *name && field.kind != ColumnType::Timestamp) {
            problems.add(format!("`{role}` of {place} must be a TIMESTAMP, and `{name}` is not"));
        }
    }
    let late = |route: &Route| route.columns.values().any(|text| Feed::of(text) == Ok(Feed::Late));
    if input.event_time.is_none() && (input.late_window.is_some() || input.routes.iter().any(late)) {
        problems.add(format!("{place} needs an `eventTime` to tell what is late"));
    }
    if input.routes.len() != 1 {
        problems.add(format!("{place} must have exactly one route, not {}", input.routes.len()));
    }
}

/// Where a field of a columnar input stands: in a column, or inside the JSON that one holds.
fn column_of(field: &Field, source: &Contract, problems: &mut Problems) {
    let place = format!("field `{}`", field.name);
    let (column, pointer) = field.place();
    let known = names(source);
    match (source.column(column), pointer) {
        (None, None) if column.split_once('#').is_some_and(|(start, _)| known.contains(&start)) => {
            let rest = column.split_once('#').map_or("", |(_, rest)| rest);
            problems.add(format!("{place}: `{rest}` is no JSON pointer: it must begin with `/`"));
        }
        (None, _) => problems.known(&place, "column", column, &known),
        (Some(found), Some(_)) if !matches!(found.kind, ColumnType::String | ColumnType::Binary) => {
            problems.add(format!("{place} points into column `{column}`, which is {}: JSON is STRING or BINARY", found.kind));
        }
        (Some(_), None) if !field.contains.is_empty() => {
            problems.add(format!("{place}: `contains` looks into JSON, and `{column}` is a column"));
        }
        (Some(_), _) => {}
    }
}

fn exploded(place: &str, route: &Route, lines: Option<&Lines>, kinds: &[String], problems: &mut Problems) {
    let Some(lines) = lines else { return problems.add(format!("{place} explodes lines, and there are none")) };
    let taken = if route.when.is_empty() { kinds } else { &route.when };
    for kind in taken.iter().filter(|kind| !lines.required_when.contains(kind)) {
        problems.add(format!("{place} explodes `{kind}`, which has no lines"));
    }
}

/// The fields that a route can name: lines' before the record's.
fn visible<'a>(input: &'a SilverInput, route: &Route, record: Option<&'a Record>) -> Vec<&'a Field> {
    let Some(record) = record else { return input.fields.iter().collect() };
    let lines = record.lines.iter().filter(|_| route.explode).flat_map(|lines| &lines.fields);
    lines.chain(&record.fields).collect()
}
