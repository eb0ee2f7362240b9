"""Every form that a family or the owner finds, sent as it stands and once more with fields that it does not
have: the second changes exactly what the first does (AZ-04, R-AZ-3). And ids in a form that are somebody
else's (R-AZ-4), ids said twice (AZ-05), what was sent already (AZ-07), keys of other pages (MB-04).
"""

from __future__ import annotations

import datetime
import re
import uuid
from typing import Any
from urllib.parse import urlencode

import pytest
from django.apps import apps
from django.db import models

from tests.crawl import Form, crawl, forms_of, page_of
from tests.fuzz.runner import encoded, plausible
from tests.households.desk.test_roles import everything, named_addresses  # noqa: F401
from tests.portal.test_admin_site import one_of_each  # noqa: F401
from tests.sweep.asking import call
from tests.sweep.undone import LOOKING, Undone
from tests.who_may_open_what import MEMBER, STAFF
from tests.world import World, build_world, staff_of_role

# What the builder of forms gives a new question, and what stands for a new row in another's text.
RANDOM = re.compile(
    r"urn:uuid:[0-9a-f-]{36}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32,64}"
    r"|\b[a-z]-[0-9a-f]{8}\b"
)
NOT_COMPARED = {*LOOKING, "django_admin_log", "django_tasks_database_dbtaskresult"}
MODELS = {model._meta.db_table: model for model in apps.get_models(include_auto_created=True)}


def rows_of(table: str) -> dict[Any, dict[str, Any]]:
    model = MODELS[table]
    return {row[model._meta.pk.attname]: row for row in model._base_manager.values()}


def difference(before: dict[str, dict], tables: set[str]) -> dict[str, list]:
    """What was changed in these tables, without what is new each time: numbers of new rows, random words,
    moments."""
    found: dict[str, list] = {}
    for table in tables & before.keys():
        now, then = rows_of(table), before[table]
        changes = [("gone", pk) for pk in then.keys() - now.keys()]
        for pk, row in now.items():
            old = then.get(pk)
            if old == row:
                continue
            told = {
                field.attname: row[field.attname]
                for field in MODELS[table]._meta.concrete_fields
                if (old is None or old[field.attname] != row[field.attname])
                and not is_new_each_time(field, row[field.attname], before)
            }
            changes.append(
                (
                    "new" if old is None else pk,
                    [RANDOM.sub("…", str(one)) for one in sorted(told.items())],
                )
            )
        found[table] = sorted(changes, key=str)
    return {table: changes for table, changes in found.items() if changes}


def is_new_each_time(field: models.Field, value: Any, before: dict[str, dict]) -> bool:
    if field.primary_key or isinstance(value, datetime.datetime | uuid.UUID):
        return True
    if field.name in {"key", "password", "token_hash", "session_key", "stored_name", "file"}:
        return True
    if field.is_relation and value is not None:
        return value not in before.get(field.related_model._meta.db_table, {})
    return False


def extra_fields(world: World) -> list[tuple[str, str]]:
    leo, stranger, cast = world.leo.member, world.stranger.member, world.cast
    return [
        *(
            (name, str(stranger.pk))
            for name in ("patient", "member_id", "member_pk", "person", "shown")
        ),
        *((name, str(leo.pk)) for name in ("member", "patient_id", "for", "pk", "id")),
        ("household", str(cast.okafor.pk)),
        ("account", str(cast.okafor.pk)),
        ("sent_by", str(cast.okafor.pk)),
        ("primary_email", "okafor@example.org"),
        ("email_key", "okafor@example.org"),
        ("email", "okafor@example.org"),
        ("date_of_birth", "1990/01/01"),
        ("first_name", "Mallory"),
        ("last_name", "Mallory"),
        ("is_staff", "on"),
        ("is_superuser", "on"),
        ("is_active", "on"),
        ("groups", "1"),
        ("user_permissions", "1"),
        ("status", "filed"),
        ("state", "filed"),
        ("decision", "accepted"),
        ("is_confirmed", "on"),
        ("reviewed_by", str(cast.nurse_staff.pk)),
        ("handled_by", str(cast.nurse_staff.pk)),
        ("decided_by", str(cast.nurse_staff.pk)),
        ("public_id", str(world.leo.records["document"].public_id)),
        ("submission", str(world.leo.records["document"].submission_id)),
        ("submission_id", str(world.leo.records["document"].submission_id)),
        ("corrects", str(world.stranger.records["sent"].pk)),
        ("request", str(world.leo.records["asked"].pk)),
        ("sender", "practice"),
        ("revision", "99"),
        ("items", "[]"),
        ("sha256", "0" * 64),
        ("key", world.leo.key),
        ("at", "2020-01-01T00:00:00Z"),
        ("sent_at", "2020-01-01T00:00:00Z"),
        ("portal_access", "open"),
    ]


# What nobody sets by a form, the owner neither; and what no form of a family's asks for.
NOBODYS = {"is_superuser", "is_staff", "user_permissions", "email_key", "sha256", "sent_by"}
NO_FAMILYS = {*NOBODYS, "member", "member_id", "patient_id", "household", "account", "decided_by"}


# What nobody could guess who only reads the form.
KNOWN = {"admin:intake_ask_add": {"email": ""}}


def try_forms(
    client: Any, forms: list[Form], extra: list[tuple[str, str]], never: set[str]
) -> tuple[int, int]:
    """How many were tried, and how many of them changed something as they stand. A form on a page that
    answers one of them, such as the second step of a change, is tried as well."""
    before = {table: rows_of(table) for table in MODELS if table not in NOT_COMPARED}
    tried, effective, shapes = 0, 0, {form.shape for form in forms}
    forms = [*forms]
    while forms:
        form = forms.pop(0)
        tried += 1
        sent = []
        fields = plausible(form, **KNOWN.get(form.route, {}))
        own = {box.name for box in form.boxes}
        assert not own & never, (form.page, form.action, own & never)
        for more in ([], [one for one in extra if one[0] not in own]):
            request = encoded(form, [*more, *fields])
            with Undone() as done:
                answer = call(
                    client, "post", request.address, request.body, content_type=request.content_type
                )
                changed = difference(before, {*done.tables})
            sent.append((answer.status_code, changed))
            shown = page_of(answer)
            for next_step in forms_of(shown, form.action) if shown is not None else ():
                if next_step.method == "post" and next_step.shape not in shapes:
                    shapes.add(next_step.shape)
                    forms.append(next_step)
        assert sent[0] == sent[1], (form.page, form.action)
        effective += bool(sent[0][1])
    return tried, effective


def post_forms(found: Any) -> list[Form]:
    return [form for form in found.forms.values() if form.method == "post"]


@pytest.mark.timeout(240)
def test_forms_of_a_family(world):
    chart = world.mia
    starts = [chart.address(name) for name, (methods, _kind) in MEMBER.items() if "GET" in methods]
    found = crawl(chart.client, [*starts, "/account/", "/password/change/", "/who/"], of_a_route=2)
    tried, effective = try_forms(chart.client, post_forms(found), extra_fields(world), NO_FAMILYS)
    assert tried > 25
    assert effective > 15, "the forms have to do something as they stand"


@pytest.mark.timeout(400)
def test_forms_of_the_owner(everything, cast, forms):  # noqa: F811
    world = build_world(cast, forms)
    client = staff_of_role("o")
    addresses = [address for name, address in named_addresses() if "o" in STAFF[name][0]]
    found = crawl(client, addresses, of_a_route=1)
    tried, effective = try_forms(client, post_forms(found), extra_fields(world), NOBODYS)
    assert tried > 110
    assert effective > 50, "the forms have to do something as they stand"


# --- ids of somebody else -------------------------------------------------------------


def form_at(chart: Any, address: str, route: str) -> Form:
    page = page_of(chart.client.get(address))
    return next(
        form for form in forms_of(page, address) if (form.route, form.method) == (route, "post")
    )


def test_photos_to_join_that_are_not_ones_own(world):
    for other in (world.leo, world.stranger):
        foreign = [str(other.records[kind].public_id) for kind in ("document", "returned")]
        own = str(world.mia.records["document"].public_id)
        for photos in (foreign, [own, foreign[0]]):
            fields = [(f"number-{photo}", str(place)) for place, photo in enumerate(photos, 1)]
            with Undone() as done:
                body = urlencode(fields).encode()
                answer = call(world.mia.client, "post", world.mia.address("document_join"), body)
            assert answer.status_code == 422, photos
            assert not done.written


def test_a_file_of_somebody_else_is_no_answer(world):
    """The draft's page, with the address of the brother's document where an own file would be."""
    form = form_at(world.mia, world.mia.address("form_page"), "form_page")
    foreign = world.leo.records["document"].public_id
    fields = [
        *form.as_it_stands(),
        (f"q.{world.mia.ids['path']}.v", f"urn:uuid:{foreign}"),
        (f"q.{world.mia.ids['path']}.f", f"urn:uuid:{foreign}"),
        ("take", f"{world.mia.ids['path']} {foreign}"),
    ]
    with Undone():
        call(world.mia.client, "post", form.action, urlencode(fields).encode())
        draft = world.mia.records["draft"]
        draft.refresh_from_db()
        assert str(foreign) not in str(draft.items)
    world.leo.records["document"].refresh_from_db()
    assert world.leo.records["document"].member == world.leo.member


@pytest.mark.parametrize("first", ["own", "foreign"])
def test_the_person_said_twice(world, first):
    """In the question and in the form, in both orders: it stays with the key in the address (AZ-05)."""
    chart, other = world.mia, world.leo
    pairs = [(chart.key, chart.member.pk), (other.key, other.member.pk)]
    if first == "foreign":
        pairs.reverse()
    twice = [
        (name, str(value)) for key, pk in pairs for name, value in (("key", key), ("member", pk))
    ]
    before = {table: rows_of(table) for table in MODELS if table not in NOT_COMPARED}
    for inside in ("entry_add", "contact_add", "detail_change", "filled_in_by"):
        form = form_at(chart, chart.address(inside), inside)
        fields = urlencode([*twice, *plausible(form), *twice]).encode()
        with Undone() as done:
            answer = call(chart.client, "post", f"{form.action}?{urlencode(twice)}", fields)
            changed = difference(before, {*done.tables})
        assert answer.status_code in {200, 302, 422}, inside
        assert f"'member_id', '{other.member.pk}'" not in str(changed), inside
        assert other.mark.encode() not in answer.bytes


def test_what_was_sent_stays_as_it_was_sent(world):
    """AZ-07: the addresses by which a draft is written, for what is no draft any more."""
    chart = world.mia
    sent = chart.records["sent"].public_id
    before = {
        table: rows_of(table) for table in ("intake_questionnaireresponse", "intake_signature")
    }
    from households.intake.pages import name_of

    pages = {name_of("how"), chart.ids["page"]}
    for name in ("form_discard", "form_page", "form_file", "form_check"):
        for page in pages:
            for fields in (
                {},
                {"q.0.v": "Changed"},
                {"later": "1"},
                {"confirm": "1", "sending_id": sent},
            ):
                address = chart.address(name, public_id=sent, page=page)
                with Undone() as done:
                    answer = call(chart.client, "post", address, urlencode(fields).encode())
                    assert {t: rows_of(t) for t in before} == before, (name, fields)
                assert answer.status_code in {302, 404, 409, 422}, (name, fields)
                assert {*done.changed} <= {"households_kepttext"}, (name, done.changed)


def test_a_form_without_its_page_key(world):
    """MB-04: the key left out, emptied, one letter changed, or another chart's."""
    chart = world.mia
    letter = "A" if chart.key[3] != "A" else "B"
    for key, well in {
        "": {404},
        f"{chart.key[:3]}{letter}{chart.key[4:]}": {409},
        world.stranger.key: {409},
        world.leo.key: {409},
    }.items():
        for inside in (
            "history/allergies/add/",
            "documents/",
            "demographics/address/",
            "filled-in-by/",
        ):
            body = urlencode({"substance": "Never saved", "note": "Never saved"}).encode()
            with Undone() as done:
                answer = call(chart.client, "post", f"/for/{key}/{inside}", body)
            assert answer.status_code in well, (key, inside)
            assert not done.changed, (key, inside, done.changed)
