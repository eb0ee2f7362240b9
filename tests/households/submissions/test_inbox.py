"""The inbox: who sees what of it, in which order, what is done with many at once, and how many wait."""

from __future__ import annotations

import lxml.html
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.audit.models import AuditEvent
from households.documents.models import Document
from households.intake.models import Questionnaire
from households.submissions.models import Submission
from tests.households.submissions.conftest import DESK, staff_with
from tests.pages import text_of

INBOX = "/admin/submissions/submission/"


def listed(browser: Client, **choices: str) -> list[Submission]:
    return list(browser.get(INBOX, choices).context_data["cl"].result_list)


def head_of(browser: Client, address: str = "/admin/password_change/") -> str:
    page = lxml.html.fromstring(browser.get(address).content.decode())
    return " ".join(" ".join(page.xpath("//*[@class='portal-waiting']//text()")).split())


def press(browser: Client, action: str, *chosen: Submission, query: str = ""):
    posted = {"action": action, "_selected_action": [one.pk for one in chosen]}
    return browser.post(f"{INBOX}{query}", posted, follow=True)


def statuses(*rows: Submission) -> list[str]:
    for row in rows:
        row.refresh_from_db()
    return [row.status for row in rows]


# --- the list -------------------------------------------------------------------------


def test_danger_is_first_then_unseen_then_seen_and_what_is_done_is_not_there(owner, sent):
    newest = sent.document()
    seen = sent.document(status="seen")
    dangerous = sent.form(is_urgent=True)
    older = sent.details()
    read = sent.form(is_urgent=True, status="seen")
    for status in ("filed", "returned", "partly", "withdrawn"):
        sent.document(status=status, reason="Blurry." if status == "returned" else "")
    assert listed(owner) == [dangerous, newest, older, seen, read]


@pytest.mark.parametrize("status", ["filed", "returned", "partly", "withdrawn", "seen", "received"])
def test_each_status_has_its_list(owner, sent, status):
    wanted = sent.document(status=status, reason="Blurry.")
    sent.details(status="seen" if status != "seen" else "filed")
    assert listed(owner, status=status) == [wanted]
    assert (wanted in listed(owner, status="all")) == (status != "withdrawn")


def test_the_list_is_narrowed_by_kind_person_danger_and_who_takes_care(owner, cast, sent):
    paper = sent.document(assigned_to=cast.nurse_staff)
    form = sent.form(cast.leo, is_urgent=True)
    details = sent.details(cast.leo)
    other = staff_with("view_submission", name="Otto Other").account
    Submission.objects.filter(pk=details.pk).update(assigned_to=other)
    assert listed(owner, kind="document") == [paper]
    assert listed(owner, urgent="yes") == [form]
    assert listed(owner, assigned="me") == [paper]
    assert listed(owner, assigned="nobody") == [form]
    assert listed(owner, assigned="somebody") == [paper, details]
    answer = owner.post(INBOX, {"q": "leo riv", "search": "x", "kind": "form"}, follow=True)
    assert list(answer.context_data["cl"].result_list) == [form]
    address = answer.redirect_chain[-1][0]
    assert "leo" not in address.lower()
    # What the list does not know narrows nothing.
    assert len(listed(owner, status="x", kind="x", assigned="x", urgent="x")) == 3


def test_a_row_says_whose_it_is_how_old_from_which_login_and_who_has_it(owner, cast, sent):
    sent.document(assigned_to=cast.nurse_staff, filled_in_by="self")
    words = text_of(owner.get(INBOX))
    row = f"Mia Rivera 2016/04/27 {cast.mia.age} Document"
    assert row in words
    assert "rivera@example.org Nora Quist" in words
    page = owner.get(INBOX).content.decode()
    assert f'href="/admin/accounts/householdaccount/{cast.rivera.pk}/change/"' in page


# --- who sees what --------------------------------------------------------------------


def test_a_kind_that_somebody_may_not_open_is_nowhere_in_their_inbox(cast, sent):
    paper, history = sent.document(), sent.history(cast.leo)
    form = sent.form(cast.elena, is_urgent=True)
    browser = staff_with("view_submission", "view_document", "change_document")
    assert listed(browser) == [paper]
    assert listed(browser, kind="history") == []
    start = text_of(browser.get("/admin/"))
    assert "Mia Rivera" in start
    assert "Leo" not in start
    assert "Elena" not in start
    assert head_of(browser) == "Inbox (1)"
    assert "medical history" not in text_of(browser.get(INBOX))
    document = Document.objects.for_member(cast.mia).get()
    page = browser.get(f"/admin/documents/document/{document.pk}/change/")
    assert "1 of 1" in text_of(page)
    press(browser, "mark_seen", history, form)
    press(browser, "mark_filed", history, form)
    press(browser, "assign_to_me", history, form)
    assert statuses(history, form) == ["received", "received"]
    assert history.assigned_to is None
    for row in (history, form):
        for word in ("assign", "file"):
            assert browser.post(f"{INBOX}{row.pk}/{word}/").status_code == 404
        for word in ("text", "change"):
            assert browser.get(f"{INBOX}{row.pk}/{word}/").status_code == 404


def test_without_the_inbox_there_is_no_count_no_list_and_no_button(cast, sent):
    paper = sent.document()
    browser = staff_with("view_document", "change_document")
    assert head_of(browser) == ""
    start = browser.get("/admin/")
    assert start.status_code == 200
    assert "Mia Rivera" not in text_of(start)
    assert browser.get(INBOX).status_code == 403
    for word in ("assign", "file"):
        assert browser.post(f"{INBOX}{paper.pk}/{word}/").status_code == 403
    assert browser.get(f"{INBOX}{paper.pk}/text/").status_code == 403
    page = browser.get(f"/admin/documents/document/of/{paper.pk}/", follow=True)
    words = text_of(page)
    assert "File it" in words
    assert "Assign to me" not in words
    assert statuses(paper) == ["seen"]


def test_who_may_only_look_decides_nothing(cast, sent):
    paper = sent.document()
    browser = staff_with("view_submission", "view_document")
    assert listed(browser) == [paper]
    assert 'name="action"' not in browser.get(INBOX).content.decode()
    words = text_of(browser.get(f"/admin/documents/document/of/{paper.pk}/", follow=True))
    assert "Copy as text" in words
    for button in ("File it", "Assign to me"):
        assert button not in words
    press(browser, "mark_filed", paper)
    for word in ("assign", "file"):
        assert browser.post(f"{INBOX}{paper.pk}/{word}/").status_code == 403
    assert statuses(paper) == ["received"]


def test_nobody_signed_in_sees_no_count(sent):
    sent.document()
    assert "Inbox" not in text_of(Client().get("/admin/login/"))


# --- many at once ---------------------------------------------------------------------


def test_many_are_assigned_to_me_and_what_is_somebody_elses_stays(desk, cast, sent):
    free, taken = sent.document(), sent.document(assigned_to=cast.nurse_staff)
    words = text_of(press(desk, "assign_to_me", free, taken))
    assert "1 is yours now." in words
    assert "1 was left as it is" in words
    statuses(free, taken)
    assert (free.assigned_to, taken.assigned_to) == (desk.account, cast.nurse_staff)
    entry = AuditEvent.objects.get(outcome="assigned")
    assert (entry.member_id, entry.object_id) == (cast.mia.pk, str(free.public_id))


def test_marked_as_seen_is_all_but_what_somebody_has_to_open(owner, sent):
    paper, details, danger = sent.document(), sent.details(), sent.form(is_urgent=True)
    locked = sent.document(scan="waiting")
    words = text_of(press(owner, "mark_seen", paper, details, danger, locked))
    assert "2 marked as seen." in words
    assert "2 were left as they are" in words
    assert statuses(paper, details, danger, locked) == ["seen", "seen", "received", "received"]


def test_marked_as_filed_is_what_waits_for_no_decision(owner, sent):
    paper, form, details = sent.document(), sent.form(status="seen"), sent.details()
    decided = sent.details(status="seen", parts=0)
    danger, read = sent.form(is_urgent=True), sent.form(is_urgent=True, status="seen")
    returned = sent.document(status="returned", reason="Blurry.")
    rows = (paper, form, details, decided, danger, read, returned)
    words = text_of(press(owner, "mark_filed", *rows, query="?status=all"))
    assert "4 marked as filed." in words
    assert "3 were left as they are" in words
    assert statuses(*rows) == [
        *["filed", "filed", "received", "filed", "received", "filed", "returned"]
    ]


def test_clinical_answers_are_not_marked_by_who_may_not_read_them(desk, owner, sent):
    form = sent.form()
    Questionnaire.objects.update(is_clinical=True)
    press(desk, "mark_filed", form)
    press(desk, "mark_seen", form)
    desk.post(f"{INBOX}{form.pk}/file/")
    assert statuses(form) == ["received"]
    assert desk.get(f"{INBOX}{form.pk}/text/").status_code == 403
    press(owner, "mark_filed", form)
    assert statuses(form) == ["filed"]


def test_what_the_family_took_back_meanwhile_is_said(owner, sent):
    paper = sent.document()
    Submission.objects.filter(pk=paper.pk).update(status="withdrawn")
    words = text_of(press(owner, "mark_filed", paper, query="?status=withdrawn"))
    assert "0 marked as filed." in words
    assert statuses(paper) == ["withdrawn"]


# --- counts ---------------------------------------------------------------------------


def test_the_head_of_every_page_counts_what_is_unseen_up_to_99(desk, cast, sent):
    assert head_of(desk) == "Inbox (0)"
    sent.document(status="seen")
    danger, paper = sent.form(is_urgent=True), sent.document()
    assert head_of(desk) == "Inbox (2) Danger (1)"
    desk.get(f"/admin/documents/document/of/{paper.pk}/", follow=True)
    assert head_of(desk) == "Inbox (1) Danger (1)"
    Submission.objects.filter(pk=danger.pk).update(status="withdrawn")
    assert head_of(desk) == "Inbox (0)"
    Submission.objects.bulk_create(
        Submission(member=cast.mia, kind="document", sent_by=cast.rivera) for _one in range(120)
    )
    assert head_of(desk) == "Inbox (99+)"


def test_the_start_page_has_what_is_unseen_danger_first(desk, cast, sent):
    assert "everything that families sent has been seen" in text_of(desk.get("/admin/"))
    sent.document(cast.leo)
    sent.form(is_urgent=True)
    sent.document(cast.elena, status="seen")
    page = desk.get("/admin/")
    rows = lxml.html.fromstring(page.content.decode()).xpath(
        "//*[contains(@class, 'portal-unseen')]//tbody/tr"
    )
    words = [" ".join(row.text_content().split()) for row in rows]
    assert [words[0].split(" DANGER")[0], words[1].split(" Document")[0]] == [
        f"Mia Rivera 2016/04/27 {cast.mia.age}",
        f"Leo Rivera 2018/09/03 {cast.leo.age}",
    ]
    assert len(words) == 2
    assert AuditEvent.objects.filter(outcome="start-page").exists()
    assert "Open the inbox (2 unseen)" in text_of(page)


def test_pages_cost_the_same_with_3_and_with_60(desk, cast, sent):
    first = sent.document(status="seen")
    for _number in range(2):
        sent.document(status="seen")
    unseen = [sent.document() for _number in range(3)]

    def costs() -> list[int]:
        counted = []
        opened = f"/admin/documents/document/of/{first.pk}/?inbox=kind%3Ddocument"
        for address in ("/admin/", INBOX, f"{INBOX}?assigned=nobody&kind=document", opened):
            desk.get(address, follow=True)  # the session is marked as used once in a while
            with CaptureQueriesContext(connection) as asked:
                assert desk.get(address, follow=True).status_code == 200
            counted.append(len(asked))
        return counted

    before = costs()
    for number in range(57):
        sent.document(status="seen" if number % 2 else "received", assigned_to=desk.account)
        sent.details(cast.leo)
    assert costs() == before
    assert unseen


def test_a_thousand_are_not_done_at_one_press(desk, cast, sent):
    Submission.objects.bulk_create(
        Submission(member=cast.mia, kind="demographics", sent_by=cast.rivera)
        for _number in range(201)
    )
    words = text_of(press(desk, "mark_seen", *Submission.objects.for_member(cast.mia)))
    assert "200 marked as seen." in words
    assert "choose again for the rest" in words


def test_roles_of_the_desk_are_enough(cast, sent):
    sent.document()
    assert len(listed(staff_with(*DESK))) == 1
