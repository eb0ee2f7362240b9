"""The page that reads everything back: what stands there at every moment, and “This is all correct”."""

from __future__ import annotations

import datetime

import lxml.html
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.audit.models import AuditEvent
from households.demographics.fields import FIELDS
from households.demographics.models import (
    Contact,
    Coverage,
    DetailChange,
    Details,
    FieldSetting,
)
from households.models import Member
from households.overview.standing import standing_of
from households.submissions.models import Submission
from households.templatetags.portal_tags import in_words
from tests.cast import practice_today
from tests.pages import fields_of, text_of, title_of


def row_of(answer, key: str):
    [row] = lxml.html.fromstring(answer.content.decode()).xpath(f"//*[@data-field='{key}']")
    return row


def home_of(family) -> str:
    return family.details.removesuffix("demographics/")


def words_of(answer, key: str) -> str:
    return " ".join(row_of(answer, key).text_content().split())


def test_everything_on_file_is_read_back(cast, mia):
    Member.objects.filter(pk=cast.mia.pk).update(address_1="12 Quay Street", city="Harbor", sex="F")
    Details.objects.create(member=cast.mia, marital_status="S", race=["2028-9"], interpreter="no")
    Contact.objects.create(
        member=cast.mia, name="Elena Rivera", relationship="MTH", phone="+16175550123"
    )
    Coverage.objects.create(member=cast.mia, rank="primary", payer="Blue Plan", subscriber="parent")
    page = mia.page()
    assert title_of(page).startswith("Mia – Details")
    assert words_of(page, "legal_name").startswith("Legal name Mia Rivera")
    assert "2016/04/27" in words_of(page, "date_of_birth")
    assert "Female" in words_of(page, "sex")
    assert "rivera@example.org" in words_of(page, "email").lower()
    assert "12 Quay Street Harbor" in words_of(page, "address")
    assert "Never married" in words_of(page, "marital_status")
    assert "Asian" in words_of(page, "race")
    assert "Interpreter needed: No" in words_of(page, "language")
    assert "Elena Rivera Mother Phone: (617) 555-0123" in words_of(page, "contacts")
    assert "Blue Plan Whose policy: A parent" in words_of(page, "primary_insurance")
    assert "Not given" in words_of(page, "pharmacy")


def test_what_has_ended_is_not_on_file(cast, mia):
    now = timezone.now()
    Contact.objects.create(member=cast.mia, name="Aunt Zoe", relationship="O", ended_at=now)
    Coverage.objects.create(member=cast.mia, rank="primary", payer="Old Plan", ended_at=now)
    page = text_of(mia.page())
    assert "Aunt Zoe" not in page
    assert "Old Plan" not in page


def test_each_row_has_its_own_link_and_says_what_it_changes(mia):
    page = mia.page()
    links = {key: row_of(page, key).xpath(".//a") for key in FIELDS if key != "contacts"}
    assert all(len(found) == 1 for found in links.values())
    spoken = {key: " ".join(found[0].text_content().split()) for key, found in links.items()}
    assert spoken["address"] == "Add: Address"
    assert spoken["email"] == "Ask for a correction: Primary email"
    assert spoken["legal_name"] == "Ask for a correction: Legal name"
    assert len(set(spoken.values())) == len(spoken)
    for found in links.values():
        assert mia.get(found[0].get("href")).status_code == 200


def test_a_returned_change_is_to_do_until_another_is_sent(cast, mia, desk):
    mia.change("pharmacy/", pharmacy_name="Corner")
    change = DetailChange.objects.get()
    desk.give_back(change, "Which Corner pharmacy?")
    words = words_of(mia.page(), "pharmacy")
    assert "Returned by the practice on" in words
    assert "Which Corner pharmacy?" in words
    assert "Change again" in words
    [box] = lxml.html.fromstring(mia.page().content.decode()).xpath("//main//*[@data-returned]//a")
    assert (box.text, box.get("href")) == ("Pharmacy", f"{mia.details}pharmacy/")
    assert standing_of(cast.mia).returned == 1
    change.submission.refresh_from_db()
    assert (change.submission.status, change.submission.reason) == (
        Submission.Status.RETURNED,
        "Which Corner pharmacy?",
    )
    # The page to change it again has what was typed, and the reason.
    again = mia.page("pharmacy/")
    assert "Which Corner pharmacy?" in text_of(again)
    assert fields_of(again)["pharmacy_name"] == ["Corner"]
    mia.change("pharmacy/", pharmacy_name="Corner on Hill")
    assert standing_of(cast.mia).returned == 0
    assert standing_of(cast.mia).waiting == 1
    assert "Returned" not in words_of(mia.page(), "pharmacy")


def test_what_is_not_shown_any_more_is_nothing_to_do(cast, mia, desk):
    mia.change("pharmacy/", pharmacy_name="Corner")
    desk.give_back(DetailChange.objects.get())
    for shown in ("hidden", "shown"):
        FieldSetting.objects.filter(field="pharmacy").update(shown=shown)
        assert standing_of(cast.mia).returned == 0


def test_of_what_was_sent_for_a_field_only_the_latest_counts(cast, mia, desk):
    mia.change("pharmacy/", pharmacy_name="Corner")
    desk.give_back(DetailChange.objects.get())
    mia.change("pharmacy/", pharmacy_name="Corner on Hill")
    desk.accept(DetailChange.objects.latest("pk"))
    state = standing_of(cast.mia)
    assert (state.waiting, state.returned) == (0, 0)
    assert row_of(mia.page(), "pharmacy").get("data-status") == "accepted"


def test_confirming_settles_what_was_returned(cast, mia, desk):
    mia.change("pharmacy/", pharmacy_name="Corner")
    desk.give_back(DetailChange.objects.get())
    mia.confirm()
    assert standing_of(cast.mia).returned == 0
    assert "Returned" not in text_of(mia.page())


def test_accepted_is_said_for_a_while(cast, mia, desk):
    mia.change("pharmacy/", pharmacy_name="Corner")
    desk.accept(DetailChange.objects.get())
    assert "Accepted on" in words_of(mia.page(), "pharmacy")
    DetailChange.objects.update(decided_at=timezone.now() - datetime.timedelta(days=31))
    assert "Accepted on" not in words_of(mia.page(), "pharmacy")


# --- this is all correct --------------------------------------------------------------


def test_all_correct_is_recorded_with_its_day(cast, mia, desk):
    answer = mia.confirm()
    assert answer.headers["Location"] == home_of(mia)
    assert "all of Mimi's details are correct" in text_of(mia.get(home_of(mia)))
    details = Details.objects.get(member=cast.mia)
    submission = details.confirmed_in
    assert (submission.kind, submission.status) == ("demographics", Submission.Status.FILED)
    assert submission.member == cast.mia
    assert submission.sent_at == details.confirmed_at
    assert f"Last confirmed on {in_words(practice_today())}" in text_of(mia.page())
    assert standing_of(cast.mia).confirmed_at == details.confirmed_at
    page = desk.client.get(f"/admin/demographics/detailchange/of/{submission.pk}/")
    assert "confirmed that nothing has changed" in text_of(page)
    assert AuditEvent.objects.filter(action="send", outcome="confirmed").count() == 1


def test_pressed_twice_it_is_confirmed_once(cast, mia):
    fields = fields_of(mia.page())
    answers = [mia.send("confirm/", fields) for _press in range(3)]
    assert {answer.headers["Location"] for answer in answers} == {home_of(mia)}
    assert Submission.objects.count() == 1
    # Another day's page confirms again.
    mia.confirm()
    assert Submission.objects.count() == 2


def test_what_was_changed_meanwhile_is_not_confirmed(cast, mia):
    fields = fields_of(mia.page())
    Member.objects.filter(pk=cast.mia.pk).update(city="Elsewhere")
    answer = mia.send("confirm/", fields)
    assert answer.status_code == 422
    assert "changed after you opened this page" in text_of(answer)
    assert "Elsewhere" in text_of(answer)
    assert not Submission.objects.exists()
    assert mia.send("confirm/", fields_of(answer)).status_code == 302


@pytest.mark.parametrize("fields", [{}, {"seen": "x"}, {"seen": "é", "confirmed_before": "9"}])
def test_a_forged_confirmation_confirms_nothing(mia, fields):
    assert mia.send("confirm/", fields).status_code == 422
    assert not Submission.objects.exists()


def test_a_required_field_that_is_empty_stands_in_the_way(cast, mia):
    FieldSetting.objects.filter(field__in=["pharmacy", "contacts", "sex"]).update(shown="required")
    assert "The practice needs this" in words_of(mia.page(), "pharmacy")
    answer = mia.confirm()
    assert answer.status_code == 422
    summary = lxml.html.fromstring(answer.content.decode()).xpath("//*[@data-error-summary]")[0]
    links = {link.text_content().strip(): link.get("href") for link in summary.xpath(".//a")}
    assert links == {
        "Sex on file": f"{mia.details}sex/",
        "Contacts": f"{mia.details}contacts/",
        "Pharmacy": f"{mia.details}pharmacy/",
    }
    assert not Submission.objects.exists()
    # What waits counts as answered.
    mia.change("sex/", sex="F")
    mia.change("pharmacy/", pharmacy_name="Corner")
    mia.change("contacts/new/", name="Elena", relationship="MTH")
    assert mia.confirm().status_code == 302


# --- what it costs --------------------------------------------------------------------


def statements(act) -> list[str]:
    """What it asks the database; without the note of the session's use, which is written now and then."""
    with CaptureQueriesContext(connection) as captured:
        act()
    asked = [query["sql"] for query in captured]
    return [sql for sql in asked if not sql.startswith('UPDATE "accounts_householdsession"')]


def queries(act) -> int:
    return len(statements(act))


def fill(mia, desk) -> None:
    for key, typed in {
        "pharmacy": {"pharmacy_name": "Corner"},
        "address": {"address_1": "1 Hill", "city": "Harbor"},
        "doctor": {"doctor_name": "Ode"},
        "primary_insurance": {"payer": "Blue Plan"},
    }.items():
        mia.change(f"{key}/", **typed)
    for name in ("Elena", "Joe", "Zoe"):
        mia.change("contacts/new/", name=name, relationship="MTH")


def test_pages_cost_the_same_whatever_is_there(cast, mia, desk):
    pages = {
        "": lambda: mia.page(),
        "contacts": lambda: mia.page("contacts/"),
        "field": lambda: mia.page("address/"),
        "home": lambda: standing_of(cast.mia),
    }
    for act in pages.values():
        act()
    before = {name: queries(act) for name, act in pages.items()}
    fill(mia, desk)
    assert {name: queries(act) for name, act in pages.items()} == before
    assert before["home"] == 1
    assert before[""] <= 10
    desk.accept_all(DetailChange.objects.first())
    assert {name: queries(act) for name, act in pages.items()} == before


def test_the_staffs_page_costs_the_same_whatever_is_in_it(cast, mia, desk):
    mia.change("pharmacy/", pharmacy_name="Corner")
    change = DetailChange.objects.get()
    desk.see(change)
    # Seen: the next change comes as a submission of its own.
    few = queries(lambda: desk.see(change))
    fill(mia, desk)
    later = DetailChange.objects.latest("pk")
    assert DetailChange.objects.filter(submission=later.submission).count() == 6
    desk.see(later)
    assert queries(lambda: desk.see(later)) == few
