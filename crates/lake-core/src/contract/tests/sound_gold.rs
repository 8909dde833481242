//! What a Gold contract says of its snapshot.

use super::*;

#[test]
fn a_snapshot_has_a_date_in_its_key() {
    let dated = GOLD
        .replace("primaryKey: true,", "primaryKey: true, primaryKeyPosition: 1,")
        .replace(
            "{name: name, logicalType: string, physicalType: STRING,",
            "{name: as_of, logicalType: date, physicalType: DATE, required: true, primaryKey: true, primaryKeyPosition: 2,",
        )
        .replace("accountsFor: [silver_sales]", "snapshot: as_of");
    let problem = |from: &str, to: &str| {
        set(&[SILVER.into(), BRONZE.into(), COLUMNS.into(), dated.replacen(from, to, 1)]).err().unwrap_or_default()
    };
    assert_eq!(problem("", ""), "");
    for (from, to, told) in [
        ("snapshot: as_of", "snapshot: as_off", "`snapshot` names unknown column `as_off`; did you mean `as_of`?"),
        ("snapshot: as_of", "snapshot: _ingested_at", "`snapshot` needs a DATE, and `_ingested_at` is TIMESTAMP"),
        (
            ", required: true, primaryKey: true, primaryKeyPosition: 2",
            "",
            "`snapshot`: `as_of` must be in the key, beside what a row of one date is about",
        ),
        (
            "primaryKey: true, primaryKeyPosition: 1, ",
            "",
            "`snapshot`: `as_of` must be in the key, beside what a row of one date is about",
        ),
    ] {
        let told = format!("use contract contracts/3.yaml: {told}");
        assert!(problem(from, to).lines().any(|line| line.trim() == told), "`{to}`: {}", problem(from, to));
    }
    let contract = Contract::parse(Path::new("sellers"), &dated, None).unwrap();
    assert_eq!(contract.partition_columns(), ["as_of"]);
}

#[test]
fn the_id_of_their_key_stands_beside_tokens() {
    let silver = SILVER.replacen(
        "description: Who bought\n",
        "description: Who bought\n        \
         customProperties: [{property: goldViews, value: [{column: buyer_token, method: token}]}]\n",
        1,
    );
    let key = "{name: token_key_id, logicalType: string, physicalType: STRING, description: Key}";
    let name = "{name: name, logicalType: string, physicalType: STRING, description: Name}";
    let token = "{name: buyer_token, logicalType: string, physicalType: STRING, description: Name}";
    let gold = |columns: &[&str]| GOLD.replacen(name, &columns.join("\n      - "), 1);
    let told = |gold: String| set(&[silver.clone(), BRONZE.into(), COLUMNS.into(), gold]).map(|_| ()).unwrap_err();
    let sound = set(&[silver.clone(), BRONZE.into(), COLUMNS.into(), gold(&[token, key])]).unwrap();
    assert_eq!(sound.token_columns(sound.get("gold_sellers").unwrap()), ["buyer_token"]);
    assert_eq!(sound.token_columns(sound.get("silver_sales").unwrap()), Vec::<&str>::new());
    assert!(told(gold(&[token])).contains("column `buyer_token` holds tokens, so a column `token_key_id`"));
    assert!(told(gold(&[name, key])).contains("column `token_key_id` has no tokens beside it"));
    let dated = "{name: as_of, logicalType: date, physicalType: DATE, description: At, primaryKey: true, primaryKeyPosition: 2}";
    let snapshot = gold(&[token, key, dated])
        .replace("primaryKey: true, description: Id", "primaryKey: true, primaryKeyPosition: 1, description: Id")
        .replace("accountsFor: [silver_sales]", "snapshot: as_of");
    assert!(told(snapshot).contains("which a `snapshot` cannot keep"));
}
