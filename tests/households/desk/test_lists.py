"""Every list of admin costs the same number of queries whatever its length, and counts no whole table."""

from __future__ import annotations

import re
import time

import pytest
from django.contrib import admin
from django.db import connection, transaction
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import StaffAccount
from tests.bench.staff_lists import fill
from tests.cast import sign_in_as_staff
from tests.pages import text_of


def queries_of_lists(members: int) -> dict[str, list[str]]:
    """By model: what its list asks, with so many rows of everything that is somebody's."""
    found = {}
    with transaction.atomic():
        fill(members, tell=lambda text: None)
        client = Client()
        client.force_login(StaffAccount.objects.get(email="bench@practice.example"))
        client.get("/admin/households/member/")  # what is remembered between requests
        for model in admin.site._registry:
            name = f"{model._meta.app_label}_{model._meta.model_name}"
            # After half a minute a page also notes that somebody is there: not on a slow machine only.
            session = client.session
            session["seen"] = time.time()
            session.save()
            with CaptureQueriesContext(connection) as asked:
                answer = client.get(reverse(f"admin:{name}_changelist"))
            assert answer.status_code in {200, 302}, name
            found[name] = [query["sql"] for query in asked.captured_queries]
        transaction.set_rollback(True)
    return found


@pytest.mark.django_db
def test_every_list_costs_the_same_at_any_length():
    few, many = queries_of_lists(20), queries_of_lists(300)
    for name, asked in few.items():
        assert len(many[name]) == len(asked), (name, set(many[name]) - set(asked))
        assert len(asked) <= 14, (name, asked)
    for asked in many.values():
        for sql in asked:
            # What waits for the virus scanner has an index of its own, with nothing else in it.
            bounded = "LIMIT" in sql or "\"scan\" = 'waiting'" in sql
            counts = re.match(r"SELECT COUNT\(", sql)
            assert bounded or not counts, f"a whole table is counted: {sql}"


@pytest.mark.parametrize("chosen", ["", "(617) 555-0123", "1 OR 1", "９" * 30, "-1"])
def test_what_is_no_row_is_chosen_for_no_action(cast, client, chosen):
    """The fuzz found it: Django looks a number up before it asks whether it is one."""
    sign_in_as_staff(client, cast.nurse_staff.email)
    request = RequestFactory().get("/")
    request.user = cast.nurse_staff
    tried = 0
    for model, model_admin in admin.site._registry.items():
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for action in model_admin.get_actions(request):
            typed = {"action": action, "index": "0", "select_across": "0"}
            answer = client.post(address, {**typed, "_selected_action": chosen})
            assert answer.status_code in {200, 302}, (address, action)
            assert answer.status_code == 302 or "chosen" in text_of(answer), (address, action)
            tried += 1
    assert tried > 5
