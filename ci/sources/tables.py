"""The warehouse's tables: columns, the types that Snowflake declares, and their keys.

The same list writes the Parquet files, makes the tables in the server and checks both.
"""

from __future__ import annotations

ID = "NUMBER(38,0)"
AMOUNT = "NUMBER(18,2)"
INSTANT = "TIMESTAMP_NTZ"

TABLES: dict[str, dict[str, str]] = {
    "CUSTOMERS": {
        "CUSTOMER_ID": ID,
        "FIRST_NAME": "VARCHAR",
        "LAST_NAME": "VARCHAR",
        "EMAIL": "VARCHAR",
        "PHONE": "VARCHAR",
        "ADDRESS": "VARCHAR",
        "CITY": "VARCHAR",
        "STATE": "VARCHAR",
        "ZIP": "VARCHAR",
        "COUNTRY": "VARCHAR",
        "BIRTH_DATE": "DATE",
        "INCOME_BAND": "VARCHAR",
        "SSN": "VARCHAR",
        "CREDIT_CARD": "VARCHAR",
        "ACQUISITION_SOURCE": "VARCHAR",
        "UPDATED_AT": INSTANT,
    },
    "PRODUCTS": {
        "PRODUCT_ID": ID,
        "DEPARTMENT": "VARCHAR",
        "BRAND": "VARCHAR",
        "CATEGORY": "VARCHAR",
        "TYPE": "VARCHAR",
        "PACKAGE_SIZE": "VARCHAR",
        "LIST_PRICE": AMOUNT,
        "UNIT_COST": AMOUNT,
        "IS_ACTIVE": "BOOLEAN",
        "UPDATED_AT": INSTANT,
    },
    "ORDERS": {
        "ORDER_ID": ID,
        "CUSTOMER_ID": ID,
        "STORE_ID": ID,
        "ORDERED_AT": INSTANT,
        "CHANNEL": "VARCHAR",
        "CURRENCY": "VARCHAR",
        "STATUS": "VARCHAR",
        "UPDATED_AT": INSTANT,
    },
    "ORDER_ITEMS": {
        "ORDER_ID": ID,
        "LINE_NUMBER": ID,
        "PRODUCT_ID": ID,
        "QUANTITY": ID,
        "GROSS_AMOUNT": AMOUNT,
        "DISCOUNT_AMOUNT": AMOUNT,
        "NET_AMOUNT": AMOUNT,
        "MANUFACTURER_COUPON_AMOUNT": AMOUNT,
        "UPDATED_AT": INSTANT,
    },
    "CAMPAIGNS": {
        "CAMPAIGN_ID": ID,
        "NAME": "VARCHAR",
        "CHANNEL": "VARCHAR",
        "BUDGET": AMOUNT,
        "DAILY_COST": AMOUNT,
        "START_DATE": "DATE",
        "END_DATE": "DATE",
        "UPDATED_AT": INSTANT,
    },
    "CAMPAIGN_TARGETS": {"CAMPAIGN_ID": ID, "CUSTOMER_ID": ID, "UPDATED_AT": INSTANT},
    "COUPON_REDEMPTIONS": {
        "CUSTOMER_ID": ID,
        "COUPON_UPC": ID,
        "CAMPAIGN_ID": ID,
        "REDEEMED_ON": "DATE",
        "UPDATED_AT": INSTANT,
    },
}

KEYS: dict[str, tuple[str, ...]] = {
    "CUSTOMERS": ("CUSTOMER_ID",),
    "PRODUCTS": ("PRODUCT_ID",),
    "ORDERS": ("ORDER_ID",),
    "ORDER_ITEMS": ("ORDER_ID", "LINE_NUMBER"),
    "CAMPAIGNS": ("CAMPAIGN_ID",),
    "CAMPAIGN_TARGETS": ("CAMPAIGN_ID", "CUSTOMER_ID"),
    "COUPON_REDEMPTIONS": ("CUSTOMER_ID", "COUPON_UPC", "CAMPAIGN_ID", "REDEEMED_ON"),
}

# How the types stand in the files. An id is a plain integer there: the server widens it to NUMBER(38,0).
PARQUET_TYPES = {
    ID: "BIGINT",
    AMOUNT: "DECIMAL(18,2)",
    INSTANT: "TIMESTAMP",
    "VARCHAR": "VARCHAR",
    "DATE": "DATE",
    "BOOLEAN": "BOOLEAN",
}


def projection(table: str) -> str:
    """Returns the select list that gives the columns of `table` their types in the files."""
    columns = TABLES[table].items()
    return ", ".join(f"CAST({name} AS {PARQUET_TYPES[kind]}) AS {name}" for name, kind in columns)
