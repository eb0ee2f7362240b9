"""Admin of staff accounts, groups and the audit."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import audit
from accounts.audit.models import AuditEvent
from accounts.models import StaffAccount
from tests.cast import NURSE_PASSWORD, sign_in_as_staff
from tests.pages import fields_of, text_of

STAFF = "/admin/accounts/staffaccount/"
GROUPS = "/admin/auth/group/"
AUDIT = "/admin/audit/auditevent/"
NEW_PASSWORD = "harbor-lantern-violet-71"


@pytest.fixture
def owner(cast, client) -> Client:
    sign_in_as_staff(client)
    return client


@pytest.fixture
def trusted(cast) -> Client:
    """Staff with every permission there is, yet not an owner."""
    staff = StaffAccount.objects.create_user("trusted@example.org", NURSE_PASSWORD)
    staff.user_permissions.set(Permission.objects.all())
    client = Client()
    sign_in_as_staff(client, "trusted@example.org")
    return client


def add(owner: Client, **typed: str):
    return owner.post(
        f"{STAFF}add/", fields_of(owner.get(f"{STAFF}add/"), "staffaccount_form", **typed)
    )


def change(owner: Client, staff: StaffAccount, **typed):
    address = f"{STAFF}{staff.pk}/change/"
    return owner.post(address, fields_of(owner.get(address), "staffaccount_form", **typed))


def test_an_owner_makes_an_account_that_can_sign_in(owner):
    add(
        owner,
        email=" Desk@Example.org",
        name="Dee Desk",
        password1=NEW_PASSWORD,
        password2=NEW_PASSWORD,
    )
    desk = StaffAccount.objects.get(email="desk@example.org")
    assert (desk.name, desk.is_superuser, desk.is_active) == ("Dee Desk", False, True)
    sign_in_as_staff(Client(), "desk@example.org", NEW_PASSWORD)
    entry = AuditEvent.objects.get(action="staff-change")
    assert (entry.outcome, entry.object_type, entry.object_id) == (
        "added",
        "staffaccount",
        str(desk.pk),
    )


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"password1": "short", "password2": "short"}, "at least 15 characters"),
        ({"password2": "something else entirely"}, "match"),
        ({"password1": "", "password2": ""}, "required"),
        ({"email": "NURSE@example.org"}, "already exists"),
        ({"email": "desk"}, "email address"),
        ({"email": "d\u0435sk@example.org"}, "email"),
    ],
)
def test_an_account_with_a_weak_password_or_odd_email_is_refused(owner, typed, words):
    good = {"email": "desk@example.org", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    answer = add(owner, **{**good, **typed})
    assert answer.status_code == 200
    assert words in text_of(answer)
    assert StaffAccount.objects.count() == 1


def test_a_forged_owner_flag_on_the_add_page_is_ignored(owner):
    page = fields_of(owner.get(f"{STAFF}add/"), "staffaccount_form", email="desk@example.org")
    passwords = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    owner.post(f"{STAFF}add/", {**page, **passwords, "is_superuser": "on"})
    assert StaffAccount.objects.get(email="desk@example.org").is_superuser is False


def test_staff_with_every_permission_but_not_owner_can_promote_nobody(cast, trusted):
    own = StaffAccount.objects.get(email="trusted@example.org")
    group = Group.objects.get(name="Owner")
    forged = {"email": own.email, "is_active": "on", "is_superuser": "on", "groups": [group.pk]}
    attempts = {
        f"{STAFF}{own.pk}/change/": forged,
        f"{STAFF}add/": {
            "email": "x@example.org",
            "password1": NEW_PASSWORD,
            "password2": NEW_PASSWORD,
        },
        f"{STAFF}{cast.nurse_staff.pk}/password/": {
            "password1": NEW_PASSWORD,
            "password2": NEW_PASSWORD,
        },
        f"{GROUPS}{group.pk}/change/": {"name": "Mine"},
        f"{GROUPS}add/": {"name": "Mine"},
        f"{GROUPS}{group.pk}/delete/": {"post": "yes"},
    }
    for address, data in attempts.items():
        assert trusted.post(address, data).status_code == 403, address
    own.refresh_from_db()
    assert (own.is_superuser, own.groups.count()) == (False, 0)
    assert Group.objects.filter(name="Owner").exists()
    sign_in_as_staff(Client())
    assert not AuditEvent.objects.filter(action="staff-change").exists()


def test_the_only_owner_cannot_lock_everybody_out(owner, cast):
    for typed in [{"groups": None}, {"is_active": None}]:
        answer = change(owner, cast.nurse_staff, **typed)
        assert "This is the only owner who may sign in." in text_of(answer)
    StaffAccount.objects.create_superuser("second@example.org", NEW_PASSWORD)
    assert change(owner, cast.nurse_staff, groups=None).status_code == 302
    cast.nurse_staff.refresh_from_db()
    assert not cast.nurse_staff.is_owner
    assert owner.get(STAFF).status_code == 403


def test_the_only_owner_by_the_group_cannot_lock_everybody_out_either(cast):
    StaffAccount.objects.update(is_superuser=False)
    only = StaffAccount.objects.get()
    only.groups.add(Group.objects.get(name="Owner"))
    browser = Client()
    sign_in_as_staff(browser)
    for typed in [{"groups": None}, {"is_active": None}]:
        assert "This is the only owner who may sign in." in text_of(change(browser, only, **typed))
    page = browser.get(f"{STAFF}{only.pk}/change/")
    assert "Make somebody" not in text_of(page)
    assert browser.get(f"{GROUPS}").status_code == 200


def test_roles_are_ticked_at_an_account_and_the_owner_is_one_of_them(owner, cast):
    desk = StaffAccount.objects.create_user("desk@example.org", NURSE_PASSWORD)
    ids = {group.name: group.pk for group in Group.objects.all()}
    assert {*ids} == {"Front desk", "Clinician", "Auditor", "Owner"}
    assert change(owner, desk, groups=[ids["Front desk"]]).status_code == 302
    desk = StaffAccount.objects.get(pk=desk.pk)
    assert (desk.has_perm("households.view_member"), desk.is_owner) == (True, False)
    assert "Front desk" in text_of(owner.get(STAFF))
    assert change(owner, desk, groups=[ids["Owner"]]).status_code == 302
    desk = StaffAccount.objects.get(pk=desk.pk)
    assert (desk.is_owner, desk.is_superuser) == (True, True)
    assert change(owner, desk, groups=[]).status_code == 302
    desk = StaffAccount.objects.get(pk=desk.pk)
    assert (desk.is_owner, desk.is_superuser) == (False, False)


def test_the_owners_own_group_cannot_be_changed_or_deleted(owner):
    group = Group.objects.get(name="Owner")
    assert owner.post(f"{GROUPS}{group.pk}/change/", {"name": "Nobody"}).status_code == 403
    assert owner.post(f"{GROUPS}{group.pk}/delete/", {"post": "yes"}).status_code == 403
    assert owner.get(f"{GROUPS}{group.pk}/change/").status_code == 200


def test_an_account_that_is_closed_is_out_at_the_next_request(owner):
    desk = StaffAccount.objects.create_user("desk@example.org", NEW_PASSWORD)
    browser = Client()
    sign_in_as_staff(browser, "desk@example.org", NEW_PASSWORD)
    assert change(owner, desk, is_active=None).status_code == 302
    assert browser.get("/admin/").status_code == 302
    answer = browser.post("/admin/login/", {"username": desk.email, "password": NEW_PASSWORD})
    assert "do not match a staff account" in text_of(answer)


def test_staff_accounts_are_not_deleted_since_the_audit_names_them(owner, cast):
    assert owner.post(f"{STAFF}{cast.nurse_staff.pk}/delete/", {"post": "yes"}).status_code == 403
    assert StaffAccount.objects.exists()


def test_an_owner_sets_a_new_password_for_somebody_and_it_is_in_the_audit(owner):
    desk = StaffAccount.objects.create_user("desk@example.org", NEW_PASSWORD)
    browser = Client()
    sign_in_as_staff(browser, "desk@example.org", NEW_PASSWORD)
    address = f"{STAFF}{desk.pk}/password/"
    short = {"password1": "short", "password2": "short", "usable_password": "true"}
    assert "at least 15 characters" in text_of(owner.post(address, short))
    newer = "violet-harbor-orchid-83"
    new = {"password1": newer, "password2": newer, "usable_password": "true", "set-password": "1"}
    assert owner.post(address, new).status_code == 302
    assert browser.get("/admin/").status_code == 302, "a session from before is over"
    sign_in_as_staff(Client(), "desk@example.org", newer)
    entry = AuditEvent.objects.get(action="staff-change")
    assert (entry.object_type, entry.object_id) == ("staffaccount", str(desk.pk))


def test_ones_own_password_is_changed_where_the_current_one_is_asked(owner, cast):
    address = f"{STAFF}{cast.nurse_staff.pk}/password/"
    answer = owner.post(address, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})
    assert answer.headers["Location"] == "/admin/password_change/"
    sign_in_as_staff(Client())


def test_no_hash_of_a_password_is_shown(owner, cast):
    for address in [STAFF, f"{STAFF}{cast.nurse_staff.pk}/change/"]:
        assert "argon2" not in owner.get(address).content.decode()


def test_households_never_appear_among_staff(owner):
    assert "rivera@example.org" not in text_of(owner.get(STAFF))


def test_owners_manage_groups_and_it_is_in_the_audit(owner):
    owner.post(f"{GROUPS}add/", {"name": "Billing"})
    group = Group.objects.get(name="Billing")
    owner.post(f"{GROUPS}{group.pk}/delete/", {"post": "yes"})
    assert not Group.objects.filter(name="Billing").exists()
    changes = AuditEvent.objects.filter(object_type="group").order_by("pk")
    assert [entry.outcome for entry in changes] == ["added", "deleted"]


# --- the audit ------------------------------------------------------------------------


def test_the_audit_is_listed_filtered_and_searched_by_number(owner, cast):
    audit.record(audit.Action.PICK, "ok", account_id=cast.rivera.pk, member_id=987654)
    audit.record(audit.Action.SWITCH, "ok", account_id=987654)
    rows = owner.get(f"{AUDIT}?action=pick").context_data["cl"].result_list
    assert [row.action for row in rows] == ["pick"]
    found = owner.post(AUDIT, {"q": "987654", "search": "Search"}, follow=True)
    assert {row.action for row in found.context_data["cl"].result_list} == {"pick", "switch"}
    for odd in ["rivera", "1 2", "9" * 40, "-1", "\u0661"]:
        none = owner.post(AUDIT, {"q": odd, "search": "Search"}, follow=True)
        assert list(none.context_data["cl"].result_list) == [], odd


def test_nobody_changes_the_audit_not_even_an_owner(owner):
    entry = AuditEvent.objects.first()
    assert owner.get(f"{AUDIT}add/").status_code == 403
    assert owner.post(f"{AUDIT}add/", {"action": "pick"}).status_code == 403
    page = owner.get(f"{AUDIT}{entry.pk}/change/")
    assert page.status_code == 200
    assert 'name="action"' not in page.content.decode()
    assert owner.post(f"{AUDIT}{entry.pk}/change/", {"action": "pick"}).status_code == 403
    assert owner.post(f"{AUDIT}{entry.pk}/delete/", {"post": "yes"}).status_code == 403
    entry.refresh_from_db()
    assert entry.action == "staff-sign-in"


def test_the_audit_costs_the_same_at_any_length(owner, django_assert_num_queries):
    owner.get(AUDIT)  # the first request of a session writes when it was
    with CaptureQueriesContext(connection) as counted:
        owner.get(AUDIT)
    for _entry in range(45):
        audit.record(audit.Action.VIEW, "ok")
    with django_assert_num_queries(len(counted)):
        owner.get(AUDIT)
