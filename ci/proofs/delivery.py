"""`lineage-emit deliver`, killed at every fault point: the receiver has every event in order, and few of them twice."""

from __future__ import annotations

import shutil
from itertools import count

from proofs import by_hand, places
from proofs.by_hand import Bench
from proofs.lineage_receivers import TOKEN, Receiver, free_port, without_repeats
from proofs.stores import Place, of

FOLDER = places.PROOFS / "by-hand" / "delivery"
OUTBOX, CURSORS = "ops/lineage/", "ops/lineage_cursors/"
# Events between two notes of how far the receiver is.
REPEATED_MAX = 100


def proved(bench: Bench, target: Place) -> list[str]:
    """Kills deliveries from a lake's outbox and goes on, until no kill is met; the outbox stays as it is."""
    secrets = FOLDER / "secrets"
    shutil.rmtree(FOLDER, ignore_errors=True)
    secrets.mkdir(parents=True)
    (secrets / "token").write_text(TOKEN)
    store, wrong, kills = of(target), [], 0
    events = [store.read(file).decode() for file in store.files() if file.startswith(OUTBOX)]
    for point in (point for point in bench.listed("fault-points") if point.startswith("emit.")):
        store.delete([file for file in store.files() if file.startswith(CURSORS)])
        receiver, port = Receiver(), free_port()
        server = receiver.serve(port)
        to = ("--lake", str(target), "--http", f"http://127.0.0.1:{port}/", "--secret", "token", "--secrets", f"file:{secrets}")
        for time in count(1):
            # Each delivery goes one batch further than the one before, and dies in the next.
            ended = bench.run("lineage-emit", "deliver", *to, env={"SLUICE_FAULT": f"{point}#{min(time, 2)}"})
            if ended.returncode >= 0 or time == by_hand.TIMES_MAX:
                break
            kills += 1
        again = bench.run("lineage-emit", "deliver", *to)
        server.shutdown()
        if (ended.returncode, again.returncode) != (0, 0):
            wrong.append(f"{point}: ended with {ended.returncode}, then {again.returncode}\n{ended.stderr}{again.stderr}")
        if without_repeats(receiver.events) != events:
            wrong.append(f"{point}: not every event came, in order")
        if len(receiver.events) > len(events) + (time - 1) * REPEATED_MAX:
            wrong.append(f"{point}: {len(receiver.events) - len(events)} events came again after {time - 1} kills")
    store.delete([file for file in store.files() if file.startswith(CURSORS)])
    print(f"  delivery: {len(events)} events, killed {kills} times")
    return wrong if kills else [*wrong, "no delivery was killed"]
