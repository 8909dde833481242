"""Whose contact a contact is, and what gold_dim_customers shows of it over time, worked out by hand."""

from oracle.rules import Rules
from oracle.tests.world import World


def _customer(world, number, email=None, batch="history", updated_at="2017-01-05T12:00", **values):
    world.row(batch, "CUSTOMERS", updated_at, customer_id=number, email=email, **values)


def _versions(world, rules=Rules(), customer_id="1"):
    """Returns [(valid_from, lifecycle_stage, company_name)] of one customer."""
    with world.oracle(rules=rules) as table:
        rows = [row for row in table("gold_dim_customers") if row["customer_id"] == customer_id]
    found = [(str(row["valid_from"]), row["lifecycle_stage"], row["company_name"]) for row in rows]
    return sorted(found, key=lambda one: one[0])


def _stages(world, rules=Rules()):
    """Returns {customer_id: lifecycle stage of the current version}."""
    with world.oracle(rules=rules) as table:
        return {
            row["customer_id"]: row["lifecycle_stage"] for row in table("gold_dim_customers")
            if row["is_current"] and row["customer_id"] != "unknown"
        }  # fmt: skip


def a_contact_belongs_to_the_customer_that_it_names_or_whose_email_it_has():
    world = World()
    _customer(world, 1, "one@gmail.com")
    _customer(world, 2, "two@gmail.com")
    _customer(world, 3, "three@gmail.com")
    # As bytes 10 comes before 9.
    _customer(world, 9, "shared@gmail.com")
    _customer(world, 10, "shared@gmail.com")
    world.contact("history", 51, "2017-01-02T00:00", external_customer_id="1", email="two@gmail.com", lifecyclestage="lead")
    # Names nobody who is known, and has an e-mail that is.
    world.contact("history", 52, "2017-01-02T00:00", external_customer_id="77", email=" THREE@gmail.com", lifecyclestage="customer")
    world.contact("history", 53, "2017-01-02T00:00", email="shared@gmail.com", lifecyclestage="other")
    assert _stages(world) == {"1": "lead", "2": None, "3": "customer", "9": None, "10": "other"}
    assert _stages(world, Rules(external_id_ignored=True)) == {"1": None, "2": "lead", "3": "customer", "9": None, "10": "other"}
    assert _stages(world, Rules(unknown_external_stops=True))["3"] is None


def of_several_contacts_the_named_then_the_live_then_the_lowest_counts():
    world = World()
    for number in (1, 2, 3):
        _customer(world, number, f"c{number}@gmail.com")
    # As numbers 99 comes before 100.
    world.contact("history", 100, "2017-01-02T00:00", external_customer_id="1", lifecyclestage="hundred")
    world.contact("history", 99, "2017-01-02T00:00", external_customer_id="1", lifecyclestage="ninetynine")
    world.contact("history", 5, "2017-01-02T00:00", email="c1@gmail.com", lifecyclestage="five")
    # The lower one is deleted, so the other one counts, for all of the past, too.
    world.contact("history", 20, "2017-01-02T00:00", external_customer_id="2", lifecyclestage="twenty")
    world.contact("history", 21, "2017-01-02T00:00", external_customer_id="2", lifecyclestage="twentyone")
    world.contact("2017-12-30", 20, "2017-12-30T09:00", gone="deleted")
    # A deleted one that names the customer comes before a live one that has the e-mail.
    world.contact("history", 31, "2017-01-02T00:00", external_customer_id="3", lifecyclestage="thirtyone")
    world.contact("history", 30, "2017-01-02T00:00", email="c3@gmail.com", lifecyclestage="thirty")
    world.contact("2017-12-30", 31, "2017-01-02T00:00", archived_at="2017-12-30T12:00")
    assert _stages(world) == {"1": "ninetynine", "2": "twentyone", "3": None}
    assert _versions(world, customer_id="2") == [("1900-01-01", "twentyone", None)]
    assert _versions(world, customer_id="3") == [("1900-01-01", "thirtyone", None), ("2017-12-30", None, None)]
    assert _stages(world, Rules(highest_contact_wins=True))["1"] == "hundred"
    assert _stages(world, Rules(email_match_equal=True)) == {"1": "five", "2": "twentyone", "3": "thirty"}


def the_email_of_the_newest_live_state_decides():
    world = World()
    _customer(world, 1, "old@gmail.com")
    _customer(world, 1, "new@gmail.com", "2017-12-30", "2017-12-30T12:00")
    # Has the customer's e-mail from the second day on, and is deleted then: it is the customer's all the same.
    world.contact("history", 51, "2017-06-01T12:00", email="somebody@gmail.com", lifecyclestage="lead")
    world.contact("2017-12-30", 51, "2017-12-30T12:00", email="new@gmail.com", lifecyclestage="customer")
    world.contact("2018-01-01", 51, "2018-01-01T12:00", gone="deleted")
    # Has the e-mail that the customer had before.
    world.contact("history", 52, "2017-06-01T12:00", email="old@gmail.com", lifecyclestage="other")
    # The deletion is dated by the window's end, midnight of the 2nd: the 1st in New York.
    assert _versions(world) == [
        ("1900-01-01", None, None), ("2017-06-01", "lead", None), ("2017-12-30", "customer", None), ("2018-01-01", None, None),
    ]  # fmt: skip
    # By its first e-mail nobody's contact has a customer.
    assert _versions(world, Rules(contact_by_first_email=True)) == [("1900-01-01", None, None)]
    assert _versions(world, Rules(deleted_contact_shown=True))[-1] == ("2017-12-30", "customer", None)


def versions_start_when_the_crm_says_something_else():
    world = World()
    _customer(world, 1, "a@gmail.com", updated_at="2017-03-01T12:00")
    # Before the customer's first change: part of the first version. So is what happens later on that date.
    world.contact("history", 51, "2017-02-01T12:00", external_customer_id="1", lifecyclestage="subscriber")
    assert _versions(world) == [("1900-01-01", "subscriber", None)]
    # Two on one date in New York: 02:00 UTC of the 31st is the 30th there, so the last one counts.
    world.contact("2017-12-30", 51, "2017-12-30T15:00", external_customer_id="1", lifecyclestage="lead")
    world.contact("2017-12-31", 51, "2017-12-31T02:00", external_customer_id="1", lifecyclestage="customer")
    # Something that is not tracked.
    world.contact("2018-01-01", 51, "2018-01-01T12:00", external_customer_id="1", lifecyclestage="customer", phone="5135550123")
    assert _versions(world) == [("1900-01-01", "subscriber", None), ("2017-12-30", "customer", None)]
    assert _versions(world, Rules(crm_starts_no_version=True)) == [("1900-01-01", "subscriber", None)]
    assert _versions(world, Rules(crm_as_now=True)) == [("1900-01-01", "customer", None)]
    # A change of the customer himself shows both.
    _customer(world, 1, "a@gmail.com", "2018-01-01", "2018-01-01T16:00", income_band="250K+")
    assert [one[0] for one in _versions(world)] == ["1900-01-01", "2017-12-30", "2018-01-01"]


def the_first_version_takes_the_state_at_the_end_of_the_first_changes_date():
    world = World()
    _customer(world, 1, "a@gmail.com", updated_at="2017-03-01T12:00")
    world.contact("history", 51, "2017-03-02T04:59:59.999", external_customer_id="1", lifecyclestage="lead")
    assert _versions(world) == [("1900-01-01", "lead", None)]
    world = World()
    _customer(world, 1, "a@gmail.com", updated_at="2017-03-01T12:00")
    world.contact("history", 51, "2017-03-02T05:00", external_customer_id="1", lifecyclestage="lead")
    assert _versions(world) == [("1900-01-01", None, None), ("2017-03-02", "lead", None)]


def _with_companies():
    world = World()
    _customer(world, 1, "a@gmail.com")
    world.contact("history", 51, "2017-01-05T13:00", external_customer_id="1", lifecyclestage="lead")
    # As numbers 9 comes before 10.
    for number in (9, 10, 11):
        world.company("history", number, "2017-01-05T13:00", name=f"company {number}")
    return world


def the_primary_company_counts_then_the_lowest():
    world = _with_companies()
    world.association("history", 51, 10)
    world.association("history", 51, 9)
    assert _versions(world) == [("1900-01-01", "lead", "company 9")]
    world.association("history", 51, 11, primary=True)
    assert _versions(world) == [("1900-01-01", "lead", "company 11")]
    assert _versions(world, Rules(primary_ignored=True)) == [("1900-01-01", "lead", "company 9")]
    # A name that changes changes everywhere.
    world.company("2017-12-31", 11, "2017-12-31T13:00", name="company eleven")
    assert _versions(world) == [("1900-01-01", "lead", "company eleven")]


def a_company_is_shown_as_long_as_the_association_stands():
    world = _with_companies()
    world.association("2017-12-30", 51, 11, primary=True)
    world.association("2018-01-01", 51, 11, present=False)
    # Found by the windows that begin at midnight UTC: the day before in New York.
    assert _versions(world) == [
        ("1900-01-01", "lead", None), ("2017-12-29", "lead", "company 11"), ("2017-12-31", "lead", None),
    ]  # fmt: skip
    assert _versions(world, Rules(removed_association_shown=True)) == [
        ("1900-01-01", "lead", None), ("2017-12-29", "lead", "company 11"),
    ]  # fmt: skip


def of_a_deleted_company_nothing_is_known_any_more():
    world = _with_companies()
    world.association("history", 51, 11, primary=True)
    world.association("history", 51, 10)
    # A tombstone has no name: the past shows none, and from the deletion on the other company counts. The association ends with the
    # window that begins at midnight, the company in its course.
    world.company("2017-12-30", 11, "2017-01-05T13:00", archived_at="2017-12-30T18:00")
    assert _versions(world) == [("1900-01-01", "lead", None), ("2017-12-29", "lead", "company 10")]


def suppression_can_be_seen_to_be_missing():
    world = World()
    _customer(world, 1, country="US", state="OH")
    for rules, region in ((Rules(), "suppressed"), (Rules(small_groups_shown=True), "OH")):
        with world.oracle(rules=rules) as table:
            assert [row["region"] for row in table("gold_dim_customers") if row["customer_id"] == "1"] == [region]
