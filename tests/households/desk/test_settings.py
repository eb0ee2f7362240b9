"""The practice's settings: what is refused, what a family would see before it is saved, and the logo."""

from __future__ import annotations

import io

import lxml.html
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from PIL import Image, ImageDraw

from accounts.audit.models import AuditEvent
from households.models import Practice, PracticeLogo
from tests.files import heic, jpeg, pdf, png, webp
from tests.pages import fields_of, text_of

PAGE = "/admin/households/practice/1/change/"
PREVIEW = "/admin/households/practice/preview/"
LOGO = "/admin/households/practice/logo/"


def typed(browser: Client, **changes: str) -> dict:
    fields = fields_of(browser.get(PAGE), "practice_form", **changes)
    return {name: value for name, value in fields.items() if not name.startswith("_")}


def save(browser: Client, **changes: str):
    return browser.post(PAGE, {**typed(browser, **changes), "_continue": "1"}, follow=True)


# --- what is refused ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("phone", "call us", "No phone can be called by this"),
        ("phone", "12", "No phone can be called by this"),
        ("sender", "nobody", "valid email address"),
        ("sender", "hеllo@harbor.example", ""),
        ("time_zone", "Mars/Olympus", "There is no such time zone"),
        ("languages", [], "Choose at least one language"),
        ("languages", ["xx"], "xx"),
        ("adult_age", "5", ""),
        ("announced_ages", "twelve", ""),
        ("announced_days_ahead", "0", ""),
        ("digest_hour", "24", "less than or equal to 23"),
        ("name", "", "This field is required."),
    ],
)
def test_what_cannot_be_is_refused_and_what_was_typed_stays(staff, field, value, says):
    answer = save(staff, **{"hours": "Always", field: value})
    page = text_of(answer)
    assert "Please correct the error below" in page
    assert says in page
    assert not Practice.objects.exists()
    assert fields_of(answer, "practice_form")["hours"] == ["Always"]


def test_somebody_elses_newer_save_is_not_lost(staff):
    fields = typed(staff, name="Mine")
    save(staff, name="Theirs")
    answer = staff.post(PAGE, fields)
    assert "Somebody changed this record after you opened it" in text_of(answer)
    assert Practice.objects.get().name == "Theirs"


def test_a_sender_of_another_domain_than_the_mail_account_is_warned_of(staff, settings):
    settings.EMAIL_CONFIG = {**settings.EMAIL_CONFIG, "EMAIL_HOST_USER": "portal@harbor.example"}
    assert "often ends as spam" in text_of(save(staff, sender="hello@elsewhere.example"))
    assert "often ends as spam" not in text_of(save(staff, sender="hello@harbor.example"))


# --- who may --------------------------------------------------------------------------


def test_without_permission_nothing_is_shown_or_changed(staff, with_permissions):
    fields = typed(staff, name="Forged")
    browser = with_permissions("households.view_member")
    assert browser.get(PAGE).status_code == 403
    assert browser.post(PAGE, fields).status_code == 403
    assert browser.post(PREVIEW, fields).status_code == 403
    assert browser.get(LOGO).status_code == 403
    assert browser.post(LOGO, {"file": png()}).status_code == 403
    assert browser.post(LOGO, {"remove": "1"}).status_code == 403
    looks = with_permissions("households.view_practice", email="looks@example.org")
    answer = looks.get(PAGE)
    assert answer.status_code == 200
    assert b"formaction" not in answer.content
    assert looks.post(PREVIEW, fields).status_code == 403
    assert looks.get(LOGO).status_code == 403
    assert not Practice.objects.exists()


# --- the page -------------------------------------------------------------------------


def test_everything_of_the_practice_is_set_here(staff):
    answer = save(
        staff,
        name="Harbor Family Medicine",
        phone="(617) 555-0123",
        hours="Monday to Friday",
        address="1 Harbor Street",
        sender="hello@harbor.example",
        time_zone="America/Chicago",
        languages=["en"],
        adult_age="18",
        announced_ages="12, 18",
        digest_hour="6",
    )
    assert answer.status_code == 200
    practice = Practice.objects.get()
    assert practice.phone == "(617) 555-0123"
    assert (practice.time_zone, practice.languages, practice.digest_hour) == (
        "America/Chicago",
        ["en"],
        6,
    )
    page = text_of(answer)
    assert "0 of" in page
    assert "15 minutes PORTAL_IDLE_SECONDS" in page
    assert "8 hours PORTAL_ABSOLUTE_SECONDS" in page
    assert AuditEvent.objects.filter(action="staff-change", object_type="practice").exists()


def test_time_outs_are_made_shorter_and_never_longer(staff):
    save(staff, idle_minutes="10", longest_hours="4")
    practice = Practice.objects.get()
    assert (practice.idle_minutes, practice.longest_hours) == (10, 4)
    answer = save(staff, idle_minutes="16", longest_hours="9")
    page = text_of(answer)
    assert "At most 15: whoever runs the portal has set that (PORTAL_IDLE_SECONDS)." in page
    assert "At most 8: whoever runs the portal has set that (PORTAL_ABSOLUTE_SECONDS)." in page
    assert "greater than or equal to 5" in text_of(save(staff, idle_minutes="4"))
    practice.refresh_from_db()
    assert (practice.idle_minutes, practice.longest_hours) == (10, 4)
    save(staff, idle_minutes="", longest_hours="")
    practice.refresh_from_db()
    assert (practice.idle_minutes, practice.longest_hours) == (None, None)


def test_a_time_zone_of_an_old_name_stays_what_it_is(staff):
    Practice.objects.create(pk=1, time_zone="US/Eastern")
    save(staff, name="Harbor")
    assert Practice.objects.get().time_zone == "US/Eastern"


def test_the_lists_of_what_is_asked_are_a_link_away_and_say_how_they_are_set(staff):
    from households.demographics.models import FieldSetting

    FieldSetting.objects.filter(field="occupation").update(shown="hidden")
    page = lxml.html.fromstring(staff.get(PAGE).content.decode())
    links = page.xpath("//dl//a/@href")
    assert "/admin/demographics/fieldsetting/" in links
    assert "/admin/history/sectionsetting/" in links
    assert "/admin/documents/documentkind/" in links
    count = FieldSetting.objects.count()
    assert f"1 of {count} hidden" in " ".join(" ".join(page.itertext()).split())


# --- the preview ----------------------------------------------------------------------


def test_the_preview_shows_what_was_typed_and_saves_nothing(staff):
    save(staff, name="Old name", phone="(617) 555-0100")
    answer = staff.post(
        PREVIEW,
        typed(
            staff,
            name="Harbor <b>Family</b>",
            phone="(617) 555-0123",
            hours="Only Tuesdays",
            sender="new@harbor.example",
            crisis_text="Call my cousin.",
        ),
    )
    page = text_of(answer)
    assert "Nothing is saved." in page
    assert page.count("Harbor <b>Family</b>") >= 4
    assert "Old name" not in page.replace("Old name: staff", "")
    for shown in ("(617) 555-0123", "Only Tuesdays", "new@harbor.example", "Call my cousin."):
        assert shown in page, shown
    assert "Choose your portal password" in page
    assert "How to add family members under the same email" in page
    assert Practice.objects.get().name == "Old name"
    assert "Old name" in text_of(staff.get("/help/family/"))


def test_what_was_previewed_can_be_saved_from_there(staff):
    save(staff, name="Old name")
    answer = staff.post(PREVIEW, typed(staff, name="New name"))
    saved = staff.post(PAGE, fields_of(answer) | {"_continue": "1"})
    assert saved.status_code == 302
    assert Practice.objects.get().name == "New name"


def test_a_preview_of_what_cannot_be_saved_says_so(staff):
    answer = staff.post(PREVIEW, typed(staff, phone="call us", name=""))
    page = text_of(answer)
    assert answer.status_code == 200
    assert "It cannot be saved like this:" in page
    assert "No phone can be called by this" in page
    assert "save these settings" not in page
    assert staff.get(PREVIEW).status_code == 405


def test_a_preview_opens_in_a_page_of_its_own(staff):
    page = lxml.html.fromstring(staff.get(PAGE).content.decode())
    (button,) = page.xpath("//button[@formaction]")
    assert (button.get("formaction"), button.get("formtarget")) == (PREVIEW, "_blank")


# --- the logo -------------------------------------------------------------------------


def big_photo() -> SimpleUploadedFile:
    """As many colours as a picture of this size can have."""
    noise = Image.effect_noise((900, 300), 90).convert("RGB")
    data = io.BytesIO()
    noise.save(data, "JPEG", quality=70)
    return SimpleUploadedFile("logo.jpg", data.getvalue(), "image/jpeg")


def drawing() -> SimpleUploadedFile:
    image = Image.new("RGBA", (1200, 300), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((20, 20, 280, 280), fill=(10, 90, 138, 255))
    data = io.BytesIO()
    image.save(data, "PNG")
    return SimpleUploadedFile("logo.png", data.getvalue(), "image/png")


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (pdf("logo.pdf"), "A logo is a PNG, JPEG or WebP picture."),
        (heic("logo.heic"), "A logo is a PNG, JPEG or WebP picture."),
        (SimpleUploadedFile("logo.png", b"\x89PNG\r\n\x1a\n broken"), "cannot be"),
        (SimpleUploadedFile("logo.svg", b"<svg onload='alert(1)'/>"), "Only PDF, JPEG, PNG"),
        (SimpleUploadedFile("logo.png", b"<script>alert(1)</script>"), "not really a PNG"),
        (SimpleUploadedFile("logo.png", b""), "The file is empty."),
        (SimpleUploadedFile("logo.png", bytes(201 * 1024)), "larger than 200 KB"),
    ],
    ids=["pdf", "heic", "broken", "svg", "script", "empty", "large"],
)
def test_what_is_no_small_picture_is_refused(staff, file, says):
    file.seek(0)
    answer = staff.post(LOGO, {"file": file})
    assert answer.status_code == 422
    assert says in text_of(answer)
    assert not PracticeLogo.objects.exists()
    assert "<svg viewBox" in staff.get("/login/").content.decode()


def test_no_file(staff):
    answer = staff.post(LOGO)
    assert answer.status_code == 422
    assert "Choose the picture." in text_of(answer)


@pytest.mark.parametrize("file", [jpeg, png, webp, big_photo, drawing])
def test_a_picture_becomes_a_small_one_of_our_own(staff, file):
    answer = staff.post(LOGO, {"file": file()})
    assert answer.status_code == 302, text_of(answer)
    practice, logo = Practice.objects.get(), PracticeLogo.objects.get()
    kept = Image.open(io.BytesIO(bytes(logo.picture)))
    assert kept.format == "PNG"
    assert kept.size == (practice.logo_width, practice.logo_height)
    assert kept.width <= 480
    assert kept.height <= 112
    assert len(logo.picture) <= 8 * 1024
    assert kept.info.keys() <= {"transparency"}


def test_the_logo_stands_on_every_page_and_is_kept_by_browsers(staff):
    staff.post(LOGO, {"file": drawing()})
    family = Client()
    page = lxml.html.fromstring(family.get("/login/").content.decode())
    (image,) = page.xpath("//header//img")
    assert image.get("alt") == "", "the name stands beside it"
    answer = family.get(image.get("src"))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert not answer.cookies
    assert "Vary" not in answer.headers or "Cookie" not in answer.headers["Vary"]
    assert family.get("/login/").headers["Cache-Control"] == "no-store"
    on_its_page = lxml.html.fromstring(staff.get(LOGO).content.decode())
    (shown,) = on_its_page.xpath("//p[@class='portal-logo']/img")
    assert shown.get("alt") == "Your practice"
    sheet = staff.get("/admin/help-text/handout/").content.decode()
    assert image.get("src") in sheet


def test_another_logo_replaces_the_first_and_none_the_last(staff):
    staff.post(LOGO, {"file": drawing()})
    first = Practice.objects.get().logo_key
    staff.post(LOGO, {"file": jpeg()})
    second = Practice.objects.get().logo_key
    assert first != second
    assert Client().get(f"/logo/{first}/").status_code == 404
    assert Client().get(f"/logo/{second}/").status_code == 200
    staff.post(LOGO, {"remove": "1"})
    assert Client().get(f"/logo/{second}/").status_code == 404
    assert "<svg viewBox" in Client().get("/login/").content.decode()
    outcomes = AuditEvent.objects.filter(object_type="practice").values_list("outcome", flat=True)
    assert list(outcomes) == ["logo-removed", "logo-set", "logo-set"]


def test_saving_settings_keeps_the_logo_and_costs_no_page_a_query(staff):
    with CaptureQueriesContext(connection) as without:
        Client().get("/login/")
    staff.post(LOGO, {"file": drawing()})
    save(staff, name="Harbor")
    assert Practice.objects.get().logo_key
    Client().get("/login/")
    with CaptureQueriesContext(connection) as with_it:
        Client().get("/login/")
    assert len(with_it) <= len(without)
