"""A change of the details that was sent for the wrong person: it waits beside the right one's file, and
nobody's file is changed by moving it."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.messages.storage.cookie import CookieStorage
from django.db import transaction

from households.demographics.fields import FIELDS, OnFile
from households.demographics.models import Contact, DetailChange, FieldSetting
from households.submissions.models import Refiling, Submission
from tests.households.submissions.test_refiling import at_once, request_of
from tests.moving import Mover, owner
from tests.pages import fields_of, text_of

QUAY = {"address_1": "12 Quay Street", "city": "Harbor", "state": "MA", "postal_code": "02100"}


@pytest.fixture
def staff(cast) -> Mover:
    return owner()


@pytest.fixture
def on_file(cast) -> None:
    for person, street in ((cast.mia, "1 Hill Road"), (cast.leo, "9 Mill Lane")):
        person.address_1 = street
        person.save()


def latest(person, field: str = "address") -> DetailChange:
    rows = DetailChange.objects.for_member(person).filter(field=field)
    return rows.select_related("submission", "member").latest("pk")


def address_of(person) -> str:
    person.refresh_from_db()
    return person.address_1


def test_it_waits_beside_the_right_persons_file(mia, leo, desk, staff, on_file, cast):
    mia.change("address/", **QUAY)
    change = latest(cast.mia)
    assert change.before["address_1"] == "1 Hill Road"
    plan = text_of(staff.preview(change.submission, cast.leo))
    assert "Address: it waits for Leo Rivera then" in plan
    staff.move(change.submission, cast.leo)
    moved = latest(cast.leo)
    assert (moved.pk, moved.decision, moved.before["address_1"]) == (
        *(change.pk, "waiting", "9 Mill Lane"),
    )
    assert not DetailChange.objects.for_member(cast.mia).exists()
    assert (address_of(cast.mia), address_of(cast.leo)) == ("1 Hill Road", "9 Mill Lane")
    page = text_of(desk.see(moved))
    assert "9 Mill Lane" in page and "12 Quay Street" in page and "1 Hill Road" not in page
    assert "Moved from Mia Rivera" in page
    assert "12 Quay Street" not in text_of(mia.page())
    assert "12 Quay Street" in text_of(leo.page())
    assert Refiling.objects.get().was["changes"][str(change.public_id)]["before"] == change.before
    desk.accept(moved)
    assert (address_of(cast.mia), address_of(cast.leo)) == ("1 Hill Road", "12 Quay Street")


def test_the_page_of_the_wrong_person_that_is_still_open_tells(mia, staff, on_file, cast):
    """Typed over the change that waits, sent after it was moved: shown as a conflict, nothing lost."""
    mia.change("address/", **QUAY)
    fields = fields_of(mia.page("address/"), address_1="14 Quay Street")
    staff.move(latest(cast.mia).submission, cast.leo)
    answer = mia.send("address/", fields)
    assert answer.status_code in {409, 422}, answer.status_code
    assert "14 Quay Street" in answer.content.decode()
    assert not DetailChange.objects.for_member(cast.mia).exists()


def test_what_is_on_the_wrong_file_already_is_put_right_by_hand_first(
    mia, desk, staff, on_file, cast
):
    mia.change("address/", **QUAY)
    mia.change("occupation/", occupation="pupil")
    change = latest(cast.mia)
    assert change.submission == latest(cast.mia, "occupation").submission
    desk.accept(change)
    before = [*DetailChange.objects.order_by("pk").values_list("member", "decision", "before")]
    said = staff.refused(change.submission, cast.leo)
    assert "Some of it is on the file of Mia Rivera already: Address." in said
    assert "Details on file" in said
    assert (address_of(cast.mia), address_of(cast.leo)) == ("12 Quay Street", "9 Mill Lane")
    after = [*DetailChange.objects.order_by("pk").values_list("member", "decision", "before")]
    assert after == before


def test_what_was_let_in_by_itself_too(mia, staff, on_file, cast):
    FieldSetting.objects.update_or_create(
        field="occupation", defaults={"shown": "editable", "accepts_itself": True}
    )
    mia.change("occupation/", occupation="pupil")
    change = latest(cast.mia, "occupation")
    assert "on the file of Mia Rivera already" in staff.refused(change.submission, cast.leo)


def test_this_is_all_correct_is_of_nobody_else(mia, staff, cast):
    mia.confirm()
    submission = Submission.objects.for_member(cast.mia).get()
    said = staff.refused(submission, cast.leo)
    assert "all details of Mia Rivera are correct" in said


def test_accepted_between_reading_and_confirming(mia, desk, staff, on_file, cast):
    mia.change("address/", **QUAY)
    change = latest(cast.mia)
    preview = staff.preview(change.submission, cast.leo)
    desk.accept(change)
    answer = staff.confirm(change.submission, preview)
    assert answer.status_code == 422
    assert "on the file of Mia Rivera already" in text_of(answer)
    assert latest(cast.mia).decision == "accepted"


def test_accepting_from_a_page_that_was_opened_before_the_move(mia, desk, staff, on_file, cast):
    """Nobody's file is changed: what was read was said of the other."""
    mia.change("address/", **QUAY)
    change = latest(cast.mia)
    page = desk.see(change)
    staff.move(change.submission, cast.leo)
    answer = desk.accept(change, page)
    assert answer.status_code == 302
    assert (address_of(cast.mia), address_of(cast.leo)) == ("1 Hill Road", "9 Mill Lane")
    assert latest(cast.leo).decision == "waiting"


def test_accepting_all_of_it_from_there(mia, desk, staff, cast):
    """Nothing is on file of either, so that nothing else tells the two apart."""
    mia.change("occupation/", occupation="pupil")
    mia.change("pharmacy/", pharmacy_name="Corner")
    change = latest(cast.mia, "occupation")
    page = desk.see(change)
    staff.move(change.submission, cast.leo)
    for address in (f"of/{change.submission_id}/accept-all/", f"{change.pk}/accept/"):
        answer = desk._press(page, f"/admin/demographics/detailchange/{address}")
        assert "this was moved to another person" in text_of(
            desk.client.get(answer.url, follow=True)
        )
    assert {one.decision for one in DetailChange.objects.for_member(cast.leo)} == {"waiting"}
    assert not OnFile.of(cast.leo).details.pk


def test_an_acceptance_that_began_before_the_move_writes_nothing(mia, staff, on_file, cast):
    """It has read the change as Mia's; by the time it writes, the change is Leo's."""
    mia.change("address/", **QUAY)
    as_it_was = latest(cast.mia)
    staff.move(as_it_was.submission, cast.leo)
    request = request_of(cast)
    request._messages = CookieStorage(request)
    with transaction.atomic():
        admin.site.get_model_admin(DetailChange)._do_accept(request, as_it_was)
    assert (address_of(cast.mia), address_of(cast.leo)) == ("1 Hill Road", "9 Mill Lane")
    assert latest(cast.leo).decision == "waiting"


# --- what the right person has --------------------------------------------------------


@pytest.mark.parametrize("decided", [False, True])
def test_what_the_family_said_of_the_right_person_since_goes_first(
    mia, leo, desk, staff, on_file, cast, decided
):
    mia.change("address/", **QUAY)
    leo.change("address/", **{**QUAY, "address_1": "5 Dock Street"})
    if decided:
        desk.accept(latest(cast.leo))
    said = staff.refused(latest(cast.mia).submission, cast.leo)
    assert "goes first" in said and "Address" in said
    assert latest(cast.mia).decision == "waiting"


def test_what_was_decided_before_stands_behind(mia, leo, desk, staff, on_file, cast):
    leo.change("address/", **{**QUAY, "address_1": "5 Dock Street"})
    desk.accept(latest(cast.leo))
    mia.change("address/", **QUAY)
    staff.move(latest(cast.mia).submission, cast.leo)
    moved = latest(cast.leo)
    assert moved.before["address_1"] == "5 Dock Street"
    # The family goes on from what waits now.
    leo.change("address/", **{**QUAY, "address_1": "6 Dock Street"})
    moved.refresh_from_db()
    assert moved.decision == "replaced"


def test_staff_are_told_of_a_change_that_this_one_had_replaced(mia, staff, on_file, cast):
    """Mia's own was first, and the wrong one took its place: it must not be lost without a word."""
    mia.change("address/", **{**QUAY, "address_1": "3 True Street"})
    first = latest(cast.mia)
    Submission.objects.filter(pk=first.submission_id).update(status="seen")
    mia.change("address/", **QUAY)
    second = latest(cast.mia)
    assert second.submission_id != first.submission_id
    plan = text_of(staff.preview(second.submission, cast.leo))
    assert "An earlier change of Mia Rivera was replaced by this one" in plan
    assert "An earlier change" not in text_of(staff.preview(first.submission, cast.leo))


# --- contacts -------------------------------------------------------------------------


def test_a_contact_of_the_one_is_a_new_one_of_the_other(mia, desk, staff, cast):
    theirs = Contact.objects.create(member=cast.mia, name="Rosa", relationship="GRPRN")
    mia.change(f"contacts/{theirs.public_id}/", name="Rosa Maria", phone="617 555 0123")
    change = latest(cast.mia, "contacts")
    assert change.row == str(theirs.public_id)
    staff.move(change.submission, cast.leo)
    moved = latest(cast.leo, "contacts")
    assert moved.row not in {"", str(theirs.public_id)} and moved.before == {}
    assert "Contact: a new one" in text_of(desk.see(moved))
    desk.accept(moved)
    assert Contact.objects.for_member(cast.mia).get().name == "Rosa"
    assert Contact.objects.for_member(cast.leo).get().name == "Rosa Maria"


def test_taking_a_contact_off_is_of_nobody_else(mia, staff, cast):
    theirs = Contact.objects.create(member=cast.mia, name="Rosa", relationship="GRPRN")
    remove = f"contacts/{theirs.public_id}/remove/"
    mia.send(remove, fields_of(mia.page(remove)))
    change = latest(cast.mia, "contacts")
    assert change.values == {}
    assert "takes a contact off" in staff.refused(change.submission, cast.leo)


def test_every_field_reads_the_right_persons_file(cast):
    """What `before` is made of knows every field, for somebody who has nothing on file."""
    on_file = OnFile.of(cast.leo)
    for field in FIELDS.values():
        assert field.read(on_file, "" if not field.repeats else "none") is not None


# --- at the same moment ---------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_moved_while_a_colleague_accepts(mia, leo, desk, staff, on_file, cast):
    """One is first, the other is told: the wrong person's file is changed by an acceptance only, and never
    by one that lost."""
    mia.change("address/", **QUAY)
    change = latest(cast.mia)
    page, preview = desk.see(change), staff.preview(change.submission, cast.leo)
    preview = staff.preview(change.submission, cast.leo)  # after it was seen
    accepted, moved = at_once(
        lambda: desk.accept(change, page).status_code,
        lambda: staff.confirm(change.submission, preview).status_code,
    )
    change.refresh_from_db()
    if moved == 302:
        assert (change.member, change.decision, accepted) == (cast.leo, "waiting", 302)
        assert address_of(cast.mia) == "1 Hill Road"
    else:
        assert moved in {409, 422}
        assert (change.member, change.decision) == (cast.mia, "accepted")
        assert address_of(cast.mia) == "12 Quay Street"
    assert address_of(cast.leo) == "9 Mill Lane"


@pytest.mark.django_db(transaction=True)
def test_moved_while_the_family_sends_the_same_for_the_right_person(mia, leo, staff, on_file, cast):
    """There is never more than one that waits, and the family is never shown an error."""
    mia.change("address/", **QUAY)
    change = latest(cast.mia)
    preview = staff.preview(change.submission, cast.leo)
    fields = fields_of(leo.page("address/"), **{**QUAY, "address_1": "5 Dock Street"})
    sent, moved = at_once(
        lambda: leo.send("address/", fields).status_code,
        lambda: staff.confirm(change.submission, preview).status_code,
    )
    assert (sent == 302, moved == 302) in {(True, False), (False, True)}, (sent, moved)
    assert {sent, moved} <= {302, 409, 422}
    waiting = DetailChange.objects.for_member(cast.leo).waiting()
    assert waiting.count() == 1
    assert (waiting.get().pk == change.pk) == (moved == 302)
