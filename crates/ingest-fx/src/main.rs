//! `ingest-fx`.

fn main() -> std::process::ExitCode {
    ingest_fx::main(std::env::args_os())
}
