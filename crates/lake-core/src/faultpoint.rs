//! Named fault points: places where a test build can kill the process.
//!
//! A point registers itself, so the crash matrix lists the points from the executable and never by hand. Without the
//! feature `faults` a point is nothing at all.

/// One place at which a test may kill the process.
#[derive(Debug)]
pub struct FaultPoint {
    /// `<crate>.<step>.<before|after>`.
    pub name: &'static str,
}

/// All points that are linked into this executable.
#[cfg(feature = "faults")]
#[linkme::distributed_slice]
pub static FAULT_POINTS: [FaultPoint];

/// Set by `lake-edge` from `SLUICE_FAULT=<point>[#<time>]` before a program starts: the name of the point that kills, and the
/// time, from 1, that it is reached.
#[cfg(feature = "faults")]
pub static ARMED: std::sync::OnceLock<(String, u64)> = std::sync::OnceLock::new();

#[cfg(feature = "faults")]
static TIMES: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

/// Kills the process, as SIGKILL does, when the point is the armed one and it is its time.
#[cfg(feature = "faults")]
pub fn reached(name: &str) {
    let Some((_, time)) = ARMED.get().filter(|(armed, _)| armed == name) else { return };
    if TIMES.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1 == *time {
        // SIGKILL, as the kernel's out-of-memory killer sends it: nothing is flushed and no destructor runs.
        let _ = std::process::Command::new("kill").args(["-9", &std::process::id().to_string()]).status();
        std::process::abort();
    }
}

/// Declares a fault point at this place: `fault_point!("table.commit.before")`.
#[macro_export]
#[cfg(feature = "faults")]
macro_rules! fault_point {
    ($name:literal) => {{
        #[$crate::faultpoint::linkme::distributed_slice($crate::faultpoint::FAULT_POINTS)]
        #[linkme(crate = $crate::faultpoint::linkme)]
        static POINT: $crate::faultpoint::FaultPoint = $crate::faultpoint::FaultPoint { name: $name };
        $crate::faultpoint::reached(POINT.name);
    }};
}

/// Declares a fault point at this place; nothing in a build without the feature `faults`.
#[macro_export]
#[cfg(not(feature = "faults"))]
macro_rules! fault_point {
    ($name:literal) => {};
}

#[cfg(feature = "faults")]
#[doc(hidden)]
pub use linkme;
