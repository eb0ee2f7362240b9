"""Details and history of the right person, once, and nobody's overwritten: two tabs, two browsers, the
practice at the same moment, buttons pressed five times (SECURITY cases MB-01 to MB-06, MB-18, MB-21, MB-22,
RE-10, AD-09)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import pytest

from tests.hostile.chart import (
    AVA,
    BEN,
    Chart,
    Form,
    Practice,
    at_once,
    counts,
    family,
    forms_of,
    stands,
    text_of,
)
from tests.hostile.visitor import Visitor
from tests.real_portal import RealPortal

pytestmark = pytest.mark.timeout(180)  # the portal's own start included
PATIENT = "P1"  # Ava


@pytest.fixture
def mark() -> str:
    """A word that nobody has typed yet."""
    return f"w{uuid.uuid4().hex[:12]}"


@pytest.fixture
def ava(portal: RealPortal) -> Chart:
    return family(portal, AVA)


@pytest.fixture
def practice(portal: RealPortal) -> Practice:
    return Practice(portal)


# --- every kind of form ---------------------------------------------------------------


@dataclass
class Opened:
    """A form that somebody has open, with something typed in it."""

    chart: Chart
    page: str
    typed: Mapping[str, str | list[str]]
    having: str = ""

    def __post_init__(self) -> None:
        self.form = self.chart.filled(self.page, self.typed, self.having)


def open_forms(chart: Chart, mark: str) -> dict[str, Opened]:
    """Every kind of form of the details and the history; what they are about is there before."""

    def opened(page: str, having: str = "", **typed: str) -> Opened:
        return Opened(chart, page, typed, having)

    chart.saves("demographics/occupation/", occupation=f"known {mark}")
    for word in ("kept", "gone"):
        chart.saves("demographics/contacts/new/", name=f"{word} {mark}", relationship="FRND")
    for word in ("changing", "ending"):
        chart.saves("history/allergies/add/", substance=f"{word} {mark}")
    chart.saves("history/immunizations/", "answer", answer="none")
    for answer in ("none", "not-sure"):
        chart.saves("history/procedures/", "answer", answer=answer)
    contacts = {word: chart.contact(f"{word} {mark}") for word in ("kept", "gone")}
    entries = {word: chart.entry("allergies", f"{word} {mark}") for word in ("changing", "ending")}
    return {
        "a field": opened("demographics/pharmacy/", pharmacy_name=mark),
        "keep what is on file": opened("demographics/occupation/", "keep/"),
        "a new contact": opened("demographics/contacts/new/", name=mark, relationship="FRND"),
        "a contact": opened(f"demographics/contacts/{contacts['kept']}/", name=mark),
        "a contact to remove": opened(f"demographics/contacts/{contacts['gone']}/remove/"),
        "all is correct": opened("demographics/", "confirm/"),
        "an answer": opened("history/procedures/", "answer", answer="none"),
        "the same answer": opened("history/immunizations/", "answer", answer="none"),
        "nothing has changed": opened("history/immunizations/", "confirm", confirm="1"),
        "a new entry": opened("history/allergies/add/", substance=mark),
        "an entry": opened(f"history/allergies/{entries['changing']}/", reaction=mark),
        "an entry that is over": opened(
            f"history/allergies/{entries['ending']}/end/", status="ended"
        ),
        "questions": opened("history/lifestyle/add/", "sleep", **{"sleep-detail": mark}),
        "private questions": opened("history/wellbeing/add/", "mood", **{"mood-detail": mark}),
        "who fills it in": opened("filled-in-by/", filled_in_by="guardian", filled_in_name=mark),
    }


NOTHING_TYPED = {
    *("keep what is on file", "a contact to remove", "all is correct", "nothing has changed"),
    *("an answer", "the same answer"),
}
NOT_KEPT = {*NOTHING_TYPED, "private questions"}
# On none of these a word was typed.
WITHOUT_WORDS = {"an entry that is over"}


def test_no_form_lands_on_the_person_who_is_open_now(portal, ava, mark):
    """MB-01, MB-05, MB-06: Ava's forms are open, another tab opens Ben's chart, and they are sent."""
    forms = open_forms(ava, mark)
    tab = ava.visitor
    ben = Chart(tab, BEN)
    of_ben, of_ava = stands(portal, BEN), stands(portal, AVA)
    fresh = ben.get("demographics/pharmacy/").text.split('csrfmiddlewaretoken" value="')[1][:64]
    for name, opened in forms.items():
        for answer in (opened.form.sent_by(tab), opened.form.sent_by(tab, token=fresh)):
            assert answer.status == 409, name
            assert "Ava Rivera" in answer.text, name
            assert "Ben Rivera" in answer.text, name
            assert ("What you typed is kept" in answer.text) == (name not in NOT_KEPT), name
    assert stands(portal, BEN) == of_ben
    assert stands(portal, AVA) == of_ava

    seen_by_ben = [ben.get(opened.page) for opened in forms.values()]
    seen_by_ben += [ben.get(), ben.get("record/fhir/")]
    assert [answer.status for answer in seen_by_ben if mark in answer.text] == []

    ava = ava.open_again()
    for name in forms.keys() - NOT_KEPT:
        page, having = forms[name].page, forms[name].having
        again = Opened(ava, page, {}, having).form
        if name not in WITHOUT_WORDS:
            assert mark in str(again.fields), name
        assert again.sent_by(tab).status == 302, name
    assert mark not in ava.get().text
    for word in ("pharmacy", "sleep"):
        assert mark in str(stands(portal, AVA)), word
    assert stands(portal, BEN) == of_ben


def test_no_form_goes_with_a_key_that_is_not_its_own(portal, ava, mark):
    """MB-04: removed, emptied, one bit flipped, of another household's page, made up."""
    forms = open_forms(ava, mark)
    stranger = Chart(Visitor(portal).signed_in("chen@example.org"), AVA)
    key, foreign = ava.home.split("/")[2], stranger.home.split("/")[2]
    flipped = key[:-2] + chr(ord(key[-2]) ^ 1) + key[-1]
    of_ava, of_stranger = stands(portal, AVA), stands(portal, AVA, "chen@example.org")
    homes = ["/for/", "/for//", "/", f"/for/{flipped}/", f"/for/{foreign}/", f"/for/{'A' * 22}/"]
    for name, opened in forms.items():
        for home in homes:
            answer = opened.form.under(home).sent_by(ava.visitor)
            assert answer.status in {404, 405, 409}, (name, home)
            assert "Chen" not in answer.text
            assert "is kept" not in answer.text
    assert stands(portal, AVA) == of_ava
    assert stands(portal, AVA, "chen@example.org") == of_stranger


# --- once -----------------------------------------------------------------------------

# How many more there are of what.
AUDITED = {"audited": 1}
ONE_DETAIL = {**AUDITED, "changes of details": 1}
ONE_CHANGE = {**AUDITED, "changes of history": 1}
IN_A_NEW_ENVELOPE = {**ONE_CHANGE, "submissions": 1}
CONFIRMED = {**AUDITED, "submissions": 1}
ONCE: dict[str, dict[str, int]] = {
    "a field": ONE_DETAIL,
    "keep what is on file": {"taken back": 1},
    "a new contact": ONE_DETAIL,
    "a contact": ONE_DETAIL,
    "a contact to remove": {"taken back": 1},  # not on file yet: what waited goes
    "all is correct": CONFIRMED,
    "an answer": ONE_CHANGE,
    "the same answer": CONFIRMED,
    "nothing has changed": CONFIRMED,
    "a new entry": {**ONE_CHANGE, "allergies": 1},
    "an entry": ONE_CHANGE,
    "an entry that is over": ONE_CHANGE,
    "questions": IN_A_NEW_ENVELOPE,
    "private questions": IN_A_NEW_ENVELOPE,
}


def test_five_at_once_and_one_more_save_once(portal, ava, mark):
    """MB-18. The last one is sent when the first answer got lost on its way."""
    for name, once in ONCE.items():
        # "All is correct" is about everything that waits: its page is opened last.
        opened = open_forms(ava.open_again(), f"{mark} {name}")[name]
        before = counts(portal, PATIENT)
        browsers = [opened.chart.visitor.copy() for _ in range(5)]
        answers = at_once(*(partial(opened.form.sent_by, browser) for browser in browsers))
        answers.append(opened.form.sent_by(opened.chart.visitor))
        assert [answer.status for answer in answers] == [302] * 6, name
        assert len({answer.location for answer in answers}) == 1, name
        after = counts(portal, PATIENT)
        more = {what: count - before[what] for what, count in after.items()}
        if name in {"questions", "private questions"} and more["taken back"] == 1:
            more["taken back"] = 0  # what another test left waiting under the same question
        assert {what: count for what, count in more.items() if count} == once, name


@pytest.mark.parametrize(
    ("page", "box", "more"),
    [
        ("demographics/pharmacy/", "pharmacy_name", {}),
        ("demographics/contacts/new/", "name", {"relationship": "FRND"}),
        ("history/allergies/add/", "substance", {}),
        ("history/lifestyle/add/", "diet-detail", {}),
        ("history/wellbeing/add/", "stress-detail", {}),
    ],
)
def test_a_page_that_the_browser_brings_back_loses_nothing(ava, practice, mark, page, box, more):
    """Sent, Back, something else typed, sent: the page says the number of the one before."""
    form = ava.filled(page, more, box)
    first, second = f"first {mark}", f"second {mark}"
    assert form.typed({box: first}).sent_by(ava.visitor).status == 302
    answer = form.typed({box: second}).sent_by(ava.visitor)
    if answer.status == 302:  # the practice has it
        assert practice.sent(second)
    else:  # it says that nothing was saved, shows both, and takes it all the same
        assert answer.status in {409, 422}
        assert first in text_of(answer)
        assert second in text_of(answer)
        (again,) = [form for form in forms_of(answer, form.action) if form.has(box)]
        assert again.sent_by(ava.visitor).status == 302
        assert len(practice.sent(second)) == 1
    assert len(practice.sent(first)) == 1


def test_what_is_added_at_the_same_moment_is_all_there(ava, practice, mark):
    """From many tabs, of several topics and of one: each once, and each in what the practice gets."""
    typed: list[tuple[str, str, dict[str, str]]] = [
        *[("history/allergies/add/", "substance", {}) for _ in range(4)],
        *[("history/medications/add/", "name", {"kind": "supplement"}) for _ in range(2)],
        ("history/conditions/add/", "name", {}),
        ("history/lifestyle/add/", "exercise-detail", {}),
        ("history/wellbeing/add/", "mental-care-detail", {}),
        *[("demographics/contacts/new/", "name", {"relationship": "FRND"}) for _ in range(2)],
        ("demographics/pharmacy/", "pharmacy_address", {}),
        ("demographics/doctor/", "doctor_practice", {}),
        ("demographics/communication/", "contact_note", {}),
    ]
    marks = [f"n{number}x{mark}" for number in range(len(typed))]
    forms = [
        ava.filled(page, {**more, box: word}, box)
        for (page, box, more), word in zip(typed, marks, strict=True)
    ]
    browsers = [ava.visitor.copy() for _ in forms]
    answers = at_once(
        *(partial(form.sent_by, tab) for form, tab in zip(forms, browsers, strict=True))
    )
    assert {answer.status for answer in answers} == {302}
    for word in marks:
        assert practice.decisions(word) == ["waiting"], word
    record = practice.record(PATIENT)
    assert [record.count(word) for word in marks[:9]] == [1] * 9


# --- two browsers of the family -------------------------------------------------------


@pytest.fixture
def other(portal: RealPortal) -> Chart:
    """Another browser of the same login, with the same chart open."""
    return family(portal, AVA)


def test_different_fields_are_both_kept(ava, other, practice, mark):
    """RE-10, the first half: also at the same moment, and of two entries of one list."""
    forms = [
        (ava, ava.form("demographics/pharmacy/", pharmacy_name=f"a {mark}")),
        (other, other.form("demographics/doctor/", doctor_name=f"b {mark}")),
        (ava, ava.form("history/allergies/add/", substance=f"c {mark}")),
        (other, other.form("history/allergies/add/", substance=f"d {mark}")),
    ]
    answers = at_once(*(partial(form.sent_by, chart.visitor.copy()) for chart, form in forms))
    assert [answer.status for answer in answers] == [302] * 4
    for word in "abcd":
        assert practice.decisions(f"{word} {mark}") == ["waiting"]


def test_the_same_thing_twice_is_shown_twice(ava, other, practice, mark):
    """RE-10, the second half: the second one gets both values, and decides."""
    ava.saves("demographics/contacts/new/", name=f"zero {mark}", relationship="FRND")
    ava.saves("history/allergies/add/", substance=f"zero {mark}")
    ava.saves("history/conditions/add/", name=f"zero {mark}")
    contact = ava.contact(f"zero {mark}")
    allergy, asthma = (
        ava.entry("allergies", "zero " + mark),
        ava.entry("conditions", "zero " + mark),
    )
    things: list[tuple[str, str, dict[str, str]]] = [
        ("demographics/pharmacy/", "pharmacy_name", {}),
        (f"demographics/contacts/{contact}/", "name", {}),
        (f"history/allergies/{allergy}/", "reaction", {}),
        (f"history/conditions/{asthma}/", "treated_by", {}),
        ("history/lifestyle/add/", "sleep-detail", {}),
    ]
    for page, box, more in things:
        words = f"one {mark} {box}", f"two {mark} {box}"
        first, second = (
            chart.filled(page, {**more, box: word}, box)
            for chart, word in zip((ava, other), words, strict=True)
        )
        assert first.sent_by(ava.visitor).status == 302
        answer = second.sent_by(other.visitor)
        assert answer.status in {409, 422}, page
        shown = text_of(answer)
        assert [word in shown for word in words] == [True, True], page
        assert practice.sent(words[1]) == [], page
        (again,) = (form for form in forms_of(answer, second.action) if form.has(box))
        assert again.sent_by(other.visitor).status == 302, page
        assert sorted(d for word in words for d in practice.decisions(word)) == [
            "replaced",
            "waiting",
        ], page


def test_the_same_field_at_the_same_moment(ava, other, practice, mark):
    for turn in range(4):
        for page, box in (
            ("demographics/pharmacy/", "pharmacy_name"),
            ("history/lifestyle/add/", "sleep-detail"),
        ):
            words = [f"{name}{turn} {mark} {box}" for name in ("one", "two")]
            pairs = [
                (chart, chart.filled(page, {box: word}, box))
                for chart, word in zip((ava, other), words, strict=True)
            ]
            answers = at_once(*(partial(form.sent_by, chart.visitor) for chart, form in pairs))
            saved = [answer.status == 302 for answer in answers]
            assert sorted(saved) == [False, True], [answer.status for answer in answers]
            assert [len(practice.sent(word)) for word in words] == [int(one) for one in saved]


@pytest.mark.parametrize("how", ["another day", "also changed", "a mistake"])
def test_the_end_of_an_entry_is_not_overwritten_either(ava, other, mark, how):
    ava.saves("history/conditions/add/", name=f"asthma {mark}")
    page = f"history/conditions/{ava.entry('conditions', f'asthma {mark}')}/"
    second = {
        "another day": lambda: other.form(f"{page}end/", status="ended", until="2021"),
        "also changed": lambda: other.form(page, treated_by="Dr. Lung"),
        "a mistake": lambda: other.form(f"{page}end/", status="error"),
    }[how]()
    ava.saves(f"{page}end/", status="ended", until="2019")
    answer = second.sent_by(other.visitor)
    assert answer.status == 409, answer.location
    shown = text_of(answer)
    told = {"another day": "2021", "also changed": "Dr. Lung", "a mistake": "Entered by mistake"}
    assert told[how] in shown
    assert "2019" in text_of(ava.get("history/conditions/"))
    (again,) = forms_of(answer, second.action)
    assert again.sent_by(other.visitor).status == 302
    assert told[how] in text_of(ava.get(f"{page}past/"))


# --- the practice at the same moment --------------------------------------------------


def test_staff_change_the_person_while_a_proposal_waits(portal, ava, practice, mark):
    """AD-09: the page of the review that does not show it accepts nothing."""
    ava.saves("demographics/address/", address_1=f"1 {mark} Street", city="Harbor")
    ((admin, pk, submission),) = practice.sent(mark)
    stale = practice.button(admin, pk, submission, "accept")
    family_page = ava.form("demographics/address/", city="Elsewhere")
    person = f"/admin/households/member/{practice.member(PATIENT)}/change/"
    (form,) = (form for form in forms_of(practice.visitor.get(person), person) if form.has("city"))
    answer = form.typed({"city": f"Staff{mark}", "_save": "Save"}).sent_by(practice.visitor)
    assert answer.status == 302, text_of(answer)
    assert stale.sent_by(practice.visitor).status == 302
    assert practice.decisions(f"1 {mark}") == ["waiting"]
    assert f"Staff{mark}" in practice.record(PATIENT)
    assert f"1 {mark}" not in practice.record(PATIENT)
    # Nor does the family's page, from before, go over it.
    answer = family_page.sent_by(ava.visitor)
    assert answer.status == 409
    assert f"Staff{mark}" in text_of(answer)
    # With both in sight, it does.
    assert f"Staff{mark}" in text_of(practice.review(admin, submission))
    assert practice.button(admin, pk, submission, "accept").sent_by(practice.visitor).status == 302
    assert practice.decisions(f"1 {mark}") == ["accepted"]
    assert f"1 {mark}" in practice.record(PATIENT)


CHANGED = [
    ("demographics/pharmacy/", "pharmacy_name"),
    ("history/allergies/add/", "substance"),
]


@pytest.mark.parametrize(("page", "box"), CHANGED)
def test_two_of_the_practice_decide_once(ava, practice, mark, page, box):
    """Accept, correct and return pressed by two people in the same moment."""
    colleague = practice.copy()
    outcomes = set()
    for turn in range(6):
        word = f"t{turn} {mark}"
        ava.saves(page, **{box: word})
        ((admin, pk, submission),) = practice.sent(word)
        accept = practice.button(admin, pk, submission, "accept")
        give_back = practice.button(admin, pk, submission, "return", words=f"why {word}")
        edit = f"{admin}/{pk}/edit/"
        (correct,) = (f for f in forms_of(colleague.visitor.get(edit), edit) if f.has(box))
        correct = correct.typed({box: f"right {word}"})
        pair = [(accept, correct), (accept, give_back), (correct, give_back)][turn % 3]
        at_once(
            partial(pair[0].sent_by, practice.visitor),
            partial(pair[1].sent_by, colleague.visitor),
        )
        (decision,) = practice.decisions(word)
        outcomes.add(decision)
        assert decision in {"accepted", "edited", "returned"}
        record, entry = practice.record(PATIENT), "history" in page
        assert (f"right {word}" in record) == (decision == "edited")
        assert (word in record) == (decision != "returned" or entry)
        shown = ava.get("history/allergies/" if entry else "demographics/").text
        assert (f"why {word}" in shown) == (decision == "returned")
    assert outcomes


@pytest.mark.parametrize(("page", "box"), [CHANGED[0], ("history/lifestyle/add/", "sleep-detail")])
def test_the_family_sends_another_one_while_staff_accept(ava, practice, mark, page, box):
    """One of them is first. What stands on file is what was accepted, and the later one waits or was
    told of; also where one button accepts everything."""
    boxes = [box] if "demographics" in page else ["sleep-detail", "diet-detail", "exercise-detail"]
    for turn in range(6):
        words = {which: f"{which}{turn} {mark}" for which in ("old", "new")}
        ava.saves(page, having=box, **{one: f"{words['old']} {one}" for one in boxes})
        later = ava.filled(page, {one: f"{words['new']} {one}" for one in boxes}, box)
        admin, pk, submission = practice.sent(f"{words['old']} {box}")[0]
        accept = practice.button(admin, pk, submission, "accept")
        if turn % 2 and len(boxes) > 1:
            accept = Form(f"{admin}/of/{submission}/accept-all/", [])
        answers = at_once(
            partial(accept.sent_by, practice.visitor),
            partial(later.sent_by, ava.visitor),
        )
        assert answers[0].status == 302, answers[0].status
        assert answers[1].status in {302, 409, 422}, answers[1].status
        record = practice.record(PATIENT)
        was, now = f"{words['old']} {box}", f"{words['new']} {box}"
        (decision,) = practice.decisions(was)
        if answers[1].status == 302:
            assert practice.decisions(now) == ["waiting"]
        else:
            assert practice.sent(now) == []
        if "demographics" in page:
            assert (was in record) == (decision == "accepted")
            assert now not in record
        else:
            assert (now if answers[1].status == 302 else was) in record


# --- the practice takes somebody away -------------------------------------------------


@pytest.fixture
def as_before(portal: RealPortal) -> Iterator[None]:
    yield
    portal.query(
        "UPDATE households_member SET portal_access = %s, email = %s, email_key = %s WHERE patient_id = %s",
        True,
        "rivera@example.org",
        "rivera@example.org",
        PATIENT,
    )


@pytest.mark.parametrize("how", ["no access", "another email"])
def test_forms_of_somebody_who_was_taken_away(portal, ava, practice, mark, how, as_before):
    """MB-21, MB-22: the next request is refused, nothing is saved, and what waits goes with the person."""
    forms = open_forms(ava, mark)
    before = counts(portal, PATIENT)
    record = practice.record(PATIENT)
    change_person(practice, how)
    for name, opened in forms.items():
        answer = opened.form.sent_by(ava.visitor.copy())
        assert (answer.status, answer.location) == (302, "/who/"), name
    assert ava.visitor.get("/who/").status == 200
    assert counts(portal, PATIENT) == before
    if how == "no access":
        assert practice.record(PATIENT) == record
    refused = ava.visitor.post("/who/", {"first_name": AVA[0], "date_of_birth": AVA[1]})
    assert refused.status == 422
    ben = Chart(ava.visitor, BEN)
    pages = [ben.get(page) for page in ("", "demographics/", "history/", "record/fhir/")]
    assert [answer.status for answer in pages] == [200] * 4
    assert [page for page in pages if mark in page.text] == []
    assert practice.decisions(f"kept {mark}") == ["waiting"]
    if how == "another email":
        new = family(portal, AVA, "nurse@example.org")
        assert f"kept {mark}" in new.get("demographics/").text
        assert f"changing {mark}" in new.get("history/allergies/").text
        assert "is back" not in new.get("demographics/pharmacy/").text
        nora = Chart(new.visitor, ("Nora", "1990/01/15"))
        for page in ("", "demographics/", "history/", "history/allergies/", "record/fhir/"):
            assert mark not in nora.get(page).text, page


def change_person(practice: Practice, how: str) -> None:
    """Through the person's page, as staff do; another household's email is confirmed."""
    person = f"/admin/households/member/{practice.member(PATIENT)}/change/"
    (form,) = (f for f in forms_of(practice.visitor.get(person), person) if f.has("email"))
    if how == "no access":
        form = Form(form.action, [pair for pair in form.fields if pair[0] != "portal_access"])
    else:
        form = form.typed({"email": "nurse@example.org"})
    answer = form.typed({"_save": "Save"}).sent_by(practice.visitor)
    if answer.status == 200:
        (form,) = (f for f in forms_of(answer, person) if f.has("confirmed"))
        answer = form.typed({"together": "yes"}).sent_by(practice.visitor)
    assert answer.status == 302, text_of(answer)
