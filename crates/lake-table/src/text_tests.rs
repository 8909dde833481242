use super::*;
use crate::arrow_type;
use arrow::array::{Array as _, AsArray as _};

const MONEY: ColumnType = ColumnType::Decimal(18, 2);

/// Which of some texts a type reads.
fn readable(kind: ColumnType, notation: Notation, texts: &[&str]) -> Vec<bool> {
    let mut values = TextColumn::new(kind, notation);
    let read: Vec<bool> = texts.iter().map(|text| values.append(Some(text.as_bytes()))).collect();
    let array = values.finish();
    assert_eq!((array.len(), array.data_type()), (texts.len(), &arrow_type(kind)));
    assert!((0..texts.len()).all(|row| array.is_valid(row) == read[row]), "what cannot be read is null");
    read
}

#[test]
fn a_text_is_a_value_of_the_type_or_unreadable() {
    for notation in [Notation::File, Notation::Postgres] {
        let read = |kind, texts: &[&str]| readable(kind, notation, texts);
        let whole = ["7", "-7", "2147483648", "7.0", " 7", ""];
        assert_eq!(read(ColumnType::Int, &whole), [true, true, false, false, false, false]);
        assert_eq!(read(ColumnType::Long, &["2147483648", "9223372036854775808", "7.0"]), [true, false, false]);
        assert_eq!(read(ColumnType::Double, &["1.5", "1e3", "x"]), [true, true, false]);
        assert_eq!(read(ColumnType::Boolean, &["true", "false", "True", "1", "yes"]), [true, true, false, false, false]);
        let dates = ["2017-12-30", "2017-13-01", "30.12.2017", "2017-2-1", "infinity", "+2017-12-3"];
        assert_eq!(read(ColumnType::Date, &dates), [true, false, false, false, false, false]);
        let amounts = ["1.10", "-1", "1.100", "1.105", "9999999999999999.99", "10000000000000000", "1e3", ".5", "1.2.3", "+1"];
        assert_eq!(read(MONEY, &amounts), [true, true, true, false, true, false, false, false, false, false]);
        let mut text = TextColumn::new(ColumnType::String, notation);
        assert_eq!((text.append(Some(&[0xff])), text.append(None), text.append(Some(b""))), (false, true, true));
        let texts = text.finish();
        assert_eq!((texts.len(), texts.null_count(), texts.as_string::<i32>().value(2)), (3, 2, ""));
    }
}

#[test]
fn a_notation_tells_truth_values_instants_and_bytes() {
    let read = |kind, text: &str| [Notation::File, Notation::Postgres].map(|notation| readable(kind, notation, &[text])[0]);
    assert_eq!((read(ColumnType::Boolean, "t"), read(ColumnType::Boolean, "f")), ([false, true], [false, true]));
    for (text, expected) in [
        ("2017-12-30T00:00:00Z", [true, false]),
        ("2017-12-30T00:00:00.123456+02:00", [true, false]),
        ("2017-12-30T00:00:00", [false, false]),
        ("2017-12-30T00:00:00.1234567Z", [false, false]),
        ("2017-12-30 00:00:00", [false, true]),
    ] {
        assert_eq!(read(ColumnType::Timestamp, text), expected, "{text}");
    }
    assert_eq!((read(ColumnType::Binary, "\u{0}x"), read(ColumnType::Binary, "00ff")), ([true, false], [true, true]));
    let mut bytes = TextColumn::new(ColumnType::Binary, Notation::File);
    assert!(bytes.append(Some(&[0xff])), "bytes need be no text");
    assert_eq!(bytes.finish().as_binary::<i32>().value(0), [0xff]);
}

#[test]
fn instants_are_exact_to_the_microsecond() {
    let at = |text: &str| instant(text, Notation::Postgres);
    assert_eq!(at("2017-12-30 00:00:00"), Some(1_514_592_000_000_000));
    assert_eq!(at("2017-12-30 00:00:00.000001"), Some(1_514_592_000_000_001));
    assert_eq!(at("2017-12-30 23:59:59.5+00"), Some(1_514_678_399_500_000));
    assert_eq!(at("1969-12-31 23:59:59.999999"), Some(-1));
    assert_eq!(at("0001-01-01 00:00:00"), Some(-62_135_596_800_000_000));
    assert_eq!(at("2016-02-29 12:00:00").map(|micros| micros % 1_000_000), Some(0));
    for wrong in [
        "infinity",
        "-infinity",
        "2017-12-30",
        "2017-12-30 24:00:00",
        "2017-02-29 00:00:00",
        "2017-12-30 00:00:00+01",
        "2017-12-30 00:00:00.0000001",
        "2017-12-30 00:00:00 BC",
        "12017-12-30 00:00:00",
        "2017-12-30T00:00:00",
        "",
    ] {
        assert_eq!(at(wrong), None, "{wrong}");
    }
    assert_eq!(instant("2017-12-30T00:00:00.5+02:00", Notation::File), Some(1_514_584_800_500_000));
}

#[test]
fn decimals_keep_every_digit() {
    for (text, cents) in [("12.34", 1_234), ("-0.01", -1), ("7", 700), ("-12.5", -1_250), ("0.010", 1), ("007.10", 710)] {
        assert_eq!(decimal(text, MONEY), Some(cents), "{text}");
    }
    let whole = ColumnType::Decimal(38, 0);
    assert_eq!((decimal("7", whole), decimal("7.0", whole), decimal("7.5", whole)), (Some(7), Some(7), None));
    assert_eq!(decimal("99999999999999999999999999999999999999", whole), Some(10_i128.pow(38) - 1));
    assert_eq!(decimal("100000000000000000000000000000000000000", whole), None);
    assert_eq!(decimal("100.00", ColumnType::Decimal(4, 2)), None);
    for wrong in ["12.345", "NaN", "1e3", "", "-", ".5", "--1"] {
        assert_eq!(decimal(wrong, MONEY), None, "{wrong}");
    }
}

#[test]
fn other_values_are_read_or_refused() {
    assert_eq!((date("1970-01-02"), date("2017-12-30"), date("2017-02-29")), (Some(1), Some(17_530), None));
    assert_eq!(number::<f64>("0.30000000000000004"), Some(0.1 + 0.2));
    assert_eq!((base16("00ffA0"), base16("0"), base16("zz"), base16("")), (Some(vec![0, 255, 160]), None, None, Some(vec![])));
}
