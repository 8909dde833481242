//! From Bronze rows to typed rows of the table: pure, batch by batch.
//!
//! [`InputPlan`] is made once from the contracts; [`InputPlan::decode`] gives every row of a batch its place: in the columns of
//! a route, among the leftovers, or filtered. Records are JSON ([`record`]); other inputs have columns ([`rows`]).
//!
//! Not done here: what a row does to the table (`upsert`), where leftovers are kept (`quarantine`).

mod cast;
mod check;
pub(crate) mod column;
mod country;
pub(crate) mod field;
mod inside;
mod meta;
mod number;
mod pointer;
#[cfg(test)]
mod project_tests;
mod record;
mod record_plan;
mod rows;
pub(crate) mod rule;
mod sink;
mod standard;
pub(crate) mod time;
mod tombstone;
#[cfg(test)]
mod tombstone_tests;

use crate::{
    fault,
    leftover::Leftover,
    route::{RoutePlan, Routed},
};
use arrow::array::RecordBatch;
use lake_core::{
    Contract, Ledger,
    contract::{ContractSet, Layer},
};
use meta::Meta;
use record_plan::{InputOf, RecordPlan};
use rows::RowsPlan;

/// What became of one batch.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    /// Rows for the table, per route.
    pub(crate) routed: Vec<Routed>,
    /// Rows that do not reach it.
    pub(crate) leftovers: Vec<Leftover>,
    /// Rows read, filtered and collapsed (duplicate); the other buckets are counted where those rows end.
    pub(crate) ledger: Ledger,
    /// Bronze rows, to be compared with what the log says.
    pub(crate) rows: u64,
}

/// One input, ready to be read.
#[derive(Debug, Clone)]
pub(crate) struct InputPlan {
    /// Full name of the input table.
    pub(crate) table: String,
    body: Body,
}

#[derive(Debug, Clone)]
enum Body {
    Record(Box<RecordPlan>),
    Rows(Box<RowsPlan>),
}

impl InputPlan {
    /// Prepares all inputs of a Silver contract, in their order.
    pub(crate) fn all(contract: &Contract, contracts: &ContractSet) -> anyhow::Result<Vec<Self>> {
        let Some(silver) = contract.silver() else {
            return Err(fault::contract(contract, "silverize makes Silver tables; this is none"));
        };
        let mut plans = Vec::new();
        let mut first_route = 0;
        for (number, input) in silver.inputs.iter().enumerate() {
            let Some(source) = contracts.get(&input.table) else {
                return Err(fault::contract(contract, format_args!("input `{}` has no contract", input.table)));
            };
            let of = InputOf { contract, number, input, first_route };
            let record = if let Layer::Bronze(bronze) = &source.layer { bronze.record.as_ref() } else { None };
            let body = match record {
                Some(record) => Body::Record(Box::new(RecordPlan::new(of, record)?)),
                None => Body::Rows(Box::new(RowsPlan::new(of, source)?)),
            };
            let plan = Self { table: input.table.clone(), body };
            first_route += plan.routes().len();
            plans.push(plan);
        }
        Ok(plans)
    }

    /// The input's routes.
    pub(crate) fn routes(&self) -> &[RoutePlan] {
        match &self.body {
            Body::Record(record) => &record.routes,
            Body::Rows(rows) => std::slice::from_ref(rows.route()),
        }
    }

    /// Columns of the input table that are read, given those that it has.
    pub(crate) fn columns(&self, source: &Contract) -> Vec<String> {
        match &self.body {
            Body::Record(_) => {
                let wanted = meta::META.into_iter().chain([meta::PAYLOAD]);
                let log = meta::LOG.into_iter().filter(|name| source.column(name).is_some());
                wanted.chain(log).map(str::to_owned).collect()
            }
            Body::Rows(rows) => rows.columns(),
        }
    }

    /// Says whether a row is the one that a leftover's payload shows.
    pub(crate) fn shows(&self, batch: &RecordBatch, row: usize, payload: Option<&[u8]>) -> anyhow::Result<bool> {
        match (&self.body, payload) {
            (Body::Rows(rows), Some(payload)) => rows.shows(batch, row, payload),
            _ => Ok(Meta::of(batch)?.payload(row) == payload),
        }
    }

    /// The same input, of which no row is held for the time at which it came.
    pub(crate) fn whenever_it_came(self) -> Self {
        let body = match self.body {
            Body::Record(mut record) => {
                record.late_window = None;
                Body::Record(record)
            }
            Body::Rows(rows) => Body::Rows(Box::new(rows.whenever_it_came())),
        };
        Self { body, ..self }
    }

    /// Decodes a batch that a Delta version of the input brought.
    pub(crate) fn decode(&self, batch: &RecordBatch, delta_version: i64) -> anyhow::Result<Decoded> {
        match &self.body {
            Body::Record(record) => record.decode(batch, delta_version),
            Body::Rows(rows) => rows.decode(batch, delta_version),
        }
    }
}
