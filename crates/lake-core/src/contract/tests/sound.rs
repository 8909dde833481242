//! Each contradiction that a contract can hold, planted in the sound contracts of `testdata/`.

use super::*;

/// Asserts that each edit makes this problem (and perhaps more), in the contract with this number.
pub(super) fn refused(cases: &[(&str, &str, &str)]) {
    for (from, to, problem) in cases {
        let (error, line) = (broken(from, to), format!("use contract contracts/{problem}"));
        assert!(error.lines().any(|told| told.trim() == line), "`{from}` became `{to}`\nexpected: {line}\nfound:    {error}");
    }
}

#[test]
fn a_contract_names_one_table_of_its_layer() {
    refused(&[("id: silver_sales\n", "id: silver_sale\n", "0.yaml: `id` is `silver_sale` but the table is `silver_sales`")]);
    let renamed = SILVER.replace("silver_sales", "sales_all");
    assert_eq!(set(&[renamed]).unwrap_err(), "use contract contracts/0.yaml: table `sales_all` must be named `silver_...`");
    let twice = set(&[BRONZE, BRONZE].map(str::to_owned)).unwrap_err();
    assert_eq!(twice, "use contract contracts/1.yaml: table `bronze_shop_events` has a contract already: contracts/0.yaml");
}

#[test]
fn columns_fit_together() {
    refused(&[
        (
            "      - {name: _run_id, logicalType: string, physicalType: STRING, description: Run}\n",
            "",
            "0.yaml: meta column `_run_id` (STRING) is not declared",
        ),
        (
            "{name: _ingested_at, logicalType: timestamp, physicalType: TIMESTAMP,",
            "{name: _ingested_at, logicalType: date, physicalType: DATE,",
            "0.yaml: meta column `_ingested_at` must be TIMESTAMP, not DATE",
        ),
        (
            "{name: _exit_version,",
            "{name: _exit_versoin, logicalType: string, physicalType: STRING, description: x}\n      - {name: _exit_version,",
            "0.yaml: column `_exit_versoin`: names that start with `_` are reserved for meta columns; did you mean `_exit_version`?",
        ),
        (
            "physicalType: BOOLEAN",
            "physicalType: BOOL",
            "0.yaml: column `late`: unknown type `BOOL`, expected STRING, INT, BIGINT, DOUBLE, BOOLEAN, DATE, TIMESTAMP, BINARY or DECIMAL(p,s)",
        ),
        (
            "logicalType: boolean",
            "logicalType: string",
            "0.yaml: column `late` is BOOLEAN, so its `logicalType` is `boolean`, not `string`",
        ),
        ("required: true, primaryKey: true,", "required: true,", "0.yaml: no column has `primaryKey: true`"),
        (
            "primaryKeyPosition: 3",
            "primaryKeyPosition: 2",
            "1.yaml: `primaryKeyPosition` must count the key's columns from 1, not [1, 2, 2]",
        ),
        (
            "      - {name: name,",
            "      - {name: id, logicalType: string, physicalType: STRING, description: Again}\n      - {name: name,",
            "3.yaml: column `id` is declared twice",
        ),
    ]);
}

#[test]
fn personal_data_has_a_twin_and_is_not_in_gold() {
    let twinless =
        SILVER.replace("        customProperties:\n          - {property: mask, value: {of: buyer, method: initial}}\n", "");
    let error = set(&[twinless, BRONZE.into(), COLUMNS.into()]).unwrap_err();
    assert!(error.contains("contracts/0.yaml: PII column `buyer` has no masked twin\n"), "{error}");
    refused(&[
        (
            "{name: name, logicalType: string,",
            "{name: name, classification: pii, logicalType: string,",
            "3.yaml: Gold must not hold the PII column `name`",
        ),
        (
            "method: initial}",
            "method: token}",
            "0.yaml: mask of `buyer_masked`: the method needs a key or the policy, which only Gold views have",
        ),
    ]);
}

#[test]
fn rules_can_be_evaluated() {
    refused(&[
        (
            "mustBe: 0}",
            "mustBe: 0, mustBeLessThan: 3}",
            "0.yaml: rule `buyer_missing` must have exactly one operator (mustBe, mustBeLessThan, ...)",
        ),
        (", mustBe: 0}", "}", "0.yaml: rule `buyer_missing` must have exactly one operator (mustBe, mustBeLessThan, ...)"),
        ("metric: nullValues,", "", "0.yaml: rule `buyer_missing` must have either a `metric` or a `query`"),
        (
            "metric: nullValues",
            "metric: rowCount",
            "0.yaml: rule `buyer_missing` counts rows, so it stands at the table, not at a column",
        ),
        (
            "metric: nullValues",
            "metric: invalidValues",
            "0.yaml: rule `buyer_missing` needs `validValues`, `pattern` or `minimum`",
        ),
        (
            "metric: nullValues",
            "metric: invalidValues, arguments: {minimum: 1}",
            "0.yaml: rule `buyer_missing` has a minimum, but `buyer` is STRING",
        ),
        (
            "metric: duplicateValues, arguments: {properties: [id]}",
            "metric: nullValues",
            "0.yaml: rule `key_repeated` looks at one column, so it stands at that column",
        ),
        ("{properties: [id]}", "{properties: [di]}", "0.yaml: rule `key_repeated` names unknown column `di`; did you mean `id`?"),
        ("id: buyer_missing", "id: key_repeated", "0.yaml: rule `key_repeated` is declared twice"),
        (
            "metric: nullValues, mustBe: 0",
            "metric: nullValues, mustBe: 0, unit: percent, customProperties: [{property: failingRowsMin, value: 10}]",
            "0.yaml: rule `buyer_missing` has `failingRowsMin`, which needs a metric, `unit: percent` and `mustBeLessThan` or `mustBeLessOrEqualTo`",
        ),
        (
            "metric: nullValues, mustBe: 0",
            "metric: nullValues, mustBeLessThan: 9, customProperties: [{property: failingRowsMin, value: 10}]",
            "0.yaml: rule `buyer_missing` has `failingRowsMin`, which needs a metric, `unit: percent` and `mustBeLessThan` or `mustBeLessOrEqualTo`",
        ),
        (
            "metric: nullValues, mustBe: 0",
            "metric: nullValues, mustBeLessThan: 9, unit: percent, customProperties: [{property: failingRowsMin, value: 1}, {property: failingRowsMin, value: 2}]",
            "0.yaml: rule `buyer_missing` has `failingRowsMin` twice",
        ),
    ]);
}

#[test]
fn service_levels_and_relationships_name_columns() {
    refused(&[
        ("element: sales.sold_at", "element: sales.sold", "0.yaml: service level `latency` names unknown column `sold`"),
        (
            "element: sales.sold_at",
            "element: sold_at",
            "0.yaml: service level `latency` names `sold_at`, which must be `sales.column`",
        ),
        (
            "element: sales.sold_at",
            "element: sales.state",
            "0.yaml: service level `latency` needs a TIMESTAMP or DATE, and `state` is STRING",
        ),
        (
            ", element: sales.sold_at",
            "",
            "0.yaml: service level `latency` needs an `element`: the `table.column` that tells how fresh the rows are",
        ),
        ("unit: h", "unit: y", "0.yaml: service level `latency` needs the unit `m`, `h` or `d`"),
        (
            "slaProperties:\n",
            "slaProperties:\n  - {property: frequency, value: 0, unit: d}\n",
            "0.yaml: service level `frequency` needs a value above 0 and the unit `m`, `h` or `d`",
        ),
        (
            "slaProperties:\n",
            "slaProperties:\n  - {property: frequency, value: 1, unit: week}\n",
            "0.yaml: service level `frequency` needs a value above 0 and the unit `m`, `h` or `d`",
        ),
        ("from: sellers.id", "from: sellers.di", "3.yaml: relationship names unknown column `di`; did you mean `id`?"),
        (
            "to: silver_sales.id",
            "to: silver_sale.id",
            "3.yaml: relationship to unknown table `silver_sale`; did you mean `silver_sales`?",
        ),
        (
            "to: silver_sales.id",
            "to: silver_sales.di",
            "3.yaml: relationship to unknown column `di` of `silver_sales`; did you mean `id`?",
        ),
        (
            "to: silver_sales.id",
            "to: silver_sales.sold_at",
            "3.yaml: relationship from `sellers.id` (STRING) to `silver_sales.sold_at` (TIMESTAMP) compares different types",
        ),
    ]);
}

#[test]
fn inputs_exist_and_lead_nowhere_back() {
    refused(&[
        (
            "inputs: [silver_sales], accountsFor: [silver_sales]",
            "inputs: [silver_sale]",
            "3.yaml: input `silver_sale` has no contract; did you mean `silver_sales`?",
        ),
        (
            "accountsFor: [silver_sales]",
            "accountsFor: [silver_sale]",
            "3.yaml: `accountsFor` names unknown input `silver_sale`; did you mean `silver_sales`?",
        ),
        (
            "inputs: [silver_sales]",
            "inputs: [silver_sales, bronze_shop_events]",
            "3.yaml: a gold table must not read `bronze_shop_events`",
        ),
        (
            "inputs: [silver_sales]",
            "inputs: [silver_sales, gold_sellers]",
            "3.yaml: its inputs lead back to itself: gold_sellers <- gold_sellers",
        ),
    ]);
    let gold = |name: &str, input: &str| {
        GOLD.replace("sellers", name).replace("inputs: [silver_sales]", &format!("inputs: [silver_sales, gold_{input}]"))
    };
    let texts = [SILVER.into(), BRONZE.into(), COLUMNS.into(), gold("a", "b"), gold("b", "c"), gold("c", "b")];
    assert_eq!(
        set(&texts).unwrap_err(),
        "use contract contracts/4.yaml: its inputs lead back to itself: gold_b <- gold_c <- gold_b"
    );
}

#[test]
fn routes_feed_every_column_from_fields_that_exist() {
    refused(&[
        (
            "left_at: at,",
            "left_at: att,",
            "0.yaml: route LEFT of `bronze_shop_events` names unknown field `att`; did you mean `at`?",
        ),
        (
            "left_at: at,",
            "left_att: at,",
            "0.yaml: route LEFT of `bronze_shop_events` names unknown column `left_att`; did you mean `left_at`?",
        ),
        (
            "left_at: at,",
            "left_at: type,",
            "0.yaml: route LEFT of `bronze_shop_events` feeds field `type` (STRING) into column `left_at` (TIMESTAMP)",
        ),
        (
            "left_at: at,",
            "left_at: at, late: $late,",
            "0.yaml: route LEFT of `bronze_shop_events` feeds column `late`, which is not in its group `exit`",
        ),
        (
            "left_at: at,",
            "left_at: at, buyer_masked: id,",
            "0.yaml: route LEFT of `bronze_shop_events` feeds column `buyer_masked`, which Sluice makes itself",
        ),
        ("late: $late", "late: $lat", "0.yaml: route SOLD of `bronze_shop_events`: `$lat` is unknown; did you mean `$late`?"),
        ("late: '=false'", "late: =no", "0.yaml: route of `bronze_shop_ledger` feeds `=no` into column `late`, which is BOOLEAN"),
        ("late: '=false'", "late: $late", "0.yaml: input `bronze_shop_ledger` needs an `eventTime` to tell what is late"),
        ("{id: key,", "{", "0.yaml: route of `bronze_shop_ledger` does not feed column `id`, which is required"),
        ("when: [LEFT]", "when: [GONE]", "0.yaml: route GONE of `bronze_shop_events` names unknown kind `GONE`"),
        ("when: [LEFT]", "when: [LEFT, SOLD]", "0.yaml: input `bronze_shop_events`: the route of kind `SOLD` is declared twice"),
        (
            "when: [LEFT]",
            "when: [LEFT]\n              explode: true",
            "0.yaml: route LEFT of `bronze_shop_events` explodes `LEFT`, which has no lines",
        ),
        (
            "group: exit",
            "group: exist",
            "0.yaml: route LEFT of `bronze_shop_events` names unknown group `exist`; did you mean `exit`?",
        ),
    ]);
    let unfed = SILVER.replace("late: $late", "").replace(", late: '=false'", "");
    assert_eq!(
        set(&[unfed, BRONZE.into(), COLUMNS.into()]).unwrap_err(),
        "use contract contracts/0.yaml: column `late` is fed by no route"
    );
    let stranger = SILVER.replace("{id: id, left_at: at, state: type}", "{id: buyer, left_at: at, state: type}");
    let error = set(&[stranger, BRONZE.into(), COLUMNS.into()]).unwrap_err();
    assert_eq!(
        error,
        "use contract contracts/0.yaml: route LEFT of `bronze_shop_events` reads field `buyer`, which only SOLD has"
    );
}

#[test]
fn groups_and_ranks_cover_the_columns() {
    refused(&[
        (
            "columns: [buyer, sold_at, late]",
            "columns: [buyer, sold_at, late, lat]",
            "0.yaml: group `sale` names unknown column `lat`; did you mean `late`?",
        ),
        (
            "columns: [left_at]",
            "columns: [left_at, id]",
            "0.yaml: column `id` must be in no group: it is a key, a rank, a twin or Sluice's own",
        ),
        ("columns: [left_at]", "columns: [left_at, late]", "0.yaml: column `late` is in 2 groups"),
        ("order: [SOLD, LEFT]", "order: [SOLD]", "0.yaml: field `type` names unknown rank `LEFT`"),
        (
            "kind: current",
            "kind: current\n      fx: {base: EUR, quote: USD, ageMax: 7d}",
            "0.yaml: `fx` must stand in the kind fxRates, and in no other",
        ),
    ]);
    let error = broken("rank: {column: state,", "rank: {column: stat,");
    assert!(error.contains("`rank` names unknown column `stat`; did you mean `state`?"), "{error}");
}

#[test]
fn columnar_inputs_name_the_columns_of_their_source() {
    refused(&[
        ("from: ID,", "from: IDS,", "0.yaml: field `key` names unknown column `IDS`; did you mean `ID`?"),
        (
            "sequence: changed_at",
            "sequence: change_at",
            "0.yaml: `sequence` of input `bronze_shop_ledger` names unknown field `change_at`; did you mean `changed_at`?",
        ),
        (
            "sequence: changed_at",
            "sequence: buyer",
            "0.yaml: `sequence` of input `bronze_shop_ledger` must be a TIMESTAMP, and `buyer` is not",
        ),
        (
            "          sequence: changed_at\n",
            "",
            "0.yaml: input `bronze_shop_ledger` needs a `sequence`: the field that tells which of two rows is newer",
        ),
        (
            "lateWindow: 7d",
            "lateWindow: 7d\n          nullTokens: [none]",
            "0.yaml: input `bronze_shop_events` is decoded as its own contract says: only `lateWindow` and `routes` may stand here",
        ),
    ]);
}

#[test]
fn records_and_sources_fit_together() {
    let error = broken("discriminator: type", "discriminator: typ");
    assert!(error.contains("contracts/1.yaml: `discriminator` names unknown field `typ`; did you mean `type`?"), "{error}");
    refused(&[
        (
            "{name: at, from: /at, type: TIMESTAMP, required: true}",
            "{name: at, from: /at, type: TIMESTAMP}",
            "1.yaml: field `at` is the record's `eventTime`, so it must be `required` for every kind",
        ),
        ("key: number", "key: numbr", "1.yaml: `key` of the lines names unknown field `numbr`; did you mean `number`?"),
        ("from: /buyer", "from: buyer", "1.yaml: `buyer` is no JSON pointer: it must begin with `/`"),
        (
            "{field: amount, value: 0}",
            "{field: amout, value: 0}",
            "1.yaml: check `amount_negative` names unknown field `amout`; did you mean `amount`?",
        ),
        (
            "minimum: {field: amount, value: 0}",
            "minimum: {field: amount, value: 0}, anyPositive: [amount]",
            "1.yaml: check `amount_negative` must have exactly one of `minimum`, `difference`, `anyPositive`, not 2",
        ),
        (
            "id: amount_negative,",
            "id: amount_negative, when: [GONE],",
            "1.yaml: check `amount_negative` names unknown kind `GONE`",
        ),
        (
            "type: 'DECIMAL(18,2)'",
            "type: STRING",
            "1.yaml: check `amount_negative` compares numbers, and field `amount` is STRING",
        ),
        (
            "cursor: UPDATED_AT",
            "cursor: UPDATE_AT",
            "2.yaml: the source names unknown column `UPDATE_AT`; did you mean `UPDATED_AT`?",
        ),
        ("cursor: UPDATED_AT", "cursor: BUYER", "2.yaml: `cursor` must be a TIMESTAMP, and `BUYER` is not"),
    ]);
}

#[test]
fn roles_are_those_of_the_policy() {
    let policy = "businessTimeZone: Europe/Berlin\nfiscalYearFirstMonth: 1\nconsumerEmailDomains: []\nsuppressionThreshold: 5\n\
                  tokenKeySecret: key\nroles:\n  - {name: reader, description: Reads, layers: [gold]}\n";
    let policy = Policy::parse(Path::new("policy.yaml"), policy).unwrap();
    let with_role = |role: &str| {
        SILVER.replace("customProperties:\n  - property", &format!("roles: [{{role: {role}}}]\ncustomProperties:\n  - property"))
    };
    let problem =
        |role: &str| policy.permits(&set(&[with_role(role), BRONZE.into(), COLUMNS.into()]).unwrap()).unwrap_err().to_string();
    assert_eq!(problem("reeder"), "use contract contracts/0.yaml: role `reeder` is not in the policy; did you mean `reader`?");
    assert_eq!(
        problem("reader"),
        "use contract contracts/0.yaml: role `reader` must not read the silver layer: the policy does not say so"
    );
}

#[test]
fn service_levels_are_lengths_of_time() {
    let with = |level: &str| {
        let text = SILVER.replacen("slaProperties:\n", &format!("slaProperties:\n  - {{property: frequency, {level}}}\n"), 1);
        Contract::parse(Path::new("contracts/0.yaml"), &text, None).unwrap()
    };
    for (level, seconds) in [("value: 15, unit: m", 900), ("value: 1.5, unit: h", 5_400), ("value: 1, unit: d", 86_400)] {
        assert_eq!(with(level).frequency_seconds(), Some(seconds), "{level}");
    }
    assert_eq!(with("value: 1, unit: d").latency_seconds(), Some(86_400));
    let silent = Contract::parse(Path::new("contracts/0.yaml"), SILVER, None).unwrap();
    assert_eq!(silent.frequency_seconds(), None);
}
