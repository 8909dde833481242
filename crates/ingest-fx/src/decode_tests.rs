use super::*;
use crate::testdata::{DAILY, TABLE, archive};

const ZIP: &str = "eurofxref-hist.zip";
const XML: &str = "eurofxref-daily.xml";

fn wanted(first: &str, end: &str) -> Wanted {
    Wanted { first: first.parse().unwrap(), end: end.parse().unwrap(), currencies: Vec::new() }
}

fn cells(sheet: &Sheet) -> Vec<String> {
    sheet.observations.iter().map(|o| format!("{} {} {}", o.day, o.currency, o.rate)).collect()
}

fn refused(result: Result<Sheet, DecodeError>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.fault(), Fault::Data);
    error.to_string()
}

#[test]
fn the_archive_gives_every_cell_of_the_wanted_days_as_published() {
    let bytes = archive(&[("eurofxref-hist.csv", TABLE)]);
    let sheet = history(ZIP, &bytes, &wanted("2017-12-28", "2017-12-30")).unwrap();
    let expected = [
        "2017-12-29 USD 1.1993",
        "2017-12-29 JPY 135.01",
        "2017-12-29 HRK 7.44",
        "2017-12-28 USD 1.1934",
        "2017-12-28 JPY 134.62",
        "2017-12-28 HRK N/A",
    ];
    assert_eq!(cells(&sheet), expected);
    assert_eq!(sheet.cells, 6);
    assert_eq!(sheet.oldest.unwrap().to_string(), "2017-12-28");
    assert_eq!(sheet.newest.unwrap().to_string(), "2018-01-02");
}

#[test]
fn a_contract_can_name_its_currencies() {
    let mut wanted = wanted("2017-12-29", "2017-12-30");
    wanted.currencies = vec!["JPY".into()];
    let bytes = archive(&[("eurofxref-hist.csv", TABLE)]);
    assert_eq!(cells(&history(ZIP, &bytes, &wanted).unwrap()), ["2017-12-29 JPY 135.01"]);
    wanted.currencies = vec!["XXX".into()];
    assert!(refused(history(ZIP, &bytes, &wanted)).contains("no column for currency `XXX`"));
}

#[test]
fn a_damaged_archive_is_refused() {
    let whole = archive(&[("eurofxref-hist.csv", TABLE)]);
    let wanted = wanted("2017-12-28", "2017-12-30");
    for length in [0, 10, whole.len() / 2, whole.len() - 1] {
        refused(history(ZIP, &whole[..length], &wanted));
    }
    let mut flipped = whole;
    flipped[60] ^= 0xff;
    refused(history(ZIP, &flipped, &wanted));
    assert!(refused(history(ZIP, &archive(&[("a.txt", "x")]), &wanted)).contains("holds 0 tables"));
    assert!(refused(history(ZIP, &archive(&[("a.csv", TABLE), ("b.csv", TABLE)]), &wanted)).contains("holds 2 tables"));
}

#[test]
fn an_archive_cannot_unfold_without_bound() {
    let bomb = archive(&[("eurofxref-hist.csv", &"0".repeat(65 << 20))]);
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    assert!(refused(history(ZIP, &bomb, &wanted("2017-12-28", "2017-12-30"))).contains("more than 67108864 bytes"));
}

#[test]
fn a_malformed_table_is_refused_with_its_line() {
    let wanted = wanted("2017-12-28", "2017-12-30");
    let refuse = |text: &str| refused(table(ZIP, text.as_bytes(), &wanted));
    assert!(refuse("Day,USD,\n2017-12-29,1.1,\n").contains("line 1: the header"));
    assert!(refuse("Date,USD,USD,\n2017-12-29,1.1,1.1,\n").contains("line 1: the header"));
    assert!(refuse("Date,usd,\n2017-12-29,1.1,\n").contains("line 1: the header"));
    assert!(refuse("Date,USD,\n2017-12-29,1.1,\n29 December 2017,1.1,\n").contains("line 3: the first cell is no date"));
    assert!(refuse("Date,USD,\n2017-12-29,1.1,\n2017-12-29,1.1,\n").contains("line 3: the day stands in the file twice"));
    assert!(refuse("Date,USD,JPY,\n2017-12-29,1.1,1").contains("damaged or truncated"));
    assert!(refuse("Date,USD,\n").contains("no observation"));
    assert!(refuse("<html>not found</html>\n").contains("line 1: the header"));
}

#[test]
fn the_daily_file_gives_its_currencies() {
    let sheet = xml(XML, DAILY.as_bytes(), &wanted("2017-12-29", "2017-12-30")).unwrap();
    assert_eq!(cells(&sheet), ["2017-12-29 USD 1.1993", "2017-12-29 JPY 135.01"]);
    assert_eq!((sheet.cells, sheet.oldest), (2, "2017-12-29".parse().ok()));
    let other = xml(XML, DAILY.as_bytes(), &wanted("2017-12-30", "2017-12-31")).unwrap();
    assert_eq!((other.cells, other.observations.len(), other.oldest), (0, 0, "2017-12-29".parse().ok()));
}

#[test]
fn a_malformed_daily_file_is_refused() {
    let wanted = wanted("2017-12-29", "2017-12-30");
    let refuse = |text: &str| refused(xml(XML, text.as_bytes(), &wanted));
    for cut in [DAILY.len() - 60, DAILY.len() - 25, DAILY.len() - 3] {
        refuse(&DAILY[..cut]);
    }
    assert!(refuse(&DAILY.replace("rate='1.1993'", "")).contains("line 9: an element has neither"));
    assert!(refuse(&DAILY.replace("2017-12-29", "29.12.2017")).contains("line 8: the first cell is no date"));
    assert!(refuse(&DAILY.replace("'JPY'", "'USD'")).contains("line 10: a currency stands twice"));
    assert!(refuse("<a/>").contains("no observation"));
}
