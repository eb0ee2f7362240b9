"""What families type and how they name their files is text on every page of theirs and of staff, in print and
in tables (IN-01, IN-07): no element, no attribute and no script comes of it."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from households.demographics.models import Contact
from households.documents.models import Document
from tests import files
from tests.crawl import crawl, page_of
from tests.fuzz.runner import encoded, plausible
from tests.households.desk.test_roles import everything, named_addresses  # noqa: F401
from tests.portal.test_admin_site import one_of_each  # noqa: F401
from tests.sweep.asking import call
from tests.sweep.undone import Undone
from tests.who_may_open_what import MEMBER, STAFF
from tests.world import build_world, staff_of_role

# xq9 is in no page of ours. Each leaves its own trace where it is taken for markup.
PAYLOADS = (
    "xq9'\"><xq9 onxq9=1>{{ 7|add:91330 }}",
    "</textarea></script></title><!--xq9--!><xq9>",
    "javascript:xq9(1)//' onxq9='1",
    '=HYPERLINK("xq9")',
)
NO_TEXT = {"hidden", "password", "email", "date", "number", "checkbox", "radio", "select", "button"}
NOT_SENT = {"switch", "logout", "form_discard", "document_withdraw"}
LINKS = {"href", "src", "action", "formaction", "style"}


def typed(form: Any, payload: str) -> list[tuple[str, str]]:
    """The form with the payload in every field that takes text."""
    texts = {box.name for box in form.boxes if box.kind not in {*NO_TEXT, "file"}}
    return [(name, payload if name in texts else value) for name, value in plausible(form)]


def send_all(chart: Any, forms: list[Any], payload: str) -> int:
    """Send every form of the family's with it. Returns how many were taken."""
    taken = 0
    for form in forms:
        request = encoded(form, typed(form, payload))
        answer = call(
            chart.client, "post", request.address, request.body, content_type=request.content_type
        )
        assert_text_only(page_of(answer), form.action)
        taken += answer.status_code == 302
    name = payload.replace("/", "")[:60] + ".png"
    upload = {"files": SimpleUploadedFile(name, files.picture("PNG"), "image/png"), "note": payload}
    assert (
        chart.client.post(f"/for/{chart.key}/documents/", upload).headers["Location"] != "/login/"
    )
    return taken


def answers_show(client: Any, form: Any) -> int:
    """How often it stands on the page that answers this form, sent as it is, as text."""
    if form.method != "post":
        return 0
    request = encoded(form, plausible(form))
    with Undone():
        answer = call(
            client, "post", request.address, request.body, content_type=request.content_type
        )
    return assert_text_only(page_of(answer), form.action)


def assert_text_only(page: Any, address: str) -> int:
    """How often the payload stands on the page as text."""
    if page is None:
        return 0
    for element in page.iter():
        if not isinstance(element.tag, str):
            assert "xq9" not in str(element.text), (address, "a comment")
            continue
        assert "xq9" not in element.tag, (address, element.tag)
        for name, value in element.attrib.items():
            assert "xq9" not in name, (address, element.tag, name)
            if "xq9" in value and (name in LINKS or name.startswith("on")):
                assert name == "href" and value[:1] in "/?", (address, name, value)
        if element.tag in {"script", "style"}:
            assert "xq9" not in (element.text or ""), (address, element.tag)
    text = " ".join(page.itertext())
    assert "91337" not in text, (address, "a template was run")
    return text.count("xq9")


@pytest.mark.timeout(400)
def test_text_of_families_is_text_everywhere(everything, cast, forms):  # noqa: F811
    world = build_world(cast, forms)
    chart = world.mia
    own = [chart.address(name) for name, (methods, _kind) in MEMBER.items() if "GET" in methods]
    to_send = [
        form
        for form in crawl(chart.client, own, of_a_route=2).forms.values()
        if form.method == "post" and form.route not in NOT_SENT
    ]
    assert min(send_all(chart, to_send, payload) for payload in PAYLOADS) >= 5
    # What comes from elsewhere: the practice's own list, and older rows.
    cast.mia.first_name, cast.mia.preferred_name = PAYLOADS[0], PAYLOADS[1]
    cast.mia.save()
    Contact.objects.for_member(cast.mia).update(name=PAYLOADS[0])
    form = forms.form(PAYLOADS[0])
    for payload in PAYLOADS:
        answer = {"linkId": "how", "text": payload, "answer": [{"valueString": payload}]}
        forms.send(form, cast.mia, items=[answer])

    own = [chart.address(name) for name, (methods, _kind) in MEMBER.items() if "GET" in methods]
    shown = crawl(chart.client, own, of_a_route=3).pages
    owner = staff_of_role("o")
    found = owner.post("/admin/households/member/", {"q": "xq9", "search": "1"})
    search = f"/admin/households/member/{found.headers['Location']}"
    table = reverse("admin:form_csv", args=[form.public_id])
    addresses = [address for name, address in named_addresses() if "o" in STAFF[name][0]]
    found_by_owner = crawl(owner, [search, table, *addresses], of_a_route=2)
    shown |= found_by_owner.pages
    assert sum(answers_show(owner, form) for form in found_by_owner.forms.values()) > 20

    for document in Document.objects.for_member(cast.mia):
        page = chart.address("document_detail", public_id=document.public_id)
        shown[page] = chart.client.get(page)
        page = reverse("admin:documents_document_change", args=[document.pk])
        shown[page] = owner.get(page, follow=True)

    counted = {address: assert_text_only(page_of(page), address) for address, page in shown.items()}
    of_family = [one for one, count in counted.items() if count and one.startswith("/for/")]
    of_staff = [one for one, count in counted.items() if count and one.startswith("/admin/")]
    assert len(of_family) > 15
    assert len(of_staff) > 15
    assert counted[search]
    tables = [
        assert_runs_nothing(answer.bytes, address)
        for address, answer in shown.items()
        if answer.headers.get("Content-Type", "").startswith("text/csv")
    ]
    assert sum(tables) >= len(PAYLOADS)
    for address, answer in shown.items():
        disposition = answer.headers.get("Content-Disposition", "")
        assert '"><' not in disposition and "\n" not in disposition, address


def assert_runs_nothing(table: bytes, address: str) -> int:
    """How many cells hold the payload; none begins as a formula does (IN-07)."""
    rows = csv.reader(io.StringIO(table.decode("utf-8-sig")))
    cells = [cell for row in rows for cell in row]
    for cell in cells:
        assert cell[:1] not in {*"=+-@\t\r"} or cell == "-", (address, cell)
    return sum("xq9" in cell for cell in cells)
