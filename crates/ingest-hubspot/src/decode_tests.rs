use super::*;

fn body(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[test]
fn objects_are_the_bytes_that_came() {
    let object = "{ \"id\" : \"512\",\"properties\":{\"email\":\"gr\\u00fcn@x.de\",\"n\":1.0e2 },\n\"updatedAt\":\"2017-12-30T01:02:03.004Z\",\"archived\":false}";
    let text = format!("{{\"total\":1,\"results\":[ {object} ],\"paging\":{{\"next\":{{\"after\":\"512\",\"link\":\"?\"}}}}}}");
    let page = page(&Bytes::from(text)).unwrap();
    assert_eq!((page.total, page.next.as_deref()), (Some(1), Some("512")));
    assert_eq!(page.objects[0].bytes, object.as_bytes());
    assert_eq!((page.objects[0].id, page.objects[0].archived_at), (512, None));
    assert_eq!(page.objects[0].updated_at.timestamp_millis(), 1_514_595_723_004);
}

#[test]
fn where_a_page_begins_is_text_or_a_number() {
    let of = |text: &'static str| page(&body(text)).map(|page| page.next);
    assert_eq!(of(r#"{"results":[],"paging":{"next":{"after":"200"}}}"#), Ok(Some("200".to_owned())));
    assert_eq!(of(r#"{"results":[],"paging":{"next":{"after":200}}}"#), Ok(Some("200".to_owned())));
    assert_eq!(of(r#"{"results":[],"paging":{}}"#), Ok(None));
    assert!(matches!(of(r#"{"results":[],"paging":{"next":{"after":true}}}"#), Err(Unreadable::Form { .. })));
}

#[test]
fn an_archived_object_says_since_when() {
    let page = page(&body(
        r#"{"results":[{"id":"1","updatedAt":"2017-12-30T00:00:00Z","archived":true,"archivedAt":"2017-12-30T05:00:00.5Z"},
                      {"id":2,"updatedAt":"2017-12-30T00:00:00Z","archived":true}]}"#,
    ))
    .unwrap();
    let at: Vec<_> = page.objects.iter().map(|object| object.archived_at.unwrap().to_rfc3339()).collect();
    assert_eq!(at, ["2017-12-30T05:00:00.500+00:00", "2017-12-30T00:00:00+00:00"]);
    assert_eq!(page.next, None);
}

#[test]
fn torn_bodies_are_damaged_and_other_forms_are_not() {
    let whole = r#"{"total":1,"results":[{"id":"1","updatedAt":"2017-12-30T00:00:00Z"}]}"#;
    for end in 1..whole.len() {
        assert_eq!(page(&body(&whole[..end])).unwrap_err(), Unreadable::Damaged, "{}", &whole[..end]);
    }
    assert_eq!(page(&body("<html>")).unwrap_err(), Unreadable::Damaged);
    assert_eq!(page(&Bytes::from_static(b"{\"results\":[{\"id\":\"\xff\"}]}")).unwrap_err(), Unreadable::Damaged);
    for form in [
        "{}",
        r#"{"results":[{"updatedAt":"2017-12-30T00:00:00Z"}]}"#,
        r#"{"results":[{"id":"ada","updatedAt":"2017-12-30T00:00:00Z"}]}"#,
        r#"{"results":[{"id":"0","updatedAt":"2017-12-30T00:00:00Z"}]}"#,
        r#"{"results":[{"id":"1","updatedAt":"yesterday"}]}"#,
    ] {
        assert!(matches!(page(&body(form)).unwrap_err(), Unreadable::Form { .. }), "{form}");
    }
}

#[test]
fn an_answer_in_part_is_whole_only_when_the_rest_is_not_there() {
    let part = |category: &str| {
        Bytes::from(format!(r#"{{"status":"COMPLETE","results":[],"numErrors":1,"errors":[{{"category":"{category}"}}]}}"#))
    };
    assert!(page(&part("OBJECT_NOT_FOUND")).unwrap().objects.is_empty());
    assert_eq!(page(&part("INTERNAL_ERROR")).unwrap_err(), Unreadable::Damaged);
    assert_eq!(pairs(&part("INTERNAL_ERROR")).unwrap_err(), Unreadable::Damaged);
}

#[test]
fn an_answer_in_part_names_what_is_not_there() {
    let text = |context: &str| {
        Bytes::from(format!(r#"{{"results":[],"numErrors":1,"errors":[{{"category":"OBJECT_NOT_FOUND"{context}}}]}}"#))
    };
    let named = text(r#","context":{"ids":["7",8],"fromObjectId":["9"],"fromObjectType":["contact"]}"#);
    assert_eq!(page(&named).unwrap().missing, HashSet::from([7, 8, 9]));
    assert_eq!(pairs(&named).unwrap().answered, HashSet::from([7, 8, 9]));
    for other in ["", r#","context":null"#, r#","context":{"ids":"7"}"#, r#","context":[]"#] {
        assert!(page(&text(other)).unwrap().missing.is_empty(), "{other}");
    }
}

#[test]
fn associations_have_pages_of_their_own() {
    let first = r#"{"toObjectId":77,"associationTypes":[{"category":"HUBSPOT_DEFINED","typeId":1,"label":"Primary"}]}"#;
    let text = format!(
        r#"{{"results":[{{"from":{{"id":"5"}},"to":[{first}, {{"toObjectId":"78","associationTypes":[]}}],
            "paging":{{"next":{{"after":"NzgK"}}}}}},{{"from":{{"id":"6"}},"to":[]}}],"errors":[]}}"#
    );
    let read = pairs(&Bytes::from(text)).unwrap();
    let ids: Vec<_> = read.pairs.iter().map(|pair| (pair.from, pair.to)).collect();
    assert_eq!((ids.as_slice(), read.next.as_slice()), (&[(5, 77), (5, 78)][..], &[(5, "NzgK".to_owned())][..]));
    assert_eq!(read.pairs[0].bytes, first.as_bytes());
    assert_ne!(read.pairs[0].types, read.pairs[1].types);
}

#[test]
fn equal_types_are_equal_in_any_order_and_writing() {
    let of = |types: &str| target(format!("{{\"toObjectId\": 1, \"associationTypes\":[{types}]}}").as_bytes()).unwrap().1;
    let (one, two) = (
        r#"{"category":"HUBSPOT_DEFINED","typeId":1,"label":"Primary"}"#,
        r#"{"typeId":279, "category":"HUBSPOT_DEFINED","label":null}"#,
    );
    assert_eq!(of(&format!("{one},{two}")), of(&format!("{two} , {one}")));
    assert_eq!(of(two), of(r#"{"category":"HUBSPOT_DEFINED","typeId":279}"#));
    assert_ne!(of(one), of(two));
    assert_ne!(of(one), of(&one.replace("Primary", "Former")));
}

#[test]
fn properties_are_known_by_name() {
    let names = names(&body(r#"{"results":[{"name":"email","type":"string"},{"name":"city"}]}"#)).unwrap();
    assert!(names.contains("email") && names.contains("city") && names.len() == 2);
}
