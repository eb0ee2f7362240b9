"""A record handed out in a browser: to the family, and to staff who copy it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.browser.conftest import Portal, Visitor, sign_in_as_staff


@pytest.mark.parametrize("width", [320, 1280])
def test_family_keeps_both_files(families: Portal, visitor: Visitor, width: int):
    visitor.sign_in()
    mia = visitor.choose("Mia", "2016/04/27")
    visitor.go(f"{mia}record/")
    visitor.assert_clean()
    files = {}
    for link in ("Download as PDF", "Download for another system (FHIR)"):
        with visitor.page.expect_download() as download:
            visitor.page.get_by_role("link", name=link).click()
        files[Path(download.value.suggested_filename).suffix] = download.value.path().read_bytes()
    assert files[".pdf"].startswith(b"%PDF-")
    assert json.loads(files[".json"])["resourceType"] == "Bundle"
    assert visitor.page.url.endswith("/record/")
    visitor.assert_clean()


@pytest.mark.parametrize("width", [360, 1280])
def test_staff_copy_a_section(families: Portal, visitor: Visitor, width: int):
    page = visitor.page
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    sign_in_as_staff(page, families)
    visitor.go("/admin/households/member/?q=mia")
    page.locator("#result_list tbody th a").first.click()
    page.get_by_role("link", name="Record to copy").click()
    assert "2016/04/27" in page.locator(".portal-person").inner_text()
    visitor.assert_clean()
    page.get_by_role("button", name="Copy: Allergies").click()
    page.get_by_text("Copied.", exact=True).wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == "Allergies\nNot asked\n"
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all with the papers (zip)").click()
    assert download.value.path().read_bytes().startswith(b"PK")
    visitor.assert_clean()
