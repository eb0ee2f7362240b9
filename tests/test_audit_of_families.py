"""AL-01 and AL-05 for every address of a family: what it leaves in the audit, opened and sent to.

An address that the tables do not know fails. Each entry has who, for whom, what, when, from where, outcome.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.audit.models import AuditEvent
from households.demographics.models import Contact
from households.documents.models import Document, DocumentRequest
from households.documents.renditions import page_name, thumbnail_name
from households.history.models import Allergy, EntryChange
from households.intake.models import QuestionnaireResponse
from households.submissions.models import Submission
from tests.cast import PASSWORD, pick, sign_in, sign_in_as_staff
from tests.files import png
from tests.households.intake.filling.conftest import published
from tests.pages import fields_of
from tests.rollback import to_be_undone
from tests.test_access import PUBLIC, SIGN_IN, member_patterns

# Each drives some hundred requests.
pytestmark = pytest.mark.timeout(300)

FROM = "192.0.2.44"

# By the name of an address: what opening it leaves, as "action outcome thing".
OPENED: dict[str, list[str]] = {
    "overview": ["view ok overview"],
    "chart_activity": ["view ok activity"],
    "filled_in_by": ["view ok filled-in-by"],
    "demographics": ["view ok demographics"],
    "details_confirm": [],
    "contacts": ["view ok demographics"],
    "contact_add": ["view ok demographics"],
    "contact_change": ["view ok demographics"],
    "contact_keep": [],
    "contact_remove": ["view ok demographics"],
    "detail_change": ["view ok demographics"],
    "detail_keep": [],
    "history": ["view ok history"],
    "history_topic": ["view ok history"],
    "entry_add": ["view ok history"],
    "entry_change": ["view ok history"],
    "entry_end": ["view ok history"],
    "entry_past": ["view ok history"],
    "documents": ["view ok documents"],
    "document_join": ["view ok documents"],
    "request_answer": ["view ok documents"],
    "document_detail": ["view ok document"],
    "document_again": ["view ok documents"],
    "document_withdraw": ["view ok document"],
    "document_file": ["download ok document"],
    # Pictures of a page or list that has an entry: one for each would bury what matters.
    "document_thumbnail": [],
    "document_page": [],
    "forms": ["view ok forms"],
    "form_start": ["view ok form"],
    # Of a draft it sends on to the page where it was left.
    "form_detail": [],
    "form_correct": [],
    "form_discard": ["view ok form"],
    "form_page": ["view ok form"],
    "form_file": ["view ok form"],
    "form_check": ["view ok form"],
    "record": ["view ok record"],
    "record_pdf": ["export ok record"],
    "record_fhir": ["export ok record"],
    "form_pdf": ["download ok form"],
}
POSTED_IS_REFUSED = {
    *("overview", "chart_activity", "demographics", "contacts", "history", "entry_past"),
    *("document_detail", "document_file", "document_thumbnail", "document_page", "forms"),
    *("form_detail", "record", "record_pdf", "record_fhir", "form_pdf"),
}


class Family:
    """A browser of the Riveras with Mia's chart open, and things of hers behind every address."""

    def __init__(self, cast: Any, forms: Any) -> None:
        self.cast = cast
        self.client = Client(REMOTE_ADDR=FROM)
        sign_in(self.client, "rivera@example.org")
        self.key = pick(self.client, "Mia", "2016/04/27")
        self.home = f"/for/{self.key}/"
        self.client.post(f"{self.home}history/allergies/add/", {"substance": "Penicillin"})
        asked = DocumentRequest.objects.create(member=cast.mia, what="Insurance card")
        self.client.post(f"{self.home}documents/", {"files": png("card.png")})
        Document.objects.update(pictures=Document.Pictures.READY, pages_pictured=1)
        document = Document.objects.get()
        for name in (page_name(document, 1), thumbnail_name(document)):
            document.file.storage.save(name, ContentFile(b"a picture"))
        contact = Contact.objects.create(member=cast.mia, name="Grandma", relationship="GRPRN")
        items = [
            {"linkId": "how", "type": "string", "text": "How are you?"},
            {"linkId": "photo", "type": "attachment", "text": "Photo"},
        ]
        questionnaire = published(items).questionnaire
        self.client.post(f"{self.home}forms/start/{questionnaire.public_id}/")
        draft = QuestionnaireResponse.objects.get()
        other = forms.form("Other", is_offered=True)
        self.sent = forms.send(forms.form("Sent"), cast.mia)
        page = self.client.get(f"{self.home}forms/{draft.public_id}/").headers["Location"]
        self.ids: dict[str, Any] = {
            "number": 1,
            "field": "occupation",
            "section": "allergies",
            "page": page.split("/page/")[1].split("/")[0],
            "path": "1",
            "questionnaire_id": other.public_id,
        }
        self.public: dict[str, Any] = {
            "contact": contact.public_id,
            "entry": Allergy.objects.get().public_id,
            "document": Document.objects.get().public_id,
            "request": asked.public_id,
            "form": draft.public_id,
        }

    def address(self, name: str, pattern: Any) -> str:
        kind = re.split("_", name)[0]
        given = {**self.ids, "public_id": self.public.get(kind)}
        if name == "form_pdf":
            given["public_id"] = self.sent.public_id
        names = set(pattern.pattern.converters)
        assert names <= given.keys(), f"{name}: say here what {names} are"
        return reverse(name, kwargs={"key": self.key, **{one: given[one] for one in names}})

    def typed(self, address: str, **typed: Any) -> dict[str, Any]:
        return fields_of(self.client.get(address), **typed)


@pytest.fixture
def family(cast, forms) -> Family:
    return Family(cast, forms)


def entries_of(act: Callable[[], Any]) -> tuple[Any, list[AuditEvent]]:
    """The answer, and the entries that it left."""
    last = AuditEvent.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    answer = act()
    if answer.streaming:
        b"".join(answer.streaming_content)
    return answer, list(AuditEvent.objects.filter(pk__gt=last).order_by("pk"))


def words_of(entries: list[AuditEvent]) -> list[str]:
    return [f"{one.action} {one.outcome} {one.object_type}".strip() for one in entries]


def whole(entry: AuditEvent, family: Family) -> bool:
    session = family.cast.rivera.sessions.get(ended_at=None)
    return (
        (entry.account_id, entry.session_id, entry.member_id, entry.client_address, entry.staff_id)
        == (family.cast.rivera.pk, session.pk, family.cast.mia.pk, FROM, None)
        and abs((timezone.now() - entry.at).total_seconds()) < 60
        and bool(entry.outcome)
    )


def test_every_address_of_a_chart_is_in_the_tables():
    names = {pattern.name for _path, pattern in member_patterns()}
    assert names == OPENED.keys()
    assert names == POSTED_IS_REFUSED | SENT.keys()


def test_opening_each_page_of_a_chart_leaves_its_entry(family):
    for _path, pattern in member_patterns():
        address = family.address(pattern.name, pattern)
        if pattern.name == "document_again":
            was_returned(family)
        answer, entries = entries_of(lambda at=address: family.client.get(at))
        assert answer.status_code in {200, 302, 405}, (pattern.name, answer.status_code)
        found = [one for one in words_of(entries) if not one.startswith("open ok")]
        assert found == OPENED[pattern.name], pattern.name
        assert all(whole(entry, family) for entry in entries), pattern.name
        if answer.status_code == 200 and not OPENED[pattern.name]:
            assert answer.headers["Content-Type"] == "image/jpeg", pattern.name


@pytest.mark.parametrize("more", [{"method": "HEAD"}, {"HTTP_RANGE": "bytes=0-3"}])
def test_a_file_is_logged_however_it_is_asked_for(family, more):
    """DL-03."""
    address = f"{family.home}documents/{family.public['document']}/file/"
    answer, entries = entries_of(
        lambda: (family.client.head if "method" in more else family.client.get)(
            address, **{name: value for name, value in more.items() if name != "method"}
        )
    )
    assert answer.status_code in {200, 206}
    assert "download ok document" in words_of(entries)


# --- sending --------------------------------------------------------------------------


def contact_waits(family: Family) -> None:
    at = f"{family.home}demographics/contacts/{family.public['contact']}/"
    assert family.client.post(at, family.typed(at, name="Granny")).status_code == 302


def occupation_waits(family: Family) -> None:
    at = f"{family.home}demographics/occupation/"
    assert family.client.post(at, family.typed(at, occupation="Dancer")).status_code == 302


def was_returned(family: Family) -> None:
    sent = Submission.objects.filter(kind="document")
    sent.update(status="returned", returned_at=timezone.now(), reason="Blurred.")


def another_photo(family: Family) -> None:
    at = f"{family.home}documents/"
    assert family.client.post(at, {"files": png("b.png", "navy")}).status_code == 302


def file_of(family: Family, at: str) -> dict[str, Any]:
    return {"files": png("other.png", "olive")}


def numbered(family: Family, at: str) -> dict[str, Any]:
    photos = Document.objects.for_member(family.cast.mia).joinable()
    return {f"number-{photo.public_id}": number for number, photo in enumerate(photos, 1)}


def on_summary(family: Family, at: str) -> dict[str, Any]:
    return fields_of(family.client.get(f"{family.home}demographics/"))


# By the name of an address: what has to be so before, what is typed, and what sending it leaves.
SENT: dict[str, tuple[Any, Any, list[str]]] = {
    "filled_in_by": (
        None,
        {"filled_in_by": "guardian", "filled_in_name": "Elena"},
        ["send filled-in-by submission"],
    ),
    "details_confirm": (None, on_summary, ["send confirmed demographics"]),
    "contact_add": (
        None,
        {"name": "Uncle", "relationship": "GRPRN"},
        ["send ok demographics"],
    ),
    "contact_change": (None, {"name": "Granny"}, ["send ok demographics"]),
    "contact_keep": (contact_waits, {}, ["withdraw ok demographics"]),
    "contact_remove": (None, {}, ["send ok demographics"]),
    "detail_change": (None, {"occupation": "Dancer"}, ["send ok demographics"]),
    "detail_keep": (occupation_waits, {}, ["withdraw ok demographics"]),
    "history_topic": (None, {"confirm": "1"}, ["send confirmed history"]),
    "entry_add": (None, {"substance": "Latex"}, ["send added history"]),
    "entry_change": (None, {"substance": "Latex"}, ["send changed history"]),
    "entry_end": (None, {"status": "ended", "until": "2025/06"}, ["send ended history"]),
    "documents": (None, file_of, ["send ok document"]),
    "request_answer": (None, file_of, ["send ok document"]),
    "document_again": (was_returned, file_of, ["send ok document"]),
    # One is made; the two that it is made of are things of their own.
    "document_join": (
        another_photo,
        numbered,
        ["withdraw joined document", "withdraw joined document", "send joined document"],
    ),
    "document_withdraw": (None, {}, ["withdraw ok document"]),
    "form_start": (None, {}, ["send begin form"]),
    "form_correct": (None, {}, ["send correct form"]),
    "form_discard": (None, {}, ["send discard form"]),
    "form_page": (None, {"q.0.v": "Fine"}, ["send draft form"]),
    # The file is a document, and an answer.
    "form_file": (None, file_of, ["send ok document", "send draft form"]),
    "form_check": (None, {}, ["send ok form"]),
}


def addresses(family: Family) -> Iterator[tuple[str, str]]:
    for _path, pattern in member_patterns():
        address = family.address(pattern.name, pattern)
        if pattern.name == "form_correct":
            address = address.replace(str(family.public["form"]), str(family.sent.public_id))
        yield pattern.name, address


@contextmanager
def undone() -> Iterator[None]:
    with to_be_undone():
        yield
        transaction.set_rollback(True)


def test_what_is_sent_is_recorded_once_and_what_is_refused_as_no_more_than_that(family):
    wrong = []
    for name, address in addresses(family):
        if name in POSTED_IS_REFUSED:
            answer, entries = entries_of(lambda at=address: family.client.post(at))
            assert (answer.status_code, entries) == (405, []), name
            continue
        before, typed, expected = SENT[name]
        with undone():
            if before:
                before(family)
            if callable(typed):
                data = typed(family, address)
            else:
                page = family.client.get(address)
                data = {**(fields_of(page) if page.status_code == 200 else {}), **typed}
            answer, entries = entries_of(lambda at=address, data=data: family.client.post(at, data))
            if answer.status_code != 302 or words_of(entries) != expected:
                wrong.append((name, answer.status_code, words_of(entries)))
            assert all(whole(entry, family) for entry in entries), name
    assert wrong == []


SAVED = {"ok", "accepted-by-itself", "confirmed", "joined", "added", "changed", "ended", "error"}
SAVED |= {"answered", "begin", "correct", "draft", "discard", "filled-in-by"}
NOTHING_TYPED = {"filled_in_by", "contact_add", "entry_add", "documents", "form_file"}
NOTHING_TYPED |= {"request_answer", "document_join"}


def test_a_refused_form_leaves_nothing_that_says_saved(family):
    """AL-05: with nothing typed, and sent from a page that is not open any more."""
    for name, address in addresses(family):
        if name in NOTHING_TYPED:
            answer, entries = entries_of(lambda at=address: family.client.post(at))
            assert answer.status_code == 422, name
            assert not [one for one in entries if one.action == "send" and one.outcome in SAVED], (
                name
            )
    old = dict(addresses(family))
    pick(family.client, "Leo", "2018/09/03")
    for name, address in old.items():
        answer, entries = entries_of(lambda at=address: family.client.post(at, {"x": "1"}))
        assert answer.status_code == 409, name
        assert words_of(entries) == ["stale-page refused"], name
        assert entries[0].member_id == family.cast.mia.pk
    family.client.post("/switch/")
    answer, entries = entries_of(
        lambda: family.client.post(old["entry_add"], {"substance": "Latex"})
    )
    assert (answer.headers["Location"], words_of(entries)) == ("/who/", ["stale-page closed"])
    family.cast.rivera.sessions.update(ended_at=timezone.now(), end="idle")
    answer, entries = entries_of(
        lambda: family.client.post(old["entry_add"], {"substance": "Latex"})
    )
    assert words_of(entries) == ["stale-page signed-out"]
    assert (entries[0].account_id, entries[0].member_id) == (
        family.cast.rivera.pk,
        family.cast.mia.pk,
    )


def test_a_save_that_is_rolled_back_takes_its_entry_along(family, monkeypatch):
    """Whatever breaks after it: the entry was written in the same transaction."""
    family.client.raise_request_exception = False
    monkeypatch.setattr(EntryChange, "save", _breaks)
    answer, entries = entries_of(
        lambda: family.client.post(f"{family.home}history/allergies/add/", {"substance": "Latex"})
    )
    assert answer.status_code == 500
    assert not [one for one in entries if one.action == "send"]


def _breaks(*args: Any, **kwargs: Any) -> None:
    raise OSError("the disk is full")


# --- outside a chart ------------------------------------------------------------------


NEW = "harbor lights over paper boats"


def test_signing_in_choosing_and_what_goes_wrong_there(cast, run_tasks):
    """Each of R-AL-1 outside a chart; one entry each."""
    client = Client(REMOTE_ADDR=FROM)
    told: list[str] = []

    def act(address: str, typed: dict[str, Any] | None = None) -> None:
        call = client.get if typed is None else client.post
        _answer, entries = entries_of(lambda: call(address, typed or {}))
        told.extend(words_of(entries))
        for entry in entries:
            assert (entry.client_address, entry.staff_id) == (FROM, None), entry
            assert entry.account_id == cast.rivera.pk or entry.object_type == "email", entry

    email = "rivera@example.org"
    act("/login/", {"email": "nobody@example.org", "password": "x" * 15})
    act("/login/", {"email": email, "password": "wrong" * 4})
    act("/login/", {"email": email, "password": PASSWORD})
    act("/account/")
    act("/session/stay/", {})
    act("/who/")
    act("/who/", {"first_name": "Moe", "date_of_birth": "2016/04/27"})
    act("/who/", {"first_name": "Mia", "date_of_birth": "2016/04/28"})
    act("/who/", {"first_name": "Zoe", "date_of_birth": "1950/01/01"})
    act("/who/", {"first_name": "Mia", "date_of_birth": "2016/04/27"})
    act("/who/", {"again": str(cast.leo.public_id)})
    act("/switch/", {})
    act("/password/change/")
    typed = {"new_password1": NEW, "new_password2": NEW}
    act("/password/change/", {"old_password": "wrong" * 4, **typed})
    act("/password/change/", {"old_password": PASSWORD, **typed})
    act("/account/end-others/", {})
    act("/logout/", {})
    act("/password/", {"email": email})
    assert told == [
        "sign-in unknown-email email",
        "sign-in wrong-password email",
        "sign-in ok",
        "view ok login",
        "pick name",
        "pick date",
        "pick no-match",
        "pick ok",
        "pick not-offered",
        "switch ok",
        "password-change wrong-password",
        "password-change ok",
        "sign-out signed-out",
        "link-request asked email",
    ]
    known = {"home", "help_family", "practice_logo", "health_live", "health_ready"}
    known |= {"security_txt", "security_policy"}  # tell everybody the same, of nobody
    known |= {"account_end_session"}  # in tests/accounts/test_sessions.py
    known |= {"login", "logout", "password_request", "password_sent"}
    known |= {"password_choose", "password_open"}  # in tests/accounts/test_password_links.py
    known |= {"password_change", "account", "account_end_others", "session_stay", "who", "switch"}
    assert known == set(PUBLIC) | set(SIGN_IN)


def test_every_door_that_is_paused_says_so(cast):
    client = Client(REMOTE_ADDR=FROM)
    told: list[str] = []

    def until_paused(address: str, typed: dict[str, Any]) -> None:
        for _attempt in range(8):
            answer, entries = entries_of(lambda: client.post(address, typed))
            if answer.status_code == 429:
                told.extend(words_of(entries))
                return
        raise AssertionError(f"{address} was never paused")

    until_paused("/login/", {"email": "okafor@example.org", "password": "wrong" * 4})
    sign_in(client, "rivera@example.org")
    until_paused("/who/", {"first_name": "Zoe", "date_of_birth": "1950/01/01"})
    typed = {"old_password": "wrong" * 4, "new_password1": NEW, "new_password2": NEW}
    until_paused("/password/change/", typed)
    assert told == ["throttle sign-in email", "throttle pick", "throttle password-change"]


# --- nothing that was typed -----------------------------------------------------------


def test_the_audit_holds_no_name_no_value_no_password(family, cast, forms):
    """AL-07, R-AL-2: a canary in everything that is typed on the errand, and every text column read."""
    canary = "Zyxcanary"
    client = family.client
    for name, address in addresses(family):
        if name in POSTED_IS_REFUSED:
            client.get(address)
            continue
        with_typed = {"files": png(f"{canary}.png", "teal")} if name == "documents" else {}
        page = client.get(address)
        fields = fields_of(page) if page.status_code == 200 else {}
        typed = {
            box: canary
            for box in ("name", "substance", "occupation", "filled_in_name", "note", "reason")
            if box in fields or name in {"entry_add", "contact_add"}
        }
        client.post(address, {**fields, **typed, **with_typed, "filled_in_by": "guardian"})
    client.post("/who/", {"first_name": canary, "date_of_birth": "1901/02/03"})
    Client().post("/login/", {"email": f"{canary}@example.org", "password": canary * 3})
    Client().post("/password/", {"email": f"{canary}@example.org"})
    staff = Client()
    sign_in_as_staff(staff)
    staff.post("/admin/households/member/", {"q": canary, "search": "1"}, follow=True)
    staff.post("/admin/household/", {"email": f"{canary}@example.org"}, follow=True)
    assert EntryChange.objects.filter(values__substance=canary).exists()

    texts = [field.attname for field in AuditEvent._meta.concrete_fields]
    everything = [
        str(value)
        for row in AuditEvent.objects.values_list(*texts)
        for value in row
        if isinstance(value, str)
    ]
    assert len(everything) > 100
    names = ["Rivera", "Mia", "Mimi", "Elena", "Grandma", "Penicillin", "2016", "1901", "@"]
    for secret in [canary, PASSWORD, family.key, *names]:
        found = [text for text in everything if secret.lower() in text.lower()]
        found = [text for text in found if not SAFE.fullmatch(text)]
        assert found == [], secret


# Numbers, public ids and marks, in which any four digits may stand.
SAFE = re.compile(r"[0-9a-f-]{32,40}|[0-9.:]+")
