"""The pages of the staff's sign-in, as a browser goes through them."""

from __future__ import annotations

import re

from django.test import Client

from accounts.audit.models import AuditEvent
from tests.cast import NURSE_PASSWORD
from tests.pages import text_of
from tests.totp import code_of

NURSE = "nurse@example.org"
CODE = "/admin/login/code/"
RECOVERY = "/admin/login/recovery/"
SET_UP = "/admin/login/set-up/"
CODES = "/admin/login/recovery-codes/"
OWN = "/admin/second-factor/"


def half_in(client: Client, email: str = NURSE, leads_to: str = "") -> str:
    """Post the right password; returns where that leads."""
    typed = {"username": email, "password": NURSE_PASSWORD, "next": leads_to}
    answer = client.post("/admin/login/", typed)
    assert answer.status_code == 302, text_of(answer)
    return answer.headers["Location"]


def post_code(client: Client, code: str, address: str = CODE):
    return client.post(address, {"otp_token": code})


def is_in(client: Client) -> bool:
    return client.get("/admin/").status_code == 200


def outcomes() -> list[str]:
    found = AuditEvent.objects.filter(action="second-factor").order_by("pk")
    return [*found.values_list("outcome", flat=True)]


def shown_key(client: Client) -> str:
    page = client.get(SET_UP).content.decode()
    return re.search(r"data-secret>([A-Z2-7 ]+)<", page)[1].replace(" ", "")


def shown_codes(client: Client, address: str = CODES) -> list[str]:
    found = re.findall(r"\b\d{1,2}-\w{4}-\w{4}-\w{4}\b", client.get(address).content.decode())
    assert len(found) == 10
    return found


def post_recovery(client: Client, typed: str):
    return client.post(RECOVERY, {"recovery_code": typed})


def wrong_codes(key: str, count: int) -> list[str]:
    right = {code_of(key, steps) for steps in range(-2, 4)}
    return [code for code in (f"{number:06}" for number in range(100, 200)) if code not in right][
        :count
    ]
