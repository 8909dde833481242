//! The program of its own; `all-clis` holds it too.

fn main() -> std::process::ExitCode {
    run_pipeline::main(std::env::args_os())
}
