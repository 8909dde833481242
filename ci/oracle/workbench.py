"""Stages that build on each other, each computed once per set of rules that it (or what it reads) depends on.

A stage is a SQL table in an in-memory DuckDB or a Python object. `mutate` asks for the same stages under other rules; only
what a switched rule can reach is computed again.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import duckdb
import pyarrow

from oracle.rules import DEFINED, FLAGS
from oracle.vocabulary import BUSINESS_TIME_ZONE, NULL_TOKENS, WINDOWS

BLANKS = " \t\n\r\v\f\x85\xa0\u3000"


@dataclass(frozen=True)
class Stage:
    """How one stage is built: from which stages, and reading which flags. A view costs nothing to build again."""

    build: Callable
    inputs: tuple = ()
    flags: tuple = ()
    view: bool = False


class Workbench:
    """Holds the sources' folder, the database and every stage that was computed so far.

    `tables` are those that are judged, `parts` what the sources hold beside warehouse, stream and rates.
    """

    def __init__(self, data, stages, through=None, token_key=None):
        self.data = Path(data)
        self.stages = stages
        self.token_key = token_key
        names = [window.batch for window in WINDOWS]
        if through is not None and through not in names:
            raise ValueError(f"unknown batch {through!r}: one of {', '.join(names)}")
        self.windows = WINDOWS[: names.index(through) + 1] if through else WINDOWS
        self.connection = connect()
        self.built = {}
        self.reach = {}
        self.earlier = {}
        self.tables, self.parts = (), frozenset()

    def after(self, index):
        """Returns the workbench of what was published up to the window with this number: the state that its run left."""
        if index == len(self.windows) - 1:
            return self
        if index not in self.earlier:
            self.earlier[index] = Workbench(self.data, self.stages, self.windows[index].batch, self.token_key)
        return self.earlier[index]

    def get(self, stage, rules=DEFINED):
        """Returns the stage under these rules: a table's name, or the object that its builder returned."""
        variant = (stage, rules.changed(self.flags_of(stage)))
        if variant not in self.built:
            table = f"{stage}__{len(self.built)}"
            value = self.stages[stage].build(Step(self, rules, table, self.stages[stage].view))
            self.built[variant] = table if value is None else value
        return self.built[variant]

    def flags_of(self, stage):
        """Returns every flag that the stage, or a stage below it, reads."""
        if stage not in self.reach:
            plan = self.stages[stage]
            unknown = set(plan.flags) - set(FLAGS)
            assert not unknown, f"stage {stage} names flags that do not exist: {unknown}"
            self.reach[stage] = frozenset(plan.flags).union(*(self.flags_of(name) for name in plan.inputs))
        return self.reach[stage]

    def forget_variants(self):
        """Drops everything that was computed under other rules than the defined ones."""
        for variant in [variant for variant in self.built if variant[1]]:
            value = self.built.pop(variant)
            if isinstance(value, str):
                kind = "VIEW" if self.stages[variant[0]].view else "TABLE"
                self.connection.execute(f'DROP {kind} "{value}"')
        for bench in self.earlier.values():
            bench.forget_variants()


class Step:
    """What a builder sees: its rules, the stages that it declared as inputs, and the name of the table that it fills."""

    def __init__(self, bench, rules, table, view=False):
        self.bench, self.rules, self.table, self.view = bench, rules, table, view
        self.connection, self.windows, self.data = bench.connection, bench.windows, bench.data

    def __getitem__(self, stage):
        return self.bench.get(stage, self.rules)

    def create(self, select):
        """Fills this stage's table from a SELECT."""
        self.connection.execute(f'CREATE {"VIEW" if self.view else "TABLE"} "{self.table}" AS {select}')

    def fill(self, columns, rows):
        """Fills this stage's table from Python tuples; `columns` is a list of (name, Arrow type)."""
        load(self.connection, self.table, columns, rows)

    def rows(self, select):
        """Returns the rows of a query as tuples."""
        return self.connection.execute(select).fetchall()


def load(connection, table, columns, rows):
    """Creates a table from Python tuples without a detour over text."""
    rows = list(rows)
    schema = pyarrow.schema([pyarrow.field(name, kind) for name, kind in columns])
    arrays = [pyarrow.array([row[index] for row in rows], type=kind) for index, (_, kind) in enumerate(columns)]
    arrow = pyarrow.Table.from_arrays(arrays, schema=schema)
    connection.register("incoming_rows", arrow)
    connection.execute(f'CREATE TABLE "{table}" AS SELECT * FROM incoming_rows')
    connection.unregister("incoming_rows")


def connect():
    """Opens a database in which all instants are UTC and the definitions' small functions exist as macros."""
    connection = duckdb.connect(config={"threads": 2})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    tokens = ", ".join(f"'{token}'" for token in NULL_TOKENS)
    connection.execute(f"CREATE MACRO trimmed(t) AS trim(t, '{BLANKS}')")
    connection.execute(f"CREATE MACRO cleaned(t) AS CASE WHEN lower(trimmed(t)) IN ({tokens}) THEN NULL ELSE trimmed(t) END")
    # "business_date = calendar date in the business time zone".
    connection.execute(f"CREATE MACRO business_date(t) AS CAST(timezone('{BUSINESS_TIME_ZONE}', timezone('UTC', t)) AS DATE)")
    connection.execute("CREATE MACRO utc_date(t) AS CAST(t AS DATE)")
    # "Rounding: half away from zero": n / d in integers for d > 0, the sign taken off first.
    connection.execute("CREATE MACRO divided(n, d) AS sign(n)::HUGEINT * ((2 * abs(n::HUGEINT) + d::HUGEINT) // (2 * d::HUGEINT))")
    # A decimal of 18 digits as an integer of its last digit; null where it does not fit.
    connection.execute("CREATE MACRO held_by_money(n) AS CASE WHEN abs(n::HUGEINT) < 1000000000000000000 THEN n::BIGINT END")
    # The wrong rounding: an exact half goes to the even neighbour.
    connection.execute(
        "CREATE MACRO divided_half_even(n, d) AS sign(n)::HUGEINT * ("
        "(abs(n::HUGEINT) // d::HUGEINT) + CASE "
        "WHEN 2 * (abs(n::HUGEINT) % d::HUGEINT) > d::HUGEINT THEN 1 "
        "WHEN 2 * (abs(n::HUGEINT) % d::HUGEINT) = d::HUGEINT AND (abs(n::HUGEINT) // d::HUGEINT) % 2 = 1 THEN 1 ELSE 0 END)"
    )
    return connection
