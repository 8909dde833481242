//! Panics that a library raises and catches itself: they are no news for who reads stderr.

use std::panic;

/// Where such a panic comes from: delta-rs aborts an upload that could not be finished (a full disk), the store takes that for a
/// misuse, and delta-rs catches it. The error that a person needs follows.
const CAUGHT: (&str, &str) = ("object_store", "buffered.rs");

/// Keeps caught panics out of stderr; all others are told as usual.
pub(crate) fn hide_caught() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        if place.contains(CAUGHT.0) && place.contains(CAUGHT.1) {
            tracing::debug!(place, "upload aborted");
        } else {
            usual(info);
        }
    }));
}
