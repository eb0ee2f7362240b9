"""A member's details: read back, change one field, confirm all. Every view gets the member from the gate,
and what stands there is only ever changed through actions.py."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.http.request import QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import audit
from households import kept
from households.binding import chosen_before, member_url
from households.demographics import actions, phones
from households.demographics.actions import Confirmed, Sent
from households.demographics.fields import CONTACTS, FIELDS, CoverageField, Field, OnFile, Values
from households.demographics.forms import ChangeForm, PhoneField, form_of
from households.demographics.models import Contact, DetailChange, FieldSetting
from households.demographics.standing import AllStanding, Standing, field_settings, standing_of
from households.models import Member
from households.requests import MemberRequest

_TYPE = "demographics"
# The name of a kind in the practice's list of documents; where it has no such kind, nothing is chosen.
_CARD = "Insurance card"


# --- reading back ---------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    """One line of the summary. `url` is "" where the practice lets nobody change it here."""

    standing: Standing
    setting: FieldSetting
    url: str

    @property
    def field(self) -> Field:
        return self.standing.field

    @property
    def proposed(self) -> list[tuple[str, str]]:
        """What waits; [] where it is to be taken off."""
        waiting = self.standing.waiting
        return [] if waiting is None else self.field.shown(waiting.values)

    @property
    def is_bare(self) -> bool:
        """Nothing is on file and nothing was sent: such a row takes one line of a long page."""
        if self.field.is_request or self.is_missing:
            return False
        return self.status == "on-file" and not self.on_file_or_proposed

    @property
    def below(self) -> list[tuple[str, str]]:
        """What stands under the name of the row: of a contact, whose name that is, the rest."""
        words = self.on_file_or_proposed
        return words[1:] if self.field.repeats else words

    @property
    def on_file_or_proposed(self) -> list[tuple[str, str]]:
        """Of a new contact what was sent: nothing of them is on file."""
        change = self.standing.change if self.field.repeats else None
        return self.field.shown(self.standing.on_file or (change.values if change else {}))

    @property
    def is_new_and_waits(self) -> bool:
        """A contact that is not on file: what was sent is all there is to show."""
        new = self.field.repeats and not self.standing.on_file
        return new and self.standing.waiting is not None

    @property
    def spoken(self) -> str:
        """What a link of this row is about, for who hears it alone: the field, or the contact's name."""
        words = self.on_file_or_proposed
        return words[0][1] if self.field.repeats and words else str(self.field.label)

    @property
    def link(self) -> str:
        if self.status == "returned":
            return _("Change again")
        if self.field.is_request:
            return _("Ask for a correction")
        return _("Change") if self.on_file_or_proposed or self.status == "waiting" else _("Add")

    @property
    def status(self) -> str:
        """One word for pages and styles."""
        standing = self.standing
        if standing.waiting:
            return "waiting"
        if standing.returned:
            return "returned"
        return "accepted" if standing.accepted else "on-file"

    @property
    def may_be_removed(self) -> bool:
        waiting = self.standing.waiting
        return waiting is None or bool(waiting.values)

    @property
    def is_missing(self) -> bool:
        answered = self.field.is_answered(self.standing.standing_values)
        return self.setting.is_required and not answered


@require_safe
def details_summary(request: MemberRequest, member: Member) -> HttpResponse:
    """Everything as it is on file, with what waits, what was returned and what was accepted lately."""
    return _summary(request, member)


def _summary(
    request: MemberRequest, member: Member, *, problem: str = "", status: int = 200
) -> HttpResponse:
    everything = AllStanding.of(member)
    audit.record(audit.Action.VIEW, "ok", request=request, object_type=_TYPE)
    missing = everything.missing() if problem == Confirmed.MISSING else []
    details = everything.on_file.details
    groups = list(_groups(request, everything))
    context = {
        "groups": groups,
        "returned": [
            row
            for _heading, rows, _is in groups
            for row in rows
            if row.url and row.status == "returned"
        ],
        "contacts": CONTACTS,
        "contacts_setting": everything.settings[CONTACTS.key],
        "problem": problem,
        "missing": [(field, _field_url(request, field)) for field in missing],
        "seen": everything.fingerprint,
        "confirmed_on": details.confirmed_at and timezone.localdate(details.confirmed_at),
        "confirmed_before": actions.confirmed_mark(details),
        "waits": any(standing.waiting for standing in everything.standings),
        "some_fixed": any(
            one.is_shown and not one.may_be_changed for one in everything.settings.values()
        ),
        "cards_under": str(FIELDS["primary_insurance"].group),
        "cards_url": _cards_url(request),
    }
    return render(request, "households/demographics/summary.html", context, status=status)


def _groups(
    request: MemberRequest, everything: AllStanding
) -> Iterator[tuple[str, list[_Row], bool]]:
    """Heading, rows, and whether they are the contacts, which may be none."""
    groups: dict[str, list[_Row]] = {}
    for key, field in FIELDS.items():
        setting = everything.settings[key]
        if not setting.is_shown:
            continue
        rows = groups.setdefault(str(field.group), [])
        for standing in everything.of_field(field):
            url = _field_url(request, field, standing.row) if setting.may_be_changed else ""
            rows.append(_Row(standing, setting, url))
    for heading, rows in groups.items():
        yield heading, rows, heading == str(CONTACTS.group)


def _field_url(request: MemberRequest, field: Field, row: str = "") -> str:
    if row:
        return member_url(request, "contact_change", public_id=row)
    if field.repeats:
        return member_url(request, "contacts")
    return member_url(request, "detail_change", field=field.key)


def _cards_url(request: MemberRequest) -> str:
    """Cards are documents: the page that sends them, with the kind chosen."""
    return f"{member_url(request, 'documents')}?{urlencode({'kind': _CARD})}"


@require_POST
def details_confirm(request: MemberRequest, member: Member) -> HttpResponse:
    """“This is all correct”: what stood on the page that was sent, and nothing else."""
    said = actions.details_confirm(
        request=request,
        member=member,
        seen=request.POST.get("seen", ""),
        confirmed_before=request.POST.get("confirmed_before", ""),
    )
    if said != Confirmed.YES:
        return _summary(request, member, problem=said.value, status=422)
    text = _("Thank you. The practice sees that all of %(name)s's details are correct.")
    messages.success(request, text % {"name": member.called})
    return redirect(member_url(request, "overview"))


# --- changing one field ---------------------------------------------------------------


@dataclass(frozen=True)
class _Errand:
    """A page that changes one field, or one contact. `page` is its address inside the chart, under which
    typed text is kept; `back` where it leads when it is done."""

    field: Field
    setting: FieldSetting
    page: str
    back: str
    row: str = ""
    is_new: bool = False


@require_http_methods(["GET", "HEAD", "POST"])
def detail_change(request: MemberRequest, member: Member, field: str) -> HttpResponse:
    """One field, prefilled with what waits or is on file."""
    errand = _Errand(
        field=_field_or_404(field),
        setting=_setting_or_404(field),
        page=f"demographics/{field}/",
        back=member_url(request, "demographics"),
    )
    return _on_errand(request, member, errand)


def _field_or_404(key: str) -> Field:
    field = FIELDS.get(key)
    if field is None or field.repeats:
        raise Http404
    return field


def _setting_or_404(key: str) -> FieldSetting:
    """A field that the practice hides, or only shows, has no page that changes it."""
    setting = field_settings()[key]
    if not setting.may_be_changed:
        raise Http404
    return setting


def _on_errand(request: MemberRequest, member: Member, errand: _Errand) -> HttpResponse:
    """Show the page, or take what it sends."""
    account = request.household_session.account
    standing = standing_of(member, errand.field, errand.row)
    if request.method != "POST":
        copied = _Copying(request, member, errand)
        typed = {} if copied.chosen else kept.on_page(account, member, errand.page)
        values = copied.values or _to_change(standing)
        shown = typed or form_of(errand.field).typed(values)
        form = _form(errand, standing, initial=shown)
        return _change_page(request, errand, standing, form, kept=bool(typed), copying=copied)
    if "let_go" in request.POST:
        kept.let_go(account, member, errand.page)
        messages.success(request, _("What you typed is deleted."))
        return redirect(request.path)
    form = _form(errand, standing, data=request.POST)
    if not form.is_valid():
        return _change_page(request, errand, standing, form, status=422)
    values, sending_id = form.cleaned_data, _sending_id(request.POST)
    if errand.is_new:
        errand = replace(errand, row=_row_of_new(member, sending_id, values))
    try:
        sent = actions.change_propose(
            request=request,
            member=member,
            field=errand.field,
            setting=errand.setting,
            values=values,
            seen=request.POST.get("seen", ""),
            sending_id=sending_id,
            row=errand.row,
        )
    except actions.ChangedMeanwhile as changed:
        return _conflict_page(request, errand, changed.standing, values)
    except actions.TooMany:
        text = _("There are %(count)d contacts, as many as the portal takes. Take one off first.")
        form.add_error(None, text % {"count": actions.MOST_ROWS})
        return _change_page(request, errand, standing, form, status=422)
    kept.let_go(account, member, errand.page)
    _say(request, member, sent, errand)
    if _unknown_phone(form, values):
        messages.warning(
            request,
            _(
                "A phone number you typed may be short of its area code. It is kept as you typed it: "
                "look at it again."
            ),
        )
    return redirect(errand.back)


def _form(errand: _Errand, standing: Standing, **given: Any) -> ChangeForm:
    return form_of(errand.field)(
        on_file=standing.on_file, is_required=errand.setting.is_required, **given
    )


def _to_change(standing: Standing) -> Values:
    """What stands in the boxes at first: the latest that the family typed, or what is on file."""
    latest = standing.waiting or standing.returned
    return standing.on_file if latest is None else latest.values


def _sending_id(posted: QueryDict) -> uuid.UUID:
    """Which page was sent, so that sending it twice saves once; a page without one is its own."""
    try:
        return uuid.UUID(posted.get("sending_id", ""))
    except ValueError:
        return uuid.uuid4()


def _unknown_phone(form: ChangeForm, values: Values) -> bool:
    boxes = [name for name, box in form.fields.items() if isinstance(box, PhoneField)]
    return any(phones.may_be_wrong(values.get(name, "")) for name in boxes)


def _say(request: MemberRequest, member: Member, sent: Sent, errand: _Errand) -> None:
    """Without a value: a message waits in a cookie."""
    name = {"name": member.called}
    if sent == Sent.ON_FILE:
        messages.success(request, _("Saved in %(name)s's chart. It is on file now.") % name)
    elif sent == Sent.TAKEN_BACK:
        messages.success(request, _("Your change is taken back. What is on file stays."))
    elif sent == Sent.NOTHING_NEW:
        messages.warning(request, _("Nothing was sent: nothing is different from before."))
    elif errand.field.is_request:
        text = _("Your request is sent to %(name)s's chart. The practice looks at it.")
        messages.success(request, text % name)
    else:
        text = _("Sent to %(name)s's chart. It is on file once the practice accepts it.")
        messages.success(request, text % name)


def _change_page(
    request: MemberRequest,
    errand: _Errand,
    standing: Standing,
    form: ChangeForm,
    *,
    kept: bool = False,
    copying: _Copying | None = None,
    status: int = 200,
) -> HttpResponse:
    audit.record(
        audit.Action.VIEW, "ok", request=request, object_type=_TYPE, object_id=errand.field.key
    )
    again = request.POST if request.method == "POST" else None
    context = {
        "errand": errand,
        "form": form,
        "standing": standing,
        "on_file": errand.field.shown(standing.on_file),
        "waiting": standing.waiting and errand.field.shown(standing.waiting.values),
        "may_take_back": standing.waiting is not None
        and standing.waiting.submission.may_be_withdrawn,
        "take_back_url": _take_back_url(request, errand),
        "cards_url": _cards_url(request) if isinstance(errand.field, CoverageField) else "",
        "kept": kept,
        "copying": copying,
        # A page with mistakes is still the page that was opened.
        "seen": standing.fingerprint if again is None else again.get("seen", ""),
        "sending_id": uuid.uuid4() if again is None else _sending_id(again),
        "page_url": request.path,
    }
    return render(request, "households/demographics/change.html", context, status=status)


def _conflict_page(
    request: MemberRequest, errand: _Errand, standing: Standing, values: Values
) -> HttpResponse:
    """Somebody else was faster: both are shown, and the family says which it is to be."""
    field = errand.field
    audit.record(
        audit.Action.SEND, "conflict", request=request, object_type=_TYPE, object_id=field.key
    )
    theirs = set(form_of(field).base_fields)
    context = {
        "errand": errand,
        "on_file": field.shown(standing.on_file),
        "waiting": standing.waiting and field.shown(standing.waiting.values),
        "is_taken_off": standing.waiting is not None and not standing.waiting.values,
        "typed": field.shown(values),
        "again": [
            (name, value)
            for name, given in request.POST.lists()
            if name in theirs
            for value in given
        ],
        "seen": standing.fingerprint,
        "sending_id": _sending_id(request.POST),
        "page_url": request.path,
    }
    return render(request, "households/demographics/conflict.html", context, status=409)


# --- taking a change back -------------------------------------------------------------


@require_POST
def detail_keep(request: MemberRequest, member: Member, field: str) -> HttpResponse:
    """Keep what is on file: take back the change that waits, unless the practice has seen it."""
    _setting_or_404(_field_or_404(field).key)
    return _keep(request, member, FIELDS[field], "")


@require_POST
def contact_keep(request: MemberRequest, member: Member, public_id: uuid.UUID) -> HttpResponse:
    _setting_or_404(CONTACTS.key)
    _contact_or_404(member, public_id, also_ended=True)
    return _keep(request, member, CONTACTS, str(public_id))


def _keep(request: MemberRequest, member: Member, field: Field, row: str) -> HttpResponse:
    sent = DetailChange.objects.for_member(member).filter(field=field.key, row=row)
    latest = sent.order_by("-pk").first()
    # Pressed twice, it is taken back once, and the second answer says so too.
    if latest is not None and (
        latest.taken_back_at
        or actions.change_take_back(request=request, member=member, change=latest)
    ):
        messages.success(request, _("Your change is taken back. What is on file stays."))
    else:
        messages.warning(
            request,
            _(
                "Nothing was taken back: the practice has seen the change. Send another one instead."
            ),
        )
    return redirect(member_url(request, "contacts" if row else "demographics"))


def _take_back_url(request: MemberRequest, errand: _Errand) -> str:
    if errand.is_new:
        return ""
    if errand.row:
        return member_url(request, "contact_keep", public_id=errand.row)
    return member_url(request, "detail_keep", field=errand.field.key)


# --- contacts -------------------------------------------------------------------------


@require_safe
def contact_list(request: MemberRequest, member: Member) -> HttpResponse:
    """Everybody around a member, with Add, Change and Remove."""
    setting = _setting_or_404(CONTACTS.key)
    everything = AllStanding.of(member)
    audit.record(
        audit.Action.VIEW, "ok", request=request, object_type=_TYPE, object_id=CONTACTS.key
    )
    rows = [
        _Row(standing, setting, _field_url(request, CONTACTS, standing.row))
        for standing in everything.of_field(CONTACTS)
    ]
    context = {"rows": rows, "setting": setting}
    return render(request, "households/demographics/contacts.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def contact_add(request: MemberRequest, member: Member) -> HttpResponse:
    """A new contact. Its id is made of the page that sends it and what it says: the same sent twice makes
    one, and somebody else typed on a page that the browser brought back is one more."""
    setting = _setting_or_404(CONTACTS.key)
    errand = _Errand(
        field=CONTACTS,
        setting=setting,
        page="demographics/contacts/new/",
        back=member_url(request, "contacts"),
        is_new=True,
    )
    return _on_errand(request, member, errand)


_NEW_CONTACTS = uuid.UUID("6c9b0c1e-53ab-4f0e-9d2f-6f7a2a0a7d55")


def _row_of_new(member: Member, sending_id: uuid.UUID, values: Values) -> str:
    said = json.dumps([str(member.public_id), str(sending_id), values], sort_keys=True)
    return str(uuid.uuid5(_NEW_CONTACTS, said))


@require_http_methods(["GET", "HEAD", "POST"])
def contact_change(request: MemberRequest, member: Member, public_id: uuid.UUID) -> HttpResponse:
    setting = _setting_or_404(CONTACTS.key)
    _contact_or_404(member, public_id, also_ended=request.method == "POST")
    errand = _Errand(
        field=CONTACTS,
        setting=setting,
        page=f"demographics/contacts/{public_id}/",
        back=member_url(request, "contacts"),
        row=str(public_id),
    )
    return _on_errand(request, member, errand)


@require_http_methods(["GET", "HEAD", "POST"])
def contact_remove(request: MemberRequest, member: Member, public_id: uuid.UUID) -> HttpResponse:
    """Ask once, then ask the practice to take the contact off."""
    setting = _setting_or_404(CONTACTS.key)
    # Pressed twice, they are gone already.
    _contact_or_404(member, public_id, also_ended=request.method == "POST")
    row = str(public_id)
    standing = standing_of(member, CONTACTS, row)
    changed = last_one = False
    if request.method == "POST":
        try:
            sent = actions.change_propose(
                request=request,
                member=member,
                field=CONTACTS,
                setting=setting,
                values={},
                seen=request.POST.get("seen", ""),
                sending_id=_sending_id(request.POST),
                row=row,
            )
        except actions.ChangedMeanwhile as meanwhile:
            standing, changed = meanwhile.standing, True
        except actions.LastOne:
            last_one = True
        else:
            _say(request, member, sent, _Errand(CONTACTS, setting, "", ""))
            return redirect(member_url(request, "contacts"))
    audit.record(
        audit.Action.VIEW, "ok", request=request, object_type=_TYPE, object_id=CONTACTS.key
    )
    context = {
        "row": _Row(standing, setting, ""),
        "last_one": last_one,
        "changed_meanwhile": changed,
        "seen": standing.fingerprint,
        "sending_id": _sending_id(request.POST),
        "page_url": request.path,
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "households/demographics/remove.html", context, status=status)


def _contact_or_404(member: Member, public_id: uuid.UUID, *, also_ended: bool = False) -> None:
    """A contact of this member, on file or sent and not decided on; one that has ended meanwhile, for who
    sends a page of it."""
    contacts = Contact.objects.for_member(member).filter(public_id=public_id)
    if not also_ended:
        contacts = contacts.in_force()
    sent = DetailChange.objects.for_member(member).filter(field=CONTACTS.key, row=str(public_id))
    if not also_ended:
        undecided = [DetailChange.Decision.WAITING, DetailChange.Decision.RETURNED]
        sent = sent.latest_of_each().filter(decision__in=undecided)
    if not contacts.exists() and not sent.exists():
        raise Http404


# --- the same as another person's -----------------------------------------------------


class _Copying:
    """What is on file of another person of the household, for the boxes of this page. Only of people who
    were chosen by the two facts in this very session, and may still be opened (PRODUCT D)."""

    def __init__(self, request: MemberRequest, member: Member, errand: _Errand) -> None:
        field = errand.field
        offered = field.may_be_copied and (errand.is_new or not field.repeats)
        others = chosen_before(request.household_session) if offered else []
        self.people = [binding.member for binding in others if binding.member != member]
        self.chosen = False
        self.source: Member | None = None
        self.values: Values = {}
        # Of a field that repeats, those to choose from: what each says, and its id.
        self.several: list[tuple[str, list[tuple[str, str]]]] = []
        asked = request.GET.get("from", "")
        if not asked:
            return
        self.chosen = True
        self.source = next((one for one in self.people if str(one.public_id) == asked), None)
        if self.source is None:
            raise Http404
        audit.record(
            audit.Action.VIEW,
            "copy",
            request=request,
            member_id=self.source.pk,
            object_type=_TYPE,
            object_id=field.key,
        )
        self._read(OnFile.of(self.source), self.source, field, request.GET)

    def _read(
        self, on_file: OnFile, source: Member, field: Field, asked: Mapping[str, str]
    ) -> None:
        if not field.repeats:
            values = field.read(on_file)
            self.values = field.to_copy(values, source) if field.is_answered(values) else {}
            return
        rows = [str(contact.public_id) for contact in on_file.contacts]
        row = asked.get("contact", "") or (rows[0] if len(rows) == 1 else "")
        if row:
            if row not in rows:
                raise Http404
            self.values = field.to_copy(field.read(on_file, row), source)
        else:
            self.several = [(row, field.shown(field.read(on_file, row))) for row in rows]

    @property
    def found_nothing(self) -> bool:
        return self.chosen and not self.values and not self.several
