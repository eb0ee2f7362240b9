"""Who is filling this in: asked once for each choice of a person, when the first thing was sent."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts import audit
from accounts.views import own_page
from households import kept
from households.binding import member_url, name_given_before
from households.models import Member
from households.requests import MemberRequest
from households.submissions.actions import submissions_filled_in
from households.submissions.forms import FilledInByForm

_PAGE = "filled-in-by/"


@require_http_methods(["GET", "HEAD", "POST"])
def filled_in_by(request: MemberRequest, member: Member) -> HttpResponse:
    """What was sent is with the practice already; this adds whose words they are. The answer holds for
    everything sent under this choice of the person, and may be changed."""
    home = member_url(request, "overview")
    asked_from = own_page(request.POST.get("next") or request.GET.get("next"))
    back = asked_from if asked_from.startswith(home) else home
    account = request.household_session.account
    if request.method == "POST":
        form = FilledInByForm(request.POST)
        if form.is_valid():
            kept.let_go(account, member, _PAGE)
            submissions_filled_in(
                request=request,
                member=member,
                by=form.cleaned_data["filled_in_by"],
                name=form.cleaned_data["filled_in_name"],
            )
            messages.success(request, _("Noted. The practice sees who filled this in."))
            return redirect(back)
        status = 422
    else:
        said = request.binding
        name = said.filled_in_name or name_given_before(request.household_session)
        typed = kept.on_page(account, member, _PAGE)
        form = FilledInByForm(
            initial={"filled_in_by": said.filled_in_by, "filled_in_name": name, **typed}
        )
        status = 200
    audit.record(audit.Action.VIEW, "ok", request=request, object_type="filled-in-by")
    context = {"form": form, "next": back}
    return render(request, "households/submissions/filled_in_by.html", context, status=status)
