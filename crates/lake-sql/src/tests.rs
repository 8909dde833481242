use crate::{Rows, Session, SqlError, reads_as_of_date};
use arrow::{
    array::{ArrayRef, RecordBatch, StringArray, new_null_array},
    datatypes::{Field, Schema},
    util::pretty::pretty_format_batches,
};
use lake_core::{Contract, Fault, Policy, Secret, fault::Faulty, mask::TokenKey};
use std::{path::Path, sync::Arc};

mod masks;
mod rules;

const POLICY: &str = "
businessTimeZone: America/New_York
fiscalYearFirstMonth: 1
consumerEmailDomains: [gmail.com]
suppressionThreshold: 5
tokenKeySecret: masking/token-key
roles: []
";
const PRODUCTS: &str = include_str!("../../../contracts/silver/products/contract.odcs.yaml");
const CUSTOMERS: &str = include_str!("../../../contracts/silver/customers/contract.odcs.yaml");

fn policy() -> Policy {
    Policy::parse(Path::new("policy.yaml"), POLICY).unwrap()
}

fn key() -> TokenKey {
    TokenKey::parse(&Secret::new(format!(r#"{{"key_id":"k9","key":"{}"}}"#, "ab".repeat(32)))).unwrap()
}

/// A contract with personal data, and one customer.
fn customers() -> (Contract, Arc<Schema>, RecordBatch) {
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
    (contract, schema, rows)
}

/// A session with one customer.
fn session() -> Session {
    let (contract, schema, rows) = customers();
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

#[tokio::test]
async fn a_sensitive_column_is_seen_by_models_that_name_it() {
    let contract = Contract::parse(Path::new("products"), PRODUCTS, None).unwrap();
    let fields: Vec<Field> = contract.columns.iter().map(|c| Field::new(&c.name, lake_table::arrow_type(c.kind), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let seen = async |allowed: &[&str], sql: &str| {
        let mut session = Session::new(&policy(), None).unwrap();
        session.allow(&allowed.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        session.register(&contract, Rows::Memory(schema.clone(), Vec::new())).unwrap();
        session.run(sql).await.map(drop)
    };
    let cost = "SELECT unit_cost FROM silver_products";
    seen(&["silver_products.unit_cost"], cost).await.unwrap();
    for allowed in [&[][..], &["silver_products.list_price"], &["silver_products_history.unit_cost"]] {
        let error = seen(allowed, cost).await.unwrap_err();
        assert_eq!(error.fault(), Fault::Config);
        assert_eq!(
            error.to_string(),
            "use column `unit_cost`: it is sensitive, and the contract does not name `silver_products.unit_cost` under `sensitive`"
        );
    }
    seen(&[], "SELECT list_price FROM silver_products").await.unwrap();
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
async fn a_session_sees_the_world_as_of_one_date() {
    let mut dated = session();
    assert!(matches!(dated.run("SELECT as_of_date()").await, Err(SqlError::Plan { .. })), "no date was given");
    dated.set_as_of_date(chrono::NaiveDate::from_ymd_opt(2017, 12, 30).unwrap());
    let seen = dated.rows("SELECT as_of_date() AS one, as_of_date() - INTERVAL '30 days' AS other").await.unwrap();
    let seen = pretty_format_batches(&seen).unwrap().to_string();
    assert!(seen.contains("2017-12-30") && seen.contains("2017-11-30"), "{seen}");
}

#[test]
fn a_query_that_asks_for_the_date_is_found_by_what_it_says() {
    for sql in [
        "SELECT as_of_date()",
        "SELECT AS_OF_DATE ( ) AS x",
        "SELECT \"as_of_date\"()",
        "WITH a AS (SELECT 1 AS x WHERE DATE '2017-01-01' < as_of_date()) SELECT x FROM a",
        "SELECT 1 FROM (SELECT CASE WHEN TRUE THEN as_of_date() END) UNION ALL SELECT 2",
        "SELECT SUM(1) FILTER (WHERE as_of_date() IS NULL) OVER (ORDER BY as_of_date())",
    ] {
        assert!(reads_as_of_date(sql).unwrap(), "{sql}");
    }
    for sql in [
        "SELECT 1 AS as_of_date",
        "SELECT as_of_date FROM t",
        "SELECT 'as_of_date()'",
        "SELECT 1 -- as_of_date()",
        "SELECT \"AS_OF_DATE\"()",
        "SELECT other.as_of_date()",
    ] {
        assert!(!reads_as_of_date(sql).unwrap(), "{sql}");
    }
    assert!(matches!(reads_as_of_date("DROP TABLE t"), Err(SqlError::Statement { .. })));
    assert!(matches!(reads_as_of_date("SELECT 1; SELECT as_of_date()"), Err(SqlError::Statement { .. })));
}

#[tokio::test]
async fn significant_digits_are_rounded_exactly() {
    let seen = shown(
        "SELECT round_significant(CAST(x AS DECIMAL(6, 2)), 3) AS x, arrow_typeof(round_significant(CAST(x AS DECIMAL(6, 2)), 3)) AS type
         FROM (VALUES ('9995.00'), ('-0.05'), ('12.35'), (NULL)) AS t (x)",
    )
    .await;
    assert!(["| 10000.00 |", "| -0.05 ", "| 12.40 ", "Decimal128(7, 2)"].iter().all(|part| seen.contains(part)), "{seen}");
    for wrong in ["round_significant(1.5, 0)", "round_significant(1.5, -2)"] {
        let error = session().rows(&format!("SELECT {wrong}")).await.unwrap_err();
        assert!(matches!(error, SqlError::Run { .. } | SqlError::Plan { .. }), "{wrong}: {error}");
    }
    for wrong in ["round_significant(1, 2)", "round_significant(CAST(1 AS DOUBLE), 2)", "round_significant(1.5)"] {
        assert!(matches!(session().run(&format!("SELECT {wrong}")).await, Err(SqlError::Plan { .. })), "{wrong}");
    }
}

/// Rows of touches: order, instant, event, weight.
fn touches(rows: &[(i64, i64, String, i64)]) -> Rows {
    use arrow::array::Int64Array;
    let numbers = |of: fn(&(i64, i64, String, i64)) -> i64| -> ArrayRef { Arc::new(rows.iter().map(of).collect::<Int64Array>()) };
    let events: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.2.as_str())).collect::<StringArray>());
    let columns =
        [("order_id", numbers(|r| r.0)), ("touched_at", numbers(|r| r.1)), ("event_id", events), ("weight", numbers(|r| r.3))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    Rows::Memory(batch.schema(), vec![batch])
}

const SPLIT: &str = "SELECT order_id, event_id, largest_remainder(CAST(10.0001 AS DECIMAL(28, 4)), weight)
    OVER (PARTITION BY order_id ORDER BY touched_at, event_id) AS share FROM touches ORDER BY order_id, event_id";

async fn split(rows: &[(i64, i64, String, i64)]) -> Result<String, SqlError> {
    let mut session = session();
    session.register_result("touches", touches(rows)).unwrap();
    Ok(pretty_format_batches(&session.rows(SPLIT).await?).unwrap().to_string())
}

#[tokio::test]
async fn a_total_is_split_to_the_last_digit_by_the_order_of_the_window() {
    let row = |part, at, event: &str, weight| (part, at, event.to_owned(), weight);
    let rows = [row(1, 5, "a", 1), row(2, 1, "d", 2), row(1, 3, "b", 1), row(2, 3, "e", 1), row(1, 3, "c", 1), row(2, 4, "f", 2)];
    let shares = split(&rows).await.unwrap();
    for share in [
        "| a        | 3.3333",
        "| b        | 3.3334",
        "| c        | 3.3334",
        "| d        | 4.0001",
        "| e        | 2.0000",
        "| f        | 4.0000",
    ] {
        assert!(shares.contains(share), "{share}:\n{shares}");
    }
    for wrong in [[row(1, 1, "a", 0), row(1, 2, "b", 0)], [row(1, 1, "a", 2), row(1, 2, "b", -1)]] {
        let error = split(&wrong).await.unwrap_err();
        assert_eq!(error.to_string(), "run the query: a function or an operator failed on a value");
    }
    let two_totals = "SELECT largest_remainder(CAST(touched_at AS DECIMAL(9, 2)), weight) OVER () FROM touches";
    let mut session = session();
    session.register_result("touches", touches(&rows)).unwrap();
    assert!(matches!(session.rows(two_totals).await, Err(SqlError::Run { .. })));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]

    #[test]
    fn shares_do_not_depend_on_the_order_in_which_rows_come(
        rows in proptest::collection::vec((0..3_i64, 0..4_i64, 1..9_i64), 1..30),
        seed in proptest::prelude::any::<u64>(),
    ) {
        let rows: Vec<_> = rows.iter().enumerate().map(|(at, row)| (row.0, row.1, format!("e{at:02}"), row.2)).collect();
        let mut mixed = rows.clone();
        mixed.sort_by_key(|row| lake_core::mask::sha256_hex(format!("{seed}{}", row.2).as_bytes()));
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let (one, other) = runtime.block_on(async { (split(&rows).await.unwrap(), split(&mixed).await.unwrap()) });
        proptest::prop_assert_eq!(one, other);
    }
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
