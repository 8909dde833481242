-- The database of the behaviour system, for psql; given `columns` and `password`. Again is the same as once.
-- SUPER does not exist in PostgreSQL; `json` keeps the text as it was written.
SET client_min_messages = warning;
SELECT 'CREATE DATABASE analytics' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'analytics') \gexec
\connect analytics
SET client_min_messages = warning;
REVOKE ALL ON DATABASE analytics FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA IF NOT EXISTS behavior;
CREATE TABLE IF NOT EXISTS behavior.events (:columns);
-- Redshift sorts the table by its SORTKEY instead.
CREATE INDEX IF NOT EXISTS events_loaded_at ON behavior.events (loaded_at);

-- What only the sources know: which batches are in the table, and what was asked.
CREATE SCHEMA IF NOT EXISTS sources;
CREATE TABLE IF NOT EXISTS sources.batches (batch text PRIMARY KEY);
CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA sources;

SELECT 'CREATE ROLE sluice' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sluice') \gexec
ALTER ROLE sluice LOGIN PASSWORD :'password';
ALTER ROLE sluice SET log_statement = 'all';
GRANT CONNECT ON DATABASE analytics TO sluice;
GRANT USAGE ON SCHEMA behavior TO sluice;
GRANT SELECT ON behavior.events TO sluice;
