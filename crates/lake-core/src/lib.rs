//! The pure core of Sluice: what a contract, a window, a run, a ledger and a fault are.
//!
//! Nothing here touches the outside world: no file, no network, no clock, no environment. Every other crate points to
//! this one and it points to none.
//!
//! Not done here: reading contracts from disk (`lake-edge`), tables (`lake-table`), running rules (`lake-quality`).

pub mod contract;
pub mod env;
pub mod fault;
pub mod faultpoint;
pub mod gauge;
pub mod ledger;
pub mod lineage;
pub mod mask;
pub mod operator;
pub mod policy;
pub mod run;
pub mod secret;
pub mod summary;
pub mod window;

pub use contract::Contract;
pub use fault::{Exit, Fault};
pub use ledger::Ledger;
pub use policy::Policy;
pub use run::{Run, RunId};
pub use secret::Secret;
pub use summary::Summary;
pub use window::Window;
