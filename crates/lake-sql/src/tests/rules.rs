//! What a rule may ask, and what counts as an answer.

use super::*;
use crate::rule::answer;
use std::collections::BTreeSet;

/// A session for rules, without a key: one customer, and a table that no rule here declares.
fn session() -> Session {
    let (contract, schema, rows) = customers();
    let mut session = Session::new(&policy(), None).unwrap();
    session.register_for_rules(&contract, Rows::Memory(schema.clone(), vec![rows.clone()])).unwrap();
    session.register_result("silver_others", Rows::Memory(schema, vec![rows])).unwrap();
    session
}

async fn asked(sql: &str) -> Result<Result<f64, String>, SqlError> {
    answer(&session(), "r", sql, &BTreeSet::from(["silver_customers".to_owned()])).await
}

#[tokio::test]
async fn one_number_is_an_answer() {
    for (sql, expected) in [
        ("SELECT COUNT(*) FROM silver_customers", 1.0),
        ("SELECT 1.25", 1.25),
        ("SELECT COUNT(*) FROM silver_customers WHERE email_domain_class = 'consumer' AND email_masked IS NULL", 1.0),
        ("WITH own AS (SELECT country FROM silver_customers) SELECT COUNT(*) + 1 FROM own", 2.0),
        ("SELECT suppression_threshold()", 5.0),
    ] {
        assert_eq!(asked(sql).await.unwrap(), Ok(expected), "{sql}");
    }
}

#[tokio::test]
async fn a_query_that_no_row_can_save_is_the_contracts_fault() {
    for (sql, said) in [
        ("DROP TABLE silver_customers", "accept the SQL: it must be exactly one SELECT (or WITH ... SELECT), but it is DROP"),
        (
            "SELECT 1; DELETE FROM silver_customers",
            "accept the SQL: it must be exactly one SELECT (or WITH ... SELECT), but it is 2 statements",
        ),
        (
            "COPY (SELECT 1) TO '/tmp/out.csv'",
            "accept the SQL: it must be exactly one SELECT (or WITH ... SELECT), but it is COPY",
        ),
        ("SELECT COUNT(*) FROM '/etc/passwd'", "use table `/etc/passwd`: the contract declares `silver_customers`"),
        ("SELECT COUNT(*) FROM silver_others", "use table `silver_others`: the contract declares `silver_customers`"),
        (
            "SELECT COUNT(*) FROM silver_customers WHERE email LIKE 'a%'",
            "use column `email`: it is personal data of `silver_customers`; models see `email_domain_class`",
        ),
        (
            "SELECT COUNT(ssn) FROM silver_customers",
            "use column `ssn`: it is personal data of `silver_customers`, and no model sees it",
        ),
        ("SELECT country FROM silver_customers", "read the result of rule `r`: Utf8 instead of a number"),
        ("SELECT 1, 2", "read the result of rule `r`: 2 columns instead of one number"),
        ("SELECT NULL", "read the result of rule `r`: Null instead of a number"),
    ] {
        let error = asked(sql).await.unwrap_err();
        assert_eq!((error.fault(), error.to_string().as_str()), (Fault::Config, said), "{sql}");
    }
    // Tokens need the key, which a gate has not.
    assert!(matches!(asked("SELECT COUNT(email_token) FROM silver_customers").await, Err(SqlError::Plan { .. })));
}

#[tokio::test]
async fn rows_that_answer_no_number_are_a_failed_rule() {
    for (sql, said) in [
        ("SELECT 1 FROM silver_customers WHERE country = 'XX'", "answer rule `r`: no row"),
        ("SELECT * FROM generate_series(1, 1000000000)", "answer rule `r`: more than one row"),
        ("SELECT MAX(1) FROM silver_customers WHERE country = 'XX'", "answer rule `r`: null"),
        ("SELECT CAST('NaN' AS DOUBLE)", "answer rule `r`: no finite number"),
        ("SELECT CAST(CONCAT(country, 'secret') AS INT) FROM silver_customers", "run the query: a value cannot be cast"),
    ] {
        assert_eq!(asked(sql).await.unwrap(), Err(said.to_owned()), "{sql}");
    }
}
