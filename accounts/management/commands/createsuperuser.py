"""Make a staff owner: the first account of a new portal, or one more.

In place of Django's own command, which lets a weak password through when nobody is asked, and which this
app comes before in INSTALLED_APPS.
"""

from __future__ import annotations

import getpass
import os
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts import audit
from accounts.emails import usable_email_key
from accounts.models import StaffAccount
from accounts.passwords import normalised
from accounts.staff import second_factor


class Command(BaseCommand):
    help = "Make a staff owner, who signs in at /admin/ and may do everything there."
    requires_migrations_checks = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", help="the owner's email")
        parser.add_argument(
            "--noinput",
            "--no-input",
            action="store_false",
            dest="ask",
            help="ask nothing: DJANGO_SUPERUSER_EMAIL and DJANGO_SUPERUSER_PASSWORD say it, and, where a "
            "script is to sign in, DJANGO_SUPERUSER_TOTP the base32 secret of the codes",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        secret = ""
        try:
            if options["ask"]:
                email = self._free_email(options["email"] or input("Email: "))
                password = self._asked_password(email)
            else:
                email = self._free_email(options["email"] or _from_environment("EMAIL"))
                password = _strong(_from_environment("PASSWORD"), email)
                secret = _secret()
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        except (KeyboardInterrupt, EOFError):
            raise CommandError("Stopped. Nothing was made.") from None
        with transaction.atomic():
            owner = StaffAccount.objects.create_superuser(email, password)
            if secret:
                second_factor.device_give(owner, secret)
            audit.record(
                audit.Action.STAFF_CHANGE,
                "owner-made",
                object_type="staffaccount",
                object_id=owner.pk,
            )
        self.stdout.write(f"Staff owner {email} can sign in at /admin/.")
        if not secret:
            self.stdout.write("The first sign-in sets up an app for codes on a phone.")

    def _free_email(self, typed: str) -> str:
        email = usable_email_key(typed)
        if StaffAccount.objects.filter(email=email).exists():
            raise CommandError(f"There is already a staff account {email}.")
        return email

    def _asked_password(self, email: str) -> str:
        while True:
            password = getpass.getpass("Password: ")
            if normalised(password) != normalised(getpass.getpass("Password again: ")):
                self.stderr.write("The two passwords are not the same.")
                continue
            try:
                return _strong(password, email)
            except ValidationError as error:
                self.stderr.write(" ".join(error.messages))


def _from_environment(what: str) -> str:
    value = os.environ.get(f"DJANGO_SUPERUSER_{what}", "")
    if not value:
        raise CommandError(f"With --noinput, set DJANGO_SUPERUSER_{what}.")
    return value


def _secret() -> str:
    """As it is stored; "" where none is given. Raises CommandError."""
    given = os.environ.get("DJANGO_SUPERUSER_TOTP", "")
    try:
        return second_factor.from_base32(given) if given.strip() else ""
    except ValidationError as error:
        raise CommandError(f"DJANGO_SUPERUSER_TOTP: {' '.join(error.messages)}") from None


def _strong(password: str, email: str) -> str:
    """The same password. Raises ValidationError."""
    validate_password(password, StaffAccount(email=email))
    return password
