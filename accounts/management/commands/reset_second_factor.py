"""For the owner who lost phone and recovery codes and has no other owner to ask (SECURITY R-RE-11).

Whoever may run this on the server can read the database as well; the audit keeps that it was done.
"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.emails import email_key
from accounts.models import StaffAccount
from accounts.staff import second_factor


class Command(BaseCommand):
    help = (
        "Remove the second factor of a staff account: app and recovery codes open nothing any more, every "
        "sign-in of it ends, and the next one sets up an app anew. The password stays."
    )
    requires_migrations_checks = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="the email of the staff account")

    def handle(self, *args: Any, **options: Any) -> None:
        email = email_key(options["email"])
        staff = StaffAccount.objects.filter(email=email).first()
        if staff is None:
            raise CommandError(f"There is no staff account {email}.")
        there = second_factor.second_factor_remove(request=None, staff=staff)
        self.stdout.write(
            f"The second factor of {email} is removed."
            if there
            else f"{email} had no second factor. Its sign-ins are ended, and its pauses lifted."
        )
        self.stdout.write("The next sign-in at /admin/ sets up an app for codes.")
