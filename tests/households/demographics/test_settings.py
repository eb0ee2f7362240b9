"""What the practice does with each field: hidden, shown, editable, required, accepted by itself."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from households.demographics.fields import FIELDS
from households.demographics.models import (
    NEVER_BY_ITSELF,
    Contact,
    DetailChange,
    Details,
    FieldSetting,
)
from households.submissions.models import Submission
from tests.households.demographics.test_changing import TYPED, on_file
from tests.households.demographics.test_summary import row_of
from tests.pages import fields_of, text_of

SETTINGS = "/admin/demographics/fieldsetting/"
EVERY_FIELD = pytest.mark.parametrize("key", FIELDS)
TYPED_CONTACT = {"name": "Zoe", "relationship": "FRND", "phone": "6175550123"}


def set_field(key: str, **columns) -> None:
    assert FieldSetting.objects.filter(field=key).update(**columns) == 1


def typed_of(key: str) -> dict:
    if key == "email":
        return {"email": "new@example.org"}
    return TYPED_CONTACT if key == "contacts" else TYPED[key][0]


def pages_of(key: str, contact: Contact) -> list[str]:
    """Every address that changes the field."""
    if key != "contacts":
        return [f"{key}/", f"{key}/keep/"]
    one = f"contacts/{contact.public_id}/"
    return ["contacts/", "contacts/new/", one, f"{one}remove/", f"{one}keep/"]


@pytest.fixture
def zoe(cast) -> Contact:
    return Contact.objects.create(member=cast.mia, name="Zoe Onfile", relationship="FRND")


def test_every_field_has_its_line(db):
    assert [one.field for one in FieldSetting.objects.all()] == [*FIELDS]
    assert {one.shown for one in FieldSetting.objects.all()} == {"editable"}
    assert not FieldSetting.objects.filter(accepts_itself=True).exists()


@EVERY_FIELD
@pytest.mark.parametrize("shown", ["hidden", "shown"])
def test_what_may_not_be_changed_has_no_page_and_takes_no_forged_post(mia, zoe, key, shown):
    name = "contacts/new/" if key == "contacts" else f"{key}/"
    forged = {**fields_of(mia.page(name)), **typed_of(key)}
    set_field(key, shown=shown)
    summary = mia.page()
    if shown == "hidden":
        with pytest.raises(ValueError):
            row_of(summary, key)
        assert "Zoe Onfile" not in text_of(summary) or key != "contacts"
    else:
        assert row_of(summary, key).xpath(".//a") == []
    for page in pages_of(key, zoe):
        assert mia.page(page).status_code in {404, 405}, page
        assert mia.send(page, forged).status_code in {404, 405}, page
    assert not DetailChange.objects.exists()


@EVERY_FIELD
def test_what_is_required_cannot_be_emptied(cast, mia, zoe, key):
    set_field(key, shown="required")
    if key == "contacts":
        answer = mia.change(f"contacts/{zoe.public_id}/remove/")
    else:
        empty = {name: None for name in fields_of(mia.page(f"{key}/")) if name in boxes(key)}
        answer = mia.change(f"{key}/", **empty)
    assert answer.status_code == 422, text_of(answer)
    assert "data-error-summary" in answer.content.decode()
    assert not DetailChange.objects.exists()


@EVERY_FIELD
def test_what_is_editable_is_optional_unless_it_is_identity(cast, mia, zoe, key, desk):
    """Filled in, it can be emptied again."""
    if key in {"legal_name", "date_of_birth", "email", "sex", "contacts"}:
        return
    mia.change(f"{key}/", **typed_of(key))
    desk.accept(DetailChange.objects.get())
    mia.open("Mia", "2016/04/27")
    empty = {name: None for name in fields_of(mia.page(f"{key}/")) if name in boxes(key)}
    assert mia.change(f"{key}/", **empty).status_code == 302
    desk.accept(DetailChange.objects.latest("pk"))
    assert not FIELDS[key].is_answered(on_file(cast.mia, key))


def boxes(key: str) -> set[str]:
    return {column.name for column in FIELDS[key].columns}


# --- accepted by itself ---------------------------------------------------------------


@pytest.mark.parametrize("key", [key for key in TYPED if key not in NEVER_BY_ITSELF])
def test_accepted_by_itself_it_is_on_file_at_once(cast, mia, key):
    set_field(key, accepts_itself=True)
    typed, kept = TYPED[key]
    assert mia.change(f"{key}/", **typed).status_code == 302
    change = DetailChange.objects.get()
    assert (change.decision, change.decided_by) == ("accepted", None)
    assert change.decided_at is not None
    assert change.submission.status == Submission.Status.FILED
    assert on_file(cast.mia, key) == kept
    assert "Accepted on" in text_of(mia.page())


def test_contacts_accepted_by_themselves_come_change_and_go(cast, mia):
    set_field("contacts", accepts_itself=True)
    mia.change("contacts/new/", **TYPED_CONTACT)
    contact = Contact.objects.get()
    assert (contact.member, contact.name, contact.phone) == (cast.mia, "Zoe", "+16175550123")
    mia.change(f"contacts/{contact.public_id}/", name="Zoe Brown")
    contact.refresh_from_db()
    assert contact.name == "Zoe Brown"
    mia.change(f"contacts/{contact.public_id}/remove/")
    contact.refresh_from_db()
    assert contact.ended_at is not None
    assert "Zoe" not in text_of(mia.page())
    assert mia.page(f"contacts/{contact.public_id}/").status_code == 404


@pytest.mark.parametrize("key", NEVER_BY_ITSELF)
def test_identity_is_never_accepted_by_itself(cast, mia, key):
    with pytest.raises(IntegrityError), transaction.atomic():
        set_field(key, accepts_itself=True)
    before = on_file(cast.mia, key)
    mia.change(f"{key}/", **typed_of(key))
    assert DetailChange.objects.get().decision == "waiting"
    assert on_file(cast.mia, key) == before


def test_what_waited_when_the_setting_changed_is_replaced(cast, mia):
    mia.change("pharmacy/", pharmacy_name="First")
    set_field("pharmacy", accepts_itself=True)
    mia.change("pharmacy/", pharmacy_name="Second")
    first, second = DetailChange.objects.order_by("pk")
    assert (first.decision, second.decision) == ("replaced", "accepted")
    assert first.submission.status == Submission.Status.WITHDRAWN
    assert Details.objects.get().pharmacy_name == "Second"


# --- the staff's list -----------------------------------------------------------------


def rows_of(page) -> dict:
    return fields_of(page, "changelist-form")


def test_both_columns_are_changed_in_the_list(desk):
    page = desk.client.get(SETTINGS)
    assert "Legal name" in text_of(page)
    assert 'name="_save"' in page.content.decode()
    assert 'aria-label="Legal name: Accepted by itself"' in page.content.decode()
    number = [*FIELDS].index("pharmacy")
    fields = rows_of(page)
    fields |= {f"form-{number}-shown": "required", f"form-{number}-accepts_itself": "on"}
    answer = desk.client.post(SETTINGS, {**fields, "_save": "Save"})
    assert answer.status_code == 302, text_of(answer)
    saved = FieldSetting.objects.get(field="pharmacy")
    assert (saved.shown, saved.accepts_itself) == ("required", True)


@pytest.mark.parametrize("key", NEVER_BY_ITSELF)
def test_the_list_refuses_identity_by_itself(desk, key):
    number = [*FIELDS].index(key)
    fields = rows_of(desk.client.get(SETTINGS))
    fields[f"form-{number}-accepts_itself"] = "on"
    answer = desk.client.post(SETTINGS, {**fields, "_save": "Save"})
    assert answer.status_code == 200
    assert "Staff look at each change" in text_of(answer)
    assert not FieldSetting.objects.filter(accepts_itself=True).exists()


def test_lines_are_neither_added_nor_deleted(desk):
    assert desk.client.get(f"{SETTINGS}add/").status_code == 403
    one = FieldSetting.objects.first()
    assert desk.client.post(f"{SETTINGS}{one.pk}/delete/", {"post": "yes"}).status_code == 403
