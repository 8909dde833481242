//! The program of its own; `all-clis` holds it too.

fn main() -> std::process::ExitCode {
    silverize::main(std::env::args_os())
}
