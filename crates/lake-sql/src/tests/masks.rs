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

const PERFORMANCE: &str = include_str!("../../../../contracts/gold/product_performance/model.sql");
const FACTS: &str = include_str!("../../../../contracts/gold/fact_sales/contract.odcs.yaml");
const SOLD: &str = include_str!("../../../../contracts/gold/dim_products/contract.odcs.yaml");
const BUYERS: &str = include_str!("../../../../contracts/gold/dim_customers/contract.odcs.yaml");
const COSTS: &str = include_str!("../../../../contracts/silver/products_history/contract.odcs.yaml");

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

/// A sale: product, month, customer (0 is unknown) in one of two versions, and the month in which it came back.
type Sale = (usize, usize, usize, bool, Option<usize>);

const MONTHS: [&str; 2] = ["2017-11-01", "2017-12-01"];

/// Months in which some products have few customers and some have many.
fn sales() -> impl Strategy<Value = Vec<Sale>> {
    let sale = (0..3_usize, 0..2_usize, 0..9_usize, any::<bool>(), proptest::option::of(0..2_usize));
    proptest::collection::vec(sale, 1..80)
}

/// Columns of rows of which each is one text, parted by blanks.
fn columns<'n>(names: &'n str, rows: &[String]) -> BTreeMap<&'n str, Vec<Option<String>>> {
    let mut given: BTreeMap<&str, Vec<Option<String>>> = BTreeMap::new();
    for row in rows {
        for (name, value) in names.split(' ').zip(row.split(' ')) {
            given.entry(name).or_default().push(Some(value.to_owned()));
        }
    }
    given
}

/// Product, month, customers and margin of every row; what `p2` costs is not known.
fn performance(sales: &[Sale]) -> Vec<Vec<Option<String>>> {
    let mut facts = Vec::new();
    for (at, (product, month, customer, version, back)) in sales.iter().enumerate() {
        let fact = |movement: &str, month: usize, sign: &str| {
            let keys = format!("o{at} 1 {movement} {} k{customer}{version} p{product}", MONTHS[month]);
            format!("{keys} {sign}1 {sign}2.00 0.00 1.0000000000 {sign}2.0000")
        };
        facts.push(fact("sale", *month, ""));
        facts.extend(back.map(|month| fact("return", month, "-")));
    }
    let id = |customer: usize| if customer == 0 { "unknown".to_owned() } else { format!("c{customer}") };
    let buyers = (0..18).map(|at| format!("k{}{} {} {}", at / 2, at % 2 == 0, id(at / 2), at % 2 == 0)).collect();
    let products = (0..3).map(|product| format!("p{product} p{product} true")).collect();
    let costs = (0..2).map(|product| format!("p{product} 2017-01-02T12:00:00Z 0.50")).collect();
    let amounts = "quantity gross_amount discount_amount usd_rate net_usd";
    let names = format!("order_id line_number movement business_date customer_key product_key {amounts}");
    let tables: [(&str, &str, Vec<String>); 4] = [
        (FACTS, names.as_str(), facts),
        (BUYERS, "customer_key customer_id is_current", buyers),
        (SOLD, "product_key product_id is_current", products),
        (COSTS, "product_id changed_at unit_cost", costs),
    ];
    let mut session = Session::new(&policy(), Some(&key())).unwrap();
    session.allow(&["silver_products_history.unit_cost".to_owned()]);
    for (contract, names, rows) in &tables {
        let contract = Contract::parse(Path::new("table"), contract, None).unwrap();
        session.register(&contract, memory(&contract, rows.len(), &columns(names, rows))).unwrap();
    }
    asked(&session, &format!("SELECT product_id, month, distinct_customers, margin_usd FROM ({PERFORMANCE}) AS p"))
}

/// What models see of the domains of addresses, in their order.
fn domain_classes(mails: &[String]) -> Vec<String> {
    let numbers: Vec<Option<String>> = (0..mails.len()).map(|at| Some(at.to_string())).collect();
    let mails: Vec<Option<String>> = mails.iter().cloned().map(Some).collect();
    let contract = Contract::parse(Path::new("history"), HISTORY, None).unwrap();
    let given = BTreeMap::from([("customer_id", numbers.clone()), ("email", mails)]);
    let mut session = Session::new(&policy(), Some(&key())).unwrap();
    session.register(&contract, memory(&contract, numbers.len(), &given)).unwrap();
    let rows = asked(&session, "SELECT customer_id, email_domain_class FROM silver_customers_history");
    let found: BTreeMap<_, _> = rows.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    numbers.iter().map(|number| found[number].clone().unwrap()).collect()
}

/// A text in the case that the bits say.
fn in_case(text: &str, bits: u64) -> String {
    let one = |(at, c): (usize, char)| if bits >> (at % 64) & 1 == 1 { c.to_ascii_uppercase() } else { c };
    text.chars().enumerate().map(one).collect()
}

/// An address that is a consumer's or not: what stands before the last `@`, and the domain.
fn addresses() -> impl Strategy<Value = (String, Option<String>)> {
    let company = "[a-z0-9-]{0,8}(\\.[a-z]{1,4}){0,2}".prop_filter("a consumer's domain", |domain| domain != "gmail.com");
    (".*", proptest::option::of(company))
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
    fn few_customers_are_not_told_and_no_margin_with_them(sales in sales()) {
        let mut bought: BTreeMap<(String, String), BTreeSet<usize>> = BTreeMap::new();
        for (product, month, customer, _, back) in &sales {
            let group = |month: usize| (format!("p{product}"), MONTHS[month].to_owned());
            bought.entry(group(*month)).or_default().extend(Some(*customer).filter(|customer| *customer > 0));
            // Whoever only brings back in a month is no customer of it.
            if let Some(back) = back {
                bought.entry(group(*back)).or_default();
            }
        }
        let rows = performance(&sales);
        prop_assert_eq!(rows.len(), bought.len());
        for row in &rows {
            let customers = bought[&(row[0].clone().unwrap(), row[1].clone().unwrap())].len();
            let is_told = customers >= 5;
            prop_assert_eq!(&row[2], &is_told.then(|| customers.to_string()), "{:?}", row);
            prop_assert_eq!(row[3].is_some(), is_told && row[0].as_deref() != Some("p2"), "{:?}", row);
        }
    }

    #[test]
    fn a_domain_class_tells_one_of_two_things_of_any_text(texts in proptest::collection::vec(".*", 1..40)) {
        for class in domain_classes(&texts) {
            prop_assert!(["consumer", "company"].contains(&class.as_str()), "{}", class);
        }
    }

    /// Neither who it is nor which company: nothing but whether the domain is one of the policy's, in any case.
    #[test]
    fn a_domain_class_tells_nothing_else(addresses in proptest::collection::vec(addresses(), 1..40), bits in any::<u64>()) {
        let domain = |company: &Option<String>| company.clone().unwrap_or_else(|| "gmail.com".to_owned());
        let mails: Vec<String> =
            addresses.iter().map(|(local, company)| format!("{local}@{}", in_case(&domain(company), bits))).collect();
        let expected: Vec<&str> =
            addresses.iter().map(|(_, company)| if company.is_some() { "company" } else { "consumer" }).collect();
        prop_assert_eq!(domain_classes(&mails), expected);
        // What has no domain has not that of a consumer.
        let bare: Vec<String> = addresses.iter().map(|(local, _)| local.replace('@', "")).collect();
        prop_assert!(domain_classes(&bare).iter().all(|class| class == "company"));
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
