"""A process that writes entries as web workers do, in every way at once. Prints how many it has committed.

python -m tests.accounts.audit.writer SEED COUNT
"""

from __future__ import annotations

import os
import random
import sys
import time


def write_in_every_way(seed: int, count: int) -> int:
    from django.db import connection, transaction

    from accounts import audit

    chance, committed = random.Random(seed), 0
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # All begin at one lane: by their own, eight writers would hardly ever meet.
            cursor.execute("SET kinchart.audit_lane = '7'")

    def entry(outcome: str) -> None:
        audit.record(audit.Action.VIEW, outcome, account_id=seed, member_id=committed)

    for _time in range(count):
        match chance.choice(["alone", "in a transaction", "rolled back", "savepoints", "long"]):
            case "alone":
                entry("ok")
                committed += 1
            case "in a transaction":
                with transaction.atomic():
                    entry("ok")
                    entry("ok")
                committed += 2
            case "rolled back":
                with transaction.atomic():
                    entry("copy")
                    transaction.set_rollback(True)
            case "savepoints":
                with transaction.atomic():
                    if chance.random() < 0.5:
                        entry("ok")
                        committed += 1
                    with transaction.atomic():
                        entry("copy")
                        transaction.set_rollback(True)
                    time.sleep(chance.choice([0, 0.01]))
                    entry("ok")
                committed += 1
            case "long":
                with transaction.atomic():
                    entry("ok")
                    time.sleep(0.05)
                    entry("ok")
                committed += 2
    return committed


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
    import django

    django.setup()
    print(write_in_every_way(int(sys.argv[1]), int(sys.argv[2])))
