//! `goldify`.

fn main() -> std::process::ExitCode {
    goldify::main(std::env::args_os())
}
