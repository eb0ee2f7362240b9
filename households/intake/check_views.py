"""The page on which answers are checked, signed and sent."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts import audit
from households import kept
from households.binding import member_url
from households.intake import actions
from households.intake.fill_parts import filling_of, inside, sent_already
from households.intake.filling import (
    Filling,
    consent_text,
    sections_of,
)
from households.intake.forms import (
    SendForm,
    SignForm,
)
from households.intake.models import Questionnaire, Signature
from households.models import Member
from households.requests import MemberRequest


@require_http_methods(["GET", "HEAD", "POST"])
def form_check(request: MemberRequest, member: Member, public_id: uuid.UUID) -> HttpResponse:
    """Everything that was answered, by section, with a way to change each; of a consent its text. Here it is
    signed and sent."""
    filling = filling_of(member, public_id)
    account = request.household_session.account
    page = inside(request)
    if not filling.response.is_draft:
        if request.method == "POST":
            # Pressed twice: the second answer is the same.
            return redirect(member_url(request, "form_detail", public_id=public_id))
        return sent_already(request, public_id)
    is_consent = filling.questionnaire.is_consent
    if request.method != "POST":
        typed = kept.on_page(account, member, page)
        sign = SignForm(initial=typed, is_consent=is_consent) if filling.needs_signature else None
        return _check_page(request, filling, sign, is_kept=bool(typed))
    if "let_go" in request.POST:
        kept.let_go(account, member, page)
        messages.success(request, _("What you typed is deleted."))
        return redirect(request.path)
    sign = SignForm(request.POST, is_consent=is_consent) if filling.needs_signature else None
    if sign is not None and not sign.is_valid():
        return _check_page(request, filling, sign, status=422)
    sending_id, revision = SendForm.read(request.POST)
    try:
        sent = actions.response_send(
            request=request,
            member=member,
            response=filling.response,
            revision=revision,
            sending_id=sending_id,
            signed=_signed(filling, sign),
        )
    except actions.IsSent:
        return sent_already(request, public_id)
    except actions.ChangedMeanwhile:
        filling = filling_of(member, public_id)
        return _check_page(request, filling, sign, is_changed=True, status=409)
    except actions.HasProblems:
        return _check_page(request, filling, sign, shows_problems=True, status=422)
    kept.let_go(account, member, page)
    return redirect(member_url(request, "form_detail", public_id=sent.public_id))


def _signed(filling: Filling, sign: SignForm | None) -> actions.Signed | None:
    if sign is None:
        return None
    decision = sign.cleaned_data.get("decision") or Signature.Decision.ACCEPTED
    return actions.Signed(
        text=signed_text(filling),
        typed_name=sign.cleaned_data["typed_name"],
        relationship=sign.cleaned_data["relationship"],
        decision=Signature.Decision(decision),
    )


def signed_text(filling: Filling) -> str:
    """What is signed, as it stands on the page."""
    if filling.questionnaire.is_consent:
        return consent_text(filling.definition)
    return _("I have checked the answers to “%(title)s”. They are right as far as I know.") % {
        "title": filling.questionnaire.title
    }


def _check_page(
    request: MemberRequest,
    filling: Filling,
    sign: SignForm | None,
    *,
    is_kept: bool = False,
    is_changed: bool = False,
    shows_problems: bool = False,
    status: int = 200,
) -> HttpResponse:
    response = filling.response
    questionnaire: Questionnaire = filling.questionnaire
    audit.record(
        audit.Action.VIEW, "ok", request=request, object_type="form", object_id=response.public_id
    )
    sections = sections_of(filling, with_problems=True)
    context = {
        "questionnaire": questionnaire,
        "response": response,
        "sections": sections,
        "problems": [one for one in sections if one.problems],
        "whole": filling.problems_of_the_whole,
        "shows_problems": shows_problems,
        "is_changed": is_changed,
        "text": signed_text(filling) if sign is not None else "",
        # The form whose errors stand on top.
        "form": sign or SendForm(),
        "sign": sign,
        "send": SendForm(initial={"version": response.revision}),
        "danger": bool(filling.filled.dangers),
        "last": filling.pages[-1] if filling.pages else None,
        "kept": is_kept,
        "page_url": request.path,
        "now": timezone.now(),
    }
    return render(request, "households/intake/check.html", context, status=status)
