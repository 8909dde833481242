//! Tables that keep rows per as-of date.

use super::*;

const TABLE: &str = "gold_customer_segments";
const MODEL: &str = "gold/customer_segments/model.sql";
const COLUMNS: [&str; 5] = ["as_of_date", "customer_id", "recency_days", "monetary_usd", "_run_id"];

/// Two customers; `orders` are id, customer and day of December.
fn sold(world: &World, orders: &[(&str, &str, u32)]) {
    let change = |id: &str| format!("customer_id={id} changed_at=2017-01-02T12:00:00Z country=US email=a@b.example");
    world.put("silver_customers_history", &[&change("c1"), &change("c2")], &[]);
    let header =
        |(id, customer, day): &(&str, &str, u32)| order(id, customer, "USD").replace("2017-12-20", &format!("2017-12-{day}"));
    let (headers, lines): (Vec<_>, Vec<_>) = orders.iter().map(|one| (header(one), format!("order_id={} {LINE}", one.0))).unzip();
    world.put("silver_orders", &headers.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    world.put("silver_order_items", &lines.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    world.done("gold_dim_customers", &[]);
    world.done("gold_fact_sales", &[]);
}

fn world(world: World, orders: &[(&str, &str, u32)]) -> World {
    world.sales("USD");
    sold(&world, orders);
    world
}

/// Rows with the run that wrote them, by date and customer.
fn rows(world: &World) -> Vec<String> {
    let mut rows = world.rows(&TableSpec::of(&world.contract(TABLE)), &COLUMNS);
    rows.sort();
    rows
}

#[test]
fn a_run_replaces_the_rows_of_its_own_date_and_no_others() {
    let world = world(World::new(), &[("o1", "c1", 20)]);
    let first = world.done_in("2017-12-30", TABLE);
    assert_eq!((first.outcome, first.ledger.read, first.ledger.accepted), (Outcome::Committed, 1, 1));
    assert_eq!(first.facts.get("as_of_date").and_then(|date| date.as_str()), Some("2017-12-30"));
    let second = world.done_in("2017-12-31", TABLE);
    let (one, other) =
        (format!("2017-12-30 c1 10 1.5000 {}", first.run_id), format!("2017-12-31 c1 11 1.5000 {}", second.run_id));
    assert_eq!(rows(&world), [one, other.clone()]);

    // A sale that comes late is in the date that is made again, and not in the other.
    sold(&world, &[("o1", "c1", 20), ("o2", "c2", 29)]);
    let again = world.done_in("2017-12-30", TABLE);
    assert_eq!((again.outcome, again.table_version), (Outcome::Committed, second.table_version.map(|version| version + 1)));
    assert_eq!((again.ledger.read, again.ledger.accepted), (2, 2));
    let own = ["c1 10", "c2 1"].map(|row| format!("2017-12-30 {row} 1.5000 {}", again.run_id));
    assert_eq!(rows(&world), [own[0].clone(), own[1].clone(), other]);
    assert_eq!(world.done_in("2017-12-31", TABLE).ledger.accepted, 2);
    assert_eq!(rows(&world).len(), 4);
}

#[test]
fn facts_do_not_meet_a_later_dimension_than_theirs() {
    let world = world(World::new(), &[("o1", "c1", 20)]);
    world.put("silver_customers_history", &["customer_id=c1 changed_at=2017-01-03T12:00:00Z country=CA email=a@b.example"], &[]);
    world.done("gold_dim_customers", &[]);
    assert_eq!(world.goldify_in("2017-12-30", TABLE, &[]).0, ExitCode::from(75), "its facts name keys of the dimension before");
    world.done("gold_fact_sales", &[]);
    assert_eq!(world.done_in("2017-12-30", TABLE).outcome, Outcome::Committed);
}

#[test]
fn a_date_that_was_made_is_done_already_whatever_came_after_it() {
    let world = world(World::new(), &[("o1", "c1", 20)]);
    let first = world.done_in("2017-12-30", TABLE);
    let second = world.done_in("2017-12-31", TABLE);
    for (window, made) in [("2017-12-30", &first), ("2017-12-31", &second), ("2017-12-29T12:00:00Z/2017-12-31T05:00:00Z", &first)]
    {
        let again = world.done_in(window, TABLE);
        assert_eq!((again.outcome, again.run_id, again.table_version), (Outcome::AlreadyDone, made.run_id, made.table_version));
    }
    // Newer inputs that change nothing move the versions of the date only.
    sold(&world, &[("o1", "c1", 20)]);
    let moved = world.done_in("2017-12-30", TABLE);
    assert_eq!((moved.outcome, moved.bytes_written), (Outcome::Committed, 0));
    assert_eq!(rows(&world).iter().filter(|row| row.ends_with(&first.run_id.to_string())).count(), 1);
    assert_eq!(world.done_in("2017-12-30", TABLE).run_id, moved.run_id);
    assert_eq!(world.goldify_in("2017-12-30", TABLE, &["--full-refresh"]).1.unwrap().outcome, Outcome::Unchanged);
    assert_eq!(world.version(&TableSpec::of(&world.contract(TABLE))), moved.table_version);
}

#[test]
fn a_table_that_does_not_ask_for_the_date_does_not_depend_on_the_window() {
    let world = World::new();
    world.products(&[SOUP]);
    world.done_in("2017-12-30", "gold_dim_products");
    assert_eq!(world.done_in("2017-12-31", "gold_dim_products").outcome, Outcome::AlreadyDone);
    let own = World::with_own_contracts();
    own.products(&[SOUP]);
    own.edit(
        "gold/dim_products/balance.sql",
        "'products' AS measure",
        "CONCAT('products as of ', CAST(as_of_date() AS VARCHAR)) AS measure",
    );
    let first = own.done_in("2017-12-30", "gold_dim_products");
    let second = own.done_in("2017-12-31", "gold_dim_products");
    assert_eq!((first.outcome, second.outcome, second.bytes_written), (Outcome::Committed, Outcome::Committed, 0));
    assert!(second.facts["conserved"].get("products as of 2017-12-31").is_some(), "{:?}", second.facts);
}

#[test]
fn a_snapshot_is_of_the_runs_date_and_of_nothing_else() {
    let date = "as_of_date() AS as_of_date,";
    let rules = format!(
        "{date} CAST(NULL AS VARCHAR) AS _rules, CAST(NULL AS VARCHAR) AS _input_table, CAST(NULL AS VARCHAR) AS _position,
        CAST(NULL AS INT) AS _line,"
    );
    for (from, to, exit, what) in [
        ("as_of_date()", "DATE '2017-12-30'", 2, "the model does not know the date"),
        (date, "as_of_date() - INTERVAL '1 day' AS as_of_date,", 65, "another date"),
        (date, rules.as_str(), 2, "rows that break a rule"),
    ] {
        let world = world(World::with_own_contracts(), &[("o1", "c1", 20)]);
        let path = world.contracts.join(MODEL);
        let model = std::fs::read_to_string(&path).unwrap();
        assert!(model.contains(from), "{from}");
        std::fs::write(path, model.replace(from, to)).unwrap();
        assert_eq!(world.goldify(TABLE, &[]), (ExitCode::from(exit), None), "{what}");
        let committed = world.version(&TableSpec::of(&world.contract(TABLE)));
        assert!(committed.is_none_or(|version| version == 0), "{what}: {committed:?}");
    }
}
