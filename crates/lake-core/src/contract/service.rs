//! Service levels: how often something new is promised, and how old the newest row may be.

use super::{Contract, odcs::SlaProperty, sound::Problems};
use std::time::Duration;

const FREQUENCY: &str = "frequency";
const LATENCY: &str = "latency";

impl SlaProperty {
    /// Returns its value as a length of time in seconds; none where it is not above zero, or its unit is none of `m`, `h` and `d`.
    #[must_use]
    pub fn seconds(&self) -> Option<u64> {
        let unit = match self.unit.as_deref()? {
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        let length = Duration::try_from_secs_f64(self.value * unit).ok()?;
        Some(length.as_secs()).filter(|seconds| *seconds > 0)
    }
}

impl Contract {
    /// Seconds after which something new is promised again, where the contract says so.
    #[must_use]
    pub fn frequency_seconds(&self) -> Option<u64> {
        self.level(FREQUENCY)?.seconds()
    }

    /// Seconds that the newest row may be old, where the contract says so.
    #[must_use]
    pub fn latency_seconds(&self) -> Option<u64> {
        self.level(LATENCY)?.seconds()
    }

    fn level(&self, name: &str) -> Option<&SlaProperty> {
        self.document.sla_properties.iter().find(|level| level.property.eq_ignore_ascii_case(name))
    }
}

/// Checks what a contract says of its frequency; which DAG builds a table hangs on it.
pub(super) fn check(contract: &Contract, problems: &mut Problems) {
    if contract.level(FREQUENCY).is_some_and(|level| level.seconds().is_none()) {
        problems.add("service level `frequency` needs a value above 0 and the unit `m`, `h` or `d`");
    }
}
