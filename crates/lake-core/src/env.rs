//! Names of the environment variables that programs read (only through `#[arg(env = ...)]`).

/// Root of the lake: a directory or `s3://bucket/prefix`.
pub const LAKE_URI: &str = "LAKE_URI";
/// Directory of the contracts.
pub const LAKE_CONTRACTS: &str = "LAKE_CONTRACTS";
/// Where secrets come from: `file:DIR` or `env:PREFIX`.
pub const LAKE_SECRETS: &str = "LAKE_SECRETS";
/// What the names of the catalog's databases begin with.
pub const LAKE_DATABASE_PREFIX: &str = "LAKE_DATABASE_PREFIX";
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
/// How Redshift is asked: `wire` or `data-api`.
pub const REDSHIFT_ACCESS: &str = "REDSHIFT_ACCESS";
/// Host name of the Redshift endpoint, as its certificate has it.
pub const REDSHIFT_HOST: &str = "REDSHIFT_HOST";
/// Port of the Redshift endpoint.
pub const REDSHIFT_PORT: &str = "REDSHIFT_PORT";
/// Redshift database.
pub const REDSHIFT_DATABASE: &str = "REDSHIFT_DATABASE";
/// Redshift user.
pub const REDSHIFT_USER: &str = "REDSHIFT_USER";
/// PEM file with the certificate authority of the Redshift endpoint.
pub const REDSHIFT_CA_FILE: &str = "REDSHIFT_CA_FILE";
/// Redshift cluster, for the Data API.
pub const REDSHIFT_CLUSTER: &str = "REDSHIFT_CLUSTER";
/// Redshift Serverless workgroup, for the Data API.
pub const REDSHIFT_WORKGROUP: &str = "REDSHIFT_WORKGROUP";
/// Secret of Secrets Manager with Redshift's credentials, for the Data API.
pub const REDSHIFT_SECRET_ARN: &str = "REDSHIFT_SECRET_ARN";
/// Where the Data API's UNLOAD stages rows: `s3://bucket/prefix`.
pub const REDSHIFT_STAGE: &str = "REDSHIFT_STAGE";
/// Role with which UNLOAD writes to the stage.
pub const REDSHIFT_UNLOAD_ROLE: &str = "REDSHIFT_UNLOAD_ROLE";
/// Address of HubSpot's API.
pub const HUBSPOT_URL: &str = "HUBSPOT_URL";
/// Base address of the exchange-rate files.
pub const FX_URL: &str = "FX_URL";
