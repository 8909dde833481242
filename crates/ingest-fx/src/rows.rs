//! Observations -> Bronze rows.

use crate::decode::{Observation, Wanted};
use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    datatypes::SchemaRef,
};
use lake_bronze::{BronzeError, Meta, position_prefix, refuse_refresh};
use lake_core::contract::bronze::EcbSource;
use lake_edge::{Attach as _, Edge};
use std::sync::Arc;

/// What a run lands and how its rows look.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Days and currencies.
    pub(crate) wanted: Wanted,
    meta: Meta,
    position: String,
}

impl Plan {
    pub(crate) fn new(edge: &Edge) -> anyhow::Result<Self> {
        refuse_refresh(edge.full_refresh).attach()?;
        let run = &edge.run;
        let (meta, _, source) = Meta::of_source::<EcbSource>(run, &edge.contract).attach()?;
        let wanted = Wanted {
            first: (run.window.from() - source.lookback.0).date_naive(),
            end: run.window.ingest_date() + chrono::Days::new(1),
            currencies: source.currencies.clone(),
        };
        Ok(Self { wanted, meta, position: position_prefix(run) })
    }

    /// Returns one row per observation.
    pub(crate) fn batch(&self, schema: &SchemaRef, observations: &[Observation]) -> Result<RecordBatch, BronzeError> {
        let texts = |text: &dyn Fn(&Observation) -> String| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(observations.iter().map(text)))
        };
        let violations: StringArray = observations.iter().map(|o| (!is_rate(&o.rate)).then_some("rate_invalid")).collect();
        let own: [(&str, ArrayRef); 6] = [
            ("observation_date", texts(&|o| o.day.to_string())),
            ("currency", texts(&|o| o.currency.clone())),
            ("rate", texts(&|o| o.rate.clone())),
            ("_key", texts(&|o| format!("{}|{}", o.day, o.currency))),
            ("_position", texts(&|o| format!("{}/{}/{}", self.position, o.day, o.currency))),
            ("_violations", Arc::new(violations)),
        ];
        self.meta.assemble(schema, &own, observations.len())
    }
}

/// Whether a published text is a rate, or says that there is none.
fn is_rate(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    match text.split_once('.') {
        _ if matches!(text, "" | "N/A") => true,
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_plain_decimal_or_says_that_there_is_none() {
        for good in ["1.1993", "135", "N/A", ""] {
            assert!(is_rate(good), "{good}");
        }
        for bad in ["1.", ".5", "-1.2", "1,2", "1e3", "n/a", " 1.2"] {
            assert!(!is_rate(bad), "{bad}");
        }
    }
}
