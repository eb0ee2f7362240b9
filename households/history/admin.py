"""Admin pages of the history: what families changed, old and new side by side, and which topics are asked.

Who may see these is for Django's permissions on EntryChange to say: a front desk without them sees nothing of
a history, not even that one came (submissions/sight.py).
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.staff_pages import PortalModelAdmin
from households.history.actions import change_accept
from households.history.forms import FORMS, fact_form
from households.history.models import Entry, EntryChange, Section, SectionSetting, SectionState
from households.history.words import answer_in_words, change_title, lines_of
from households.submissions.models import Submission
from households.submissions.review import Line, ReviewAdmin

Action = EntryChange.Action


@admin.register(EntryChange)
class EntryChangeAdmin(ReviewAdmin):
    submission_kind = Submission.Kind.HISTORY
    list_filter = ("decision", "section")  # type: ignore[assignment] # one more than the base has
    quick_reasons = (
        ("unclear", gettext_lazy("We cannot tell what is meant. Write it in other words.")),
        ("strength", gettext_lazy("Add the strength and the dose, as they stand on the box.")),
        ("document", gettext_lazy("Send a photo of the paper or the box under Documents.")),
        ("call", gettext_lazy("We would like to talk about this. Call us.")),
    )

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        # A field of models, which the types of forms forget.
        return super().get_queryset(request).with_version_on_file()  # type: ignore[attr-defined]

    def page_title(self, submission: Submission) -> str:
        if submission.about in Section.values:
            return _("Medical history: %(topic)s") % {"topic": Section(submission.about).label}
        return super().page_title(submission)

    def title_of(self, proposal: EntryChange) -> str:
        return change_title(proposal)

    def lines_of(self, proposal: EntryChange) -> list[Line]:
        if not proposal.entry_type:
            return self._lines_of_section(proposal)
        before = proposal.as_entry(proposal.before) if proposal.before else None
        after = proposal.as_entry()
        now = self._on_file_now(proposal)
        corrected = proposal.edited_values
        shown = {
            "before": _said(before),
            # As it was before, while nobody but the family has touched it: what they say counts at once.
            "now": _said(before) if now is None else _said(now),
            "after": _said(after),
            "corrected": {} if corrected is None else _said(proposal.as_entry(corrected)),
        }
        labels = {name: label for name, label, _shown in lines_of(after)}
        return [
            Line(label, **{which: said.get(name, "") for which, said in shown.items()})
            for name, label in {**labels, "status": _("Status")}.items()
            if any(said.get(name) for said in shown.values())
        ]

    def _lines_of_section(self, change: EntryChange) -> list[Line]:
        before = self._answer(change, change.before)
        return [Line(_("Answer"), before, before, self._answer(change, change.values))]

    def _answer(self, change: EntryChange, values: dict[str, Any]) -> str:
        answer = values.get("answer", SectionState.Answer.NOT_ASKED)
        return answer_in_words(answer, change.section, change.member)

    def _on_file_now(self, change: EntryChange) -> Entry | None:
        """The entry as it is now, where it is not what the family made of it; None where it is."""
        if change.version_on_file in (None, change.version):  # type: ignore[attr-defined] # annotated
            return None
        entry = change.as_entry()
        return type(entry).objects.for_member(change.member).get(public_id=entry.public_id)

    def edit_form(self, proposal: EntryChange, data: Any = None) -> forms.Form | None:
        if not proposal.entry_type or proposal.action in {Action.ENDED, Action.ERROR}:
            return None
        about: dict[str, Any] = {"initial": proposal.values, "member": proposal.member}
        model = type(proposal.as_entry())
        if model in FORMS:
            return FORMS[model](data, **about)
        return fact_form(proposal.values["topic"])(data, **about)

    def accept(
        self, request: HttpRequest, proposal: EntryChange, edited: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        return change_accept(change=proposal, edited=edited)

    def why_not(self, proposal: EntryChange) -> str:
        """ "None" of a list that has current entries: a family that is not shown its entries can send that,
        and the practice can move an entry there that was sent for the wrong person."""
        if proposal.values.get("answer"):
            state = SectionState.objects.for_member(proposal.member)
            if state.filter(section=proposal.section, answer="entries").exists():
                return _(
                    "There are current entries in this topic, which the family may not have seen. Talk to "
                    "the person, and return this."
                )
        return ""


def _said(entry: Entry | None) -> dict[str, str]:
    """By column, in words; nothing of an entry that was not there."""
    if entry is None:
        return {}
    said = {name: shown for name, _label, shown in lines_of(entry)}
    return {**said, "status": str(entry.get_status_display())}


class SectionSettingRow(forms.ModelForm):
    """One line of the list. Its boxes have no labels beside them: each says what it is."""

    class Meta:
        model = SectionSetting
        fields = ("is_asked", "is_private")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["aria-label"] = _("%(topic)s: %(box)s") % {
                "topic": self.instance,
                "box": field.label,
            }


@admin.register(SectionSetting)
class SectionSettingAdmin(PortalModelAdmin):
    """Which topics families are asked, and which are kept private: ticked in the list itself."""

    records_views = False
    readonly_fields = ("section",)
    list_display = ("section", "is_asked", "is_private")
    list_display_links = None
    list_editable = ("is_asked", "is_private")

    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> type[forms.ModelForm]:
        return SectionSettingRow

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
