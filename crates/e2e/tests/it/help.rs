//! `--help` of every program and the public exit codes.

use crate::support::{Variables, pinned, run};
use std::path::Path;

#[test]
fn help_has_examples_and_exit_codes() {
    let programs = run(&["programs"], &Variables::new()).stdout;
    assert!(programs.lines().count() >= 7);
    for program in programs.lines() {
        let ran = run(&[program, "--help"], &Variables::new());
        assert!(ran.stdout.contains("Examples:") && ran.stdout.contains("Exit codes"), "{program}\n{}", ran.stdout);
        pinned(&format!("help-{program}"), &ran, Path::new("/nowhere"));
    }
}

#[test]
fn help_of_the_pipelines_commands_is_pinned() {
    for command in ["check", "plan", "day", "attempt", "ledger", "report"] {
        pinned(
            &format!("help-run-pipeline-{command}"),
            &run(&["run-pipeline", command, "--help"], &Variables::new()),
            Path::new("/nowhere"),
        );
    }
}

#[test]
fn help_of_judging_files_is_pinned() {
    let ran = run(&["dq-check", "silver_orders", "--input", "orders.csv", "--help"], &Variables::new());
    pinned("help-dq-check-files", &ran, Path::new("/nowhere"));
}

#[test]
fn help_of_rotating_the_key_is_pinned() {
    let ran = run(&["goldify", "rotate-key", "--help"], &Variables::new());
    pinned("help-goldify-rotate-key", &ran, Path::new("/nowhere"));
}

#[test]
fn help_of_showing_a_step_is_pinned() {
    let ran = run(&["goldify", "show-cte", "--help"], &Variables::new());
    pinned("help-goldify-show-cte", &ran, Path::new("/nowhere"));
}

#[test]
fn exit_codes_are_public() {
    pinned("exit-codes", &run(&["exit-codes"], &Variables::new()), Path::new("/nowhere"));
}
