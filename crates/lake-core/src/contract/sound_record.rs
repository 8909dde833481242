//! Whether a Bronze contract is sound: what it takes from its source, and what a record of it is.

use super::{
    ColumnType, Contract, Field, RowCheck,
    layer::{Bronze, HubspotSource, Lines, Record, Source},
    sound::{Problems, names},
};

/// Checks the Bronze part of a contract.
pub(super) fn check(contract: &Contract, bronze: &Bronze, problems: &mut Problems) {
    if let Some((key, cursor)) = bronze.source.keyed() {
        check_table(contract, key, cursor, problems);
    }
    if matches!(&bronze.source, Source::Snowflake(source) if source.slice_rows == 0) {
        problems.add("`sliceRows` must be above 0");
    }
    if let Source::Hubspot(source) = &bronze.source {
        check_hubspot(contract, source, problems);
    }
    match (&bronze.source, &bronze.record) {
        (Source::Kafka(_), Some(record)) => check_record(record, problems),
        (Source::Kafka(_), None) => problems.add("a Kafka topic needs `record`: what its payloads are"),
        (_, Some(_)) => problems.add("`record` belongs to Kafka topics; this source has columns"),
        (_, None) => {}
    }
}

fn check_table(contract: &Contract, key: &[String], cursor: &str, problems: &mut Problems) {
    if key.is_empty() {
        problems.add("`key` of the source must name at least one column");
    }
    problems.distinct("key column", key.iter().map(String::as_str));
    for name in key.iter().map(String::as_str).chain([cursor]) {
        problems.known("the source", "column", name, &names(contract));
        if name.starts_with('_') && contract.column(name).is_some() {
            problems.add(format!("the source names `{name}`, which is Sluice's own column"));
        }
    }
    if contract.column(cursor).is_some_and(|cursor| cursor.kind != ColumnType::Timestamp) {
        problems.add(format!("`cursor` must be a TIMESTAMP, and `{cursor}` is not"));
    }
}

/// Types of objects stand in addresses, and the columns beside the meta columns are those that associations have.
fn check_hubspot(contract: &Contract, source: &HubspotSource, problems: &mut Problems) {
    let plain = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let (types, columns) = match source {
        HubspotSource::Object(object) => {
            problems.distinct("property", object.properties.iter().map(String::as_str));
            (vec![&object.object], &[][..])
        }
        HubspotSource::Association(pair) => (vec![&pair.from, &pair.to], &HubspotSource::PAIR_COLUMNS[..]),
    };
    for name in types.into_iter().filter(|name| !plain(name)) {
        problems.add(format!("`{name}` is no type of HubSpot objects: letters, digits, `-` and `_`"));
    }
    for column in contract.columns.iter().filter(|column| !column.name.starts_with('_')) {
        if !columns.contains(&column.name.as_str()) {
            problems.add(format!("column `{}`: HubSpot does not give it, the whole object stands in `_payload`", column.name));
        } else if column.kind != ColumnType::String {
            problems.add(format!("column `{}` must be STRING, and is {}", column.name, column.kind));
        }
    }
    for name in columns.iter().filter(|name| contract.column(name).is_none()) {
        problems.add(format!("column `{name}` (STRING) of an association is not declared"));
    }
}

fn check_record(record: &Record, problems: &mut Problems) {
    let fields: Vec<&Field> = record.fields.iter().collect();
    check_fields("record", &fields, record.kinds(), problems);
    let roles = [("discriminator", &record.discriminator), ("identity", &record.identity), ("eventTime", &record.event_time)];
    for (role, name) in roles {
        problems.known(&format!("`{role}`"), "field", name, &field_names(&fields));
        if record.field(name).is_some_and(|field| !field.required || !field.envelope()) {
            problems.add(format!("field `{name}` is the record's `{role}`, so it must be `required` for every kind"));
        }
    }
    if record.field(&record.discriminator).is_some() && record.kinds().is_empty() {
        problems
            .add(format!("field `{}` is the record's `discriminator`, so `allowed` must list the kinds", record.discriminator));
    }
    if record.field(&record.event_time).is_some_and(|field| field.kind != ColumnType::Timestamp) {
        problems.add(format!("field `{}` is the record's `eventTime`, so it must be a TIMESTAMP", record.event_time));
    }
    if let Some(lines) = &record.lines {
        check_lines(lines, record.kinds(), problems);
    }
    pointers(record, problems);
}

fn check_lines(lines: &Lines, kinds: &[String], problems: &mut Problems) {
    let fields: Vec<&Field> = lines.fields.iter().collect();
    check_fields("lines", &fields, kinds, problems);
    check_checks("lines", &lines.checks, &fields, kinds, problems);
    problems.known("`key` of the lines", "field", &lines.key, &field_names(&fields));
    check_kinds("`requiredWhen` of the lines", &lines.required_when, kinds, problems);
    if lines.required_when.is_empty() {
        problems.add("`requiredWhen` of the lines must name the kinds that have lines");
    }
}

/// JSON pointers (RFC 6901) are empty or begin with a slash.
fn pointers(record: &Record, problems: &mut Problems) {
    let lines = record.lines.iter().flat_map(|lines| lines.fields.iter().map(|field| &field.from).chain([&lines.pointer]));
    for pointer in record.fields.iter().map(|field| &field.from).chain(lines) {
        if !pointer.starts_with('/') {
            problems.add(format!("`{pointer}` is no JSON pointer: it must begin with `/`"));
        }
    }
}

/// Checks the fields of a record, of its lines, or of a columnar input (which has no kinds).
pub(super) fn check_fields(place: &str, fields: &[&Field], kinds: &[String], problems: &mut Problems) {
    problems.distinct(&format!("{place}: field"), field_names(fields));
    for field in fields {
        let place = format!("field `{}`", field.name);
        check_kinds(&place, &field.when, kinds, problems);
        check_kinds(&place, &field.required_when, kinds, problems);
        if field.kind != ColumnType::String
            && !(field.standards.is_empty() && field.spellings.is_empty() && field.allowed.is_empty())
        {
            problems.add(format!("{place} is {}, and `standards`, `spellings` and `allowed` are for text", field.kind));
        }
        if !field.contains.is_empty() && field.kind != ColumnType::Boolean {
            problems.add(format!("{place} is {}, and `contains` is for BOOLEAN", field.kind));
        }
        let folded: Vec<String> = field.spellings.iter().map(|text| text.to_lowercase()).collect();
        problems.distinct(&format!("{place}: spelling"), folded.iter().map(String::as_str));
        if let Some(within) = &field.within {
            if field.kind != ColumnType::Timestamp {
                problems.add(format!("{place} is {}, and `within` is for TIMESTAMP", field.kind));
            }
            if within.from >= within.before {
                problems.add(format!("`within` of {place} holds no instant"));
            }
        }
    }
}

/// Checks row checks against the fields that they read.
pub(super) fn check_checks(place: &str, checks: &[RowCheck], fields: &[&Field], kinds: &[String], problems: &mut Problems) {
    problems.distinct(&format!("{place}: check"), checks.iter().map(|check| check.id.as_str()));
    for check in checks {
        let place = format!("check `{}`", check.id);
        if check.rules() != 1 {
            problems
                .add(format!("{place} must have exactly one of `minimum`, `difference`, `anyPositive`, not {}", check.rules()));
        }
        check_kinds(&place, &check.when, kinds, problems);
        for name in check.fields() {
            problems.known(&place, "field", name, &field_names(fields));
            if let Some(field) = fields.iter().find(|field| field.name == name && !field.kind.numeric()) {
                problems.add(format!("{place} compares numbers, and field `{name}` is {}", field.kind));
            }
        }
    }
}

/// Checks names of kinds of record.
pub(super) fn check_kinds(place: &str, named: &[String], kinds: &[String], problems: &mut Problems) {
    let known: Vec<&str> = kinds.iter().map(String::as_str).collect();
    for name in named {
        if kinds.is_empty() {
            problems.add(format!("{place} names kind `{name}`, but the rows have no kinds"));
        } else {
            problems.known(place, "kind", name, &known);
        }
    }
}

/// Names of fields.
pub(super) fn field_names<'a>(fields: &[&'a Field]) -> Vec<&'a str> {
    fields.iter().map(|field| field.name.as_str()).collect()
}
