//! Exchange rates: pure, in exact integers.
//!
//! The first published value of an observation counts; a later, different one is a revision. A currency's rate to the quote
//! currency on a day is that of its newest observation up to that day, as long as it is not too old.

use std::collections::{BTreeMap, BTreeSet};

/// Decimals of units and rates.
pub(crate) const DECIMALS: u32 = 10;
const ONE: i128 = 10i128.pow(DECIMALS);

/// What became of a published value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Published {
    /// The first of its observation.
    First,
    /// The same again.
    Same,
    /// Another one, for the first time.
    Revised {
        /// What was published first.
        first: i128,
    },
    /// Another one that is known.
    RevisedBefore,
}

/// All observations, by currency and date (days since 1970).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Observations {
    first: BTreeMap<String, BTreeMap<i32, i128>>,
    revisions: BTreeSet<(String, i32, i128)>,
}

/// One row of rates: a currency on a calendar day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Quote currency for one unit.
    pub(crate) rate: i128,
    /// The observation.
    pub(crate) observed: i32,
    /// Units per base currency.
    pub(crate) units: i128,
}

/// How rates are made.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// The currency that units are counted for.
    pub(crate) base: String,
    /// The currency that rates are given in.
    pub(crate) quote: String,
    /// How many days old an observation may be.
    pub(crate) age_days_max: i32,
}

impl Observations {
    /// Takes a published value in, in the order of publication.
    pub(crate) fn publish(&mut self, currency: &str, date: i32, units: i128) -> Published {
        let values = self.first.entry(currency.to_owned()).or_default();
        let Some(first) = values.get(&date).copied() else {
            values.insert(date, units);
            return Published::First;
        };
        if first == units {
            return Published::Same;
        }
        if self.revisions.insert((currency.to_owned(), date, units)) {
            Published::Revised { first }
        } else {
            Published::RevisedBefore
        }
    }

    /// Returns the rates of every currency and calendar day before `end`; `None` when one has no room in its column.
    pub(crate) fn rates(&self, terms: &Terms, end: i32) -> Option<BTreeMap<(String, i32), Rate>> {
        let nothing = BTreeMap::new();
        let quote = self.first.get(&terms.quote).unwrap_or(&nothing);
        let base = quote.keys().map(|date| (*date, ONE)).collect();
        let mut rates = BTreeMap::new();
        let others = self.first.iter().filter(|(currency, _)| **currency != terms.base);
        for (currency, units) in others.chain([(&terms.base, &base)]) {
            let observed: Vec<(i32, i128, i128)> =
                units.iter().filter_map(|(date, units)| Some((*date, *units, *quote.get(date)?))).collect();
            for (at, (date, units, quote)) in observed.iter().enumerate() {
                let next = observed.get(at + 1).map_or(end, |next| next.0.min(end));
                let rate = Rate { rate: divided(quote.checked_mul(ONE)?, *units)?, observed: *date, units: *units };
                let last = next.min(date.saturating_add(terms.age_days_max).saturating_add(1));
                rates.extend((*date..last).map(|day| ((currency.clone(), day), rate)));
            }
        }
        Some(rates)
    }
}

/// Divides and rounds half away from zero; `None` when the result has more digits than its column.
fn divided(numerator: i128, denominator: i128) -> Option<i128> {
    if denominator <= 0 {
        return None;
    }
    let magnitude = (2 * numerator.unsigned_abs() + denominator.unsigned_abs()) / (2 * denominator.unsigned_abs());
    let magnitude = i128::try_from(magnitude).ok()?;
    (magnitude < 10i128.pow(18)).then_some(if numerator < 0 { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(text: &str) -> i128 {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        format!("{whole}{decimals:0<10}").parse().unwrap()
    }

    fn terms() -> Terms {
        Terms { base: "EUR".into(), quote: "USD".into(), age_days_max: 7 }
    }

    fn observations(list: &[(&str, i32, &str)]) -> Observations {
        let mut observations = Observations::default();
        for (currency, date, value) in list {
            observations.publish(currency, *date, units(value));
        }
        observations
    }

    #[test]
    fn the_first_published_value_stays() {
        let mut observations = observations(&[("GBP", 5, "0.9")]);
        assert_eq!(observations.publish("GBP", 5, units("0.9")), Published::Same);
        assert_eq!(observations.publish("GBP", 5, units("0.8")), Published::Revised { first: units("0.9") });
        assert_eq!(observations.publish("GBP", 5, units("0.8")), Published::RevisedBefore);
        assert_eq!(observations.publish("GBP", 5, units("0.9")), Published::Same);
        assert_eq!(observations.publish("GBP", 6, units("0.8")), Published::First);
        assert_eq!(observations.publish("CHF", 5, units("1.1")), Published::First);
        assert_eq!(observations.first["GBP"], BTreeMap::from([(5, units("0.9")), (6, units("0.8"))]));
    }

    #[test]
    fn rates_are_cross_rates_rounded_half_away_from_zero() {
        let rates = observations(&[("USD", 10, "1.2"), ("GBP", 10, "0.9"), ("JPY", 10, "135.27")]).rates(&terms(), 11).unwrap();
        let rate = |currency: &str| rates[&(currency.to_owned(), 10)].rate;
        assert_eq!(
            (rate("USD"), rate("EUR"), rate("GBP"), rate("JPY")),
            (ONE, units("1.2"), units("1.3333333333"), units("0.0088711466"))
        );
        assert_eq!(
            (divided(5, 2), divided(-5, 2), divided(4, 3), divided(1, 2), divided(0, 7)),
            (Some(3), Some(-3), Some(1), Some(1), Some(0))
        );
        assert_eq!((divided(1, 0), divided(10i128.pow(18), 1)), (None, None));
    }

    #[test]
    fn days_are_filled_until_the_observation_is_too_old() {
        let rates = observations(&[("USD", 10, "1.2"), ("USD", 13, "1.3"), ("CHF", 10, "1.1")]).rates(&terms(), 22).unwrap();
        let days = |currency: &str| {
            rates.iter().filter(|(key, _)| key.0 == currency).map(|(key, rate)| (key.1, rate.observed)).collect::<Vec<_>>()
        };
        assert_eq!(days("CHF"), (10..=17).map(|day| (day, 10)).collect::<Vec<_>>());
        let usd: Vec<_> = (10..13).map(|day| (day, 10)).chain((13..=20).map(|day| (day, 13))).collect();
        assert_eq!((days("USD"), days("EUR")), (usd.clone(), usd));
        let early = observations(&[("USD", 10, "1.2")]).rates(&terms(), 12).unwrap();
        assert_eq!(early.keys().map(|key| key.1).max(), Some(11));
    }

    #[test]
    fn a_day_without_the_quote_currency_is_no_observation() {
        let rates = observations(&[("USD", 10, "1.2"), ("CHF", 10, "1.1"), ("CHF", 11, "1.2")]).rates(&terms(), 12).unwrap();
        assert_eq!(rates[&("CHF".to_owned(), 11)].observed, 10);
    }

    #[test]
    fn the_base_currency_is_never_taken_from_the_source() {
        let rates = observations(&[("USD", 10, "1.2"), ("EUR", 10, "2")]).rates(&terms(), 11).unwrap();
        assert_eq!(rates[&("EUR".to_owned(), 10)].units, ONE);
    }
}
