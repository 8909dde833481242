//! Lands one window of a Redshift table in its Bronze table.

fn main() -> std::process::ExitCode {
    ingest_redshift::main(std::env::args_os())
}
