//! Lands one window of a Snowflake table in its Bronze table.

fn main() -> std::process::ExitCode {
    ingest_snowflake::main(std::env::args_os())
}
