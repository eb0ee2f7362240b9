"""What cannot be built is said with the fix beside it, what was typed stays, and nothing is saved."""

from __future__ import annotations

import copy

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.audit.models import AuditEvent
from accounts.models import StaffAccount
from households.intake.definitions import sha256_of
from households.intake.models import QuestionnaireVersion
from tests.builder import NEW, form_fields
from tests.cast import NURSE_PASSWORD, sign_in_as_staff
from tests.pages import fields_of, text_of, title_of


def set_items(builder, items) -> None:
    definition = {**copy.deepcopy(builder.definition), "item": items}
    QuestionnaireVersion.objects.filter(pk=builder.version.pk).update(
        definition=definition, sha256=sha256_of(definition)
    )


@pytest.mark.parametrize(
    ("kind", "typed", "said"),
    [
        ("short-text", {"text": "  "}, "Write what families are asked."),
        ("text-to-read", {"text": ""}, "Write what families read here."),
        ("section", {"text": ""}, "Write the title of the section."),
        ("choose-one", {"choices": " \n "}, "Write at least one choice."),
        ("choose-one", {"choices": "Yes\nNo\nyes"}, "“yes” stands in lines 1 and 3."),
        ("choose-one", {"choices": "Often = two"}, "Line 1: “two” is no number. Write it like"),
        ("choose-one", {"choices": "Often = nan"}, "Line 1: “nan” is no number."),
        ("choose-one", {"choices": "Never\n= 2"}, "Line 2 has no words."),
        (
            "choose-one",
            {"choices": "\n".join(f"Choice {n}" for n in range(500))},
            "These are 500 choices; a question can have 400.",
        ),
        ("choose-one", {"choices": "x" * 600}, "Line 1 is too long. Write at most 500 letters."),
        ("choose-one", {"choices": "A\nB", "initial": "C"}, "“C” is none of the choices."),
        ("choose-one", {"choices": "A\nB", "danger_from": "2"}, "No choice has this number"),
        ("choose-one", {"choices": "A\nB", "danger_from": "x"}, "Write a whole number from -1000"),
        (
            "choose-several",
            {"choices": "A\nB", "exclusive": "None"},
            "“None” is none of the choices",
        ),
        ("number", {"smallest": "few"}, "Write a whole number, for example 3."),
        ("number", {"smallest": "5", "largest": "2"}, "This comes before the other limit."),
        ("number", {"initial": "1.5"}, "Write a whole number, for example 3."),
        ("decimal-number", {"largest": "1e9"}, "Write a number, for example 37.5."),
        ("date", {"smallest": "04/27/2016"}, "year first, for example 2026/04/27"),
        ("short-text", {"longest": "0"}, "Write a whole number from 1 to 20000"),
        ("section", {"repeats": "on", "most": "many"}, "Write a whole number from 1 to 100"),
        ("score", {}, "Choose the questions that are added up."),
        ("short-text", {"place": "after nothing"}, "This place is not there any more."),
    ],
)
def test_what_is_typed_wrongly_stays_and_names_the_fix(builder, kind, typed, said):
    before = builder.definition
    typed = {"text": "A question", **typed}
    answer = builder.add(kind, "About you", typed.pop("text"), **typed)
    assert answer.status_code == 422
    assert title_of(answer).startswith("Error:")
    assert title_of(answer).count("Error:") == 1
    assert said in text_of(answer)
    kept = form_fields(answer)
    for name, value in typed.items():
        if name not in ("place", "repeats"):
            assert kept[name][0].strip() == value.strip()
    assert builder.definition == before
    assert builder.version.revision == 1


@pytest.mark.parametrize(
    ("bands", "said"),
    [
        ("low", "Line 1: write it like “10-14 moderate” or “15+ severe”."),
        ("0-4 low\n4-9 more", "“0-4 low” and “4-9 more” overlap."),
        ("5+ more\n8-9 most", "overlap"),
        ("9-4 odd", "write the smaller number first"),
    ],
)
def test_bands_that_cannot_be(builder, bands, said):
    builder.add("number", "About you", "How many?")
    members = [builder.link("How many?")]
    answer = builder.add("score", "About you", "Sum", members=members, bands=bands)
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert form_fields(answer)["bands"] == [bands.replace("\n", "\n")]


def test_only_a_question_before_can_decide(builder):
    builder.add("yes-no", "About you", "Early")
    builder.add("yes-no", "About you", "Late")
    early, late = builder.link("Early"), builder.link("Late")
    page = text_of(builder.open("show-if/", item=early))
    assert "No question comes before it" in page
    address = f"{builder.at}show-if/?item={early}&question={late}"
    answer = builder.browser.post(address, {"comparison": "=", "answer": "true"})
    assert answer.status_code == 422
    assert "Only a question that comes before “Early” can decide" in text_of(answer)
    # Nor does a move bring it about, so there is no way to a circle.
    builder.show_if("Late", "Early", comparison="=", answer="true")
    for button, name in (("up", "Late"), ("down", "Early")):
        answer = builder.press(button, name)
        assert answer.status_code == 422
        assert "“Late” is shown only if “Early” has a certain answer" in text_of(answer)
    answer = builder.send("move/", {"item": late}, place=f"in {builder.link('About you')}")
    assert "must come after it" in text_of(answer)
    own = f"{builder.at}show-if/?item={late}&question={late}"
    assert builder.browser.post(own, {"comparison": "=", "answer": "true"}).status_code == 422


def test_a_circle_that_was_imported_is_left_and_can_be_opened(builder):
    def item(link_id, decider):
        when = [{"question": decider, "operator": "exists", "answerBoolean": True}]
        return {"linkId": link_id, "text": link_id, "type": "boolean", "enableWhen": when}

    set_items(builder, [item("a", "b"), item("b", "a"), item("c", "c")])
    assert "Shown only if “b” is answered" in text_of(builder.open())
    assert builder.change("a", text="A").status_code == 302
    assert builder.change("A", dropped=["0"]).status_code == 302
    assert "enableWhen" not in builder.item("A")


def test_a_choice_that_a_condition_needs_stays(builder):
    builder.add("choose-one", "About you", "Where?", choices="Head\nBack")
    builder.add("short-text", "About you", "Since when?")
    builder.show_if("Since when?", "Where?", comparison="=", answer="|head|")
    answer = builder.change("Where?", choices="Arm\nBack\nLeg")
    assert answer.status_code == 422
    assert "“Since when?” is shown only by the choice “Head”." in text_of(answer)
    # Other words for it are no other choice.
    assert builder.change("Where?", choices="Head or neck\nBack").status_code == 302
    assert "is “Head or neck”" in text_of(builder.open())


def test_a_score_keeps_what_it_adds_up(builder):
    builder.add("choose-one", "About you", "Tired?", choices="No = 0\nYes = 1")
    builder.add("score", "About you", "Sum", members=[builder.link("Tired?")])
    answer = builder.change("Tired?", choices="No = 0\nYes")
    assert answer.status_code == 422
    assert "The score “Sum” adds up “Tired?”. Not every choice has a number." in text_of(answer)
    answer = builder.change("About you", repeats="on")
    assert "cannot be in a section that is given several times" in text_of(answer)


def test_a_form_has_an_end(builder):
    many = [{"linkId": f"q{n}", "text": f"Question {n}", "type": "string"} for n in range(298)]
    set_items(builder, [{"linkId": "s", "text": "About you", "type": "group", "item": many}])
    assert builder.add("yes-no", "About you", "The last").status_code == 302
    answer = builder.add("short-text", "About you", "One too many")
    assert answer.status_code == 422
    assert "A form can have 300 questions and sections." in text_of(answer)
    assert form_fields(answer)["text"] == ["One too many"]
    assert "A form can have 300" in text_of(builder.press("copy", "Question 7"))


def test_the_outline_asks_the_database_the_same_for_any_form(builder):
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert builder.open().status_code == 200
        return len(asked)

    few = queries()
    many = [{"linkId": f"q{n}", "text": f"Question {n}", "type": "string"} for n in range(250)]
    set_items(builder, many)
    assert queries() == few


def test_sections_are_at_most_two_deep(builder):
    builder.add("section", "About you", "Habits")
    page = builder.open("kinds/", **{"in": builder.link("Habits")}).content.decode()
    assert "kind=section" not in page
    answer = builder.add("section", "Habits", "Too deep", place=f"in {builder.link('Habits')}")
    assert answer.status_code == 422
    builder.add("section", "", "Other")
    answer = builder.send(
        "move/", {"item": builder.link("About you")}, place=f"in {builder.link('Other')}"
    )
    assert answer.status_code == 422


# --- two at once ----------------------------------------------------------------------


def test_a_question_changed_meanwhile_is_shown_beside_what_was_typed(builder):
    builder.add("short-text", "About you", "Name")
    query = {"item": builder.link("Name")}
    mine = form_fields(builder.open("item/", **query), text="Your name", longest="50")
    builder.change("Name", text="Name of the patient", required="on")
    before = builder.definition
    answer = builder.browser.post(f"{builder.at}item/?item={query['item']}", mine)
    assert answer.status_code == 409
    page = text_of(answer)
    assert "Somebody changed this after you opened it." in page
    assert "Question now: Name of the patient" in page
    assert "Must be answered now: yes" in page
    assert builder.definition == before
    kept = form_fields(answer)
    assert (kept["text"], kept["longest"]) == (["Your name"], ["50"])
    # Sent again it is saved: they have compared.
    assert builder.browser.post(f"{builder.at}item/?item={query['item']}", kept).status_code == 302
    assert builder.item("Your name")["maxLength"] == 50


def test_two_who_change_two_questions_both_save(builder):
    for name in ("One", "Two"):
        builder.add("short-text", "About you", name)
    mine = form_fields(builder.open("item/", item=builder.link("One")), text="First")
    address = f"{builder.at}item/?item={builder.link('One')}"
    builder.change("Two", text="Second")
    assert builder.browser.post(address, mine).status_code == 302
    assert [item["text"] for item in builder.items()][1:] == ["First", "Second"]


def test_what_was_typed_about_a_deleted_question_can_be_added_again(builder):
    builder.add("short-text", "About you", "Name")
    address = f"{builder.at}item/?item={builder.link('Name')}"
    mine = form_fields(builder.browser.get(address), text="Your name", help="As on the card")
    builder.delete("Name")
    answer = builder.browser.post(address, mine)
    assert answer.status_code == 409
    assert "Somebody deleted this after you opened it." in text_of(answer)
    kept = form_fields(answer)
    assert kept["help"] == ["As on the card"]
    again = builder.browser.post(f"{builder.at}add/?kind=short-text", kept)
    assert again.status_code == 302
    assert builder.item("Your name")["item"][0]["text"] == "As on the card"


@pytest.mark.parametrize("button", ["up", "copy"])
def test_a_button_on_an_old_outline_does_nothing(builder, button):
    for name in ("One", "Two", "Three"):
        builder.add("short-text", "About you", name)
    old = form_fields(builder.open(), **{button: builder.link("Three")})
    assert builder.browser.post(builder.at, old).status_code == 302
    before = builder.definition
    answer = builder.browser.post(builder.at, old)
    assert answer.status_code == 409
    assert "Somebody changed this form after you opened it." in text_of(answer)
    assert builder.definition == before


def test_an_old_delete_page_asks_again(builder):
    builder.add("short-text", "About you", "One")
    query = {"item": builder.link("One")}
    old = form_fields(builder.open("delete/", **query))
    builder.change("One", text="One, and important")
    address = f"{builder.at}delete/?item={query['item']}"
    answer = builder.browser.post(address, old)
    assert answer.status_code == 409
    assert "One, and important" in text_of(answer)
    assert builder.browser.post(address, form_fields(answer)).status_code == 302


def test_a_page_sent_twice_adds_one_question(builder):
    address = f"{builder.at}add/?kind=short-text&in={builder.link('About you')}"
    fields = form_fields(builder.browser.get(address), text="Once")
    for _press in range(2):
        assert builder.browser.post(address, fields).status_code == 302
    assert [item["text"] for item in builder.items()].count("Once") == 1


def test_an_old_title_page_shows_both(builder):
    old = form_fields(builder.open("title/"), title="My title")
    builder.send("title/", {}, title="Their title", description="Why we ask.")
    answer = builder.browser.post(f"{builder.at}title/", old)
    assert answer.status_code == 409
    assert "Their title" in text_of(answer)
    assert builder.browser.post(f"{builder.at}title/", form_fields(answer)).status_code == 302
    assert builder.definition["title"] == "My title"


# --- who may --------------------------------------------------------------------------

PAGES = [
    "",
    "title/",
    "kinds/",
    "add/?kind=yes-no",
    "item/?item=x",
    "move/?item=x",
    "delete/?item=x",
]


@pytest.mark.parametrize("page", [*PAGES, "show-if/?item=x"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_the_front_desk_does_not_build(builder, page, method):
    desk = staff_with("view_questionnaireversion", "view_questionnaire", "view_member")
    before = builder.definition
    assert getattr(desk, method)(f"{builder.at}{page}").status_code == 403
    assert builder.definition == before


def test_a_new_form_needs_both_permissions(cast):
    for permissions in (["add_questionnaire"], ["change_questionnaireversion"]):
        desk = staff_with(*permissions)
        assert desk.get(NEW).status_code == 403
        assert desk.post(NEW, {"title": "Mine"}).status_code == 403


def staff_with(*permissions: str) -> Client:
    StaffAccount.objects.filter(email="desk@example.org").delete()
    account = StaffAccount.objects.create_user("desk@example.org", NURSE_PASSWORD)
    account.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    assert account.user_permissions.count() == len(permissions)
    browser = Client()
    sign_in_as_staff(browser, "desk@example.org")
    return browser


def test_a_change_that_changes_nothing_leaves_no_trace(builder):
    def trace() -> tuple:
        entries = AuditEvent.objects.filter(action="staff-change").count()
        return entries, builder.definition, builder.version.revision

    builder.add("short-text", "About you", "Name")
    before = trace()
    assert builder.change("Name").status_code == 302
    assert trace() == before


@pytest.mark.parametrize("address", ["9" * 30 + "/build/", "0/build/", "999999/build/item/?item=x"])
def test_no_such_version_is_not_found(staff, address):
    assert staff.get(f"/admin/intake/questionnaireversion/{address}").status_code == 404


def test_odd_addresses_lead_back(builder):
    assert builder.open("add/", kind="riddle").status_code == 404
    for page in ("item/", "move/", "delete/", "show-if/"):
        answer = builder.open(page, item="gone/'\"<b>")
        assert answer.status_code == 302
        assert fields_of(builder.browser.get(builder.at))
    assert builder.browser.post(builder.at, {"explode": "x", "revision": "1"}).status_code == 422
    assert builder.browser.post(builder.at, {"up": "x", "revision": "٣"}).status_code == 409


@pytest.mark.parametrize(
    "page", ["add/?kind=short-text", "item/?item={link}", "move/?item={link}", "title/"]
)
def test_a_post_with_nothing_in_it_is_refused_and_changes_nothing(builder, page):
    """As a script sends it that has the token in a header."""
    before = builder.definition
    page = page.format(link=builder.link("About you"))
    answer = builder.browser.post(f"{builder.at}{page}", {})
    assert answer.status_code in {302, 409, 422}, page
    assert builder.definition == before
