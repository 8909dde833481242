//! What Gold says: sales by month and currency, customers by segment, what campaigns brought.
//!
//! Only Gold is read here, so the report tells nothing that its readers could not ask themselves; and where Gold has a row per
//! customer, groups smaller than the policy's threshold are not told.

mod attribution;
mod sales;
mod segments;

use lake_core::{Policy, contract::ContractSet};
use lake_edge::Attach as _;
use lake_table::{Lake, Table, TableSpec};
use serde::Serialize;

/// The metrics; one is absent when its table has no contract or no rows.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Gold {
    sales: Option<sales::Sales>,
    segments: Option<segments::Segments>,
    attribution: Option<attribution::Attribution>,
}

/// Returns the metrics of the newest versions.
pub(super) async fn of(lake: &Lake, contracts: &ContractSet, policy: &Policy) -> anyhow::Result<Gold> {
    let sales = match open(lake, contracts, "gold_fact_sales").await? {
        Some(table) => sales::of(&table).await?,
        None => None,
    };
    let segments = match open(lake, contracts, "gold_customer_segments").await? {
        Some(table) => segments::of(&table, policy.suppression_threshold).await?,
        None => None,
    };
    let attribution = match open(lake, contracts, "gold_marketing_attribution").await? {
        Some(table) => attribution::of(&table).await?,
        None => None,
    };
    Ok(Gold { sales, segments, attribution })
}

async fn open(lake: &Lake, contracts: &ContractSet, table: &str) -> anyhow::Result<Option<Table>> {
    match contracts.get(table) {
        Some(contract) => Table::open(lake, &TableSpec::of(contract)).await.attach(),
        None => Ok(None),
    }
}
