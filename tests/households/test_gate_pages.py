"""What a family reads while the gate does its work: whose chart is open, what was not sent, the way on."""

from __future__ import annotations

import re
from datetime import timedelta

import lxml.html
import pytest

from accounts.models import HouseholdSession
from households.documents.models import Document
from households.models import KeptText, Practice
from tests.cast import pick, sign_in
from tests.files import png
from tests.pages import fields_of, text_of, title_of

MIA, LEO = ("Mia", "2016/04/27"), ("Leo", "2018/09/03")


@pytest.fixture
def family(cast, client):
    sign_in(client, "rivera@example.org")
    return client


def banner_of(answer) -> str:
    page = lxml.html.fromstring(answer.content.decode())
    return " ".join(page.find_class("chart")[0].text_content().split())


def send(client, key):
    return client.post(f"/for/{key}/documents/", {"files": png(), "note": "both sides"})


@pytest.mark.parametrize("page", ["", "documents/"])
def test_preferred_name_stands_beside_the_name_on_file(family, page):
    answer = family.get(f"/for/{pick(family, *MIA)}/{page}")
    assert title_of(answer).startswith("Mia –")
    assert "Mia Rivera Called Mimi. Born 2016/04/27" in banner_of(answer)


def test_name_on_file_is_not_said_twice(family):
    assert "Called" not in banner_of(family.get(f"/for/{pick(family, *LEO)}/"))


def test_date_of_birth_is_read_back_in_words(family):
    assert "born September 3, 2018" in text_of(family.get(f"/for/{pick(family, *LEO)}/"))


def test_picker_says_whose_chart_is_open_and_leads_back_to_it(family):
    key = pick(family, *LEO)
    answer = family.get("/who/")
    assert "The chart of Leo Rivera is open now." in text_of(answer)
    assert f'href="/for/{key}/"' in answer.content.decode()
    family.post("/switch/")
    assert "is open now" not in text_of(family.get("/who/"))


def test_send_with_no_chart_open_is_not_passed_over(family):
    key = pick(family, *MIA)
    family.post("/switch/")
    family.get("/who/")
    assert send(family, key).headers["Location"] == "/who/"
    text = text_of(family.get("/who/"))
    assert "Nothing was sent: the chart was closed." in text
    assert "What you typed is kept." in text
    assert not Document.objects.exists()


def test_looking_at_an_old_page_is_no_send(family):
    key = pick(family, *MIA)
    family.post("/switch/")
    family.get(f"/for/{key}/")
    assert "Nothing was sent" not in text_of(family.get("/who/"))


def test_send_after_signing_out_is_not_passed_over(family):
    key = pick(family, *MIA)
    family.post("/logout/")
    answer = send(family, key)
    text = text_of(family.get(answer.headers["Location"]))
    assert "Nothing was sent: you were signed out." in text
    assert "kept" not in text


def test_send_after_an_idle_sign_out_says_that_the_text_is_kept(family):
    key = pick(family, *MIA)
    over = HouseholdSession.objects.get().last_seen_at - timedelta(hours=1)
    HouseholdSession.objects.update(last_seen_at=over)
    answer = send(family, key)
    text = text_of(family.get(answer.headers["Location"]))
    assert "Nothing was sent. What you typed is kept: sign in to go on." in text


def test_stale_page_is_one_tap_from_its_own_person(family):
    """The page that was refused, with its text, and not the list of people: the first one on it is the
    person whom this page is not for."""
    key = pick(family, *MIA)
    pick(family, *LEO)
    refused = send(family, key)
    picked = family.post("/who/", fields_of(refused))
    assert re.fullmatch(r"/for/[\w-]{22}/documents/", picked.headers["Location"])
    page = family.get(picked.headers["Location"])
    assert "Mia Rivera" in banner_of(page)
    assert "both sides</textarea>" in page.content.decode()


def test_stale_page_asks_the_two_facts_where_one_tap_is_off(family):
    Practice.objects.create(pk=1, one_tap_switching=False)
    key = pick(family, *MIA)
    pick(family, *LEO)
    page = send(family, key).content.decode()
    assert "Switch to Mimi" in page
    assert 'name="again"' not in page


def test_chart_closed_by_the_practice_is_said(family, cast):
    key = pick(family, *MIA)
    cast.mia.portal_access = False
    cast.mia.save()
    assert family.get(f"/for/{key}/").headers["Location"] == "/who/"
    text = text_of(family.get("/who/"))
    assert "The chart is closed. Choose the person to go on." in text
    assert "Mia" not in text


def test_kept_note_can_be_deleted(family, cast):
    key = pick(family, *MIA)
    pick(family, *LEO)
    send(family, key)
    key = pick(family, *MIA)
    page = f"/for/{key}/documents/"
    assert "both sides</textarea>" in family.get(page).content.decode()
    assert family.post(page, {"let_go": "1"}).headers["Location"] == page
    shown = family.get(page)
    assert "What you typed is deleted." in text_of(shown)
    assert "both sides" not in shown.content.decode()
    assert "Not sent yet" not in text_of(family.get(f"/for/{key}/"))


def test_buttons_and_numbers_of_an_old_page_are_no_typed_text(family, cast):
    old = pick(family, "Mia", "2016/04/27")
    pick(family, "Leo", "2018/09/03")
    for numbers in ({"confirm": "1", "version": "3"}, {"mood-version": "0", "mood": ""}):
        answer = family.post(f"/for/{old}/history/goals/", numbers)
        assert answer.status_code == 409
        assert "is kept" not in text_of(answer)
    assert not KeptText.objects.exists()


def test_deleting_a_note_from_an_old_page_deletes_and_keeps_nothing(family, cast):
    key = pick(family, *MIA)
    pick(family, *LEO)
    send(family, key)
    assert family.post(f"/for/{key}/documents/", {"let_go": "1"}).status_code == 409
    assert [text.fields for text in KeptText.objects.all()] == [{"note": "both sides"}]
