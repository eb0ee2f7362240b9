"""A clinic's small form with everything that pages have to cope with, and the steps of filling it in."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.cast import pick, sign_in
from tests.pages import fields_of

YES_NO = [{"valueCoding": {"system": "urn:test", "code": code}} for code in ("yes", "no")]
DAYS = [
    {"valueCoding": {"system": "urn:days", "code": code, "display": words}}
    for code, words in (("0", "Not at all"), ("1", "Several days"), ("2", "Every day"))
]
ITEMS: list[dict[str, Any]] = [
    {
        "linkId": "health",
        "type": "group",
        "text": "Allergies and habits",
        "item": [
            {"linkId": "allergic", "type": "boolean", "text": "Any allergy?", "required": True},
            {
                "linkId": "substance",
                "type": "string",
                "text": "To what?",
                "required": True,
                "enableWhen": [{"question": "allergic", "operator": "=", "answerBoolean": True}],
            },
            {"linkId": "born", "type": "date", "text": "When did it begin?"},
            {"linkId": "note", "type": "text", "text": "Anything else?"},
        ],
    },
    {
        "linkId": "medicines",
        "type": "group",
        "text": "Medicine",
        "repeats": True,
        "item": [
            {"linkId": "name", "type": "string", "text": "Name"},
            {"linkId": "often", "type": "integer", "text": "How often a day?"},
        ],
    },
    {
        "linkId": "mood",
        "type": "group",
        "text": "Mood",
        "item": [
            {
                "linkId": "harm",
                "type": "choice",
                "text": "Thoughts of hurting yourself?",
                "answerOption": [
                    {
                        **option,
                        "extension": [
                            {
                                "url": "http://hl7.org/fhir/StructureDefinition/ordinalValue",
                                "valueDecimal": number,
                            }
                        ],
                    }
                    for number, option in enumerate(DAYS)
                ],
                "extension": [{"url": "urn:kinchart:danger", "valueInteger": 1}],
            },
            {
                "linkId": "helps",
                "type": "open-choice",
                "repeats": True,
                "text": "What helps?",
                "answerOption": [{"valueString": "Sleep"}, {"valueString": "Friends"}],
            },
        ],
    },
]


def definition(items: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Questionnaire",
        "url": "urn:test:form",
        "title": "Before the visit",
        "status": "active",
        "item": items,
        **more,
    }


def published(
    items: list[dict[str, Any]] | None = None,
    *,
    whole: dict[str, Any] | None = None,
    kind: str = "form",
    needs_signature: bool = False,
    is_offered: bool = True,
    **more: Any,
) -> Any:
    """A published version of a new form."""
    from households.intake.definitions import sha256_of
    from households.intake.models import Questionnaire, QuestionnaireVersion

    whole = whole or definition(ITEMS if items is None else items, **more)
    questionnaire = Questionnaire.objects.create(
        url=f"urn:test:{Questionnaire.objects.count()}",
        title=(whole.get("title") or whole.get("name") or "A form")[:200],
        kind=kind,
        needs_signature=needs_signature,
        is_offered=is_offered,
    )
    return QuestionnaireVersion.objects.create(
        questionnaire=questionnaire,
        number=1,
        status="published",
        definition=whole,
        sha256=sha256_of(whole),
    )


class Filler:
    """Somebody with a chart open, who fills in a form as a browser would."""

    def __init__(self, client: Client, first_name: str, born: str, email: str) -> None:
        self.client = client
        sign_in(client, email)
        self.key = pick(client, first_name, born)
        self.url = ""

    def at(self, inside: str) -> str:
        return f"/for/{self.key}/forms/{inside}"

    def get(self, inside: str = "", follow: bool = False) -> Any:
        return self.client.get(self.at(inside), follow=follow)

    def begin(self, version: Any) -> Any:
        """Start it; the answer is its first page."""
        start = self.at(f"start/{version.questionnaire.public_id}/")
        answer = self.client.post(start, follow=True)
        self.url = answer.request["PATH_INFO"]
        return answer

    def press(self, page: Any, button: str = "", value: str = "1", **typed: Any) -> Any:
        """Type into the boxes of a page, by the ends of their labels' names, and press a button."""
        fields = fields_of(page, "page-form")
        fields |= {box_of(page, link): text for link, text in typed.items()}
        if button:
            fields[button] = value
        address = page.request["PATH_INFO"]
        if page.request.get("QUERY_STRING"):
            address += f"?{page.request['QUERY_STRING']}"
        return self.client.post(
            address, {name: one for name, one in fields.items() if one != ""}, follow=True
        )

    def send(self, page: Any, **typed: Any) -> Any:
        fields = {**fields_of(page), **typed}
        return self.client.post(page.request["PATH_INFO"], fields, follow=True)


def box_of(page: Any, link_id: str) -> str:
    """The name of a question's box. `name_1` is that of the second entry, `helps_o` the other box."""
    link_id, _line, rest = link_id.partition("_")
    nodes = [
        block
        for context in page.context
        for block in _flat(context.get("blocks") or [])
        if block.kind == "question"
    ]
    texts = {"allergic": "Any allergy?", "substance": "To what?", "born": "When did it begin?"}
    texts |= {"note": "Anything else?", "name": "Name", "often": "How often a day?"}
    texts |= {"harm": "Thoughts of hurting yourself?", "helps": "What helps?"}
    wanted = texts.get(link_id, link_id)
    found = list(dict.fromkeys(b.path for b in nodes if b.title == wanted))
    number = int(rest) if rest.isdigit() else 0
    return f"q.{found[number]}.{rest if rest and not rest.isdigit() else 'v'}"


def _flat(blocks: Any) -> Any:
    for block in blocks:
        yield block
        yield from _flat(block.blocks)


@pytest.fixture
def mia(cast: Any, client: Client) -> Filler:
    return Filler(client, "Mia", "2016/04/27", "rivera@example.org")


def filled(filler: Filler, version: Any, harm: str = "0", **typed: Any) -> Any:
    """A form of ITEMS filled in and sent: the page that says so. `harm` is a place among the choices."""
    page = filler.begin(version)
    page = filler.press(page, **{"allergic": "false", **typed})
    page = filler.press(page)
    choices = [key for key, _words in box_widget(page, "harm").choices]
    page = filler.press(page, harm=choices[int(harm)])
    return filler.send(page)


def box_widget(page: Any, link_id: str) -> Any:
    return page.context["form"].fields[box_of(page, link_id)].widget
