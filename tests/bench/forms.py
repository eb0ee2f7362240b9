"""What a long form costs: the page of one with 300 questions and as many conditions, all of them evaluated,
and what the workers hold after many forms.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

QUESTIONS, A_PAGE = 300, 10
FORMS = 240
# More than definitions.py keeps in the memory of both workers: from there on it may not grow.
FULL = 140
LIMITS = {"page of a 300-item form, ms of CPU": 50.0, "memory for 100 forms more, MB": 5.0}


def prepare() -> list[str]:
    """Publish the forms. Returns their ids; the first is the one that is measured."""
    from households.intake.definitions import sha256_of
    from households.intake.models import Questionnaire, QuestionnaireVersion

    ids = []
    for number in range(FORMS + 1):
        definition = long_form(number)
        questionnaire = Questionnaire.objects.create(
            url=f"urn:bench:{number}", title=f"Form {number}", is_offered=True
        )
        QuestionnaireVersion.objects.create(
            questionnaire=questionnaire,
            number=1,
            status="published",
            definition=definition,
            sha256=sha256_of(definition),
        )
        ids.append(str(questionnaire.public_id))
    return ids


def long_form(number: int) -> dict[str, Any]:
    """Sections of ten questions; each question is asked because of the one before it."""

    def question(place: int) -> dict[str, Any]:
        asked: dict[str, Any] = {
            "linkId": f"q{place}",
            "type": "boolean",
            "text": f"Question {place} of form {number}?",
        }
        if place:
            asked["enableWhen"] = [
                {"question": f"q{place - 1}", "operator": "!=", "answerBoolean": False}
            ]
        return asked

    return {
        "resourceType": "Questionnaire",
        "url": f"urn:bench:{number}",
        "status": "active",
        "title": f"Form {number}",
        "item": [
            {
                "linkId": f"s{first}",
                "type": "group",
                "text": f"Section {first // A_PAGE + 1}",
                "item": [question(place) for place in range(first, first + A_PAGE)],
            }
            for first in range(0, QUESTIONS, A_PAGE)
        ],
    }


def measure(portal: Any, home: str, ids: list[str]) -> dict[str, float]:
    """Figures. `portal` is signed in, with the chart of `home` open."""
    page = _begin(portal, home, ids[0])
    figures = {"page of a 300-item form, ms of CPU": round(portal.cost("GET", page), 2)}
    # All are begun first: what a member has begun is listed, and a longer list takes more memory by itself.
    pages = [page, *(_begin(portal, home, form) for form in ids[1:])]
    for begun in pages[:FULL]:
        _open(portal, begun)
    before = _memory(portal)
    for begun in pages[FULL:]:
        _open(portal, begun)
    grown = (_memory(portal) - before) / 1024
    figures["memory for 100 forms more, MB"] = round(grown, 1)
    print(
        f"page of a 300-item form    {figures['page of a 300-item form, ms of CPU']:.2f} ms of CPU"
    )
    return figures


def _begin(portal: Any, home: str, form: str) -> str:
    """Start a form and open its first page; returns its address."""
    portal.connection.close()
    start = f"{home}forms/start/{form}/"
    status, page, _text = portal.post(start, {})
    while status == 302:
        status, following, text = portal.request("GET", page)
        page = following or page
    assert status == 200, (status, page)
    assert re.search(r"Question 0 of form", text), page
    return page


def _open(portal: Any, page: str) -> None:
    portal.connection.close()
    status, _to, _text = portal.request("GET", page)
    assert status == 200, (status, page)


def _memory(portal: Any) -> int:
    """KiB that the workers hold."""
    children = Path(f"/proc/{portal.process.pid}/task/{portal.process.pid}/children")
    total = 0
    for pid in children.read_text().split():
        status = Path(f"/proc/{pid}/status").read_text()
        total += int(re.search(r"VmRSS:\s+(\d+)", status)[1])
    return total
