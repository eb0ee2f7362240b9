"""The gate: whatever happens, nothing moves to another person (SECURITY MB-01 to MB-23)."""

from __future__ import annotations

import re
import threading

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from accounts.audit.models import AuditEvent
from households.binding import end_for_members
from households.documents.models import Document
from households.models import Binding, KeptText, Member, Practice
from tests.cast import pick, sign_in
from tests.files import png

MIA, LEO = ("Mia", "2016/04/27"), ("Leo", "2018/09/03")


@pytest.fixture
def family(cast, client):
    sign_in(client, "rivera@example.org")
    return client


def send(client, key, note="", **fields):
    return client.post(f"/for/{key}/documents/", {"files": png(), "note": note, **fields})


def stored_files() -> set[str]:
    return {path.name for path in (settings.DATA / "files").glob("documents/*")}


def owners() -> list[str]:
    return [document.member.first_name for document in Document.objects.select_related("member")]


def test_page_names_the_person_once_and_titles_start_with_the_first_name(family):
    key = pick(family, *MIA)
    for address in [f"/for/{key}/", f"/for/{key}/documents/"]:
        text = family.get(address).content.decode()
        marked = re.findall(r"data-bound-member[^>]*>\s*([^<]*?)\s*<", text)
        assert marked == ["Mia Rivera"]
        assert "2016/04/27" in text
        title = re.search(r"<title>(.*?)</title>", text, re.S)[1].strip()
        assert title.startswith("Mia –")
        assert "2016" not in title


def test_form_opened_for_one_and_sent_after_the_switch_is_refused_with_its_text_kept(family, cast):
    """MB-01, MB-02."""
    before = stored_files()
    mias = pick(family, *MIA)
    leos = pick(family, *LEO)
    answer = send(family, mias, note="Mia's insurance card")
    text = answer.content.decode()
    assert answer.status_code == 409
    assert "Mia" in text
    assert "Leo" in text
    assert f"/for/{leos}/" in text
    assert not Document.objects.exists()
    assert stored_files() == before
    assert KeptText.objects.get().member == cast.mia
    assert AuditEvent.objects.filter(action="stale-page", member_id=cast.mia.pk).exists()


def test_kept_text_comes_back_to_the_same_person_only(family, cast):
    """MB-06, MB-20."""
    mias = pick(family, *MIA)
    pick(family, *LEO)
    send(family, mias, note="for the ear check")
    leos = pick(family, *LEO)
    assert "for the ear check" not in family.get(f"/for/{leos}/documents/").content.decode()
    stranger = Client()
    sign_in(stranger, "okafor@example.org")
    theirs = pick(stranger, *MIA)
    assert "for the ear check" not in stranger.get(f"/for/{theirs}/documents/").content.decode()
    again = pick(family, *MIA)
    assert "for the ear check</textarea>" in family.get(f"/for/{again}/documents/").content.decode()
    assert send(family, again, note="for the ear check").status_code == 302
    assert owners() == ["Mia"]
    assert not KeptText.objects.exists()


def test_page_from_an_earlier_choice_of_the_same_person_says_so(family):
    first = pick(family, *MIA)
    pick(family, *LEO)
    now = pick(family, *MIA)
    answer = send(family, first, note="kept")
    assert answer.status_code == 409
    assert f"/for/{now}/documents/" in answer.content.decode()
    assert not Document.objects.exists()


DAMAGED = {
    "unknown": lambda key: "x" * 22,
    "cut": lambda key: key[:-1],
    "case changed": lambda key: key.swapcase(),
    "longer": lambda key: key + "A",
    "zero": lambda key: "0",
    "negative": lambda key: "-1",
    "null byte": lambda key: "%00",
    "other digits": lambda key: "\u0664\u0662",
    "very long": lambda key: "a" * 3000,
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED.keys())
def test_damaged_keys_open_nothing(family, damage):
    """MB-04, AZ-08."""
    key = pick(family, *MIA)
    answer = send(family, damage(key), note="secret note")
    assert answer.status_code == 409
    assert not Document.objects.exists()
    assert not KeptText.objects.exists()


def test_key_of_another_household_opens_nothing_and_tells_nothing(family, cast):
    pick(family, *LEO)
    stranger = Client()
    sign_in(stranger, "okafor@example.org")
    theirs = pick(stranger, "Ada", "1979/11/30")
    answer = send(family, theirs, note="text")
    assert answer.status_code == 409
    assert "Ada" not in answer.content.decode()
    assert not Document.objects.exists()
    assert not KeptText.objects.exists()


def test_key_of_another_session_of_the_same_login_opens_nothing(family):
    key = pick(family, *MIA)
    other = Client()
    sign_in(other, "rivera@example.org")
    pick(other, *LEO)
    assert send(other, key).status_code == 409
    assert not Document.objects.exists()


def test_another_household_in_the_same_browser(family):
    key = pick(family, *MIA)
    family.post("/logout/")
    sign_in(family, "okafor@example.org")
    pick(family, *MIA)
    answer = send(family, key, note="text of the Riveras")
    assert answer.status_code == 409
    assert "Rivera" not in answer.content.decode()
    assert not Document.objects.exists()
    assert not KeptText.objects.exists()


def test_fresh_token_does_not_help_an_old_form(family):
    """MB-05: the token proves the browser, the key proves the person."""
    browser = Client(enforce_csrf_checks=True)
    browser.cookies = family.cookies
    mias = pick(family, *MIA)
    leos = pick(family, *LEO)
    page = browser.get(f"/for/{leos}/documents/").content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
    answer = browser.post(f"/for/{mias}/documents/", {"files": png(), "csrfmiddlewaretoken": token})
    assert answer.status_code == 409
    assert not Document.objects.exists()


def test_text_outlives_an_idle_sign_out(family, cast):
    """SE-06: sent after the session was over, offered back to the same person after signing in."""
    from datetime import timedelta

    from accounts.models import HouseholdSession

    key = pick(family, *MIA)
    HouseholdSession.objects.update(
        last_seen_at=HouseholdSession.objects.get().last_seen_at - timedelta(hours=1)
    )
    answer = send(family, key, note="a long note")
    assert answer.headers["Location"].startswith("/login/?next=")
    address = answer.headers["Location"]
    login = family.post(
        address,
        {
            "email": "rivera@example.org",
            "password": "correct-walnut-battery-9",
            "next": f"/for/{key}/documents/",
        },
    )
    assert login.headers["Location"].startswith("/who/?next=")
    leo = pick(family, *LEO)
    assert "a long note" not in family.get(f"/for/{leo}/documents/").content.decode()
    assert "a long note" not in family.get(f"/for/{leo}/").content.decode()
    picked = family.post(
        "/who/",
        {"first_name": "Mia", "date_of_birth": "2016/04/27", "next": f"/for/{key}/documents/"},
    )
    assert re.fullmatch(r"/for/[\w-]{22}/documents/", picked.headers["Location"])
    assert "a long note</textarea>" in family.get(picked.headers["Location"]).content.decode()


@pytest.mark.parametrize("over", [True, False], ids=["session over", "session open"])
def test_what_the_idle_page_posts_is_kept_and_never_sent(family, over):
    from datetime import timedelta

    from accounts.models import HouseholdSession

    key = pick(family, *MIA)
    if over:
        HouseholdSession.objects.update(
            last_seen_at=HouseholdSession.objects.get().last_seen_at - timedelta(hours=1)
        )
    answer = send(family, key, note="half a sent", keep_only="1")
    assert answer.status_code == 302
    assert not Document.objects.exists()
    assert KeptText.objects.get().fields == {"note": "half a sent"}
    if over:
        assert answer.headers["Location"].startswith("/login/?next=/for/")
    else:
        assert "half a sent</textarea>" in family.get(answer.headers["Location"]).content.decode()


def test_next_of_another_person_leads_home(family):
    mias = pick(family, *MIA)
    picked = family.post(
        "/who/",
        {"first_name": "Leo", "date_of_birth": "2018/09/03", "next": f"/for/{mias}/documents/"},
    )
    assert re.fullmatch(r"/for/[\w-]{22}/", picked.headers["Location"])


def test_switching_closes_the_chart(family):
    key = pick(family, *MIA)
    answer = family.post("/switch/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/who/")
    assert family.get(f"/for/{key}/").headers["Location"] == "/who/"


@pytest.mark.parametrize("address", ["/switch/", "/who/"])
def test_reading_never_switches(family, address):
    """MB-16."""
    key = pick(family, *MIA)
    family.get(address)
    family.head(address)
    family.get(address, headers={"Sec-Purpose": "prefetch"})
    family.get(
        f"{address}?first_name=Leo&date_of_birth=2018/09/03&again={Member.objects.get(first_name='Leo').public_id}"
    )
    assert family.get(f"/for/{key}/").status_code == 200


def test_foreign_site_cannot_switch(family):
    browser = Client(enforce_csrf_checks=True)
    browser.cookies = family.cookies
    key = pick(family, *MIA)
    for address in ["/switch/", "/who/"]:
        answer = browser.post(
            address, {"first_name": "Leo", "date_of_birth": "2018/09/03"},
            headers={"Origin": "https://evil.example"},
        )  # fmt: skip
        assert answer.status_code == 403
    assert family.get(f"/for/{key}/").status_code == 200


def test_one_tap_goes_only_to_people_chosen_before_in_this_session(family, cast):
    pick(family, *MIA)
    pick(family, *LEO)
    page = family.get("/who/").content.decode()
    assert "Mi" in page
    assert "Elena" not in page
    assert "Lia" not in page
    answer = family.post("/who/", {"again": str(cast.mia.public_id)})
    assert re.fullmatch(r"/for/[\w-]{22}/", answer.headers["Location"])
    for other in (cast.elena, cast.other_mia):
        refused = family.post("/who/", {"again": str(other.public_id)})
        assert refused.status_code == 422
    for odd in ["1", "x\0y", "' OR 1=1", "a" * 5000]:
        assert family.post("/who/", {"again": odd}).status_code == 422


def test_one_tap_is_a_setting(family, cast):
    Practice.objects.create(pk=1, one_tap_switching=False)
    pick(family, *MIA)
    pick(family, *LEO)
    assert "Mia" not in family.get("/who/").content.decode()
    assert family.post("/who/", {"again": str(cast.mia.public_id)}).status_code == 422


@pytest.mark.parametrize(
    "change",
    [
        {"portal_access": False},
        {"status": "inactive"},
        {"status": "deceased"},
        {"email_key": "x@example.org"},
    ],
)
def test_practice_change_binds_on_the_very_next_request(family, change):
    """MB-21, R-WP-12."""
    key = pick(family, *MIA)
    Member.objects.filter(first_name="Mia", last_name="Rivera").update(**change)
    answer = send(family, key, note="typed meanwhile")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/who/")
    assert not Document.objects.exists()
    refused = family.post("/who/", {"first_name": "Mia", "date_of_birth": "2016/04/27"})
    assert refused.status_code == 422
    assert family.get(pick_address(family, LEO)).status_code == 200


def pick_address(client, person) -> str:
    return f"/for/{pick(client, *person)}/"


def test_member_moved_to_another_household_takes_everything_along(family, cast):
    """MB-22."""
    key = pick(family, *MIA)
    send(family, key)
    paper = Document.objects.get()
    cast.mia.email = "ada@example.org"
    cast.mia.save()
    Member.objects.filter(pk=cast.ada.pk).update(email_key="ada@example.org")
    from tests.cast import household

    household("ada@example.org")
    assert family.get(f"/for/{key}/documents/{paper.public_id}/file/").status_code == 302
    stranger = Client()
    sign_in(stranger, "ada@example.org")
    theirs = pick(stranger, *MIA)
    got = stranger.get(f"/for/{theirs}/documents/{paper.public_id}/file/")
    assert b"".join(got.streaming_content)[:4] == b"\x89PNG"


def test_correcting_who_somebody_is_closes_their_open_chart(family, cast):
    key = pick(family, *MIA)
    assert end_for_members([cast.mia]) == 1
    assert family.get(f"/for/{key}/").headers["Location"] == "/who/"


def test_twins_a_hundred_times(family):
    """MB-23."""
    for n in range(50):
        for name in ("Lia", "Max"):
            key = pick(family, name, "2020/02/29")
            assert send(family, key, note=f"{name} {n}").status_code == 302
    assert Document.objects.count() == 100
    for document in Document.objects.select_related("member"):
        assert document.note.split()[0] == document.member.first_name


def test_same_page_sent_twice_is_kept_once(family):
    """MB-18."""
    key = pick(family, *MIA)
    page = family.get(f"/for/{key}/documents/").content.decode()
    sending = re.search(r'name="sending_id" value="([\w-]+)"', page)[1]
    before = stored_files()
    for _ in range(3):
        assert send(family, key, sending_id=sending).status_code == 302
    assert owners() == ["Mia"]
    assert len(stored_files() - before) == 1


@pytest.mark.django_db(transaction=True)
def test_same_page_sent_in_parallel_is_kept_once(cast):
    client = Client()
    sign_in(client, "rivera@example.org")
    key = pick(client, *MIA)
    page = client.get(f"/for/{key}/documents/").content.decode()
    sending = re.search(r'name="sending_id" value="([\w-]+)"', page)[1]
    statuses = in_parallel(5, client, lambda one: send(one, key, sending_id=sending).status_code)
    assert statuses == [302] * 5
    assert owners() == ["Mia"]


@pytest.mark.django_db(transaction=True)
def test_picks_in_parallel_leave_one_open_chart(cast):
    client = Client()
    sign_in(client, "rivera@example.org")
    people = iter([MIA, LEO, ("Lia", "2020/02/29"), ("Max", "2020/02/29")])
    in_parallel(4, client, lambda one: pick(one, *next(people)))
    assert Binding.objects.filter(ended_at=None).count() == 1
    assert Binding.objects.count() == 4


def in_parallel(times, client, action):
    """Run `action` in so many browsers-tabs of `client` at once; what each returned."""
    start, results = threading.Barrier(times), []

    def tab():
        one = Client()
        one.cookies = client.cookies.copy()
        start.wait()
        try:
            results.append(action(one))
        finally:
            connection.close()

    threads = [threading.Thread(target=tab) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_parameters_cannot_move_a_page_to_another_person(family, cast):
    """AZ-04, AZ-05."""
    key = pick(family, *MIA)
    answer = family.post(
        f"/for/{key}/documents/?member={cast.leo.pk}&key=x&member_id={cast.leo.pk}",
        {"files": png(), "member": cast.leo.pk, "member_id": cast.leo.pk, "patient": cast.leo.pk,
         "key": "x", "status": "filed", "public_id": str(cast.leo.public_id), "id": 1},
    )  # fmt: skip
    assert answer.status_code == 302
    document = Document.objects.get()
    assert (document.member, document.status) == (cast.mia, "received")


@pytest.mark.parametrize(
    "odd", ["0", "-1", str(2**63), str(2**64 + 1), "1e3", "1%00", "\u0663", "x" * 3000]
)
def test_odd_ids_are_not_found(family, odd):
    key = pick(family, *MIA)
    for address in [f"/for/{key}/documents/{odd}/", f"/for/{key}/documents/{odd}/file/"]:
        assert family.get(address).status_code == 404


def test_picker_says_that_typed_text_waits(family):
    assert "What you typed is kept" not in family.get("/who/").content.decode()
    mias = pick(family, *MIA)
    pick(family, *LEO)
    send(family, mias, note="for later")
    assert "What you typed is kept" in family.get("/who/").content.decode()
    stranger = Client()
    sign_in(stranger, "okafor@example.org")
    assert "What you typed is kept" not in stranger.get("/who/").content.decode()


def test_key_of_the_household_before_tells_the_new_one_nothing(family, cast):
    """Mia moved to the Okafors; a key from when she was the Riveras' is still not theirs."""
    key = pick(family, *MIA)
    cast.mia.email = "okafor@example.org"
    cast.mia.preferred_name = "Marigold"
    cast.mia.save()
    stranger = Client()
    sign_in(stranger, "okafor@example.org")
    pick(stranger, "Ada", "1979/11/30")
    answer = send(stranger, key, note="text")
    assert answer.status_code == 409
    assert "Marigold" not in answer.content.decode()
    assert not KeptText.objects.exists()
