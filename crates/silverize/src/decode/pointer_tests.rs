use super::*;

fn trees() -> Trees {
    let mut trees = Trees::default();
    for pointer in ["/id", "/payment/method", "/payment/card", "/tags/1", "/a~1b"] {
        trees.record.leaf(pointer).unwrap();
    }
    trees.record.lines("/lines").unwrap();
    trees.line.leaf("/n").unwrap();
    trees.line.leaf("/amount").unwrap();
    trees
}

fn read(payload: &str) -> Option<(Vec<Option<&str>>, Lines<'_>)> {
    let mut found = Found::default();
    found.read(&trees(), payload.as_bytes()).then_some((found.slots, found.lines))
}

#[test]
fn values_are_slices_of_the_payload() {
    let (slots, _) =
        read(r#"{"x":[{"id":1}], "id" : 1.50, "payment":{"card":"a\"b","other":2,"method":null},"tags":[0,"t",2],"a/b":{}}"#)
            .unwrap();
    assert_eq!(slots, [Some("1.50"), Some("null"), Some(r#""a\"b""#), Some("\"t\""), Some("{}")]);
}

#[test]
fn the_last_of_a_repeated_name_counts() {
    let (slots, lines) = read(r#"{"id":1,"lines":[{"n":1},{"n":2}],"id":2,"lines":[{"n":3}]}"#).unwrap();
    assert_eq!((slots[0], lines.count, lines.slots), (Some("2"), 1, vec![Some("3"), None]));
}

#[test]
fn lines_are_told_from_what_is_no_list_of_objects() {
    let lines = |payload| read(payload).map(|(_, lines)| (lines.count, lines.malformed)).unwrap();
    assert_eq!(lines(r#"{"lines":[{"n":1,"amount":2},{}]}"#), (2, false));
    assert_eq!(lines(r#"{"lines":[]}"#), (0, false));
    assert_eq!(lines(r#"{"lines":null}"#), (0, false));
    assert_eq!(lines("{}"), (0, false));
    assert_eq!(lines(r#"{"lines":[{"n":1},7,[1]]}"#), (3, true));
    for other in ["{}", "7", "-7", "1.5", "true", "\"[]\""] {
        let payload = format!(r#"{{"lines":{other}}}"#);
        assert_eq!(read(&payload).map(|(_, lines)| (lines.count, lines.malformed)), Some((0, true)), "{other}");
    }
}

#[test]
fn what_is_no_object_is_refused() {
    for payload in
        ["", "  ", "[1,2]", "\"PLACED\"", "42", "null", r#"{"id":1"#, r#"{"id":1}}"#, r#"{"id":NaN}"#, r#"{"id":01}"#, "{'id':1}"]
    {
        assert!(read(payload).is_none(), "{payload}");
    }
    let mut found = Found::default();
    assert!(!found.read(&trees(), b"{\"note\":\"caf\xe9\"}"));
    assert!(found.read(&trees(), b" {\"note\":\"\xc3\xa9\"} "));
}

#[test]
fn a_scalar_where_an_object_is_expected_has_no_fields() {
    for payload in
        [r#"{"payment":null,"id":1}"#, r#"{"payment":"card","id":1}"#, r#"{"payment":[1],"id":1}"#, r#"{"payment":1.5,"id":1}"#]
    {
        assert_eq!(read(payload).unwrap().0[..3], [Some("1"), None, None], "{payload}");
    }
}

#[test]
fn pointers_must_not_lead_into_each_other() {
    let mut tree = Tree::default();
    assert_eq!((tree.leaf("/a"), tree.leaf("/b/c"), tree.leaf("/a"), tree.slots()), (Ok(0), Ok(1), Ok(0), 2));
    assert!(tree.leaf("/a/b").is_err() && tree.leaf("/b").is_err() && tree.leaf("a").is_err() && tree.lines("/a").is_err());
}
