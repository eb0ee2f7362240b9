"""What staff see of filled forms: dangers on top, to be read, filed and returned; and a version's preview."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from households.intake.models import QuestionnaireResponse
from households.submissions.models import Submission
from tests.cast import sign_in_as_staff
from tests.households.intake.filling.conftest import filled, published
from tests.pages import fields_of, text_of

LIST = "/admin/intake/questionnaireresponse/"


@pytest.fixture
def staff(cast) -> Client:
    staff = Client()
    sign_in_as_staff(staff)
    return staff


def test_danger_stands_on_top_of_both_lists(mia, staff, cast):
    version = published()
    filled(mia, version, harm="1")
    filled(mia, version, harm="0")
    for address in (LIST, "/admin/submissions/submission/"):
        words = text_of(staff.get(address))
        assert words.count("DANGER") == 1
        listed = staff.get(address).content.decode().partition('id="result_list"')[2]
        assert "DANGER" in listed.split("<tr")[2], address
    assert "Before the visit" in text_of(staff.get("/admin/submissions/submission/"))


def test_the_page_names_the_person_and_is_seen_filed_and_returned(mia, staff, cast):
    filled(mia, published(), harm="2")
    response = QuestionnaireResponse.objects.for_member(cast.mia).get()
    page = staff.get(f"{LIST}of/{response.submission.pk}/", follow=True)
    words = text_of(page)
    for wanted in ("Mia Rivera", "2016/04/27", "DANGER: read these answers first", "Every day"):
        assert wanted in words, wanted
    text = staff.get(f"/admin/submissions/submission/{response.submission.pk}/text/")
    assert "Any allergy?: No" in text_of(text)
    response.submission.refresh_from_db()
    assert response.submission.status == "seen"

    answer = staff.post(f"{LIST}{response.pk}/return/", {"quick": "", "words": ""})
    assert "Say why" in text_of(answer)
    staff.post(f"{LIST}{response.pk}/return/", {"quick": "incomplete", "words": "Page two."})
    listed = mia.get()
    assert 'data-status="returned"' in listed.content.decode()
    assert "Page two." in text_of(listed)
    staff.post(f"{LIST}{response.pk}/file/")
    assert Submission.objects.for_member(cast.mia).get().status == "filed"


def test_what_is_being_filled_in_is_nobody_elses(mia, staff, cast):
    mia.begin(published())
    draft = QuestionnaireResponse.objects.for_member(cast.mia).get()
    assert staff.get(f"{LIST}{draft.pk}/change/").status_code == 404
    assert "Mia Rivera" not in text_of(staff.get(LIST))


def test_many_at_once_leave_dangers_to_be_opened(mia, staff, cast):
    version = published()
    filled(mia, version, harm="1")
    filled(mia, version, harm="0")
    rows = QuestionnaireResponse.objects.for_member(cast.mia)
    staff.post(
        LIST, {"action": "mark_filed", "_selected_action": [row.pk for row in rows]}, follow=True
    )
    assert {row.submission.status for row in rows.select_related("submission") if row.danger} == {
        "received"
    }
    assert {
        row.submission.status for row in rows.select_related("submission") if not row.danger
    } == {"filed"}


def queries(client: Client, address: str) -> int:
    client.get(address)  # the session is marked as used once in a while
    with CaptureQueriesContext(connection) as asked:
        assert client.get(address).status_code == 200
    return len(asked)


def test_the_lists_ask_the_same_number_of_questions(mia, staff, cast):
    version = published()
    filled(mia, version, harm="0")
    addresses = (LIST, "/admin/submissions/submission/")
    before = [queries(staff, address) for address in addresses]
    for _more in range(3):
        filled(mia, version, harm="1")
    assert [queries(staff, address) for address in addresses] == before


def test_a_version_is_seen_as_a_family_sees_it_and_nothing_is_saved(staff, cast):
    version = published()
    address = f"{LIST}preview/{version.pk}/"
    page = staff.get(address)
    assert page.status_code == 200
    assert "Allergies and habits" in text_of(page)
    assert "To what?" not in text_of(page)
    fields = fields_of(page) | {"q.0-0.0.v": "true"}
    tried = staff.post(address, {name: one for name, one in fields.items() if one})
    assert "To what?" in text_of(tried)
    assert not QuestionnaireResponse.objects.for_member(cast.mia).exists()
    assert staff.get(f"{LIST}preview/{10**30}/").status_code in {403, 404}
    assert Client().get(address).status_code == 302
