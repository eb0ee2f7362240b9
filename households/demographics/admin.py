"""The staff's pages of details: what families want changed, one submission at a time; what is on file of one
person, to be corrected; and what the practice does with each field."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils.crypto import constant_time_compare
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import audit
from accounts.staff_pages import PortalModelAdmin
from households.binding import end_for_members
from households.demographics.actions import member_locked, put_on_file
from households.demographics.fields import FIELDS, Field, OnFile, Values
from households.demographics.forms import ChangeForm, form_of
from households.demographics.models import Contact, DetailChange, FieldSetting
from households.demographics.standing import Standing, field_label, standing_of
from households.member_admin import IDENTITY
from households.models import Member
from households.staff_pages import name_and_birth_date, person_line
from households.submissions.models import Submission
from households.submissions.review import Line, ReviewAdmin

# Whole sentences, because the family reads them.
QUICK_REASONS = (
    ("paper", gettext_lazy("We need a paper that shows this. Send a photo of it under Documents.")),
    ("call", gettext_lazy("We are not sure what you mean. Call us.")),
    ("is-right", gettext_lazy("What we have on file is right, as far as we know.")),
)


@admin.register(DetailChange)
class DetailChangeAdmin(ReviewAdmin):
    quick_reasons = QUICK_REASONS
    submission_kind = Submission.Kind.DEMOGRAPHICS

    def title_of(self, proposal: DetailChange) -> str:
        field = FIELDS[proposal.field]
        if not field.repeats:
            return str(field.label)
        if not proposal.before:
            return _("Contact: a new one")
        return _("Contact: a change") if proposal.values else _("Contact: to be taken off")

    def prepared(self, proposals: list[DetailChange]) -> list[DetailChange]:
        if proposals:
            on_file = OnFile.of(proposals[0].member)
            for proposal in proposals:
                proposal.on_file = on_file
        return proposals

    def lines_of(self, proposal: DetailChange) -> list[Line]:
        field = FIELDS[proposal.field]
        told = [proposal.before, self._now(proposal), proposal.values, proposal.edited_values or {}]
        columns = zip(*(field.words(values) for values in told), strict=True)
        return [
            Line(
                label=before[0],
                before=before[1],
                now=now[1],
                after=after[1],
                corrected=corrected[1],
            )
            for before, now, after, corrected in columns
        ]

    def _now(self, proposal: DetailChange) -> Values:
        on_file = proposal.on_file or OnFile.of(proposal.member)
        return FIELDS[proposal.field].read(on_file, proposal.row)

    def why_not(self, proposal: DetailChange) -> str:
        """An email decides who may open the chart: it is changed where that is shown. Once another one is on
        file, accepting here says that it is done."""
        if proposal.field != "email" or self._now(proposal) != proposal.before:
            return ""
        return format_html(
            '{} <a href="{}">{}</a>',
            _(
                "An email is not changed here. Change it on the person's page, which shows who would gain "
                "and who would lose access. Then come back and press Accept, so that the family sees that "
                "it is done."
            ),
            reverse("admin:households_member_change", args=[proposal.member_id]),
            _("Open the person's page"),
        )

    def edit_form(self, proposal: DetailChange, data: Any = None) -> forms.Form | None:
        field = FIELDS[proposal.field]
        if not proposal.values or proposal.field == "email":
            return None
        standing = Standing(field, proposal.row, self._now(proposal), proposal)
        return _for_staff(field)(
            data,
            on_file=standing.on_file,
            initial={**form_of(field).typed(proposal.values), "seen": standing.fingerprint},
        )

    def accept(
        self,
        request: HttpRequest,
        proposal: DetailChange,
        edited: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        field = FIELDS[proposal.field]
        if field.key == "email":
            return {"edited_values": self._now(proposal)}
        member = member_locked(proposal.member)
        before = field.read(OnFile.of(member), proposal.row)
        values = proposal.values if edited is None else field.spelled_as(before, edited)
        changed = put_on_file(member=member, field=field, values=values, row=proposal.row)
        if IDENTITY & changed:
            end_for_members([member])
        return {} if edited is None else {"edited_values": values}

    # --- what is on file --------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        change = "on-file/<int:pk>/change/<slug:field>/"
        return [
            self.own_path("on-file/<int:pk>/", self._read_back),
            self.own_path(change, self._correct, "GET, HEAD, POST"),
            self.own_path(f"{change}<uuid:row>/", self._correct, "GET, HEAD, POST"),
            *super().get_urls(),
        ]

    def _read_back(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Everything on file of one person, also what the practice does not show to families."""
        member = self._member_or_404(request, pk)
        on_file = OnFile.of(member)
        self._record_on(request, audit.Action.STAFF_VIEW, "ok", member)
        groups: dict[str, list[tuple[str, list[tuple[str, str]], str, str]]] = {}
        for field in FIELDS.values():
            lines = groups.setdefault(str(field.group), [])
            rows = [str(contact.public_id) for contact in on_file.contacts]
            for row in rows if field.repeats else [""]:
                values = field.shown(field.read(on_file, row))
                url = self._address_of(member, field, row)
                lines.append((str(field.label), values, url, _("Change")))
            if field.repeats:
                url = self._address_of(member, field, str(uuid.uuid4()))
                lines.append((_("A new contact"), [], url, _("Add")))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Details on file"),
            "subtitle": name_and_birth_date(member),
            "person": person_line(member),
            "groups": groups.items(),
            "member_url": reverse("admin:households_member_change", args=[member.pk]),
            "may_change": self.has_change_permission(request),
        }
        return TemplateResponse(request, "admin/demographics/on_file.html", context)

    def _correct(
        self, request: HttpRequest, pk: int, field: str, row: uuid.UUID | None = None
    ) -> HttpResponse:
        """One field of one person, written at once. A family's page that is open meanwhile shows both."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        about = FIELDS.get(field)
        if about is None or about.key == "email" or about.repeats != (row is not None):
            raise Http404
        back = self._url("on_file", pk)
        with transaction.atomic():
            member = self._member_or_404(request, pk)
            if row is not None and _is_another_members(member, row):
                raise Http404
            if request.method == "POST":
                member = member_locked(member)
            standing = standing_of(member, about, str(row or ""))
            form = _for_staff(about)(
                request.POST if request.method == "POST" else None,
                on_file=standing.on_file,
                initial={
                    **form_of(about).typed(standing.on_file),
                    "seen": standing.fingerprint,
                },
            )
            if about.repeats and standing.on_file:
                form.fields["ended"] = forms.BooleanField(
                    label=_("No longer a contact"), required=False
                )
            if request.method == "POST" and form.is_valid():
                ended = form.cleaned_data.pop("ended", False)
                values = about.spelled_as(standing.on_file, form.cleaned_data)
                values = {} if ended else values
                changed = put_on_file(member=member, field=about, values=values, row=standing.row)
                if IDENTITY & changed:
                    end_for_members([member])
                self._record_on(request, audit.Action.STAFF_CHANGE, "changed", member, about.key)
                self.message_user(request, _("Saved. It is on file now."), messages.SUCCESS)
                return HttpResponseRedirect(back)
        return self.form_page(
            request, member, form, title=str(about.label), button=_("Save"), back=back
        )

    def _member_or_404(self, request: HttpRequest, pk: int) -> Member:
        if not self.has_view_permission(request) or not request.user.has_perm(
            "households.view_member"
        ):
            raise PermissionDenied
        if pk.bit_length() > 63:
            raise Http404
        return get_object_or_404(Member, pk=pk)

    def _address_of(self, member: Member, field: Field, row: str) -> str:
        """Empty where it is changed on another page."""
        if field.key == "email":
            return ""
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_on_file_change"
        return reverse(name, args=[member.pk, field.key, *([row] if row else [])])

    def _record_on(
        self,
        request: HttpRequest,
        action: audit.Action,
        outcome: str,
        member: Member,
        key: str = "",
    ) -> None:
        audit.record(
            action,
            outcome,
            request=request,
            member_id=member.pk,
            object_type="details",
            object_id=key,
        )


def _is_another_members(member: Member, row: uuid.UUID) -> bool:
    return Contact._default_manager.filter(public_id=row).exclude(member=member).exists()


def _for_staff(field: Field) -> type[ChangeForm]:
    """The family's form, which knows what was on file when staff opened it (SECURITY R-RE-2)."""
    form = form_of(field)

    def clean(self: Any) -> dict[str, Any]:
        cleaned: dict[str, Any] = form.clean(self) or {}
        now = self.initial["seen"]
        if not constant_time_compare(self.data.get("seen", ""), now):
            self.data = self.data.copy()
            self.data["seen"] = now
            text = _(
                "What is on file, or what the family sent, was changed after you opened this page. "
                "Compare, and press the button again to put on file what stands here."
            )
            on_file = [
                _("%(field)s on file now: %(value)s") % {"field": label, "value": words or "–"}
                for label, words in field.words(self.on_file)
            ]
            raise ValidationError([text, *on_file])
        cleaned.pop("seen", None)
        return cleaned

    seen = forms.CharField(widget=forms.HiddenInput, required=False)
    return type("ForStaff", (form,), {"seen": seen, "clean": clean})


class _InTheList(forms.ModelForm):
    """A line of the list: its boxes have no label but the column's head, so they say whose they are."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for box in (self.fields.get("shown"), self.fields.get("accepts_itself")):
            if box is not None and self.instance.pk:
                words = {"field": field_label(self.instance.field), "column": box.label}
                box.widget.attrs["aria-label"] = _("%(field)s: %(column)s") % words


@admin.register(FieldSetting)
class FieldSettingAdmin(PortalModelAdmin):
    """One line for each field, both columns to be changed in place. Lines come with the portal."""

    records_views = False
    list_display = ("label", "group", "shown", "accepts_itself")
    list_display_links = ("label",)
    list_editable = ("shown", "accepts_itself")
    fields = ("shown", "accepts_itself")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> Any:
        return super().get_changelist_form(request, **{**kwargs, "form": _InTheList})

    def about(self, obj: FieldSetting) -> str:
        return field_label(obj.field)

    @admin.display(description=gettext_lazy("field"))
    def label(self, setting: FieldSetting) -> str:
        return field_label(setting.field)

    @admin.display(description=gettext_lazy("group"))
    def group(self, setting: FieldSetting) -> str:
        field: Field = FIELDS[setting.field]
        return str(field.group)
