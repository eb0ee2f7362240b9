"""A transaction for trying something out in: what is done in it is to be rolled back."""

from __future__ import annotations

from django.db import transaction


def to_be_undone() -> transaction.Atomic:
    """The portal may begin durable transactions in it (accounts/throttle.py), as in Django's test cases."""
    atomic = transaction.atomic()
    atomic._from_testcase = True
    return atomic
