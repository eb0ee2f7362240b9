"""Topics that are questions: what is recorded, what is left alone, what two browsers do to each other."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from households.history.models import EntryChange, Fact, SectionState
from households.history.topics import QUESTION, QUESTIONS
from households.submissions.models import Submission
from tests.households.history.conftest import Chart, entries_on, page_of
from tests.pages import fields_of, text_of, title_of


def facts(member) -> dict[str, tuple[str, str, str]]:
    return {
        one.topic: (one.status, one.value, one.detail) for one in Fact.objects.for_member(member)
    }


@pytest.fixture
def elena(cast) -> Chart:
    return Chart(Client(), "rivera@example.org", "Elena", "1985/04/12")


def test_words_in_the_database_fit_and_are_told_apart():
    asked = [question.topic for questions in QUESTIONS.values() for question in questions]
    assert len(asked) == len(set(asked)) == len(QUESTION)
    longest = Fact._meta.get_field("topic").max_length
    for question in QUESTION.values():
        assert len(question.topic) <= longest
        assert question.choices or question.detail
        assert len({word for word, _label in question.choices}) == len(question.choices)
        for word, _label in question.choices:
            assert 0 < len(word) <= Fact._meta.get_field("value").max_length


def test_only_what_was_answered_is_recorded_each_with_its_change(elena, cast):
    answer = elena.send(
        "lifestyle/add/", tobacco="former", **{"tobacco-until": "2012", "sleep-detail": "6 hours"}
    )
    assert answer.status_code == 302
    assert facts(cast.elena) == {
        "tobacco": ("active", "former", ""),
        "sleep": ("active", "", "6 hours"),
    }
    assert Fact.objects.get(topic="tobacco").until == "2012"
    changes = EntryChange.objects.order_by("pk")
    assert {(one.action, one.version, one.before == {}) for one in changes} == {("added", 1, True)}
    assert Submission.objects.count() == 1
    state = SectionState.objects.for_member(cast.elena).get(section="lifestyle")
    assert state.answer == "entries"
    page = elena.get("lifestyle/")
    assert [row[:2] for row in entries_on(page)] == [("active", "waiting")] * 2
    for shown in ("Not any more", "6 hours", "2012"):
        assert shown in text_of(page)
    assert "Nothing has changed" in text_of(page)


def test_saving_again_records_what_changed_and_nothing_else(elena, cast):
    elena.send("lifestyle/add/", tobacco="some", alcohol="never")
    page = elena.get("lifestyle/add/")
    assert fields_of(page, "questions")["tobacco"] == ["some"]
    elena.send("lifestyle/add/", tobacco="daily")
    assert facts(cast.elena) == {
        "tobacco": ("active", "daily", ""),
        "alcohol": ("active", "never", ""),
    }
    latest = EntryChange.objects.latest("pk")
    assert EntryChange.objects.count() == 3
    assert (latest.action, latest.version, latest.before["value"]) == ("changed", 2, "some")
    elena.send("lifestyle/add/")
    assert EntryChange.objects.count() == 3
    assert "nothing was sent" in text_of(elena.get("lifestyle/"))


def test_an_answer_that_is_taken_away_stays_in_the_past(elena, cast):
    elena.send("lifestyle/add/", tobacco="some", alcohol="never")
    elena.send("lifestyle/add/", tobacco="")
    assert facts(cast.elena)["tobacco"] == ("error", "some", "")
    assert EntryChange.objects.latest("pk").action == "error"
    tobacco = Fact.objects.get(topic="tobacco")
    past = text_of(elena.get(f"lifestyle/{tobacco.public_id}/past/"))
    assert "Some days" in past
    assert fields_of(elena.get("lifestyle/add/"), "questions")["tobacco"] == [""]
    elena.send("lifestyle/add/", tobacco="daily")
    assert facts(cast.elena)["tobacco"] == ("active", "daily", "")


def test_the_same_page_sent_twice_records_once(elena):
    typed = fields_of(elena.get("lifestyle/add/"), "questions", tobacco="daily", diet="vegan")
    answers = [elena.post("lifestyle/add/", **typed) for _time in range(3)]
    assert {(one.status_code, one.headers["Location"]) for one in answers} == {(302, elena.history)}
    assert (Fact.objects.count(), EntryChange.objects.count()) == (2, 2)


def test_two_browsers_that_answer_different_questions_keep_both(elena, cast):
    elena.send("lifestyle/add/", tobacco="some", diet="vegan")
    typed = fields_of(elena.get("lifestyle/add/"), "questions", tobacco="daily", caffeine="much")
    spouse = Chart(Client(), "rivera@example.org", "Elena", "1985/04/12")
    spouse.send("lifestyle/add/", diet="everything", sleep="good")
    assert elena.post("lifestyle/add/", **typed).status_code == 302
    assert {topic: value for topic, (_status, value, _more) in facts(cast.elena).items()} == {
        "tobacco": "daily",
        "diet": "everything",
        "sleep": "good",
        "caffeine": "much",
    }


def test_two_browsers_that_answer_the_same_question_see_both(elena, cast):
    elena.send("lifestyle/add/", tobacco="some")
    typed = fields_of(elena.get("lifestyle/add/"), "questions", tobacco="daily", diet="vegan")
    spouse = Chart(Client(), "rivera@example.org", "Elena", "1985/04/12")
    spouse.send("lifestyle/add/", tobacco="never")
    answer = elena.post("lifestyle/add/", **typed)
    assert answer.status_code == 409
    [theirs] = page_of(answer).xpath("//*[@data-theirs]")
    [mine] = page_of(answer).xpath("//*[@data-mine]")
    assert theirs.text_content().strip() == "Never"
    assert mine.text_content().strip() == "Every day"
    # What nobody else touched is saved.
    assert facts(cast.elena)["diet"] == ("active", "vegan", "")
    assert facts(cast.elena)["tobacco"] == ("active", "never", "")
    # Save mine: the questions that are not on that page stay as they are.
    assert elena.post("lifestyle/add/", **fields_of(answer)).status_code == 302
    assert facts(cast.elena) == {
        "tobacco": ("active", "daily", ""),
        "diet": ("active", "vegan", ""),
    }


def test_two_first_answers_to_the_same_question_see_both(elena, cast):
    typed = fields_of(elena.get("lifestyle/add/"), "questions", tobacco="daily")
    spouse = Chart(Client(), "rivera@example.org", "Elena", "1985/04/12")
    spouse.send("lifestyle/add/", tobacco="never", diet="vegan")
    assert elena.post("lifestyle/add/", **typed).status_code == 409
    assert facts(cast.elena)["tobacco"] == ("active", "never", "")
    assert facts(cast.elena)["diet"] == ("active", "vegan", "")


def test_a_correction_of_the_practice_is_not_undone_by_an_old_page(elena, cast, desk):
    elena.send("lifestyle/add/", **{"diet": "special", "diet-detail": "no glutin"})
    typed = fields_of(elena.get("lifestyle/add/"), "questions", tobacco="never")
    desk.correct(EntryChange.objects.get(), detail="no gluten")
    assert elena.post("lifestyle/add/", **typed).status_code == 302
    assert facts(cast.elena)["diet"] == ("active", "special", "no gluten")
    assert facts(cast.elena)["tobacco"] == ("active", "never", "")


def test_a_page_without_any_answer_is_told_so(mia):
    answer = mia.send("birth/add/")
    assert answer.status_code == 422
    assert "Answer at least one question" in text_of(answer)
    assert Fact.objects.count() == 0


@pytest.mark.parametrize(
    "typed",
    [
        {"tobacco": "a pack"},
        {"tobacco-since": "2099"},
        {"tobacco-since": "1984"},
        {"tobacco-since": "2010", "tobacco-until": "2009"},
        {"tobacco-detail": "x" * 501},
        {"tobacco-version": "-1"},
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_recorded(elena, typed):
    answer = elena.send("lifestyle/add/", **{"diet": "vegan", **typed})
    assert answer.status_code == 422
    assert title_of(answer).startswith("Elena – Error:")
    assert fields_of(answer, "questions")["diet"] == ["vegan"]
    assert Fact.objects.count() == 0


def test_questions_of_another_topic_or_of_nobody_are_ignored(elena, cast):
    elena.send("lifestyle/add/", tobacco="never", mood="low", nothing="x", **{"mood-detail": "x"})
    assert set(facts(cast.elena)) == {"tobacco"}


def test_questions_are_asked_from_an_age_on(mia, elena):
    asked = set(fields_of(elena.get("lifestyle/add/"), "questions"))
    of_a_child = {
        box.get("name") for box in page_of(mia.get("lifestyle/add/")).xpath("//main//input")
    }
    assert {"work-hazards-version", "tobacco-version"} <= asked
    assert "work-hazards" not in of_a_child
    assert "sleep" in of_a_child


def test_the_day_a_baby_should_come_lies_ahead(nora, cast):
    answer = nora.send("pregnancy/add/", pregnant="yes", **{"pregnant-until": "2099/03"})
    assert answer.status_code == 302
    assert Fact.objects.get().until == "2099-03"
    assert "March 2099" in text_of(nora.get("pregnancy/"))


def test_pregnancy_may_not_apply(nora, cast):
    answer = nora.send("pregnancy/", answer="none")
    assert answer.status_code == 302
    state = SectionState.objects.for_member(cast.nurse_member).get(section="pregnancy")
    assert state.answer == "none"
    assert "This does not apply to Nora" in text_of(nora.get("pregnancy/"))
    nora.send("pregnancy/add/", pregnant="no")
    state.refresh_from_db()
    assert state.answer == "entries"
    assert nora.post("pregnancy/", answer="none", version="2").status_code == 422


def test_typed_answers_come_back(elena):
    old = f"{elena.history}lifestyle/add/"
    typed = fields_of(elena.get("lifestyle/add/"), "questions", tobacco="daily")
    elena.open("Elena", "1985/04/12")
    assert elena.client.post(old, typed).status_code == 409
    for page in ("lifestyle/", "lifestyle/add/"):
        assert fields_of(elena.get(page), "questions")["tobacco"] == ["daily"]
    assert Fact.objects.count() == 0


def test_an_answer_has_no_page_to_change_or_to_end_it(elena):
    elena.send("lifestyle/add/", tobacco="daily")
    fact = Fact.objects.get()
    for page in ("", "end/"):
        assert elena.get(f"lifestyle/{fact.public_id}/{page}").status_code == 404
        assert elena.post(f"lifestyle/{fact.public_id}/{page}", status="error").status_code == 404
    assert elena.get(f"birth/{fact.public_id}/past/").status_code == 404


def test_the_page_costs_the_same_however_much_was_answered(elena):
    elena.send("lifestyle/add/", tobacco="daily")
    costs = []
    for _time in range(2):
        for page in ("lifestyle/", "lifestyle/add/"):
            elena.get(page)
            with CaptureQueriesContext(connection) as queries:
                assert elena.get(page).status_code == 200
            costs.append(len(queries))
        elena.send(
            "lifestyle/add/",
            **{question.topic: question.choices[0][0] for question in QUESTIONS["lifestyle"]},
        )
    assert costs[:2] == costs[2:]
    assert max(costs) <= 11
