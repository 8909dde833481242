//! The ECB's files -> observations: pure, strict about the form, and exact about the values.

use chrono::NaiveDate;
use lake_core::{Fault, fault::Faulty};
use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};
use std::{
    collections::BTreeSet,
    io::{Cursor, Read as _},
};

/// The table inside the archive is 2 MB today; this bounds what a hostile archive can make of a few bytes.
const TABLE_BYTES_MAX: u64 = 64 << 20;

/// What a run wants of a file.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// First day.
    pub(crate) first: NaiveDate,
    /// First day that is not wanted any more.
    pub(crate) end: NaiveDate,
    /// Currencies; empty means all.
    pub(crate) currencies: Vec<String>,
}

impl Wanted {
    /// Calendar days.
    pub(crate) fn days(&self) -> i64 {
        (self.end - self.first).num_days()
    }

    fn holds(&self, day: NaiveDate) -> bool {
        self.first <= day && day < self.end
    }

    fn takes(&self, currency: &str) -> bool {
        self.currencies.is_empty() || self.currencies.iter().any(|wanted| wanted == currency)
    }
}

/// One published cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Observation {
    /// Day.
    pub(crate) day: NaiveDate,
    /// Currency.
    pub(crate) currency: String,
    /// Value exactly as published.
    pub(crate) rate: String,
}

/// What a file says about the wanted days.
#[derive(Debug, Default)]
pub(crate) struct Sheet {
    /// Wanted cells, in the file's order.
    pub(crate) observations: Vec<Observation>,
    /// Number of wanted cells by the file's form alone: its days times its currencies.
    pub(crate) cells: u64,
    /// Oldest day of the whole file.
    pub(crate) oldest: Option<NaiveDate>,
    /// Newest day of the whole file.
    pub(crate) newest: Option<NaiveDate>,
    days: BTreeSet<NaiveDate>,
}

/// Why a file is not what the ECB publishes. Always [`Fault::Data`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("read archive {file}: it is damaged or truncated")]
    Archive {
        file: &'static str,
        #[source]
        source: zip::result::ZipError,
    },
    #[error("read archive {file}: it holds {tables} tables (*.csv) instead of one")]
    Tables { file: &'static str, tables: usize },
    #[error("read archive {file}: its table has more than {} bytes", TABLE_BYTES_MAX)]
    TooLarge { file: &'static str },
    #[error("read archive {file}: its table is damaged")]
    Unreadable {
        file: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error("read {file}: its table is damaged or truncated")]
    Csv {
        file: &'static str,
        #[source]
        source: csv::Error,
    },
    #[error("read {file}: it is damaged or truncated")]
    Xml {
        file: &'static str,
        #[source]
        source: quick_xml::Error,
    },
    #[error("read {file}: line {line}: {problem}")]
    Form { file: &'static str, line: u64, problem: Problem },
    #[error("read {file}: it has no column for currency `{currency}`, which the contract names")]
    Currency { file: &'static str, currency: String },
}

/// What a line of a file breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("the header must be `Date` and then currencies of three capital letters, each once")]
    Header,
    #[error("the first cell is no date such as 2017-12-29")]
    Day,
    #[error("the day stands in the file twice")]
    DayTwice,
    #[error("a currency stands twice on one day, or not under a day")]
    Place,
    #[error("an element has neither `time` nor `currency` and `rate`")]
    Attributes,
    #[error("the file ends inside of an element")]
    End,
    #[error("the file has no observation at all")]
    Empty,
}

impl Faulty for DecodeError {
    fn fault(&self) -> Fault {
        Fault::Data
    }

    fn hint(&self) -> Option<String> {
        Some("nothing was landed; run the same command again once the source serves a whole file".into())
    }
}

impl Sheet {
    fn day(&mut self, file: &'static str, line: u64, text: &str) -> Result<NaiveDate, DecodeError> {
        let form = |problem| DecodeError::Form { file, line, problem };
        // chrono alone would also take 2017-1-2.
        let day = Some(text).filter(|text| text.len() == 10).and_then(|text| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok());
        let day = day.ok_or_else(|| form(Problem::Day))?;
        if !self.days.insert(day) {
            return Err(form(Problem::DayTwice));
        }
        self.oldest = self.days.first().copied();
        self.newest = self.days.last().copied();
        Ok(day)
    }
}

/// Decodes the table in the history archive.
pub(crate) fn history(file: &'static str, bytes: &[u8], wanted: &Wanted) -> Result<Sheet, DecodeError> {
    table(file, &unpack(file, bytes)?, wanted)
}

fn unpack(file: &'static str, bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let broken = |source| DecodeError::Archive { file, source };
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    let names: Vec<usize> = (0..archive.len()).filter(|at| is_table(&mut archive, *at)).collect();
    let [only] = names.as_slice() else { return Err(DecodeError::Tables { file, tables: names.len() }) };
    let entry = archive.by_index(*only).map_err(broken)?;
    let mut table = Vec::new();
    // The declared size is not trusted: reading stops one byte behind the limit.
    let read = entry.take(TABLE_BYTES_MAX + 1).read_to_end(&mut table);
    read.map_err(|source| DecodeError::Unreadable { file, source })?;
    if table.len() as u64 > TABLE_BYTES_MAX { Err(DecodeError::TooLarge { file }) } else { Ok(table) }
}

fn is_table(archive: &mut zip::ZipArchive<Cursor<&[u8]>>, at: usize) -> bool {
    archive.by_index_raw(at).is_ok_and(|entry| entry.name().is_ok_and(|name| name.ends_with(".csv")))
}

/// Decodes a table: a header `Date,USD,...,` and one line per day, both with a comma at the end.
fn table(file: &'static str, bytes: &[u8], wanted: &Wanted) -> Result<Sheet, DecodeError> {
    let csv = |source| DecodeError::Csv { file, source };
    let mut reader = csv::ReaderBuilder::new().from_reader(bytes);
    let header = reader.headers().map_err(csv)?.clone();
    let columns = columns(file, &header, wanted)?;
    let mut sheet = Sheet::default();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(csv)? {
        let line = record.position().map_or(0, csv::Position::line);
        let day = sheet.day(file, line, record.get(0).unwrap_or_default())?;
        if !wanted.holds(day) {
            continue;
        }
        sheet.cells += columns.len() as u64;
        sheet.observations.extend(columns.iter().map(|(at, currency)| Observation {
            day,
            currency: currency.clone(),
            rate: record.get(*at).unwrap_or_default().to_owned(),
        }));
    }
    if sheet.days.is_empty() { Err(DecodeError::Form { file, line: 1, problem: Problem::Empty }) } else { Ok(sheet) }
}

/// Returns place and name of the wanted currency columns.
fn columns(file: &'static str, header: &csv::StringRecord, wanted: &Wanted) -> Result<Vec<(usize, String)>, DecodeError> {
    let mut names: Vec<&str> = header.iter().map(str::trim).collect();
    names.pop_if(|last| last.is_empty());
    let code = |name: &&str| name.len() == 3 && name.bytes().all(|b| b.is_ascii_uppercase());
    let distinct: BTreeSet<&&str> = names.iter().collect();
    if names.first() != Some(&"Date") || names.len() < 2 || !names[1..].iter().all(code) || distinct.len() < names.len() {
        return Err(DecodeError::Form { file, line: 1, problem: Problem::Header });
    }
    if let Some(absent) = wanted.currencies.iter().find(|wanted| !names[1..].contains(&wanted.as_str())) {
        return Err(DecodeError::Currency { file, currency: absent.clone() });
    }
    let numbered = names.iter().enumerate().skip(1);
    Ok(numbered.filter(|(_, name)| wanted.takes(name)).map(|(at, name)| (at, (*name).to_owned())).collect())
}

/// Decodes `<Cube time='2017-12-29'><Cube currency='USD' rate='1.1993'/>...`, for one day or many.
pub(crate) fn xml(file: &'static str, bytes: &[u8], wanted: &Wanted) -> Result<Sheet, DecodeError> {
    let mut reader = Reader::from_reader(bytes);
    let mut sheet = Sheet::default();
    let (mut depth, mut day, mut seen) = (0_u32, None, BTreeSet::new());
    loop {
        let event = reader.read_event().map_err(|source| DecodeError::Xml { file, source })?;
        let read = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX).min(bytes.len());
        let line = || 1 + bytes[..read].iter().filter(|byte| **byte == b'\n').count() as u64;
        let form = |problem| DecodeError::Form { file, line: line(), problem };
        match &event {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Eof if depth > 0 => return Err(form(Problem::End)),
            Event::Eof if sheet.days.is_empty() => return Err(form(Problem::Empty)),
            Event::Eof => return Ok(sheet),
            _ => {}
        }
        let (Event::Start(element) | Event::Empty(element)) = &event else { continue };
        if element.local_name().as_ref() != b"Cube" {
            continue;
        }
        match cube(element).ok_or_else(|| form(Problem::Attributes))? {
            Cube::Envelope => {}
            Cube::Day(text) => {
                day = Some(sheet.day(file, line(), &text)?);
                seen.clear();
            }
            Cube::Rate(currency, rate) => {
                let day = day.filter(|_| seen.insert(currency.clone())).ok_or_else(|| form(Problem::Place))?;
                if wanted.holds(day) && wanted.takes(&currency) {
                    sheet.cells += 1;
                    sheet.observations.push(Observation { day, currency, rate });
                }
            }
        }
    }
}

/// The three uses of the element `Cube`.
enum Cube {
    Envelope,
    Day(String),
    Rate(String, String),
}

fn cube(element: &BytesStart<'_>) -> Option<Cube> {
    let (mut time, mut currency, mut rate) = (None, None, None);
    for attribute in element.attributes() {
        let attribute = attribute.ok()?;
        let value = attribute.decode_and_unescape_value(element.decoder()).ok()?.into_owned();
        match attribute.key.as_ref() {
            b"time" => time = Some(value),
            b"currency" => currency = Some(value),
            b"rate" => rate = Some(value),
            _ => {}
        }
    }
    match (time, currency, rate) {
        (None, None, None) => Some(Cube::Envelope),
        (Some(day), None, None) => Some(Cube::Day(day)),
        (None, Some(currency), Some(rate)) => Some(Cube::Rate(currency, rate)),
        _ => None,
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
