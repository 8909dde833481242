"""A tiny world of sources in a temporary folder, and the oracle's view of it."""

import json
import tempfile
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow
import pyarrow.parquet

from oracle import pipeline
from oracle.rules import DEFINED
from oracle.tables import ATTRIBUTION_SHARES, TABLES

TOKEN_KEY = ("k1", bytes(range(32)))
ID, AMOUNT, TEXT, INSTANT = pyarrow.int64(), pyarrow.decimal128(18, 2), pyarrow.string(), pyarrow.timestamp("us")
COLUMNS = {
    "CUSTOMERS": {
        "CUSTOMER_ID": ID, "FIRST_NAME": TEXT, "LAST_NAME": TEXT, "EMAIL": TEXT, "PHONE": TEXT, "ADDRESS": TEXT, "CITY": TEXT,
        "STATE": TEXT, "ZIP": TEXT, "COUNTRY": TEXT, "BIRTH_DATE": pyarrow.date32(), "INCOME_BAND": TEXT, "SSN": TEXT,
        "CREDIT_CARD": TEXT, "ACQUISITION_SOURCE": TEXT, "UPDATED_AT": INSTANT,
    },
    "PRODUCTS": {
        "PRODUCT_ID": ID, "DEPARTMENT": TEXT, "BRAND": TEXT, "CATEGORY": TEXT, "TYPE": TEXT, "PACKAGE_SIZE": TEXT,
        "LIST_PRICE": AMOUNT, "UNIT_COST": AMOUNT, "IS_ACTIVE": pyarrow.bool_(), "UPDATED_AT": INSTANT,
    },
    "ORDERS": {
        "ORDER_ID": ID, "CUSTOMER_ID": ID, "STORE_ID": ID, "ORDERED_AT": INSTANT, "CHANNEL": TEXT, "CURRENCY": TEXT,
        "STATUS": TEXT, "UPDATED_AT": INSTANT,
    },
    "ORDER_ITEMS": {
        "ORDER_ID": ID, "LINE_NUMBER": ID, "PRODUCT_ID": ID, "QUANTITY": ID, "GROSS_AMOUNT": AMOUNT, "DISCOUNT_AMOUNT": AMOUNT,
        "NET_AMOUNT": AMOUNT, "MANUFACTURER_COUPON_AMOUNT": AMOUNT, "UPDATED_AT": INSTANT,
    },
    "CAMPAIGNS": {
        "CAMPAIGN_ID": ID, "NAME": TEXT, "CHANNEL": TEXT, "BUDGET": AMOUNT, "DAILY_COST": AMOUNT, "START_DATE": pyarrow.date32(),
        "END_DATE": pyarrow.date32(), "UPDATED_AT": INSTANT,
    },
    "CAMPAIGN_TARGETS": {"CAMPAIGN_ID": ID, "CUSTOMER_ID": ID, "UPDATED_AT": INSTANT},
    "COUPON_REDEMPTIONS": {
        "CUSTOMER_ID": ID, "COUPON_UPC": ID, "CAMPAIGN_ID": ID, "REDEEMED_ON": pyarrow.date32(), "UPDATED_AT": INSTANT,
    },
}  # fmt: skip
EVENTS = pyarrow.schema(
    [("seq", pyarrow.int64()), ("partition", pyarrow.int32()), ("offset", pyarrow.int64()), ("key", pyarrow.binary()),
     ("value", pyarrow.binary()), ("timestamp_ms", pyarrow.int64())]
)  # fmt: skip
BEHAVIOR = pyarrow.schema(
    [("event_id", TEXT), ("session_id", TEXT), ("event_name", TEXT), ("customer_id", TEXT), ("event_ts", INSTANT),
     ("loaded_at", INSTANT), ("device", TEXT), ("geo", TEXT), ("url", TEXT), ("referrer", TEXT), ("utm_source", TEXT),
     ("utm_medium", TEXT), ("utm_campaign", TEXT), ("metadata", TEXT)]
)  # fmt: skip
MILLIS = pyarrow.timestamp("ms")
OBJECTS = pyarrow.schema(
    [("id", ID), ("properties", TEXT), ("created_at", MILLIS), ("updated_at", MILLIS), ("archived", pyarrow.bool_()),
     ("archived_at", MILLIS), ("gone", TEXT), ("merged_into", ID)]
)  # fmt: skip
ASSOCIATIONS = pyarrow.schema([("contact_id", ID), ("company_id", ID), ("type_ids", TEXT), ("present", pyarrow.bool_())])
BATCHES = ("history", "2017-12-30", "2017-12-31", "2018-01-01")
# USD per EUR, CHF per EUR of Friday 2017-12-29, as plain as rates can be.
FRIDAY = "2017-12-29"
RATES = {FRIDAY: {"USD": "1.2", "CHF": "1.17"}}


def at(text):
    """Returns an instant in UTC."""
    return datetime.fromisoformat(text)


class World:
    """Rows and events of the batches, added one by one."""

    def __init__(self):
        self.rows, self.events, self.fx = {}, [], {"history": RATES}
        self.behavior, self.crm = {}, {}

    def row(self, batch, table, updated_at, **values):
        """A row of the warehouse; columns that are not named are null."""
        values = {name.upper(): Decimal(value) if isinstance(value, str) and COLUMNS[table][name.upper()] == AMOUNT else value
                  for name, value in values.items()}  # fmt: skip
        self.rows.setdefault((batch, table), []).append(values | {"UPDATED_AT": at(updated_at)})

    def order(self, order_id, ordered_at, lines, batch="history", customer_id=1, currency="USD", updated_at="2017-12-29T12:00"):
        """A warehouse order; lines are (product_id, quantity, gross, discount, coupon)."""
        self.row(batch, "ORDERS", updated_at, order_id=order_id, customer_id=customer_id, store_id=1, ordered_at=at(ordered_at),
                 channel="store", currency=currency, status="DELIVERED")  # fmt: skip
        for number, (product_id, quantity, gross, discount, coupon) in enumerate(lines, 1):
            self.row(batch, "ORDER_ITEMS", updated_at, order_id=order_id, line_number=number, product_id=product_id,
                     quantity=quantity, gross_amount=gross, discount_amount=discount,
                     net_amount=str(Decimal(gross) - Decimal(discount)), manufacturer_coupon_amount=coupon)  # fmt: skip

    def record(self, batch, value):
        """A Kafka record as bytes, all in one partition."""
        self.events.append((batch, value))

    def event(self, batch, event_type, order_id, event_ts, event_id=None, **fields):
        """A Kafka record of an event."""
        known = {"event_id": event_id or f"{order_id}-{event_type}-{event_ts}", "event_type": event_type, "order_id": order_id,
                 "event_ts": event_ts, "customer_id": "1", "store_id": 1}  # fmt: skip
        self.record(batch, json.dumps(known | fields).encode())

    def placed(self, batch, order_id, event_ts, lines, currency="USD", **fields):
        """A PLACED event; lines are (product_id, quantity, gross, discount, coupon)."""
        self.event(batch, "PLACED", order_id, event_ts, currency=currency, channel="store", lines=event_lines(lines), **fields)

    def returned(self, batch, order_id, event_ts, lines, **fields):
        """A RETURNED event; lines are {line_number: (product_id, quantity, gross, discount, coupon)}."""
        listed = [one | {"line_number": number} for number, one in zip(lines, event_lines(lines.values()))]
        self.event(batch, "RETURNED", order_id, event_ts, lines=listed, **fields)

    def touch(self, batch, event_id, event_ts, customer_id=None, session_id=None, loaded_at=None, **values):
        """A row of the behaviour system, by default of a session of its own and loaded when it happened."""
        known = {"event_name": "page_view", "utm_campaign": None, "customer_id": customer_id and str(customer_id)}
        times = {"event_ts": event_ts and at(event_ts), "loaded_at": at(loaded_at or event_ts)}
        row = known | {"event_id": event_id, "session_id": session_id or f"s-{event_id}"} | times | values
        self.behavior.setdefault(batch, []).append(row)

    def crm_object(self, batch, file, number, updated_at, archived_at=None, gone=None, **properties):
        """An object of the CRM as it stands after a batch."""
        row = {"id": number, "properties": json.dumps(properties), "created_at": at("2017-01-01"), "updated_at": at(updated_at),
               "archived": archived_at is not None, "archived_at": archived_at and at(archived_at), "gone": gone}  # fmt: skip
        self.crm.setdefault((batch, file), []).append(row)

    def contact(self, batch, number, updated_at, **values):
        """A contact of the CRM."""
        self.crm_object(batch, "contacts", number, updated_at, **values)

    def company(self, batch, number, updated_at, **values):
        """A company of the CRM."""
        self.crm_object(batch, "companies", number, updated_at, **values)

    def association(self, batch, contact, company, primary=False, present=True):
        """What a contact is to a company after a batch."""
        types = [{"category": "HUBSPOT_DEFINED", "typeId": 279, "label": None}]
        types += [{"category": "HUBSPOT_DEFINED", "typeId": 1, "label": "Primary"}] * primary
        row = {"contact_id": contact, "company_id": company, "type_ids": json.dumps(types), "present": present}
        self.crm.setdefault((batch, "associations"), []).append(row)

    def write_crm_and_behavior(self, folder, batch):
        """Writes the parts of a batch that come from the CRM and the behaviour system."""
        for part, name, rows, schema in (
            ("behavior", "events", self.behavior.get(batch, []), BEHAVIOR),
            ("hubspot", "contacts", self.crm.get((batch, "contacts"), []), OBJECTS),
            ("hubspot", "companies", self.crm.get((batch, "companies"), []), OBJECTS),
            ("hubspot", "associations", self.crm.get((batch, "associations"), []), ASSOCIATIONS),
        ):
            (folder / batch / part).mkdir(parents=True, exist_ok=True)
            pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema), folder / batch / part / f"{name}.parquet")

    def write(self, folder):
        """Writes the folder that the sources would have published."""
        offset = 0
        for batch in BATCHES:
            self.write_crm_and_behavior(folder, batch)
            for part in ("warehouse", "fx"):
                (folder / batch / part).mkdir(parents=True)
            for table, columns in COLUMNS.items():
                rows = self.rows.get((batch, table), [])
                arrays = [pyarrow.array([row.get(name) for row in rows], kind) for name, kind in columns.items()]
                pyarrow.parquet.write_table(
                    pyarrow.table(arrays, names=list(columns)), folder / batch / "warehouse" / f"{table}.parquet"
                )
            values = [value for one, value in self.events if one == batch]
            rows = [(offset + index, 0, offset + index, b"key", value, 0) for index, value in enumerate(values)]
            offset += len(values)
            pyarrow.parquet.write_table(
                pyarrow.Table.from_pylist([dict(zip(EVENTS.names, row)) for row in rows], EVENTS), folder / batch / "events.parquet"
            )
            self.fx.setdefault(batch, self.fx["history"])
            write_rates(folder / batch / "fx" / "eurofxref-hist.csv", self.fx[batch])

    @contextmanager
    def oracle(self, through=None, rules=DEFINED):
        """Writes the world and yields a function: table name -> rows as dictionaries, money as integers of the last digit."""
        with self.bench(through) as bench:
            yield lambda name: rows_of(bench, name, rules)

    @contextmanager
    def bench(self, through=None):
        """Writes the world and yields its workbench, which judges every table."""
        with tempfile.TemporaryDirectory() as folder:
            self.write(Path(folder))
            yield pipeline.workbench(folder, TOKEN_KEY, through)


def rows_of(bench, name, rules=DEFINED):
    """Returns a stage's rows as dictionaries, ordered by its key."""
    key = {table.name: table.key for table in (*TABLES, ATTRIBUTION_SHARES)}.get(name, ("1",))
    cursor = bench.connection.execute(f"SELECT * FROM {bench.get(name, rules)} ORDER BY {', '.join(key)}")
    names = [one[0] for one in cursor.description]
    return [dict(zip(names, row)) for row in cursor.fetchall()]


def event_lines(lines):
    """Returns the lines of an event as JSON holds them."""
    return [
        {"line_number": number, "product_id": str(product_id), "quantity": quantity, "gross_amount": gross, "discount_amount": discount,
         "net_amount": str(Decimal(gross) - Decimal(discount)), "manufacturer_coupon_amount": coupon}
        for number, (product_id, quantity, gross, discount, coupon) in enumerate(lines, 1)
    ]  # fmt: skip


def write_rates(path, rates):
    """Writes the ECB's file: newest first, an empty column at the end."""
    currencies = sorted({currency for values in rates.values() for currency in values})
    lines = ["Date," + ",".join(currencies) + ","]
    for day in sorted(rates, reverse=True):
        lines.append(f"{day}," + ",".join(rates[day].get(currency, "N/A") for currency in currencies) + ",")
    path.write_text("\n".join(lines) + "\n")


def day(text):
    """Returns a date."""
    return date.fromisoformat(text)
