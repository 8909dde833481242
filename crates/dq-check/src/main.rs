//! The program of its own; `all-clis` holds it too.

fn main() -> std::process::ExitCode {
    dq_check::main(std::env::args_os())
}
