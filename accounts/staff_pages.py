"""What every page of Django admin does here, whichever record it shows.

Opening a record and saving one are in the audit (SECURITY R-AL-1). Lists do not count the whole table. What
staff search for stays out of addresses (R-SE-10). Nothing is deleted. A save over somebody else's newer
save is shown, not made (R-RE-2).
"""

from __future__ import annotations

import json
import re
import secrets
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import ShowFacets
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.functional import cached_property
from django.utils.http import urlencode
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from accounts import audit

LONGEST_SEARCH = 200
_SEARCHES_KEPT = 20
# As large as every database can look up.
_ROW_NUMBER = re.compile("[0-9]{1,18}")


# --- lists ----------------------------------------------------------------------------


class ShortCountPaginator(Paginator):
    """Counts to `most` and no further: at a million rows, counting them all is what makes a list slow."""

    most = 1000

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by().values("pk")[: self.most].count()

    @property
    def there_may_be_more(self) -> bool:
        return self.count == self.most


def keep_search(request: HttpRequest, words: str) -> str:
    """Put what staff typed into their session and return the key that stands for it in addresses."""
    key = f"~{secrets.token_urlsafe(6)}"
    kept = request.session.get("searches", {})
    kept[key] = words.replace("\0", "")[:LONGEST_SEARCH]
    request.session["searches"] = dict(list(kept.items())[-_SEARCHES_KEPT:])
    return key


def words_of_search(request: HttpRequest, query: str) -> str:
    """The words behind a key; "" for the key of a search that is over; other text stands for itself."""
    if query.startswith("~"):
        return request.session.get("searches", {}).get(query, "")
    return query


class PortalChangeList(ChangeList):
    def get_ordering_field(self, field_name: Any) -> Any:
        """None for what the list offers no order by: an address could name any column, also one that the
        database would sort the whole table for."""
        return super().get_ordering_field(field_name) if field_name in self.sortable_by else None

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: Any = None
    ) -> models.QuerySet[Any]:
        self.query = words_of_search(request, self.query)[:LONGEST_SEARCH]
        return super().get_queryset(request, exclude_parameters)


# --- forms ----------------------------------------------------------------------------


class VersionedForm(forms.ModelForm):
    """Remembers what stood in the record when the page was opened.

    When that is no longer what stands there, nothing is saved: the page says what is on file now, keeps
    what was typed, and saves it when it is sent again.
    """

    version = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [name for name in self.fields if name != "version"]
        self._on_file = forms.model_to_dict(self.instance, fields=names)
        self._version = salted_hmac(
            "staff_pages.version",
            json.dumps(self._on_file, default=str, sort_keys=True),
            algorithm="sha256",
        ).hexdigest()
        self.initial["version"] = self._version

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        opened = self.cleaned_data.get("version", "")
        if self.instance.pk and not constant_time_compare(opened, self._version):
            self.data = self.data.copy()
            self.data[self.add_prefix("version")] = self._version
            raise ValidationError(
                [
                    ValidationError(
                        _(
                            "Somebody changed this record after you opened it. Nothing of yours is saved "
                            "yet. Compare, and save again to replace what is on file with what stands here."
                        ),
                        code="changed-meanwhile",
                    ),
                    *self._differences(),
                ]
            )
        return cleaned

    def _differences(self) -> list[ValidationError]:
        return [
            ValidationError(
                _("%(field)s on file now: %(value)s"),
                params={
                    "field": self.fields[name].label,
                    "value": "–" if on_file in (None, "", []) else _shown(on_file),
                },
            )
            for name, on_file in self._on_file.items()
            if name in self.cleaned_data and _differs(on_file, self.cleaned_data[name])
        ]


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(part) for part in value)
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return str(value)


def _differs(on_file: Any, typed: Any) -> bool:
    if isinstance(on_file, list):
        return set(on_file) != set(typed)
    return (on_file or "") != (typed or "")


# --- pages ----------------------------------------------------------------------------


class PortalModelAdmin(admin.ModelAdmin):
    """The base of every page of staff. Subclasses say who a record is about."""

    form = VersionedForm
    actions = None
    list_per_page = 50
    paginator = ShortCountPaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    # Whether opening one and listing many are in the audit: yes for everything about a family.
    records_views = True

    @property
    def media(self) -> forms.Media:
        """Django's, without what makes a web address of a title: nothing here has one, and it is a third of a
        page (UX section 5)."""
        needed = (
            *("vendor/jquery/jquery.min.js", "jquery.init.js", "core.js"),
            *("admin/RelatedObjectLookups.js", "actions.js"),
        )
        return forms.Media(js=[f"admin/js/{name}" for name in needed])

    def about(self, obj: Any) -> str:
        """The line that stands on every page of the record: for a person, name and date of birth."""
        return str(obj)

    def audit_ids(self, obj: Any) -> dict[str, int]:
        """`member_id` or `account_id` of a record, for its audit entries."""
        return {}

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PortalChangeList

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only the list's own filters. Django lets an address ask for any column: a password hash
        could be read by its beginnings, and names would stand in addresses."""
        names = [getattr(part, "parameter_name", part) for part in self.list_filter]
        return lookup.partition("__")[0] in names

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        rows = super().get_queryset(request)
        if request.method == "POST" and transaction.get_connection().in_atomic_block:
            # Two saves of one record take turns, so that the second sees the first one's.
            # Rows that point at it may be written meanwhile.
            rows = rows.select_for_update(of=("self",), no_key=True)
        return rows

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        """By its number as our addresses say it, whatever column the question names. Python reads "+5" and an
        Arabic five as numbers too."""
        obj = super().get_object(request, object_id)
        return obj if obj is None or str(obj.pk) == object_id else None

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = [
            (title, dict(options)) for title, options in super().get_fieldsets(request, obj)
        ]
        if (
            obj is not None
            and issubclass(self.form, VersionedForm)
            and self.has_change_permission(request, obj)
        ):
            fieldsets[0][1]["fields"] = [*fieldsets[0][1]["fields"], "version"]
        return fieldsets

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        if request.method == "POST" and "search" in request.POST:
            not_kept = {"csrfmiddlewaretoken", "search", "q", "p"}
            kept = {name: value for name, value in request.POST.items() if name not in not_kept}
            words = request.POST.get("q", "").strip()
            if words:
                kept["q"] = keep_search(request, words)
            return HttpResponseRedirect(f"?{urlencode(kept)}" if kept else request.path)
        # Django's own is "Select … to change", also of what nobody can change.
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        response = super().changelist_view(request, {**title, **(extra_context or {})})
        # Also where it was asked for by POST: a list that is read is read.
        if self.records_views and response.status_code == 200:
            shown = getattr(response, "context_data", None) or {}
            is_found = getattr(shown.get("cl"), "query", "")
            self._record(request, audit.Action.STAFF_VIEW, "search" if is_found else "list")
        return response

    def response_action(
        self, request: HttpRequest, queryset: models.QuerySet[Any]
    ) -> HttpResponse | None:
        """Django looks up whatever a form says is a row's number, and fails where it is none."""
        chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if all(_ROW_NUMBER.fullmatch(one) for one in chosen):
            return super().response_action(request, queryset)
        text = _("Nothing was changed: what was chosen is no row of this list. Choose again.")
        self.message_user(request, text, messages.WARNING)
        return None

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        *args: Any,
        obj: Any = None,
        **kwargs: Any,
    ) -> HttpResponse:
        if obj is not None:
            context["subtitle"] = self.about(obj)
            if self.records_views:
                self._record(request, audit.Action.STAFF_VIEW, "ok", obj)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def history_view(
        self,
        request: HttpRequest,
        object_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied  # before it is said which rows there are
        response = super().history_view(request, object_id, extra_context)
        context = getattr(response, "context_data", None)
        if context:
            context["subtitle"] = self.about(context["object"])
            if self.records_views:
                self._record(request, audit.Action.STAFF_VIEW, "history", context["object"])
        return response

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._record(request, audit.Action.STAFF_CHANGE, "added", obj)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Also what a button did: pass its audit word, such as "link-sent", as `message`."""
        outcome = message if isinstance(message, str) else "changed" if message else "unchanged"
        self._record(request, audit.Action.STAFF_CHANGE, outcome, obj)
        return super().log_change(request, obj, message)

    def _record(
        self, request: HttpRequest, action: audit.Action, outcome: str, obj: Any = None
    ) -> None:
        audit.record(
            action,
            outcome,
            request=request,
            object_type=self.opts.model_name,
            object_id="" if obj is None else obj.pk,
            **({} if obj is None else self.audit_ids(obj)),
        )
