"""Roles, tried at every address of admin by everybody there is: signed-out, without a role, front desk,
clinician, auditor, owner; by GET and by a forged POST (SECURITY R-AZ-6, AD-06).

EXPECTED is written by hand: an address that is not in it fails, and so does one that opens to others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.core.files.base import ContentFile
from django.db import connection, transaction
from django.http import HttpResponseBase
from django.test import Client
from django.urls import resolve

from accounts.models import HouseholdAccount, StaffAccount
from households.desk import roles
from households.documents.models import Document
from households.documents.renditions import page_name
from households.intake.models import QuestionnaireResponse
from households.models import Member
from households.submissions.models import Submission
from tests.cast import sign_in_as_staff
from tests.households.desk.expected_of_staff import EXPECTED
from tests.pages import text_of
from tests.portal.test_admin_site import admin_addresses, one_of_each  # noqa: F401 (a fixture)
from tests.rollback import to_be_undone

NAMES = {
    "n": "nobody",
    "f": roles.FRONT_DESK,
    "c": roles.CLINICIAN,
    "a": roles.AUDITOR,
    "o": "Owner",
}
# The audit of looking, the session and when it was last used, and counting attempts at one's own password.
HARMLESS = re.compile(
    r'^\s*(INSERT INTO|UPDATE|DELETE FROM) "?(audit_auditevent|django_session|accounts_throttle)\b'
    r'|^\s*UPDATE "accounts_staffsession" SET "last_seen_at" = [^,]+ WHERE'
)
WRITES = re.compile(r"^\s*(INSERT|UPDATE|DELETE|REPLACE|CREATE|ALTER|DROP)\b", re.I)


def somebody(letter: str) -> Client:
    """A browser in which somebody of the role is signed in."""
    client = Client()
    staff = StaffAccount.objects.create_user(
        f"{letter}@practice.example", "lantern-orchid-gravel-44"
    )
    if letter != "n":
        staff.groups.add(Group.objects.get(name=NAMES[letter]))
    sign_in_as_staff(client, staff.email, "lantern-orchid-gravel-44")
    return client


@contextmanager
def undone(written: list[str]) -> Iterator[None]:
    """Whatever is done inside is undone; its statements that write anything of note are kept in `written`."""

    def note(execute, sql, params, many, context):
        if WRITES.match(sql) and not HARMLESS.match(sql):
            written.append(sql[:300])
        return execute(sql, params, many, context)

    with to_be_undone(), connection.execute_wrapper(note):
        yield
        transaction.set_rollback(True)


def is_refused(answer: HttpResponseBase) -> bool:
    if answer.status_code == 302:
        # To sign in, or to the index where Django says that there is no such row.
        return answer.headers["Location"].startswith("/admin/login/") or (
            answer.headers["Location"] == "/admin/"
        )
    return answer.status_code in {403, 404, 405}


def named_addresses() -> list[tuple[str, str]]:
    """Every address of admin with its name, about rows that there are."""
    found = []
    for address in admin_addresses():
        name = resolve(address).url_name
        if name is None:  # the short address of a row, which sends on to its page
            continue
        if name.startswith("record_form_"):
            form = sent_form()
            about = f"record/{form.member_id}/form/{form.pk}/"
            address = re.sub("record/[0-9]+/form/[0-9]+/", about, address)
        if name in {"form_csv", "form_ndjson"}:
            row = str(sent_form().version.questionnaire.public_id)
            address = re.sub("[0-9a-f-]{36}", row, address)
        if name.startswith("submissions_submission_"):
            document = Submission.objects.filter(kind="document").earliest("pk")
            address = re.sub("/submission/[0-9]+/", f"/submission/{document.pk}/", address)
        found.append((name, f"{address}{MORE.get(name, '')}"))
    return found


def forged_of(method: str, address: str) -> dict[str, str]:
    """What is posted: something, as a browser posts; and whom a button is about where it needs that."""
    if method == "get":
        return {}
    account = re.match("/admin/accounts/householdaccount/([0-9]+)/", address)
    if account is None:
        return {"forged": "1"}
    key = HouseholdAccount.objects.get(pk=account[1]).email_key
    return {"member": str(Member.objects.filter(email_key=key)[0].pk)}


def sent_form() -> QuestionnaireResponse:
    return QuestionnaireResponse.objects.exclude(submission=None).earliest("pk")


# What an address needs behind it.
MORE = {"intake_questionnaireversion_build_add": "?kind=section"}


@pytest.fixture
def everything(one_of_each, cast) -> None:  # noqa: F811 # the fixture that is imported
    """A row behind every address, also a picture of a page."""
    document = Document.objects.get()
    document.pictures, document.pages_pictured = Document.Pictures.READY, 1
    document.save()
    name = page_name(document, 1)
    document.file.storage.save(name, ContentFile(b"a picture"))


def test_every_address_is_in_the_table_and_nothing_else(everything):
    there = {name for name, _address in named_addresses()}
    assert there == EXPECTED.keys()


@pytest.mark.timeout(240)  # some 400 requests
@pytest.mark.parametrize("letter", NAMES)
def test_every_page_and_action(everything, letter):
    client = somebody(letter)
    opened: dict[tuple[str, str], list[int]] = {}
    wrong = []
    for name, address in named_addresses():
        for method, allowed in zip(("get", "post"), EXPECTED[name], strict=True):
            if allowed == "-":
                continue
            written: list[str] = []
            with undone(written):
                answer = getattr(client, method)(address, forged_of(method, address))
                if answer.streaming:
                    b"".join(answer.streaming_content)  # and so closes the file
            refused = is_refused(answer)
            if not refused:
                opened.setdefault((method, name), []).append(answer.status_code)
            if written and (refused or letter == "a"):
                wrong.append((method, name, written[0]))
    expected = {
        (method, name)
        for name, both in EXPECTED.items()
        for method, allowed in zip(("get", "post"), both, strict=True)
        if letter in allowed
    }
    assert wrong == []
    assert opened.keys() - expected == set(), "opens, and should not"
    assert expected - opened.keys() == set(), "should open"


@pytest.mark.parametrize(("letter", "told"), [("n", True), ("f", False), ("o", False)])
def test_who_has_no_role_is_told_why_nothing_is_there(cast, letter, told):
    assert ("your account has no role yet" in text_of(somebody(letter).get("/admin/"))) == told


# --- the table of roles ---------------------------------------------------------------


@pytest.mark.django_db
def test_the_groups_hold_what_the_table_says():
    """Also after all later migrations: a row without one fails here."""
    assert {*Group.objects.values_list("name", flat=True)} == {*roles.ROLES, "Owner"}
    for role in roles.ROLES:
        held = Group.objects.get(name=role).permissions.values_list(
            "content_type__app_label", "codename"
        )
        assert {f"{app}.{codename}" for app, codename in held} == roles.permissions_of(role)


def test_the_auditor_reads_everything_and_changes_nothing():
    for row, letters in roles.TABLE.items():
        assert letters[roles.ROLES.index(roles.AUDITOR)] in {"v", "x", ""}, row
    may = roles.permissions_of(roles.AUDITOR)
    assert {one for one in may if ".view_" not in one} == set()


def test_the_front_desk_has_nothing_of_history_settings_staff_or_audit():
    may = roles.permissions_of(roles.FRONT_DESK)
    for word in (
        "history.",
        "audit.",
        "auth.",
        "accounts.staff",
        "practice",
        "setting",
        "clinical",
    ):
        assert not [one for one in may if word in one], word
    assert not [one for one in may if ".delete_" in one and "alsocalled" not in one]


@pytest.mark.django_db
def test_what_a_practice_changes_at_its_groups_stays(cast):
    """A migration hands out only the rows that it brings, and makes no group again."""
    desk, auditor = (Group.objects.get(name=name) for name in ("Front desk", "Auditor"))
    taken = desk.permissions.get(codename="add_member")
    desk.permissions.remove(taken)
    given = Permission.objects.get(codename="view_practice")
    desk.permissions.add(given)
    cast.nurse_staff.groups.add(desk)
    auditor.delete()
    roles.hand_out("documents.documentrequest")(apps, None)
    names = set(desk.permissions.values_list("codename", flat=True))
    assert "add_member" not in names
    assert {"view_practice", "add_documentrequest"} <= names
    assert desk.user_set.get() == cast.nurse_staff
    assert not Group.objects.filter(name="Auditor").exists()


# --- the history and the front desk ---------------------------------------------------


def test_nothing_of_a_history_reaches_the_front_desk(everything, cast):
    """Every page it may open, with a history and its submission there; and the pages of that one."""
    desk = somebody("f")
    history = Submission.objects.get(kind="history")
    for name, address in named_addresses():
        if "f" not in EXPECTED[name][0]:
            continue
        answer = desk.get(address)
        if answer.streaming or answer.status_code != 200:
            b"".join(answer) if answer.streaming else None
            continue
        page = answer.content.decode(errors="ignore")
        for word in ("Penicillin", "Allergies", "Medical history:", "admin/history/"):
            assert word not in page, (name, word)
    for word in ("assign", "file", "text", "next", "previous", "refile", "change"):
        address = f"/admin/submissions/submission/{history.pk}/{word}/"
        for method in (desk.get, desk.post):
            assert method(address, {"to": "me"}).status_code in {302, 403, 404, 405}, word
            assert method(address).headers.get("Location", "/admin/") == "/admin/", word
    forged = {"action": "mark_filed", "_selected_action": [history.pk], "index": 0}
    desk.post("/admin/submissions/submission/", forged)
    history.refresh_from_db()
    assert (history.status, history.assigned_to, history.member) == ("received", None, cast.mia)


# --- forged posts with what a browser would send --------------------------------------


def test_forged_posts_of_front_desk_and_auditor_change_nothing(everything, cast):
    """AD-06: the superuser flag, roles, deletion, list edits, forms inside forms, actions."""
    own = {letter: somebody(letter) for letter in "fa"}
    before = snapshot()
    owners = Group.objects.get(name="Owner")
    for letter, client in own.items():
        staff = StaffAccount.objects.get(email=f"{letter}@practice.example")
        flag = {"email": staff.email, "is_active": "on", "is_superuser": "on"}
        setting = "form-0-id", "form-TOTAL_FORMS", "form-INITIAL_FORMS"
        list_edit = {**dict(zip(setting, ("1", "1", "1"), strict=True)), "_save": "Save"}
        attempts = {
            f"/admin/accounts/staffaccount/{staff.pk}/change/": {**flag, "groups": owners.pk},
            "/admin/accounts/staffaccount/add/": {**flag, "email": "twin@example.org"},
            f"/admin/accounts/staffaccount/{cast.nurse_staff.pk}/password/": {
                "password1": "x" * 20
            },
            f"/admin/auth/group/{owners.pk}/change/": {"name": "Mine"},
            "/admin/auth/group/add/": {"name": "Mine"},
            f"/admin/households/member/{cast.mia.pk}/delete/": {"post": "yes"},
            "/admin/history/sectionsetting/": {**list_edit, "form-0-is_private": "on"},
            "/admin/demographics/fieldsetting/": {**list_edit, "form-0-shown": "hidden"},
            "/admin/households/practice/1/change/": {"name": "Mine"},
            "/admin/audit/auditevent/1/change/": {"outcome": "nothing"},
            "/admin/audit/auditevent/1/delete/": {"post": "yes"},
        }
        for address, data in attempts.items():
            assert client.post(address, data).status_code == 403, (letter, address)
        for model in ("households/member", "documents/document", "intake/questionnaireresponse"):
            deleting = {"action": "delete_selected", "_selected_action": ["1"], "post": "yes"}
            client.post(f"/admin/{model}/", {**deleting, "index": "0"})
    inline = {
        "also_called-TOTAL_FORMS": "1",
        "also_called-INITIAL_FORMS": "0",
        "also_called-0-name": "Moxie",
        "first_name": "Mine",
    }
    assert (
        own["a"].post(f"/admin/households/member/{cast.mia.pk}/change/", inline).status_code == 403
    )
    for action in ("mark_seen", "mark_filed", "assign_to_me", "ask_people"):
        for model in ("submissions/submission", "documents/document", "households/member"):
            chosen = {"action": action, "_selected_action": ["1", "2", "3"], "index": "0"}
            own["a"].post(f"/admin/{model}/", chosen)
    assert snapshot() == before


def test_an_auditor_signs_out_searches_and_changes_the_own_password(cast):
    auditor = somebody("a")
    found = auditor.post("/admin/households/member/", {"q": "mia riv", "search": "1"}, follow=True)
    assert "Mia Rivera" in found.content.decode()
    new = "paper-boats-harbor-lights"
    typed = {"old_password": "lantern-orchid-gravel-44", "new_password1": new, "new_password2": new}
    assert auditor.post("/admin/password_change/", typed).status_code == 302
    assert auditor.post("/admin/logout/").status_code == 200
    assert auditor.get("/admin/").status_code == 302


def snapshot() -> dict[str, list]:
    """Every row there is, but of what looking leaves behind."""
    left_behind = {"audit.AuditEvent", "sessions.Session", "accounts.Throttle"}
    return {
        model._meta.label: [*model._base_manager.order_by("pk").values()]
        for model in apps.get_models()
        if model._meta.label not in left_behind
    }
