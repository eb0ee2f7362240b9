"""A member's home: the checklist is true at every moment, for this member and for nobody else."""

from __future__ import annotations

import datetime

import lxml.html
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from households.demographics.models import DetailChange, Details, FieldSetting
from households.history.models import EntryChange, Section, SectionSetting, SectionState
from households.models import Member
from households.submissions.models import Submission
from tests.cast import pick, practice_today, sign_in, sign_in_as_staff
from tests.files import png
from tests.pages import fields_of, text_of


@pytest.fixture
def family(cast, client) -> Client:
    sign_in(client, "rivera@example.org")
    client.home = f"/for/{pick(client, 'Mia', '2016/04/27')}/"
    return client


@pytest.fixture
def staff(cast) -> Client:
    staff = Client()
    sign_in_as_staff(staff)
    return staff


def task(client: Client, title: str) -> tuple[str, str]:
    """The status words of a task of the checklist and the word for its style."""
    page = lxml.html.fromstring(client.get(client.home).content.decode())
    for row in page.find_class("row"):
        link = row.find("a")
        if link is not None and link.text_content() == title:
            (status,) = row.find_class("status")
            words = " ".join(status.text_content().split())
            return words, status.get("class").removeprefix("status status-")
    raise AssertionError(f"{title} is not on the list")


def progress(client: Client) -> str:
    return text_of(client.get(client.home)).partition("Before the visit ")[2].partition(" done")[0]


def change(client: Client, field: str, **typed: str) -> None:
    page = f"{client.home}demographics/{field}/"
    answer = client.post(page, fields_of(client.get(page), **typed))
    assert answer.status_code == 302, text_of(answer)


def confirm(client: Client) -> None:
    page = client.get(f"{client.home}demographics/")
    answer = client.post(f"{client.home}demographics/confirm/", fields_of(page))
    assert answer.status_code == 302, text_of(answer)


def answer_topic(client: Client, section: str, answer: str = "none") -> None:
    page = f"{client.home}history/{section}/"
    got = client.get(page)
    forms = lxml.html.fromstring(got.content.decode()).forms
    form = next(form for form in forms if form.xpath(".//*[@name='answer']"))
    typed = dict(form.form_values())
    sent = client.post(page, {**typed, "answer": answer})
    assert sent.status_code == 302, text_of(sent)


def decide(staff: Client, proposal, word: str, **typed: str) -> None:
    app, model = type(proposal)._meta.app_label, type(proposal)._meta.model_name
    page = staff.get(f"/admin/{app}/{model}/of/{proposal.submission_id}/")
    forms = lxml.html.fromstring(page.content.decode()).forms
    form = next(form for form in forms if form.action.endswith(f"/{proposal.pk}/{word}/"))
    assert staff.post(form.action, {**dict(form.form_values()), **typed}).status_code == 302


def test_at_first_nothing_is_confirmed_and_nothing_is_answered(family):
    assert task(family, "Details") == ("Not confirmed yet", "not-started")
    assert task(family, "Medical history") == ("Not started", "not-started")
    assert progress(family) == "0 of 2"


def test_details_from_confirming_to_returned_and_back(family, staff):
    today = f"{practice_today():%Y/%m/%d}"
    confirm(family)
    assert task(family, "Details") == (f"Confirmed {today}", "done")
    assert progress(family) == "1 of 2"
    change(family, "occupation", occupation="Dancer")
    assert task(family, "Details") == ("1 change waits for the practice", "sent")
    decide(staff, DetailChange.objects.get(), "return", words="What kind of dancer?")
    assert task(family, "Details") == ("Returned: look at it again", "returned")
    assert progress(family) == "0 of 2"
    change(family, "occupation", occupation="Ballet dancer")
    assert task(family, "Details") == ("1 change waits for the practice", "sent")
    decide(staff, DetailChange.objects.latest("pk"), "accept")
    assert task(family, "Details") == (f"Confirmed {today}", "done")
    lately = text_of(family.get(family.home)).partition("Lately in")[2]
    assert "Accepted by the practice: Details" in lately
    assert Details.objects.get().occupation == "Ballet dancer"


def test_what_was_confirmed_a_year_ago_is_to_be_looked_at_again(family):
    confirm(family)
    Details.objects.update(confirmed_at=timezone.now() - datetime.timedelta(days=366))
    words, status = task(family, "Details")
    assert words.startswith("Look again: last confirmed ")
    assert status == "not-started"


def test_what_the_practice_needs_since_then_is_to_do(family, staff, cast):
    confirm(family)
    setting = FieldSetting.objects.get(field="occupation")
    page = f"/admin/demographics/fieldsetting/{setting.pk}/change/"
    assert staff.post(page, fields_of(staff.get(page), shown="required")).status_code == 302
    assert task(family, "Details") == (
        "The practice needs 1 more answer",
        "not-started",
    )
    change(family, "occupation", occupation="Dancer")
    assert task(family, "Details") == ("1 change waits for the practice", "sent")
    decide(staff, DetailChange.objects.get(), "accept")
    assert task(family, "Details")[1] == "done"
    assert staff.post(page, fields_of(staff.get(page), shown="editable")).status_code == 302
    assert task(family, "Details")[1] == "done"


def test_history_topic_by_topic(family, staff):
    asked = SectionSetting.objects.filter(section__in=["allergies", "conditions"])
    SectionSetting.objects.exclude(pk__in=asked).update(is_asked=False)
    answer_topic(family, "allergies")
    assert task(family, "Medical history") == ("1 of 2 topics answered", "in-progress")
    answer_topic(family, "conditions", "not-sure")
    today = f"{practice_today():%Y/%m/%d}"
    assert task(family, "Medical history") == (f"Confirmed {today}", "done")
    proposal = EntryChange.objects.get(section="conditions")
    decide(staff, proposal, "return", words="Ask her father.")
    assert task(family, "Medical history") == ("Returned: look at it again", "returned")
    answer_topic(family, "conditions", "none")
    assert task(family, "Medical history") == (f"Confirmed {today}", "done")
    SectionSetting.objects.filter(section="goals").update(is_asked=True)
    assert task(family, "Medical history") == ("2 of 3 topics answered", "in-progress")
    SectionSetting.objects.update(is_asked=False)
    assert "Medical history" not in text_of(family.get(family.home)).partition("Lately")[0]


def test_what_was_confirmed_long_ago_in_the_history_too(family):
    SectionSetting.objects.exclude(section="allergies").update(is_asked=False)
    answer_topic(family, "allergies")
    SectionState.objects.update(confirmed_at=timezone.now() - datetime.timedelta(days=400))
    assert task(family, "Medical history")[0].startswith("Look again: last confirmed ")


def test_a_topic_that_makes_no_sense_for_somebody_is_not_waited_for(cast, client):
    """Elena is grown up: nobody asks about her birth, and her list can be finished."""
    sign_in(client, "rivera@example.org")
    client.home = f"/for/{pick(client, 'Elena', '1985/04/12')}/"
    Member.objects.filter(pk=cast.elena.pk).update(sex="M")
    SectionSetting.objects.exclude(section__in=["allergies", "birth", "pregnancy"]).update(
        is_asked=False
    )
    answer_topic(client, "allergies")
    assert task(client, "Medical history")[1] == "done"


def test_of_a_private_topic_it_is_not_said_which(family):
    SectionSetting.objects.filter(section="wellbeing").update(is_private=True)
    answer_topic(family, "wellbeing")
    lately = text_of(family.get(family.home)).partition("Lately in")[2]
    assert "Sent: Medical history" in lately
    assert str(Section.WELLBEING.label) not in lately


def test_nothing_of_it_is_on_the_brothers_list(family, cast):
    confirm(family)
    change(family, "occupation", occupation="Dancer")
    answer_topic(family, "allergies")
    family.home = f"/for/{pick(family, 'Leo', '2018/09/03')}/"
    assert task(family, "Details") == ("Not confirmed yet", "not-started")
    assert task(family, "Medical history") == ("Not started", "not-started")
    assert "Nothing yet." in text_of(family.get(family.home)).partition("Lately in")[2]


def test_the_number_of_queries_does_not_grow(family, staff, cast):
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert family.get(family.home).status_code == 200
        return len(captured)

    confirm(family)
    answer_topic(family, "allergies")
    family.post(f"{family.home}documents/", {"files": png("a.png")})
    family.post(
        f"{family.home}filled-in-by/", {"filled_in_by": "guardian", "filled_in_name": "Elena"}
    )
    few = queries()
    for number in range(12):
        change(family, "occupation", occupation=f"Dancer {number}")
        family.post(f"{family.home}documents/", {"files": png("a.png", f"#0000{number + 16:02x}")})
    for section in ("conditions", "procedures", "family", "immunizations", "goals"):
        answer_topic(family, section)
    assert Submission.objects.for_member(cast.mia).count() > 15
    assert queries() == few
    assert few <= 8, few
