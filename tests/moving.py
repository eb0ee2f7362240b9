"""What staff do to move something that was sent for the wrong person, through admin's pages."""

from __future__ import annotations

from typing import Any

import lxml.html
from django.contrib.auth.models import Permission
from django.test import Client

from tests.cast import NURSE_PASSWORD, sign_in_as_staff
from tests.pages import fields_of, text_of

REASON = "Another name stands on it"
CHANGES = ("document", "detailchange", "entrychange", "questionnaireresponse")


def page_of(submission: Any) -> str:
    return f"/admin/submissions/submission/{submission.pk}/refile/"


class Mover:
    """Somebody at the practice; `client` is theirs."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def preview(self, submission: Any, to: Any, reason: str = REASON) -> Any:
        return self.client.post(page_of(submission), {"to": to.pk, "reason": reason})

    def confirm(self, submission: Any, preview: Any, **typed: Any) -> Any:
        return self.client.post(page_of(submission), fields_of(preview, **typed))

    def move(self, submission: Any, to: Any, reason: str = REASON) -> Any:
        """Through both pages; returns the row of the trail."""
        from households.submissions.models import Refiling

        preview = self.preview(submission, to, reason)
        assert preview.status_code == 200, text_of(preview)
        answer = self.confirm(submission, preview)
        assert answer.status_code == 302, text_of(answer)
        return Refiling.objects.filter(along_with=None).latest("pk")

    def refused(self, submission: Any, to: Any) -> str:
        """What the page says that cannot be moved; nothing may be offered there."""
        preview = self.preview(submission, to)
        assert preview.status_code == 422, text_of(preview)
        page = lxml.html.fromstring(preview.content.decode())
        assert "confirmed" not in fields_of(preview)
        return " ".join(page.find_class("portal-warning")[0].text_content().split())


def owner() -> Mover:
    client = Client()
    sign_in_as_staff(client)
    return Mover(client)


def front_desk(*left_out: str) -> Mover:
    """Somebody without a superuser's rights who may move what they may see; without those of `left_out`."""
    from accounts.models import StaffAccount

    desk, _new = StaffAccount.objects.get_or_create(email="desk@example.org")
    desk.set_password(NURSE_PASSWORD)
    desk.save()
    wanted = {"view_member", "view_submission", "refile_submission", "view_refiling"}
    wanted |= {f"{way}_{model}" for model in CHANGES for way in ("view", "change")}
    desk.user_permissions.set(Permission.objects.filter(codename__in=wanted - {*left_out}))
    client = Client()
    sign_in_as_staff(client, "desk@example.org")
    return Mover(client)
