"""The staff door and the frame around admin: who gets in, what stands on the index."""

from __future__ import annotations

import re
import uuid

import pytest
from django.apps import apps
from django.test import Client
from django.urls import URLResolver, get_resolver

from accounts.audit.models import AuditEvent
from accounts.models import HouseholdAccount, StaffAccount
from households.demographics.models import Contact
from households.desk.models import RosterImport, StaffMailSubscription
from households.documents.models import Document, DocumentRequest
from households.intake.models import QuestionnaireVersion, ValueSet
from households.models import Member, PickerMiss, Practice
from households.submissions.models import Refiling, Submission
from tests.cast import NURSE_PASSWORD, PASSWORD, pick, sign_in, sign_in_as_staff
from tests.files import png
from tests.pages import fields_of, text_of

ADMIN_FORM = {"username": "nurse@example.org", "password": NURSE_PASSWORD}


KINDS = {"demographics": "demographics", "history": "history", "intake": "form"}
ROW = re.compile(r"<(?:path:object_id|int:pk|id)>")
# Whose number stands in addresses that are not below a model's own.
WHOSE = {
    "/admin/tasks/miss/": "households.pickermiss",
    "/admin/tasks/birthday/": "households.member",
    "/admin/consent/": "households.member",
    "/admin/demographics/detailchange/on-file/": "households.member",
    "/admin/intake/questionnaireresponse/preview/": "intake.questionnaireversion",
}


def admin_addresses() -> list[str]:
    """Every address of admin, about an existing row where one is about a row."""
    found = []

    def walk(patterns, prefix):
        for pattern in patterns:
            route = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                walk(pattern.url_patterns, route)
            else:
                found.append(route)

    (admin,) = [r for r in get_resolver().url_patterns if str(r.pattern) == "admin/"]
    walk(admin.url_patterns, "/admin/")
    return [_filled(route) for route in found if "(" not in route and "<url>" not in route]


def _filled(route: str) -> str:
    route = route.replace("<int:member_pk>", str(getattr(Member.objects.first(), "pk", 1)))
    kind = KINDS.get(route.split("/")[2], Submission.Kind.DOCUMENT)
    submission = Submission.objects.filter(kind=kind).first()
    route = route.replace("<int:submission_pk>", str(getattr(submission, "pk", 1)))
    version = QuestionnaireVersion.objects.first()
    route = route.replace("<int:version_pk>", str(getattr(version, "pk", 1)))
    contact = Contact.objects.first()
    route = route.replace("<uuid:row>", str(getattr(contact, "public_id", uuid.uuid4())))
    route = route.replace("<int:number>", "1").replace("<slug:field>", "address")
    route = route.replace("<int:age>", "18")
    if not ROW.search(route):
        return route.replace("<int:content_type_id>/<path:object_id>", "1/1")
    label = ".".join(route.split("/")[2:4])
    label = next((model for begins, model in WHOSE.items() if route.startswith(begins)), label)
    first = "1" if label.startswith("r.") else apps.get_model(label).objects.first()
    return ROW.sub(str(getattr(first, "pk", first)), route).replace("<int:content_type_id>", "1")


OPEN_TO_ALL = {"/admin/login/", "/admin/jsi18n/"}


@pytest.fixture
def one_of_each(cast, forms) -> None:
    """A row behind every address: for a missing one Django answers before it asks for permission."""
    Practice.objects.create(pk=1)
    family = Client()
    sign_in(family, "rivera@example.org")
    key = pick(family, "Mia", "2016/04/27")
    family.post(f"/for/{key}/documents/", {"files": png("card.png")})
    assert Document.objects.exists()
    DocumentRequest.objects.create(member=cast.mia, what="Insurance card, both sides")
    Contact.objects.create(member=cast.mia, name="Grandma", relationship="GRPRN")
    form = forms.form(needs_signature=True)
    forms.ask(form)
    forms.ask_one(form, cast.mia)
    forms.sign(forms.send(form, cast.mia))
    Refiling.objects.create(
        member=cast.leo,
        from_member=cast.mia,
        submission=Submission.objects.filter(kind="document")[0],
        staff=cast.nurse_staff,
        reason="It is Leo's.",
    )
    ValueSet.objects.create(url="https://practice.example/ValueSet/some", title="Some")
    RosterImport.objects.create(file_name="p.csv", file_bytes=1, uploaded_by=cast.nurse_staff)
    StaffMailSubscription.objects.create(staff=cast.nurse_staff, mode="digest")
    for _time in range(2):
        family.post("/who/", {"first_name": "Mia", "date_of_birth": "2016/04/28"})
    assert PickerMiss.objects.exists()
    key = pick(family, "Mia", "2016/04/27")
    for page, typed in {
        "demographics/occupation/": {"occupation": "Dancer"},
        "history/allergies/add/": {"substance": "Penicillin"},
    }.items():
        address = f"/for/{key}/{page}"
        assert family.post(address, fields_of(family.get(address), **typed)).status_code == 302


def test_the_addresses_are_really_there(one_of_each):
    addresses = admin_addresses()
    assert len(addresses) > 30
    assert "None" not in " ".join(addresses)
    member, account = Member.objects.first(), HouseholdAccount.objects.first()
    assert f"/admin/households/member/{member.pk}/change/" in addresses
    assert f"/admin/accounts/householdaccount/{account.pk}/send-link/" in addresses
    assert f"/admin/documents/document/share/{member.pk}/" in addresses
    assert not [address for address in addresses if re.search("<(int|uuid|slug):", address)]


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_household_session_opens_nothing_in_admin(one_of_each, client, method):
    sign_in(client, "rivera@example.org")
    for address in admin_addresses():
        if address in OPEN_TO_ALL or address == "/admin/logout/":
            continue
        answer = getattr(client, method)(address)
        assert answer.status_code in {302, 405}, (address, answer.status_code)
        if answer.status_code == 302:
            assert answer.headers["Location"].startswith("/admin/login/"), address


def test_an_empty_field_neither_signs_in_nor_ends_the_count_of_guesses(cast, client):
    for _attempt in range(4):
        client.post("/admin/login/", {**ADMIN_FORM, "password": "wrong"})
    for missing in ["username", "password"]:
        answer = client.post("/admin/login/", {**ADMIN_FORM, missing: ""})
        assert answer.status_code == 200
        assert "This field is required." in text_of(answer)
    client.post("/admin/login/", {**ADMIN_FORM, "password": "wrong"})
    assert client.post("/admin/login/", ADMIN_FORM).status_code == 429


def test_a_household_password_does_not_open_admin_even_under_a_staff_email(cast, client):
    answer = client.post("/admin/login/", {"username": "nurse@example.org", "password": PASSWORD})
    assert answer.status_code == 200
    assert "do not match a staff account. Families sign in at the portal." in text_of(answer)
    assert client.get("/admin/").status_code == 302
    assert AuditEvent.objects.filter(action="staff-sign-in", outcome="refused").count() == 1


def test_a_staff_password_does_not_open_the_portal(cast, client):
    client.post("/login/", {"email": "nurse@example.org", "password": NURSE_PASSWORD})
    assert client.get("/who/").status_code == 302
    assert client.get("/who/").headers["Location"].startswith("/login/")


def test_a_staff_session_is_nobody_on_the_portals_pages(cast, client):
    sign_in_as_staff(client)
    assert client.get("/who/").headers["Location"].startswith("/login/")


def test_the_sign_in_page_says_whom_it_is_for_and_where_families_go(cast, client):
    Practice.objects.create(pk=1, name="Harbor Family Medicine")
    answer = client.get("/admin/login/")
    assert "This page is for the staff of Harbor Family Medicine." in text_of(answer)
    assert 'href="/login/"' in answer.content.decode()


def test_sign_in_and_sign_out_are_in_the_audit(cast, client):
    sign_in_as_staff(client)
    entry = AuditEvent.objects.get(action="staff-sign-in")
    assert (entry.outcome, entry.staff_id) == ("ok", cast.nurse_staff.pk)
    answer = client.post("/admin/logout/")
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert AuditEvent.objects.get(action="staff-sign-out").staff_id == cast.nurse_staff.pk
    assert client.get("/admin/").status_code == 302


def test_a_get_does_not_sign_out(cast, client):
    sign_in_as_staff(client)
    assert client.get("/admin/logout/").status_code == 405
    assert client.get("/admin/").status_code == 200


def test_guessing_is_paused_with_the_time_to_wait(cast, client):
    for _attempt in range(5):
        client.post("/admin/login/", {**ADMIN_FORM, "password": "wrong"})
    answer = client.post("/admin/login/", ADMIN_FORM)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert "Too many attempts. Try again in 1 minute." in text_of(answer)
    assert client.get("/admin/").status_code == 302
    assert AuditEvent.objects.filter(action="throttle", outcome="staff-sign-in").count() == 1


def test_the_index_is_grouped_by_job(cast, client):
    Practice.objects.create(pk=1, name="Harbor Family Medicine")
    sign_in_as_staff(client)
    answer = client.get("/admin/")
    groups = [group["name"] for group in answer.context_data["app_list"]]
    assert groups == ["Families", "Inbox", "Forms", "Practice", "Staff", "Audit"]
    text = text_of(answer)
    assert "Harbor Family Medicine: staff" in text
    for entry in [
        "Members",
        "Household accounts",
        "Changes of details",
        "Documents",
        "Requests for documents",
        "Kinds of documents",
        "Help text for families, to copy",
    ]:
        assert entry in text
    assert "View site" not in text
    listed = [
        model["name"] for group in answer.context_data["app_list"] for model in group["models"]
    ]
    assert not [name for name in listed if "task" in name.lower()], (
        "the queue's rows hold addresses"
    )


def test_the_queues_own_pages_are_not_mounted(cast, client):
    sign_in_as_staff(client)
    assert client.get("/admin/django_tasks_database/dbtaskresult/").status_code == 404


def test_the_help_text_is_filled_in_and_ready_to_copy(cast, client):
    Practice.objects.create(pk=1, name="Harbor Family Medicine", sender="hello@harbor.example")
    sign_in_as_staff(client)
    answer = client.get("/admin/help-text/")
    text = text_of(answer)
    assert "Harbor Family Medicine" in text
    assert "hello@harbor.example" in text
    assert "15 characters" in text
    assert "{{" not in text


@pytest.mark.parametrize("address", ["/admin/", "/admin/login/", "/admin/help-text/"])
def test_admin_has_the_strict_policy_and_no_script_or_style_in_the_page(cast, client, address):
    if address != "/admin/login/":
        sign_in_as_staff(client)
    answer = client.get(address)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    page = answer.content.decode()
    assert "<style" not in page
    assert " style=" not in page
    assert "<script>" not in page


# --- staff without permission ---------------------------------------------------------


@pytest.fixture
def newcomer(cast) -> Client:
    """Signed-in staff whom nobody has put into a group."""
    StaffAccount.objects.create_user("new@example.org", NURSE_PASSWORD)
    client = Client()
    sign_in_as_staff(client, "new@example.org")
    return client


OPEN_TO_STAFF = {
    "/admin/",
    "/admin/login/",
    "/admin/logout/",
    "/admin/password_change/",
    "/admin/password_change/done/",
    "/admin/jsi18n/",
    "/admin/help-text/",
    "/admin/help-text/handout/",
    # Their own second step, and where nobody is who is signed in.
    *("/admin/stay/", "/admin/sign-ins/"),
    *("/admin/second-factor/", "/admin/second-factor/app/", "/admin/second-factor/codes/"),
    *("/admin/login/code/", "/admin/login/recovery/", "/admin/login/set-up/"),
    "/admin/login/recovery-codes/",
}


@pytest.mark.parametrize("method", ["get", "post"])
def test_staff_without_permission_get_nothing(one_of_each, newcomer, method):
    for address in admin_addresses():
        if address in OPEN_TO_STAFF:
            continue
        answer = getattr(newcomer, method)(address)
        assert answer.status_code in {403, 404, 405} or _to_a_refusal(newcomer, answer), (
            address,
            answer.status_code,
        )


def _to_a_refusal(client: Client, answer) -> bool:
    """Django sends /admin/…/1/ on to its change page, which refuses."""
    return answer.status_code == 302 and client.get(answer.headers["Location"]).status_code == 403


def test_staff_without_permission_see_an_index_that_says_what_to_do(newcomer):
    text = text_of(newcomer.get("/admin/"))
    assert "Help text for families" in text
    for word in ["Members", "Documents", "Audit", "Staff accounts"]:
        assert word not in text


def test_forged_posts_of_staff_without_permission_change_nothing(cast, newcomer):
    before = list(StaffAccount.objects.order_by("pk").values())
    forged = {
        "email": "new@example.org",
        "is_superuser": "on",
        "is_active": "on",
        "version": "",
    }
    own = StaffAccount.objects.get(email="new@example.org").pk
    attempts = {
        f"/admin/accounts/staffaccount/{own}/change/": forged,
        "/admin/accounts/staffaccount/add/": {
            "email": "twin@example.org",
            "password1": NURSE_PASSWORD,
            "password2": NURSE_PASSWORD,
        },
        f"/admin/accounts/staffaccount/{cast.nurse_staff.pk}/password/": {
            "password1": PASSWORD,
            "password2": PASSWORD,
        },
        f"/admin/households/member/{cast.mia.pk}/change/": {"email": "new@example.org"},
        f"/admin/accounts/householdaccount/{cast.rivera.pk}/end-sessions/": {},
        f"/admin/accounts/householdaccount/{cast.rivera.pk}/send-link/": {},
        "/admin/households/practice/1/change/": {"name": "Mine"},
    }
    for address, data in attempts.items():
        assert newcomer.post(address, data).status_code == 403, address
    cast.mia.refresh_from_db()
    assert cast.mia.email_key == "rivera@example.org"
    after = list(StaffAccount.objects.order_by("pk").values())
    assert after == before
    assert not Practice.objects.exists()
    assert not AuditEvent.objects.filter(action="staff-change").exists()


# --- one's own password ---------------------------------------------------------------


def test_staff_change_their_own_password_with_the_current_one(cast, client):
    sign_in_as_staff(client)
    new = "harbor-lantern-violet-71"
    page = client.get("/admin/password_change/")
    typed = {"new_password1": new, "new_password2": new}
    wrong = fields_of(page, old_password="not the current one", **typed)
    assert client.post("/admin/password_change/", wrong).status_code == 200
    short = fields_of(
        page, old_password=NURSE_PASSWORD, new_password1="short", new_password2="short"
    )
    refused = client.post("/admin/password_change/", short)
    assert "at least 15 characters" in text_of(refused)
    assert not AuditEvent.objects.filter(action="password-change").exists()

    right = fields_of(page, old_password=NURSE_PASSWORD, **typed)
    assert client.post("/admin/password_change/", right).status_code == 302
    assert AuditEvent.objects.get(action="password-change").staff_id == cast.nurse_staff.pk
    assert client.get("/admin/").status_code == 200
    sign_in_as_staff(Client(), password=new)


def test_accents_typed_in_two_ways_are_the_same_staff_password(cast, client):
    cast.nurse_staff.set_password("cafe\u0301-lantern-violet-71")
    cast.nurse_staff.save()
    sign_in_as_staff(client, password="caf\u00e9-lantern-violet-71")
    assert client.get("/admin/").status_code == 200


def test_guessing_at_the_staff_password_change_is_slowed(cast, client):
    """A browser left open at the desk must not become a place to guess from."""
    from django.urls import reverse

    from tests.cast import NURSE_PASSWORD, sign_in_as_staff

    sign_in_as_staff(client)
    new = "meadow copper violin raft"

    def change(old):
        fields = {"old_password": old, "new_password1": new, "new_password2": new}
        return client.post(reverse("admin:password_change"), fields).status_code

    assert [change("wrong wrong wrong") for _ in range(5)] == [200] * 5
    assert change(NURSE_PASSWORD) == 429
    cast.nurse_staff.refresh_from_db()
    assert cast.nurse_staff.check_password(NURSE_PASSWORD)


def test_storm_of_staff_sign_ins_is_told_to_wait(cast, client, monkeypatch):
    from accounts import passwords
    from tests.cast import sign_in_as_staff

    monkeypatch.setattr(passwords, "_LONGEST_WAIT_SECONDS", 0.01)
    for _ in range(passwords._HASHES_AT_ONCE):
        assert passwords._hashing.acquire(blocking=False)
    try:
        answer = client.post("/admin/login/", {"username": "nurse@example.org", "password": "x"})
    finally:
        for _ in range(passwords._HASHES_AT_ONCE):
            passwords._hashing.release()
    assert "Try again in a few seconds" in answer.content.decode()
    sign_in_as_staff(client)
