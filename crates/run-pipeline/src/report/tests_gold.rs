//! Every number that the report takes from Gold.

use super::tests_lake::{World, amounts, dates, texts};
use serde_json::{Value, json};

const EVIL: &str = "<img src=x onerror=alert(1)>";

#[tokio::test]
async fn sales_are_sums_of_all_movements_by_their_month() {
    let world = World::new();
    let sold = |months: &[&str], movements: &[&str], currencies: &[&str], cents: &[i128], dollars: &[Option<i128>]| {
        let cents: Vec<Option<i128>> = cents.iter().copied().map(Some).collect();
        vec![
            ("business_date", dates(months)),
            ("movement", texts(movements)),
            ("currency", texts(currencies)),
            ("net_amount", amounts(&cents, 2)),
            ("net_usd", amounts(dollars, 4)),
        ]
    };
    let first = sold(
        &["2017-11-30", "2017-12-01", "2017-12-31", "2017-12-31"],
        &["sale", "sale", "return", "sale"],
        &["USD", "EUR", "EUR", "USD"],
        &[1_000, 5_000, -2_500, 123],
        &[Some(100_000), Some(600_000), Some(-300_000), Some(12_345)],
    );
    world.rows("gold_fact_sales", first).await;
    let second =
        sold(&["2017-12-02", "2018-01-01"], &["cancellation", "sale"], &["USD", "USD"], &[-23, 1], &[Some(-2_301), None]);
    world.rows("gold_fact_sales", second).await;
    let of = |currency: &str, net_amount: &str, net_usd: Option<&str>, sales: u64, reversals: u64| json!({ "currency": currency, "net_amount": net_amount, "net_usd": net_usd, "sales": sales, "reversals": reversals });
    let december = [of("EUR", "25.00", Some("30.0000"), 1, 1), of("USD", "1.00", Some("1.0044"), 1, 1)];
    let expected = json!({
        "currencies": ["EUR", "USD"],
        "months": [
            { "month": "2017-11", "net_usd": "10.0000", "currencies": [of("USD", "10.00", Some("10.0000"), 1, 0)] },
            { "month": "2017-12", "net_usd": "31.0044", "currencies": december },
            { "month": "2018-01", "net_usd": null, "currencies": [of("USD", "0.01", None, 1, 0)] },
        ],
    });
    assert_eq!(world.shown(None).await["gold"]["sales"], expected);
}

async fn customers(world: &World, date: &str, segments: &[(&str, usize)]) {
    let names: Vec<&str> = segments.iter().flat_map(|(name, count)| std::iter::repeat_n(*name, *count)).collect();
    let rows = vec![
        ("segment", texts(&names)),
        ("as_of_date", dates(&vec![date; names.len()])),
        ("monetary_usd", amounts(&vec![Some(10_001); names.len()], 4)),
    ];
    world.rows("gold_customer_segments", rows).await;
}

#[tokio::test]
async fn segments_are_those_of_the_newest_date_and_few_customers_are_not_told() {
    let world = World::new();
    assert_eq!(world.policy.suppression_threshold, 5);
    customers(&world, "2017-12-30", &[("loyal", 9), ("hibernating", 50)]).await;
    customers(&world, "2018-01-01", &[("new", 4), ("champion", 5), ("at risk", 6)]).await;
    customers(&world, "2017-12-31", &[("at risk", 1), ("champion", 7), ("loyal", 5)]).await;
    let of = |segment: &str, customers: Option<u64>, before: Option<u64>, usd: Option<&str>| json!({ "segment": segment, "customers": customers, "before": before, "monetary_usd": usd });
    let expected = json!({
        "as_of_date": "2018-01-01",
        "before": "2017-12-31",
        "threshold": 5,
        "segments": [
            of("champion", Some(5), Some(7), Some("5.0005")),
            of("loyal", Some(0), Some(5), Some("0")),
            of("new", None, Some(0), None),
            of("at risk", Some(6), None, Some("6.0006")),
        ],
    });
    assert_eq!(world.shown(None).await["gold"]["segments"], expected);
}

#[tokio::test]
async fn one_date_of_segments_has_none_before_it() {
    let world = World::new();
    customers(&world, "2017-12-30", &[("loyal", 9)]).await;
    let shown = world.shown(None).await["gold"]["segments"].clone();
    assert_eq!((&shown["before"], &shown["segments"][0]["before"]), (&Value::Null, &Value::Null));
}

/// Campaign, business date, model; then orders, dollars and cost without their points.
type Row<'a> = (String, &'a str, &'a str, i128, i128, i128);

#[tokio::test]
async fn attribution_is_told_by_model_and_for_the_campaigns_that_brought_the_most() {
    let world = World::new();
    // Campaign 0 brings the least and 9 the most; each has two days. `EVIL` comes from an address that somebody typed.
    let mut rows: Vec<Row<'_>> = Vec::new();
    for model in ["time_decay", "linear"] {
        for campaign in 0..10 {
            let usd = if model == "linear" { 10_000 * (campaign + 1) } else { 5_000 };
            let name = if campaign == 9 { EVIL.to_owned() } else { campaign.to_string() };
            rows.push((name.clone(), "2017-12-01", model, 10_000, usd, 200));
            rows.push((name, "2017-12-03", model, 2_500, 1, 50));
        }
        rows.push(("unattributed".into(), "2017-11-30", model, 30_000, 770_000, 0));
    }
    let column = |of: fn(&Row<'_>) -> i128, scale| amounts(&rows.iter().map(|row| Some(of(row))).collect::<Vec<_>>(), scale);
    let given = vec![
        ("campaign_id", texts(&rows.iter().map(|row| row.0.as_str()).collect::<Vec<_>>())),
        ("business_date", dates(&rows.iter().map(|row| row.1).collect::<Vec<_>>())),
        ("model", texts(&rows.iter().map(|row| row.2).collect::<Vec<_>>())),
        ("conversions", column(|row| row.3, 4)),
        ("attributed_usd", column(|row| row.4, 4)),
        ("cost_usd", column(|row| row.5, 2)),
    ];
    world.rows("gold_marketing_attribution", given).await;

    let shown = world.shown(None).await["gold"]["attribution"].clone();
    let model = |model: &str, usd: &str, roas: &str| json!({ "model": model, "conversions": "12.5000", "attributed_usd": usd, "cost_usd": "25.00", "roas": roas });
    assert_eq!(shown["models"], json!([model("linear", "55.0010", "2.20"), model("time_decay", "5.0010", "0.20")]));
    let names: Vec<&str> = shown["campaigns"].as_array().unwrap().iter().map(|one| one["campaign"].as_str().unwrap()).collect();
    assert_eq!(names, [EVIL, "8", "7", "6", "5", "4", "3", "2"]);
    let most = json!({ "campaign": EVIL, "cost_usd": "2.50", "attributed_usd": { "linear": "10.0001", "time_decay": "0.5001" } });
    assert_eq!((&shown["campaigns"][0], &shown["campaigns_all"]), (&most, &json!(10)));
    assert_eq!((&shown["from"], &shown["to"]), (&json!("2017-11-30"), &json!("2017-12-03")));
    assert_eq!((&shown["unattributed_usd"], &shown["unattributed_orders"]), (&json!("77.0000"), &json!("3.0000")));
}
