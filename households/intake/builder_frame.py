"""What every page of the builder shares: its frame, its addresses, and what it says when it is too late."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from households.intake.builder_forms import BuilderForm
from households.intake.building.kinds import CannotBuild
from households.intake.drafting import ChangedMeanwhile, NotADraft, draft_change
from households.intake.models import QuestionnaireVersion

BUILD = "intake_questionnaireversion_build"


def version_or_404(pk: int) -> QuestionnaireVersion:
    if pk.bit_length() > 63:
        raise Http404
    return get_object_or_404(QuestionnaireVersion.objects.select_related("questionnaire"), pk=pk)


# --- parts of every page --------------------------------------------------------------


def page(
    request: HttpRequest, template: str, title: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    frame = admin.site.each_context(request)
    defaults = {"action": "", "lead": "", "lead_name": "", "version": None, "is_outline": False}
    version = context.get("version")
    own = {"title": title, "outline_url": url_of(version) if version else ""}
    return TemplateResponse(
        request,
        f"admin/intake/{template}.html",
        {**frame, **defaults, **own, **context},
        status=status,
    )


def status_of(form: BuilderForm) -> int:
    """422 for what was typed wrongly, 409 for what came too late (CONTRACT)."""
    if not form.is_bound or form.is_valid():
        return 200
    codes = {error.code for error in form.non_field_errors().as_data()}
    return 409 if codes & {"changed-meanwhile", "frozen"} else 422


def url_of(
    version: QuestionnaireVersion,
    page: str = "",
    query: dict[str, str] | None = None,
    anchor: str = "",
) -> str:
    name = f"admin:{BUILD}_{page.replace('-', '_')}".rstrip("_")
    words = f"?{urlencode(query)}" if query else ""
    place = f"#{anchor_of(anchor)}" if anchor else ""
    return f"{reverse(name, args=[version.pk])}{words}{place}"


def anchor_of(link_id: str) -> str:
    """An id for a row that is one in HTML, whatever an imported file calls its items."""
    return f"row-{hashlib.sha256(link_id.encode()).hexdigest()[:10]}"


def revision_of(request: HttpRequest) -> int:
    """-1 for none: such a page is never up to date."""
    given = request.POST.get("revision", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else -1


def is_draft(version: QuestionnaireVersion) -> bool:
    return version.status == QuestionnaireVersion.Status.DRAFT


def back_without_it(request: HttpRequest, version: QuestionnaireVersion) -> HttpResponse:
    messages.warning(request, gone())
    return HttpResponseRedirect(url_of(version))


def gone() -> str:
    return _("This is not in the form any more: somebody deleted it.")


def changed_meanwhile() -> str:
    return _(
        "Somebody changed this form after you opened it. Nothing was done. Here is how it stands now."
    )


def frozen() -> str:
    return _(
        "This version is published and does not change any more. Make a new draft to change it."
    )


def change_or_say(
    request: HttpRequest,
    version: QuestionnaireVersion,
    form: BuilderForm,
    change: Callable[[dict[str, Any]], dict[str, Any]],
    what: str,
    revision: int | None = None,
) -> bool:
    """Whether it was saved; else the form says why not."""
    try:
        draft_change(
            request=request, version_pk=version.pk, change=change, what=what, revision=revision
        )
    except ChangedMeanwhile:
        form.add_error(None, ValidationError(changed_meanwhile(), code="changed-meanwhile"))
    except NotADraft:
        form.add_error(None, ValidationError(frozen(), code="frozen"))
    except CannotBuild as error:
        form.add_error(None, str(error))
    else:
        return True
    return False
