"""Which pages may be opened by whom. A view that says nothing is not mounted: tests/test_access.py."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from accounts.requests import PortalRequest

View = Callable[..., HttpResponse]


def public(view: View) -> View:
    """Anyone may open it."""
    view.access = "public"  # type: ignore[attr-defined] # a mark of ours that the routes are checked by
    return view


def sign_in_needed(view: View) -> View:
    """A signed-in household may open it; others are sent to sign in."""

    @wraps(view)
    def gated(request: PortalRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.household_session is None:
            return to_sign_in(request)
        return view(request, *args, **kwargs)

    gated.access = "sign-in"  # type: ignore[attr-defined] # a mark of ours that the routes are checked by
    return gated


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """To the sign-in page, and back to this one afterwards."""
    return redirect(with_next("login", request.get_full_path()))


def with_next(name: str, next_page: str) -> str:
    """The address of page `name`, which goes on to `next_page` when it is done; "" for nowhere."""
    if not next_page:
        return reverse(name)
    return f"{reverse(name)}?next={quote(next_page, safe='/')}"
