//! From typed rows to the table: one way per kind of table, all with the same steps.
//!
//! [`Target::apply`] takes a chunk of rows, [`Target::finish`] gives what the commit must do. Chunks bound the memory: a later
//! chunk meets the rows of an earlier one in files that are written but not committed.

mod assemble;
mod events;
mod files;
mod fx;
mod incoming;
mod keyed;
mod keys;
mod merge;
mod rates;
mod resolve;
mod shape;
mod stored;
mod ties;

pub(crate) use assemble::Stamp;
pub(crate) use files::Files;

use crate::{
    fault,
    route::{RoutePlan, Routed},
};
use events::Events;
use fx::{Rates, Revisions};
use keyed::Keyed;
use lake_core::{Contract, Ledger, contract::layer::SilverKind};
use lake_table::{DataFile, NewFile};
use rates::Terms;
use shape::Shape;
use std::sync::Arc;

/// What the commit must do to the table.
#[derive(Debug)]
pub(crate) struct Change {
    /// Files that come.
    pub(crate) add: Vec<NewFile>,
    /// Files that go.
    pub(crate) remove: Vec<DataFile>,
    /// Rows that are new.
    pub(crate) inserted: u64,
    /// Rows that leave.
    pub(crate) removed: u64,
    /// Rows that stay and are written again, since they take another value from their session.
    pub(crate) resolved: u64,
    /// By input: accepted, duplicate, superseded and filtered rows.
    pub(crate) ledgers: Vec<Ledger>,
}

/// A table that takes rows.
#[derive(Debug)]
pub(crate) enum Target<'t> {
    /// Rows by key.
    Keyed(Box<Keyed<'t>>),
    /// Events.
    Events(Box<Events<'t>>),
    /// Exchange rates.
    Rates(Box<Rates<'t>>),
    /// Their revisions.
    Revisions(Box<Revisions<'t>>),
}

impl<'t> Target<'t> {
    /// Prepares the table of a contract; `end` is the day after the newest ingest date of the inputs.
    pub(crate) fn new(
        contract: &Contract,
        routes: Arc<[RoutePlan]>,
        files: Files<'t>,
        end: i32,
        stamp: Stamp,
    ) -> anyhow::Result<Self> {
        let Some(silver) = contract.silver() else { return Err(fault::contract(contract, "it is no Silver contract")) };
        let inputs = silver.inputs.len();
        let keyed = |files, stamp| Keyed::new(files, Shape::new(contract, &routes)?, routes.clone(), stamp, inputs);
        Ok(match silver.kind {
            SilverKind::Current | SilverKind::History => Self::Keyed(Box::new(keyed(files, stamp)?)),
            SilverKind::Events => Self::Events(Box::new(Events::new(keyed(files, stamp)?, routes.clone(), inputs))),
            SilverKind::FxRates | SilverKind::FxRevisions if inputs != 1 => {
                return Err(fault::contract(contract, "rates are made from exactly one input"));
            }
            SilverKind::FxRates => {
                let fx = silver.fx.as_ref().ok_or_else(|| fault::contract(contract, "`fx` is missing"))?;
                let age_days_max = i32::try_from(fx.age_max.0.num_days()).unwrap_or(i32::MAX);
                let terms = Terms { base: fx.base.clone(), quote: fx.quote.clone(), age_days_max };
                Self::Rates(Box::new(Rates::new(files, terms, end, stamp)))
            }
            SilverKind::FxRevisions => Self::Revisions(Box::new(Revisions::new(files, stamp))),
        })
    }

    /// Shows rows of earlier versions of the inputs.
    pub(crate) fn recall(&mut self, routed: &[Routed]) -> anyhow::Result<()> {
        match self {
            Self::Keyed(_) | Self::Events(_) => Ok(()),
            Self::Rates(rates) => rates.recall(routed),
            Self::Revisions(revisions) => revisions.recall(routed),
        }
    }

    /// Takes a chunk of rows.
    pub(crate) async fn apply(&mut self, routed: Vec<Routed>) -> anyhow::Result<()> {
        match self {
            Self::Keyed(keyed) => keyed.apply(routed).await,
            Self::Events(events) => events.apply(routed).await,
            Self::Rates(rates) => rates.apply(&routed),
            Self::Revisions(revisions) => revisions.apply(&routed),
        }
    }

    /// Ends the run's work on the table.
    pub(crate) async fn finish(self) -> anyhow::Result<Change> {
        match self {
            Self::Keyed(keyed) => Ok(keyed.finish()),
            Self::Events(events) => Ok(events.finish()),
            Self::Rates(rates) => rates.finish().await,
            Self::Revisions(revisions) => revisions.finish().await,
        }
    }
}
