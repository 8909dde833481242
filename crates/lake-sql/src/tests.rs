use crate::{Rows, Session, SqlError};
use arrow::{
    array::{ArrayRef, RecordBatch, StringArray, new_null_array},
    datatypes::{Field, Schema},
    util::pretty::pretty_format_batches,
};
use lake_core::{Contract, Fault, Policy, Secret, fault::Faulty, mask::TokenKey};
use std::{path::Path, sync::Arc};

const POLICY: &str = "
businessTimeZone: America/New_York
fiscalYearFirstMonth: 1
consumerEmailDomains: [gmail.com]
suppressionThreshold: 5
tokenKeySecret: masking/token-key
roles: []
";
const CUSTOMERS: &str = include_str!("../../../contracts/silver/customers/contract.odcs.yaml");

fn policy() -> Policy {
    Policy::parse(Path::new("policy.yaml"), POLICY).unwrap()
}

fn key() -> TokenKey {
    TokenKey::parse(&Secret::new(format!(r#"{{"key_id":"k9","key":"{}"}}"#, "ab".repeat(32)))).unwrap()
}

/// A session with one customer.
fn session() -> Session {
    let contract = Contract::parse(Path::new("customers"), CUSTOMERS, None).unwrap();
    let fields: Vec<Field> = contract.columns.iter().map(|c| Field::new(&c.name, lake_table::arrow_type(c.kind), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let column = |field: &Arc<Field>| -> ArrayRef {
        match field.name().as_str() {
            "customer_id" => Arc::new(StringArray::from(vec!["c1"])),
            "email" => Arc::new(StringArray::from(vec!["Ada@Gmail.com"])),
            "phone" => Arc::new(StringArray::from(vec!["+15550101234"])),
            "country" => Arc::new(StringArray::from(vec!["US"])),
            _ => new_null_array(field.data_type(), 1),
        }
    };
    let rows = RecordBatch::try_new(schema.clone(), schema.fields().iter().map(column).collect()).unwrap();
    let mut session = Session::new(&policy(), Some(&key())).unwrap();
    session.register(&contract, Rows::Memory(schema, vec![rows])).unwrap();
    session
}

async fn refusal(sql: &str) -> SqlError {
    let error = match session().run(sql).await {
        Ok(_) => panic!("accepted: {sql}"),
        Err(error) => error,
    };
    assert_eq!(error.fault(), Fault::Config, "{sql}: {error}");
    error
}

async fn shown(sql: &str) -> String {
    pretty_format_batches(&session().rows(sql).await.unwrap()).unwrap().to_string()
}

#[tokio::test]
async fn anything_but_one_query_is_refused() {
    for (sql, found) in [
        ("DROP TABLE silver_customers", "DROP"),
        ("CREATE TABLE t AS SELECT 1", "CREATE"),
        ("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'", "CREATE EXTERNAL TABLE"),
        ("INSERT INTO silver_customers SELECT * FROM silver_customers", "INSERT"),
        ("DELETE FROM silver_customers", "DELETE"),
        ("UPDATE silver_customers SET country = 'DE'", "UPDATE"),
        ("COPY silver_customers TO '/tmp/x.csv'", "COPY"),
        ("COPY (SELECT 1) TO '/tmp/x.csv'", "COPY"),
        ("SET datafusion.execution.time_zone = 'X'", "SET"),
        ("SHOW TABLES", "SHOW"),
        ("EXPLAIN SELECT 1", "EXPLAIN"),
        ("SELECT 1; SELECT 2", "2 statements"),
        ("SELECT 1; DROP TABLE silver_customers", "2 statements"),
        ("", "empty"),
        ("-- only a comment", "empty"),
        ("SELECT country INTO t FROM silver_customers", "SELECT ... INTO"),
        ("SELECT country FROM silver_customers FOR UPDATE", "SELECT ... FOR UPDATE"),
        ("WITH x AS (SELECT 1) INSERT INTO silver_customers SELECT * FROM x", "INSERT"),
        ("SELECT * FROM (SELECT country INTO t FROM silver_customers) AS x", "SELECT ... INTO"),
    ] {
        let error = refusal(sql).await;
        assert!(matches!(&error, SqlError::Statement { found: f } if f == found), "{sql}: {error}");
    }
    assert!(matches!(refusal("SELEC 1").await, SqlError::Syntax { .. }));
    let misread = refusal("SELECT 1 FROM silver_customers WHERE country IS DISTINCT FROM state OR TRUE").await.to_string();
    assert_eq!(misread, "read the SQL: put parentheses around `... IS [NOT] DISTINCT FROM state OR true`");
}

#[tokio::test]
async fn only_declared_tables_can_be_read() {
    for sql in [
        "SELECT * FROM bronze_snowflake_customers",
        "SELECT * FROM 'secrets.csv'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM datafusion.public.other",
        "SELECT 1 WHERE EXISTS (SELECT * FROM other)",
        "WITH a AS (SELECT * FROM other) SELECT * FROM a",
    ] {
        let error = refusal(sql).await;
        assert!(matches!(error, SqlError::Undeclared { .. }), "{sql}: {error}");
    }
    let error = refusal("SELECT * FROM silver_order").await.to_string();
    assert_eq!(error, "use table `silver_order`: the contract declares `silver_customers`");
    assert!(matches!(refusal("SELECT read_csv('/etc/passwd')").await, SqlError::Plan { .. }));
}

#[tokio::test]
async fn personal_data_is_reachable_by_no_name() {
    for sql in [
        "SELECT email FROM silver_customers",
        "SELECT silver_customers.email FROM silver_customers",
        "SELECT c.email FROM silver_customers AS c",
        "SELECT country FROM silver_customers WHERE email LIKE 'a%'",
        "SELECT country FROM silver_customers ORDER BY email",
        "SELECT (SELECT MAX(email) FROM silver_customers)",
    ] {
        let error = refusal(sql).await;
        assert!(matches!(error, SqlError::Personal { .. }), "{sql}: {error}");
    }
    assert_eq!(
        refusal("SELECT email FROM silver_customers").await.to_string(),
        "use column `email`: it is personal data of `silver_customers`; models see `email_token`, `email_domain_class`"
    );
    assert_eq!(
        refusal("SELECT ssn FROM silver_customers").await.to_string(),
        "use column `ssn`: it is personal data of `silver_customers`, and no model sees it"
    );
    for sql in ["SELECT \"?table?\".email FROM silver_customers", "SELECT \"Email\" FROM silver_customers"] {
        refusal(sql).await;
    }
    let all = shown("SELECT * FROM silver_customers").await;
    for hidden in ["Ada@Gmail.com", "ada@gmail.com", "5550101234", " email ", " phone ", " ssn ", " address "] {
        assert!(!all.contains(hidden), "{hidden}:\n{all}");
    }
}

#[tokio::test]
async fn models_see_tokens_and_masks_instead() {
    let seen =
        shown("SELECT email_token, email_domain_class, phone_last2, birth_decade, token_key_id() AS key FROM silver_customers")
            .await;
    let token = key().token("ada@gmail.com");
    assert!(seen.contains(&token) && seen.contains("| consumer ") && seen.contains("| 34 ") && seen.contains("| k9 "), "{seen}");
}

#[test]
fn without_a_key_there_are_no_tokens() {
    let contract = Contract::parse(Path::new("customers"), CUSTOMERS, None).unwrap();
    let mut session = Session::new(&policy(), None).unwrap();
    let error = session.register(&contract, Rows::Memory(Arc::new(Schema::empty()), Vec::new())).unwrap_err();
    assert!(matches!(error, SqlError::Key { .. }), "{error}");
}

#[tokio::test]
async fn money_is_exact_and_rounds_half_away_from_zero() {
    let seen = shown(
        "SELECT ROUND(CAST(2.675 AS DECIMAL(18,3)), 2) AS a, ROUND(CAST(-0.125 AS DECIMAL(18,3)), 2) AS b,
         ROUND(CAST(0.10 AS DECIMAL(18,2)) * CAST(1.2005 AS DECIMAL(18,10)), 4) AS c, 1.10 + 2.20 AS d, arrow_typeof(1.10) AS e",
    )
    .await;
    assert!(seen.contains("2.68") && seen.contains("-0.13") && seen.contains("0.1201") && seen.contains("3.30"), "{seen}");
    assert!(seen.contains("Decimal128"), "{seen}");
}

#[tokio::test]
async fn business_dates_are_those_of_the_shops() {
    let seen = shown(
        "SELECT business_date(to_timestamp_micros(1514523599000000)) AS winter,
         business_date(to_timestamp_micros(1498881599000000)) AS summer,
         business_date(NULL) AS nothing",
    )
    .await;
    // 2017-12-29T04:59:59Z and 2017-07-01T03:59:59Z.
    assert!(seen.contains("2017-12-28") && seen.contains("2017-06-30"), "{seen}");
}

#[tokio::test]
async fn an_error_on_rows_names_no_value() {
    let session = session();
    let failed = session.rows("SELECT CAST(CONCAT(country, 'secret') AS INT) FROM silver_customers").await.unwrap_err();
    assert_eq!(failed.fault(), Fault::Data);
    assert_eq!(failed.to_string(), "run the query: a value cannot be cast");
}

#[tokio::test]
async fn a_deep_query_is_planned() {
    let mut nested = "SELECT country FROM silver_customers".to_owned();
    let mut steps = "WITH step0 AS (SELECT country FROM silver_customers)".to_owned();
    for depth in 1..=40 {
        // The parser itself refuses to go deeper than 50 levels, of which a subquery takes three.
        if depth <= 12 {
            nested = format!("SELECT country FROM ({nested}) AS step{depth}");
        }
        steps.push_str(&format!(", step{depth} AS (SELECT country FROM step{})", depth - 1));
    }
    assert_eq!(session().count(&nested).await.unwrap(), 1);
    assert_eq!(session().count(&format!("{steps} SELECT country FROM step40")).await.unwrap(), 1);
}
