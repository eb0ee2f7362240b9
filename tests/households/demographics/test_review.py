"""The staff's side: old and new side by side, accept, correct, return; what accepting does to the file."""

from __future__ import annotations

import datetime

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.audit.models import AuditEvent
from accounts.models import StaffAccount
from households.demographics.models import Contact, Coverage, DetailChange, Details
from households.models import Binding, Member
from households.submissions.models import Submission
from tests.cast import NURSE_PASSWORD, sign_in_as_staff
from tests.households.demographics.conftest import ADMIN
from tests.households.demographics.test_changing import on_file
from tests.pages import fields_of, text_of

CARD = {"payer": "Blue Plan", "member_number": "X1"}


def test_old_and_new_stand_side_by_side_with_whose_they_are(cast, mia, desk):
    Member.objects.filter(pk=cast.mia.pk).update(city="Upton")
    mia.change("address/", address_1="12 Quay Street", city="Harbor")
    page = text_of(desk.see(DetailChange.objects.get()))
    assert "Mia Rivera" in page
    assert "2016/04/27" in page
    assert "City Upton Harbor" in page
    assert "Street – 12 Quay Street" in page


def test_corrected_and_accepted(cast, mia, desk):
    mia.change("address/", address_1="12 Quai Street", city="Harbor")
    change = DetailChange.objects.get()
    desk.see(change)
    assert desk.correct(change, address_1="12 Quay Street").status_code == 302
    change.refresh_from_db()
    assert (change.decision, change.values["address_1"]) == ("edited", "12 Quai Street")
    assert change.edited_values["address_1"] == "12 Quay Street"
    assert on_file(cast.mia, "address")["address_1"] == "12 Quay Street"
    page = text_of(mia.page())
    assert "Accepted with a correction on" in page
    assert "12 Quay Street" in page
    assert "Corrected to" in text_of(desk.see(change))


def test_a_correction_that_cannot_be_is_refused(cast, mia, desk):
    mia.change("mobile_phone/", mobile_phone="6175550123")
    change = DetailChange.objects.get()
    answer = desk.correct(change, mobile_phone="call me")
    assert answer.status_code == 200
    assert "area code" in text_of(answer)
    change.refresh_from_db()
    assert change.decision == "waiting"


def test_part_accepted_part_returned(cast, mia, desk):
    mia.change("address/", address_1="12 Quay Street", city="Harbor")
    mia.change("pharmacy/", pharmacy_name="Corner")
    address, pharmacy = DetailChange.objects.order_by("pk")
    desk.accept(address)
    desk.give_back(pharmacy, "Which one?")
    submission = Submission.objects.get()
    assert submission.status == Submission.Status.PARTLY
    assert not Details.objects.filter(pharmacy_name="Corner").exists()


def test_all_at_once(cast, mia, desk):
    mia.change("address/", address_1="12 Quay Street", city="Harbor")
    mia.change("pharmacy/", pharmacy_name="Corner")
    mia.change("contacts/new/", name="Zoe", relationship="FRND")
    mia.change("email/", email="new@example.org")
    desk.accept_all(DetailChange.objects.first())
    assert on_file(cast.mia, "address")["city"] == "Harbor"
    assert on_file(cast.mia, "pharmacy")["pharmacy_name"] == "Corner"
    assert Contact.objects.get().name == "Zoe"
    assert DetailChange.objects.get(field="email").decision == "waiting"
    assert Member.objects.get(pk=cast.mia.pk).email == "Rivera@Example.org"


# --- who somebody is ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "typed", "closes"),
    [
        ("legal_name", {"last_name": "Cruz"}, True),
        ("date_of_birth", {"date_of_birth": "2016/04/28"}, True),
        ("preferred_name", {"preferred_name": "Mimita"}, True),
        ("sex", {"sex": "F"}, False),
        ("address", {"city": "Harbor"}, False),
    ],
)
def test_a_new_identity_closes_the_open_chart(cast, mia, desk, key, typed, closes):
    mia.change(f"{key}/", **typed)
    change = DetailChange.objects.get()
    desk.accept(change)
    open_ones = Binding.objects.filter(member=cast.mia, ended_at=None)
    assert open_ones.exists() is not closes
    ended = AuditEvent.objects.filter(action="binding-end", outcome="practice-change")
    assert ended.count() == int(closes)
    assert mia.page().status_code == (302 if closes else 200)


def test_a_correction_of_the_birth_date_is_what_the_picker_takes(cast, mia, desk):
    mia.change("date_of_birth/", date_of_birth="2016/04/28")
    desk.accept(DetailChange.objects.get())
    assert Member.objects.get(pk=cast.mia.pk).date_of_birth == datetime.date(2016, 4, 28)
    mia.open("Mia", "2016/04/28")
    assert "2016/04/28" in text_of(mia.page())


def test_a_preferred_name_is_what_the_picker_takes_once_accepted(cast, mia, desk):
    mia.change("preferred_name/", preferred_name="Mimita")
    with pytest.raises(AssertionError, match="was not chosen"):
        mia.open("Mimita", "2016/04/27")
    desk.accept(DetailChange.objects.get())
    mia.open("Mimita", "2016/04/27")


def test_an_email_is_changed_on_the_persons_page_only(cast, mia, desk):
    mia.change("email/", email="mia.new@example.org")
    change = DetailChange.objects.get()
    page = desk.see(change)
    person = f"/admin/households/member/{cast.mia.pk}/change/"
    assert f'href="{person}"' in page.content.decode()
    assert "who would gain" in text_of(page)
    assert f"{ADMIN}/{change.pk}/accept/" not in page.content.decode()
    # A forged press, also with the right mark of what is on file.
    for address in ("accept/", "edit/"):
        desk.client.post(f"{ADMIN}/{change.pk}/{address}", {"on_file": "x", "email": "a@b.example"})
    assert Member.objects.get(pk=cast.mia.pk).email == "Rivera@Example.org"
    change.refresh_from_db()
    assert change.decision == "waiting"
    # Changed there, it is marked as done here.
    fields = fields_of(desk.client.get(person), "member_form", email="mia.new@example.org")
    looked_at = desk.client.post(person, fields)
    assert "The email changes from rivera@example.org" in text_of(looked_at)
    assert desk.client.post(person, fields_of(looked_at)).status_code == 302
    desk.accept(change)
    change.refresh_from_db()
    assert change.decision == "accepted"
    change.submission.refresh_from_db()
    assert change.submission.status == Submission.Status.FILED
    assert Member.objects.get(pk=cast.mia.pk).email == "mia.new@example.org"


def test_an_email_may_be_returned(cast, mia, desk):
    mia.change("email/", email="mia.new@example.org")
    desk.give_back(DetailChange.objects.get(), "Come by with your ID.")
    assert "Come by with your ID." in text_of(mia.page())


# --- rows of their own ----------------------------------------------------------------


def test_another_insurance_ends_the_one_before(cast, mia, desk):
    mia.change("primary_insurance/", **CARD)
    desk.accept(DetailChange.objects.get())
    mia.change("primary_insurance/", payer="Red Plan")
    desk.accept(DetailChange.objects.latest("pk"))
    old, new = Coverage.objects.order_by("pk")
    assert (old.payer, old.ended_at is not None) == ("Blue Plan", True)
    assert (new.payer, new.member_number, new.ended_at) == ("Red Plan", "X1", None)
    mia.change(
        "primary_insurance/",
        **{
            name: ""
            for name in fields_of(mia.page("primary_insurance/"))
            if name not in {"seen", "sending_id", "csrfmiddlewaretoken"}
        },
    )
    desk.accept(DetailChange.objects.latest("pk"))
    assert not Coverage.objects.filter(ended_at=None).exists()
    assert Coverage.objects.count() == 2


def test_a_contact_comes_changes_and_ends_and_keeps_its_id(cast, mia, desk):
    mia.change("contacts/new/", name="Zoe", relationship="FRND", phone="6175550123")
    change = DetailChange.objects.get()
    assert "Contact: a new one" in text_of(desk.see(change))
    desk.accept(change)
    contact = Contact.objects.get()
    assert str(contact.public_id) == change.row
    mia.change(f"contacts/{contact.public_id}/", name="Zoe Brown", is_emergency="on")
    desk.accept(DetailChange.objects.latest("pk"))
    contact.refresh_from_db()
    assert (contact.name, contact.is_emergency) == ("Zoe Brown", True)

    page = mia.page(f"contacts/{contact.public_id}/remove/")
    assert "Zoe Brown" in text_of(page)
    assert not DetailChange.objects.filter(decision="waiting").exists()
    mia.send(f"contacts/{contact.public_id}/remove/", fields_of(page))
    assert "You asked to remove this contact" in text_of(mia.page("contacts/"))
    change = DetailChange.objects.latest("pk")
    assert "Contact: to be taken off" in text_of(desk.see(change))
    contact.refresh_from_db()
    assert contact.ended_at is None
    desk.accept(change)
    contact.refresh_from_db()
    assert contact.ended_at is not None
    assert "Zoe" not in text_of(mia.page())


def test_a_contact_that_staff_ended_meanwhile_is_a_conflict(cast, mia, desk):
    contact = Contact.objects.create(member=cast.mia, name="Zoe", relationship="FRND")
    opened = fields_of(mia.page(f"contacts/{contact.public_id}/"), name="Zoe Brown")
    Contact.objects.update(ended_at="2026-01-01T00:00Z")
    answer = mia.send(f"contacts/{contact.public_id}/", opened)
    assert answer.status_code == 409
    assert "Changed meanwhile" in text_of(answer)
    assert mia.send(f"contacts/{contact.public_id}/", fields_of(answer)).status_code == 302
    desk.accept(DetailChange.objects.get())
    contact.refresh_from_db()
    assert (contact.name, contact.ended_at) == ("Zoe Brown", None)


def test_a_returned_new_contact_is_sent_again(cast, mia, desk):
    mia.change("contacts/new/", name="Zoe", relationship="FRND")
    change = DetailChange.objects.get()
    desk.give_back(change, "Which Zoe?")
    assert "Which Zoe?" in text_of(mia.page("contacts/"))
    assert fields_of(mia.page(f"contacts/{change.row}/"))["name"] == ["Zoe"]
    mia.change(f"contacts/{change.row}/", name="Zoe Brown")
    desk.accept(DetailChange.objects.latest("pk"))
    assert Contact.objects.get().name == "Zoe Brown"


# --- who may ---------------------------------------------------------------------------


def test_who_may_only_look_decides_nothing(cast, mia):
    mia.change("pharmacy/", pharmacy_name="Corner")
    change = DetailChange.objects.get()
    reader = StaffAccount.objects.create_user("reader@example.org", NURSE_PASSWORD, name="Reader")
    codes = ["view_detailchange", "view_submission", "view_member"]
    reader.user_permissions.set(Permission.objects.filter(codename__in=codes))
    client = Client()
    sign_in_as_staff(client, "reader@example.org")
    page = client.get(f"{ADMIN}/of/{change.submission_id}/")
    assert "Corner" in text_of(page)
    assert "/accept/" not in page.content.decode()
    for word in ("accept", "return"):
        assert client.post(f"{ADMIN}/{change.pk}/{word}/", {"words": "No"}).status_code == 403
    assert client.get(f"{ADMIN}/{change.pk}/edit/").status_code == 403
    change.refresh_from_db()
    assert change.decision == "waiting"
    change.submission.refresh_from_db()
    assert change.submission.status == Submission.Status.RECEIVED


def test_the_list_leads_to_what_came_together(cast, mia, desk):
    mia.change("pharmacy/", pharmacy_name="Corner")
    change = DetailChange.objects.get()
    page = desk.client.get(f"{ADMIN}/")
    assert "Pharmacy" in text_of(page)
    answer = desk.client.get(f"{ADMIN}/{change.pk}/change/")
    assert answer.headers["Location"] == f"{ADMIN}/of/{change.submission_id}/"
    assert desk.client.get(f"{ADMIN}/add/").status_code == 403


def test_who_filled_it_in_stands_with_it(cast, mia, desk):
    mia.change("pharmacy/", pharmacy_name="Corner")
    home = mia.details.removesuffix("demographics/")
    mia.post(f"{home}filled-in-by/", {"filled_in_by": "guardian", "filled_in_name": "Elena Rivera"})
    assert "Elena Rivera (a parent or guardian)" in text_of(desk.see(DetailChange.objects.get()))


def test_cards_are_documents(cast, mia):
    """The link names the kind, and the page that sends documents has it chosen."""
    import lxml.html

    page = lxml.html.fromstring(mia.page("primary_insurance/").content.decode())
    [link] = page.xpath("//a[contains(@href, '/documents/')]")
    form = fields_of(mia.get(link.get("href")))
    from households.documents.models import DocumentKind

    kind = DocumentKind.objects.get(name="Insurance card")
    assert form["kind"] == [str(kind.pk)]
    documents = link.get("href").partition("?")[0]
    for unknown in ("?kind=Nonsense", "?kind=", ""):
        assert "kind" not in fields_of(mia.get(documents + unknown))


# --- what is on file ------------------------------------------------------------------


def on_file_page(desk, member) -> str:
    return f"{ADMIN}/on-file/{member.pk}/"


def test_staff_read_everything_on_file_and_correct_it(cast, mia, desk):
    Details.objects.create(member=cast.mia, pharmacy_name="Corner")
    person = desk.client.get(f"/admin/households/member/{cast.mia.pk}/change/")
    assert f'href="{on_file_page(desk, cast.mia)}"' in person.content.decode()
    page = desk.client.get(on_file_page(desk, cast.mia))
    assert "Mia Rivera" in text_of(page)
    assert "Corner" in text_of(page)
    address = f"{on_file_page(desk, cast.mia)}change/pharmacy/"
    form = desk.client.get(address)
    assert "Mia Rivera" in text_of(form)
    answer = desk.client.post(address, fields_of(form, pharmacy_name="Hill"))
    assert answer.headers["Location"] == on_file_page(desk, cast.mia)
    assert Details.objects.get().pharmacy_name == "Hill"
    entry = AuditEvent.objects.get(action="staff-change", object_type="details")
    assert (entry.member_id, entry.object_id, entry.outcome) == (cast.mia.pk, "pharmacy", "changed")


def test_staff_correct_a_contact_and_an_insurance(cast, desk):
    start = f"{on_file_page(desk, cast.mia)}change/"
    card = f"{start}primary_insurance/"
    desk.client.post(card, fields_of(desk.client.get(card), **CARD))
    assert Coverage.objects.get().payer == "Blue Plan"
    import lxml.html

    page = lxml.html.fromstring(desk.client.get(on_file_page(desk, cast.mia)).content.decode())
    [new] = [link for link in page.xpath("//a/@href") if "/contacts/" in link]
    fields = fields_of(desk.client.get(new), name="Zoe", relationship="FRND")
    for _press in range(2):
        desk.client.post(new, fields)
    contact = Contact.objects.get()
    assert (contact.name, contact.ended_at) == ("Zoe", None)
    one = f"{start}contacts/{contact.public_id}/"
    desk.client.post(one, fields_of(desk.client.get(one), ended="on"))
    contact.refresh_from_db()
    assert contact.ended_at is not None


def test_staff_and_a_family_at_one_field_the_second_sees_it(cast, mia, desk):
    """AD-09, both ways round."""
    address = f"{on_file_page(desk, cast.mia)}change/pharmacy/"
    staff_page = fields_of(desk.client.get(address), pharmacy_name="Staff's")
    family_page = fields_of(mia.page("pharmacy/"), pharmacy_name="Family's")
    mia.send("pharmacy/", family_page)
    answer = desk.client.post(address, staff_page)
    assert answer.status_code == 200
    assert "was changed after you opened this page" in text_of(answer)
    assert not Details.objects.exists()
    desk.client.post(address, fields_of(answer))
    assert Details.objects.get().pharmacy_name == "Staff's"
    assert "changed on file after the family typed" in text_of(desk.see(DetailChange.objects.get()))
    assert mia.send("pharmacy/", fields_of(mia.page("pharmacy/"), seen="old")).status_code == 409


def test_staff_changing_who_somebody_is_closes_the_chart(cast, mia, desk):
    address = f"{on_file_page(desk, cast.mia)}change/preferred_name/"
    desk.client.post(address, fields_of(desk.client.get(address), preferred_name="Mimita"))
    assert mia.page().status_code == 302


@pytest.mark.parametrize("wrong", ["email/", "nonsense/", "contacts/", "pharmacy/{row}/"])
def test_what_is_not_changed_there_is_not_found(cast, desk, wrong):
    import uuid

    start = f"{on_file_page(desk, cast.mia)}change/"
    assert desk.client.get(start + wrong.format(row=uuid.uuid4())).status_code == 404


def test_another_members_contact_is_not_written(cast, desk):
    theirs = Contact.objects.create(member=cast.leo, name="Zoe", relationship="FRND")
    address = f"{on_file_page(desk, cast.mia)}change/contacts/{theirs.public_id}/"
    assert desk.client.get(address).status_code == 404
    typed = {"name": "Thief", "relationship": "FRND"}
    assert desk.client.post(address, typed).status_code == 404
    theirs.refresh_from_db()
    assert (theirs.name, theirs.member) == ("Zoe", cast.leo)
