//! Reads the command line of a program.
//!
//! Every program has `--check-args`: the arguments are read, and nothing else is done. So whoever renders commands for later can
//! ask whether they would be understood. It is hidden from `--help`, since it is of no use to those who read that.

use clap::{Arg, ArgAction, CommandFactory, FromArgMatches};
use lake_core::Exit;
use std::{ffi::OsString, process::ExitCode};

const CHECK_ARGS: &str = "check-args";

/// Returns the arguments, or how the process ends where there is nothing to be run.
pub(crate) fn parse<A: clap::Parser>(argv: impl IntoIterator<Item = OsString>) -> Result<A, ExitCode> {
    match read::<A>(argv) {
        Ok(Some(args)) => Ok(args),
        Ok(None) => Err(ExitCode::from(Exit::Ok.code())),
        Err(error) => {
            // Help and version are no errors; a closed pipe is none of ours.
            let _ = error.print();
            Err(ExitCode::from(if error.use_stderr() { Exit::Config.code() } else { Exit::Ok.code() }))
        }
    }
}

/// Returns the arguments, or nothing where they were only to be checked.
fn read<A: CommandFactory + FromArgMatches>(argv: impl IntoIterator<Item = OsString>) -> Result<Option<A>, clap::Error> {
    let option = Arg::new(CHECK_ARGS).long(CHECK_ARGS).action(ArgAction::SetTrue).global(true).hide(true);
    let mut matches = A::command().arg(option).try_get_matches_from(argv)?;
    let check = matches.get_flag(CHECK_ARGS);
    let args = A::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut A::command()))?;
    Ok((!check).then_some(args))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RunArgs;

    #[derive(Debug, clap::Parser)]
    struct Single {
        #[command(flatten)]
        run: RunArgs,
    }

    #[derive(Debug, clap::Parser)]
    struct Several {
        #[command(subcommand)]
        command: Command,
    }

    #[derive(Debug, clap::Subcommand)]
    enum Command {
        Deliver {
            #[arg(long)]
            to: String,
        },
    }

    fn given<A: clap::Parser>(line: &str) -> Result<Option<A>, clap::Error> {
        read(["program"].into_iter().chain(line.split_whitespace()).map(OsString::from))
    }

    #[test]
    fn arguments_that_are_only_checked_are_not_handed_on() {
        let line = "silver_orders --window 2017-12-30";
        let run = given::<Single>(line).unwrap().unwrap().run;
        assert_eq!(run.table, "silver_orders");
        assert!(given::<Single>(&format!("{line} --check-args")).unwrap().is_none());
        assert!(given::<Single>(&format!("--check-args {line}")).unwrap().is_none());
    }

    #[test]
    fn arguments_that_are_wrong_are_refused_also_when_they_are_only_checked() {
        for wrong in ["silver_orders", "silver_orders --window today", "silver_orders --window 2017-12-30 --nonsense"] {
            let error = given::<Single>(&format!("{wrong} --check-args")).unwrap_err();
            assert!(error.use_stderr(), "{wrong}");
        }
    }

    #[test]
    fn commands_of_a_program_are_checked_too() {
        let Command::Deliver { to } = given::<Several>("deliver --to here").unwrap().unwrap().command;
        assert_eq!(to, "here");
        assert!(given::<Several>("deliver --to here --check-args").unwrap().is_none());
        assert!(given::<Several>("deliver --check-args").is_err());
        assert!(given::<Several>("--check-args").is_err());
    }

    #[test]
    fn help_does_not_tell_of_it() {
        let help = given::<Single>("--help").unwrap_err();
        assert!(!help.use_stderr() && !help.to_string().contains(CHECK_ARGS));
    }
}
