"""The law on who may open what: every address of the portal, every kind of visitor.

A new address fails here until it is written down (tests/who_may_open_what.py) as public or sign-in, stands
behind the gate, or is admin's. So the gate cannot be forgotten. tests/sweep tries more ways.
"""

from __future__ import annotations

import uuid

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse

from accounts.audit.models import AuditEvent
from tests.cast import PASSWORD, pick, sign_in, sign_in_as_staff
from tests.routes import access_of, every_pattern, member_patterns
from tests.who_may_open_what import PUBLIC, SIGN_IN

# Of the others tests/sweep says that nobody gets anywhere with them.
METHODS = ["get", "head", "post"]


def test_every_address_is_public_sign_in_member_bound_or_admin():
    found = {"public": set(), "sign-in": set()}
    for path, pattern in every_pattern():
        if path.startswith("admin/"):
            continue
        if path.startswith("for/<str:key>/"):
            assert access_of(pattern) == "member", f"{path} is not behind the gate"
            continue
        assert access_of(pattern) in found, f"{path} does not say who may open it"
        found[access_of(pattern)].add(pattern.name)
    assert found == {"public": {*PUBLIC}, "sign-in": {*SIGN_IN}}


def test_no_view_behind_the_gate_is_mounted_elsewhere():
    for path, pattern in every_pattern():
        assert (access_of(pattern) == "member") == path.startswith("for/<str:key>/"), path


@pytest.fixture
def mias_document(cast, client):
    """A paper of Mia's, and a client with Mia's chart open; a contact of hers too."""
    from tests.files import png

    sign_in(client, "rivera@example.org")
    key = pick(client, "Mia", "2016/04/27")
    from households.demographics.models import Contact
    from households.documents.models import Document, DocumentRequest

    client.post(f"/for/{key}/history/allergies/add/", {"substance": "Penicillin of Mia"})
    asked = DocumentRequest.objects.create(member=cast.mia, what="Insurance card of Mia")
    client.post(f"/for/{key}/documents/requests/{asked.public_id}/", {"files": png("card.png")})
    Document.objects.update(pictures=Document.Pictures.READY, pages_pictured=1)
    Contact.objects.create(member=cast.mia, name="Grandma of Mia", relationship="GRPRN")
    from tests.households.intake.filling.conftest import published

    form = published().questionnaire
    client.post(f"/for/{key}/forms/start/{form.public_id}/")
    return Document.objects.select_related("request").get()


# Whose id an address holds, by how it begins inside the chart; the longest beginning counts.
RECORDS = {
    "documents/": "documents.Document",
    "documents/requests/": "documents.DocumentRequest",
    "demographics/contacts/": "demographics.Contact",
    "history/": "history.Allergy",
    "forms/": "intake.QuestionnaireResponse",
    "record/forms/": "intake.QuestionnaireResponse",
}
TEXTS = ("card.png", "Insurance card of Mia", "Grandma of Mia", "Penicillin of Mia")


def record_of(path: str, member):
    """The record of `member` that an address is about; None where there is no such kind."""
    inside = path.removeprefix("for/<str:key>/")
    found = max((begins for begins in RECORDS if inside.startswith(begins)), key=len, default=None)
    return found and apps.get_model(RECORDS[found]).objects.for_member(member).get()


def member_addresses(key: str, document) -> list[str]:
    """Every member-bound address under `key`, with the ids of existing records."""
    from households.intake.models import Questionnaire

    addresses = []
    for path, pattern in member_patterns():
        names = set(pattern.pattern.converters)
        record = record_of(path, document.member)
        ids = {"number": 1, "field": "address", "section": "allergies"}
        ids |= {"page": "0123456789ab", "path": "0-0.1"}
        ids["questionnaire_id"] = Questionnaire.objects.get().public_id
        if record is not None:
            ids["public_id"] = record.public_id
        assert names <= ids.keys(), f"{path}: say here what {names} are"
        given = {name: ids[name] for name in names}
        addresses.append(reverse(pattern.name, kwargs={"key": key, **given}))
    return addresses


def call(client: Client, method: str, address: str):
    return client.generic(
        method.upper(), address, b"", content_type="application/x-www-form-urlencoded"
    )


@pytest.mark.parametrize("method", METHODS)
def test_nobody_is_sent_to_sign_in(cast, mias_document, method):
    key = uuid.uuid4().hex[:22]
    for address in member_addresses(key, mias_document):
        answer = call(Client(), method, address)
        assert answer.status_code == 302, address
        assert answer.headers["Location"].startswith("/login/?next=/for/"), address


@pytest.mark.parametrize("method", METHODS)
def test_signed_in_without_a_choice_is_sent_to_choose(cast, mias_document, method, client):
    key = client.get("/", follow=False).headers["Location"].split("/")[2]
    other = Client()
    sign_in(other, "rivera@example.org")
    for address in member_addresses(key, mias_document):
        answer = call(other, method, address)
        assert (answer.status_code, answer.headers["Location"]) == (302, "/who/"), address


@pytest.mark.parametrize("method", METHODS)
def test_staff_are_nobody_here(cast, mias_document, method, client):
    key = client.get("/").headers["Location"].split("/")[2]
    staff = Client()
    sign_in_as_staff(staff)
    for address in member_addresses(key, mias_document):
        answer = call(staff, method, address)
        assert answer.status_code == 302, address
        assert answer.headers["Location"].startswith("/login/"), address


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("email", "first_name", "date_of_birth"),
    [
        ("rivera@example.org", "Leo", "2018/09/03"),
        ("okafor@example.org", "Mia", "2016/04/27"),
    ],
    ids=["the brother", "another household's Mia"],
)
def test_another_chart_never_gets_at_the_record(
    cast, mias_document, method, email, first_name, date_of_birth
):
    other = Client()
    sign_in(other, email)
    key = pick(other, first_name, date_of_birth)
    unknown = str(uuid.uuid4())
    tried = 0
    for address in member_addresses(key, mias_document):
        elsewhere = address
        for begins in RECORDS:
            record = record_of(begins, cast.mia)
            elsewhere = elsewhere.replace(str(record.public_id), unknown)
        if elsewhere == address:
            continue
        answer = call(other, method, address)
        assert answer.status_code in {404, 405}, f"{method} {address}: {answer.status_code}"
        assert answer.status_code == call(other, method, elsewhere).status_code
        for text in TEXTS:
            assert text not in answer.content.decode()
        tried += 1
    assert tried >= 10


@pytest.mark.parametrize("method", METHODS)
def test_an_old_key_changes_nothing(cast, mias_document, method, client):
    old = client.get("/").headers["Location"].split("/")[2]
    pick(client, "Leo", "2018/09/03")
    sent = AuditEvent.objects.filter(action__in=["send", "download"], outcome="ok").count()
    for address in member_addresses(old, mias_document):
        assert call(client, method, address).status_code == 409, address
    assert AuditEvent.objects.filter(action__in=["send", "download"], outcome="ok").count() == sent


@pytest.mark.parametrize("name", sorted(SIGN_IN))
def test_sign_in_pages_send_others_to_sign_in(cast, name):
    for visitor in (Client(), staff_client()):
        for method in METHODS:
            ids = {"key": "0" * 32} if name == "account_end_session" else {}
            answer = call(visitor, method, reverse(name, kwargs=ids))
            assert answer.status_code == 302, (name, method)
            assert answer.headers["Location"].startswith("/login/?next="), (name, method)


def staff_client() -> Client:
    client = Client()
    sign_in_as_staff(client)
    return client


def test_household_is_turned_away_at_every_admin_address(cast, client):
    sign_in(client, "nurse@example.org", PASSWORD)
    pick(client, "Nora", "1990/01/15")
    tried = 0
    for path, pattern in every_pattern():
        if not path.startswith("admin/") or pattern.name in {"login", "jsi18n", None}:
            continue
        names = pattern.pattern.converters
        address = "/" + path
        for name, converter in names.items():
            address = address.replace(f"<{type(converter).__name__}:{name}>", "1")
        import re

        address = re.sub(r"<[^>]+>", "1", address)
        if re.search(r"[\\^$(?]", address):
            continue
        for method in ("get", "post"):
            answer = call(client, method, address)
            tried += 1
            assert answer.status_code in {302, 403, 404, 405}, (address, answer.status_code)
            if answer.status_code == 302:
                assert "/admin/" in answer.headers["Location"] or address == "/admin/logout/"
    assert tried > 30


@pytest.mark.parametrize("address", ["/who/", "/switch/", "/logout/", "/account/end-others/"])
def test_posts_need_the_token(cast, address):
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(address, {"first_name": "Mia"}).status_code == 403
