"""A practice in use, for the sweeps and the fuzz: three charts with a record of every kind in them, the
brother's and the same-named stranger's too, and everybody who could ask for them, each in a browser.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import Group
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse

from accounts.models import StaffAccount
from households.demographics.models import Contact
from households.desk import roles
from households.documents import renditions
from households.documents.models import Document, DocumentRequest
from households.history.models import Allergy
from households.intake.filling import Filling, patient_of
from households.intake.models import QuestionnaireResponse
from households.submissions.models import Submission
from tests import questionnaires
from tests.cast import pick, sign_in, sign_in_as_staff
from tests.files import png
from tests.routes import every_pattern
from tests.who_may_open_what import MEMBER

STAFF_PASSWORD = "lantern-orchid-gravel-44"
ROLES = {
    "n": "nobody",
    "f": roles.FRONT_DESK,
    "c": roles.CLINICIAN,
    "a": roles.AUDITOR,
    "o": "Owner",
}


def staff_of_role(letter: str) -> Client:
    """A browser in which somebody of the role is signed in; n has none."""
    client = Client()
    email = f"{letter}@practice.example"
    staff = StaffAccount.objects.create_user(email, STAFF_PASSWORD)
    if letter != "n":
        staff.groups.add(Group.objects.get(name=ROLES[letter]))
    sign_in_as_staff(client, email, STAFF_PASSWORD)
    return client


@dataclass
class Chart:
    """One member, a browser that has the chart open under `key`, and a record of each kind."""

    member: Any
    client: Client
    key: str
    records: dict[str, Any] = field(default_factory=dict)
    ids: dict[str, Any] = field(default_factory=dict)

    @property
    def mark(self) -> str:
        """Stands in every record's text, and in nobody else's."""
        return f"of-{self.member.patient_id}"

    def address(self, name: str, key: str = "", **ids: Any) -> str:
        """That of a member's page, about this chart's records."""
        _methods, kind = MEMBER[name]
        given = {**self.ids, "key": key or self.key}
        if kind:
            given["public_id"] = self.records[kind].public_id
        given |= ids
        wanted = parameters_of(name)
        assert wanted <= given.keys(), f"{name}: say in tests/world.py what {wanted} are"
        return reverse(name, kwargs={one: given[one] for one in wanted})


def parameters_of(name: str) -> set[str]:
    return {
        word
        for path, pattern in every_pattern()
        if pattern.name == name and not path.startswith("admin/")
        for word in [*pattern.pattern.converters, *(["key"] if path.startswith("for/") else [])]
    }


@dataclass
class World:
    cast: Any
    forms: Any
    mia: Chart
    leo: Chart
    stranger: Chart  # of the same first name and birth date, in another household
    undecided: Client  # the family's, signed in, nobody chosen

    def staff(self, letter: str) -> Client:
        return staff_of_role(letter)


def build_world(cast: Any, forms: Any) -> World:
    everything = _form_of_everything(forms)
    charts = []
    for member, email, born in (
        (cast.mia, "rivera@example.org", "2016/04/27"),
        (cast.leo, "rivera@example.org", "2018/09/03"),
        (cast.other_mia, "okafor@example.org", "2016/04/27"),
    ):
        client = Client()
        sign_in(client, email)
        chart = Chart(member, client, pick(client, member.first_name, born))
        _fill(chart, forms, everything)
        charts.append(chart)
    undecided = Client()
    sign_in(undecided, "rivera@example.org")
    return World(cast, forms, *charts, undecided)


def _form_of_everything(forms: Any) -> Any:
    """A form with a question of every type on one page, files among them."""
    whole = json.loads((questionnaires.OURS / "all-types.json").read_text())
    form = forms.form("Everything", published=False, is_offered=True)
    return forms.publish(form, whole)


def _fill(chart: Chart, forms: Any, everything: Any) -> None:
    member, client, mark = chart.member, chart.client, chart.mark
    records = chart.records
    records["asked"] = DocumentRequest.objects.create(member=member, what=f"Insurance card {mark}")
    for name, kind in (("card", "document"), ("blurred", "returned")):
        address = chart_page(chart, "documents/")
        answer = client.post(address, {"files": png(f"{name}-{mark}.png"), "note": f"Note {mark}"})
        assert answer.status_code == 302, answer.content.decode()
        document = records[kind] = Document.objects.for_member(member).latest("pk")
        document.pictures, document.pages_pictured = Document.Pictures.READY, 1
        document.save()
        for picture in (renditions.page_name(document, 1), renditions.thumbnail_name(document)):
            document.file.storage.save(picture, ContentFile(f"a picture {mark}".encode()))
    Submission.objects.for_member(member).filter(pk=records["returned"].submission_id).update(
        status="returned", reason=f"Too dark {mark}"
    )
    records["contact"] = Contact.objects.create(
        member=member, name=f"Grandma {mark}", relationship="GRPRN"
    )
    answer = client.post(
        chart_page(chart, "history/allergies/add/"), {"substance": f"Penicillin {mark}"}
    )
    assert answer.status_code == 302, answer.content.decode()
    records["entry"] = Allergy.objects.for_member(member).latest("pk")
    form = everything.questionnaire
    answer = client.post(chart_page(chart, f"forms/start/{form.public_id}/"))
    assert answer.status_code == 302, answer.content.decode()
    records["draft"] = QuestionnaireResponse.objects.for_member(member).drafts().latest("pk")
    items = [{"linkId": "how", "text": "How are you?", "answer": [{"valueString": f"Fine {mark}"}]}]
    short = forms.form(f"Short {mark}")
    records["sent"] = forms.send(short, member, items=items)
    page, path = _page_with_a_file(records["draft"])
    chart.ids = {
        "number": 1,
        "field": "address",
        "section": "allergies",
        "questionnaire_id": form.public_id,
        "page": page,
        "path": path,
    }


def chart_page(chart: Chart, inside: str) -> str:
    return f"/for/{chart.key}/{inside}"


def _page_with_a_file(draft: Any) -> tuple[str, str]:
    """The page of the draft that asks for a file, and the place of that question."""
    filling = Filling(draft, patient=patient_of(draft.member))
    return next(
        (page.name, node.path)
        for page in filling.pages
        for node in page.questions()
        if node.item.type == "attachment"
    )
