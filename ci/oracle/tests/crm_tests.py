"""Contacts, companies and their associations in Silver, worked out by hand."""

from oracle import ledger
from oracle.rules import Rules
from oracle.tests.world import World, at, day


def _counted(world, table):
    with world.bench() as bench:
        return {
            batch: {name: count for name, count in buckets.items() if count}
            for (batch, name, _), buckets in ledger.counted(bench).items()
            if name == table and sum(buckets.values())
        }


def a_window_of_the_crm_looks_an_hour_back():
    world = World()
    world.contact("2017-12-30", 1, "2017-12-29T23:00:00.000", lifecyclestage="lead")
    world.contact("2017-12-30", 2, "2017-12-29T22:59:59.999", lifecyclestage="lead")
    world.contact("2017-12-30", 3, "2017-12-30T23:59:59.999", lifecyclestage="lead")
    with world.oracle() as table:
        assert [row["contact_id"] for row in table("silver_contacts")] == ["1", "3"]
    with world.oracle(rules=Rules(hubspot_lookback_ignored=True)) as table:
        assert [row["contact_id"] for row in table("silver_contacts")] == ["3"]
    assert _counted(world, "silver_contacts") == {"2017-12-30": {"accepted": 2}, "2017-12-31": {"duplicate": 1}}


def contacts_are_repaired_and_have_twins():
    world = World()
    world.contact("history", 51, "2017-01-02T10:00:00.123", email=" ADA@Gmail.com ", firstname="ada", lastname=" N/A ",
                  phone="513.555.0123", address=" 1 Elm ", city="Cincinnati", state="oh", zip="45202", country="united states",
                  date_of_birth="1980-05-06", annual_income=" 61500.5 ", external_customer_id=" 7 ", lifecyclestage=" Lead",
                  hs_lead_status="NEW", hs_analytics_source="", hubspot_owner_id="41")  # fmt: skip
    world.contact("history", 52, "2017-01-02T10:00", country="Wonderland", phone="ask reception", date_of_birth="1971-13-03",
                  annual_income="61500.125")  # fmt: skip
    with world.oracle() as table:
        row, other = table("silver_contacts")
    assert (row["email"], row["email_masked"], row["phone"], row["phone_masked"]) == (
        "ada@gmail.com", "a***@gmail.com", "+15135550123", "***23",
    )  # fmt: skip
    assert (row["first_name"], row["first_name_masked"], row["last_name"], row["last_name_masked"]) == ("ada", "A.", None, None)
    assert (row["address"], row["address_masked"], row["state"], row["country"], row["zip"]) == (
        "1 Elm", "[redacted]", "OH", "US", "45202",
    )  # fmt: skip
    assert (row["birth_date"], row["birth_date_masked"], row["annual_income"]) == (day("1980-05-06"), "1980s", 6150050)
    assert (row["customer_id"], row["lifecycle_stage"], row["lead_status"], row["analytics_source"]) == ("7", "lead", "NEW", None)
    assert (row["created_at"], row["updated_at"], row["deleted_at"]) == (at("2017-01-01"), at("2017-01-02T10:00:00.123"), None)
    assert {other[name] for name in ("country", "phone", "birth_date", "birth_date_masked", "annual_income", "email_masked")} == {None}


def what_vanishes_leaves_tombstones():
    world = World()
    for number in (1, 2, 3, 4):
        world.contact("history", number, "2017-06-01T12:00", email=f"c{number}@gmail.com", lifecyclestage="lead")
    # Archived before anybody saw it.
    world.contact("history", 5, "2017-06-01T12:00", archived_at="2017-06-02T12:00", email="c5@gmail.com")
    world.contact("2017-12-30", 1, "2017-06-01T12:00", archived_at="2017-12-30T15:00", email="c1@gmail.com")
    world.contact("2017-12-30", 2, "2017-12-30T15:00", gone="deleted")
    world.contact("2017-12-30", 3, "2017-12-30T15:00", gone="merged")
    # What is archived and then deleted stays archived; what is archived can come back.
    world.contact("2017-12-31", 1, "2017-12-31T15:00", gone="deleted")
    world.contact("2017-12-31", 5, "2017-12-31T16:00", email="c5@gmail.com", lifecyclestage="customer")
    with world.oracle() as table:
        rows = {row["contact_id"]: row for row in table("silver_contacts")}
        deleted = {contact_id: row["deleted_at"] for contact_id, row in rows.items()}
        assert deleted == {
            "1": at("2017-12-30T15:00"), "2": at("2017-12-31T00:00"), "3": at("2017-12-31T00:00"), "4": None, "5": None,
        }  # fmt: skip
        tombstone = rows["1"]
        assert tombstone["updated_at"] == at("2017-12-30T15:00")
        assert {name for name, value in tombstone.items() if value is not None} == {"contact_id", "updated_at", "deleted_at"}
        history = [
            (row["changed_at"], row["valid_to"], row["deleted_at"], row["lifecycle_stage"])
            for row in table("silver_contacts_history") if row["contact_id"] == "5"
        ]  # fmt: skip
        assert history == [
            (at("2017-06-02T12:00"), at("2017-12-31T16:00"), at("2017-06-02T12:00"), None),
            (at("2017-12-31T16:00"), None, None, "customer"),
        ]
    with world.oracle(rules=Rules(sweep_ignored=True)) as table:
        assert [row["contact_id"] for row in table("silver_contacts")] == ["1", "2", "3", "4", "5"]
        assert {row["deleted_at"] for row in table("silver_contacts")} == {None}
    accepted = {"history": {"accepted": 5}, "2017-12-30": {"accepted": 3}, "2017-12-31": {"accepted": 1}}
    assert _counted(world, "silver_contacts") == _counted(world, "silver_contacts_history") == accepted


def an_older_state_that_comes_late_enters_the_history_alone():
    world = World()
    world.contact("2017-12-30", 1, "2017-12-30T23:50", lifecyclestage="customer")
    world.contact("2017-12-31", 1, "2017-12-30T23:10", lifecyclestage="lead")
    with world.oracle() as table:
        assert [row["lifecycle_stage"] for row in table("silver_contacts")] == ["customer"]
        assert [row["lifecycle_stage"] for row in table("silver_contacts_history")] == ["lead", "customer"]
    assert _counted(world, "silver_contacts")["2017-12-31"] == {"superseded": 1}
    assert _counted(world, "silver_contacts_history")["2017-12-31"] == {"accepted": 1}


def a_company_with_an_unreadable_number_is_quarantined_until_it_is_mended():
    world = World()
    world.company("history", 1, "2017-12-29T23:30", name=" Norvane ", domain=" Norvane.IO", numberofemployees="about forty")
    world.company("history", 2, "2017-06-01T12:00", name="Halden", numberofemployees="", annualrevenue="987654.25", country="DE")
    world.company("2017-12-31", 1, "2017-12-31T12:00", name="Norvane", domain=" Norvane.IO", numberofemployees=" 40 ")
    with world.oracle("2017-12-30") as table:
        assert [row["company_id"] for row in table("silver_companies")] == ["2"]
    with world.oracle() as table:
        mended, other = table("silver_companies")
    assert (mended["name"], mended["domain"], mended["number_of_employees"]) == ("Norvane", "norvane.io", 40)
    assert (other["number_of_employees"], other["annual_revenue"], other["country"], other["domain"]) == (None, 98765425, "DE", None)
    # It lands again in the last hour's overlap, and is broken again.
    assert _counted(world, "silver_companies") == {
        "history": {"accepted": 1, "quarantined": 1}, "2017-12-30": {"quarantined": 1}, "2017-12-31": {"accepted": 1},
    }  # fmt: skip


def an_association_has_the_time_over_which_it_stood():
    world = World()
    for number in (1, 2):
        world.contact("history", number, "2017-06-01T12:00")
        world.company("history", 10 + number, "2017-06-01T12:00", name=f"company {number}")
    world.association("history", 1, 11, primary=True)
    world.association("history", 1, 12)
    world.association("history", 2, 11, primary=True)
    # The primary one changes sides: both land, both have been there all the time.
    world.association("2017-12-30", 1, 11)
    world.association("2017-12-30", 1, 12, primary=True)
    # Removed, and there again two days later.
    world.association("2017-12-30", 2, 11, present=False)
    world.association("2018-01-01", 2, 11)
    # The contact is archived, its associations with it.
    world.contact("2017-12-31", 1, "2017-06-01T12:00", archived_at="2017-12-31T10:00")
    with world.oracle("2017-12-30") as table:
        assert [tuple(row.values()) for row in table("silver_contact_companies")] == [
            ("1", "11", False, at("2017-01-01"), None), ("1", "12", True, at("2017-01-01"), None),
            ("2", "11", True, at("2017-01-01"), at("2017-12-30")),
        ]  # fmt: skip
    with world.oracle("2017-12-30", Rules(associated_since_types=True)) as table:
        assert [row["associated_at"] for row in table("silver_contact_companies")] == [
            at("2017-12-30"), at("2017-12-30"), at("2017-01-01"),
        ]  # fmt: skip
    with world.oracle() as table:
        assert [tuple(row.values()) for row in table("silver_contact_companies")] == [
            ("1", "11", False, at("2017-01-01"), at("2017-12-31")), ("1", "12", True, at("2017-01-01"), at("2017-12-31")),
            ("2", "11", False, at("2018-01-01"), None),
        ]  # fmt: skip
    assert _counted(world, "silver_contact_companies") == {
        "history": {"accepted": 3}, "2017-12-30": {"accepted": 3}, "2017-12-31": {"accepted": 2}, "2018-01-01": {"accepted": 1},
    }  # fmt: skip
