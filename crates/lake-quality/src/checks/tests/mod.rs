//! Tests of the rules, by what they look at.

mod duplicates;
mod whole;
mod references;
mod values;
mod freshness;
