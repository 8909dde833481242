use super::*;
use lake_core::contract::field::Instants;

fn field(kind: &str, more: impl FnOnce(&mut Field)) -> FieldPlan {
    let mut field = Field::plain("f", "/f", kind.parse().unwrap());
    more(&mut field);
    let mut kinds = Kinds::default();
    kinds.add(&["PLACED".into(), "PAID".into()]);
    let tokens = ["", "null", "n/a", "none", "nan"].map(str::to_owned);
    FieldPlan::new(&field, &kinds, &NullTokens::new(&tokens), &mut Rules::default())
}

fn json<'a>(plan: &FieldPlan, raw: &'a str) -> Result<Cell<'a>, Invalid> {
    plan.read(Value::of_json(Some(raw)))
}

#[test]
fn numbers_may_be_text_and_text_may_be_a_number() {
    let (amount, count, text) = (field("DECIMAL(18,2)", |_| {}), field("BIGINT", |_| {}), field("STRING", |_| {}));
    for raw in ["12.50", "\"12.50\"", "\" 12.5 \"", "1.25e1"] {
        assert_eq!(json(&amount, raw), Ok(Cell::Decimal(1250)), "{raw}");
    }
    assert_eq!(json(&count, "\"4\""), Ok(Cell::Integer(4)));
    assert_eq!(json(&count, "-4"), Ok(Cell::Integer(-4)));
    assert_eq!(json(&text, "1234"), Ok(Cell::Text("1234".into())));
    assert_eq!(json(&text, "\"a\\u00e9\\n\""), Ok(Cell::Text("aé".into())));
}

#[test]
fn what_has_the_wrong_type_is_invalid() {
    let (amount, count, text) = (field("DECIMAL(18,2)", |_| {}), field("INT", |_| {}), field("STRING", |_| {}));
    for raw in ["true", "{}", "[1]", "\"12,50\"", "0.125", "10000000000000000", "\"ten\""] {
        assert_eq!(json(&amount, raw), Err(Invalid), "{raw}");
    }
    for raw in ["1.5", "2147483648", "\"0x10\"", "false"] {
        assert_eq!(json(&count, raw), Err(Invalid), "{raw}");
    }
    for raw in ["true", "{}", "[]", "\"\\ud800\""] {
        assert_eq!(json(&text, raw), Err(Invalid), "{raw}");
    }
    assert_eq!(json(&field("TIMESTAMP", |_| {}), "1514635200000"), Err(Invalid));
    assert_eq!(json(&field("DOUBLE", |_| {}), "\"inf\""), Err(Invalid));
}

#[test]
fn null_tokens_are_null_whatever_their_case_and_padding() {
    let text = field("STRING", |_| {});
    for raw in ["null", "\"\"", "\"  \"", "\"NULL\"", "\" N/A \"", "\"None\"", "\"nan\""] {
        assert_eq!(json(&text, raw), Ok(Cell::Null), "{raw}");
    }
    assert_eq!(text.read(Value::of_json(None)), Ok(Cell::Null));
    assert_eq!(json(&text, "\"nano\""), Ok(Cell::Text("nano".into())));
    assert_eq!(json(&field("DECIMAL(18,2)", |_| {}), "\"n/a\""), Ok(Cell::Null));
}

#[test]
fn standards_come_before_the_allowed_list() {
    let currency = field("STRING", |f| {
        f.standards = vec![Standard::Upper];
        f.allowed = vec!["USD".into(), "EUR".into()];
    });
    assert_eq!(json(&currency, "\" usd\""), Ok(Cell::Text("USD".into())));
    assert_eq!(json(&currency, "\"XXX\""), Err(Invalid));
    let count = field("INT", |f| f.allowed = vec!["1".into()]);
    assert_eq!((json(&count, "1"), json(&count, "2")), (Ok(Cell::Integer(1)), Err(Invalid)));
}

#[test]
fn a_text_takes_its_spelling_and_others_stay() {
    let band = field("STRING", |f| f.spellings = vec!["Under 15K".into(), "250K+".into()]);
    for (raw, spelling) in [("\" under 15k\"", "Under 15K"), ("\"250k+\"", "250K+"), ("\"lots\"", "lots"), ("\"Lots\"", "Lots")] {
        assert_eq!(json(&band, raw), Ok(Cell::Text(spelling.into())), "{raw}");
    }
    let listed = field("STRING", |f| (f.spellings, f.allowed) = (vec!["Ab".into()], vec!["Ab".into()]));
    assert_eq!((json(&listed, "\"aB\""), json(&listed, "\"b\"")), (Ok(Cell::Text("Ab".into())), Err(Invalid)));
    assert!(!band.passes_through());
}

#[test]
fn instants_outside_their_interval_are_invalid() {
    let at = |text: &str| text.parse().unwrap();
    let event = field("TIMESTAMP", |f| {
        f.within = Some(Instants { from: at("1999-01-02T00:00:00Z"), before: at("2036-01-01T00:00:00Z") });
    });
    for raw in ["\"1999-01-02T00:00:00Z\"", "\"2035-12-31T23:59:59.999999Z\"", "\"2036-01-01T00:59:59+01:00\""] {
        assert!(matches!(json(&event, raw), Ok(Cell::Instant(_))), "{raw}");
    }
    for raw in ["\"1999-01-01T23:59:59.999999Z\"", "\"2036-01-01T00:00:00Z\"", "\"0001-01-01T00:00:00Z\""] {
        assert_eq!(json(&event, raw), Err(Invalid), "{raw}");
    }
    assert_eq!(json(&event, "null"), Ok(Cell::Null));
    assert_eq!(event.read(Value::Instant(0)), Err(Invalid));
    assert!(!event.passes_through(), "a column of timestamps is looked at value by value");
}

#[test]
fn a_list_is_searched_for_an_object() {
    let primary = field("BOOLEAN", |f| {
        f.contains = [("category".to_owned(), "HUBSPOT_DEFINED".to_owned()), ("typeId".to_owned(), "1".to_owned())].into();
    });
    for (raw, found) in [
        (r#"[{"category":"HUBSPOT_DEFINED","typeId":279,"label":null},{"category":"HUBSPOT_DEFINED","typeId":1}]"#, true),
        (r#"[{"typeId":"1","category":"HUBSPOT_DEFINED"}]"#, true),
        (r#"[{"category":"USER_DEFINED","typeId":1},{"category":"HUBSPOT_DEFINED","typeId":11}]"#, false),
        (r#"[{"category":"HUBSPOT_DEFINED"},1,null,[{"category":"HUBSPOT_DEFINED","typeId":1}]]"#, false),
        ("[]", false),
    ] {
        assert_eq!(json(&primary, raw), Ok(Cell::Boolean(found)), "{raw}");
    }
    for raw in ["{}", "true", "1", "\"x\""] {
        assert_eq!(json(&primary, raw), Err(Invalid), "{raw}");
    }
    assert_eq!((json(&primary, "null"), primary.read(Value::Null)), (Ok(Cell::Null), Ok(Cell::Null)));
}

#[test]
fn rules_depend_on_the_kind_of_record() {
    let (placed, paid) = (1, 2);
    let judge = |plan: &FieldPlan, raw: &'static str, kind| {
        let mut rules = Vec::new();
        let cell = plan.judge(Value::of_json(Some(raw)), kind, &mut rules);
        (cell, rules.len())
    };
    let only_placed = field("INT", |f| (f.when, f.required) = (vec!["PLACED".into()], true));
    assert_eq!(judge(&only_placed, "\"x\"", paid), (Cell::Null, 0));
    assert_eq!(judge(&only_placed, "\"x\"", placed), (Cell::Null, 1));
    assert_eq!(judge(&only_placed, "null", placed), (Cell::Null, 1));
    let quiet = field("INT", |f| (f.required_when, f.on_invalid) = (vec!["PLACED".into()], OnInvalid::Null));
    assert_eq!(judge(&quiet, "{}", paid), (Cell::Null, 0));
    assert_eq!(judge(&quiet, "{}", placed), (Cell::Null, 1));
    assert!(!quiet.envelope && !only_placed.envelope && field("INT", |_| {}).envelope);
}

#[test]
fn columnar_values_are_read_by_the_same_rules() {
    assert_eq!(field("STRING", |_| {}).read(Value::Unscaled(90_000_000_001, 0)), Ok(Cell::Text("90000000001".into())));
    assert_eq!(field("DECIMAL(18,2)", |_| {}).read(Value::Unscaled(12_500, 3)), Ok(Cell::Decimal(1250)));
    assert_eq!(field("DECIMAL(18,2)", |_| {}).read(Value::Unscaled(12_505, 3)), Err(Invalid));
    assert_eq!(field("DECIMAL(18,2)", |_| {}).read(Value::Double(0.1)), Ok(Cell::Decimal(10)));
    assert_eq!(field("INT", |_| {}).read(Value::Unscaled(7, 0)), Ok(Cell::Integer(7)));
    assert_eq!(field("TIMESTAMP", |_| {}).read(Value::Date(1)), Ok(Cell::Instant(86_400_000_000)));
    assert_eq!(field("STRING", |_| {}).read(Value::Boolean(true)), Err(Invalid));
}
