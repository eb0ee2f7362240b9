"""The list of topics and the page of each: which are asked, None and Not sure, Nothing has changed."""

from __future__ import annotations

import datetime
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.audit.models import AuditEvent
from households.history.models import EntryChange, Section, SectionSetting, SectionState
from households.models import KeptText, Member
from households.overview.standing import standing_of
from households.submissions.models import Submission
from tests.cast import member
from tests.households.history.conftest import Chart, entries_on, page_of
from tests.pages import fields_of, text_of, title_of

ADULT = ("Elena", "1985/04/12")


def topics_on(answer) -> dict[str, str]:
    return {
        row.get("data-topic"): row.get("data-answer-given")
        for row in page_of(answer).xpath("//*[@data-topic]")
    }


def hide(section: str) -> None:
    assert SectionSetting.objects.filter(section=section).update(is_asked=False)


# --- which are asked ------------------------------------------------------------------


def test_every_topic_has_a_state_from_the_first_look_on(mia, cast):
    assert SectionState.objects.count() == 0
    page = mia.get()
    assert set(topics_on(page).values()) == {"not-asked"}
    assert "0 of 13 topics answered" in text_of(page)
    states = SectionState.objects.for_member(cast.mia)
    assert [one.section for one in states] == [section.value for section in Section]
    assert {one.answer for one in states} == {"not-asked"}
    mia.get()
    assert SectionState.objects.count() == 13


@pytest.mark.parametrize("section", Section)
def test_a_topic_that_the_practice_hides_is_gone_on_every_page(mia, section):
    mia.get()
    hide(section)
    assert section not in topics_on(mia.get())
    forged = {
        "answer": "none",
        "version": "0",
        "confirm": "1",
        "substance": "x",
        "tobacco": "daily",
    }
    for page in (f"{section}/", f"{section}/add/"):
        assert mia.get(page).status_code == 404
        assert mia.post(page, **forged).status_code == 404
    assert EntryChange.objects.count() == Submission.objects.count() == 0


def test_an_entry_of_a_topic_that_was_hidden_later_is_gone_too(mia):
    entry = mia.add("allergies", substance="Penicillin")
    hide("allergies")
    for page in ("", "end/", "past/"):
        assert mia.get(f"allergies/{entry.public_id}/{page}").status_code == 404
    assert mia.post(f"allergies/{entry.public_id}/end/", status="error").status_code == 404
    assert EntryChange.objects.count() == 1


def years_ago(years: int, days: int = 0) -> datetime.date:
    today = timezone.localdate()
    return today.replace(year=today.year - years, day=min(today.day, 28)) + datetime.timedelta(days)


@pytest.mark.parametrize(
    ("age", "sex", "birth", "pregnancy"),
    [
        (0, "female", True, False),
        (7, "female", True, False),
        (8, "female", True, True),
        (17, "F", True, True),
        (18, "Female ", False, True),
        (60, "female", False, True),
        (61, "female", False, False),
        (30, "male", False, False),
        (30, "M", False, False),
        (30, "MALE", False, False),
        (30, "", False, True),
        (30, "unknown", False, True),
        (30, "other", False, True),
    ],
)
def test_birth_and_pregnancy_are_asked_of_whom_they_are_about(cast, age, sex, birth, pregnancy):
    born = years_ago(age, -1)
    member("Kim", "Rivera", f"{born:%Y/%m/%d}", "rivera@example.org", sex=sex)
    kim = Chart(Client(), "rivera@example.org", "Kim", f"{born:%Y/%m/%d}")
    asked = topics_on(kim.get())
    assert ("birth" in asked, "pregnancy" in asked) == (birth, pregnancy)
    assert kim.get("birth/").status_code == (200 if birth else 404)
    assert kim.post("pregnancy/add/", pregnant="no").status_code == (302 if pregnancy else 404)


def test_a_topic_says_what_it_asks_in_plain_words_and_has_a_title_of_its_own(mia):
    titles = set()
    for section in topics_on(mia.get()):
        page = mia.get(f"{section}/")
        assert page.status_code == 200
        titles.add(title_of(page))
        assert len(page_of(page).xpath("//h1")) == 1
        assert "%(name)s" not in text_of(page)
    assert len(titles) == 13
    assert all(title.startswith("Mia – ") for title in titles)


# --- None and Not sure ----------------------------------------------------------------


@pytest.mark.parametrize(("answer", "word"), [("none", "None"), ("not-sure", "Not sure")])
def test_none_and_not_sure_are_answers_that_the_practice_sees(mia, cast, answer, word):
    assert mia.send("allergies/", answer=answer).status_code == 302
    state = SectionState.objects.for_member(cast.mia).get(section="allergies")
    assert (state.answer, state.version) == (answer, 1)
    change = EntryChange.objects.get()
    assert (change.action, change.entry, change.entry_type) == ("answered", None, "")
    assert (change.before, change.values) == ({"answer": "not-asked"}, {"answer": answer})
    assert (change.submission.about, change.submission.status) == ("allergies", "received")
    page = mia.get()
    assert topics_on(page)["allergies"] == answer
    assert "1 of 13 topics answered" in text_of(page)
    assert f"{word} Last confirmed on" in text_of(page)
    assert "Waiting for the practice." in text_of(page)
    assert "Nothing has changed" in text_of(mia.get("allergies/"))


def test_yes_leads_to_the_page_that_adds(mia):
    answer = mia.send("allergies/", answer="entries")
    assert answer.headers["Location"] == f"{mia.history}allergies/add/"
    assert EntryChange.objects.count() == 0


@pytest.mark.parametrize("answer", ["", "not-asked", "yes", "none\0"])
def test_any_other_answer_is_none(mia, answer):
    page = mia.send("allergies/", answer=answer)
    assert page.status_code == 422
    assert title_of(page).startswith("Mia – Error:")
    assert EntryChange.objects.count() == 0


@pytest.mark.parametrize("answer", ["none", "not-sure"])
def test_none_is_refused_while_there_is_something_current(mia, cast, answer):
    mia.add("allergies", substance="Penicillin")
    page = mia.post("allergies/", answer=answer, version="1")
    assert page.status_code == 422
    assert "First say of each that it is over" in text_of(page)
    state = SectionState.objects.for_member(cast.mia).get(section="allergies")
    assert (state.answer, EntryChange.objects.count()) == ("entries", 1)


def test_none_is_taken_once_everything_is_over(mia, cast):
    entry = mia.add("allergies", substance="Penicillin")
    mia.send(f"allergies/{entry.public_id}/end/", status="ended")
    assert mia.send("allergies/", answer="none").status_code == 302
    assert topics_on(mia.get())["allergies"] == "none"
    page = mia.get("allergies/")
    assert entries_on(page) == [("ended", "waiting", "Penicillin")]


def test_an_entry_takes_the_place_of_none_and_of_its_waiting_answer(mia, cast):
    mia.send("allergies/", answer="none")
    mia.add("allergies", substance="Penicillin")
    assert topics_on(mia.get())["allergies"] == "entries"
    decisions = EntryChange.objects.order_by("pk").values_list("action", "decision")
    assert list(decisions) == [("answered", "replaced"), ("added", "waiting")]


def test_an_answer_sent_twice_is_one(mia):
    typed = {**fields_of(mia.get("allergies/")), "answer": "none"}
    answers = [mia.post("allergies/", **typed) for _time in range(3)]
    assert {(one.status_code, one.headers["Location"]) for one in answers} == {(302, mia.history)}
    assert EntryChange.objects.count() == Submission.objects.count() == 1


def test_two_browsers_that_answer_differently_see_both(mia, cast):
    father = Chart(Client(), "rivera@example.org", "Mia", "2016/04/27")
    typed = {**fields_of(mia.get("allergies/")), "answer": "none"}
    father.add("allergies", substance="Penicillin")
    answer = mia.post("allergies/", **typed)
    assert answer.status_code == 409
    [theirs] = page_of(answer).xpath("//*[@data-theirs]")
    [mine] = page_of(answer).xpath("//*[@data-mine]")
    assert theirs.text_content().strip() == "Penicillin"
    assert mine.text_content().strip() == "None: no allergies that we know of"
    assert mia.post("allergies/", **fields_of(answer)).status_code == 422
    assert topics_on(mia.get())["allergies"] == "entries"


def test_two_browsers_with_none_and_not_sure(mia, cast):
    father = Chart(Client(), "rivera@example.org", "Mia", "2016/04/27")
    typed = {**fields_of(mia.get("allergies/")), "answer": "none"}
    father.send("allergies/", answer="not-sure")
    answer = mia.post("allergies/", **typed)
    assert answer.status_code == 409
    assert topics_on(mia.get())["allergies"] == "not-sure"
    assert mia.post("allergies/", **fields_of(answer)).status_code == 302
    assert topics_on(mia.get())["allergies"] == "none"


def test_an_answer_sent_from_an_old_page_is_chosen_again_and_not_sent(mia):
    old, typed = f"{mia.history}allergies/", {**fields_of(mia.get("allergies/")), "answer": "none"}
    mia.open("Mia", "2016/04/27")
    assert mia.client.post(old, typed).status_code == 409
    page = mia.get("allergies/")
    assert fields_of(page)["answer"] == ["none"]
    assert EntryChange.objects.count() == 0
    assert mia.post("allergies/", **fields_of(page)).status_code == 302
    assert KeptText.objects.count() == 0


# --- Nothing has changed --------------------------------------------------------------


def test_nothing_has_changed_is_one_press_that_leaves_the_practice_nothing_to_do(mia, cast):
    mia.send("allergies/", answer="none")
    long_ago = timezone.now() - datetime.timedelta(days=200)
    SectionState.objects.filter(section="allergies").update(confirmed_at=long_ago)
    page = mia.get("allergies/")
    form = next(one for one in page_of(page).forms if one.xpath(".//*[@name='confirm']"))
    typed = {**dict(form.form_values()), "confirm": "1"}
    answers = [mia.post("allergies/", **typed) for _time in range(2)]
    assert {(one.status_code, one.headers["Location"]) for one in answers} == {(302, mia.history)}
    state = SectionState.objects.for_member(cast.mia).get(section="allergies")
    assert state.confirmed_at > timezone.now() - datetime.timedelta(minutes=1)
    assert (state.answer, EntryChange.objects.count()) == ("none", 1)
    sent = Submission.objects.latest("pk")
    assert (sent.status, sent.about, state.confirmed_in) == ("filed", "allergies", sent)
    assert Submission.objects.count() == 2
    assert AuditEvent.objects.filter(action="send", outcome="confirmed").count() == 1


def test_nothing_has_changed_is_not_said_of_what_was_not_seen(mia, cast):
    mia.add("allergies", substance="Penicillin")
    typed = fields_of(mia.get("allergies/"), confirm="1")
    father = Chart(Client(), "rivera@example.org", "Mia", "2016/04/27")
    father.add("allergies", substance="Nuts")
    answer = mia.post("allergies/", **typed)
    assert answer.status_code == 409
    assert "Penicillin; Nuts" in text_of(answer)
    assert Submission.objects.filter(status="filed").count() == 0
    assert mia.post("allergies/", **{**fields_of(answer), "confirm": "1"}).status_code == 302
    assert Submission.objects.filter(status="filed").count() == 1


def test_a_correction_of_the_practice_is_seen_before_it_is_confirmed(mia, desk):
    mia.add("allergies", substance="Penicilin")
    typed = fields_of(mia.get("allergies/"), confirm="1")
    desk.correct(EntryChange.objects.get(), substance="Penicillin")
    answer = mia.post("allergies/", **typed)
    assert answer.status_code == 409
    assert "Penicillin" in text_of(answer)


def test_nothing_has_changed_is_no_answer_to_what_was_never_answered(mia):
    for version in ("0", "1", ""):
        assert mia.post("allergies/", confirm="1", version=version).status_code == 422
    assert topics_on(mia.get())["allergies"] == "not-asked"
    assert Submission.objects.count() == 0


# --- what the practice says -----------------------------------------------------------


def test_what_was_returned_says_why_until_it_is_answered_anew(mia, desk):
    entry = mia.add("allergies", substance="Penicillin")
    desk.give_back(EntryChange.objects.get(), "Which kind of penicillin?")
    assert "Returned by the practice" in text_of(mia.get())
    assert entries_on(mia.get("allergies/")) == [("active", "returned", "Penicillin")]
    for page in ("allergies/", f"allergies/{entry.public_id}/"):
        assert "Which kind of penicillin?" in text_of(mia.get(page))
    mia.send(f"allergies/{entry.public_id}/", substance="Amoxicillin")
    assert "Returned by the practice" not in text_of(mia.get())
    assert "Which kind" not in text_of(mia.get("allergies/"))
    past = text_of(mia.get(f"allergies/{entry.public_id}/past/"))
    assert "Which kind of penicillin?" in past


def test_a_returned_none_says_why_until_the_topic_is_answered_anew(mia, desk):
    mia.send("allergies/", answer="none")
    desk.give_back(EntryChange.objects.get(), "You told us about bees.")
    assert "You told us about bees." in text_of(mia.get("allergies/"))
    assert "Returned by the practice" in text_of(mia.get())
    mia.add("allergies", substance="Bee stings")
    assert "You told us about bees." not in text_of(mia.get("allergies/"))
    assert "Returned by the practice" not in text_of(mia.get())


# --- at the same moment ---------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_five_first_looks_at_the_same_moment_make_each_state_once(mia, cast):
    def look(_number: int) -> int:
        browser = Client()
        browser.cookies = mia.client.cookies.__class__(mia.client.cookies.output(header=""))
        try:
            return browser.get(mia.history).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(5) as looks:
        assert set(looks.map(look, range(5))) == {200}
    assert SectionState.objects.for_member(cast.mia).count() == 13


# --- cost and the summary -------------------------------------------------------------


def test_the_first_look_costs_a_few_queries_more_and_the_same_for_everybody(mia, cast):
    with CaptureQueriesContext(connection) as first:
        mia.get()
    with CaptureQueriesContext(connection) as second:
        mia.get()
    assert len(second) <= 10
    assert len(first) - len(second) <= 4


def test_the_summary_for_the_home_is_one_query_and_true_at_every_moment(mia, cast, desk):
    with CaptureQueriesContext(connection) as queries:
        summary = standing_of(cast.mia)
    assert len(queries) == 1
    assert (summary.topics_asked, summary.topics_answered, summary.topics_returned) == (13, 0, 0)
    assert summary.topics_confirmed_at is None
    mia.send("conditions/", answer="none")
    mia.add("allergies", substance="Penicillin")
    desk.give_back(EntryChange.objects.get(section="allergies"))
    hide("goals")
    for number in range(30):
        mia.add("medications", name=f"Vitamin {number}", kind="supplement")
    with CaptureQueriesContext(connection) as queries:
        summary = standing_of(cast.mia)
    assert len(queries) == 1
    assert (summary.topics_asked, summary.topics_answered, summary.topics_returned) == (12, 3, 1)
    state = SectionState.objects.for_member(cast.mia).get(section="medications")
    assert summary.topics_confirmed_at == state.confirmed_at
    grown = Member.objects.get(pk=cast.elena.pk)
    assert standing_of(grown).topics_asked == 11
