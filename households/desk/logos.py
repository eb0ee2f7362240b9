"""The practice's logo: the file is read apart from the portal, and what is kept is a picture of ours."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts import audit
from households.documents import checks, reading
from households.documents.models import Document
from households.documents.receiving import ReceivedFile
from households.models import Practice, PracticeLogo

MOST_KB = 200
_TYPES = {Document.ContentType.PNG, Document.ContentType.JPEG, Document.ContentType.WEBP}


def logo_set(*, request: HttpRequest, file: ReceivedFile) -> None:
    """Make it the logo of every page. Raises ValidationError that says why not."""
    if file.is_let_go or (file.size or 0) > MOST_KB * 1024:
        raise ValidationError(
            _("The file is larger than %(size)d KB. Save it smaller.") % {"size": MOST_KB}
        )
    picture, width, height = _made_small(file)
    key = hashlib.sha256(picture).hexdigest()[:32]
    with transaction.atomic():
        practice = _locked()
        PracticeLogo.objects.all().delete()
        PracticeLogo.objects.create(key=key, picture=picture)
        practice.logo_key, practice.logo_width, practice.logo_height = key, width, height
        practice.save()
        _record(request, "logo-set")


def logo_remove(*, request: HttpRequest) -> None:
    """Show the portal's own sign again."""
    with transaction.atomic():
        practice = _locked()
        PracticeLogo.objects.all().delete()
        practice.logo_key, practice.logo_width, practice.logo_height = "", 0, 0
        practice.save()
        _record(request, "logo-removed")


def _made_small(file: ReceivedFile) -> tuple[bytes, int, int]:
    content_type = checks.check(file).content_type
    if content_type not in _TYPES:
        raise ValidationError(_("A logo is a PNG, JPEG or WebP picture."))
    with tempfile.TemporaryDirectory(dir=settings.UPLOADING) as folder:
        to = Path(folder) / "logo.png"
        try:
            width, height = reading.logo(Path(file.temporary_file_path()), content_type, to)
        except reading.Refused:
            raise ValidationError(
                _("The picture cannot be read. Save it anew as PNG, and choose it again.")
            ) from None
        return to.read_bytes(), width, height


def _locked() -> Practice:
    """The one row, made where nobody has saved it yet; two changes of it take turns."""
    Practice.objects.get_or_create(pk=1)
    return Practice.objects.select_for_update().get(pk=1)


def _record(request: HttpRequest, outcome: str) -> None:
    audit.record(
        audit.Action.STAFF_CHANGE, outcome, request=request, object_type="practice", object_id=1
    )
