"""A form that was sent for the wrong person: it moves as it was answered, its signature does not, and who is
asked what follows."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from households.documents.models import Document
from households.intake.asking import asked_of
from households.intake.models import Questionnaire, QuestionnaireResponse, Signature
from households.submissions.models import Refiling, Submission
from tests.cast import practice_today
from tests.files import png
from tests.households.intake.filling.conftest import Filler, filled, published
from tests.households.intake.filling.test_files import RASH
from tests.households.submissions.test_refiling import refile
from tests.moving import Mover, front_desk, owner, page_of
from tests.pages import text_of

FROM_THE_FILE = {
    "url": "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-initialExpression",
    "valueExpression": {"language": "text/fhirpath", "expression": "%patient.birthDate"},
}


@pytest.fixture
def staff(cast) -> Mover:
    return owner()


@pytest.fixture
def mia(cast, client) -> Filler:
    return Filler(client, "Mia", "2016/04/27", "rivera@example.org")


@pytest.fixture
def leo(cast) -> Filler:
    return Filler(Client(), "Leo", "2018/09/03", "rivera@example.org")


def asked(person) -> dict[str, str]:
    """What a person is asked, and how that stands."""
    return {one.questionnaire.title: one.state for one in asked_of(person, practice_today())}


def home_of(filler: Filler) -> str:
    return text_of(filler.client.get(f"/for/{filler.key}/"))


def everything() -> list:
    rows = QuestionnaireResponse.objects.order_by("pk").values_list("pk", "member", "submission")
    envelopes = Submission.objects.order_by("pk").values_list("pk", "member", "status")
    signed = Signature.objects.order_by("pk").values_list("pk", "member", "voided_at")
    return [*rows, *envelopes, *signed, Refiling.objects.count()]


# --- whose it is, and who is asked ----------------------------------------------------


def test_asked_again_of_the_one_and_answered_for_the_other(forms, staff, mia, leo, cast):
    form = forms.form("Well child")
    forms.ask(form)
    response = forms.send(form, cast.mia, "filed")
    assert asked(cast.mia) == {"Well child": "done"}
    assert asked(cast.leo) == {"Well child": "open"}
    plan = text_of(staff.preview(response.submission, cast.leo))
    assert "Mia Rivera is asked for this form, and has to answer it again." in plan
    assert "Leo Rivera is asked for this form: with this it is answered." in plan
    assert "It was filed for Mia Rivera." in plan
    staff.move(response.submission, cast.leo)
    assert asked(cast.mia) == {"Well child": "open"}
    assert asked(cast.leo) == {"Well child": "sent"}
    response.refresh_from_db()
    assert (response.member, response.submission.status) == (cast.leo, "received")
    assert (response.submission.seen_at, response.submission.filed_at) == (None, None)
    assert mia.get(f"{response.public_id}/").status_code == 404
    assert mia.client.post(mia.at(f"{response.public_id}/correct/")).status_code == 404
    assert "the practice moved it here" in text_of(leo.get(f"{response.public_id}/"))
    assert "Elena Rivera" not in response.submission.filler
    assert "a form that was sent here by mistake" in home_of(mia)
    assert "Moved here by the practice: a form" in home_of(leo)
    page = f"/admin/intake/questionnaireresponse/{response.pk}/change/"
    assert "Moved from Mia Rivera" in text_of(staff.client.get(page))


def test_a_personal_request_asks_for_what_comes_after_it(forms, staff, cast):
    form = forms.form("Well child")
    response = forms.send(form, cast.mia)
    forms.ask_one(form, cast.leo)
    staff.move(response.submission, cast.leo)
    assert asked(cast.leo) == {"Well child": "open"}


def test_answers_stay_as_they_were_given(staff, mia, cast):
    version = published()
    filled(mia, version, harm="0")
    response = QuestionnaireResponse.objects.get()
    before = (response.items, response.sha256, response.scores, response.danger)
    staff.move(response.submission, cast.leo)
    response.refresh_from_db()
    assert (response.items, response.sha256, response.scores, response.danger) == before


def test_danger_stands_on_top_unseen_for_the_right_person(staff, mia, cast):
    filled(mia, published(), harm="2")
    response = QuestionnaireResponse.objects.select_related("submission").get()
    assert response.submission.is_urgent
    page = f"/admin/intake/questionnaireresponse/{response.pk}/change/"
    staff.client.get(page)
    response.submission.refresh_from_db()
    assert response.submission.status == "seen"
    assert "An answer in it suggests danger." in text_of(
        staff.preview(response.submission, cast.leo)
    )
    staff.move(response.submission, cast.leo)
    submission = Submission.objects.get()
    assert (submission.status, submission.is_urgent, submission.place) == ("received", True, 0)
    assert submission.seen_at is None


def test_what_a_form_took_from_the_file_is_pointed_out(forms, staff, cast):
    plain, of_the_file = forms.form("Plain"), forms.form("By age", published=False)
    definition = {
        "resourceType": "Questionnaire",
        "status": "active",
        "item": [{"linkId": "born", "type": "date", "text": "Born", "extension": [FROM_THE_FILE]}],
    }
    forms.publish(of_the_file, definition)
    words = "This form takes some things from the file"
    one, other = forms.send(plain, cast.mia), forms.send(of_the_file, cast.mia)
    assert words not in text_of(staff.preview(one.submission, cast.leo))
    assert words in text_of(staff.preview(other.submission, cast.leo))


# --- signatures -----------------------------------------------------------------------


def test_a_signature_is_voided_and_asked_again_of_the_right_person(forms, staff, mia, leo, cast):
    consent = forms.form("Consent to treat", kind="consent", needs_signature=True)
    forms.ask(consent)
    signature = forms.sign(forms.send(consent, cast.mia, "seen"))
    response = signature.response
    plan = text_of(staff.preview(response.submission, cast.leo))
    assert "The signature of Elena Rivera is voided." in plan
    assert "Leo Rivera is asked for this form: with this it is answered" not in plan
    staff.move(response.submission, cast.leo)
    signature.refresh_from_db()
    assert signature.voided_by == cast.nurse_staff and signature.voided_at
    assert signature.void_reason == "This was signed in the wrong person's chart."
    # It was given for Mia and stays so: it is never moved.
    assert signature.member == cast.mia
    assert asked(cast.mia) == {"Consent to treat": "open"}
    (theirs,) = asked_of(cast.leo, practice_today())
    assert (theirs.state, theirs.again.pk) == ("open", response.pk)
    assert "To be signed again" in home_of(leo)
    assert "To be signed again" not in home_of(mia)
    assert "wrong person's chart" in text_of(leo.get(f"{response.public_id}/"))
    # Signed by nobody: moved back it is not signed either.
    staff.move(response.submission, cast.mia)
    (mias,) = asked_of(cast.mia, practice_today())
    assert mias.state == "open"


def test_signed_again_it_counts(forms, staff, cast):
    consent = forms.form("Consent to treat", kind="consent", needs_signature=True)
    forms.ask(consent)
    response = forms.sign(forms.send(consent, cast.mia, "seen")).response
    staff.move(response.submission, cast.leo)
    forms.sign(forms.send(consent, cast.leo))
    assert asked(cast.leo) == {"Consent to treat": "sent"}


def test_signed_is_asked_of_one_who_no_rule_asks(forms, staff, cast):
    form = forms.form("Release", needs_signature=True)
    response = forms.sign(forms.send(form, cast.mia)).response
    staff.move(response.submission, cast.leo)
    assert asked(cast.leo) == {"Release": "open"}
    assert asked(cast.mia) == {}


# --- versions, drafts, files ----------------------------------------------------------


def test_all_versions_go_together(forms, staff, mia, leo, cast):
    form = forms.form("Well child", needs_signature=True)
    first = forms.sign(forms.send(form, cast.mia, "filed")).response
    second = forms.send(form, cast.mia, corrects=first)
    other = forms.send(form, cast.mia)
    plan = text_of(staff.preview(first.submission, cast.leo))
    assert "the 1 other version goes with it" in plan
    refiling = staff.move(first.submission, cast.leo)
    members = {one.pk: one.member for one in QuestionnaireResponse.objects.select_related("member")}
    assert members == {first.pk: cast.leo, second.pk: cast.leo, other.pk: cast.mia}
    assert refiling.submission == first.submission
    assert [one.submission for one in refiling.parts.all()] == [second.submission]
    first.submission.refresh_from_db()
    second.submission.refresh_from_db()
    # The earlier one stays as it was handled, the latest is to be read.
    assert (first.submission.status, second.submission.status) == ("filed", "received")
    assert Signature.objects.get().voided_at
    assert leo.get(f"{second.public_id}/").status_code == 200


def test_the_correction_that_is_being_typed_goes_along(staff, mia, leo, cast):
    version = published()
    filled(mia, version)
    sent = QuestionnaireResponse.objects.get()
    page = mia.client.post(mia.at(f"{sent.public_id}/correct/"), follow=True)
    draft = QuestionnaireResponse.objects.get(submission=None)
    assert "The family is correcting it now" in text_of(staff.preview(sent.submission, cast.leo))
    staff.move(sent.submission, cast.leo)
    draft.refresh_from_db()
    assert (draft.member, draft.corrects_id) == (cast.leo, sent.pk)
    # The page that is still open at Mia's sends nothing anywhere.
    answer = mia.send(page)
    assert answer.status_code == 404
    assert QuestionnaireResponse.objects.filter(submission=None).get() == draft
    assert leo.get(f"{draft.public_id}/check/").status_code == 200


def test_two_that_would_be_one_draft_wait(staff, mia, leo, cast):
    version = published(is_offered=True)
    filled(mia, version)
    sent = QuestionnaireResponse.objects.get()
    leo.begin(version)
    staff.preview(sent.submission, cast.leo)
    mia.client.post(mia.at(f"{sent.public_id}/correct/"), follow=True)
    said = staff.refused(sent.submission, cast.leo)
    assert "correcting this form for Mia Rivera and filling it in for Leo Rivera" in said
    assert QuestionnaireResponse.objects.for_member(cast.mia).count() == 2


def test_a_correction_begun_after_reading_is_told(staff, mia, cast):
    filled(mia, published())
    sent = QuestionnaireResponse.objects.get()
    preview = staff.preview(sent.submission, cast.leo)
    mia.client.post(mia.at(f"{sent.public_id}/correct/"), follow=True)
    before = everything()
    answer = staff.confirm(sent.submission, preview)
    assert answer.status_code == 409
    assert "The family is correcting it now" in text_of(answer)
    assert everything() == before


def with_a_photo(mia) -> tuple[QuestionnaireResponse, Document]:
    page = mia.begin(published(RASH, title="A rash"))
    upload = mia.press(page, "file", "0", **{"Where is it?": "On the arm"})
    page = mia.client.post(upload.request["PATH_INFO"], {"files": png("rash.png")}, follow=True)
    mia.send(mia.press(page))
    return QuestionnaireResponse.objects.get(), Document.objects.get()


def test_its_files_go_along_and_never_alone(staff, mia, leo, cast, run_tasks):
    response, document = with_a_photo(mia)
    Questionnaire.objects.update(is_clinical=False)
    assert "It is an answer in the form “A rash”. Move the form" in staff.refused(
        document.submission, cast.leo
    )
    assert "The 1 document in its answers goes with it" in text_of(
        staff.preview(response.submission, cast.leo)
    )
    staff.move(response.submission, cast.leo)
    document.refresh_from_db()
    assert (document.member, document.submission.member) == (cast.leo, cast.leo)
    for filler, status in ((mia, 404), (leo, 200)):
        page = f"/for/{filler.key}/documents/{document.public_id}/"
        assert filler.client.get(page).status_code == status
    assert "rash.png" in text_of(leo.get(f"{response.public_id}/"))
    # One thing was moved, whatever went with it.
    assert home_of(leo).count("Moved here by the practice") == 1
    assert home_of(mia).count("Moved by the practice") == 1
    page = staff.client.get(f"/admin/intake/questionnaireresponse/{response.pk}/change/")
    assert f"/admin/documents/document/{document.pk}/change/" in page.content.decode()
    assert "It is an answer in the form" in staff.refused(document.submission, cast.mia)


def test_a_file_of_a_form_that_is_being_filled_in_waits(staff, mia, cast):
    page = mia.begin(published(RASH, title="A rash"))
    upload = mia.press(page, "file", "0", **{"Where is it?": "On the arm"})
    mia.client.post(upload.request["PATH_INFO"], {"files": png("rash.png")}, follow=True)
    document = Document.objects.get()
    assert "which the family is filling in now" in staff.refused(document.submission, cast.leo)


# --- whole or not at all --------------------------------------------------------------


def test_a_returned_form_is_not_moved(forms, staff, cast):
    response = forms.send(forms.form("Well child"), cast.mia, "returned")
    assert "file it first" in staff.refused(response.submission, cast.leo)


def test_a_failure_at_the_end_leaves_the_signature_standing(forms, cast):
    """The last thing written is the trail, which the database does not take without a reason."""
    form = forms.form("Consent to treat", kind="consent", needs_signature=True)
    response = forms.sign(forms.send(form, cast.mia, "filed")).response
    before = everything()
    with pytest.raises(IntegrityError, match="refiled_with_a_reason"), transaction.atomic():
        refile(cast, response.submission, cast.leo, reason="")
    assert everything() == before


def test_who_may_not_handle_forms_moves_none(forms, cast):
    response = forms.send(forms.form("Well child"), cast.mia)
    desk = front_desk("change_questionnaireresponse")
    assert desk.client.get(page_of(response.submission)).status_code == 403
    assert desk.preview(response.submission, cast.leo).status_code == 403
    response.refresh_from_db()
    assert response.member == cast.mia


def test_who_may_not_read_a_clinical_form_moves_none_and_reads_no_trail_of_it(forms, staff, cast):
    secret, plain = forms.form("PHQ-9", is_clinical=True), forms.form("Intake", is_clinical=False)
    closed, open_one = forms.send(secret, cast.mia), forms.send(plain, cast.mia)
    desk = front_desk()
    for answer in (
        desk.client.get(page_of(closed.submission)),
        desk.preview(closed.submission, cast.leo),
    ):
        assert answer.status_code == 403
    desk.move(open_one.submission, cast.leo, "Plainly of Leo")
    staff.move(closed.submission, cast.leo, "He is the sad one")
    page = f"/admin/submissions/refiling/{Refiling.objects.latest('pk').pk}/change/"
    assert "sad one" not in text_of(desk.client.get(page, follow=True))
    listed = text_of(desk.client.get("/admin/submissions/refiling/"))
    assert listed.count("Leo Rivera") == 1
    assert text_of(staff.client.get("/admin/submissions/refiling/")).count("Leo Rivera") == 2


def test_a_file_of_a_clinical_form_does_not_say_which(staff, mia, cast):
    _response, document = with_a_photo(mia)
    Questionnaire.objects.update(is_clinical=True)
    said = staff.refused(document.submission, cast.leo)
    assert "A rash" not in said and "a clinical form" in said
