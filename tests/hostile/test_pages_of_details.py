"""Every page of the details and the history against odd addresses, names that are on no form, scripts, text
that is private, and a session that ends in the middle (SECURITY cases AZ-04, AZ-05, AZ-08, IN-01, SE-06,
DL-01)."""

from __future__ import annotations

import itertools
import json
import re
import time
import uuid
from collections import Counter

import lxml.html
import pypdfium2
import pytest

from tests.hostile.chart import (
    AVA,
    BEN,
    DETAILS,
    HISTORY,
    Chart,
    Form,
    Practice,
    family,
    forms_of,
    stands,
    text_of,
)
from tests.hostile.conftest import through_proxy
from tests.hostile.visitor import Answer, Visitor
from tests.real_portal import RealPortal

pytestmark = pytest.mark.timeout(180)  # the portals' own start included
NORA = ("Nora", "1990/01/15")
SECTIONS = {
    "allergies": "substance",
    "medications": "name",
    "conditions": "name",
    "procedures": "what",
    "family": "condition",
    "immunizations": "vaccine",
    "screenings": "what",
    "practitioners": "name",
    "goals": "text",
}


@pytest.fixture
def mark() -> str:
    return f"w{uuid.uuid4().hex[:12]}"


@pytest.fixture
def practice(portal: RealPortal) -> Practice:
    return Practice(portal)


@pytest.fixture
def ava(portal: RealPortal) -> Chart:
    return family(portal, AVA)


def crawled(chart: Chart) -> dict[str, Answer]:
    """Every page of the details, the history and the record that links lead to, by its address. Of the
    pages about one thing, such as an entry, those of the latest two."""
    found: dict[str, Answer] = {}
    kinds: Counter[str] = Counter()
    waiting = [f"{chart.home}{page}" for page in ("demographics/", "history/", "record/")]
    waiting.append(f"{chart.home}filled-in-by/")
    while waiting:
        path = waiting.pop()
        kind = re.sub(r"[0-9a-f-]{36}", "<id>", path)
        if path in found or "/documents/" in path or kinds[kind] == 2:
            continue
        kinds[kind] += 1
        found[path] = chart.visitor.get(path)
        assert found[path].status == 200, path
        if "text/html" not in found[path].headers["Content-Type"]:
            continue
        page = lxml.html.fromstring(found[path].text)
        links = page.xpath("//main//a/@href")
        waiting += [link for link in links if link.startswith(chart.home) and link != chart.home]
    return found


def begin(chart: Chart, mark: str) -> None:
    """Something of each kind, so that every kind of page is there."""
    chart.saves("demographics/pharmacy/", pharmacy_name=f"Corner {mark}")
    chart.saves("demographics/contacts/new/", name=f"Gran {mark}", relationship="FRND")
    chart.saves("history/allergies/add/", substance=f"Latex {mark}")
    chart.saves("history/conditions/add/", name=f"Asthma {mark}")
    entry = chart.entry("conditions", f"Asthma {mark}")
    chart.saves(f"history/conditions/{entry}/end/", status="ended")
    chart.saves("history/birth/add/", "feeding", feeding="breast")
    chart.saves("history/family/", "answer", answer="none")


# --- names and ids --------------------------------------------------------------------

FORGED = {
    **dict.fromkeys(("member", "member_id", "patient", "household", "id", "pk", "account"), "2"),
    "patient_id": "P2",
    "public_id": str(uuid.uuid4()),
    "row": str(uuid.uuid4()),
    "primary_email": "thief@example.com",
    "email": "thief@example.com",
    "sex": "M",
    "date_of_birth": "1990/01/01",
    "first_name": "Thief",
    "last_name": "Thief",
    "is_confirmed": "1",
    "decision": "accepted",
    "decided_by": "1",
    "decided_at": "2020-01-01",
    "recorded_in": "1",
    "changed_in": "1",
    "submission": "1",
    "is_staff": "1",
    "portal_access": "0",
    "is_private": "0",
    "edited_values": "{}",
    "values": "{}",
    "before": "{}",
    "field": "email",
    "section": "goals",
    "accepts_itself": "1",
    "reviewed_by": "1",
    "key": "A" * 22,
    "_method": "DELETE",
    "sent_by": "1",
}


def test_names_that_are_on_no_form_change_nothing(portal, ava, practice, mark):
    """AZ-04, AZ-05: on every form that a crawl finds, also repeated, in the query and before the real one."""
    begin(ava, mark)
    person = f"/admin/households/member/{practice.member('P1')}/change/"

    def on_file() -> list[list[tuple[str, str]]]:
        return [form.fields for form in forms_of(practice.visitor.get(person), person)]

    before, of_ben = on_file(), stands(portal, BEN)
    forms = {
        (form.action, frozenset(dict(form.fields)), form.buttons): form
        for path, page in crawled(ava).items()
        if "text/html" in page.headers["Content-Type"]
        for form in forms_of(page, path)
    }
    assert len(forms) > 45
    kinds = {re.sub(r"[0-9a-f-]{36}", "<id>", action) for action, *_names in forms}
    for kind in ("contacts/<id>/remove/", "allergies/<id>/end/", "pharmacy/keep/", "birth/add/"):
        assert [one for one in kinds if one.endswith(kind)], kind
    for form in forms.values():
        if form.action.endswith(("/email/", "/date_of_birth/", "/legal_name/", "/sex/")):
            continue  # their own names are those of the file; they are asked for, as the others are
        names = {name for name, _value in form.fields} | form.buttons
        forged = [(name, value) for name, value in FORGED.items() if name not in names]
        seen = [("sending_id", str(uuid.uuid4()))] if "sending_id" in names else []
        sent = Form(
            f"{form.action}?member=2&key={'A' * 22}&patient_id=P2",
            [*forged, *seen, *form.fields, *forged],
        )
        answer = sent.sent_by(ava.visitor)
        assert answer.status in {302, 409, 422}, (form.action, answer.status)
        assert "Ben" not in answer.text.replace("Ben Rivera</", ""), form.action
    assert on_file() == before
    assert stands(portal, BEN) == of_ben
    record = ava.get("record/fhir/").text
    for word in ("thief", "Thief", "1990-01-01"):
        assert word not in record + ava.get("demographics/").text
    assert set(practice.decisions(mark)) <= {"waiting", "replaced"}


ODD = (
    *("0", "-1", "9223372036854775808", "1e3", "1%00", "%D9%A3", "a" * 3000, "9" * 5000, "%ff"),
    *("%F0%9F%98%80", "null", "..%2f..%2f", "__class__", "00000000-0000-0000-0000-000000000000"),
)


def test_odd_ids_lead_nowhere(ava, practice, mark):
    """AZ-08, for the family and for staff."""
    begin(ava, mark)
    entry, contact = ava.entry("allergies", f"Latex {mark}"), ava.contact(f"Gran {mark}")
    odd = [*ODD, entry.upper(), contact.upper(), entry.replace("-", ""), f"%7B{entry}%7D"]
    places = [
        *("demographics/{}/", "demographics/{}/keep/", "demographics/contacts/{}/"),
        *("demographics/contacts/{}/keep/", "demographics/contacts/{}/remove/", "history/{}/"),
        *("history/{}/add/", "history/allergies/{}/", "history/allergies/{}/end/"),
        *("history/allergies/{}/past/", f"history/{{}}/{entry}/", f"history/goals/{entry}/end/"),
        *("record/{}/", "demographics/address/?from={}", "history/{0}/{0}/past/"),
    ]
    for place in places:
        for one in odd:
            path = f"{ava.home}{place.format(one)}"
            answers = [ava.visitor.get(path)]
            if "?" not in place:
                answers.append(ava.visitor.post(path, {"status": "error"}))
            for answer in answers:
                assert answer.status in {400, 404, 405, 409, 414, 422}, (path[:200], answer.status)
                assert mark not in answer.text
    number = practice.sent(mark)[0][1]
    for admin in (DETAILS, HISTORY):
        for place in (
            *("/of/{}/", "/of/{}/accept-all/", "/{}/accept/", "/{}/return/", "/{}/edit/"),
            *("/on-file/{}/", "/on-file/{0}/change/{0}/", "/on-file/1/change/contacts/{}/"),
            *("/{}/change/", "/{}/history/", "/?decision__exact={}", "/?p={}"),
        ):
            for one in odd[::2]:
                path = f"{admin}{place.format(one)}"
                for answer in (practice.visitor.get(path), practice.visitor.post(path)):
                    assert answer.status < 500, (path[:200], answer.status)
    for one in odd:
        for place in ("/admin/record/{}/", "/admin/record/{}/pdf/", "/admin/record/{}/fhir/"):
            assert practice.visitor.get(place.format(one)).status in {302, 403, 404, 414}
    assert set(practice.decisions(mark)) <= {"waiting", "replaced"}
    assert number


def test_forged_version_marks_and_odd_types(ava, mark):
    """What a page says of itself is only believed as far as it is true."""
    forms = [
        ava.form("demographics/doctor/", doctor_name=mark),
        ava.form("history/lifestyle/add/", "sleep", **{"sleep-detail": mark}),
        ava.form("history/allergies/add/", substance=mark),
        ava.form("history/goals/", "answer", answer="none"),
        ava.form("demographics/", "confirm/"),
    ]
    for form in forms:
        for odd in (
            "-1",
            "99999999999999999999",
            "1e3",
            "\u0663",
            "\0",
            "x" * 5000,
            "[]",
            "\ud800",
        ):
            names = [
                name
                for name, _value in form.fields
                if name in {"seen", "sending_id", "version", "confirmed_before"}
                or name.endswith("-version")
            ]
            for name in names:
                odd_form = form.typed({name: odd.encode("utf-8", "replace").decode()})
                assert odd_form.sent_by(ava.visitor).status in {302, 409, 422}, (form.action, name)


# --- scripts --------------------------------------------------------------------------

PAYLOADS = (
    "<script>x{0}=1</script>",
    '"><img src=x onerror=x{0}()>',
    "{{{{7*7}}}}{{% debug %}}x{0}",
    "javascript:x{0}()",
    "'-x{0}-'</textarea></title><b>",
)


# Boxes that take no free text, and the choices that go with the others.
NO_WORDS = re.compile(r".*(phone|since|until|age_|state|birth-weight).*|happened|given")
SHORT = {"postal_code", "preferred_language"}
CHOICES = {
    "relationship": "FRND",
    "filled_in_by": "guardian",
    "subscriber": "",
    "relative": "MTH",
}
KINDS = {"procedures": "stay", "screenings": "other", "goals": "goal", "medications": "otc"}


def test_scripts_are_text_everywhere(ava, practice, mark):
    """IN-01: on the portal's pages, staff's review, lists, person and record, in the PDF and in FHIR."""
    pages = [f"demographics/{key}/" for key in ("pronouns", "occupation", "address", "doctor")]
    pages += ["demographics/pharmacy/", "demographics/primary_insurance/", "demographics/language/"]
    pages += ["demographics/communication/", "demographics/contacts/new/", "filled-in-by/"]
    pages += [f"history/{section}/add/" for section in (*SECTIONS, "lifestyle", "birth")]
    payloads = itertools.cycle(PAYLOADS)
    sent: dict[str, list[str]] = {}
    for page in pages:
        answer = ava.get(page)
        form = max(forms_of(answer, f"{ava.home}{page}"), key=lambda one: len(one.fields))
        boxes = lxml.html.fromstring(answer.text).xpath(
            "//main//form[@method='post']//*[self::input[@type='text'] or self::textarea]/@name"
        )
        words = {
            box: "" if NO_WORDS.fullmatch(box) else next(payloads).format(mark) for box in boxes
        }
        words |= dict.fromkeys(words.keys() & SHORT, f"<i>{mark}")
        kind = KINDS.get(page.split("/")[1], "")
        answer = form.typed({**CHOICES, "kind": kind, **words}).sent_by(ava.visitor)
        assert answer.status == 302, (page, text_of(answer)[:500])
        sent[page] = [word for word in words.values() if word]

    for path, answer in crawled(ava).items():
        if "text/html" in answer.headers["Content-Type"]:
            nothing_runs(answer, mark, path)
    for page, words in sent.items():
        where = page.removesuffix("add/") if "history" in page else "demographics/"
        shown = text_of(ava.get(page if "filled" in page else where))
        assert [word for word in words if one_line(word) not in shown] == [], page

    member = practice.member("P1")
    staff = [f"/admin/record/{member}/", f"/admin/households/member/{member}/change/"]
    staff += ["/admin/submissions/submission/", f"{DETAILS}/", f"{HISTORY}/"]
    staff += [f"{DETAILS}/on-file/{member}/"]
    staff += sorted({f"{admin}/of/{submission}/" for admin, _pk, submission in practice.sent(mark)})
    assert len(staff) > 12
    for path in staff:
        nothing_runs(practice.visitor.get(path), mark, path)
    entries = [word for page, words in sent.items() if "history" in page for word in words]
    record = practice.record("P1")
    assert [word for word in entries if word not in record] == []
    told = str(json.loads(ava.get("record/fhir/").body))
    assert [word for word in PAYLOADS if repr(word.format(mark))[1:-1] not in told] == []
    document = pypdfium2.PdfDocument(ava.get("record/pdf/").body)
    printed = "".join(page.get_textpage().get_text_bounded() for page in document)
    document.close()
    printed = re.sub(r"[\s\u200b\ufffe]", "", printed)
    assert [one for one in entries if re.sub(r"\s", "", one) not in printed] == []


def one_line(words: str) -> str:
    return " ".join(words.split())


def nothing_runs(answer: Answer, mark: str, path: str) -> None:
    assert answer.status == 200, path
    page = lxml.html.fromstring(answer.text)
    assert [one for one in page.xpath("//script/text()") if mark in one] == [], path
    assert page.xpath("//@*[starts-with(name(), 'on')]") == [], path
    assert page.xpath("//img[@src='x']") == [], path
    for link in page.xpath("//@href | //@src | //@action"):
        assert not re.match(r"\s*javascript:", link), path
        assert mark not in link, path
    assert f"49x{mark}" not in answer.text, path


# --- what is private ------------------------------------------------------------------


def told_to(chart: Chart) -> str:
    """All that a login can read of a chart, its files included."""
    pages = [answer.text for answer in crawled(chart).values()]
    document = pypdfium2.PdfDocument(chart.get("record/pdf/").body)
    pages += [page.get_textpage().get_text_bounded() for page in document]
    document.close()
    return " ".join([*pages, chart.get().text, chart.visitor.get("/who/").text])


def test_private_answers_come_back_to_nobody_who_shares_the_login(portal, ava, practice, mark):
    other, ben = family(portal, AVA), family(portal, BEN)
    page = "history/wellbeing/add/"
    stale = other.form(page, "mood", mood="low", **{"stress-detail": f"stale {mark}"})
    ava.saves(page, "mood", mood="low", **{"mood-detail": f"first {mark}"})
    # Another browser's answer to the same question, and an answer to all of them.
    assert stale.sent_by(other.visitor).status == 302
    ava.saves("history/wellbeing/", "answer", answer="none")
    # Sent for somebody who is not open any more; with the token of another form; twice.
    form = ava.form(page, "mood", mood="good", **{"mood-detail": f"later {mark}"})
    moved = Chart(ava.visitor, BEN)
    answers = [form.sent_by(ava.visitor)]
    assert answers[0].status == 409
    ava = ava.open_again()
    answers += [form.sent_by(ava.visitor), ava.get(page), moved.get()]
    (admin, pk, submission) = practice.sent(f"stale {mark}")[0]
    back = practice.button(admin, pk, submission, "return", words=f"You wrote {mark}")
    assert back.sent_by(practice.visitor).status == 302
    told = " ".join([*(one.text for one in answers), told_to(ava), told_to(other), told_to(ben)])
    assert mark not in told
    # The practice has what was sent, and staff's own file of the record too.
    assert f"stale {mark}" in practice.record("P1")
    assert f"later {mark}" not in practice.record("P1")
    member = practice.member("P1")
    assert mark in practice.visitor.get(f"/admin/record/{member}/fhir/").text


def test_whoever_is_alone_on_a_login_reads_private_answers_back(portal, mark):
    nora = family(portal, NORA, "nurse@example.org")
    nora.saves("history/wellbeing/add/", "mood", mood="low", **{"mood-detail": f"a {mark}"})
    told = told_to(nora)
    assert told.count(f"a {mark}") > 3
    form = nora.form("history/wellbeing/add/", "mood", **{"mood-detail": f"b {mark}"})
    nora.visitor.post("/switch/")
    assert form.sent_by(nora.visitor).location == "/who/"
    nora = nora.open_again()
    assert f"b {mark}" in nora.get("history/wellbeing/add/").text


# --- the session ends in the middle ---------------------------------------------------


def test_what_was_typed_when_the_session_ended(proxied, mark):
    """SE-06: back for the same person, for nobody else, and never what is private."""

    def signed_in() -> Visitor:
        visitor = through_proxy(proxied)
        assert visitor.sign_in("rivera@example.org").location == "/who/"
        return visitor

    ava = Chart(signed_in(), AVA)
    typed = {
        "demographics/pharmacy/": "pharmacy_name",
        "demographics/contacts/new/": "name",
        "history/allergies/add/": "substance",
        "history/lifestyle/add/": "sleep-detail",
        "filled-in-by/": "filled_in_name",
        "history/wellbeing/add/": "mood-detail",
    }
    forms = {page: ava.filled(page, {box: f"{box} {mark}"}, box) for page, box in typed.items()}
    time.sleep(3.6)
    for page, form in forms.items():
        answer = form.sent_by(ava.visitor)
        assert answer.status == 302, page
        assert answer.location.startswith("/login/?next="), page
        assert mark not in answer.location
    assert ava.visitor.sign_in("rivera@example.org").location == "/who/"
    ben = Chart(ava.visitor, BEN)
    for page in typed:
        assert mark not in ben.get(page).text, page
    ava = Chart(signed_in(), AVA)
    for page, box in typed.items():
        private = "wellbeing" in page
        assert (f"{box} {mark}" in ava.get(page).text) != private, page
    assert mark not in ava.get("record/fhir/").text
    # Sent now, it is there once.
    assert ava.form("history/allergies/add/").sent_by(ava.visitor).status == 302
    assert ava.get("record/fhir/").text.count(f'"substance {mark}"') == 1


# --- the record as a file -------------------------------------------------------------

OURS = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@pytest.mark.parametrize(
    ("kind", "content_type"), [("pdf", "application/pdf"), ("fhir", "application/fhir+json")]
)
def test_a_record_leaves_as_a_file_and_to_its_own_login(
    portal, ava, practice, mark, kind, content_type
):
    ava.saves("history/allergies/add/", substance=mark)
    path = f"{ava.home}record/{kind}/"
    staff = f"/admin/record/{practice.member('P1')}/{kind}/"
    for visitor, address in ((ava.visitor, path), (practice.visitor, staff)):
        answer = visitor.get(address)
        assert answer.status == 200
        assert {name: answer.headers[name] for name in OURS} == OURS
        assert answer.headers["Content-Type"] == content_type
        assert re.fullmatch(
            r'attachment; filename="record-\d{4}-\d\d-\d\d\.(pdf|json)"',
            answer.headers["Content-Disposition"],
        )
        head = visitor.request("HEAD", address)
        assert (head.status, head.body) == (200, b"")
        for how in ("bytes=0-9", f"bytes={2**64}-", "bytes=5-2"):
            assert visitor.get(address, Range=how).status in {200, 206, 416}
        assert visitor.post(address).status == 405
    ben = Chart(ava.visitor.copy(), BEN)  # a brother's chart is open in this session now
    stranger = family(portal, AVA, "chen@example.org")
    for answer in (ava.visitor.get(path), stranger.visitor.get(path)):
        assert answer.status == 409
        assert mark not in answer.text
    assert mark not in ben.get(f"record/{kind}/").text
    for nobody in (Visitor(portal), practice.visitor):
        assert nobody.get(path).location.startswith("/login/")
    for outsider in (Visitor(portal), stranger.visitor):
        assert outsider.get(staff).location.startswith("/admin/login/")
    ben.visitor.post("/switch/")
    assert ben.visitor.get(path).location.startswith("/who/")
