"""The forms of a member: which there are, beginning one, one that was sent, correcting and discarding. The
pages on which one is filled in are in fill_views.py. Every view gets the member from the gate, and asks for
everything through that member."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import audit
from households.binding import member_url
from households.intake import actions
from households.intake.asking import Asked, asked_of
from households.intake.definitions import definition_of
from households.intake.filling import Filling, patient_of, response_or_404, sections_of
from households.intake.forms import PageForm
from households.intake.models import QuestionnaireResponse, QuestionnaireVersion
from households.intake.pages import FilledPage, pages_of
from households.models import Member
from households.requests import MemberRequest
from households.submissions.models import Submission

_LISTED = 50


@require_safe
def form_list(request: MemberRequest, member: Member) -> HttpResponse:
    """What the practice asks for first, by the day it is due; what is begun; what was sent; and what may be
    filled in without being asked."""
    today = timezone.localdate()
    asked = asked_of(member, today)
    drafts = _drafts(member)
    sent = [*_sent(member)[:_LISTED]]
    to_do = [_asked_row(request, one) for one in asked if not one.is_answered]
    shown = {one.draft.pk for one in asked if one.draft and not one.is_answered}
    begun = [_draft_row(request, draft) for draft in drafts if draft.pk not in shown]
    taken = {one.questionnaire.pk for one in asked if not one.is_answered}
    taken |= {draft.version.questionnaire_id for draft in drafts}
    audit.record(audit.Action.VIEW, "ok", request=request, object_type="forms")
    context = {
        "to_do": to_do,
        "begun": begun,
        "sent": [_sent_row(request, response) for response in sent],
        "offered": [
            {"title": version.questionnaire.title, "url": _start_url(request, version)}
            for version in _offered()
            if version.questionnaire_id not in taken
        ],
        "today": today,
        "danger": any(draft.danger for draft in drafts),
    }
    return render(request, "households/intake/list.html", context)


def _drafts(member: Member) -> list[QuestionnaireResponse]:
    rows = QuestionnaireResponse.objects.for_member(member).drafts()
    rows = rows.select_related("version__questionnaire")
    return [*rows.defer("items", "version__definition", "version__report").order_by("-saved_at")]


def _sent(member: Member) -> Any:
    """Without what was taken back, and what a later one corrects."""
    rows = QuestionnaireResponse.objects.for_member(member).sent()
    rows = rows.exclude(submission__status=Submission.Status.WITHDRAWN)
    rows = rows.exclude(corrections__submission__isnull=False)
    return rows.defer("items", "version__definition", "version__report")


def _offered() -> list[QuestionnaireVersion]:
    return [
        *QuestionnaireVersion.objects.filter(
            status=QuestionnaireVersion.Status.PUBLISHED, questionnaire__is_offered=True
        )
        .select_related("questionnaire")
        .defer("definition", "report")
        .order_by("questionnaire__title", "pk")
    ]


def _start_url(request: MemberRequest, version: QuestionnaireVersion) -> str:
    return member_url(request, "form_start", questionnaire_id=version.questionnaire.public_id)


def _asked_row(request: MemberRequest, asked: Asked) -> dict[str, Any]:
    url = _start_url(request, asked.version)
    state = asked.state
    if asked.draft is not None:
        url = member_url(request, "form_detail", public_id=asked.draft.public_id)
    elif asked.again is not None:
        url = member_url(request, "form_detail", public_id=asked.again.public_id)
        state = "returned"  # a signature that was voided is to be given again
    return {
        "title": asked.questionnaire.title,
        "url": url,
        "state": state,
        "due_on": asked.due_on,
        "why": asked.why,
        "reason": asked.reason,
    }


def _draft_row(request: MemberRequest, draft: QuestionnaireResponse) -> dict[str, Any]:
    return {
        "title": draft.version.questionnaire.title,
        "url": member_url(request, "form_detail", public_id=draft.public_id),
        "saved_at": draft.saved_at,
        "corrects": draft.corrects_id is not None,
    }


def _sent_row(request: MemberRequest, response: QuestionnaireResponse) -> dict[str, Any]:
    submission = response.submission
    assert submission is not None  # drafts are not asked for
    return {
        "title": response.version.questionnaire.title,
        "url": member_url(request, "form_detail", public_id=response.public_id),
        "status": submission.status,
        "status_words": submission.get_status_display(),
        "sent_at": submission.sent_at,
        "seen_at": submission.seen_at,
        "reason": submission.reason if submission.status == Submission.Status.RETURNED else "",
    }


# --- beginning ------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
def form_start(request: MemberRequest, member: Member, questionnaire_id: uuid.UUID) -> HttpResponse:
    """What the form is, before anything of it is answered. A form that is begun goes on where it was."""
    asked, version = _to_begin(member, questionnaire_id)
    drafts = [
        one for one in _drafts(member) if one.version.questionnaire_id == version.questionnaire_id
    ]
    if drafts:
        return redirect(member_url(request, "form_detail", public_id=drafts[0].public_id))
    if request.method == "POST":
        draft = actions.response_begin(request=request, member=member, version=version)
        return redirect(member_url(request, "form_detail", public_id=draft.public_id))
    audit.record(
        audit.Action.VIEW, "ok", request=request, object_type="form", object_id=questionnaire_id
    )
    definition = definition_of(version)
    context = {
        "questionnaire": version.questionnaire,
        "description": "" if version.questionnaire.is_consent else definition.description,
        "pages": 0 if version.questionnaire.is_consent else len(pages_of(definition)),
        "asked": asked,
        "today": timezone.localdate(),
        "page_url": request.path,
    }
    return render(request, "households/intake/start.html", context)


def _to_begin(
    member: Member, questionnaire_id: uuid.UUID
) -> tuple[Asked | None, QuestionnaireVersion]:
    """The published version of a form that this member is asked, or was, or that everybody may fill in."""
    for asked in asked_of(member, timezone.localdate()):
        if asked.questionnaire.public_id == questionnaire_id:
            return asked, asked.version
    for version in _offered():
        if version.questionnaire.public_id == questionnaire_id:
            return None, version
    raise Http404


# --- one form -------------------------------------------------------------------------


def _first_open_question(page: FilledPage) -> str:
    """Where on its page to go on, as "#…": "" where the page is new, which is read from its top."""
    questions = [*page.questions()]
    if not any(node.is_answered for node in questions):
        return ""
    form = PageForm(questions)
    for node in form.nodes:
        if not node.is_answered and form.boxes[node.path]:
            return f"#{form[form.boxes[node.path][0]].id_for_label}"
    return ""


@require_safe
def form_detail(request: MemberRequest, member: Member, public_id: uuid.UUID) -> HttpResponse:
    """A draft goes on at its first open question. What was sent is read here, printed, and corrected."""
    response = response_or_404(member, public_id)
    filling = Filling(response, patient=patient_of(member))
    if response.is_draft:
        page = filling.first_open
        if page is None:
            return redirect(member_url(request, "form_check", public_id=public_id))
        url = member_url(request, "form_page", public_id=public_id, page=page.name)
        return redirect(f"{url}{_first_open_question(page)}")
    audit.record(audit.Action.VIEW, "ok", request=request, object_type="form", object_id=public_id)
    others = _others(member, response)
    to_do = sum(not asked.is_answered for asked in asked_of(member, timezone.localdate()))
    context = {
        "response": response,
        "submission": response.submission,
        "questionnaire": filling.questionnaire,
        "sections": sections_of(filling),
        "signature": getattr(response, "signature", None),
        "danger": bool(response.danger),
        "newer": next((one for one in others if one.corrects_id == response.pk), None),
        "earlier": _earlier(response, others),
        "to_do": to_do,
        # What was sent has one.
        "is_returned": response.submission.status == Submission.Status.RETURNED,  # type: ignore[union-attr]
    }
    return render(request, "households/intake/sent.html", context)


def _others(member: Member, response: QuestionnaireResponse) -> list[QuestionnaireResponse]:
    """What was sent of the same form."""
    rows = QuestionnaireResponse.objects.for_member(member).sent()
    rows = rows.filter(version__questionnaire=response.version.questionnaire_id)
    return [*rows.defer("items", "version__definition", "version__report")[:_LISTED]]


def _earlier(
    response: QuestionnaireResponse, others: list[QuestionnaireResponse]
) -> list[QuestionnaireResponse]:
    """What it corrects, what that corrected, and so on."""
    by_pk = {one.pk: one for one in others}
    found: list[QuestionnaireResponse] = []
    before = by_pk.get(response.corrects_id or 0)
    while before is not None and before not in found:
        found.append(before)
        before = by_pk.get(before.corrects_id or 0)
    return found


@require_POST
def form_correct(request: MemberRequest, member: Member, public_id: uuid.UUID) -> HttpResponse:
    """A new draft with the same answers; what was sent stays as it is."""
    response = response_or_404(member, public_id)
    if response.is_draft:
        return redirect(member_url(request, "form_detail", public_id=public_id))
    try:
        draft = actions.response_correct(request=request, member=member, response=response)
    except actions.MovedMeanwhile:
        raise Http404 from None
    return redirect(member_url(request, "form_check", public_id=draft.public_id))


@require_http_methods(["GET", "HEAD", "POST"])
def form_discard(request: MemberRequest, member: Member, public_id: uuid.UUID) -> HttpResponse:
    """Ask once, then throw a draft away."""
    response = response_or_404(member, public_id)
    if not response.is_draft:
        return redirect(member_url(request, "form_detail", public_id=public_id))
    if request.method == "POST":
        try:
            actions.draft_discard(request=request, member=member, response=response)
        except actions.IsSent:
            return redirect(member_url(request, "form_detail", public_id=public_id))
        messages.success(request, _("The answers are deleted. Nothing was sent."))
        return redirect(member_url(request, "forms"))
    audit.record(audit.Action.VIEW, "ok", request=request, object_type="form", object_id=public_id)
    context = {
        "questionnaire": response.version.questionnaire,
        "response": response,
        "page_url": request.path,
    }
    return render(request, "households/intake/discard.html", context)
