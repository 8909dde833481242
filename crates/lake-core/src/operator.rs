//! Operators: the places where rows pass from one step to the next, so that a test build can drop or double one there.
//!
//! Each operator registers itself; the ledger-mutation test takes the list from the executable. Without the feature
//! `faults` the macro passes its value through.

/// What a test build does to the rows that pass an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// The first row is lost.
    Drop,
    /// The first row passes twice.
    Double,
}

/// One place where rows pass.
#[derive(Debug)]
pub struct Operator {
    /// `<crate>.<step>`.
    pub name: &'static str,
}

/// All operators that are linked into this executable.
#[cfg(feature = "faults")]
#[linkme::distributed_slice]
pub static OPERATORS: [Operator];

/// Set by `lake-edge` from `SLUICE_MUTATE=<operator>:<drop|double>`.
#[cfg(feature = "faults")]
pub static MUTATED: std::sync::OnceLock<(String, Mutation)> = std::sync::OnceLock::new();

#[cfg(feature = "faults")]
static DONE: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// Rows that a mutation can take from or add to.
pub trait Rows: Sized {
    /// Number of rows.
    fn rows(&self) -> usize;
    /// The same with its first row lost or doubled.
    #[must_use]
    fn mutated(self, mutation: Mutation) -> Self;
}

impl<T: Clone> Rows for Vec<T> {
    fn rows(&self) -> usize {
        self.len()
    }

    fn mutated(mut self, mutation: Mutation) -> Self {
        match mutation {
            Mutation::Drop => drop(self.remove(0)),
            Mutation::Double => self.push(self[0].clone()),
        }
        self
    }
}

/// Applies the armed mutation, once per process, to the first non-empty rows that pass.
#[cfg(feature = "faults")]
pub fn pass<R: Rows>(name: &str, rows: R) -> R {
    match MUTATED.get() {
        Some((armed, mutation)) if armed == name && rows.rows() > 0 && !DONE.swap(true, std::sync::atomic::Ordering::SeqCst) => {
            rows.mutated(*mutation)
        }
        _ => rows,
    }
}

/// Lets rows pass an operator: `let batch = operator!("silver.decode", batch);`.
#[macro_export]
#[cfg(feature = "faults")]
macro_rules! operator {
    ($name:literal, $rows:expr) => {{
        #[$crate::faultpoint::linkme::distributed_slice($crate::operator::OPERATORS)]
        #[linkme(crate = $crate::faultpoint::linkme)]
        static OPERATOR: $crate::operator::Operator = $crate::operator::Operator { name: $name };
        $crate::operator::pass(OPERATOR.name, $rows)
    }};
}

/// Lets rows pass an operator; nothing more in a build without the feature `faults`.
#[macro_export]
#[cfg(not(feature = "faults"))]
macro_rules! operator {
    ($name:literal, $rows:expr) => {
        $rows
    };
}
