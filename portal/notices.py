"""Where a notice waits for the next page: in a cookie, so that no session is written for it."""

from __future__ import annotations

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage


class NoticeCookie(CookieStorage):
    """Named like our other cookies, so that no neighbouring host can put one into a browser (R-SE-1)."""

    cookie_name = settings.NOTICE_COOKIE
