"""Files in answers: documents of the member, by the same safety as any other."""

from __future__ import annotations

from households.documents.models import Document
from households.intake.models import QuestionnaireResponse
from tests.files import png
from tests.households.intake.filling.conftest import published
from tests.pages import fields_of, text_of

RASH = [
    {
        "linkId": "photo",
        "type": "attachment",
        "text": "Photo of the rash",
        "required": True,
        "extension": [
            {"url": "http://hl7.org/fhir/StructureDefinition/mimeType", "valueCode": "image/png"},
        ],
    },
    {"linkId": "where", "type": "string", "text": "Where is it?"},
]


def test_a_photo_answers_a_question(mia, cast):
    page = mia.begin(published(RASH, title="A rash"))
    missing = mia.press(page)
    assert missing.status_code == 422
    upload = mia.press(page, "file", "0", **{"Where is it?": "On the arm"})
    assert "Photo of the rash" in text_of(upload)
    address = upload.request["PATH_INFO"]
    empty = mia.client.post(address, fields_of(upload))
    assert empty.status_code == 422
    wrong = mia.client.post(address, {"files": pdf_by_name()}, follow=True)
    assert wrong.status_code == 422
    assert not Document.objects.for_member(cast.mia).exists()
    two = mia.client.post(address, {"files": [png("one.png"), png("two.png", "navy")]})
    assert "Only one file fits here" in text_of(two)
    assert not Document.objects.for_member(cast.mia).exists()
    page = mia.client.post(address, {**fields_of(upload), "files": png("rash.png")}, follow=True)
    assert "rash.png" in text_of(page)
    assert "On the arm" in page.content.decode()

    document = Document.objects.for_member(cast.mia).get()
    (item, _where) = QuestionnaireResponse.objects.for_member(cast.mia).get().items
    assert item["answer"][0]["valueAttachment"]["url"] == f"urn:uuid:{document.public_id}"
    assert item["answer"][0]["valueAttachment"]["title"] == "rash.png"

    out = mia.press(page, "take", f"0 {document.public_id}")
    assert "rash.png" not in text_of(out)
    again = mia.client.post(address, {"files": png("other.png")}, follow=True)
    done = mia.send(mia.press(again))
    assert "other.png" in text_of(done)


def pdf_by_name():
    """A picture that calls itself a PDF: refused, with the reason."""
    return png("rash.pdf")


def test_only_a_question_that_takes_files_takes_them(mia, cast):
    mia.begin(published(RASH))
    response = QuestionnaireResponse.objects.for_member(cast.mia).get()
    for path in ("1", "7", "x", "0-0.1"):
        assert mia.get(f"{response.public_id}/file/{path}/").status_code == 404
