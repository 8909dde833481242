-- What makes an empty database of PostgreSQL pass for Redshift as far as a window with a SUPER column goes; for psql.
-- PostgreSQL parses JSON_SERIALIZE itself, so that no function can take its place. It casts to json what is not json, and the
-- cast of the type below answers as the service does: the text `null` for NULL, an error for what VARCHAR does not hold.
CREATE SCHEMA service;
CREATE TYPE service.super;
CREATE FUNCTION service.super_in(cstring) RETURNS service.super LANGUAGE internal IMMUTABLE STRICT AS 'json_in';
CREATE FUNCTION service.super_out(service.super) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'json_out';
CREATE TYPE service.super (
    INPUT = service.super_in, OUTPUT = service.super_out, INTERNALLENGTH = VARIABLE, STORAGE = extended, CATEGORY = 'S'
);
CREATE FUNCTION service.serialized(given service.super) RETURNS json LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF octet_length(given::text) > 65535 THEN
        RAISE EXCEPTION 'Invalid input' USING ERRCODE = 'XX000',
            DETAIL = E'error:  Invalid input\ncode:  8001\ncontext:  String value exceeds the max size of 65535 bytes';
    END IF;
    RETURN coalesce(given::text, 'null')::json;
END $$;
CREATE CAST (service.super AS json) WITH FUNCTION service.serialized(service.super);
-- A stand-in that is kinder than the service proves nothing.
DO $$ BEGIN ASSERT JSON_SERIALIZE(NULL::service.super) = 'null', 'JSON_SERIALIZE of NULL is not the text null'; END $$;

CREATE FUNCTION service.version() RETURNS text LANGUAGE sql STABLE AS
    $$ SELECT 'PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2, Redshift 1.0.103024' $$;
CREATE VIEW service.svv_columns AS
    SELECT table_schema, table_name, ordinal_position, column_name, numeric_precision, numeric_scale,
        CASE WHEN udt_schema = 'service' THEN udt_name::text ELSE data_type::text END AS data_type
    FROM information_schema.columns;
CREATE SCHEMA behavior;
CREATE TABLE behavior.events (
    event_id varchar(64), session_id varchar(64), event_name varchar(32), customer_id varchar(32), event_ts timestamp,
    loaded_at timestamp, device varchar(32), geo varchar(64), url varchar(2048), referrer varchar(2048), utm_source varchar(64),
    utm_medium varchar(64), utm_campaign varchar(128), metadata service.super
);
GRANT USAGE ON SCHEMA behavior, service TO sluice;
GRANT SELECT ON behavior.events, service.svv_columns TO sluice;
-- So that the service's names are found before PostgreSQL's own.
ALTER DATABASE :"DBNAME" SET search_path = service, pg_catalog;
