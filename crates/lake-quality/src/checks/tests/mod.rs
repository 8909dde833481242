//! Tests of the rules, by what they look at.

mod duplicates;
mod freshness;
mod references;
mod values;
mod whole;
