//! `ingest-hubspot`.

fn main() -> std::process::ExitCode {
    ingest_hubspot::main(std::env::args_os())
}
