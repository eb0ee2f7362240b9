"""The base of every admin page about people and about what is theirs: how people are found and named, whose
row it is, buttons, and a page of one form about one person."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import AdminForm
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from accounts import audit
from accounts.staff_pages import PortalModelAdmin, ShortCountPaginator
from households.models import Member
from households.portal_access import opened_by, why_closed
from households.search import people_found
from households.trigram import has_trigrams


def year_first(day: datetime.date | None) -> str:
    return "" if day is None else f"{day.year:04}/{day.month:02}/{day.day:02}"


def name_and_birth_date(member: Member) -> str:
    """The two facts that stand on every staff page of a person (UX ADM-2)."""
    called = f" (“{member.preferred_name}”)" if member.preferred_name else ""
    born = year_first(member.date_of_birth) or _("birth date not on file")
    return f"{member.full_name}{called}, {born}"


def person_line(member: Member) -> str:
    """The same with the age, for pages on which pictures scroll by (UX ADM-5)."""
    about, age = name_and_birth_date(member), member.age
    if age is None:
        return about
    years = ngettext("%(about)s, %(age)d year old", "%(about)s, %(age)d years old", age)
    return years % {"about": about, "age": age}


def moment(at: datetime.datetime | None) -> str:
    """A time of day at the practice, year first."""
    return "" if at is None else date_format(timezone.localtime(at), "Y/m/d H:i")


# --- searching people -----------------------------------------------------------------


_FEW_PEOPLE = 1000


def rows_of_people(rows: models.QuerySet[Any], person: str, words: str) -> models.QuerySet[Any]:
    """Those whose `person` somebody finds with these words. Of few people the rows are looked up one by
    one; of many, the rows are gone through in their order and have them soon. A database that is left to
    guess which of the two it is takes the slower way."""
    people = people_found(words)
    if not people:
        return rows
    found = Member.objects.filter(people)
    few = [*found.order_by().values_list("pk", flat=True)[: _FEW_PEOPLE + 1]]
    return rows.filter(**{f"{person}__in": few if len(few) <= _FEW_PEOPLE else found})


class FindsPeople(PortalModelAdmin):
    """A list that is searched by its people. `person` is the way from a row to its member."""

    person = ""
    search_fields = ("first_name_key",)

    @property
    def search_help_text(self) -> str:  # type: ignore[override] # what can be found hangs on the database
        if has_trigrams():
            return _(
                "Name or a part of it (“mia riv” or “rivera, mia”), birth date (2016/04/27), email or a part "
                "of it, or record number"
            )
        return _(
            "Beginning of a name (“mia riv” or “rivera, mia”) or email, birth date (2016/04/27) or record "
            "number"
        )

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Any], search_term: str
    ) -> tuple[models.QuerySet[Any], bool]:
        if self.person:
            return rows_of_people(queryset, self.person, search_term), False
        return _some_of(queryset, people_found(search_term)), False


def _some_of(members: models.QuerySet[Any], people: models.Q) -> models.QuerySet[Any]:
    """As many of those who are found as a list ever shows. A database that is to sort all of them first, or
    to look for them in the order of the list, takes seconds where there are many."""
    if not people:
        return members
    some = members.filter(people).order_by().values_list("pk", flat=True)
    return members.filter(pk__in=[*some[: ShortCountPaginator.most]])


# --- what belongs to one member -------------------------------------------------------


def shown_as_anothers(request: HttpRequest, member_id: int) -> bool:
    """Whether the page whose button was pressed showed the thing as somebody else's: it was moved to another
    person meanwhile. Then nothing is done and staff are told; what they read was said of the other."""
    shown_for = request.POST.get("shown_for", str(member_id))
    if shown_for == str(member_id):
        return False
    text = _(
        "Nothing was changed: after you opened the page, this was moved to another person. Look whose it is."
    )
    messages.warning(request, text)
    return True


class MemberOwnedAdmin(FindsPeople):
    """Lists and pages of things that belong to one member each: whose they are stands on every one, and
    nobody types or chooses it there. Subclasses name their buttons."""

    person = "member"
    # In one order, which an index has: to sort by whose they are, the database would sort all there is.
    sortable_by = ()
    # Words in the address of a POST, and the method behind each: it takes the request and the row, which
    # is locked, and tells the staff what it did.
    buttons: ClassVar[dict[str, str]] = {}

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return super().get_queryset(request).select_related("member")

    def about(self, obj: Any) -> str:
        return name_and_birth_date(obj.member)

    def audit_ids(self, obj: Any) -> dict[str, int]:
        return {"member_id": obj.member_id}

    @admin.display(description=gettext_lazy("person"), ordering="member__last_name_key")
    def person_name(self, obj: Any) -> str:
        return obj.member.full_name

    @admin.display(description=gettext_lazy("person"))
    def person_link(self, obj: Any) -> str:
        return format_html(
            '<a href="{}">{}</a>',
            reverse("admin:households_member_change", args=[obj.member_id]),
            obj.member.full_name,
        )

    @admin.display(description=gettext_lazy("date of birth"), ordering="member__date_of_birth")
    def born(self, obj: Any) -> str:
        return year_first(obj.member.date_of_birth)

    # --- addresses of our own ---------------------------------------------------------

    def own_path(
        self, route: str, view: Callable[..., HttpResponseBase], methods: str = "GET, HEAD"
    ) -> URLPattern:
        """An address below the list's, for staff. Its name is made of the route's words."""
        words = "_".join(re.findall(r"[a-z]+", re.sub(r"<.*?>", "", route)))
        allowed = require_http_methods(methods.split(", "))(view)
        name = f"{self.opts.app_label}_{self.opts.model_name}_{words}"
        return path(route, self.admin_site.admin_view(allowed), name=name)

    def get_urls(self) -> list[URLPattern]:
        ours = [
            self.own_path(f"<int:pk>/{word}/", self._button(getattr(self, method)), "POST")
            for word, method in self.buttons.items()
        ]
        return [*ours, *super().get_urls()]

    def row_or_404(self, request: HttpRequest, pk: int, column: str = "pk") -> Any:
        return get_object_or_404(self.get_queryset(request), **{column: _usable(pk)})

    def to_its_page(self, obj: Any) -> HttpResponseRedirect:
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return HttpResponseRedirect(reverse(name, args=[obj.pk]))

    def _button(self, press: Callable[[HttpRequest, Any], HttpResponse | None]) -> Any:
        def view(request: HttpRequest, pk: int) -> HttpResponse:
            if not self.has_change_permission(request):
                raise PermissionDenied
            with transaction.atomic():
                obj = self.row_or_404(request, pk)
                if shown_as_anothers(request, obj.member_id):
                    return self.to_its_page(obj)
                return press(request, obj) or self.to_its_page(obj)

        return view

    # --- a form about one person ------------------------------------------------------

    def person_or_404(self, request: HttpRequest, pk: int) -> Member:
        """The person that a new thing is for, from the address: no form chooses them. Whoever may add it
        and may see the person."""
        if not self.has_add_permission(request) or not request.user.has_perm(
            "households.view_member"
        ):
            raise PermissionDenied
        return get_object_or_404(Member, pk=_usable(pk))

    def to_choose_person(self, request: HttpRequest, tool: str) -> HttpResponse:
        """Where the site's "Add" leads: to the people, on whose page `tool` is the button to press."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        text = _("First open the person. On their page, press “%(tool)s”.") % {"tool": tool}
        self.message_user(request, text, messages.INFO)
        return HttpResponseRedirect(reverse("admin:households_member_changelist"))

    def form_page(
        self,
        request: HttpRequest,
        member: Member,
        form: forms.Form,
        *,
        title: str,
        button: str,
        action: str = "",
        back: str = "",
    ) -> HttpResponse:
        """A page of one form that is about `member`, whose name and birth date stay in sight. `action` is
        where the form goes, `back` where "Cancel" goes: both the address itself and the person's page
        where they are left out."""
        # Also when it is shown again for a mistake: nobody reads a name by posting nothing.
        audit.record(
            audit.Action.STAFF_VIEW,
            "form",
            request=request,
            member_id=member.pk,
            object_type=self.opts.model_name or "",
        )
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "subtitle": name_and_birth_date(member),
            "person": person_line(member),
            "shown_for": member.pk,
            "not_opened": "" if opened_by(member) else why_closed(member),
            "adminform": AdminForm(
                form,  # type: ignore[arg-type] # any form has what it needs
                [(None, {"fields": [*form.fields]})],
                {},
                (),
                self,
            ),
            "button": button,
            "action": action,
            "back": back or reverse("admin:households_member_change", args=[member.pk]),
        }
        return TemplateResponse(request, "admin/person_form.html", context)


def _usable(pk: int) -> int:
    """Raises Http404 for a number that no row can have; databases refuse it in their own ways."""
    if pk.bit_length() > 63:
        raise Http404
    return pk
