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
