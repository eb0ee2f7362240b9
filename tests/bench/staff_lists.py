"""`make bench-staff`: processor time of the staff's lists at the size of a very large practice.

Fills the database of DATABASE_URL (or SQLite in a folder of its own) with made-up members, logins,
submissions of every kind and audit entries, asks for every list with every filter, order, page and search
that it offers, and for the pages of one person, and says which ones take longer than 300 ms. A filled
database is used again: for SQLite name its folder with --data.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import os
import random
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

MOST_MS = 300
TIMES = 3
BATCH = 20_000
_BEGINNINGS = ("An", "Be", "Car", "Da", "El", "Fi", "Ga", "Hu", "Is", "Jo", "Kra", "Lu", "Mor")
_MIDDLES = ("ba", "de", "li", "mo", "ra", "ve")
_ENDS = ("field", "son", "wood", "man", "ez", "ski")
_FIRST = [a + b for a in _BEGINNINGS for b in ("na", "ra", "lo", "mi", "ton", "lene")]
_LAST = [a + b + c for a in _BEGINNINGS for b in _MIDDLES for c in _ENDS]
# Of what a practice has some of, however many patients it has.
_FEW = 60


# --- filling --------------------------------------------------------------------------


def fill(members: int, tell: Callable[[str], None] = print) -> None:
    """As a practice of that size would look after some years: a household of three for each email, and for
    every five members one thing sent, most of it dealt with."""
    from django.contrib.auth import get_user_model
    from django.contrib.auth.models import Group
    from django.utils import timezone

    from accounts.audit.models import AuditEvent
    from accounts.models import HouseholdAccount
    from households.demographics.models import DetailChange
    from households.documents.models import Document, DocumentKind, DocumentRequest
    from households.history.models import EntryChange
    from households.intake.models import (
        Ask,
        MemberAsk,
        Questionnaire,
        QuestionnaireResponse,
        QuestionnaireVersion,
        Signature,
        ValueSet,
    )
    from households.models import Member
    from households.submissions.models import Submission

    def insert(model: Any, rows: Iterable[dict[str, Any]]) -> None:
        began = time.monotonic()
        count = _insert(model, rows)
        tell(f"  {count:>9,} {model._meta.verbose_name_plural}, {time.monotonic() - began:.0f} s")

    chance = random.Random(7)
    now = timezone.now()
    staff = get_user_model().objects.create_superuser("bench@practice.example", "bench-bench-bench")
    key = lru_cache(100_000)(_name_key())
    households = members // 3 + 1

    def email(household: int) -> str:
        last = _LAST[household % len(_LAST)].lower()
        return f"{last}{household}@mail{household % 40}.example"

    def born(n: int) -> datetime.date:
        return datetime.date(1930, 1, 1) + datetime.timedelta(days=(n * 7919) % 35_000)

    def person(n: int) -> dict[str, Any]:
        first, last = chance.choice(_FIRST), _LAST[(n // 3) % len(_LAST)]
        preferred = chance.choice(_FIRST) if n % 11 == 0 else ""
        status = "inactive" if n % 17 == 0 else "deceased" if n % 97 == 0 else "active"
        return {
            "pk": n + 1,
            "patient_id": f"P{n:08}",
            "mrn": f"M{n:07}",
            "first_name": first,
            "last_name": last,
            "preferred_name": preferred,
            "first_name_key": key(first),
            "last_name_key": key(last),
            "preferred_name_key": key(preferred),
            "date_of_birth": born(n),
            "email": email(n // 3),
            "email_key": email(n // 3),
            "status": status,
            "portal_access": n % 29 != 0,
        }

    def login(n: int) -> dict[str, Any]:
        return {
            "pk": n + 1,
            "email_key": email(n),
            "password": "argon2$made-up" if n % 3 else "",
            "is_active": n % 50 != 0,
        }

    insert(Member, map(person, range(members)))
    insert(HouseholdAccount, map(login, range(households)))

    things = members // 5
    kinds = ("document", "demographics", "history", "form")

    def sent(n: int) -> dict[str, Any]:
        waits = n % 20 == 0
        status = (
            "received" if waits else chance.choice(("seen", *["filed"] * 14, "returned", "partly"))
        )
        at = now - datetime.timedelta(minutes=5 * (things - n))
        return {
            "pk": n + 1,
            "member_id": (n * 5) % members + 1,
            "kind": kinds[n % 4],
            "status": status,
            "is_urgent": n % 400 == 3,
            "sent_at": at,
            "sent_by_id": (n * 5) % members // 3 + 1,
            "reason": "Call us." if status == "returned" else "",
        }

    insert(Submission, map(sent, range(things)))

    def of_kind(kind: int, columns: Callable[[int], dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for n in range(kind, things, 4):
            yield {"member_id": (n * 5) % members + 1, "submission_id": n + 1, **columns(n)}

    insert(
        Document,
        of_kind(
            0,
            lambda n: {
                "name": "card.pdf",
                "sending_id": uuid.uuid4(),
                "file": f"d/{n}",
                "size": 100_000,
                "content_type": "application/pdf",
                "request_id": n // 4 + 1 if n % 8 == 0 else None,
            },
        ),
    )
    decided = ("accepted", "accepted", "accepted", "waiting")
    insert(
        DetailChange,
        of_kind(1, lambda n: {"field": "address", "decision": decided[n % 4], "proposed_at": now}),
    )
    insert(
        EntryChange,
        of_kind(
            2,
            lambda n: {
                "section": "allergies",
                "action": "answered",
                "decision": decided[n // 2 % 4],
                "values": {"answer": "none"},
                "proposed_at": now,
            },
        ),
    )
    few = min(things, _FEW)
    forms = [
        Questionnaire.objects.create(title=f"Form {n}", url=f"urn:bench:{n}", is_clinical=n > 1)
        for n in range(few)
    ]
    for n, form in enumerate(forms):
        get_user_model().objects.create_user(f"staff{n}@practice.example")
        Group.objects.create(name=f"Group {n}")
        DocumentKind.objects.create(name=f"Kind {n}")
        ValueSet.objects.create(url=f"urn:list:{n}", title=f"List {n}")
        Ask.objects.create(questionnaire=form, whom="everyone", asked_by=staff)
    versions = [
        QuestionnaireVersion.objects.create(
            questionnaire=form, number=1, version="1", status="published", definition={}, sha256="0"
        )
        for form in forms
    ]
    insert(
        QuestionnaireResponse,
        of_kind(3, lambda n: {"version_id": versions[n // 4 % few].pk, "pk": n + 1}),
    )
    insert(
        Signature,
        (
            {
                "member_id": (n * 5) % members + 1,
                "response_id": n + 1,
                "typed_name": "Somebody",
                "signed_at": now - datetime.timedelta(minutes=n),
            }
            for n in range(3, things, 8)
        ),
    )
    insert(
        DocumentRequest,
        (
            {"pk": n + 1, "member_id": n * 10 % members + 1, "what": "Insurance card"}
            for n in range(members // 20)
        ),
    )
    insert(
        MemberAsk,
        (
            {"member_id": n * 10 % members + 1, "questionnaire_id": forms[n % few].pk}
            for n in range(members // 20)
        ),
    )
    words = ("sign-in", "pick", "staff-view", "view", "staff-view", "send", "pick", "throttle")
    insert(
        AuditEvent,
        (
            {
                "at": now,
                "action": words[n % 8] if n % 5000 else "export",
                "outcome": "ok" if n % 8 != 6 else "date",
                "staff_id": staff.pk if n % 8 in (2, 4) else None,
                "account_id": n % households + 1,
                "member_id": n % members + 1,
                # No chain: nobody verifies these.
                "place": n + 1,
            }
            for n in range(members)
        ),
    )


def _name_key() -> Callable[[str], str]:
    from households.matching import name_key

    return name_key


def _insert(model: Any, rows: Iterable[dict[str, Any]]) -> int:
    """Rows by the column's name; what is left out is what the model's default says. COPY on PostgreSQL."""
    from django.db import connection, models, transaction

    rows = iter(rows)
    first = next(rows)
    fields = [field for field in model._meta.concrete_fields if not field.generated]
    if "pk" not in first:
        fields = [field for field in fields if not field.primary_key]
    defaults: dict[str, Any] = {}
    for field in fields:
        if isinstance(field, models.DateTimeField) and (field.auto_now or field.auto_now_add):
            defaults[field.attname] = first.get("sent_at") or _now()
        else:
            defaults[field.attname] = field.get_default() if not field.primary_key else None

    def values(row: dict[str, Any]) -> list[Any]:
        found = []
        for field in fields:
            name = "pk" if field.primary_key and "pk" in row else field.attname
            value = row.get(name, defaults[field.attname])
            if isinstance(field, models.UUIDField) and field.unique and name not in row:
                value = uuid.uuid4()
            # Most are texts and numbers already, and there are tens of millions.
            plain = value is None or type(value) in (str, int)
            found.append(value if plain else field.get_db_prep_save(value, connection))
        return found

    columns = ", ".join(f'"{field.column}"' for field in fields)
    table = model._meta.db_table
    count = 0
    with transaction.atomic(), connection.cursor() as cursor:
        everything = itertools.chain([first], rows)
        if connection.vendor == "postgresql":
            with cursor.cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for row in everything:
                    copy.write_row(values(row))
                    count += 1
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"
            )
        else:
            places = ", ".join(["%s"] * len(fields))
            statement = f"INSERT INTO {table} ({columns}) VALUES ({places})"
            while some := list(itertools.islice(everything, BATCH)):
                cursor.executemany(statement, [values(row) for row in some])
                count += len(some)
    return count


def _now() -> datetime.datetime:
    from django.utils import timezone

    return timezone.now()


# --- measuring ------------------------------------------------------------------------


def lists(members: int) -> Iterator[tuple[str, str, str]]:
    """What it is, its address, and what is searched there ("" for nothing)."""
    from django.contrib import admin
    from django.test import RequestFactory
    from django.urls import reverse

    from households.models import Member

    middle = Member.objects.get(pk=members // 2)
    searches = {
        "name's beginning": middle.last_name[:4],
        "name's beginning, rare": f"{middle.last_name} {middle.first_name}",
        "one letter": "a",
        "last, first": f"{middle.last_name}, {middle.first_name}",
        "birth date": f"{middle.date_of_birth:%Y/%m/%d}",
        "email": middle.email,
        "email's beginning": middle.email.partition("@")[0] + "@",
        "record number": middle.mrn,
        "name's middle": middle.last_name[2:7],
        "nothing found": "Zzyzx Qqq",
    }
    request = RequestFactory().get("/admin/")
    request.user = _staff()
    for model, of_model in sorted(
        admin.site._registry.items(), key=lambda pair: pair[0]._meta.label
    ):
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        address = reverse(f"admin:{name}_changelist")
        label = model._meta.label
        yield label, address, ""
        for page in (2, 10, 20):
            yield f"{label}: page {page}", f"{address}?p={page}", ""
        for number, column in enumerate(of_model.get_list_display(request), start=1):
            if column not in of_model.get_sortable_by(request):
                continue
            for order in (str(number), f"-{number}"):
                yield f"{label}: by {column} {order}", f"{address}?o={order}", ""
        if of_model.get_search_fields(request):
            for words, text in searches.items():
                yield f"{label}: {words}", address, text
            yield f"{label}: a number", address, str(members // 2)


def _staff() -> Any:
    from django.contrib.auth import get_user_model

    return get_user_model().objects.get(email="bench@practice.example")


def pages(members: int) -> Iterator[tuple[str, str, str]]:
    from django.urls import reverse

    pk = members // 2
    yield "start page", reverse("admin:index"), ""
    for name in ("households_member_change", "accounts_householdaccount_change", "record"):
        yield name, reverse(f"admin:{name}", args=[pk if "account" not in name else pk // 3]), ""
    yield "on file", reverse("admin:demographics_detailchange_on_file", args=[pk]), ""


def measure(members: int, only: str) -> list[tuple[float, str]]:
    """Milliseconds of processor time by page, ours and the database's together: the median of some, after
    one that warms it up. On a busy machine the clock on the wall says nothing."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client()
    client.force_login(_staff())
    found = []
    backend = ""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # One process does all of a statement, as if it had a processor to itself.
            cursor.execute("SET max_parallel_workers_per_gather = 0")
            cursor.execute("SELECT pg_backend_pid()")
            backend = f"/proc/{cursor.fetchone()[0]}/schedstat"

    def cpu() -> float:
        ours = time.process_time()
        return ours + (int(Path(backend).read_text().split()[0]) / 1e9 if backend else 0)

    def ask(label: str, address: str, search: str) -> Any:
        if search:
            answer = client.post(address, {"q": search, "search": "Search"})
            address = address + answer.headers["Location"].removeprefix(address)
        times = []
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(address)
        for _time in range(TIMES):
            began = cpu()
            answer = client.get(address)
            times.append((cpu() - began) * 1000)
            if times[0] > 3000:
                break
        took = statistics.median(times)
        found.append((took, label))
        if took > MOST_MS:
            print(f"{took:8.0f} ms  {label}  {address}  {answer.status_code}", flush=True)
            asked = sorted(queries.captured_queries, key=lambda one: -float(one["time"]))
            for one in asked[:1]:
                print(f"             {one['time']} s: {one['sql'][:1500]}", flush=True)
        return answer

    for label, address, search in [*pages(members), *lists(members)]:
        if only not in label:
            continue
        answer = ask(label, address, search)
        shown = (getattr(answer, "context_data", None) or {}).get("cl")
        if shown is not None and label.count(":") == 0:
            for spec in shown.filter_specs:
                for choice in list(spec.choices(shown))[:8]:
                    ask(
                        f"{label}: {spec.title} = {choice['display']}",
                        address + choice["query_string"],
                        "",
                    )
    return found


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.bench.staff_lists")
    options.add_argument("--members", type=int, default=1_000_000)
    options.add_argument("--data", help="a folder to fill, or filled before")
    options.add_argument("--only", default="", help="the lists whose name has this in it")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(chosen.data or folder)
        os.environ.update(PORTAL_DATA=str(data), PORTAL_LOCAL="1", PORTAL_DEMO="0")
        os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
        import django

        django.setup()
        from django.conf import settings
        from django.core.management import call_command
        from django.db import connection, transaction

        settings.ALLOWED_HOSTS.append("testserver")
        settings.STORAGES["staticfiles"]["BACKEND"] = (
            "django.contrib.staticfiles.storage.StaticFilesStorage"
        )
        call_command("migrate", verbosity=0)
        from households.models import Member

        on_file = Member.objects.count()
        if not on_file:
            with transaction.atomic():
                fill(chosen.members)
            on_file = chosen.members
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        found = measure(on_file, chosen.only)
        if connection.vendor == "postgresql" and not chosen.data:
            print("The database stays filled. Drop it when you are done.")
    slow = [one for one in found if one[0] > MOST_MS]
    for took, label in sorted(found, reverse=True)[:15]:
        print(f"{took:8.0f} ms  {label}")
    print(f"{len(found)} pages, {len(slow)} over {MOST_MS} ms")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
