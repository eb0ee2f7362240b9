"""Admin pages of patient lists: send one, read what it would do, import it, and every report there was.

They name people and their emails, so whoever opens one has to be allowed to see people too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import audit
from accounts.models import StaffAccount
from accounts.staff_pages import PortalModelAdmin
from households.desk import roster_actions, roster_files
from households.desk.models import RosterImport, RosterLine
from households.desk.roster_actions import Outcome
from households.desk.roster_report import (
    ON_A_PAGE,
    ShownLine,
    csv_lines,
    how_many,
    lines_of,
    text_lines,
)
from households.desk.roster_tasks import KEPT_DAYS
from households.roster.dates import DateOrder
from households.roster.report import UnreadableFile
from households.staff_pages import moment, year_first

State = RosterImport.State
Kind = RosterLine.Kind

_ORDERS = (
    ("", gettext_lazy("Year first: 2016/04/27")),
    ("MM/DD/YYYY", gettext_lazy("Month first: 04/27/2016")),
    ("MM-DD-YYYY", gettext_lazy("Month first: 04-27-2016")),
    ("DD/MM/YYYY", gettext_lazy("Day first: 27/04/2016")),
    ("DD.MM.YYYY", gettext_lazy("Day first: 27.04.2016")),
)
_KIND_TITLES = {
    Kind.REFUSED: gettext_lazy("Refused"),
    Kind.ACCESS: gettext_lazy("Who gains and who loses access"),
    Kind.WARNING: gettext_lazy("Somebody should look"),
    Kind.NOTE: gettext_lazy("Notes"),
}
_SAID = {
    Outcome.TOO_LATE: gettext_lazy(
        "Somebody decided about this list before. Nothing was done now."
    ),
    Outcome.NOT_READ: gettext_lazy(
        "The report is a new one. Nothing was imported: read it first, then decide."
    ),
    Outcome.BUSY: gettext_lazy(
        "Another list is being imported. Nothing was done; confirm this one when that one is done."
    ),
}
_FILES = {
    "csv": ("text/csv; charset=utf-8", csv_lines),
    "txt": ("text/plain; charset=utf-8", text_lines),
}


class RosterForm(forms.Form):
    """A patient list, and the order of its dates."""

    file = forms.FileField(
        label=gettext_lazy("File"),
        allow_empty_file=True,  # the check says what is wrong with it
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.tsv,.ndjson,.hl7,text/csv"}),
        error_messages={"required": gettext_lazy("Choose the file.")},
    )
    date_format = forms.ChoiceField(
        label=gettext_lazy("How the list writes dates"),
        choices=_ORDERS,
        required=False,
        help_text=gettext_lazy(
            "It is never guessed: 04/05/2016 is two days. Dates that stand year first are read in any case."
        ),
        error_messages={"invalid_choice": gettext_lazy("Choose one of these.")},
    )
    use_required_attribute = False

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if getattr(file, "is_let_go", False):
            text = _(
                "The file is larger than %(size)d MB. Split it, or have it imported on the server: "
                "manage.py import_roster takes up to 100 MB."
            )
            raise ValidationError(text % {"size": settings.FILE_MB})
        return file

    def clean_date_format(self) -> str:
        order: str = self.cleaned_data["date_format"]
        try:
            DateOrder(order or None)
        except UnreadableFile as error:  # the list of orders is ours, so this is our own mistake
            raise ValidationError(str(error)) from None
        return order


class RosterImportAdmin(PortalModelAdmin):
    list_display = ("sent", "file_name", "state", "uploaded_by", "outcome", "refused")
    list_display_links = ("sent", "file_name")
    list_select_related = ("uploaded_by",)

    # --- who may ----------------------------------------------------------------------

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        sees_people = request.user.has_perm("households.view_member")
        return sees_people and request.user.has_perm("desk.view_rosterimport")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and request.user.has_perm("desk.add_rosterimport")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The rows are the worker's; staff press buttons."""
        return False

    # --- the list ---------------------------------------------------------------------

    @admin.display(description=gettext_lazy("sent"), ordering="pk")
    def sent(self, row: RosterImport) -> str:
        return moment(row.uploaded_at)

    @admin.display(description=gettext_lazy("new, changed, unchanged"))
    def outcome(self, row: RosterImport) -> str:
        if not row.plan_digest:
            return "–"
        return f"{row.created}, {row.changed}, {row.unchanged}"

    def about(self, obj: RosterImport) -> str:
        return obj.file_name

    # --- addresses --------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        buttons: dict[str, Callable[[HttpRequest, int], Outcome]] = {
            "confirm": self._confirm,
            "drop": self._drop,
            "start-again": self._start_again,
        }
        ours = [
            path(
                f"<int:pk>/{name}/",
                self.admin_site.admin_view(require_POST(self._button(name, press))),
                name=f"desk_rosterimport_{name.replace('-', '_')}",
            )
            for name, press in buttons.items()
        ]
        download = self.admin_site.admin_view(require_safe(self._download))
        ours += [
            path(
                f"<int:pk>/report-{how}/",
                download,
                {"how": how},
                name=f"desk_rosterimport_report_{how}",
            )
            for how in _FILES
        ]
        return [*ours, *super().get_urls()]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return require_http_methods(["GET", "HEAD", "POST"])(self._upload)(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return require_safe(self._page)(request, object_id)

    # --- sending one ------------------------------------------------------------------

    def _upload(self, request: HttpRequest) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form, status = RosterForm(), 200
        if request.method == "POST":
            form = RosterForm(request.POST, request.FILES)
            if form.is_valid():
                row = roster_actions.list_take_in(
                    request=request,
                    staff=_staff(request),
                    file=form.cleaned_data["file"],
                    date_format=form.cleaned_data["date_format"],
                )
                return self._to(row.pk)
            status = 422
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Import a patient list"),
            "form": form,
            "file_mb": settings.FILE_MB,
            "kept_days": KEPT_DAYS,
        }
        return TemplateResponse(request, "admin/desk/roster_upload.html", context, status=status)

    # --- the report -------------------------------------------------------------------

    def _page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self._row_or_404(request, object_id)
        stopped = roster_actions.is_stopped(row)
        is_worked_on = row.state in {State.CHECKING, State.IMPORTING} and not stopped
        counts = how_many(row) if row.plan_digest and not is_worked_on else {}
        # How far the worker is names nobody, is asked for every few seconds, and must not wait for the lock
        # that the import holds on SQLite.
        if not is_worked_on:
            audit.record(
                audit.Action.STAFF_VIEW,
                "ok",
                request=request,
                object_type="rosterimport",
                object_id=row.pk,
            )
        may_decide = self.has_add_permission(request)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": row.file_name,
            "row": row,
            "sent": moment(row.uploaded_at),
            "decided": moment(row.decided_at),
            "finished": moment(row.finished_at),
            "is_worked_on": is_worked_on,
            "is_stopped": stopped,
            "progress": roster_files.progress(row.file_key) if is_worked_on else None,
            "may_confirm": may_decide and row.state == State.CHECKED,
            "may_drop": may_decide and (row.state == State.CHECKED or stopped),
            "may_start_again": may_decide and stopped,
            "moves_access": bool(counts.get(Kind.ACCESS)) or _joins(row),
            "has_report": bool(counts),
            "is_imported": row.state == State.IMPORTED,
            **self._shown(request, row, counts),
        }
        return TemplateResponse(request, "admin/desk/roster_import.html", context)

    def _shown(
        self, request: HttpRequest, row: RosterImport, counts: dict[str, int]
    ) -> dict[str, Any]:
        """The part of the report that is looked at: one kind, a hundred lines of it."""
        wanted = request.GET.get("show", "")
        kinds = [kind for kind in Kind if counts.get(kind)]
        shown = next((kind for kind in kinds if kind == wanted), kinds[0] if kinds else None)
        if shown is None:
            return {"kinds": [], "lines": [], "shown": ""}
        pages = -(-counts[shown] // ON_A_PAGE)
        page = min(max(1, _whole_number(request.GET.get("p", ""))), pages)
        lines = lines_of(row, shown, page)
        return {
            "kinds": [
                {"kind": kind, "title": _KIND_TITLES[kind], "count": counts[kind]} for kind in kinds
            ],
            "shown": shown,
            "shown_title": _KIND_TITLES[shown],
            "reasons": (row.reasons.get(shown) or {}).items(),
            "lines": [_as_shown(line) for line in lines],
            "page": page,
            "pages": pages,
            "page_before": page - 1,
            "page_after": page + 1 if page < pages else 0,
        }

    def _download(self, request: HttpRequest, pk: int, how: str) -> HttpResponseBase:
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self._row_or_404(request, str(pk))
        content_type, lines = _FILES[how]
        audit.record(
            audit.Action.EXPORT, how, request=request, object_type="rosterimport", object_id=row.pk
        )
        return StreamingHttpResponse(
            lines(row),
            content_type=content_type,
            headers={
                "Content-Disposition": f'attachment; filename="patient-list-{row.pk}.{how}"',
                "Content-Security-Policy": "sandbox; default-src 'none'",
            },
        )

    # --- buttons ----------------------------------------------------------------------

    def _button(self, name: str, press: Callable[[HttpRequest, int], Outcome]) -> Any:
        done = {
            "confirm": _("The import has begun."),
            "drop": _("The list is not imported. Its file is deleted, this report stays."),
            "start-again": _("Started again."),
        }[name]

        def view(request: HttpRequest, pk: int) -> HttpResponse:
            if not self.has_add_permission(request):
                raise PermissionDenied
            row = self._row_or_404(request, str(pk))
            if name == "confirm" and _moves_access(row) and "read_access" not in request.POST:
                text = _(
                    "Nothing was imported. Look at who gains and who loses access, tick that you did, and "
                    "confirm again."
                )
                self.message_user(request, text, messages.WARNING)
                return self._to(row.pk)
            outcome = press(request, row.pk)
            if outcome == Outcome.DONE:
                self.message_user(request, done, messages.SUCCESS)
            else:
                self.message_user(request, str(_SAID[outcome]), messages.WARNING)
            return self._to(row.pk)

        return view

    def _confirm(self, request: HttpRequest, pk: int) -> Outcome:
        return roster_actions.list_confirm(
            request=request,
            staff=_staff(request),
            row_id=pk,
            plan_digest=request.POST.get("plan", ""),
        )

    def _drop(self, request: HttpRequest, pk: int) -> Outcome:
        return roster_actions.list_drop(request=request, staff=_staff(request), row_id=pk)

    def _start_again(self, request: HttpRequest, pk: int) -> Outcome:
        return roster_actions.list_start_again(request=request, row_id=pk)

    def _row_or_404(self, request: HttpRequest, object_id: str) -> RosterImport:
        pk = _whole_number(object_id)
        if not pk or pk.bit_length() > 63:
            raise Http404
        rows = RosterImport.objects.select_related("uploaded_by", "decided_by")
        return get_object_or_404(rows, pk=pk)

    def _to(self, pk: int) -> HttpResponseRedirect:
        return HttpResponseRedirect(reverse("admin:desk_rosterimport_change", args=[pk]))


def _staff(request: HttpRequest) -> StaffAccount:
    user = request.user
    assert isinstance(user, StaffAccount)
    return user


def _joins(row: RosterImport) -> bool:
    return "email_join" in (row.reasons.get(Kind.WARNING) or {})


def _moves_access(row: RosterImport) -> bool:
    """Whether a deliberate word is asked for: somebody's access moves, or a household is joined (H3)."""
    return _joins(row) or row.lines.filter(kind=Kind.ACCESS).exists()


def _as_shown(line: ShownLine) -> dict[str, Any]:
    member = line.member
    return {
        "line": line.line or "",
        "patient_id": line.patient_id,
        "member_pk": member.pk if member else None,
        "person": f"{member.full_name}, {year_first(member.date_of_birth)}" if member else "",
        "word": line.word,
        "message": line.message,
    }


def _whole_number(typed: str) -> int:
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 19 else 0
