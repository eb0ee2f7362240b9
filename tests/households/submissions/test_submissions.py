"""What families sent, as one list for staff, and the steps a submission can take."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.audit.models import AuditEvent
from accounts.models import StaffAccount
from households.documents.models import Document
from households.submissions.admin import address_of
from households.submissions.models import Submission
from tests.cast import NURSE_PASSWORD, pick, sign_in, sign_in_as_staff
from tests.files import png
from tests.pages import text_of

SUBMISSIONS = "/admin/submissions/submission/"


def send(first_name: str, born: str, colour: str, email: str = "rivera@example.org") -> Submission:
    family = Client()
    sign_in(family, email)
    key = pick(family, first_name, born)
    answer = family.post(f"/for/{key}/documents/", {"files": png("card.png", colour)})
    assert answer.status_code == 302
    return Submission.objects.latest("pk")


@pytest.fixture
def staff(cast, client) -> Client:
    sign_in_as_staff(client)
    return client


def listed(staff: Client, **question: str) -> list[Submission]:
    return list(staff.get(SUBMISSIONS, question).context_data["cl"].result_list)


def test_what_nobody_has_seen_stands_on_top(staff):
    first = send("Mia", "2016/04/27", "red")
    second = send("Leo", "2018/09/03", "green")
    third = send("Mia", "2016/04/27", "blue", "okafor@example.org")
    assert listed(staff) == [third, second, first]
    Submission.objects.filter(pk=third.pk).update(status="seen")
    assert listed(staff) == [second, first, third]


def test_what_was_taken_back_is_listed_only_when_asked_for(staff):
    kept, taken = send("Mia", "2016/04/27", "red"), send("Mia", "2016/04/27", "green")
    Submission.objects.filter(pk=taken.pk).update(status="withdrawn")
    assert listed(staff) == [kept]
    assert listed(staff, status="withdrawn") == [taken]
    assert listed(staff, status="seen") == []


def test_each_row_names_the_person_and_leads_to_the_thing(staff, cast):
    send("Mia", "2016/04/27", "red")
    answer = staff.get(SUBMISSIONS)
    assert f"Mia Rivera 2016/04/27 {cast.mia.age} Document" in text_of(answer)
    address = f"/admin/documents/document/of/{Submission.objects.get().pk}/"
    assert f'href="{address}?inbox=t' in answer.content.decode()
    followed = staff.get(address, follow=True)
    document = Document.objects.get()
    assert followed.redirect_chain[-1][0] == f"/admin/documents/document/{document.pk}/change/"
    own = f"{SUBMISSIONS}{Submission.objects.get().pk}/change/"
    assert staff.get(own).headers["Location"] == address
    assert AuditEvent.objects.filter(action="staff-view", outcome="list").exists()


@pytest.mark.parametrize("kind", Submission.Kind)
def test_every_kind_has_a_page_for_staff(kind):
    assert str(7) in address_of(Submission(pk=7, kind=kind))


def test_the_list_only_shows(staff):
    submission = send("Mia", "2016/04/27", "red")
    row = f"{SUBMISSIONS}{submission.pk}/"
    assert staff.get(f"{SUBMISSIONS}add/").status_code == 403
    assert staff.post(f"{row}delete/", {"post": "yes"}).status_code == 403
    staff.post(f"{row}change/", {"status": "filed", "member": 1})
    submission.refresh_from_db()
    assert submission.status == "received"


@pytest.mark.parametrize("missing", ["0", "999999", str(2**64 + 1)])
def test_what_was_never_sent_is_not_there(staff, missing):
    assert staff.get(f"{SUBMISSIONS}{missing}/change/").status_code == 404
    assert staff.get(f"/admin/documents/document/of/{missing}/").status_code == 404


def test_the_list_and_the_things_have_permissions_of_their_own(cast):
    submission = send("Mia", "2016/04/27", "red")
    desk = StaffAccount.objects.create_user("desk@example.org", NURSE_PASSWORD)
    browser = Client()
    sign_in_as_staff(browser, "desk@example.org")
    assert browser.get(SUBMISSIONS).status_code == 403
    assert browser.get(f"{SUBMISSIONS}{submission.pk}/change/").status_code == 403
    desk.user_permissions.add(Permission.objects.get(codename="view_submission"))
    assert "Mia Rivera" not in text_of(browser.get(SUBMISSIONS))
    assert browser.get(f"{SUBMISSIONS}{submission.pk}/change/").status_code == 404
    assert browser.get(f"/admin/documents/document/of/{submission.pk}/").status_code == 403
    desk.user_permissions.add(Permission.objects.get(codename="view_document"))
    assert "Mia Rivera" in text_of(browser.get(SUBMISSIONS))


def test_the_list_costs_the_same_at_any_length(staff, cast, django_assert_num_queries):
    submission = send("Mia", "2016/04/27", "red")
    staff.get(SUBMISSIONS)  # the practice's name is remembered
    with CaptureQueriesContext(connection) as counted:
        staff.get(SUBMISSIONS)
    Submission.objects.bulk_create(
        Submission(
            member=cast.leo,
            kind="document",
            sent_by=submission.sent_by,
            status="seen",
            assigned_to=cast.nurse_staff,
        )
        for _number in range(60)
    )
    with django_assert_num_queries(len(counted)):
        assert len(listed(staff)) == 50


def test_people_are_found(staff):
    mias, leos = send("Mia", "2016/04/27", "red"), send("Leo", "2018/09/03", "green")
    for typed, found in {"leo riv": [leos], "2016/04/27": [mias], "okafor": []}.items():
        answer = staff.post(SUBMISSIONS, {"q": typed, "search": "Search"}, follow=True)
        assert list(answer.context_data["cl"].result_list) == found


# --- steps ----------------------------------------------------------------------------


def test_steps_are_told_in_the_order_in_which_they_happened(staff):
    submission = send("Mia", "2016/04/27", "red")
    page = f"/admin/documents/document/{Document.objects.get().pk}/"
    staff.get(f"{page}change/")
    staff.post(f"{page}return/", {"quick": "blurry"})
    staff.post(f"{page}file/")
    submission.refresh_from_db()
    assert [word for word, _at in submission.steps] == ["Received", "Seen", "Returned", "Filed"]
    assert submission.reason == "", "what is filed is wanted no more"


@pytest.mark.django_db
def test_nothing_is_returned_without_a_reason(cast):
    submission = send("Mia", "2016/04/27", "red")
    with pytest.raises(IntegrityError), transaction.atomic():
        Submission.objects.filter(pk=submission.pk).update(status="returned")
