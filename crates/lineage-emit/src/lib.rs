//! Delivers the lake's lineage outbox to whoever wants its events or their numbers, and shows what a table or a column is made from.
//!
//! `deliver` sends the events of `ops/lineage/` that a receiver has not had, in their order: a cursor in the lake says how far the
//! receiver is. A receiver that is down loses nothing; the next call goes on where the last one stopped. `metrics` sends the numbers
//! of the same events to CloudWatch, in the same way. `show` reads contracts and models only, and tells what tables and columns are made from and go into.
//!
//! Not done here: writing events. Every program tells its own run (`lake-edge`).

mod alarms;
mod args;
mod cloudwatch;
mod cloudwatch_error;
mod cursor;
mod deliver;
mod error;
mod graph;
mod http;
mod receiver;
mod show;

pub use args::Args;

use args::Command;
use lake_core::Exit;
use lake_edge::Console;
use receiver::Receiver;
use std::{ffi::OsString, process::ExitCode};

/// The program's whole `main`.
pub fn main(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    lake_edge::main_plain(argv, run)
}

/// Does what the arguments say.
///
/// # Errors
/// With the fault that tells who has to act.
pub async fn run(args: Args, console: Console) -> anyhow::Result<Exit> {
    match args.command {
        Command::Deliver(args) => deliver::run(&args.delivery, Receiver::of_events(&args).await?, &console).await,
        Command::Metrics(args) => deliver::run(&args.delivery, Receiver::of_metrics(&args).await?, &console).await,
        Command::Show(args) => show::run(&args, &console).await,
    }
}
