"""A part of the history that was sent for the wrong person: no wrong allergy stays, none is lost, and what is
said of each topic stays true of both."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from households.history.models import (
    Allergy,
    EntryChange,
    Fact,
    SectionSetting,
    SectionState,
)
from households.submissions.models import Refiling, Submission
from tests.households.history.conftest import Chart, entries_on
from tests.households.submissions.test_refiling import at_once, refile
from tests.moving import Mover, front_desk, owner, page_of
from tests.pages import text_of


@pytest.fixture
def staff(cast) -> Mover:
    return owner()


@pytest.fixture
def leo(cast) -> Chart:
    return Chart(Client(), "rivera@example.org", "Leo", "2018/09/03")


def state(person, section="allergies") -> SectionState:
    return SectionState.objects.for_member(person).get(section=section)


def sent_by(person) -> Submission:
    rows = Submission.objects.for_member(person).select_related("member")
    return rows.filter(kind="history").latest("pk")


def allergies(person) -> list[tuple[str, str]]:
    rows = Allergy.objects.for_member(person).order_by("pk")
    return [*rows.values_list("substance", "status")]


def changes(person) -> list[tuple[str, str, str]]:
    rows = EntryChange.objects.for_member(person).order_by("pk")
    return [*rows.values_list("action", "decision", "version")]


def seen(submission: Submission) -> Submission:
    """What comes next comes in another envelope."""
    Submission.objects.filter(pk=submission.pk).update(status="seen")
    return submission


# --- added ----------------------------------------------------------------------------


def test_a_mistake_here_and_the_same_entry_there(mia, leo, desk, staff, cast):
    mia.add("allergies", substance="Penicillin", reaction="Rash", severity="severe")
    submission = sent_by(cast.mia)
    plan = text_of(staff.preview(submission, cast.leo))
    assert "Penicillin: on the list of Mia Rivera it is marked as entered by mistake." in plan
    assert "Penicillin: Leo Rivera gets it as an entry of their own" in plan
    refiling = staff.move(submission, cast.leo)

    assert allergies(cast.mia) == [("Penicillin", "error")]
    assert allergies(cast.leo) == [("Penicillin", "active")]
    there = Allergy.objects.for_member(cast.leo).get()
    assert (there.reaction, there.severity, there.is_confirmed) == ("Rash", "severe", False)
    assert changes(cast.mia) == [("added", "replaced", 1), ("error", "accepted", 2)]
    assert changes(cast.leo) == [("added", "waiting", 1)]
    assert (refiling.left, refiling.submission.member) == (submission, cast.leo)

    # Nobody asks Mia's family or the practice for anything more about it; the topic is to be answered again.
    submission.refresh_from_db()
    assert (submission.member, submission.status) == (cast.mia, "filed")
    assert (state(cast.mia).answer, state(cast.mia).confirmed_at) == ("not-asked", None)
    assert state(cast.leo).answer == "entries"

    # What the families read.
    assert entries_on(mia.get("allergies/")) == [("error", "accepted", "Penicillin")]
    assert [title for _s, _d, title in entries_on(leo.get("allergies/"))] == ["Penicillin"]
    mias = Allergy.objects.for_member(cast.mia).get()
    assert leo.get(f"allergies/{mias.public_id}/past/").status_code == 404
    assert mia.get(f"allergies/{there.public_id}/past/").status_code == 404

    # What staff read, on both pages of it.
    for one in (submission, refiling.submission):
        page = text_of(staff.client.get(f"/admin/history/entrychange/of/{one.pk}/"))
        assert "Moved from Mia Rivera" in page and "Leo Rivera, 2018/09/03" in page
    assert "Moved by the practice" in text_of(mia.client.get(mia.home))
    assert "Leo" not in text_of(mia.client.get(mia.home))

    desk.accept(EntryChange.objects.for_member(cast.leo).select_related("submission").get())
    there.refresh_from_db()
    assert there.is_confirmed


def test_it_is_moved_once(mia, staff, cast):
    mia.add("allergies", substance="Penicillin")
    submission = sent_by(cast.mia)
    staff.move(submission, cast.leo)
    assert "It was moved before" in staff.refused(submission, cast.lia)
    assert allergies(cast.lia) == []
    # From where it is now it moves on.
    refiling = staff.move(sent_by(cast.leo), cast.lia)
    assert allergies(cast.leo) == [("Penicillin", "error")]
    assert allergies(cast.lia) == [("Penicillin", "active")]
    assert refiling.from_member == cast.leo


def test_others_on_both_lists_stay(mia, leo, staff, cast):
    mia.add("allergies", substance="Latex")
    seen(sent_by(cast.mia))
    leo.add("allergies", substance="Dust")
    mia.add("allergies", substance="Penicillin")
    mia.add("allergies", substance="Eggs")
    staff.move(sent_by(cast.mia), cast.leo)
    assert allergies(cast.mia) == [("Latex", "active"), ("Penicillin", "error"), ("Eggs", "error")]
    assert allergies(cast.leo) == [(one, "active") for one in ("Dust", "Penicillin", "Eggs")]
    assert (state(cast.mia).answer, state(cast.leo).answer) == ("entries", "entries")


def test_what_was_accepted_and_corrected_goes_as_the_family_sent_it(mia, desk, staff, cast):
    mia.add("allergies", substance="Penicilin")
    change = EntryChange.objects.select_related("submission", "member").get()
    desk.correct(change, substance="Penicillin")
    assert allergies(cast.mia) == [("Penicillin", "active")]
    assert "It was accepted for Mia Rivera" in text_of(staff.preview(change.submission, cast.leo))
    staff.move(change.submission, cast.leo)
    assert allergies(cast.mia) == [("Penicillin", "error")]
    assert allergies(cast.leo) == [("Penicilin", "active")]
    assert changes(cast.leo) == [("added", "waiting", 1)]


def test_added_and_taken_off_again_is_nothing_to_move(mia, staff, cast):
    entry = mia.add("allergies", substance="Penicillin")
    mia.send(f"allergies/{entry.public_id}/end/", status="error")
    assert allergies(cast.mia) == [("Penicillin", "error")]
    assert "taken all of it off again" in staff.refused(sent_by(cast.mia), cast.leo)


# --- changed --------------------------------------------------------------------------


def test_a_change_goes_back_to_what_it_was(mia, desk, staff, cast):
    entry = mia.add("allergies", substance="Latex", severity="mild")
    desk.accept(EntryChange.objects.select_related("submission").get())
    mia.send(f"allergies/{entry.public_id}/", substance="Latex", severity="severe")
    staff.move(sent_by(cast.mia), cast.leo)
    entry.refresh_from_db()
    assert (entry.severity, entry.status, entry.is_confirmed) == ("mild", "active", True)
    there = Allergy.objects.for_member(cast.leo).get()
    assert (there.severity, there.status, there.is_confirmed) == ("severe", "active", False)
    assert there.public_id != entry.public_id
    assert state(cast.mia).answer == "entries"


def test_said_to_be_a_mistake_or_over_of_the_wrong_person(mia, desk, staff, cast):
    """The one who has it still has it; of the other nothing is taken off."""
    entry = mia.add("allergies", substance="Latex")
    desk.accept(EntryChange.objects.select_related("submission").get())
    mia.send(f"allergies/{entry.public_id}/end/", status="error")
    plan = text_of(staff.preview(sent_by(cast.mia), cast.leo))
    assert "Latex: nothing is changed on the list of Leo Rivera" in plan
    staff.move(sent_by(cast.mia), cast.leo)
    assert allergies(cast.mia) == [("Latex", "active")]
    assert allergies(cast.leo) == []
    assert state(cast.mia).answer == "entries"


def test_what_was_changed_again_later_is_not_torn_apart(mia, staff, cast):
    entry = mia.add("allergies", substance="Latex", severity="mild")
    first = seen(sent_by(cast.mia))
    mia.send(f"allergies/{entry.public_id}/", substance="Latex", severity="severe")
    assert sent_by(cast.mia) != first
    assert "changed again in something that came later" in staff.refused(first, cast.leo)
    assert allergies(cast.leo) == []


def test_a_page_of_either_that_is_open_tells(mia, leo, staff, cast):
    """Whoever says that nothing has changed has not seen this."""
    from tests.pages import fields_of

    leo.add("allergies", substance="Dust")
    mia.add("allergies", substance="Penicillin")
    here, there = fields_of(mia.get("allergies/")), fields_of(leo.get("allergies/"))
    staff.move(sent_by(cast.mia), cast.leo)
    for chart, fields in ((mia, here), (leo, there)):
        answer = chart.client.post(f"{chart.history}allergies/", {**fields, "confirm": "1"})
        assert answer.status_code in {409, 422}, answer.status_code


def test_the_family_goes_on_after_the_move(mia, staff, cast):
    mia.add("allergies", substance="Penicillin")
    staff.move(sent_by(cast.mia), cast.leo)
    mia.add("allergies", substance="Latex")
    assert allergies(cast.mia) == [("Penicillin", "error"), ("Latex", "active")]
    assert sent_by(cast.mia) != Refiling.objects.get().left
    assert sent_by(cast.mia).status == "received"


# --- "none" ---------------------------------------------------------------------------


def test_none_is_said_of_the_right_one_and_asked_again_of_the_other(mia, leo, staff, cast):
    leo.get()
    mia.send("allergies/", answer="none")
    assert state(cast.mia).answer == "none"
    plan = text_of(staff.preview(sent_by(cast.mia), cast.leo))
    assert "“None” of the topic “Allergies” is said of Leo Rivera" in plan
    staff.move(sent_by(cast.mia), cast.leo)
    assert (state(cast.mia).answer, state(cast.leo).answer) == ("not-asked", "none")
    assert changes(cast.leo) == [("answered", "waiting", 1)]


def test_none_is_never_said_of_a_list_with_entries(mia, leo, staff, cast):
    leo.add("allergies", substance="Dust")
    mia.send("allergies/", answer="none")
    assert "“None” or “Not sure” cannot be said" in staff.refused(sent_by(cast.mia), cast.leo)
    assert (state(cast.mia).answer, state(cast.leo).answer) == ("none", "entries")


def test_an_entry_moved_to_a_list_of_none(mia, leo, desk, staff, cast):
    """An allergy that somebody reported beats "none known"; the practice is told to ask."""
    leo.send("allergies/", answer="none")
    none = EntryChange.objects.for_member(cast.leo).select_related("submission").get()
    mia.add("allergies", substance="Penicillin")
    plan = text_of(staff.preview(sent_by(cast.mia), cast.leo))
    assert "The family has said “None” of this topic for Leo Rivera" in plan
    staff.move(sent_by(cast.mia), cast.leo)
    assert state(cast.leo).answer == "entries"
    page = desk.page_of(none)
    assert "There are current entries in this topic" in text_of(page)
    desk.client.post(f"/admin/history/entrychange/{none.pk}/accept/", {"on_file": "x"})
    none.refresh_from_db()
    assert none.decision == "waiting"


def test_nothing_has_changed_is_of_nobody_else(mia, staff, cast):
    mia.add("allergies", substance="Latex")
    seen(sent_by(cast.mia))
    mia.send("allergies/", confirm="1")
    submission = sent_by(cast.mia)
    assert submission.filed_at == submission.sent_at
    assert "nothing has changed for Mia Rivera" in staff.refused(submission, cast.leo)


# --- questions, private topics --------------------------------------------------------


def test_answers_to_questions(mia, leo, staff, cast):
    topic, value = first_choice(mia.get("lifestyle/add/"))
    mia.send("lifestyle/add/", **{topic: value})
    submission = sent_by(cast.mia)
    staff.move(submission, cast.leo)
    assert Fact.objects.for_member(cast.mia).get().status == "error"
    there = Fact.objects.for_member(cast.leo).get()
    assert (there.topic, there.value, there.status) == (topic, value, "active")
    assert state(cast.mia, "lifestyle").answer == "not-asked"


def test_nothing_is_put_over_the_right_persons_answers(mia, leo, staff, cast):
    topic, value = first_choice(leo.get("lifestyle/add/"))
    other = first_choice(leo.get("lifestyle/add/"), nth=1)[1]
    leo.send("lifestyle/add/", **{topic: other})
    mia.send("lifestyle/add/", **{topic: value})
    said = staff.refused(sent_by(cast.mia), cast.leo)
    assert "answers of their own" in said
    assert Fact.objects.for_member(cast.leo).get().value == other


def test_an_answer_that_was_taken_away_comes_back_in_its_row(mia, leo, staff, cast):
    topic, value = first_choice(leo.get("lifestyle/add/"))
    leo.send("lifestyle/add/", **{topic: value})
    leo.send("lifestyle/add/", **{topic: ""})
    fact = Fact.objects.for_member(cast.leo).get()
    assert fact.status == "error"
    mia.send("lifestyle/add/", **{topic: value})
    staff.move(sent_by(cast.mia), cast.leo)
    fact.refresh_from_db()
    assert (fact.status, fact.version) == ("active", 3)


def first_choice(page, nth: int = 0) -> tuple[str, str]:
    """A question of a page with the nth of its answers."""
    import lxml.html

    radios = lxml.html.fromstring(page.content.decode()).xpath("//input[@type='radio']")
    topic = radios[0].get("name")
    values = [one.get("value") for one in radios if one.get("name") == topic and one.get("value")]
    return topic, values[nth]


def test_a_private_topic_stays_private_on_both_sides(mia, leo, staff, cast):
    SectionSetting.objects.filter(section="goals").update(is_private=True)
    mia.send("goals/add/", kind="concern", text="cries at night")
    staff.move(sent_by(cast.mia), cast.leo)
    for chart in (mia, leo):
        pages = [chart.client.get(chart.home), chart.get(), chart.get("goals/")]
        shown = " ".join(page.content.decode() for page in pages)
        assert "cries at night" not in shown
        home = text_of(pages[0])
        assert "a part of the medical history" in home
        assert "goals" not in home.lower().partition("lately")[2]


def test_a_topic_that_the_right_person_is_not_asked(mia, staff, cast):
    mia.send("birth/add/", **dict([first_choice(mia.get("birth/add/"))]))
    said = staff.refused(sent_by(cast.mia), cast.elena)
    assert "Elena Rivera is not asked the topic" in said


# --- who may --------------------------------------------------------------------------


def test_who_sees_no_history_moves_none(mia, cast):
    mia.add("allergies", substance="Penicillin")
    submission = sent_by(cast.mia)
    desk = front_desk("view_entrychange", "change_entrychange")
    for answer in (desk.client.get(page_of(submission)), desk.preview(submission, cast.leo)):
        assert answer.status_code == 403
        assert "Penicillin" not in answer.content.decode()
    assert allergies(cast.leo) == []


# --- whole or not at all --------------------------------------------------------------


def test_a_failure_at_the_end_leaves_both_lists_as_they_were(mia, leo, cast):
    """The last thing written is the trail, which the database does not take without a reason."""
    leo.send("allergies/", answer="none")
    mia.add("allergies", substance="Penicillin")

    def everything() -> list:
        entries = Allergy.objects.values_list("member", "substance", "status", "version")
        states = SectionState.objects.order_by("pk").values_list("member", "answer", "version")
        decisions = EntryChange.objects.values_list("member", "decision")
        return [*entries, *states, *decisions, Submission.objects.count()]

    before = everything()
    with pytest.raises(IntegrityError, match="refiled_with_a_reason"), transaction.atomic():
        refile(cast, sent_by(cast.mia), cast.leo, reason="")
    assert everything() == before


@pytest.mark.django_db(transaction=True)
def test_moved_while_a_colleague_accepts(mia, desk, staff, cast):
    mia.add("allergies", substance="Penicillin")
    change = EntryChange.objects.select_related("submission", "member").get()
    desk.page_of(change)
    preview = staff.preview(sent_by(cast.mia), cast.leo)
    accepted, moved = at_once(
        lambda: desk.accept(change).status_code,
        lambda: staff.confirm(change.submission, preview).status_code,
    )
    entry = Allergy.objects.for_member(cast.mia).get()
    change.refresh_from_db()
    if moved == 302:
        assert (entry.status, entry.is_confirmed, change.decision) == ("error", False, "replaced")
        assert allergies(cast.leo) == [("Penicillin", "active")]
    else:
        assert (moved, accepted, change.decision) == (409, 302, "accepted")
        assert (entry.status, allergies(cast.leo)) == ("active", [])
