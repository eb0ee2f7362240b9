"""Staff of every kind in front of the desk's pages."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from tests.cast import NURSE_PASSWORD, sign_in_as_staff


@pytest.fixture
def staff(cast, client) -> Client:
    """The owner, signed in."""
    sign_in_as_staff(client)
    return client


@pytest.fixture
def with_permissions(cast) -> Callable[..., Client]:
    """A browser of somebody who may do what is named, "desk.view_rosterimport", and nothing else."""

    from django.contrib.auth.models import Permission

    from accounts.models import StaffAccount

    def signed_in(*names: str, email: str = "desk@example.org") -> Client:
        account = StaffAccount.objects.create_user(email, NURSE_PASSWORD, name="Dana Desk")
        for name in names:
            app_label, codename = name.split(".")
            account.user_permissions.add(
                Permission.objects.get(content_type__app_label=app_label, codename=codename)
            )
        browser = Client()
        sign_in_as_staff(browser, email)
        return browser

    return signed_in
