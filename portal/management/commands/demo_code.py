"""The code that the demo's owner would read from a phone: for the tour of `make run` and nothing else."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django_otp.oath import totp

from accounts.models import StaffAccount
from accounts.staff import second_factor
from portal import demo


class Command(BaseCommand):
    help = "Print the code with which the demo's owner signs in now."

    def handle(self, *args: Any, **options: Any) -> None:
        if not (settings.LOCAL_RUN and settings.PORTAL_DEMO):
            raise CommandError("This is for the demo of a local run, and there is none here.")
        owner = StaffAccount.objects.filter(email=demo.STAFF).first()
        device = second_factor.device_of(owner) if owner and demo.is_here() else None
        if device is None or device.name != "given":
            raise CommandError(
                "The demo is not here any more, or its owner has an app of their own."
            )
        now = int(time.time())
        # One that was used is no good: the next is, from half a minute before its time.
        step = max(now // 30, device.last_t + 1)
        if step > now // 30 + 1:
            wait = (step - 1) * 30 - now
            raise CommandError(f"The next code is used already. Ask again in {wait} seconds.")
        code = totp(device.bin_key, drift=step - now // 30)
        self.stdout.write(f"{code:06}")
