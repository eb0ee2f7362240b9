"""Nothing is lost, nothing goes to the wrong chart, nothing is sent twice."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from households.intake.models import QuestionnaireResponse, QuestionnaireVersion
from households.submissions.models import Submission
from tests.cast import pick, sign_in
from tests.households.intake.filling.conftest import (
    ITEMS,
    Filler,
    box_of,
    definition,
    filled,
    published,
)
from tests.pages import fields_of, text_of


def responses(member):
    return QuestionnaireResponse.objects.for_member(member)


def answers(response) -> dict:
    """Link id: the first answer's value, of everything that is answered."""
    found = {}

    def walk(items):
        for item in items:
            for answer in item.get("answer", ()):
                found[item["linkId"]] = next(iter(answer.values()))
            walk(item.get("item", ()))

    walk(response.items)
    return found


@pytest.fixture
def leo(cast) -> Filler:
    return Filler(Client(), "Leo", "2018/09/03", "rivera@example.org")


# --- what was typed -------------------------------------------------------------------


def test_what_cannot_be_read_is_kept_and_the_fix_is_named(mia, cast):
    page = mia.begin(published())
    answer = mia.press(page, allergic="false", born="4/27/2019", note="stays")
    assert answer.status_code == 422
    assert "year first" in text_of(answer)
    assert "data-error-summary" in answer.content.decode()
    assert "4/27/2019" in answer.content.decode()
    # What could be read is saved all the same.
    assert answers(responses(cast.mia).get()) == {"allergic": False, "note": "stays"}
    done = mia.press(answer, born="2019/04/27")
    assert "Medicine" in text_of(done)


def test_what_is_missing_is_asked_for_and_may_wait(mia, cast):
    page = mia.begin(published())
    answer = mia.press(page, note="only this")
    assert answer.status_code == 422
    assert "Answer “Any allergy?”." in text_of(answer)
    later = mia.press(answer, "later")
    assert later.status_code == 200
    assert "Saved. You can come back" in text_of(later)
    assert 'data-status="in-progress"' in later.content.decode()
    goes_on = mia.get(f"{responses(cast.mia).get().public_id}/")
    page, _sharp, at = goes_on.headers["Location"].partition("#")
    again = mia.client.get(page).content.decode()
    assert "only this" in again
    # It goes on at the question that is open, and not at the top or at the note.
    (open_one,) = re.findall(rf'<input[^>]* id="{at}"[^>]*>', again)
    assert 'type="radio"' in open_one
    assert again.index("Any allergy?") < again.index(open_one) < again.index("When did it begin?")


def test_a_page_that_nobody_began_is_read_from_its_top(mia, cast):
    mia.press(mia.begin(published()), allergic="false")
    goes_on = mia.get(f"{responses(cast.mia).get().public_id}/")
    assert "#" not in goes_on.headers["Location"]


def test_an_answer_that_is_switched_off_comes_back_and_is_not_sent(mia, cast):
    page = mia.press(mia.begin(published()), allergic="true")
    page = mia.press(page, "later", substance="Peanuts")
    response = responses(cast.mia).get()
    page = mia.get(f"{response.public_id}/", follow=True)
    page = mia.press(page, allergic="false")
    response.refresh_from_db()
    assert answers(response)["substance"] == "Peanuts"
    check = mia.press(mia.press(page))
    assert "Peanuts" not in text_of(check)
    back = mia.client.get(
        check.context["sections"][0].page.name.join(
            [mia.at(f"{response.public_id}/page/"), "/?check=1"]
        )
    )
    page = mia.press(back, allergic="true")
    assert "Peanuts" in page.content.decode() or "Peanuts" in text_of(page)
    mia.press(mia.client.get(back.request["PATH_INFO"]), allergic="false")
    mia.send(mia.get(f"{response.public_id}/check/"))
    assert "substance" not in answers(responses(cast.mia).get())


def test_a_page_sent_after_an_idle_sign_out_is_back_after_signing_in(mia, cast):
    from accounts.models import HouseholdSession

    page = mia.begin(published())
    address = page.request["PATH_INFO"]
    fields = fields_of(page, "page-form") | {box_of(page, "note"): "typed for long"}
    HouseholdSession.objects.update(last_seen_at=timezone.now() - timedelta(hours=1))
    answer = mia.client.post(address, {name: one for name, one in fields.items() if one})
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/login/")
    sign_in(mia.client, "rivera@example.org")
    old, mia.key = mia.key, pick(mia.client, "Mia", "2016/04/27")
    back = mia.client.get(address.replace(old, mia.key))
    assert "What you typed before is back" in text_of(back)
    assert "typed for long" in back.content.decode()
    mia.press(back, allergic="false")
    assert answers(responses(cast.mia).get())["note"] == "typed for long"
    assert "typed before is back" not in text_of(mia.client.get(back.request["PATH_INFO"]))


# --- whose it is ----------------------------------------------------------------------


def test_an_old_page_saves_nothing_and_keeps_what_was_typed(mia, cast):
    page = mia.begin(published())
    fields = fields_of(page, "page-form") | {box_of(page, "note"): "about Mia"}
    pick(mia.client, "Leo", "2018/09/03")
    answer = mia.client.post(page.request["PATH_INFO"], {n: v for n, v in fields.items() if v})
    assert answer.status_code == 409
    assert "about Mia" not in str(responses(cast.mia).get().items)
    assert not responses(cast.leo).exists()


def test_somebody_elses_response_is_not_there(mia, leo, cast):
    filled(mia, published())
    sent = responses(cast.mia).get()
    stranger = Filler(Client(), "Mia", "2016/04/27", "okafor@example.org")
    for filler in (leo, stranger):
        for inside in ("", "check/", "discard/", "page/0123456789ab/", "file/0-0.1/"):
            assert filler.get(f"{sent.public_id}/{inside}").status_code == 404
            assert filler.get(f"{uuid.uuid4()}/{inside}").status_code == 404
        assert filler.client.post(filler.at(f"{sent.public_id}/correct/")).status_code == 404


def test_a_form_that_is_not_offered_cannot_be_begun(mia, cast):
    version = published(is_offered=False)
    address = mia.at(f"start/{version.questionnaire.public_id}/")
    assert mia.client.post(address).status_code == 404
    assert not responses(cast.mia).exists()


# --- sending --------------------------------------------------------------------------


def test_sent_twice_is_sent_once(mia, cast):
    page = mia.press(mia.press(mia.press(mia.begin(published()), allergic="false")))
    fields, address = fields_of(page), page.request["PATH_INFO"]
    first = mia.client.post(address, fields, follow=True)
    again = mia.client.post(address, fields, follow=True)
    assert first.request["PATH_INFO"] == again.request["PATH_INFO"]
    assert "answers are sent" in text_of(again)
    assert Submission.objects.for_member(cast.mia).count() == 1
    # Reload, bookmark and Back show what was sent, and send nothing.
    assert "answers are sent" in text_of(mia.client.get(address, follow=True))
    assert Submission.objects.for_member(cast.mia).count() == 1


def test_what_changed_meanwhile_is_looked_through_again(mia, cast):
    page = mia.press(mia.press(mia.press(mia.begin(published()), allergic="false")))
    response = responses(cast.mia).get()
    first = page.context["sections"][0].page.name
    other = mia.client.get(mia.at(f"{response.public_id}/page/{first}/"))
    mia.press(other, note="one more thing")
    answer = mia.send(page)
    assert answer.status_code == 409
    assert "changed after you opened this page" in text_of(answer)
    assert "one more thing" in text_of(answer)
    assert responses(cast.mia).get().is_draft
    assert "answers are sent" in text_of(mia.send(answer))


def test_nothing_is_sent_while_something_is_missing(mia, cast):
    mia.begin(published())
    response = responses(cast.mia).get()
    check = mia.get(f"{response.public_id}/check/")
    assert "need another look" in text_of(check)
    answer = mia.send(check)
    assert answer.status_code == 422
    assert "Allergies and habits" in text_of(answer)
    assert not Submission.objects.for_member(cast.mia).exists()


def test_what_is_wrong_with_the_whole_form_is_said_before_sending(mia, cast):
    must_agree = {
        "url": "http://hl7.org/fhir/StructureDefinition/questionnaire-constraint",
        "extension": [
            {"url": "key", "valueId": "both"},
            {"url": "severity", "valueCode": "error"},
            {"url": "expression", "valueString": "item.answer.count() > 1"},
            {"url": "human", "valueString": "Answer at least two of the questions."},
        ],
    }
    items = [{"linkId": one, "type": "string", "text": f"Question {one}"} for one in "abc"]
    page = mia.begin(published(items, extension=[must_agree]))
    check = mia.press(page, **{"Question a": "1"})
    assert "Answer at least two of the questions." in text_of(check)
    assert mia.send(check).status_code == 422
    assert responses(cast.mia).get().is_draft


def test_a_correction_is_another_version_and_the_old_one_stays(mia, cast):
    filled(mia, published(), note="first words")
    sent = responses(cast.mia).get()
    old_hash = sent.sha256
    check = mia.client.post(mia.at(f"{sent.public_id}/correct/"), follow=True)
    assert "first words" in text_of(check)
    draft = responses(cast.mia).drafts().get()
    page = mia.client.get(
        mia.at(f"{draft.public_id}/page/{check.context['sections'][0].page.name}/?check=1")
    )
    check = mia.press(page, note="better words")
    assert check.request["PATH_INFO"].endswith("/check/")
    done = mia.send(check)
    assert "better words" in text_of(done)
    assert "Earlier versions" in text_of(done)
    old = mia.get(f"{sent.public_id}/")
    assert "first words" in text_of(old)
    assert "open the later version" in text_of(old)
    sent.refresh_from_db()
    assert sent.sha256 == old_hash
    assert mia.get().content.decode().count('data-status="received"') == 1


def test_a_draft_is_thrown_away_after_asking(mia, cast):
    mia.begin(published())
    response = responses(cast.mia).get()
    address = mia.at(f"{response.public_id}/discard/")
    assert "Delete" in text_of(mia.client.get(address))
    assert responses(cast.mia).exists()
    assert "Nothing was sent" in text_of(mia.client.post(address, follow=True))
    assert not responses(cast.mia).exists()


# --- two browsers ---------------------------------------------------------------------


def test_two_browsers_that_answer_different_questions_both_count(mia, cast):
    page = mia.begin(published())
    second = mia.client.get(page.request["PATH_INFO"])
    mia.press(page, "later", note="from the phone")
    mia.press(second, "later", born="2019/04/27")
    found = answers(responses(cast.mia).get())
    assert found == {"note": "from the phone", "born": "2019-04-27"}


def test_what_is_typed_on_a_page_that_another_browser_switched_off_is_saved(mia, cast):
    gate = {"linkId": "gate", "type": "boolean", "text": "Gate?"}
    part = {
        "linkId": "part",
        "type": "group",
        "text": "Part",
        "enableWhen": [{"question": "gate", "operator": "=", "answerBoolean": True}],
        "item": [{"linkId": "inside", "type": "string", "text": "Inside"}],
    }
    first = mia.begin(published([{**gate, "linkId": "gate"}, part]))
    inside = mia.press(first, **{"Gate?": "true"})
    mia.press(mia.client.get(first.request["PATH_INFO"]), **{"Gate?": "false"})
    answer = mia.press(inside, Inside="typed meanwhile")
    assert answer.status_code == 200
    assert answers(responses(cast.mia).get())["inside"] == "typed meanwhile"


def test_a_page_of_what_was_sent_meanwhile_says_so(mia, cast):
    first = mia.begin(published())
    mia.send(mia.press(mia.press(mia.press(first, allergic="false"))))
    answer = mia.press(first, note="too late", born="4/27/2019")
    assert answer.status_code == 409
    assert "What you typed was not saved" in text_of(answer)
    assert "Anything else? too late" in text_of(answer)
    assert "When did it begin? 4/27/2019" in text_of(answer)
    assert "note" not in answers(responses(cast.mia).get())
    # A button pressed twice typed nothing else than what was sent: no fuss.
    again = mia.press(first, allergic="false")
    assert again.status_code == 200
    assert "were sent already" in text_of(again)


def test_two_answers_to_one_question_are_shown_side_by_side(mia, cast):
    page = mia.begin(published())
    second = mia.client.get(page.request["PATH_INFO"])
    mia.press(page, "later", note="from the phone")
    answer = mia.press(second, allergic="false", note="from the desk")
    assert answer.status_code == 409
    words = text_of(answer)
    assert "from the phone" in words
    assert "from the desk" in words
    found = answers(responses(cast.mia).get())
    assert found == {"note": "from the phone", "allergic": False}
    done = mia.client.post(answer.request["PATH_INFO"], fields_of(answer), follow=True)
    assert done.status_code == 200
    assert answers(responses(cast.mia).get())["note"] == "from the desk"


def test_a_draft_stays_on_its_version(mia, cast):
    version = published()
    page = mia.begin(version)
    version.questionnaire.versions.update(status="retired")
    new = definition([{"linkId": "x", "type": "string", "text": "Something new"}])
    QuestionnaireVersion.objects.create(
        questionnaire=version.questionnaire,
        number=2,
        status="published",
        definition=new,
        sha256="b" * 64,
    )
    page = mia.press(mia.press(mia.press(page, allergic="false")))
    done = mia.send(page)
    assert "Any allergy?" in text_of(done)
    assert responses(cast.mia).get().version == version


# --- danger and signatures ------------------------------------------------------------


def test_danger_is_answered_at_once_where_two_answers_clash(mia, cast):
    page = mia.press(mia.press(mia.begin(published()), allergic="false"))
    second = mia.client.get(page.request["PATH_INFO"])
    widget = page.context["form"].fields[box_of(page, "harm")].widget
    keys = [key for key, _words in widget.choices]
    mia.press(page, harm=keys[0])
    answer = mia.press(second, harm=keys[1])
    assert answer.status_code == 409
    assert "data-danger" in answer.content.decode()


def test_danger_is_answered_at_once(mia, cast):
    page = mia.press(mia.press(mia.begin(published()), allergic="false"))
    assert "data-danger" not in page.content.decode()
    widget = page.context["form"].fields[box_of(page, "harm")].widget
    keys = [key for key, _words in widget.choices]
    check = mia.press(page, harm=keys[1])
    for wanted in ("Call 911", "Text 988", "Nobody at the practice watches"):
        assert wanted in text_of(check), wanted
    assert "data-danger" in mia.get().content.decode()
    done = mia.send(check)
    assert "Call 911" in text_of(done)
    response = responses(cast.mia).select_related("submission").get()
    assert response.submission.is_urgent
    assert response.danger == ["harm"]


def test_a_consent_is_read_and_declined_or_signed(mia, cast):
    items = [
        {"linkId": "1", "type": "display", "text": "I agree that the practice treats my child."},
        {"linkId": "2", "type": "display", "text": "I can take this back at any time."},
    ]
    page = mia.begin(published(items, kind="consent", title="Consent to treat"))
    assert "I can take this back" in text_of(page)
    answer = mia.send(page, typed_name="Elena Rivera")
    assert answer.status_code == 422
    assert "Choose whether you accept" in text_of(answer)
    assert "Elena Rivera" in answer.content.decode()
    done = mia.send(answer, decision="declined", relationship="mother", signs="yes")
    assert "Declined" in text_of(done)
    signature = responses(cast.mia).get().signature
    assert signature.decision == "declined"
    assert signature.text == (
        "Consent to treat\n\nI agree that the practice treats my child.\n\n"
        "I can take this back at any time."
    )
    assert len(signature.text_sha256) == 64


def test_a_form_to_be_signed_says_what_is_signed(mia, cast):
    page = mia.begin(published(needs_signature=True))
    check = mia.press(mia.press(mia.press(page, allergic="false")))
    assert "I have checked the answers" in text_of(check)
    assert mia.send(check).status_code == 422
    done = mia.send(check, typed_name="Elena Rivera", relationship="mother", signs="yes")
    assert "Elena Rivera (mother)" in text_of(done)


# --- cost -----------------------------------------------------------------------------


def queries(filler: Filler, address: str) -> int:
    filler.client.get(address)
    with CaptureQueriesContext(connection) as asked:
        assert filler.client.get(address).status_code == 200
    return len(asked)


def test_the_list_asks_the_same_number_of_questions(mia, cast):
    filled(mia, published())
    mia.begin(published())
    before = queries(mia, mia.at(""))
    for _more in range(2):
        filled(mia, published())
        mia.begin(published())
        published()
    assert queries(mia, mia.at("")) == before


def test_a_long_page_asks_no_more_than_a_short_one(mia, cast):
    short = mia.begin(published([ITEMS[0]]))
    long = mia.begin(
        published([{**ITEMS[0], "item": ITEMS[0]["item"] * 1, "text": "Long"}, *ITEMS[1:]])
    )
    assert queries(mia, short.request["PATH_INFO"]) == queries(mia, long.request["PATH_INFO"])
