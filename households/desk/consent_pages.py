"""An adult's own consent to the shared login: recording it and taking it back, on one page of admin about
that person (PRODUCT H8). For whoever may change members; both work from the next request of the family on.
"""

from __future__ import annotations

import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.admin.helpers import AdminForm
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from accounts import audit
from households.ages import consent_record, consent_withdraw, standing_consent
from households.models import AdultConsent, Member
from households.portal_access import opened_by, why_closed
from households.staff_pages import name_and_birth_date, person_line, year_first

_MOST = 20


class ConsentForm(forms.Form):
    given_on = forms.DateField(
        label=gettext_lazy("When they agreed"),
        input_formats=["%Y/%m/%d", "%Y-%m-%d"],
        widget=forms.DateInput(format="%Y/%m/%d", attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("Year first, for example 2026/11/27"),
        error_messages={
            "invalid": gettext_lazy("Type the day year first, like this: 2026/11/27."),
            "required": gettext_lazy("Type the day on which they agreed, year first."),
        },
    )
    how = forms.ChoiceField(
        label=gettext_lazy("How they told you"),
        choices=AdultConsent.How.choices,
        widget=forms.RadioSelect,
        error_messages={"required": gettext_lazy("Choose how they told you.")},
    )
    note = forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        max_length=300,
        help_text=gettext_lazy("For example who was there. Nothing about their health."),
    )
    # Whose login it was when the page was opened: to another one nobody has agreed here.
    seen = forms.CharField(widget=forms.HiddenInput, required=False)


def staff_paths(site: AdminSite) -> list[URLPattern]:
    """For the staff site, which mounts them."""

    def page(request: HttpRequest, pk: int) -> HttpResponse:
        return _page(site, request, _member_or_404(request, pk))

    allowed = require_http_methods(["GET", "HEAD", "POST"])(page)
    return [
        path("consent/<int:pk>/", site.admin_view(allowed), name="member_consent"),
        path(
            "consent/<int:pk>/withdraw/",
            site.admin_view(require_POST(_withdraw)),
            name="member_consent_withdraw",
        ),
    ]


def _member_or_404(request: HttpRequest, pk: int) -> Member:
    user: Any = request.user
    if not user.has_perm("households.change_member"):
        raise PermissionDenied
    if pk.bit_length() > 63:  # databases refuse it in their own ways
        raise Http404
    return get_object_or_404(Member, pk=pk)


def _page(site: AdminSite, request: HttpRequest, member: Member) -> HttpResponse:
    about = f"{member.pk} {member.email_key}"
    seen = salted_hmac("consent_pages.seen", about, algorithm="sha256").hexdigest()
    form = ConsentForm(
        request.POST if request.method == "POST" else None,
        initial={"given_on": _today_for(member), "seen": seen},
    )
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        if not constant_time_compare(values.pop("seen"), seen):
            again = request.POST.copy()
            again["seen"] = seen
            form.data = again
            text = _(
                "This person's email was changed after you opened the page. Nothing is saved yet. Look at "
                "who could open the chart now, and save again if they agree to that."
            )
            form.add_error(None, text)
        else:
            done = _recorded(request, member, form)
            if done is not None:
                return done
    audit.record(
        audit.Action.STAFF_VIEW,
        "consent",
        request=request,
        member_id=member.pk,
        object_type="member",
        object_id=member.pk,
    )
    # Read anew: what went wrong may be that somebody else was faster.
    member = Member.objects.get(pk=member.pk)
    others = Member.objects.filter(email_key=member.email_key).exclude(pk=member.pk)
    context = {
        **site.each_context(request),
        "title": _("Consent to the shared login"),
        "subtitle": name_and_birth_date(member),
        "person": person_line(member),
        "member": member,
        "adult_on": year_first(member.consent_needed_from),
        "standing": standing_consent(member),
        "not_opened": "" if opened_by(member) else why_closed(member),
        "others": [person_line(other) for other in others[:_MOST]] if member.email_key else [],
        "past": member.adult_consents.select_related("recorded_by", "withdrawn_by")[:_MOST],
        "adminform": AdminForm(form, [(None, {"fields": [*form.fields]})], {}, ()),  # type: ignore[arg-type] # any form has what it needs
        "button": _("Record their consent"),
        "back": reverse("admin:households_member_change", args=[member.pk]),
    }
    return TemplateResponse(request, "admin/desk/consent.html", context)


def _today_for(member: Member) -> datetime.date:
    """The day it is. The rule takes somebody for an adult by the database's day, in UTC, which begins some
    hours before the practice's: nobody agreed on the day before that."""
    today = timezone.localdate()
    if member.waits_for_consent and member.consent_needed_from is not None:
        return max(today, member.consent_needed_from)
    return today


def _recorded(request: HttpRequest, member: Member, form: ConsentForm) -> HttpResponse | None:
    values = form.cleaned_data
    try:
        is_new = consent_record(
            request=request,
            member=member,
            given_on=values["given_on"],
            how=values["how"],
            note=values["note"],
        )
    except ValidationError as error:
        form.add_error(None if error.code == "not-needed" else "given_on", error.messages)
        return None
    if is_new:
        messages.success(request, _("Recorded. The login opens this chart again, from now on."))
    else:
        messages.warning(request, _("Nothing was changed: it was recorded before."))
    return _back(member)


def _withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    member = _member_or_404(request, pk)
    if consent_withdraw(request=request, member=member):
        text = _("Taken back. The login does not open this chart any more, from now on.")
        messages.success(request, text)
    else:
        messages.warning(request, _("Nothing was changed: no consent stands."))
    return _back(member)


def _back(member: Member) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:member_consent", args=[member.pk]))
