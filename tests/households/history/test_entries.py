"""Lists of a topic: adding, changing, ending, what two browsers do to each other, and what a forged post does
not do."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.audit.models import AuditEvent
from households.history.models import (
    MODEL_OF,
    Allergy,
    Condition,
    EntryChange,
    FamilyCondition,
    Medication,
    Screening,
    Section,
    SectionState,
)
from households.models import KeptText
from households.submissions.models import Submission
from tests.cast import sign_in
from tests.households.history.conftest import Chart, entries_on, page_of
from tests.pages import fields_of, text_of, title_of

LISTS = {
    "allergies": {"substance": "Penicillin", "reaction": "Rash", "severity": "mild"},
    "medications": {"name": "Vitamin D", "kind": "supplement", "strength": "400 IU"},
    "conditions": {"name": "Asthma", "since": "2019/04"},
    "procedures": {"kind": "operation", "what": "Tonsils out", "happened": "2021"},
    "family": {"relative": "MTH", "condition": "Diabetes", "age_at_onset": "40"},
    "immunizations": {"vaccine": "Tetanus", "given": "2020/05/06"},
    "screenings": {"kind": "eyes", "happened": "2025"},
    "practitioners": {"name": "Dr. Ito", "role": "Eye doctor"},
    "goals": {"kind": "concern", "text": "Sleeps badly"},
}


def state(member, section):
    return SectionState.objects.for_member(member).get(section=section)


# --- hostile --------------------------------------------------------------------------


def test_another_persons_entry_is_not_there_and_stays_untouched(mia, cast):
    mia.get()
    other = Chart(Client(), "okafor@example.org", "Mia", "2016/04/27")
    theirs = other.add("allergies", substance="Latex")
    leo = Chart(Client(), "rivera@example.org", "Leo", "2018/09/03")
    brothers = leo.add("allergies", substance="Dust")
    conditions = mia.add("conditions", name="Asthma")
    changes = EntryChange.objects.count()
    for entry in (theirs, brothers, conditions):
        for page in ("", "end/", "past/"):
            address = f"allergies/{entry.public_id}/{page}"
            assert mia.get(address).status_code == 404
            posted = {"substance": "Ours", "status": "error", "version": "1"}
            assert mia.post(address, **posted).status_code in {404, 405}
    assert EntryChange.objects.count() == changes
    assert {one.substance for one in Allergy.objects.all()} == {"Latex", "Dust"}
    assert {one.status for one in Allergy.objects.all()} == {"active"}


def test_posted_names_that_are_not_on_the_page_change_nothing(mia, cast):
    other = Submission.objects.create(member=cast.leo, kind="history", sent_by=cast.rivera)
    forged = {
        "member": cast.leo.pk,
        "member_id": cast.leo.pk,
        "status": "error",
        "is_confirmed": "on",
        "decision": "accepted",
        "recorded_in": other.pk,
        "recorded_in_id": other.pk,
        "public_id": str(uuid.uuid4()),
        "id": "1",
        "pk": "1",
        "version": "77",
    }
    entry = mia.add("allergies", substance="Penicillin", **forged)
    assert (entry.member, entry.status, entry.is_confirmed) == (cast.mia, "active", False)
    assert (entry.version, entry.recorded_in == other) == (1, False)
    answer = mia.send(
        f"allergies/{entry.public_id}/", substance="Amoxicillin", **{**forged, "version": "1"}
    )
    assert answer.status_code == 302
    entry.refresh_from_db()
    assert (entry.substance, entry.status, entry.member) == ("Amoxicillin", "active", cast.mia)
    assert entry.is_confirmed is False
    assert {change.decision for change in EntryChange.objects.all()} == {"replaced", "waiting"}


@pytest.mark.parametrize("section", ["birthday", "Allergies", "lifestyle", "0", "not-a-topic"])
def test_an_entry_of_no_list_is_not_there(mia, section):
    for page in (f"{section}/{uuid.uuid4()}/", f"{section}/{uuid.uuid4()}/end/"):
        assert mia.get(page).status_code == 404
        assert mia.post(page, status="error").status_code == 404


@pytest.mark.parametrize(
    "typed",
    [
        {"substance": "x" * 201},
        {"substance": "Nuts", "category": "weapons"},
        {"substance": "Nuts", "since": "04/2019"},
        {"substance": "Nuts\0"},
        {"substance": ["", ""]},
        {"substance": "Nuts", "note": "n" * 501},
    ],
)
def test_what_cannot_be_is_told_and_all_that_was_typed_stays(mia, typed):
    answer = mia.post("allergies/add/", **{"reaction": "Rash everywhere", **typed})
    assert answer.status_code == 422
    assert title_of(answer).startswith("Mia – Error:")
    assert page_of(answer).xpath("//*[@data-error-summary]//a")
    assert "Rash everywhere" in answer.content.decode()
    assert Allergy.objects.count() == 0
    assert EntryChange.objects.count() == 0


@pytest.mark.parametrize("version", ["", "-1", "abc", "1e9", "99999999999999999999", "１"])
def test_a_version_that_no_page_had_is_a_conflict_and_saves_nothing(mia, version):
    entry = mia.add("allergies", substance="Penicillin")
    mia.send(f"allergies/{entry.public_id}/", substance="Amoxicillin")
    answer = mia.post(
        f"allergies/{entry.public_id}/", substance="Nuts", version=version, sending_id="no id"
    )
    assert answer.status_code == 409
    entry.refresh_from_db()
    assert entry.substance == "Amoxicillin"


# --- adding ---------------------------------------------------------------------------


@pytest.mark.parametrize("section", LISTS)
def test_every_list_takes_an_entry_with_its_state_its_change_and_its_audit(mia, cast, section):
    entry = mia.add(section, **LISTS[section])
    assert isinstance(entry, MODEL_OF[Section(section)])
    change = EntryChange.objects.get()
    assert (change.section, change.action, change.entry) == (section, "added", entry.public_id)
    assert (change.before, change.version, change.decision) == ({}, 1, "waiting")
    assert change.values == entry.values()
    assert change.as_entry().title == entry.title
    sent = change.submission
    assert (sent.kind, sent.about, sent.status, sent.member) == (
        *("history", section, "received"),
        cast.mia,
    )
    assert (entry.recorded_in, entry.changed_in) == (sent, sent)
    about = state(cast.mia, section)
    assert (about.answer, about.version, about.confirmed_in) == ("entries", 1, sent)
    event = AuditEvent.objects.filter(action="send").get()
    assert (event.outcome, event.object_type) == ("added", "history")
    assert event.object_id == str(change.public_id)
    page = mia.get(f"{section}/")
    assert entries_on(page) == [("active", "waiting", entry.title)]
    assert "1 entry" in text_of(mia.get())


def test_a_medicine_keeps_all_that_a_clinician_needs(mia):
    typed = {
        "name": "Amoxicillin",
        "kind": "prescribed",
        "strength": "250 mg",
        "dose": "1 capsule",
        "how_often": "three times a day",
        "route": "by mouth",
        "reason": "ear infection",
        "since": "2024/11/20",
        "until": "2099/12",
        "taking": "yes",
        "prescriber": "Dr. Ito",
        "note": "with food",
    }
    entry = mia.add("medications", **typed)
    kept = {**typed, "since": "2024-11-20", "until": "2099-12"}
    assert {name: getattr(entry, name) for name in typed} == kept
    page = text_of(mia.get("medications/"))
    for shown in ("Amoxicillin 250 mg", "1 capsule", "by mouth", "Dr. Ito", "November 20, 2024"):
        assert shown in page
    again = fields_of(mia.get(f"medications/{entry.public_id}/"))
    assert (again["since"], again["until"]) == (["2024/11/20"], ["2099/12"])


def test_one_of_the_other_check_ups_says_which(mia):
    answer = mia.send("screenings/add/", kind="other")
    assert answer.status_code == 422
    assert "Type what was checked." in text_of(answer)
    assert mia.add("screenings", kind="other", what="Vitamin D level").title == "Vitamin D level"
    assert Screening.objects.count() == 1


def test_ages_of_relatives_are_numbers(mia):
    answer = mia.send("family/add/", relative="MTH", condition="Diabetes", age_at_onset="forty")
    assert answer.status_code == 422
    assert "forty" in answer.content.decode()
    entry = mia.add("family", relative="MTH", condition="Diabetes", age_at_onset="", deceased="no")
    assert (entry.age_at_onset, entry.title) == (None, "Mother: Diabetes")
    assert FamilyCondition.objects.count() == 1


def test_several_things_of_one_visit_come_to_the_practice_as_one(mia):
    mia.add("medications", name="Vitamin D", kind="supplement")
    mia.add("medications", name="Iron", kind="supplement")
    mia.add("allergies", substance="Penicillin")
    assert sorted(Submission.objects.values_list("about", flat=True)) == [
        *("allergies", "medications")
    ]


# --- once -----------------------------------------------------------------------------


def test_a_page_sent_twice_saves_once_and_both_answers_lead_to_the_same_place(mia):
    typed = fields_of(mia.get("allergies/add/"), substance="Penicillin")
    answers = [mia.post("allergies/add/", **typed) for _time in range(3)]
    assert {answer.status_code for answer in answers} == {302}
    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert (Allergy.objects.count(), EntryChange.objects.count()) == (1, 1)


def test_a_page_brought_back_and_sent_with_something_else_is_another_one(mia):
    typed = fields_of(mia.get("medications/add/"), kind="supplement")
    mia.post("medications/add/", **{**typed, "name": "Vitamin D"})
    mia.post("medications/add/", **{**typed, "name": "Iron"})
    assert {one.name for one in Medication.objects.all()} == {"Vitamin D", "Iron"}


def test_two_browsers_that_end_an_entry_on_different_days_are_both_heard(mia):
    entry = mia.add("conditions", name="Asthma")
    page = f"conditions/{entry.public_id}/end/"
    first, second = (
        fields_of(mia.get(page), status="ended", until=year) for year in ("2019", "2021")
    )
    assert mia.post(page, **first).status_code == 302
    answer = mia.post(page, **second)
    assert answer.status_code == 409
    assert [year in text_of(answer) for year in ("2019", "2021")] == [True, True]
    entry.refresh_from_db()
    assert entry.until == "2019"
    assert mia.post(page, **fields_of(answer)).status_code == 302
    entry.refresh_from_db()
    assert (entry.status, entry.until) == ("ended", "2021")


def test_the_same_answer_again_pressed_twice_is_said_once(mia):
    mia.send("goals/", answer="none")
    typed = {**fields_of(mia.get("goals/")), "answer": "none"}
    for _press in range(3):
        assert mia.post("goals/", **typed).status_code == 302
    assert Submission.objects.count() == 2


def test_a_change_sent_twice_saves_once(mia):
    entry = mia.add("allergies", substance="Penicillin")
    page = f"allergies/{entry.public_id}/"
    typed = fields_of(mia.get(page), reaction="Rash")
    answers = [mia.post(page, **typed) for _time in range(2)]
    assert [answer.status_code for answer in answers] == [302, 302]
    assert answers[0].headers["Location"] == answers[1].headers["Location"]
    entry.refresh_from_db()
    assert (entry.version, EntryChange.objects.count()) == (2, 2)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", ["add", "change", "end", "confirm"])
def test_five_presses_at_the_same_moment_save_once(mia, cast, what):
    entry = mia.add("allergies", substance="Penicillin")
    page = {
        "add": "allergies/add/",
        "change": f"allergies/{entry.public_id}/",
        "end": f"allergies/{entry.public_id}/end/",
        "confirm": "allergies/",
    }[what]
    shown = mia.get(page)
    typed = {
        "add": {"substance": "Nuts"},
        "change": {"substance": "Amoxicillin"},
        "end": {"status": "ended"},
        "confirm": {"confirm": "1"},
    }[what]
    fields = fields_of(shown, **typed)
    before = EntryChange.objects.count(), Submission.objects.count(), Allergy.objects.count()

    def press(_number: int) -> tuple[int, str]:
        browser = Client()
        browser.cookies = mia.client.cookies.__class__(mia.client.cookies.output(header=""))
        try:
            answer = browser.post(f"{mia.history}{page}", fields)
            return answer.status_code, answer.headers.get("Location", "")
        finally:
            connection.close()

    with ThreadPoolExecutor(5) as presses:
        answers = set(presses.map(press, range(5)))
    assert len(answers) == 1
    assert next(iter(answers))[0] == 302
    more = {"add": (1, 0, 1), "change": (1, 0, 0), "end": (1, 0, 0), "confirm": (0, 1, 0)}[what]
    assert (
        EntryChange.objects.count(),
        Submission.objects.count(),
        Allergy.objects.count(),
    ) == tuple(was + plus for was, plus in zip(before, more, strict=True))


# --- changing -------------------------------------------------------------------------


def test_a_change_is_not_confirmed_any_more_and_takes_the_place_of_one_that_waits(mia, desk):
    entry = mia.add("allergies", substance="Penicillin")
    desk.accept(EntryChange.objects.get())
    entry.refresh_from_db()
    assert entry.is_confirmed
    mia.send(f"allergies/{entry.public_id}/", reaction="Rash")
    mia.send(f"allergies/{entry.public_id}/", reaction="Hives")
    entry.refresh_from_db()
    assert (entry.reaction, entry.is_confirmed, entry.version) == ("Hives", False, 3)
    decisions = EntryChange.objects.order_by("pk").values_list("decision", flat=True)
    assert list(decisions) == ["accepted", "replaced", "waiting"]
    latest = EntryChange.objects.latest("pk")
    assert (latest.before["reaction"], latest.values["reaction"]) == ("Rash", "Hives")
    past = text_of(mia.get(f"allergies/{entry.public_id}/past/"))
    assert past.index("Hives") < past.index("Replaced by a later one") < past.index("Accepted")


def test_nothing_different_is_nothing_sent(mia):
    entry = mia.add("allergies", substance="Penicillin")
    answer = mia.send(f"allergies/{entry.public_id}/")
    assert answer.status_code == 302
    assert EntryChange.objects.count() == 1
    assert "nothing was sent" in text_of(mia.get("allergies/"))


def test_two_browsers_never_overwrite_each_other_silently(mia, cast):
    entry = mia.add("allergies", substance="Penicillin", severity="mild")
    page = f"allergies/{entry.public_id}/"
    typed = fields_of(mia.get(page), substance="Amoxicillin", severity="severe")
    father = Chart(Client(), "rivera@example.org", "Mia", "2016/04/27")
    father.send(page, substance="All antibiotics")
    answer = mia.post(page, **typed)
    assert answer.status_code == 409
    shown = [
        (
            section.findtext("h2").strip(),
            " ".join(section.xpath(".//*[@data-theirs]")[0].text_content().split()),
            " ".join(section.xpath(".//*[@data-mine]")[0].text_content().split()),
        )
        for section in page_of(answer).xpath("//*[@data-conflict]")
    ]
    assert shown == [
        ("Substance", "All antibiotics", "Amoxicillin"),
        ("How severe", "Mild", "Severe: needed help at once"),
    ]
    entry.refresh_from_db()
    assert entry.substance == "All antibiotics"
    keep = page_of(answer).xpath("//a[contains(@class, 'button')]/@href")
    assert keep == [f"{mia.history}allergies/"]
    # Save mine: pressed twice, saved once.
    again = fields_of(answer)
    assert [mia.post(page, **again).status_code for _time in range(2)] == [302, 302]
    entry.refresh_from_db()
    assert (entry.substance, entry.severity, entry.version) == ("Amoxicillin", "severe", 3)
    assert EntryChange.objects.count() == 3


def test_a_correction_of_the_practice_is_not_overwritten_by_an_old_page(mia, desk):
    entry = mia.add("allergies", substance="Penicilin")
    page = f"allergies/{entry.public_id}/"
    typed = fields_of(mia.get(page), reaction="Rash")
    desk.correct(EntryChange.objects.get(), substance="Penicillin")
    answer = mia.post(page, **typed)
    assert answer.status_code == 409
    entry.refresh_from_db()
    assert (entry.substance, entry.reaction) == ("Penicillin", "")


def test_typed_text_comes_back_with_the_state_that_it_was_typed_over(mia, desk):
    entry = mia.add("allergies", substance="Penicillin")
    page = f"allergies/{entry.public_id}/"
    typed = fields_of(mia.get(page), reaction="Rash after two days")
    old = f"{mia.history}{page}"
    mia.open("Leo", "2018/09/03")
    assert mia.client.post(old, typed).status_code == 409
    assert Allergy.objects.get().reaction == ""
    assert "Rash after two days" not in mia.get("allergies/add/").content.decode()
    desk.correct(EntryChange.objects.get(), substance="Amoxicillin")
    mia.open("Mia", "2016/04/27")
    back = mia.get(page)
    assert "What you typed before is back" in text_of(back)
    assert fields_of(back)["reaction"] == ["Rash after two days"]
    assert mia.client.post(f"{mia.history}{page}", fields_of(back)).status_code == 409
    answer = mia.client.post(
        f"{mia.history}{page}", {**fields_of(back), "version": "2", "substance": "Amoxicillin"}
    )
    assert answer.status_code == 302
    assert KeptText.objects.count() == 0


def test_typed_text_of_a_new_entry_can_be_let_go(mia):
    old = f"{mia.history}allergies/add/"
    typed = fields_of(mia.get("allergies/add/"), substance="Penicillin")
    mia.open("Mia", "2016/04/27")
    assert mia.client.post(old, typed).status_code == 409
    assert fields_of(mia.get("allergies/add/"))["substance"] == ["Penicillin"]
    mia.post("allergies/add/", let_go="1")
    assert "Penicillin" not in mia.get("allergies/add/").content.decode()
    assert KeptText.objects.count() == 0


# --- ending ---------------------------------------------------------------------------


def test_an_entry_ends_in_two_steps_and_can_come_back(mia, cast):
    entry = mia.add("medications", name="Iron", kind="supplement", taking="yes", since="2024")
    page = f"medications/{entry.public_id}/end/"
    before = EntryChange.objects.count()
    assert "Iron" in text_of(mia.get(page))
    assert EntryChange.objects.count() == before
    assert mia.send(page, status="ended", until="2023").status_code == 422
    assert mia.send(page, status="ended", until="2025/06").status_code == 302
    entry.refresh_from_db()
    assert (entry.status, entry.until, entry.taking) == ("ended", "2025-06", "no")
    assert entries_on(mia.get("medications/")) == [("ended", "waiting", "Iron")]
    assert state(cast.mia, "medications").answer == "entries"
    assert "Nothing current" in text_of(mia.get())
    assert mia.send(page, status="active").status_code == 302
    entry.refresh_from_db()
    assert (entry.status, entry.until, entry.taking) == ("active", "", "")
    actions = EntryChange.objects.order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["added", "ended", "changed"]


def test_a_mistake_stays_in_the_past_and_the_topic_is_asked_again(mia, cast):
    entry = mia.add("allergies", substance="Penicillin")
    assert mia.send(f"allergies/{entry.public_id}/end/", status="error").status_code == 302
    entry.refresh_from_db()
    assert entry.status == "error"
    assert state(cast.mia, "allergies").answer == "not-asked"
    assert "Not answered yet" in text_of(mia.get())
    page = mia.get("allergies/")
    assert page_of(page).xpath("//input[@name='answer']")
    assert entries_on(page) == [("error", "waiting", "Penicillin")]
    assert "Penicillin" in text_of(mia.get(f"allergies/{entry.public_id}/past/"))


def test_what_cannot_be_over_is_only_a_mistake(mia):
    entry = mia.add("immunizations", vaccine="Tetanus")
    page = f"immunizations/{entry.public_id}/end/"
    assert page_of(mia.get(page)).xpath("//input[@name='status']/@value") == ["error"]
    assert mia.send(page, status="ended").status_code == 422
    entry.refresh_from_db()
    assert entry.status == "active"


def test_a_stale_page_of_ending_shows_what_was_changed(mia):
    entry = mia.add("conditions", name="Asthma")
    page = f"conditions/{entry.public_id}/end/"
    typed = fields_of(mia.get(page), status="ended")
    mia.send(f"conditions/{entry.public_id}/", name="Asthma at night")
    answer = mia.post(page, **typed)
    assert answer.status_code == 409
    assert "Asthma at night" in text_of(answer)
    assert Condition.objects.get().status == "active"
    assert mia.post(page, **fields_of(answer)).status_code == 302
    assert Condition.objects.get().status == "ended"


# --- dates ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("04/2019", "Type the year first"),
        ("April 2019", "Type the year first"),
        ("2019/13", "There is no such date"),
        ("2019/02/30", "There is no such date"),
        ("2099", "in the future"),
        ("2015", "before the date of birth"),
        ("2016/04/26", "before the date of birth"),
    ],
)
def test_a_date_that_cannot_be_is_told_in_one_sentence(mia, typed, says):
    answer = mia.send("conditions/add/", name="Asthma", since=typed)
    assert answer.status_code == 422
    assert says in text_of(answer)
    assert fields_of(answer)["since"] == [typed]


def test_the_end_is_not_before_the_beginning(mia):
    answer = mia.send("conditions/add/", name="Asthma", since="2020/05", until="2020/04")
    assert answer.status_code == 422
    assert "before it began" in text_of(answer)
    assert mia.add("conditions", name="Asthma", since="2020/05", until="2020").until == "2020"


def test_approximate_dates_are_shown_in_words(mia):
    mia.add("conditions", name="Asthma", since="2019/4")
    mia.add("conditions", name="Migraine", since="2019")
    page = text_of(mia.get("conditions/"))
    assert "April 2019" in page
    assert "Since: 2019 " in page


def test_what_is_read_back_has_names_and_says_nothing_twice(mia):
    mia.add("medications", name="Albuterol", strength="90 mcg", kind="prescribed", reason="Asthma")
    page = text_of(mia.get("medications/"))
    assert "Albuterol 90 mcg" in page
    assert "Reason: Asthma" in page
    assert page.count("90 mcg") == 1 + page.count(": Albuterol 90 mcg")
    assert "What is it for" not in page


# --- cost -----------------------------------------------------------------------------


def queries_of(chart: Chart, page: str) -> int:
    chart.get(page)
    with CaptureQueriesContext(connection) as queries:
        assert chart.get(page).status_code == 200
    return len(queries)


@pytest.mark.parametrize("page", ["", "medications/", "medications/add/"])
def test_a_list_costs_the_same_with_thirty_entries(mia, page):
    mia.add("medications", name="Iron", kind="supplement")
    few = queries_of(mia, page)
    for number in range(29):
        mia.add("medications", name=f"Vitamin {number}", kind="supplement")
    assert queries_of(mia, page) == few
    assert few <= {"": 10, "medications/": 10, "medications/add/": 9}[page]


def test_the_past_costs_the_same_with_thirty_states(mia):
    entry = mia.add("allergies", substance="Penicillin")
    page = f"allergies/{entry.public_id}/past/"
    few = queries_of(mia, page)
    for number in range(29):
        mia.send(f"allergies/{entry.public_id}/", reaction=f"Rash {number}")
    assert queries_of(mia, page) == few
    assert len(page_of(mia.get(page)).xpath("//section[@data-state]")) == 30


def test_a_household_without_anything_may_send_at_once(cast):
    """Straight to the page, before anybody looked at the list."""
    client = Client()
    sign_in(client, "rivera@example.org")
    chart = Chart(client, "rivera@example.org", "Mia", "2016/04/27")
    SectionState.objects.all().delete()
    assert chart.post("allergies/add/", substance="Penicillin").status_code == 302
    assert state(cast.mia, "allergies").answer == "entries"


def test_a_list_takes_a_hundred_and_keeps_what_was_typed_of_the_next(mia, cast):
    latex = mia.add("allergies", substance="Latex")
    for n in range(99):
        latex.pk, latex.public_id, latex.status = None, uuid.uuid4(), "ended" if n % 2 else "active"
        latex.save(force_insert=True)
    answer = mia.send("allergies/add/", substance="Penicillin")
    assert answer.status_code == 422
    assert "This list has 100 entries, as many as it takes" in text_of(answer)
    assert 'value="Penicillin"' in answer.content.decode()
    assert Allergy.objects.for_member(cast.mia).count() == 100
    mia.add("conditions", name="Asthma")
    leo = Chart(Client(), "rivera@example.org", "Leo", "2018/09/03")
    leo.add("allergies", substance="Penicillin")
