//! What masks promise of whole tables, for any rows.

use super::*;
use crate::BatchStream;
use arrow::{array::AsArray as _, compute::cast, datatypes::DataType};
use futures::TryStreamExt as _;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const MODEL: &str = include_str!("../../../../contracts/gold/dim_customers/model.sql");
const HISTORY: &str = include_str!("../../../../contracts/silver/customers_history/contract.odcs.yaml");
const CRM: [&str; 3] = [
    include_str!("../../../../contracts/silver/contacts_history/contract.odcs.yaml"),
    include_str!("../../../../contracts/silver/contact_companies/contract.odcs.yaml"),
    include_str!("../../../../contracts/silver/companies/contract.odcs.yaml"),
];

/// A table in memory; columns that are not given are null.
fn memory(contract: &Contract, rows: usize, given: &BTreeMap<&str, Vec<Option<String>>>) -> Rows {
    let fields: Vec<Field> = contract.columns.iter().map(|c| Field::new(&c.name, lake_table::arrow_type(c.kind), true)).collect();
    let column = |field: &Field| match given.get(field.name().as_str()) {
        Some(values) => cast(&(Arc::new(StringArray::from(values.clone())) as ArrayRef), field.data_type()).unwrap(),
        None => new_null_array(field.data_type(), rows),
    };
    let columns = fields.iter().map(column).collect();
    let schema = Arc::new(Schema::new(fields));
    Rows::Memory(schema.clone(), vec![RecordBatch::try_new(schema, columns).unwrap()])
}

fn asked(session: &Session, sql: &str) -> Vec<Vec<Option<String>>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let batches: Vec<RecordBatch> = runtime.block_on(async {
        let stream: BatchStream = session.run(sql).await.unwrap();
        stream.try_collect().await.unwrap()
    });
    let mut rows = Vec::new();
    for batch in batches {
        let texts: Vec<ArrayRef> = batch.columns().iter().map(|column| cast(column, &DataType::Utf8).unwrap()).collect();
        let texts: Vec<&StringArray> = texts.iter().map(|text| text.as_string::<i32>()).collect();
        rows.extend(
            (0..batch.num_rows()).map(|row| texts.iter().map(|t| t.iter().nth(row).flatten().map(str::to_owned)).collect()),
        );
    }
    rows
}

/// One change of a customer: country, region, decade and band by number.
type Change = (usize, usize, usize, usize);

const COUNTRIES: [&str; 2] = ["US", "CA"];
const REGIONS: [Option<&str>; 3] = [Some("OH"), Some("TX"), None];
const BANDS: [&str; 2] = ["35-49K", "50-74K"];

/// Customers with one to three changes, each on a day of its own.
fn histories() -> impl Strategy<Value = Vec<Vec<Change>>> {
    let change = (0..2_usize, 0..3_usize, 0..2_usize, 0..2_usize);
    proptest::collection::vec(proptest::collection::vec(change, 1..4), 1..60)
}

fn dimension(histories: &[Vec<Change>]) -> Vec<Vec<Option<String>>> {
    let mut given: BTreeMap<&str, Vec<Option<String>>> = BTreeMap::new();
    let mut rows = 0;
    for (customer, changes) in histories.iter().enumerate() {
        for (at, (country, region, decade, band)) in changes.iter().enumerate() {
            rows += 1;
            for (name, value) in [
                ("customer_id", Some(format!("c{customer}"))),
                ("changed_at", Some(format!("2017-0{}-02T12:00:00Z", at + 1))),
                ("country", Some(COUNTRIES[*country].to_owned())),
                ("state", REGIONS[*region].map(str::to_owned)),
                ("birth_date", Some(format!("19{}5-03-01", 7 + decade))),
                ("income_band", Some(BANDS[*band].to_owned())),
            ] {
                given.entry(name).or_default().push(value);
            }
        }
    }
    let mut session = Session::new(&policy(), Some(&key())).unwrap();
    let contract = Contract::parse(Path::new("history"), HISTORY, None).unwrap();
    session.register(&contract, memory(&contract, rows, &given)).unwrap();
    for text in CRM {
        let contract = Contract::parse(Path::new("crm"), text, None).unwrap();
        session.register(&contract, memory(&contract, 0, &BTreeMap::new())).unwrap();
    }
    let columns = "customer_id, is_current, country, region, birth_decade, income_band";
    asked(&session, &format!("SELECT {columns} FROM ({MODEL}) AS d WHERE customer_id <> 'unknown'"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn nobody_stands_in_a_group_that_is_too_small(histories in histories()) {
        let rows = dimension(&histories);
        let current: Vec<&Vec<Option<String>>> = rows.iter().filter(|row| row[1].as_deref() == Some("true")).collect();
        prop_assert_eq!(current.len(), histories.len());
        let is_hidden = |row: &[Option<String>]| row[3].as_deref() == Some("suppressed");
        let mut shown: BTreeMap<&[Option<String>], usize> = BTreeMap::new();
        let mut hidden: BTreeSet<&Option<String>> = BTreeSet::new();
        for row in &current {
            prop_assert_eq!(is_hidden(row), row[4].as_deref() == Some("suppressed"));
            if is_hidden(row) {
                hidden.insert(&row[0]);
            } else {
                *shown.entry(&row[2..]).or_default() += 1;
            }
        }
        prop_assert!(shown.values().all(|customers| *customers >= 5), "{:?}", shown);
        // All versions of a customer follow the current one.
        prop_assert!(rows.iter().all(|row| is_hidden(row) == hidden.contains(&row[0])));
        // And nobody is hidden whose group is large enough.
        let last = |changes: &Vec<Change>| *changes.last().unwrap();
        for (customer, changes) in histories.iter().enumerate() {
            let alike = histories.iter().filter(|other| last(other) == last(changes)).count();
            prop_assert_eq!(hidden.contains(&Some(format!("c{customer}"))), alike < 5);
        }
    }

    #[test]
    fn tokens_of_two_tables_meet_where_their_values_do(mails in proptest::collection::vec("[a-cA-C]{1,2}@X.example", 1..12)) {
        let mut session = Session::new(&policy(), Some(&key())).unwrap();
        let tables = [HISTORY, CRM[0]].map(|text| Contract::parse(Path::new("table"), text, None).unwrap());
        let numbers = || (0..mails.len()).map(|at| Some(at.to_string())).collect::<Vec<_>>();
        let upper = mails.iter().map(|mail| Some(mail.to_uppercase())).collect();
        let lower = mails.iter().map(|mail| Some(mail.clone())).collect();
        let rows = BTreeMap::from([("customer_id", numbers()), ("email", upper)]);
        session.register(&tables[0], memory(&tables[0], mails.len(), &rows)).unwrap();
        let rows = BTreeMap::from([("contact_id", numbers()), ("email", lower)]);
        session.register(&tables[1], memory(&tables[1], mails.len(), &rows)).unwrap();
        let join = "SELECT a.customer_id, b.contact_id FROM silver_customers_history a \
                    JOIN silver_contacts_history b ON b.email_token = a.email_token";
        let found: BTreeSet<Vec<Option<String>>> = asked(&session, join).into_iter().collect();
        let same = |a: &usize, b: &usize| mails[*a].to_lowercase() == mails[*b].to_lowercase();
        let pairs = (0..mails.len()).flat_map(|a| (0..mails.len()).map(move |b| (a, b))).filter(|(a, b)| same(a, b));
        let expected: BTreeSet<_> = pairs.map(|(a, b)| vec![Some(a.to_string()), Some(b.to_string())]).collect();
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn a_null_has_no_token_and_an_empty_text_has_one() {
    let session = Session::new(&policy(), Some(&key())).unwrap();
    let rows = asked(&session, "SELECT token(CAST(NULL AS VARCHAR)), token(''), token('null'), token_key_id()");
    assert_eq!((rows[0][0].clone(), rows[0][3].as_deref()), (None, Some("k9")));
    assert!(rows[0][1].is_some() && rows[0][1] != rows[0][2]);
}
