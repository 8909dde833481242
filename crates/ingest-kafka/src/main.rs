//! `ingest-kafka`.

fn main() -> std::process::ExitCode {
    ingest_kafka::main(std::env::args_os())
}
