"""The builder's pages about one section or question: adding, changing, moving, deleting, and show-if."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from accounts.requests import posted
from households.intake.builder_forms import (
    BuilderForm,
    ConditionForm,
    GoneMeanwhile,
    ItemChangedMeanwhile,
    ItemForm,
    MoveForm,
)
from households.intake.builder_frame import (
    back_without_it,
    change_or_say,
    frozen,
    gone,
    is_draft,
    page,
    revision_of,
    status_of,
    url_of,
    version_or_404,
)
from households.intake.building import changes, naming, structure
from households.intake.building.conditions import (
    MOST_CONDITIONS,
    condition_of,
    deciders_for,
    words_of,
)
from households.intake.building.kept import kept_of
from households.intake.building.kinds import WORDS, CannotBuild, Kind, kind_of, word_for
from households.intake.building.parts import WrongPart
from households.intake.building.structure import Row, name_of, row_of, rows_of
from households.intake.drafting import NotADraft, draft_change
from households.intake.models import QuestionnaireVersion


def kinds_page(request: HttpRequest, version: QuestionnaireVersion) -> HttpResponse:
    """Which kind of question is added: each one a link."""
    section = request.GET.get("in", "")
    row = row_of(version.definition, section)
    takes_sections = row is not None and row.depth + 1 < structure.DEEPEST_SECTION
    kinds = [kind for kind in WORDS if kind is not Kind.SECTION or takes_sections]
    context = {
        "version": version,
        "section": name_of(row.item) if row else "",
        "back": url_of(version),
        "kinds": [
            {
                "word": WORDS[kind][0],
                "when": WORDS[kind][1],
                "url": url_of(version, "add", {"in": section, "kind": kind.value}),
            }
            for kind in kinds
        ],
    }
    return page(request, "builder_kinds", _("What do you want to add?"), context)


# --- one section or question ----------------------------------------------------------


def add_page(request: HttpRequest, version: QuestionnaireVersion) -> HttpResponse:
    try:
        kind = Kind(request.GET.get("kind", ""))
    except ValueError:
        raise Http404 from None
    section = request.GET.get("in", "")
    form = ItemForm(posted(request), definition=version.definition, kind=kind, section=section)
    title = _("Add: %(kind)s") % {"kind": WORDS[kind][0]}
    return _item_page(request, version, form, title)


def item_page(request: HttpRequest, version: QuestionnaireVersion) -> HttpResponse:
    row = row_of(version.definition, request.GET.get("item", ""))
    if row is None and request.method != "POST":
        messages.warning(request, gone())
        return HttpResponseRedirect(url_of(version))
    if row is None:
        return _gone_page(request, version)
    kind = kind_of(row.item)
    form = ItemForm(posted(request), definition=version.definition, kind=kind, item=row.item)
    return _item_page(request, version, form, name_of(row.item), row)


def _item_page(
    request: HttpRequest,
    version: QuestionnaireVersion,
    form: ItemForm,
    title: str,
    row: Row | None = None,
) -> HttpResponse:
    status = status_of(form)
    if request.method == "POST" and status == 200:
        status = _save_item(request, version, form)
        if status == 200:
            return _after_item(request, version, form)
    link_id = form.item["linkId"]
    context = {
        "form": form,
        "version": version,
        "kind": WORDS[form.kind][0] if form.kind else _("Another kind, from the imported file"),
        "kept": kept_of(row.item) if row else [],
        "back": url_of(version, anchor=link_id if row else ""),
        "is_draft": is_draft(version),
        "conditions": [
            words_of(version.definition, one) for one in form.item.get("enableWhen", [])
        ],
        "can_have_conditions": bool(row and deciders_for(version.definition, link_id)),
        "row": row,
        "move_url": url_of(version, "move", {"item": link_id}),
        "delete_url": url_of(version, "delete", {"item": link_id}),
    }
    return page(request, "builder_item", title, context, status)


def _save_item(request: HttpRequest, version: QuestionnaireVersion, form: ItemForm) -> int:
    """The status of the answer: 200 where it was saved; else the form says why it was not."""
    what = "item-added" if form.is_new else "item-changed"
    try:
        draft_change(request=request, version_pk=version.pk, change=form.change, what=what)
    except ItemChangedMeanwhile as error:
        form.show_both(error.item)
        return 409
    except GoneMeanwhile:
        form.add_error(None, gone())
        return 409
    except NotADraft:
        form.add_error(None, frozen())
        return 409
    except WrongPart as error:
        form.add_error(error.part if error.part in form.fields else None, str(error))
        return 422
    except CannotBuild as error:
        form.add_error(None, str(error))
        return 422
    return 200


def _after_item(
    request: HttpRequest, version: QuestionnaireVersion, form: ItemForm
) -> HttpResponse:
    link_id = form.item["linkId"]
    messages.success(request, _("Added.") if form.is_new else _("Saved."))
    version = version_or_404(version.pk)
    row = row_of(version.definition, link_id)
    if "condition" in request.POST:
        return HttpResponseRedirect(url_of(version, "show-if", {"item": link_id}))
    if "another" in request.POST and row is not None:
        around = [one["linkId"] for one in (*row.parents, row.item) if one["type"] == "group"]
        section = around[-1] if around else ""
        return HttpResponseRedirect(url_of(version, "kinds", {"in": section}))
    return HttpResponseRedirect(url_of(version, anchor=link_id))


def _gone_page(request: HttpRequest, version: QuestionnaireVersion) -> HttpResponse:
    """What was typed about a question that somebody deleted meanwhile: saving adds it again."""
    try:
        kind = Kind(request.POST.get("of_kind", ""))
    except ValueError:
        messages.warning(request, gone())
        return HttpResponseRedirect(url_of(version))
    data = request.POST.copy()
    sections = [row.link_id for row in rows_of(version.definition) if row.is_section]
    place = structure.end_of(version.definition, sections[-1] if sections else "")
    data.setdefault("place", place)
    form = ItemForm(data, definition=version.definition, kind=kind)
    form.add_error(None, _("Somebody deleted this after you opened it. Add it again, or go back."))
    context = {
        "form": form,
        "version": version,
        "kind": WORDS[kind][0],
        "kept": [],
        "conditions": [],
        "can_have_conditions": False,
        "row": None,
        "back": url_of(version),
        "is_draft": is_draft(version),
        "action": url_of(version, "add", {"kind": kind.value}),
    }
    return page(request, "builder_item", _("Add again"), context, 409)


# --- moving and deleting --------------------------------------------------------------


def move_page(request: HttpRequest, version: QuestionnaireVersion) -> HttpResponse:
    link_id = request.GET.get("item", "")
    row = row_of(version.definition, link_id)
    if row is None:
        return back_without_it(request, version)
    places = structure.places_for(version.definition, row.item)
    form = MoveForm(posted(request), places=places, now=structure.place_of(row))
    if request.method == "POST" and form.is_valid():
        change = partial(_moved, link_id=link_id, place=form.cleaned_data["place"])
        if change_or_say(request, version, form, change, "moved"):
            messages.success(request, _("Moved."))
            return HttpResponseRedirect(url_of(version, anchor=link_id))
    title = _("Move “%(name)s”") % {"name": name_of(row.item)}
    back = url_of(version, anchor=link_id)
    context = {"form": form, "button": _("Move"), "back": back, "version": version}
    return page(request, "builder_form", title, context, status_of(form))


def _moved(definition: dict[str, Any], link_id: str, place: str) -> dict[str, Any]:
    return changes.with_move(definition, link_id, place)


def delete_page(request: HttpRequest, version: QuestionnaireVersion) -> HttpResponse:
    """Asks once, and says what would go too."""
    link_id = request.GET.get("item", "")
    row = row_of(version.definition, link_id)
    if row is None:
        return back_without_it(request, version)
    gone, namings = naming.gone_with(version.definition, link_id)
    form = BuilderForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        change = partial(
            changes.without_item, link_id=link_id, also_what_names_it="also" in request.POST
        )
        if change_or_say(request, version, form, change, "item-deleted", revision_of(request)):
            messages.success(request, _("Deleted."))
            return HttpResponseRedirect(url_of(version))
        version = version_or_404(version.pk)
        if row_of(version.definition, link_id) is None:
            return back_without_it(request, version)
        gone, namings = naming.gone_with(version.definition, link_id)
    with_it = [one for one in rows_of(version.definition) if one.link_id in gone]
    below = structure.link_ids_under(row.item)
    context = {
        "form": form,
        "version": version,
        "name": name_of(row.item),
        "holds": [
            name_of(one.item) for one in with_it if one.link_id in below and one.link_id != link_id
        ],
        "scores": [name_of(one.item) for one in with_it if one.link_id not in below],
        "shown_by_it": [
            name_of(one.item) for one in namings if one.item and one.how == "condition"
        ],
        "by_expression": [
            name_of(one.item) if one.item else _("the whole form")
            for one in namings
            if one.how == "expression"
        ],
        "back": url_of(version, anchor=link_id),
    }
    title = _("Delete “%(name)s”?") % {"name": name_of(row.item)}
    return page(request, "builder_delete", title, context, status_of(form))


# --- conditions -----------------------------------------------------------------------


def condition_page(request: HttpRequest, version: QuestionnaireVersion) -> HttpResponse:
    """First which question decides, each one a link; then which answers."""
    link_id, decider = request.GET.get("item", ""), request.GET.get("question", "")
    row = row_of(version.definition, link_id)
    if row is None:
        return back_without_it(request, version)
    question = row_of(version.definition, decider)
    title = _("When is “%(name)s” shown?") % {"name": name_of(row.item)}
    item_url = url_of(version, "item", {"item": link_id})
    if question is None:
        context = {
            "version": version,
            "back": item_url,
            "is_full": len(row.item.get("enableWhen", [])) >= MOST_CONDITIONS,
            "questions": [
                {
                    "name": name_of(one.item),
                    "kind": word_for(one.item),
                    "url": url_of(version, "show-if", {"item": link_id, "question": one.link_id}),
                }
                for one in deciders_for(version.definition, link_id)
            ],
        }
        return page(request, "builder_questions", title, context)
    form = ConditionForm(posted(request), question=question.item)
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data

        def change(definition: dict[str, Any]) -> dict[str, Any]:
            asked = structure.row_or_refuse(definition, decider).item
            condition = condition_of(asked, typed["comparison"], typed.get("answer", ""))
            return changes.with_condition(definition, link_id, condition)

        if change_or_say(request, version, form, change, "condition-added"):
            messages.success(request, _("Saved. Look at it under “Shown only if”."))
            return HttpResponseRedirect(item_url)
    context = {
        "form": form,
        "lead": _("It is shown only if the answer to this question fits:"),
        "lead_name": question.item.get("text") or name_of(question.item),
        "button": _("Save the condition"),
        "back": url_of(version, "show-if", {"item": link_id}),
        "version": version,
    }
    return page(request, "builder_form", title, context, status_of(form))
