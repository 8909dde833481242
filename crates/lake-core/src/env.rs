//! Names of the environment variables that programs read (only through `#[arg(env = ...)]`).

/// Root of the lake: a directory or `s3://bucket/prefix`.
pub const LAKE_URI: &str = "LAKE_URI";
/// Directory of the contracts.
pub const LAKE_CONTRACTS: &str = "LAKE_CONTRACTS";
/// Where secrets come from: `file:DIR` or `env:PREFIX`.
pub const LAKE_SECRETS: &str = "LAKE_SECRETS";
/// Kafka bootstrap servers, `host:port,...`.
pub const KAFKA_BOOTSTRAP: &str = "KAFKA_BOOTSTRAP";
/// Kafka security: `plaintext` or `sasl-ssl`.
pub const KAFKA_SECURITY: &str = "KAFKA_SECURITY";
/// Kafka SCRAM user.
pub const KAFKA_USER: &str = "KAFKA_USER";
/// PEM file with the certificate authority of the brokers.
pub const KAFKA_CA_FILE: &str = "KAFKA_CA_FILE";
/// Snowflake account.
pub const SNOWFLAKE_ACCOUNT: &str = "SNOWFLAKE_ACCOUNT";
/// Snowflake user.
pub const SNOWFLAKE_USER: &str = "SNOWFLAKE_USER";
/// Address of the Snowflake service, where it is not derived from the account.
pub const SNOWFLAKE_URL: &str = "SNOWFLAKE_URL";
/// Snowflake warehouse (the compute, not the data).
pub const SNOWFLAKE_WAREHOUSE: &str = "SNOWFLAKE_WAREHOUSE";
/// Shared library of Snowflake's ADBC driver.
pub const SNOWFLAKE_DRIVER: &str = "SNOWFLAKE_DRIVER";
/// Base address of the exchange-rate files.
pub const FX_URL: &str = "FX_URL";
