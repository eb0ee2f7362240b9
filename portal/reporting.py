"""Where somebody who found a weakness reports it (RFC 9116), so that the report does not bounce."""

from __future__ import annotations

import datetime

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.access import public
from portal.health import PLAIN

# A portal that runs vouches for its contact day by day. Who kept a copy has to come back within a month, and
# of one that is switched off nothing is promised after that.
VOUCHED_FOR = datetime.timedelta(days=30)


@public
@require_safe
def security_txt(request: HttpRequest) -> HttpResponse:
    """Not found without a contact: an address that nobody reads is worse than none."""
    if not settings.SECURITY_CONTACT:
        raise Http404
    expires = (timezone.now().astimezone(datetime.UTC) + VOUCHED_FOR).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    lines = [
        f"Contact: {settings.SECURITY_CONTACT}",
        f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}",
        "Preferred-Languages: en",
    ]
    # RFC 9116 wants https. The host is the configured one, never the request's.
    if settings.PORTAL_URL.startswith("https://"):
        lines += [
            f"Canonical: {settings.PORTAL_URL}{reverse('security_txt')}",
            f"Policy: {settings.PORTAL_URL}{reverse('security_policy')}",
        ]
    return HttpResponse("\n".join(lines) + "\n", content_type=PLAIN)


@public
@require_safe
def security_policy(request: HttpRequest) -> HttpResponse:
    """SECURITY.md, for whoever stands before a portal and not before its source."""
    if not settings.SECURITY_CONTACT:
        raise Http404
    policy = (settings.BASE_DIR / "SECURITY.md").read_text("utf-8")
    return HttpResponse(policy, content_type=PLAIN)
