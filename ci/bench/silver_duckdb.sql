-- Decodes order events and merges them into a table of orders: what `silverize silver_orders` does, as DuckDB does it best.
-- One row per order. Key: order_id. Variables: `bronze`, the files to read; `stored`, a query of the table as it was; `output` and
-- `quarantine`, the files to write; `run_id` and `ingested_at`. See silver_duckdb.py.
SET threads = 2;
SET preserve_insertion_order = false;

-- Texts are trimmed, and some of them stand for null.
CREATE MACRO clean(given) AS CASE WHEN lower(trim(given)) IN ('', 'null', 'n/a', 'none', 'nan') THEN NULL ELSE trim(given) END;

CREATE MACRO line_good(line) AS
    line.line_number >= 1 AND clean(line.product_id) IS NOT NULL AND line.quantity >= 0
    AND line.net_amount = line.gross_amount - line.discount_amount AND line.manufacturer_coupon_amount IS NOT NULL;

CREATE MACRO line_returned_good(line) AS
    least(line.gross_amount, line.discount_amount, line.net_amount, line.manufacturer_coupon_amount) >= 0
    AND greatest(line.quantity, line.gross_amount, line.discount_amount, line.net_amount, line.manufacturer_coupon_amount) > 0;

-- `<time>|<place>|<identity>`: text that sorts. The time's sign bit is turned over.
CREATE MACRO version(happened_at, kafka_partition, kafka_offset, identity) AS
    printf('%016x|r%05d/%016d|%s', epoch_us(happened_at)::UBIGINT + 9223372036854775808::UBIGINT, kafka_partition, kafka_offset, identity);

CREATE TEMP TABLE events AS
WITH texts AS (
    SELECT decode(_payload) AS payload, _partition, _offset, _window_from FROM read_parquet(getvariable('bronze'))
),
parsed AS (
    -- Behind the schema registry's prefix of five bytes, or plain.
    SELECT
        from_json(
            CASE WHEN starts_with(payload, chr(0)) THEN substr(payload, 6) ELSE payload END,
            '{"event_id": "VARCHAR", "event_type": "VARCHAR", "order_id": "VARCHAR", "customer_id": "VARCHAR", "store_id": "BIGINT",
              "event_ts": "VARCHAR", "channel": "VARCHAR", "currency": "VARCHAR",
              "payment": {"method": "VARCHAR", "card_last4": "VARCHAR"},
              "lines": [{"line_number": "INTEGER", "product_id": "VARCHAR", "quantity": "BIGINT", "gross_amount": "DECIMAL(18,2)",
                         "discount_amount": "DECIMAL(18,2)", "net_amount": "DECIMAL(18,2)",
                         "manufacturer_coupon_amount": "DECIMAL(18,2)"}]}'
        ) AS event,
        payload, _partition, _offset, _window_from
    FROM texts
),
typed AS (
    SELECT
        clean(event.event_id) AS event_id,
        upper(clean(event.event_type)) AS event_type,
        clean(event.order_id) AS order_id,
        TRY_CAST(clean(event.event_ts) AS TIMESTAMP) AS event_ts,
        clean(event.customer_id) AS customer_id,
        event.store_id AS store_id,
        lower(clean(event.channel)) AS channel,
        upper(clean(event.currency)) AS currency,
        clean(event.payment.method) AS payment_method,
        clean(event.payment.card_last4) AS card_last4,
        event.lines AS lines,
        payload, _partition, _offset, _window_from
    FROM parsed
),
judged AS (
    SELECT
        * EXCLUDE (lines),
        coalesce(
            event_id IS NOT NULL AND order_id IS NOT NULL AND event_ts IS NOT NULL
            AND event_type IN ('PLACED', 'PAID', 'SHIPPED', 'DELIVERED', 'RETURNED', 'CANCELLED')
            AND (event_type <> 'PLACED' OR (
                customer_id IS NOT NULL AND store_id IS NOT NULL AND channel IS NOT NULL
                AND currency IN (
                    'AUD', 'BGN', 'BRL', 'CAD', 'CHF', 'CNY', 'CYP', 'CZK', 'DKK', 'EEK', 'EUR', 'GBP', 'HKD', 'HRK', 'HUF', 'IDR',
                    'ILS', 'INR', 'ISK', 'JPY', 'KRW', 'LTL', 'LVL', 'MTL', 'MXN', 'MYR', 'NOK', 'NZD', 'PHP', 'PLN', 'ROL', 'RON',
                    'RUB', 'SEK', 'SGD', 'SIT', 'SKK', 'THB', 'TRL', 'TRY', 'USD', 'ZAR'
                )
            ))
            AND (event_type NOT IN ('PLACED', 'RETURNED') OR (
                len(lines) > 0
                AND len(list_distinct(list_transform(lines, lambda line: line.line_number))) = len(lines)
                AND list_bool_and(list_transform(lines, lambda line: coalesce(line_good(line), false)))
            ))
            AND (event_type <> 'RETURNED' OR list_bool_and(list_transform(lines, lambda line: line_returned_good(line)))),
            false
        ) AS good
    FROM typed
)
SELECT
    * EXCLUDE (payload),
    CASE WHEN NOT good THEN payload END AS payload,
    -- One number per record, that sorts records as the topic has them.
    _partition * 10_000_000_000_000_000 + _offset AS place,
    version(event_ts, _partition, _offset, event_id) AS version,
    epoch_us(_window_from) - epoch_us(event_ts) > 86_400_000_000 AS is_late
FROM judged;

COPY (SELECT payload, _partition, _offset FROM events WHERE NOT good)
TO (getvariable('quarantine')) (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1);

CREATE MACRO rank_of(status) AS
    list_position(['PLACED', 'PAID', 'SHIPPED', 'DELIVERED', 'RETURNED', 'CANCELLED'], status);
CREATE MACRO status_of(rank) AS
    ['PLACED', 'PAID', 'SHIPPED', 'DELIVERED', 'RETURNED', 'CANCELLED'][rank];

-- Per order and column group the highest (time, place); of equal events the first one counts.
CREATE TEMP TABLE incoming AS
WITH firsts AS (
    SELECT min(place) AS place FROM events WHERE good GROUP BY event_id
),
distinct_events AS (
    SELECT events.* FROM events SEMI JOIN firsts USING (place)
)
SELECT
    order_id,
    max(rank_of(event_type)) AS rank,
    arg_max(
        {happened_at: event_ts, version: version, customer_id: customer_id, store_id: store_id, channel: channel,
         currency: currency, is_late: is_late}, (event_ts, place)
    ) FILTER (event_type = 'PLACED') AS header,
    arg_max(
        {happened_at: event_ts, version: version, payment_method: payment_method, card_last4: card_last4}, (event_ts, place)
    ) FILTER (event_type = 'PAID') AS payment,
    arg_max({happened_at: event_ts, version: version}, (event_ts, place)) FILTER (event_type = 'SHIPPED') AS shipped,
    arg_max({happened_at: event_ts, version: version}, (event_ts, place)) FILTER (event_type = 'DELIVERED') AS delivered,
    arg_max({happened_at: event_ts, version: version}, (event_ts, place)) FILTER (event_type = 'RETURNED') AS returned,
    arg_max({happened_at: event_ts, version: version}, (event_ts, place)) FILTER (event_type = 'CANCELLED') AS cancelled
FROM distinct_events GROUP BY order_id;

-- What a run without a table begins with.
CREATE TEMP TABLE no_orders (
    order_id VARCHAR, customer_id VARCHAR, store_id BIGINT, ordered_at TIMESTAMPTZ, channel VARCHAR, currency VARCHAR,
    status VARCHAR, source VARCHAR, payment_method VARCHAR, card_last4 VARCHAR, card_last4_masked VARCHAR,
    placed_at TIMESTAMPTZ, paid_at TIMESTAMPTZ, shipped_at TIMESTAMPTZ, delivered_at TIMESTAMPTZ, returned_at TIMESTAMPTZ,
    cancelled_at TIMESTAMPTZ, is_late BOOLEAN, _header_version VARCHAR, _payment_version VARCHAR, _shipped_version VARCHAR,
    _delivered_version VARCHAR, _returned_version VARCHAR, _cancelled_version VARCHAR, _run_id VARCHAR, _ingested_at TIMESTAMPTZ
);

-- A group is replaced by a later event, and not by the same event once more.
CREATE MACRO newer(version, known) AS
    version IS NOT NULL
    AND (known IS NULL OR (version > known AND split_part(version, '|', 3) <> split_part(known, '|', 3)));

CREATE MACRO newest(is_newer, given, known) AS CASE WHEN is_newer THEN given ELSE known END;

COPY (
    WITH joined AS (
        SELECT
            *,
            newer(header.version, _header_version) AS new_header,
            newer(payment.version, _payment_version) AS new_payment,
            newer(shipped.version, _shipped_version) AS new_shipped,
            newer(delivered.version, _delivered_version) AS new_delivered,
            newer(returned.version, _returned_version) AS new_returned,
            newer(cancelled.version, _cancelled_version) AS new_cancelled,
            coalesce(rank > rank_of(status), false) AS new_status
        FROM incoming FULL JOIN query(getvariable('stored')) AS stored USING (order_id)
    ),
    merged AS (
        SELECT
            * REPLACE (
                newest(new_header, header.customer_id, customer_id) AS customer_id,
                newest(new_header, header.store_id, store_id) AS store_id,
                newest(new_header, header.happened_at::TIMESTAMPTZ, ordered_at) AS ordered_at,
                newest(new_header, header.channel, channel) AS channel,
                newest(new_header, header.currency, currency) AS currency,
                status_of(greatest(rank, rank_of(status))) AS status,
                newest(new_header, 'kafka', source) AS source,
                newest(new_payment, payment.payment_method, payment_method) AS payment_method,
                newest(new_payment, payment.card_last4, card_last4) AS card_last4,
                newest(new_header, header.happened_at::TIMESTAMPTZ, placed_at) AS placed_at,
                newest(new_payment, payment.happened_at::TIMESTAMPTZ, paid_at) AS paid_at,
                newest(new_shipped, shipped.happened_at::TIMESTAMPTZ, shipped_at) AS shipped_at,
                newest(new_delivered, delivered.happened_at::TIMESTAMPTZ, delivered_at) AS delivered_at,
                newest(new_returned, returned.happened_at::TIMESTAMPTZ, returned_at) AS returned_at,
                newest(new_cancelled, cancelled.happened_at::TIMESTAMPTZ, cancelled_at) AS cancelled_at,
                newest(new_header, header.is_late, is_late) AS is_late,
                newest(new_header, header.version, _header_version) AS _header_version,
                newest(new_payment, payment.version, _payment_version) AS _payment_version,
                newest(new_shipped, shipped.version, _shipped_version) AS _shipped_version,
                newest(new_delivered, delivered.version, _delivered_version) AS _delivered_version,
                newest(new_returned, returned.version, _returned_version) AS _returned_version,
                newest(new_cancelled, cancelled.version, _cancelled_version) AS _cancelled_version
            ),
            new_header OR new_payment OR new_shipped OR new_delivered OR new_returned OR new_cancelled OR new_status AS changed
        FROM joined
    )
    SELECT
        order_id, customer_id, store_id, ordered_at, channel, currency, status, source, payment_method, card_last4,
        CASE WHEN card_last4 IS NOT NULL THEN '[redacted]' END AS card_last4_masked,
        placed_at, paid_at, shipped_at, delivered_at, returned_at, cancelled_at, is_late,
        _header_version, _payment_version, _shipped_version, _delivered_version, _returned_version, _cancelled_version,
        newest(changed, getvariable('run_id'), _run_id) AS _run_id,
        newest(changed, getvariable('ingested_at')::TIMESTAMPTZ, _ingested_at) AS _ingested_at
    FROM merged
) TO (getvariable('output')) (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1);
