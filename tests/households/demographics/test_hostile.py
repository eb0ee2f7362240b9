"""What a hostile browser sends: names that are on no form, ids of other people, odd types."""

from __future__ import annotations

import uuid

import lxml.html
import pytest
from django.forms.models import model_to_dict

from accounts.audit.models import AuditEvent
from households.demographics.fields import FIELDS
from households.demographics.models import Contact, Coverage, DetailChange, Details
from households.models import Member
from households.submissions.models import Submission
from tests.households.demographics.conftest import Family
from tests.households.demographics.test_settings import typed_of
from tests.pages import fields_of

FORGED = {
    "patient": "1",
    "patient_id": "P9999",
    "member": "1",
    "member_id": "1",
    "household": "1",
    "primary_email": "thief@example.org",
    "email": "thief@example.org",
    "email_key": "thief@example.org",
    "first_name": "Thief",
    "date_of_birth": "1990/01/01",
    "sex": "M",
    "portal_access": "1",
    "is_staff": "1",
    "status": "deceased",
    "decision": "accepted",
    "decided_by": "1",
    "reviewed_by": "1",
    "accepts_itself": "on",
    "field": "email",
    "row": "1",
    "before": "{}",
    "values": '{"email": "thief@example.org"}',
    "edited_values": "{}",
    "confirmed_at": "2020-01-01",
    "ended_at": "2020-01-01",
    "public_id": "1",
    "id": "1",
    "pk": "1",
}


def everything_on_file() -> list[dict]:
    return [
        model_to_dict(row)
        for model in (Member, Details, Contact, Coverage)
        for row in model.objects.order_by("pk")
    ]


@pytest.mark.parametrize("key", FIELDS)
def test_names_that_are_not_on_the_form_change_nothing(cast, mia, key):
    """AZ-04."""
    before = everything_on_file()
    page = "contacts/new/" if key == "contacts" else f"{key}/"
    opened = fields_of(mia.page(page), **typed_of(key))
    ours = {column.name for column in FIELDS[key].columns}
    forged = {name: value for name, value in FORGED.items() if name not in ours}
    assert mia.send(page, {**forged, **opened}).status_code == 302
    assert everything_on_file() == before
    change = DetailChange.objects.get()
    assert (change.member, change.field, change.decision) == (cast.mia, key, "waiting")
    assert set(change.values) <= ours
    assert "thief" not in str(change.values)
    assert (change.edited_values, change.decided_by, change.reason) == (None, None, "")


@pytest.mark.parametrize(
    "name",
    [
        *["nonsense", "Address", "member", "id", "first_name", "__class__", "contacts%00"],
        *["a" * 300, "-", "_", "1", "confirmed_at"],
    ],
)
def test_a_field_that_is_none_is_not_found(mia, name):
    for page in (f"{name}/", f"{name}/keep/"):
        assert mia.page(page).status_code in {404, 405}
        assert mia.send(page, {"first_name": "Thief"}).status_code == 404
    assert not DetailChange.objects.exists()


@pytest.fixture
def contacts(cast) -> dict[str, Contact]:
    people = {"mia": cast.mia, "leo": cast.leo, "other_mia": cast.other_mia}
    return {
        name: Contact.objects.create(member=one, name=f"Contact of {name}", relationship="FRND")
        for name, one in people.items()
    }


@pytest.mark.parametrize("whose", ["leo", "other_mia"])
def test_another_members_contact_is_not_found_and_not_touched(cast, mia, contacts, whose):
    """CVE-2026-87975's shape: a row's id from elsewhere, in the address and in the post."""
    theirs = contacts[whose]
    before = everything_on_file()
    mine = fields_of(mia.page(f"contacts/{contacts['mia'].public_id}/"), name="Thief")
    for page in ("", "remove/", "keep/"):
        address = f"contacts/{theirs.public_id}/{page}"
        answer = mia.page(address)
        assert answer.status_code in {404, 405}
        assert theirs.name not in answer.content.decode()
        assert mia.send(address, mine).status_code == 404
    forged = {**mine, "row": theirs.public_id, "public_id": theirs.public_id, "id": theirs.pk}
    mia.send(f"contacts/{contacts['mia'].public_id}/", forged)
    assert everything_on_file() == before
    assert {one.row for one in DetailChange.objects.all()} == {str(contacts["mia"].public_id)}


def test_accepting_writes_only_the_members_own_row(cast, mia, desk, contacts):
    """Should a row of somebody else ever stand in a change, staff cannot write it."""
    mia.change(f"contacts/{contacts['mia'].public_id}/", name="New Name")
    change = DetailChange.objects.get()
    DetailChange.objects.filter(pk=change.pk).update(row=str(uuid.uuid4()), before={})
    change.refresh_from_db()
    desk.accept(change)
    assert Contact.objects.get(pk=contacts["leo"].pk).name == "Contact of leo"
    assert set(Contact.objects.filter(name="New Name").values_list("member", flat=True)) == {
        cast.mia.pk
    }


def test_a_contact_that_another_member_sent_is_not_mine(cast, mia, leo):
    leo.change("contacts/new/", name="Zoe", relationship="FRND")
    row = DetailChange.objects.get().row
    for page in ("", "remove/", "keep/"):
        assert mia.page(f"contacts/{row}/{page}").status_code in {404, 405}
        assert mia.send(f"contacts/{row}/{page}", {}).status_code == 404
    assert DetailChange.objects.get().decision == "waiting"


def test_the_same_page_number_of_a_new_contact_is_another_row_for_another_member(cast, mia, leo):
    number = str(uuid.uuid4())
    for family in (mia, leo):
        family.change("contacts/new/", name="Zoe", relationship="FRND", sending_id=number)
    rows = DetailChange.objects.values_list("row", flat=True)
    assert len(set(rows)) == 2


@pytest.mark.parametrize("row", ["0", "-1", "18446744073709551617", "x", "1e3"])
def test_an_odd_id_is_not_found(mia, row):
    for page in ("", "remove/", "keep/"):
        assert mia.page(f"contacts/{row}/{page}").status_code == 404


@pytest.mark.parametrize("seen", ["", "x", "é\u0000", "0" * 5000, None])
def test_a_forged_fingerprint_is_a_conflict(mia, seen):
    answer = mia.change("pharmacy/", pharmacy_name="Corner", seen=seen)
    assert answer.status_code == 409
    assert not DetailChange.objects.exists()


@pytest.mark.parametrize(
    "value", ["\u0000", "a\u0000b", "x" * 100_000, "\u202e", "<script>alert(1)</script>", "{{ 1 }}"]
)
def test_odd_text_never_breaks_a_page(mia, value):
    for page, box in (("pharmacy/", "pharmacy_name"), ("language/", "preferred_language")):
        answer = mia.change(page, **{box: value})
        assert answer.status_code in {302, 422}
        assert "<script>alert" not in answer.content.decode()
    assert "<script>alert" not in mia.page().content.decode()


def test_values_posted_twice_are_one_person_s_and_one_value(cast, mia):
    """AZ-05."""
    opened = fields_of(mia.page("pharmacy/"))
    mia.send("pharmacy/", {**opened, "pharmacy_name": ["First", "Second"]})
    assert DetailChange.objects.get().values["pharmacy_name"] == "Second"


def test_an_old_key_proposes_nothing(cast, mia):
    opened = fields_of(mia.page("pharmacy/"), pharmacy_name="Corner")
    old = mia.details
    mia.open("Leo", "2018/09/03")
    for page in ("pharmacy/", "confirm/", "pharmacy/keep/"):
        assert mia.post(f"{old}{page}", opened).status_code == 409
    assert not DetailChange.objects.exists()
    assert not Submission.objects.exists()


def test_the_audit_has_every_step_and_no_value(cast, mia, desk):
    mia.page("pharmacy/")
    mia.change("pharmacy/", pharmacy_name="Corner Apothecary")
    mia.send("pharmacy/keep/", {})
    mia.change("pharmacy/", pharmacy_name="Corner Apothecary", pharmacy_phone="6175550123")
    change = DetailChange.objects.latest("pk")
    desk.accept(change)
    steps = AuditEvent.objects.values_list("action", "outcome", "object_type")
    for step in [
        ("view", "ok", "demographics"),
        ("send", "ok", "demographics"),
        ("withdraw", "ok", "demographics"),
        ("staff-view", "ok", "demographics"),
        ("staff-change", "accepted", "demographics"),
        ("staff-change", "filed", "demographics"),
    ]:
        assert step in steps
    sent = AuditEvent.objects.get(action="send", outcome="ok", object_id=str(change.public_id))
    assert (sent.member_id, sent.account_id) == (cast.mia.pk, cast.rivera.pk)
    for entry in AuditEvent.objects.all():
        told = " ".join(str(value) for value in model_to_dict(entry).values())
        for value in ("Corner", "Apothecary", "5550123", "Mia", "Rivera"):
            assert value not in told


def test_messages_hold_no_value(cast, mia):
    """They travel in a cookie."""
    answer = mia.change("mobile_phone/", mobile_phone="555 0142")
    page = lxml.html.fromstring(mia.get(answer.headers["Location"]).content.decode())
    said = " ".join(box.text_content() for box in page.xpath("//main/*[@role='status']"))
    assert "short of its area code" in said
    assert "0142" not in said
    assert "obile" not in said


def test_staff_and_strangers_are_sent_away(cast, mia):
    stranger = Family().open("Mia", "2016/04/27", "okafor@example.org")
    mia.change("pharmacy/", pharmacy_name="Corner")
    assert "Corner" not in stranger.page().content.decode()
    assert "Corner" not in stranger.page("pharmacy/").content.decode()
