//! Contradictions in what a table by key says of tombstones, JSON inside columns and resolved columns.

use super::*;

/// Asserts that each edit of a sound contract makes exactly this problem.
fn refused(cases: &[(&str, &str, &str)]) {
    for (from, to, problem) in cases {
        assert_eq!(KEYED.matches(from).count(), 1, "`{from}`");
        let error = set(&[KEYED.replace(from, to), COLUMNS.to_owned()]).err().unwrap_or_else(|| panic!("`{to}` was accepted"));
        assert_eq!(error, format!("use contract contracts/0.yaml: {problem}"), "`{from}` became `{to}`");
    }
}

#[test]
fn the_contract_that_is_broken_here_is_sound() {
    let set = set(&[KEYED, COLUMNS].map(str::to_owned)).unwrap();
    let input = &set.get("silver_visits").unwrap().silver().unwrap().inputs[0];
    assert_eq!(input.fields[1].place(), ("STATE", None));
    assert_eq!(input.fields[2].place(), ("PAYLOAD", Some("/buyer")));
}

#[test]
fn a_pointer_leads_into_a_column_that_holds_json() {
    refused(&[
        (
            "from: 'PAYLOAD#/session'",
            "from: 'PAYLAOD#/session'",
            "field `session` names unknown column `PAYLAOD`; did you mean `PAYLOAD`?",
        ),
        (
            "from: 'PAYLOAD#/session'",
            "from: 'ID#/session'",
            "field `session` points into column `ID`, which is DECIMAL(38,0): JSON is STRING or BINARY",
        ),
        (
            "from: 'PAYLOAD#/session'",
            "from: 'PAYLOAD#session'",
            "field `session`: `session` is no JSON pointer: it must begin with `/`",
        ),
        ("from: 'PAYLOAD#/labels'", "from: STATE", "field `paid`: `contains` looks into JSON, and `STATE` is a column"),
    ]);
    let error = set(&[KEYED.replace("type: BOOLEAN, contains", "type: STRING, contains"), COLUMNS.to_owned()]).unwrap_err();
    assert!(error.contains("field `paid` is STRING, and `contains` is for BOOLEAN\n"), "{error}");
}

#[test]
fn tombstones_have_what_they_need_and_are_asked_for_no_more() {
    refused(&[
        (
            "deletes: {field: state,",
            "deletes: {field: stat,",
            "`deletes` of input `bronze_shop_ledger` names unknown field `stat`; did you mean `state`?",
        ),
        (
            "deletes: {field: state,",
            "deletes: {field: at,",
            "`deletes` of input `bronze_shop_ledger` needs a text, and field `at` is TIMESTAMP",
        ),
        (
            "values: [gone]",
            "values: [gon]",
            "`deletes` of input `bronze_shop_ledger` names unknown value `gon`; did you mean `gone`?",
        ),
        ("values: [gone]", "values: []", "`deletes` of input `bronze_shop_ledger` needs `values`: those of tombstones"),
        ("values: [gone]", "values: [gone, gone]", "`deletes` of input `bronze_shop_ledger`: value `gone` is declared twice"),
        (
            "{name: deleted_at, logicalType: timestamp, physicalType: TIMESTAMP,",
            "{name: deleted_at, logicalType: timestamp, physicalType: TIMESTAMP, required: true,",
            "column `deleted_at` must be a TIMESTAMP, not required and no key: rows that live have none",
        ),
        (
            "{name: at, logicalType: timestamp, physicalType: TIMESTAMP,",
            "{name: at, logicalType: timestamp, physicalType: TIMESTAMP, required: true,",
            "column `at` must not be required: tombstones have none",
        ),
        (
            "{name: first_seen, logicalType: timestamp, physicalType: TIMESTAMP,",
            "{name: first_seen, logicalType: timestamp, physicalType: TIMESTAMP, required: true,",
            "column `first_seen` must not be required: tombstones have none",
        ),
    ]);
    // Two sources, of which only the one without tombstones says when.
    let (head, input) = KEYED.split_once("        - table: bronze_shop_ledger\n").unwrap();
    let other = input.replace("          deletes: {field: state, values: [gone]}\n", "");
    let input = input.replace("                deleted_at: changed_at\n", "");
    let two = format!("{head}        - table: bronze_shop_ledger\n{input}        - table: bronze_shop_books\n{other}");
    let error = set(&[two, COLUMNS.to_owned(), COLUMNS.replace("shop_ledger", "shop_books")]).unwrap_err();
    assert_eq!(
        error,
        "use contract contracts/0.yaml: route of `bronze_shop_ledger` must feed column `deleted_at` from a field: when the source \
         deleted the row"
    );
    let without = KEYED
        .replace("      - {name: deleted_at, logicalType: timestamp, physicalType: TIMESTAMP, description: Gone}\n", "")
        .replace("                deleted_at: changed_at\n", "");
    let error = set(&[without, COLUMNS.to_owned()]).unwrap_err();
    assert_eq!(error, "use contract contracts/0.yaml: a table with tombstones must have a column `deleted_at` (TIMESTAMP)");
}

#[test]
fn groups_and_records_have_no_tombstones() {
    let grouped = KEYED
        .replace(
            "      keeps: [is_paid, first_seen]\n",
            "      groups: [{name: all, columns: [person, session, at, is_paid, changed_at, deleted_at]}]\n",
        )
        .replace("      resolve: {column: person_found, from: person, within: session, order: [at, id]}\n", "")
        .replace("            - columns:\n", "            - group: all\n              columns:\n")
        .replace("{name: person_found,", "{name: _all_version,")
        .replace("      - {name: _version, logicalType: string, physicalType: STRING, description: Version}\n", "")
        .replace("      - {name: first_seen, logicalType: timestamp, physicalType: TIMESTAMP, description: When first}\n", "")
        .replace("                first_seen: changed_at\n", "");
    let error = set(&[grouped, COLUMNS.to_owned()]).unwrap_err();
    let refusal = "`deletes` of input `bronze_shop_ledger` belongs to the kinds current and history without `groups` and `rank`: a \
                   tombstone takes the place of a whole row";
    assert_eq!(error, format!("use contract contracts/0.yaml: {refusal}"));
    let ranked = KEYED
        .replace(
            "resolve: {column: person_found, from: person, within: session, order: [at, id]}",
            "rank: {column: person_found, order: [here, gone]}",
        )
        .replace("                session: session\n", "                session: session\n                person_found: state\n");
    let error = set(&[ranked, COLUMNS.to_owned()]).unwrap_err();
    assert!(error.contains(refusal), "{error}");
    let of_records = SILVER.replace("lateWindow: 7d", "lateWindow: 7d\n          deletes: {field: type, values: [LEFT]}");
    let error = set(&[of_records, BRONZE.into(), COLUMNS.into()]).unwrap_err();
    assert!(error.contains("only `lateWindow` and `routes` may stand here"), "{error}");
}

#[test]
fn what_outlasts_a_tombstone_is_fed_by_routes() {
    refused(&[
        ("keeps: [is_paid,", "keeps: [is_pai,", "`keeps` names unknown column `is_pai`; did you mean `is_paid`?"),
        ("keeps: [is_paid,", "keeps: [is_paid, is_paid,", "column that outlasts a tombstone `is_paid` is declared twice"),
        (
            "keeps: [is_paid,",
            "keeps: [deleted_at,",
            "`keeps` must name a column that routes feed, no key and not `deleted_at`: `deleted_at` is not",
        ),
        (
            "keeps: [is_paid,",
            "keeps: [person_found,",
            "`keeps` must name a column that routes feed, no key and not `deleted_at`: `person_found` is not",
        ),
    ]);
    let undeleted = KEYED.replace("          deletes: {field: state, values: [gone]}\n", "");
    let error = set(&[undeleted, COLUMNS.to_owned()]).unwrap_err();
    assert_eq!(error, "use contract contracts/0.yaml: `keeps` belongs to the kind current with `deletes`");
}

#[test]
fn a_column_is_resolved_from_others_that_routes_feed() {
    refused(&[
        ("within: session", "within: sesion", "`within` of `resolve` names unknown column `sesion`; did you mean `session`?"),
        (
            "within: session",
            "within: _run_id",
            "`within` of `resolve` must name a column that the newest row fills, and `_run_id` is none",
        ),
        (
            "order: [at, id]",
            "order: [first_seen, id]",
            "`order` of `resolve` must name a column that the newest row fills, and `first_seen` is none",
        ),
        ("from: person,", "from: at,", "`from` of `resolve` must be a STRING and no PII, and `at` is not"),
        ("order: [at, id]", "order: [at]", "`order` of `resolve` must name key column `id`, so that there is one first row"),
        ("from: person,", "from: session,", "`resolve`: column `session` is declared twice"),
        ("order: [at, id]", "order: [at, id, at]", "`order` of `resolve`: column `at` is declared twice"),
        (
            "                session: session\n",
            "                session: session\n                person_found: person\n",
            "route of `bronze_shop_ledger` feeds column `person_found`, which Sluice makes itself",
        ),
    ]);
    let history = KEYED.replace("kind: current", "kind: history");
    let error = set(&[history, COLUMNS.to_owned()]).unwrap_err();
    for problem in
        ["`keeps` belongs to the kind current with `deletes`", "`resolve` belongs to the kind current without `groups`"]
    {
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn a_model_names_the_sensitive_columns_that_it_reads() {
    let silver = SILVER.replace("{name: late, logicalType", "{name: late, classification: sensitive, logicalType");
    let problem = |list: &str| {
        let gold = GOLD.replace("accountsFor:", &format!("sensitive: [{list}], accountsFor:"));
        set(&[silver.clone(), BRONZE.into(), COLUMNS.into(), gold]).err().unwrap_or_default()
    };
    assert_eq!(problem("silver_sales.late"), "");
    for (list, expected) in [
        ("silver_sales.lat", "`sensitive` names unknown sensitive column `lat`; did you mean `late`?"),
        ("silver_sales.buyer", "`sensitive` names unknown sensitive column `buyer`"),
        ("silver_sale.late", "`sensitive` names unknown input `silver_sale`; did you mean `silver_sales`?"),
        ("late", "`sensitive` names `late`, which must be `table.column`"),
        ("silver_sales.late, silver_sales.late", "sensitive column `silver_sales.late` is declared twice"),
    ] {
        assert_eq!(problem(list), format!("use contract contracts/3.yaml: {expected}"), "{list}");
    }
}
