"""The pages on which staff build a form: its outline, and one page for each section or question.

Nobody sees JSON here. Each page says which state of the draft it shows, and each POST is allowed, locked,
changed and written to the audit in one go (drafting.py). A page that comes too late keeps what was typed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.requests import posted
from households.intake.builder_forms import (
    ItemChangedMeanwhile,
    NewFormForm,
    TitleForm,
)
from households.intake.builder_frame import (
    BUILD,
    anchor_of,
    changed_meanwhile,
    frozen,
    is_draft,
    page,
    revision_of,
    status_of,
    url_of,
    version_or_404,
)
from households.intake.builder_item_pages import (
    add_page,
    condition_page,
    delete_page,
    item_page,
    kinds_page,
    move_page,
)
from households.intake.building import changes
from households.intake.building.conditions import (
    words_of,
)
from households.intake.building.kept import kept_of
from households.intake.building.kinds import CannotBuild, Kind, word_for
from households.intake.building.scores import bands_of
from households.intake.building.structure import Row, name_of, row_of, rows_of
from households.intake.definitions import sha256_of
from households.intake.drafting import (
    ChangedMeanwhile,
    NotADraft,
    draft_change,
    questionnaire_begin,
)
from households.intake.models import QuestionnaireVersion
from households.intake.publishing import draft_from

_CHANGE = "intake.change_questionnaireversion"
View = Callable[..., HttpResponse]


def builder_paths(site: AdminSite) -> list[URLPattern]:
    """For the staff site, which mounts them."""
    pages: dict[str, View] = {
        "": outline,
        "title/": title_page,
        "kinds/": kinds_page,
        "add/": add_page,
        "item/": item_page,
        "move/": move_page,
        "delete/": delete_page,
        "show-if/": condition_page,
    }
    paths = [
        path(
            f"intake/questionnaireversion/<int:version_pk>/build/{route}",
            site.admin_view(_for_builders(page, _CHANGE)),
            name=f"{BUILD}_{route.strip('/').replace('-', '_')}".rstrip("_"),
        )
        for route, page in pages.items()
    ]
    begin = _for_builders(new_form_page, "intake.add_questionnaire", _CHANGE)
    new = path(
        "intake/questionnaire/new/", site.admin_view(begin), name="intake_questionnaire_build"
    )
    return [new, *paths]


def _for_builders(view: View, *permissions: str) -> View:
    @wraps(view)
    @require_http_methods(["GET", "HEAD", "POST"])
    def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if not all(request.user.has_perm(one) for one in permissions):
            raise PermissionDenied
        if "version_pk" in kwargs:
            kwargs["version"] = version_or_404(kwargs.pop("version_pk"))
        return view(request, **kwargs)

    return guarded


# --- a new form -----------------------------------------------------------------------


def new_form_page(request: HttpRequest) -> HttpResponse:
    form = NewFormForm(posted(request))
    if request.method == "POST" and form.is_valid():
        version = questionnaire_begin(request=request, **form.cleaned_data)
        messages.success(request, _("Made. Now add the questions."))
        return HttpResponseRedirect(url_of(version))
    context = {
        "form": form,
        "button": _("Make the form"),
        "back": reverse("admin:intake_questionnaire_changelist"),
    }
    return page(request, "builder_form", _("New form"), context, status_of(form))


# --- the outline ----------------------------------------------------------------------


def outline(request: HttpRequest, version: QuestionnaireVersion) -> HttpResponse:
    """The whole form, with a button for each thing that can be done to a row."""
    if request.method != "POST":
        return _outline(request, version)
    if "draft" in request.POST:
        return _to_new_draft(request, version)
    press = next((word for word in ("up", "down", "copy") if word in request.POST), "")
    link_id = request.POST.get(press, "")
    presses: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        "up": lambda definition: changes.with_step(definition, link_id, -1),
        "down": lambda definition: changes.with_step(definition, link_id, 1),
        "copy": lambda definition: changes.with_copy(definition, link_id)[0],
    }
    if press not in presses:
        return _outline(request, version, _("Nothing was changed. Press one of the buttons."), 422)
    before = {row.link_id for row in rows_of(version.definition)}
    try:
        version = draft_change(
            request=request,
            version_pk=version.pk,
            change=presses[press],
            what={"copy": "copied"}.get(press, "moved"),
            revision=revision_of(request),
        )
    except ChangedMeanwhile:
        return _outline(request, version_or_404(version.pk), changed_meanwhile(), 409)
    except NotADraft:
        return _outline(request, version_or_404(version.pk), frozen(), 409)
    except CannotBuild as error:
        return _outline(request, version, str(error), 422)
    if press == "copy":
        new = next(row for row in rows_of(version.definition) if row.link_id not in before)
        messages.success(request, _("Copied. The copy stands right after it."))
        return HttpResponseRedirect(f"{url_of(version)}#{anchor_of(new.link_id)}")
    return _to_button(version, link_id, press)


def _outline(
    request: HttpRequest, version: QuestionnaireVersion, says: str = "", status: int = 200
) -> HttpResponse:
    definition, drafting = version.definition, is_draft(version)
    rows = [_row_context(version, row) for row in rows_of(definition)]
    context = {
        "version": version,
        "is_outline": True,
        "definition_title": definition.get("title", ""),
        "description": definition.get("description", ""),
        "is_draft": drafting,
        "rows": rows,
        "says": says,
        "kept": [words for words in kept_of_form(definition) if words],
        "questions": sum(not one["row"].is_section for one in rows),
        "urls": _urls(version),
        "elsewhere": _elsewhere(version),
        "newer_draft": None if drafting else _draft_of(version),
    }
    title = definition.get("title") or str(version.questionnaire)
    return page(request, "builder", title, context, status)


def kept_of_form(definition: dict[str, Any]) -> list[str]:
    """What an imported file says of the whole form and the pages do not show."""
    shown = {"title", "description", "item", "resourceType", "url", "version", "status"}
    own = {name: value for name, value in definition.items() if name not in {*shown, "subjectType"}}
    dull = {"id", "meta", "text", "name", "date", "publisher", "contact", "language", "contained"}
    return kept_of({name: value for name, value in own.items() if name not in dull})


def _row_context(version: QuestionnaireVersion, row: Row) -> dict[str, Any]:
    definition, item, query = version.definition, row.item, {"item": row.link_id}
    conditions = [words_of(definition, one) for one in item.get("enableWhen", [])]
    joint = _(" and ") if item.get("enableBehavior") == "all" else _(" or ")
    return {
        "row": row,
        "name": name_of(item),
        "kind": word_for(item),
        "anchor": anchor_of(row.link_id),
        "shown_if": joint.join(conditions),
        "bands": "; ".join(str(band) for band in bands_of(item)),
        "has_kept": bool(kept_of(item)),
        "change_url": url_of(version, "item", query),
        "move_url": url_of(version, "move", query),
        "delete_url": url_of(version, "delete", query),
        "add_url": url_of(version, "kinds", {"in": row.link_id}),
        "is_danger": any(
            one.get("url") == "urn:kinchart:danger" for one in item.get("extension", [])
        ),
    }


def _to_button(version: QuestionnaireVersion, link_id: str, press: str) -> HttpResponse:
    """Back to the outline, with the focus on the button that was pressed, or on its sister where the item
    is at the end of its way: Enter moves on."""
    row = row_of(version.definition, link_id)
    if row is not None and (row.is_first if press == "up" else row.is_last):
        press = "down" if press == "up" else "up"
    return HttpResponseRedirect(f"{url_of(version)}#{anchor_of(link_id)}-{press}")


def _to_new_draft(request: HttpRequest, version: QuestionnaireVersion) -> HttpResponse:
    draft = None if is_draft(version) else draft_from(request=request, version=version)
    draft = draft or _draft_of(version)
    if draft is None:
        return _outline(request, version_or_404(version.pk), changed_meanwhile(), 409)
    return HttpResponseRedirect(url_of(draft))


def _draft_of(version: QuestionnaireVersion) -> QuestionnaireVersion | None:
    drafts = QuestionnaireVersion.objects.filter(status=QuestionnaireVersion.Status.DRAFT)
    return drafts.filter(questionnaire=version.questionnaire_id).first()


# --- title ----------------------------------------------------------------------------


def title_page(request: HttpRequest, version: QuestionnaireVersion) -> HttpResponse:
    definition = version.definition
    now = {name: definition.get(name, "") for name in ("title", "description")}
    form = TitleForm(posted(request), initial={**now, "was": sha256_of(now)})
    if request.method == "POST" and form.is_valid():
        typed = {name: form.cleaned_data[name].replace("\r\n", "\n") for name in now}

        def change(current: dict[str, Any]) -> dict[str, Any]:
            stands = {name: current.get(name, "") for name in now}
            if sha256_of(stands) != form.cleaned_data["was"]:
                raise ItemChangedMeanwhile(stands)
            return changes.with_title(current, **typed)

        try:
            draft_change(request=request, version_pk=version.pk, change=change, what="titled")
        except NotADraft:
            form.add_error(None, ValidationError(frozen(), code="frozen"))
        except ItemChangedMeanwhile as error:
            form.now_stands(sha256_of(error.item))
            shown = [f"{form[name].label}: {error.item[name] or '–'}" for name in now]
            for says in (changed_meanwhile(), *shown):
                form.add_error(None, ValidationError(says, code="changed-meanwhile"))
        else:
            messages.success(request, _("Saved."))
            return HttpResponseRedirect(url_of(version))
    context = {"form": form, "button": _("Save"), "back": url_of(version), "version": version}
    return page(request, "builder_form", _("Title and introduction"), context, status_of(form))


def _urls(version: QuestionnaireVersion) -> dict[str, str]:
    return {
        "title": url_of(version, "title"),
        "add_section": url_of(version, "add", {"kind": Kind.SECTION.value}),
    }


def _elsewhere(version: QuestionnaireVersion) -> list[tuple[str, str]]:
    """The pages about this version that other parts of the staff site have."""
    pages = [
        ("change", _("Version, check and publish")),
        ("preview", _("See it as a family does")),
    ]
    found = []
    for name, words in pages:
        try:
            url = reverse(f"admin:intake_questionnaireversion_{name}", args=[version.pk])
        except NoReverseMatch:
            continue
        found.append((url, words))
    return found
