"""Voiding a signature: the only thing that ever happens to one."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts import audit
from households.intake.models import Signature


def signature_void(*, request: HttpRequest, signature: Signature, reason: str) -> bool:
    """The practice does not count it any more; `reason` is shown to the family and may not be empty. The
    form is asked again by that alone (asking.py). False, and nothing happens, when it was voided before."""
    now = timezone.now()
    with transaction.atomic():
        standing = Signature.objects.for_member(signature.member).filter(
            pk=signature.pk, voided_at=None
        )
        if not standing.update(voided_at=now, voided_by_id=request.user.pk, void_reason=reason):
            return False
        audit.record(
            audit.Action.STAFF_CHANGE,
            "voided",
            request=request,
            member_id=signature.member_id,
            object_type="signature",
            object_id=signature.public_id,
        )
    signature.voided_at, signature.void_reason = now, reason
    return True
