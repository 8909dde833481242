//! End-to-end tests: the real programs, started as processes through `all-clis`, with their messages pinned.
//!
//! Tests that need servers start the local sources of the small slice (`ci/sources/up`) unless they are up; `ci/test` stops
//! them afterwards, and so does `ci/sources/down`. No test talks to anything but loopback.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test code panics rather than returning errors")]
#![expect(clippy::disallowed_methods, reason = "tests read where the build and the sources are from the environment")]

mod catalog;
mod contracts;
mod credentials;
mod damage;
mod data;
mod down;
mod files;
mod fixtures;
mod help;
mod hubspot;
mod launcher;
mod lineage;
mod redshift;
mod report;
mod stream;

mod support;
