"""An action whose entry cannot be written does not happen: SECURITY R-AL-4. Through the pages."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.db import connection

from accounts.audit.models import AuditEvent
from households.documents.models import Document
from tests.accounts.audit.chains import run, verify
from tests.cast import pick, sign_in, sign_in_as_staff
from tests.files import png
from tests.pages import text_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def refuse():
    """A function: from now on the audit takes no entry of this action."""

    def lift():
        if connection.vendor == "sqlite":
            run("DROP TRIGGER IF EXISTS audit_is_full")
        else:
            run("DROP FUNCTION IF EXISTS audit_is_full() CASCADE")

    def put(action):
        if connection.vendor == "sqlite":
            run(
                "CREATE TRIGGER audit_is_full BEFORE INSERT ON audit_auditevent "
                f"WHEN NEW.action = '{action}' BEGIN SELECT RAISE(ABORT, 'the audit is full'); END"
            )
        else:
            run(
                "CREATE FUNCTION audit_is_full() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'the audit is full'; END $$",
                "CREATE TRIGGER audit_is_full BEFORE INSERT ON audit_auditevent FOR EACH ROW "
                f"WHEN (NEW.action = '{action}') EXECUTE FUNCTION audit_is_full()",
            )

    yield put
    lift()


@pytest.fixture
def family(cast, client):
    sign_in(client, "rivera@example.org")
    client.raise_request_exception = False
    return client


def assert_no_entry_of(action):
    assert not AuditEvent.objects.filter(action=action).exists()
    assert verify()[0] == 0


def test_a_paper_is_not_kept(family, refuse):
    documents = f"/for/{pick(family, 'Mia', '2016/04/27')}/documents/"
    refuse("send")
    assert family.post(documents, {"files": png()}).status_code == 500
    assert not Document.objects.exists()
    assert_no_entry_of("send")


def test_a_paper_is_not_handed_out(family, refuse):
    documents = f"/for/{pick(family, 'Mia', '2016/04/27')}/documents/"
    family.post(documents, {"files": png()})
    address = f"{documents}{Document.objects.get().public_id}/file/"
    refuse("download")
    answer = family.get(address)
    assert answer.status_code == 500
    assert b"PNG" not in b"".join(answer)
    assert_no_entry_of("download")


def test_nobody_is_chosen(family, refuse):
    refuse("pick")
    answer = family.post("/who/", {"first_name": "Mia", "date_of_birth": "2016/04/27"})
    assert answer.status_code == 500
    assert "is open now" not in text_of(family.get("/who/"))
    assert_no_entry_of("pick")


def test_a_page_is_not_shown(family, refuse):
    key = pick(family, "Mia", "2016/04/27")
    refuse("view")
    assert family.get(f"/for/{key}/").status_code == 500
    assert_no_entry_of("view")


def test_staff_change_nothing(cast, client, refuse):
    sign_in_as_staff(client)
    client.raise_request_exception = False
    refuse("staff-change")
    assert client.post("/admin/auth/group/add/", {"name": "Billing"}).status_code == 500
    assert not Group.objects.filter(name="Billing").exists()
    assert_no_entry_of("staff-change")
