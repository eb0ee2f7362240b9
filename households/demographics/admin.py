"""The staff's pages of details: what families want changed, one submission at a time, and what the practice
does with each field."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.staff_pages import PortalModelAdmin
from households.admin import IDENTITY
from households.binding import end_for_members
from households.demographics.actions import member_locked, put_on_file
from households.demographics.fields import FIELDS, Field, OnFile, Values
from households.demographics.forms import ChangeForm, form_of
from households.demographics.models import DetailChange, FieldSetting
from households.demographics.standing import field_label, standing_of
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
        standing = standing_of(proposal.member, field, proposal.row)
        form = form_of(field)
        return _for_staff(form)(
            data,
            on_file=standing.on_file,
            initial={**form.typed(proposal.values), "seen": standing.fingerprint},
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


def _for_staff(form: type[ChangeForm]) -> type[ChangeForm]:
    """The family's form, which knows what was on file when staff opened it (SECURITY R-RE-2)."""

    def clean(self: Any) -> dict[str, Any]:
        cleaned: dict[str, Any] = form.clean(self) or {}
        now = self.initial["seen"]
        if not constant_time_compare(self.data.get("seen", ""), now):
            self.data = self.data.copy()
            self.data["seen"] = now
            raise ValidationError(
                _(
                    "What is on file, or what the family sent, was changed after you opened this page. "
                    "Compare, and press the button again to put on file what stands here."
                )
            )
        cleaned.pop("seen", None)
        return cleaned

    seen = forms.CharField(widget=forms.HiddenInput, required=False)
    return type("ForStaff", (form,), {"seen": seen, "clean": clean})


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

    def about(self, obj: FieldSetting) -> str:
        return field_label(obj.field)

    @admin.display(description=gettext_lazy("field"))
    def label(self, setting: FieldSetting) -> str:
        return field_label(setting.field)

    @admin.display(description=gettext_lazy("group"))
    def group(self, setting: FieldSetting) -> str:
        field: Field = FIELDS[setting.field]
        return str(field.group)
