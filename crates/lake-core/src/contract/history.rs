//! How a table is compared with its own past. A contract that says nothing is compared by the defaults.

use super::{Contract, layer::CustomProperty, odcs::Severity, sound::Problems};

/// Deviations from the median that are still usual.
const DEVIATIONS_MAX: u32 = 5;

/// How a table is compared with its own past.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct History {
    /// Rows that a window adds.
    pub volume: Trend,
    /// Share of nulls in each column that may be null.
    pub nulls: Trend,
}

/// How far a number may be from those of earlier windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Trend {
    /// Largest distance from the median, in robust standard deviations.
    pub deviations_max: u32,
    /// What a larger one does.
    pub severity: Severity,
}

impl Default for Trend {
    fn default() -> Self {
        Self { deviations_max: DEVIATIONS_MAX, severity: Severity::Warning }
    }
}

impl Contract {
    /// How the table is compared with its own past.
    #[must_use]
    pub fn history(&self) -> History {
        let given = self.document.custom_properties.iter().find_map(|property| match property {
            CustomProperty::History(history) => Some(*history),
            _ => None,
        });
        given.unwrap_or_default()
    }
}

/// Checks what a contract says of its past.
pub(super) fn check(contract: &Contract, problems: &mut Problems) {
    let History { volume, nulls } = contract.history();
    for (name, trend) in [("volume", volume), ("nulls", nulls)] {
        if trend.deviations_max == 0 {
            problems.add(format!("`{name}` of `history` needs a `deviationsMax` of at least 1: no two windows are equal"));
        }
    }
}
