//! Contradictions in the fields of a record.

use super::sound::refused;

#[test]
fn an_interval_of_instants_holds_some_and_belongs_to_instants() {
    let (at, amount) = ("from: /at, type: TIMESTAMP,", "from: /amount, type: 'DECIMAL(18,2)',");
    let within = |from: &str, before: &str| format!(" within: {{from: '{from}', before: '{before}'}},");
    let (start, end) = ("1999-01-02T00:00:00Z", "2036-01-01T00:00:00Z");
    refused(&[
        (at, &format!("{at}{}", within(end, end)), "1.yaml: `within` of field `at` holds no instant"),
        (
            amount,
            &format!("{amount}{}", within(start, end)),
            "1.yaml: field `amount` is DECIMAL(18,2), and `within` is for TIMESTAMP",
        ),
    ]);
}

#[test]
fn a_spelling_is_for_text_and_stands_once() {
    let (buyer, amount) = ("from: /buyer, type: STRING,", "from: /amount, type: 'DECIMAL(18,2)',");
    refused(&[
        (buyer, &format!("{buyer} spellings: [Ab, aB],"), "1.yaml: field `buyer`: spelling `ab` is declared twice"),
        (
            amount,
            &format!("{amount} spellings: [Ab],"),
            "1.yaml: field `amount` is DECIMAL(18,2), and `standards`, `spellings` and `allowed` are for text",
        ),
    ]);
}
