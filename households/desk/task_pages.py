"""The page of tasks in admin, and its buttons. For whoever may change members.

A button does its one thing at once; pressed twice or by two, it is done once and the other one is told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts import audit
from households.ages import age_see, reaching
from households.desk.tasks import (
    MOST,
    ON_LIST,
    ON_PAGE,
    birthdays,
    of_cause,
    titles,
)
from households.fixes import also_called_add, portal_access_set
from households.misses import Cause, Miss, miss_dismiss, misses_waiting, standing
from households.models import Member, PickerMiss
from households.requests import PracticeRequest
from households.staff_pages import person_line, year_first

_NEEDS = "households.change_member"


def staff_paths(site: AdminSite) -> list[URLPattern]:
    """For the staff site, which mounts them."""

    def page(request: HttpRequest) -> HttpResponse:
        return _page(site, cast(PracticeRequest, request))

    def posted(route: str, press: Callable[..., HttpResponse], name: str) -> URLPattern:
        return path(route, site.admin_view(require_POST(press)), name=name)

    return [
        path("tasks/", site.admin_view(require_safe(page)), name="tasks"),
        posted("tasks/miss/<int:pk>/learn/", _learn, "task_learn"),
        posted("tasks/miss/<int:pk>/dismiss/", _dismiss, "task_dismiss"),
        posted("tasks/birthday/<int:pk>/<int:age>/seen/", _see, "task_seen"),
        posted("tasks/birthday/<int:pk>/<int:age>/keep-off/", _keep_off, "task_keep_off"),
    ]


def may_see_tasks(request: HttpRequest) -> bool:
    user: Any = request.user
    return bool(user.has_perm(_NEEDS))


def _may_add_names(request: HttpRequest) -> bool:
    user: Any = request.user
    return may_see_tasks(request) and bool(user.has_perm("households.add_alsocalled"))


def _page(site: AdminSite, request: PracticeRequest) -> HttpResponse:
    """All kinds, the oldest first; with ?age=, the whole list of those who reach that age, in pages."""
    if not may_see_tasks(request):
        raise PermissionDenied
    age, number = _number(request, "age"), max(1, _number(request, "p") or 1)
    practice = request.practice
    if age is not None and age not in practice.ages_announced:
        raise Http404
    misses = [] if age is not None else misses_waiting(MOST)
    groups = [
        _of_misses(cause, title, of_cause(misses, cause)) for cause, title in titles().items()
    ]
    for one in practice.ages_announced if age is None else [age]:
        most, first = (ON_PAGE, 0) if age is None else (ON_LIST, (number - 1) * ON_LIST)
        found = birthdays(practice, one, first, most + 1)
        groups.append(
            {
                "kind": f"age-{one}",
                "title": _("Turning %(age)d") % {"age": one},
                "is_adult": one == practice.adult_age,
                "birthdays": [
                    {"it": birthday, "person": person_line(birthday.member)}
                    for birthday in found[:most]
                ],
                "more": len(found) > most,
                "age": one,
            }
        )
    audit.record(audit.Action.STAFF_VIEW, "list", request=request, object_type="task")
    filled = [group for group in groups if group.get("misses") or group.get("birthdays")]
    context = {
        **site.each_context(request),
        "title": _("Tasks"),
        "groups": filled,
        "first_birthdays": next((group["kind"] for group in filled if "birthdays" in group), ""),
        "one_age": age,
        "page_number": number,
        "more_pages": age is not None and any(group["more"] for group in filled),
        "may_add_names": _may_add_names(request),
        "may_open_household": request.user.has_perm("accounts.view_householdaccount"),
    }
    return TemplateResponse(request, "admin/desk/tasks.html", context)


def _number(request: HttpRequest, name: str) -> int | None:
    given = request.GET.get(name, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 6 else None


def _of_misses(cause: str, title: str, misses: list[Miss]) -> dict[str, Any]:
    return {
        "kind": cause,
        "title": title,
        "misses": [
            {
                "row": miss.row,
                "typed_date": year_first(miss.row.date_of_birth),
                "people": [(member, person_line(member)) for member in miss.people],
                "born_then": [member.full_name for member in miss.born_then],
            }
            for miss in misses[:ON_PAGE]
        ],
        "more": len(misses) > ON_PAGE,
    }


# --- buttons --------------------------------------------------------------------------


def _learn(request: HttpRequest, pk: int) -> HttpResponse:
    """Add the typed name as an also-called name of one of those who were born that day."""
    if not _may_add_names(request):
        raise PermissionDenied
    with transaction.atomic():
        miss = _miss(request, pk)
        given = request.POST.get("member", "")
        people = miss.people if miss and miss.cause == Cause.NAME else []
        member = next((member for member in people if str(member.pk) == given), None)
        if miss is None or member is None:
            return _dealt_with_before(request, Cause.NAME)
        try:
            also_called_add(request=request, member=member, name=miss.row.name)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
            return _back(Cause.NAME)
    messages.success(request, _("Added. The family can choose this person by that name now."))
    return _back(Cause.NAME)


def _dismiss(request: HttpRequest, pk: int) -> HttpResponse:
    with transaction.atomic():
        miss = _miss(request, pk)
        if miss is None or not miss_dismiss(request=request, row=miss.row):
            return _dealt_with_before(request, miss.cause if miss else "")
    messages.success(request, _("Dismissed. It does not come back when it is typed again."))
    return _back(miss.cause)


def _see(request: HttpRequest, pk: int, age: int) -> HttpResponse:
    with transaction.atomic():
        member = _member_reaching(request, pk, age)
        if member is None:
            return _dealt_with_before(request, f"age-{age}")
        age_see(request=request, member=member, age=age)
    messages.success(request, _("Noted that you have looked at it. Nothing was changed."))
    return _back(f"age-{age}")


def _keep_off(request: HttpRequest, pk: int, age: int) -> HttpResponse:
    """Switch portal access off: the shared login does not open them any more, from this moment on."""
    with transaction.atomic():
        member = _member_reaching(request, pk, age)
        if member is None:
            return _dealt_with_before(request, f"age-{age}")
        portal_access_set(request=request, member=member, on=False)
    text = _(
        "Portal access is off. The shared login does not open this chart any more, from now on."
    )
    messages.success(request, text)
    return _back(f"age-{age}")


def _miss(request: HttpRequest, pk: int) -> Miss | None:
    """The miss as it stands now, locked; None when it was dealt with."""
    if not may_see_tasks(request):
        raise PermissionDenied
    rows = PickerMiss.objects.filter(pk=_usable(pk), dismissed_at=None)
    return next(
        iter(standing(list(rows.select_related("account").select_for_update(of=("self",))))), None
    )


def _member_reaching(request: PracticeRequest | HttpRequest, pk: int, age: int) -> Member | None:
    """Whose birthday it is, locked, as long as it stands among the tasks."""
    if not may_see_tasks(request):
        raise PermissionDenied
    practice = cast(PracticeRequest, request).practice
    if age not in practice.ages_announced:
        raise Http404
    rows = reaching(practice, age).filter(pk=_usable(pk))
    return rows.select_for_update(of=("self",), no_key=True).first()


def _usable(pk: int) -> int:
    if pk.bit_length() > 63:  # databases refuse it in their own ways
        raise Http404
    return pk


def _dealt_with_before(request: HttpRequest, kind: str) -> HttpResponse:
    messages.warning(request, _("Nothing was changed: it was dealt with before."))
    return _back(kind)


def _back(kind: str) -> HttpResponse:
    return HttpResponseRedirect(
        f"{reverse('admin:tasks')}#{kind}" if kind else reverse("admin:tasks")
    )
