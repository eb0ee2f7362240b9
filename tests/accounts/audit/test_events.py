"""What an entry holds and when it is there: SECURITY R-AL-1, R-AL-2, R-AL-4."""

from __future__ import annotations

import pytest
from django.db import DataError, models, transaction
from django.test import RequestFactory

from accounts import audit
from accounts.audit.models import AuditEvent
from accounts.models import HouseholdAccount, HouseholdSession

pytestmark = pytest.mark.django_db


class ActionFailed(Exception):
    pass


def test_entry_goes_with_the_action_that_failed():
    with pytest.raises(ActionFailed), transaction.atomic():
        HouseholdAccount.objects.create(email_key="rivera@example.org")
        audit.record(audit.Action.PASSWORD_SET, "ok", account_id=1)
        raise ActionFailed
    assert not HouseholdAccount.objects.exists()
    assert not AuditEvent.objects.exists()


def test_action_goes_with_the_entry_that_failed():
    with pytest.raises((OverflowError, DataError)), transaction.atomic():
        HouseholdAccount.objects.create(email_key="rivera@example.org")
        audit.record(audit.Action.PASSWORD_SET, "ok", account_id=2**70)
    assert not HouseholdAccount.objects.exists()


def test_entry_names_the_session_its_account_and_the_member_by_id(cast):
    session = HouseholdSession.objects.create(account=cast.rivera, token_hash="0" * 64)
    request = RequestFactory().get("/for/key/")
    request.client_address = "192.0.2.7"
    request.household_session = session

    audit.record(audit.Action.VIEW, "ok", request=request, member_id=cast.mia.pk)

    entry = AuditEvent.objects.get()
    assert (entry.action, entry.outcome, entry.client_address) == ("view", "ok", "192.0.2.7")
    assert (entry.session_id, entry.account_id) == (session.pk, cast.rivera.pk)
    assert (entry.member_id, entry.staff_id) == (cast.mia.pk, None)


def test_staff_entry_names_the_staff_account(cast):
    request = RequestFactory().get("/admin/")
    request.client_address = "2001:db8::1"
    request.household_session = None
    request.user = cast.nurse_staff

    audit.record(audit.Action.STAFF_VIEW, "ok", request=request, member_id=cast.leo.pk)

    entry = AuditEvent.objects.get()
    assert (entry.staff_id, entry.account_id) == (cast.nurse_staff.pk, None)


def test_table_has_no_room_for_what_people_type():
    """Ids, fixed words and an address: no column is wide enough for prose, and no relation leads to names."""
    for field in AuditEvent._meta.get_fields():
        assert not field.is_relation, field
        assert not isinstance(field, models.TextField | models.JSONField), field
        most = 80 if field.name == "mac" else 40  # which is computed by the database
        assert (getattr(field, "max_length", None) or 0) <= most, field
