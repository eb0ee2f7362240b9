"""The nurse with her app; a colleague at the desk."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.test import Client


@pytest.fixture
def key(cast) -> str:
    """Of the nurse's app."""
    from tests.cast import with_an_app  # pytest reads this file before the models are

    return with_an_app()


@pytest.fixture
def enrolled(cast, client) -> SimpleNamespace:
    """The nurse after her very first sign-in: her key and her recovery codes; she is in."""
    from tests.accounts.staff.steps import CODES, SET_UP, half_in, post_code, shown_codes, shown_key
    from tests.totp import code_of

    half_in(client)
    key = shown_key(client)
    assert post_code(client, code_of(key), SET_UP).headers["Location"] == CODES
    codes = shown_codes(client)
    assert client.post(CODES).headers["Location"] == "/admin/"
    return SimpleNamespace(key=key, codes=codes)


@pytest.fixture
def desk(cast) -> SimpleNamespace:
    """A colleague of hers who is in, with the addresses of the pages about them."""
    from accounts.models import StaffAccount
    from tests.cast import NURSE_PASSWORD, sign_in_as_staff

    staff = StaffAccount.objects.create_user("desk@example.org", NURSE_PASSWORD)
    browser = Client()
    sign_in_as_staff(browser, staff.email)
    return SimpleNamespace(
        staff=staff,
        browser=browser,
        page=f"/admin/accounts/staffaccount/{staff.pk}/second-factor/",
        sign_ins=f"/admin/accounts/staffaccount/{staff.pk}/sign-ins/",
        change=f"/admin/accounts/staffaccount/{staff.pk}/change/",
    )
