//! `lineage-emit`.

fn main() -> std::process::ExitCode {
    lineage_emit::main(std::env::args_os())
}
