"""Topics that the practice marked private: write-only where several people share the login."""

from __future__ import annotations

import uuid

import pytest
from django.test import Client

from households.history.models import (
    Allergy,
    EntryChange,
    Fact,
    SectionSetting,
    SectionState,
)
from households.history.sections import hidden_sections
from households.models import KeptText, Member
from tests.households.history.conftest import Chart, entries_on, page_of
from tests.pages import fields_of, text_of

SECRET = "cries at night"


@pytest.fixture
def elena(cast) -> Chart:
    return Chart(Client(), "rivera@example.org", "Elena", "1985/04/12")


def make_private(section: str, value: bool = True) -> None:
    assert SectionSetting.objects.filter(section=section).update(is_private=value)


def every_page(chart: Chart, section: str, *entries: uuid.UUID) -> dict[str, str]:
    """All that this login can read of the topic, by page."""
    pages = ["", f"{section}/", f"{section}/add/"]
    pages += [f"{section}/{entry}/{page}" for entry in entries for page in ("", "end/", "past/")]
    return {page: chart.get(page).content.decode() for page in pages}


def test_what_was_sent_is_shown_nowhere_again(elena, cast):
    sent = elena.send("wellbeing/add/", mood="low", **{"mood-detail": SECRET})
    assert sent.status_code == 302
    fact = Fact.objects.get()
    shown = every_page(elena, "wellbeing", fact.public_id)
    assert SECRET not in " ".join(shown.values())
    for page in (f"wellbeing/{fact.public_id}/past/", f"wellbeing/{fact.public_id}/"):
        assert elena.get(page).status_code == 404
        assert elena.post(page, status="error").status_code in {404, 405}
    page = elena.get("wellbeing/add/")
    assert fields_of(page, "questions")["mood"] == [""]
    assert "Answered on" in text_of(page)
    assert "kept private" in text_of(page)
    assert entries_on(elena.get("wellbeing/")) == []
    assert "Answered, and kept private" in text_of(elena.get())
    notice = text_of(elena.client.get(elena.home))
    assert "mood" not in notice.lower()


def test_the_list_does_not_say_whether_it_was_none(elena, cast):
    pages = []
    for answer in ("none", "not-sure"):
        SectionState.objects.all().delete()
        assert elena.send("pregnancy/", answer=answer).status_code == 302
        page = elena.get()
        [row] = page_of(page).xpath("//*[@data-topic='pregnancy']")
        pages.append((row.get("data-answer-given"), " ".join(row.text_content().split())))
        detail = text_of(elena.get("pregnancy/"))
        assert "Nothing has changed" not in detail
    assert pages[0] == pages[1]


def test_answers_may_be_given_anew_without_seeing_the_old_ones(elena, cast):
    elena.send("wellbeing/add/", mood="low", worry="often")
    elena.send("wellbeing/add/", mood="good")
    assert {one.topic: one.value for one in Fact.objects.all()} == {
        "mood": "good",
        "worry": "often",
    }
    changes = EntryChange.objects.order_by("pk").values_list("action", "decision")
    assert list(changes) == [("added", "replaced"), ("added", "waiting"), ("changed", "waiting")]


@pytest.mark.parametrize("decided", [False, True])
def test_nobody_finds_out_by_trying(elena, cast, desk, decided):
    """The same answer as before and another one look alike, in the answer and in everything after it."""
    seen = []
    for tried in ("low", "good"):
        EntryChange.objects.all().delete()
        Fact.objects.all().delete()
        SectionState.objects.all().delete()
        elena.send("wellbeing/add/", mood="low", worry="often")
        if decided:
            for change in EntryChange.objects.order_by("pk"):
                desk.give_back(change) if change.values["value"] == "often" else desk.accept(change)
        SectionState.objects.update(confirmed_at="2020-01-02T12:00:00Z")
        answer = elena.send("wellbeing/add/", mood=tried)
        pages = [elena.get(), elena.get("wellbeing/"), elena.get("wellbeing/add/")]
        seen.append([answer.status_code, answer.headers["Location"], *map(text_of, pages)])
        assert "January 2, 2020" not in text_of(pages[1])
        versions = page_of(pages[1]).xpath("//input[contains(@name, 'version')]/@value")
        assert set(versions) <= {"0"}
        assert "answer anew." not in text_of(pages[1]).replace("now, answer anew.", "")
    assert seen[0] == seen[1]


def test_two_browsers_get_no_page_that_shows_the_other_ones_answer(elena, cast):
    typed = fields_of(elena.get("wellbeing/add/"), "questions", mood="low")
    other = Chart(Client(), "rivera@example.org", "Elena", "1985/04/12")
    other.send("wellbeing/add/", mood="good", **{"mood-detail": SECRET})
    answer = elena.post("wellbeing/add/", **typed)
    assert answer.status_code == 302
    # Nothing is lost: the practice sees both.
    values = [one.values["value"] for one in EntryChange.objects.order_by("pk")]
    assert values == ["good", "low"]
    answer = elena.post("wellbeing/", answer="none", version="0")
    assert answer.status_code == 302
    assert elena.post("wellbeing/", confirm="1", version="2").status_code == 422


def test_the_same_page_sent_twice_records_once(elena):
    typed = fields_of(elena.get("wellbeing/add/"), "questions", mood="low")
    for _time in range(2):
        assert elena.post("wellbeing/add/", **typed).status_code == 302
    assert (Fact.objects.count(), EntryChange.objects.count()) == (1, 1)


def test_a_private_list_takes_entries_and_tells_nothing(elena, cast, desk):
    make_private("allergies")
    entry = elena.add("allergies", substance=SECRET)
    pages = every_page(elena, "allergies", entry.public_id)
    assert SECRET not in " ".join(pages.values())
    page = elena.get("allergies/")
    offered = page_of(page).xpath("//input[@name='answer']/@value")
    assert offered == ["none", "not-sure", "entries"]
    # "None" is taken, although there is an entry: refusing it would tell.
    assert elena.send("allergies/", answer="none").status_code == 302
    assert SectionState.objects.for_member(cast.elena).get(section="allergies").answer == "entries"
    change = EntryChange.objects.latest("pk")
    assert (change.action, change.decision) == ("answered", "waiting")
    staff = text_of(desk.page_of(change))
    assert "the family may not have seen" in staff
    assert Allergy.objects.get().status == "active"


def test_what_the_practice_says_is_not_shown_either(elena, desk):
    elena.send("wellbeing/add/", mood="low", **{"mood-detail": SECRET})
    change = EntryChange.objects.get()
    assert SECRET in text_of(desk.page_of(change))
    desk.give_back(change, f"You wrote: {SECRET}")
    pages = every_page(elena, "wellbeing", Fact.objects.get().public_id)
    assert SECRET not in " ".join(pages.values())
    assert "Returned by the practice" in text_of(elena.get())
    assert "call the practice, or answer anew" in text_of(elena.get("wellbeing/"))
    elena.send("wellbeing/add/", mood="good")
    assert "answer anew." not in text_of(elena.get("wellbeing/")).replace("now, answer anew.", "")
    assert "Returned by the practice" not in text_of(elena.get())


@pytest.mark.parametrize("page", ["wellbeing/", "wellbeing/add/", "goals/add/"])
def test_typed_text_is_not_kept(elena, page):
    make_private("goals")
    shown = elena.get(page)
    assert not page_of(shown).xpath("//main//form[@data-keep]")
    old, typed = (
        f"{elena.history}{page}",
        {**fields_of(shown), "text": SECRET, "mood-detail": SECRET},
    )
    elena.open("Mia", "2016/04/27")
    answer = elena.client.post(old, typed)
    assert answer.status_code == 409
    assert SECRET not in answer.content.decode()
    assert KeptText.objects.count() == 0
    assert Fact.objects.count() == EntryChange.objects.count() == 0


def test_text_kept_before_the_topic_was_private_is_not_offered_back_but_deleted(elena):
    make_private("wellbeing", False)
    old = f"{elena.history}wellbeing/add/"
    typed = fields_of(
        elena.get("wellbeing/add/"), "questions", mood="low", **{"mood-detail": SECRET}
    )
    elena.open("Mia", "2016/04/27")
    assert elena.client.post(old, typed).status_code == 409
    make_private("wellbeing")
    elena.open("Elena", "1985/04/12")
    page = elena.get("wellbeing/")
    assert SECRET not in page.content.decode()
    assert "It is deleted, because this topic is private." in text_of(page)
    assert KeptText.objects.count() == 0
    assert Fact.objects.count() == 0


def test_what_cannot_be_is_told_with_what_was_typed_just_now(elena):
    answer = elena.send("wellbeing/add/", mood="odd", **{"mood-detail": SECRET})
    assert answer.status_code == 422
    assert SECRET in answer.content.decode()


def test_alone_on_a_login_a_private_topic_is_like_any_other(nora, cast):
    nora.send("wellbeing/add/", mood="low", **{"mood-detail": SECRET})
    assert SECRET in text_of(nora.get("wellbeing/"))
    fact = Fact.objects.get()
    assert SECRET in text_of(nora.get(f"wellbeing/{fact.public_id}/past/"))
    assert "wellbeing" not in hidden_sections(cast.nurse)
    # Somebody else gets the same email: from the very next request on it is not shown.
    Member.objects.filter(pk=cast.ada.pk).update(email_key="nurse@example.org")
    assert "wellbeing" in hidden_sections(cast.nurse)
    assert SECRET not in text_of(nora.get("wellbeing/"))
    assert nora.get(f"wellbeing/{fact.public_id}/past/").status_code == 404


def test_the_practice_says_what_is_private(cast):
    assert hidden_sections(cast.rivera) == {"pregnancy", "wellbeing"}
    assert hidden_sections(cast.nurse) == frozenset()
    make_private("wellbeing", False)
    make_private("goals")
    assert hidden_sections(cast.rivera) == {"pregnancy", "goals"}


def test_trying_does_not_tell_how_long_the_list_is(elena, cast):
    latex = elena.add("allergies", substance="Latex")
    for _ in range(99):
        latex.pk, latex.public_id = None, uuid.uuid4()
        latex.save(force_insert=True)
    assert elena.send("allergies/add/", substance="Dust").status_code == 422
    make_private("allergies")
    elena.add("allergies", substance="Dust")
