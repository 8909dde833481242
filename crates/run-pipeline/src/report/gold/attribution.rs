//! What campaigns brought and cost, by each attribution model.

use crate::report::scan::{self, Sum};
use chrono::NaiveDate;
use lake_table::Table;
use serde::Serialize;
use std::{cmp::Reverse, collections::BTreeMap};

/// Stands for orders that no campaign touched.
const UNATTRIBUTED: &str = "unattributed";
/// The model that ranks the campaigns: it favours no touch.
const RANKING: &str = "linear";
const MODELS: [&str; 5] = ["first_touch", "last_touch", RANKING, "time_decay", "position_based"];
/// Campaigns that a plot has room for.
const CAMPAIGNS_MAX: usize = 8;

/// What campaigns brought.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Attribution {
    /// First business date.
    from: NaiveDate,
    /// Last business date.
    to: NaiveDate,
    models: Vec<Model>,
    /// Those that brought the most.
    campaigns: Vec<Campaign>,
    /// How many there are.
    campaigns_all: usize,
    unattributed_usd: Option<String>,
    unattributed_orders: Option<String>,
}

/// All campaigns together by one model.
#[derive(Debug, Clone, Serialize)]
struct Model {
    model: String,
    conversions: Option<String>,
    attributed_usd: Option<String>,
    cost_usd: Option<String>,
    /// Ratio of the sums.
    roas: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
struct Campaign {
    campaign: String,
    cost_usd: Option<String>,
    attributed_usd: BTreeMap<String, Option<String>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    conversions: Sum,
    attributed_usd: Sum,
    cost_usd: Sum,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.conversions.add(other.conversions.amount());
        self.attributed_usd.add(other.attributed_usd.amount());
        self.cost_usd.add(other.cost_usd.amount());
    }
}

/// By campaign and model.
type Found = BTreeMap<String, BTreeMap<String, Tally>>;

/// Returns what campaigns brought; none without rows.
pub(super) async fn of(table: &Table) -> anyhow::Result<Option<Attribution>> {
    let (mut found, mut between) = (Found::new(), None::<(NaiveDate, NaiveDate)>);
    let names = ["campaign_id", "business_date", "model", "conversions", "attributed_usd", "cost_usd"];
    scan::each(table, table.files().to_vec(), &names, |columns| {
        let (campaigns, models, dates) =
            (columns.texts("campaign_id")?, columns.texts("model")?, columns.dates("business_date")?);
        let (conversions, dollars) = (columns.amounts("conversions")?, columns.amounts("attributed_usd")?);
        let costs = columns.amounts("cost_usd")?;
        for row in 0..columns.rows() {
            let by_model = found.entry(campaigns.value(row).to_owned()).or_default();
            let tally = by_model.entry(models.value(row).to_owned()).or_default();
            tally.conversions.add(conversions(row));
            tally.attributed_usd.add(dollars(row));
            tally.cost_usd.add(costs(row));
            if let Some(date) = dates(row) {
                between = Some(between.map_or((date, date), |(from, to)| (from.min(date), to.max(date))));
            }
        }
        Ok(())
    })
    .await?;
    Ok(between.map(|between| put_together(found, between)))
}

fn put_together(mut found: Found, (from, to): (NaiveDate, NaiveDate)) -> Attribution {
    // The same in all models.
    let without = found.remove(UNATTRIBUTED).and_then(|models| models.into_values().next()).unwrap_or_default();
    let mut totals: BTreeMap<String, Tally> = BTreeMap::new();
    for (model, tally) in found.values().flatten() {
        totals.entry(model.clone()).or_default().add(tally);
    }
    let campaigns_all = found.len();
    let brought = |models: &BTreeMap<String, Tally>| Some(models.get(RANKING)?.attributed_usd.amount()?.units);
    let mut ranked: Vec<(String, BTreeMap<String, Tally>)> = found.into_iter().collect();
    ranked.sort_by_key(|(_, models)| Reverse(brought(models)));
    ranked.truncate(CAMPAIGNS_MAX);
    let mut models: Vec<Model> = totals.into_iter().map(model).collect();
    models.sort_by_key(|model| MODELS.iter().position(|known| *known == model.model).unwrap_or(MODELS.len()));
    Attribution {
        from,
        to,
        models,
        campaigns: ranked.into_iter().map(campaign).collect(),
        campaigns_all,
        unattributed_usd: without.attributed_usd.text(),
        unattributed_orders: without.conversions.text(),
    }
}

fn model((model, tally): (String, Tally)) -> Model {
    let roas = tally.attributed_usd.amount().zip(tally.cost_usd.amount()).and_then(|(usd, cost)| usd.divided_by(cost, 2));
    Model {
        model,
        conversions: tally.conversions.text(),
        attributed_usd: tally.attributed_usd.text(),
        cost_usd: tally.cost_usd.text(),
        roas: roas.map(|roas| roas.to_string()),
    }
}

fn campaign((campaign, models): (String, BTreeMap<String, Tally>)) -> Campaign {
    // The same in all models.
    let cost_usd = models.values().next().and_then(|tally| tally.cost_usd.text());
    let attributed_usd = models.into_iter().map(|(model, tally)| (model, tally.attributed_usd.text())).collect();
    Campaign { campaign, cost_usd, attributed_usd }
}
