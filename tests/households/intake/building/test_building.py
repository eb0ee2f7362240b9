"""A practice builds its intake form, page by page, and never sees JSON."""

from __future__ import annotations

import re

import pytest

from accounts.audit.models import AuditEvent
from households.intake.models import Questionnaire, QuestionnaireVersion
from tests.builder import NEW, begin
from tests.pages import fields_of, text_of

OFTEN = "Not at all = 0\nSeveral days = 1\nNearly every day = 3"


def build_new_patient_visit(builder) -> None:
    """Two sections, one in a section, a question that another one lets appear, a list, and a score."""
    done = [
        builder.add("short-text", "About you", "What brings you here?", required="on"),
        builder.add("yes-no", "About you", "Do you smoke?"),
        builder.add(
            "number", "About you", "How many cigarettes a day?", smallest="1", largest="200"
        ),
        builder.show_if(
            "How many cigarettes a day?", "Do you smoke?", comparison="=", answer="true"
        ),
        builder.add("section", "", "Your mood"),
        builder.add("choose-one", "Your mood", "Little interest in things", choices=OFTEN),
        builder.add("choose-one", "Your mood", "Feeling down", choices=OFTEN, danger_from="3"),
        builder.add("section", "About you", "Medications", repeats="on", most="20"),
        builder.add("short-text", "Medications", "Name"),
        builder.add("decimal-number", "Medications", "How much", unit="ml"),
    ]
    mood = [builder.link("Little interest in things"), builder.link("Feeling down")]
    done.append(
        builder.add(
            "score", "Your mood", "Mood", members=mood, bands="0-2 calm\n3-4 moderate\n5+ low"
        )
    )
    assert [text_of(answer) for answer in done if answer.status_code != 302] == []


def test_a_form_is_begun_with_a_title_and_a_section(builder):
    questionnaire = Questionnaire.objects.get()
    assert (questionnaire.title, questionnaire.kind) == ("New patient visit", "form")
    assert builder.definition["url"] == questionnaire.url == questionnaire.public_id.urn
    assert [item["text"] for item in builder.items()] == ["About you"]
    assert AuditEvent.objects.filter(action="staff-change", outcome="form-begun").count() == 1
    assert "About you" in text_of(builder.open())


def test_every_change_of_a_draft_is_in_the_audit(builder, staff):
    builder.add("yes-no", "About you", "Do you smoke?")
    builder.add("short-text", "About you", "How much?")
    builder.show_if("How much?", "Do you smoke?", comparison="=", answer="true")
    builder.change("How much?", text="How much a day?")
    builder.add("short-text", "About you", "Since when?")
    builder.press("up", "Since when?")
    builder.delete("How much a day?")
    builder.send("title/", {}, title="Smoking")
    version = QuestionnaireVersion.objects.get()
    discard = f"/admin/intake/questionnaireversion/{version.pk}/discard/"
    staff.post(discard, {"revision": version.revision})
    changes = AuditEvent.objects.filter(object_type="questionnaireversion", staff_id__isnull=False)
    assert [one.outcome for one in changes.filter(outcome__startswith="draft-").order_by("pk")] == [
        "draft-item-added",
        "draft-item-added",
        "draft-condition-added",
        "draft-item-changed",
        "draft-item-added",
        "draft-moved",
        "draft-item-deleted",
        "draft-titled",
        "draft-discarded",
    ]


def test_a_page_sent_twice_begins_one_form(staff):
    fields = fields_of(staff.get(NEW), title="Consent to treat", kind="consent", section="The text")
    places = {staff.post(NEW, fields).headers["Location"] for _press in range(2)}
    assert len(places) == 1
    questionnaire = Questionnaire.objects.get()
    assert questionnaire.is_consent
    assert questionnaire.needs_signature


def test_a_form_needs_a_title_and_a_section(staff):
    answer = begin(staff, "", section=" ")
    assert answer.status_code == 422
    assert "Write the title of the form." in text_of(answer)
    assert "Write the title of the first section." in text_of(answer)
    assert not Questionnaire.objects.exists()


def test_the_new_patient_visit(builder):
    build_new_patient_visit(builder)
    assert [item["text"] for item in builder.items()] == [
        *["About you", "What brings you here?", "Do you smoke?", "How many cigarettes a day?"],
        *["Medications", "Name", "How much"],
        *["Your mood", "Little interest in things", "Feeling down", "Mood"],
    ]
    assert builder.item("What brings you here?")["required"] is True
    assert builder.item("How many cigarettes a day?")["enableWhen"] == [
        {"question": builder.link("Do you smoke?"), "operator": "=", "answerBoolean": True}
    ]
    assert builder.item("Medications")["repeats"] is True
    page = text_of(builder.open())
    assert "Shown only if “Do you smoke?” is “Yes”" in page
    assert "0-2 calm; 3-4 moderate; 5+ low" in page
    assert "watches for danger" in page
    assert "JSON" not in page
    assert builder.version.revision == 12
    entries = AuditEvent.objects.filter(action="staff-change", object_id=str(builder.version.pk))
    assert entries.count() == builder.version.revision


def test_link_ids_stay_when_words_change(builder):
    build_new_patient_visit(builder)
    before = {item["linkId"] for item in builder.items()}
    builder.change("Do you smoke?", text="Do you smoke or vape?")
    assert {item["linkId"] for item in builder.items()} == before
    assert "“Do you smoke or vape?” is “Yes”" in text_of(builder.open())


def test_up_and_down(builder):
    for name in ("One", "Two", "Three"):
        builder.add("short-text", "About you", name)
    answer = builder.press("up", "Three")
    assert [item["text"] for item in builder.items()][1:] == ["One", "Three", "Two"]
    # The focus is on the same button again, so that Enter moves on.
    anchor = answer.headers["Location"].partition("#")[2]
    assert f'id="{anchor}"' in builder.open().content.decode()
    assert anchor.endswith("-up")
    answer = builder.press("up", "Three")
    assert answer.headers["Location"].endswith("-down")
    builder.press("down", "One")
    assert [item["text"] for item in builder.items()][1:] == ["Three", "Two", "One"]


def test_a_question_moves_to_another_section(builder):
    build_new_patient_visit(builder)
    mood = builder.link("Your mood")
    query = {"item": builder.link("What brings you here?")}
    answer = builder.send("move/", query, place=f"in {mood}")
    assert answer.status_code == 302
    names = [item["text"] for item in builder.items()]
    assert names.index("What brings you here?") == names.index("Your mood") + 1


def test_a_section_copied_speaks_of_its_own_questions(builder):
    build_new_patient_visit(builder)
    builder.press("copy", "About you")
    copy = builder.item("About you (copy)")
    smoke, how_many = copy["item"][1:3]
    assert smoke["linkId"] != builder.definition["item"][0]["item"][1]["linkId"]
    assert how_many["enableWhen"][0]["question"] == smoke["linkId"]
    ids = [item["linkId"] for item in builder.items()]
    assert len(ids) == len(set(ids))


def test_help_stands_under_its_question(builder):
    builder.add(
        "short-text", "About you", "Insurance number", help="It is on the front of the card."
    )
    (helping,) = builder.item("Insurance number")["item"]
    assert (helping["type"], helping["text"]) == ("display", "It is on the front of the card.")
    builder.change("Insurance number", help="It is on the back.")
    assert builder.item("Insurance number")["item"][0]["text"] == "It is on the back."
    builder.change("Insurance number", help="")
    assert "item" not in builder.item("Insurance number")


def test_what_names_a_question_goes_with_it_or_nothing_does(builder):
    build_new_patient_visit(builder)
    page = text_of(builder.open("delete/", item=builder.link("Do you smoke?")))
    assert "How many cigarettes a day?" in page
    # The plain button is not there; whoever sends it all the same changes nothing.
    query = {"item": builder.link("Do you smoke?")}
    answer = builder.send("delete/", query)
    assert answer.status_code == 422
    assert "used elsewhere" in text_of(answer)
    assert builder.delete("Do you smoke?", also="1").status_code == 302
    assert "enableWhen" not in builder.item("How many cigarettes a day?")
    page = text_of(builder.open("delete/", item=builder.link("Feeling down")))
    assert "These scores add it up" in page
    builder.delete("Feeling down", also="1")
    assert "Mood" not in [item["text"] for item in builder.items()]


def test_deleting_a_section_says_what_it_holds(builder):
    build_new_patient_visit(builder)
    page = text_of(builder.open("delete/", item=builder.link("Medications")))
    assert "What stands in it goes too: Name How much" in page
    builder.delete("Medications")
    assert "How much" not in [item["text"] for item in builder.items()]
    builder.delete("Your mood")
    answer = builder.delete("About you")
    assert answer.status_code == 422
    assert "A form needs something in it" in text_of(answer)


def test_conditions_are_joined_and_taken_away(builder):
    build_new_patient_visit(builder)
    builder.show_if("How many cigarettes a day?", "What brings you here?", comparison="answered")
    assert builder.item("How many cigarettes a day?")["enableBehavior"] == "any"
    builder.change("How many cigarettes a day?", behavior="all")
    assert builder.item("How many cigarettes a day?")["enableBehavior"] == "all"
    assert "is “Yes” and “What brings you here?” is answered" in text_of(builder.open())
    builder.change("How many cigarettes a day?", dropped=["0"])
    item = builder.item("How many cigarettes a day?")
    assert [one["operator"] for one in item["enableWhen"]] == ["exists"]
    assert "enableBehavior" not in item


@pytest.mark.parametrize(
    ("kind", "type_in_fhir"),
    [
        *[("short-text", "string"), ("long-text", "text"), ("yes-no", "boolean")],
        *[
            ("choose-one", "choice"),
            ("choose-or-write", "open-choice"),
            ("choose-several", "choice"),
        ],
        *[("number", "integer"), ("decimal-number", "decimal"), ("date", "date"), ("time", "time")],
        *[("date-and-time", "dateTime"), ("file", "attachment"), ("text-to-read", "display")],
    ],
)
def test_every_kind_can_be_added(builder, kind, type_in_fhir):
    page = builder.open("kinds/", **{"in": builder.link("About you")})
    assert f"kind={kind}" in page.content.decode()
    typed = {"choices": "One\nTwo"} if type_in_fhir.endswith("choice") else {}
    assert builder.add(kind, "About you", "Something", **typed).status_code == 302
    item = builder.item("Something")
    assert item["type"] == type_in_fhir
    assert item.get("repeats", False) == (kind == "choose-several")


def test_what_is_published_leads_to_a_new_draft(builder):
    build_new_patient_visit(builder)
    QuestionnaireVersion.objects.update(status="published")
    page = builder.open()
    assert "What is published does not change any more." in text_of(page)
    assert not re.search(r'name="(up|down|copy)"', page.content.decode())
    before = builder.definition
    assert builder.change("Do you smoke?", text="Changed").status_code == 409
    assert builder.definition == before
    answer = builder.browser.post(builder.at, {"draft": "1"})
    draft = QuestionnaireVersion.objects.get(status="draft")
    assert answer.headers["Location"] == f"/admin/intake/questionnaireversion/{draft.pk}/build/"
    assert draft.definition["item"] == before["item"]
    # Pressed again, it leads to the draft that there is.
