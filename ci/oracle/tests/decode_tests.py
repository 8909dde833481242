"""Kafka records one by one: what is repaired, what is rejected."""

import json
from datetime import datetime

from oracle import decode, text
from oracle.rules import DEFINED, Rules

LINE = {"line_number": 1, "product_id": "7", "quantity": 2, "gross_amount": 3.50, "discount_amount": 0.50, "net_amount": 3.00,
        "manufacturer_coupon_amount": 0}  # fmt: skip
PLACED = {"event_id": "e1", "event_type": "PLACED", "order_id": "o1", "customer_id": "1", "store_id": 5,
          "event_ts": "2017-12-30T10:00:00Z", "currency": "CHF", "channel": "store", "lines": [LINE]}  # fmt: skip


def _event(rules=DEFINED, **fields):
    return decode.event(json.dumps(PLACED | fields).encode(), rules)


def _broken(value):
    try:
        decode.event(value, DEFINED)
    except decode.Broken as error:
        return str(error)
    return None


def undecodable_records_are_told_from_broken_ones():
    whole = json.dumps(PLACED).encode()
    for value in (None, b"", whole[:-5], b"\xff\xfe{}", b"[]", b"3", b'"text"', b"\x00\x00\x00\x00\x07", b"NaN", b'{"a": Infinity}'):
        assert _broken(value) == "payload_undecodable", value
    assert _broken(json.dumps(PLACED | {"event_ts": "2017-13-30T10:00:00Z"}).encode()) == "event_ts"
    assert _broken(json.dumps(PLACED | {"event_type": "SHIPPED_BACK"}).encode()) == "event_type"
    assert _broken(json.dumps(PLACED | {"order_id": " null "}).encode()) == "required"


def the_confluent_prefix_is_taken_off():
    assert decode.event(b"\x00\x00\x00\x00\x07" + json.dumps(PLACED).encode(), DEFINED) == _event()


def numbers_as_text_nulls_as_text_case_and_padding_are_repaired():
    line = LINE | {"quantity": " 2 ", "gross_amount": "3.5", "net_amount": "3.00", "line_number": "1", "product_id": 7}
    written = _event(event_type=" placed", channel=" STORE ", currency="chf ", store_id="5", unknown_field={"a": 1}, lines=[line])
    assert written == _event()
    assert _event(Rules(numbers_as_text_rejected=True), store_id="5").body == "number"


def amounts_have_at_most_two_decimals_and_net_is_gross_less_discount():
    assert _event(lines=[LINE | {"gross_amount": 3.505, "net_amount": 3.005}]).body == "number"
    assert _event(lines=[LINE | {"gross_amount": "3.500"}]).body is None
    assert _event(lines=[LINE | {"net_amount": 3.01}]).body == "net_amount"
    assert _event(lines=[LINE | {"manufacturer_coupon_amount": None}]).body == "required"


def a_line_breaks_its_whole_event():
    assert _event(lines=[LINE, LINE | {"line_number": 2, "quantity": -1}]).body == "quantity"
    assert len(_event(lines=[LINE, LINE | {"line_number": 2, "quantity": -1}]).lines) == 2
    assert _event(lines=[LINE | {"line_number": 0}]).body == "line_number"
    assert _event(lines=[]).body == _event(lines=None).body == "lines"
    assert _event(lines=[LINE | {"quantity": 0}]).body is None
    assert _event(currency="XXX").body == "currency"
    assert _event(currency="THB").body is None


def equal_lines_collapse_and_a_number_with_two_contents_breaks_the_event():
    assert len(_event(lines=[LINE, LINE | {"net_amount": "3.0"}]).lines) == 1
    assert _event(lines=[LINE, LINE | {"quantity": 3}]).body == "line_number"


def a_returned_line_returns_something_and_nothing_negative():
    nothing = {"quantity": 0, "gross_amount": 0, "discount_amount": 0, "net_amount": 0}
    assert _event(event_type="RETURNED", lines=[LINE]).body is None
    assert _event(event_type="RETURNED", lines=[LINE | nothing]).body == "returned"
    assert _event(event_type="RETURNED", lines=[LINE | nothing | {"manufacturer_coupon_amount": 1}]).body is None
    negative = {"gross_amount": -1, "discount_amount": 0, "net_amount": -1}
    assert _event(event_type="RETURNED", lines=[LINE | negative]).body == "returned"
    # Only PLACED needs a currency, a channel and a customer.
    assert _event(event_type="RETURNED", currency=None, channel=None, customer_id=None, store_id="x").body is None


def instants_are_rfc_3339_in_any_offset():
    expected = decode.micros(datetime(2017, 12, 30, 10))
    for written in ("2017-12-30T10:00:00Z", "2017-12-30T05:00:00-05:00", " 2017-12-30t11:30:00.000+01:30 "):
        assert _event(event_ts=written).event_ts == expected, written
    assert _event(event_ts="2017-12-30T10:00:00.1234567Z").event_ts == expected + 123456
    for written in ("2017-12-30T10:00:00", "2017-12-30", "30.12.2017 10:00", "2017-02-29T00:00:00Z"):
        assert _broken(json.dumps(PLACED | {"event_ts": written}).encode()) == "event_ts", written


def events_outside_the_calendar_are_broken():
    for written in ("1999-01-02T00:00:00Z", "2035-12-31T23:59:59.999999Z", "2036-01-01T00:30:00+01:00"):
        assert _event(event_ts=written).event_ts, written
    for written in ("1999-01-01T23:59:59.999999Z", "2036-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z"):
        for event_type in ("PLACED", "SHIPPED", "CANCELLED"):
            assert _broken(json.dumps(PLACED | {"event_ts": written, "event_type": event_type}).encode()) == "event_ts", written


def phones_become_e164_or_null():
    for written in ("(513) 555-0123", "513.555.0123", "513-555-0123", "5135550123", "+1 513 555 0123", "1-513-555-0123"):
        assert text.phone_number(written) == "+15135550123", written
    assert text.phone_number("+44 78 12345 67") == "+447812345 67".replace(" ", "")
    for written in ("555-0123", "ask reception", "+", "000000"):
        assert text.phone_number(written) is None, written


def countries_become_codes():
    for written in ("US", "usa", "United States", "us"):
        assert text.country_code(written) == "US", written
    assert text.country_code("germany") == "DE"
    assert text.country_code("Atlantis") is None


def masks_and_published_parts():
    assert text.email_masked("ada@norvane.io") == "a***@norvane.io"
    assert text.email_domain_class("ada@gmail.com") == "consumer"
    assert text.email_domain_class("ada@notgmail.com") == "company"
    assert text.phone_masked("+15135550123") == "***23"
    assert text.name_masked("Ada") == "A."
    assert text.name_initials("ada", "lovelace") == "A.L."
    assert text.birth_decade(datetime(1980, 1, 1)) == "1980s"
    assert text.birth_decade(datetime(1979, 12, 31)) == "1970s"
    assert text.email_domain_class(None) is text.redacted(None) is text.birth_decade(None) is None
