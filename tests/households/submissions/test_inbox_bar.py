"""From one thing to the next, and the buttons that stand on the page of each: who takes care of it, filing,
its text."""

from __future__ import annotations

import datetime
from urllib.parse import parse_qs, urlsplit

import lxml.html
import pytest
from django.test import Client
from django.utils import timezone

from accounts.audit.models import AuditEvent
from households.demographics.models import DetailChange
from households.submissions.models import Submission
from tests.households.submissions.conftest import DESK, staff_with
from tests.pages import text_of

INBOX = "/admin/submissions/submission/"


class Page:
    """The page of a thing, as somebody has it before them."""

    def __init__(self, browser: Client, address: str) -> None:
        self.browser = browser
        self.answer = browser.get(address, follow=True)
        assert self.answer.status_code == 200
        self.html = lxml.html.fromstring(self.answer.content.decode())
        self.words = text_of(self.answer)

    @property
    def where(self) -> str:
        return " ".join(self.html.xpath("//*[@data-where]")[0].text_content().split())

    @property
    def pk(self) -> int:
        return int(self.html.xpath("//@data-submission")[0])

    def link(self, rel: str) -> str:
        return next(iter(self.html.xpath(f"//a[@rel='{rel}']/@href")), "")

    def go(self, rel: str) -> Page:
        return Page(self.browser, self.link(rel))

    def press(self, word: str, **typed: str) -> Page:
        form = next(form for form in self.html.forms if f"/{word}/" in (form.get("action") or ""))
        answer = self.browser.post(form.get("action"), {**dict(form.form_values()), **typed})
        assert answer.status_code == 302, answer.status_code
        return Page(self.browser, answer.headers["Location"])


def first(browser: Client, query: str = "") -> Page:
    """The first row of the list, opened by its link."""
    page = lxml.html.fromstring(browser.get(f"{INBOX}{query}").content.decode())
    return Page(browser, page.xpath("//td[contains(@class, 'field-thing')]//a/@href")[0])


# --- the way through ------------------------------------------------------------------


def test_opening_marks_as_seen_and_the_way_goes_on_as_the_list_was(owner, cast, sent):
    danger, newer = sent.form(is_urgent=True), sent.document()
    older, seen = sent.details(cast.leo), sent.document(cast.leo, status="seen")
    page = first(owner)
    way = [page]
    while page.link("next"):
        page = page.go("next")
        way.append(page)
    assert [one.pk for one in way] == [danger.pk, newer.pk, older.pk, seen.pk]
    assert [one.where.split(" ·")[0] for one in way] == [f"{n} of 4" for n in (1, 2, 3, 4)]
    assert not Submission.objects.for_member(cast.mia).filter(status="received").exists()
    # And back the same way, though all of them are seen by now.
    for wanted in (older, newer, danger):
        page = page.go("prev")
        assert page.pk == wanted.pk
    assert page.link("prev") == ""


def test_what_came_meanwhile_and_what_was_done_meanwhile_leaves_the_way_right(desk, owner, sent):
    a, b, c = sent.document(), sent.document(), sent.document()
    page = first(desk)
    assert page.pk == a.pk
    # Somebody else files the next one, and another one comes in on top.
    owner.post(f"{INBOX}{b.pk}/file/")
    new = sent.document(sent_at=timezone.now())
    page = page.go("next")
    assert page.pk == c.pk
    assert page.where.startswith("3 of 3")
    assert page.go("prev").go("prev").pk == new.pk


def test_a_thing_that_left_the_list_still_knows_its_neighbours(desk, sent):
    a, b, c = sent.document(), sent.document(), sent.document()
    page = first(desk).go("next").press("document")
    assert page.pk == b.pk
    assert "Filed" in page.words
    assert page.where.startswith("not among the 2")
    assert page.go("prev").pk == a.pk
    assert page.go("next").pk == c.pk


def test_the_choices_of_the_list_are_kept_and_what_was_typed_is_in_no_address(desk, cast, sent):
    wanted = [sent.document(cast.leo), sent.document(cast.leo)]
    sent.document()
    sent.details(cast.leo)
    found = desk.post(INBOX, {"q": "leo riv", "search": "x", "kind": "document"})
    page = first(desk, found.headers["Location"])
    assert page.where.startswith("1 of 2")
    after = page.go("next")
    assert [page.pk, after.pk] == [one.pk for one in wanted]
    assert after.link("next") == ""
    for address in (page.link("next"), after.link("prev"), after.answer.redirect_chain[-1][0]):
        assert "leo" not in address.lower()
        assert parse_qs(urlsplit(address).query)["inbox"][0].startswith("kind=document&q=~")
    back = after.html.xpath("//*[@data-where]//a/@href")[0]
    assert list(desk.get(back).context_data["cl"].result_list) == wanted


def test_equal_times_have_one_order(desk, sent):
    now = timezone.now() - datetime.timedelta(hours=1)
    rows = [sent.document(sent_at=now) for _number in range(4)]
    page, way = first(desk), []
    while True:
        way.append(page.pk)
        if not page.link("next"):
            break
        page = page.go("next")
    assert way == [one.pk for one in reversed(rows)]


@pytest.mark.parametrize(
    "odd",
    [
        "t=99999999999999999999",
        "t=-5",
        "t=²",
        "status=x&kind=history&assigned=%00",
        "q=leo&t=1",
        "&".join(f"a{number}=1" for number in range(2000)),
        "%ff%00",
    ],
)
def test_an_odd_address_is_the_inbox_as_it_comes(desk, cast, sent, odd):
    sent.document()
    page = desk.get(
        f"/admin/documents/document/of/{Submission.objects.for_member(cast.mia).get().pk}/",
        {"inbox": odd},
        follow=True,
    )
    assert page.status_code == 200
    assert "q=leo" not in page.content.decode().replace("inbox=q%3Dleo", "")


def test_a_page_that_was_opened_from_elsewhere_has_the_inbox_around_it(desk, sent):
    a, b = sent.document(), sent.document()
    page = Page(desk, f"/admin/documents/document/of/{a.pk}/")
    assert page.where.startswith("1 of 2")
    assert page.go("next").pk == b.pk


# --- filing and going on --------------------------------------------------------------


def test_filing_opens_the_next_and_after_the_last_the_list(desk, cast, sent):
    a, b = sent.document(), sent.document(cast.leo)
    page = first(desk).press("submission")
    assert page.pk == b.pk
    assert "Filed." in page.words
    answer = desk.post(f"{INBOX}{b.pk}/file/", follow=True)
    assert answer.redirect_chain[-1][0] == INBOX
    assert "That was the last one in this list." in text_of(answer)
    for row in (a, b):
        row.refresh_from_db()
        assert row.status == "filed"
        assert row.handled_by == desk.account
    # Twice is once.
    answer = desk.post(f"{INBOX}{b.pk}/file/", follow=True)
    assert "Nothing was filed" in text_of(answer)
    assert AuditEvent.objects.filter(outcome="filed", object_id=str(b.public_id)).count() == 1


def test_what_waits_for_a_decision_or_for_a_look_is_not_filed(desk, owner, sent):
    details, danger = sent.details(), sent.form(is_urgent=True)
    locked = sent.document(scan="waiting")
    for row in (details, danger, locked):
        answer = owner.post(f"{INBOX}{row.pk}/file/", follow=True)
        assert "Nothing was filed" in text_of(answer)
        row.refresh_from_db()
        assert row.status != "filed"
    assert "File it" not in Page(desk, f"/admin/documents/document/of/{locked.pk}/").words


def test_accepting_all_of_it_opens_the_next(desk, cast, sent):
    details, paper = sent.details(parts=2), sent.document()
    page = first(desk)
    assert page.pk == details.pk
    page = page.press("accept-all", then_next="1")
    assert page.pk == paper.pk
    assert "2 parts accepted." in page.words
    details.refresh_from_db()
    assert details.status == "filed"
    assert {one.decision for one in DetailChange.objects.for_member(cast.mia)} == {"accepted"}


def test_a_button_of_the_page_keeps_the_way(desk, sent):
    sent.document()
    second = sent.details()
    page = first(desk, "?assigned=nobody").go("next")
    assert page.pk == second.pk
    page = page.press("accept")
    assert "assigned" in page.answer.request["QUERY_STRING"]
    assert page.link("prev")


# --- who takes care of it -------------------------------------------------------------


def test_somebody_takes_it_and_gives_it_back(desk, cast, sent):
    paper = sent.document()
    page = first(desk).press("assign")
    assert "Assigned to you." in page.words
    page.press("assign", to="")  # the page before it was reloaded: pressed twice
    paper.refresh_from_db()
    assert paper.assigned_to == desk.account
    page = Page(desk, f"/admin/documents/document/of/{paper.pk}/").press("assign")
    assert "Given back." in page.words
    paper.refresh_from_db()
    assert paper.assigned_to is None
    assert [*AuditEvent.objects.filter(outcome__in=["assigned", "given-back"])] != []


def test_of_two_at_once_the_second_is_told(desk, owner, sent):
    paper = sent.document()
    ones, others = first(desk), first(owner)
    ones.press("assign")
    after = others.press("assign")
    assert "somebody else took it meanwhile" in after.words
    assert "Assigned to Dana Desk." in after.words
    paper.refresh_from_db()
    assert paper.assigned_to == desk.account
    # Who means to may take it over.
    assert "Take it over" in after.words
    after.press("assign")
    paper.refresh_from_db()
    assert paper.assigned_to == owner.account


@pytest.mark.parametrize("has", ["x", "-1", "9" * 40, "²"])
def test_an_odd_button_is_nobodys(desk, sent, has):
    paper = sent.document()
    assert desk.post(f"{INBOX}{paper.pk}/assign/", {"has": has}).status_code == 302


def test_what_was_taken_back_is_nobodys(desk, sent):
    paper = sent.document(status="withdrawn")
    answer = desk.post(f"{INBOX}{paper.pk}/assign/", follow=True)
    assert "the family took it back" in text_of(answer)
    paper.refresh_from_db()
    assert paper.assigned_to is None
    words = Page(desk, f"/admin/documents/document/of/{paper.pk}/").words
    assert "Assign to me" not in words


@pytest.mark.parametrize("word", ["assign", "file"])
def test_buttons_need_a_post_and_the_token(desk, sent, word):
    paper = sent.document()
    assert desk.get(f"{INBOX}{paper.pk}/{word}/").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = desk.cookies
    assert strict.post(f"{INBOX}{paper.pk}/{word}/").status_code == 403
    paper.refresh_from_db()
    assert (paper.status, paper.assigned_to) == ("received", None)


# --- as text --------------------------------------------------------------------------


def test_every_kind_is_copied_as_text_with_the_person_on_top(owner, cast, sent):
    rows = [sent.document(), sent.details(filled_in_by="self"), sent.history(), sent.form()]
    wanted = ["card.png", "Name: Corner Shop (on file when they wrote: –)", "Allergies", "Any"]
    for row, words in zip(rows, wanted, strict=True):
        page = owner.get(f"{INBOX}{row.pk}/text/")
        box = lxml.html.fromstring(page.content.decode()).get_element_by_id("as_text").text
        lines = box.strip().split("\n")
        assert f"Mia Rivera (“Mimi”), 2016/04/27, {cast.mia.age} years old" in lines[1], row.kind
        assert words in box
        entry = AuditEvent.objects.filter(outcome="text").latest("pk")
        assert (entry.member_id, entry.object_id) == (cast.mia.pk, str(row.public_id))


def test_the_person_stands_on_every_part(desk, sent):
    sent.details(parts=2)
    page = first(desk)
    parts = page.html.xpath("//section[@data-part]/h2")
    assert len(parts) == 2
    for part in parts:
        assert "Mia Rivera (“Mimi”), 2016/04/27" in part.text_content()


def test_two_of_the_staff_have_ways_of_their_own(cast, sent):
    sent.document()
    one = staff_with(*DESK)
    assert first(one).where.startswith("1 of 1")
