"""AL-01 for every address of admin: what it leaves in the audit, opened and pressed.

Driven as the owner, who may do everything. An address that the tables do not know fails.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import lxml.html
import pytest
from django.test import Client
from django.utils import timezone

from accounts.audit.models import AuditEvent
from households.demographics.models import DetailChange
from households.history.models import EntryChange
from households.models import Member
from tests.cast import NURSE_PASSWORD, sign_in_as_staff
from tests.households.desk.expected_of_staff import EXPECTED
from tests.households.desk.test_roles import everything, forged_of, named_addresses  # noqa: F401
from tests.pages import fields_of
from tests.portal.test_admin_site import one_of_each  # noqa: F401 (a fixture)
from tests.test_audit_of_families import FROM, entries_of, undone, words_of

pytestmark = pytest.mark.timeout(400)

# Pages on which nothing of a person stands: settings, forms as they are asked, and pages to type on.
ABOUT_NOBODY = {
    *("help_text", "help_handout", "household", "login", "password_change", "password_change_done"),
    *("logout", "jsi18n", "households_member_add", "intake_ask_add", "desk_rosterimport_add"),
    *("accounts_staffaccount_add", "auth_user_password_change"),
    *("auth_group_changelist", "auth_group_add", "auth_group_history", "auth_group_delete"),
    *("auth_group_change", "desk_staffmailsubscription_changelist"),
    *("intake_questionnaire_import", "intake_questionnaireversion_preview"),
    *("intake_questionnaireversion_history", "intake_questionnaireversion_change"),
    *("households_practice_logo", "households_practice_history", "households_practice_change"),
}
ABOUT_NOBODY |= {
    f"{model}_{page}"
    for model in ("documents_documentkind", "demographics_fieldsetting", "history_sectionsetting")
    for page in ("changelist", "add", "history", "change")
}
ABOUT_NOBODY |= {
    f"{model}_{page}"
    for model in ("intake_questionnaire", "intake_valueset")
    for page in ("changelist", "history", "change")
}
ABOUT_NOBODY |= {name for name in EXPECTED if "_build" in name}
# Staff's own second factor.
ABOUT_NOBODY |= {"second_factor", "second_factor_app", "second_factor_codes"}
ABOUT_NOBODY |= {"accounts_staffaccount_second_factor", "accounts_staffaccount_sign_ins"}
ABOUT_NOBODY |= {"sign_ins"}
# Pictures of a document, whose page has an entry.
ABOUT_NOBODY |= {"documents_document_pages"}

# What is not STAFF_VIEW with the outcome that the page's kind says.
OPENED: dict[str, list[str]] = {
    "index": ["staff-view start-page submission"],
    "record": ["staff-view ok record"],
    "record_fhir": ["export ok record"],
    "record_pdf": ["export ok record"],
    "record_zip": ["export ok record"],
    "record_form_pdf": ["export ok form"],
    "record_form_fhir": ["export ok form"],
    "record_form_txt": ["export ok form"],
    "form_answers": ["staff-view list form-answers"],
    "form_csv": ["export csv questionnaire"],
    "form_ndjson": ["export ndjson questionnaire"],
    "tasks": ["staff-view list task"],
    "member_consent": ["staff-view consent member"],
    "accounts_householdaccount_instructions": ["staff-view ok instructions"],
    "accounts_householdaccount_handout": ["staff-view ok handout"],
    "audit_auditevent_export": ["export ndjson auditevent"],
    "documents_document_download": ["download ok document"],
    "documents_document_share": ["staff-view form document"],
    "documents_documentrequest_ask": ["staff-view form documentrequest"],
    "demographics_detailchange_on_file": ["staff-view ok details"],
    "demographics_detailchange_on_file_change": ["staff-view form detailchange"],
    "demographics_detailchange_edit": ["staff-view form detailchange"],
    "history_entrychange_edit": ["staff-view form entrychange"],
    "intake_signature_void": ["staff-view form signature"],
    "intake_memberask_ask": ["staff-view form memberask"],
    "intake_valueset_export": ["export ok valueset"],
    "intake_questionnaireversion_export": ["export ok questionnaireversion"],
    "submissions_submission_text": ["staff-view text document"],
    "submissions_submission_refile": ["staff-view refile document"],
    # Once for each of the two people.
    "submissions_refiling_change": ["staff-view ok refiling", "staff-view ok refiling"],
    "desk_rosterimport_report_csv": ["export csv rosterimport"],
    "desk_rosterimport_report_txt": ["export txt rosterimport"],
    # Looking at it for the first time is a step of its own, which the family sees.
    "documents_document_change": ["staff-change seen document", "staff-view ok document"],
    "demographics_detailchange_of": [
        "staff-change seen demographics",
        "staff-view ok demographics",
    ],
    "history_entrychange_of": ["staff-change seen history", "staff-view ok history"],
    "intake_questionnaireresponse_change": [
        "staff-change seen form",
        "staff-view ok questionnaireresponse",
    ],
}
KINDS = {"changelist": "list", "history": "history", "change": "ok"}


def expected_when_opened(name: str) -> list[str]:
    if name in OPENED:
        return OPENED[name]
    model, _line, page = name.rpartition("_")
    assert page in KINDS, f"{name}: say here what opening it leaves in the audit"
    return [f"staff-view {KINDS[page]} {model.rpartition('_')[2]}"]


def browser() -> Client:
    client = Client(REMOTE_ADDR=FROM)
    sign_in_as_staff(client)
    return client


def whole(entry: AuditEvent, staff: Any) -> bool:
    return (
        (entry.staff_id, entry.client_address) == (staff.pk, FROM)
        and abs((timezone.now() - entry.at).total_seconds()) < 60
        and bool(entry.outcome)
    )


# What somebody's record is; its entries say whose.
SOMEBODYS = {
    *("record", "form", "document", "documentrequest", "demographics", "details", "detailchange"),
    *("history", "entrychange", "memberask", "signature", "submission", "refiling"),
    *("questionnaireresponse",),
}


def test_opening_each_page_leaves_its_entry(everything, cast):  # noqa: F811 (the fixture)
    client = browser()
    wrong = []
    for name, address in named_addresses():
        if not EXPECTED[name][0]:
            continue
        with undone():
            answer, entries = entries_of(lambda at=address: client.get(at))
        found = words_of(entries)
        if name in ABOUT_NOBODY or answer.status_code in {302, 404}:
            expected = []
        else:
            expected = expected_when_opened(name)
        if found != expected:
            wrong.append((name, answer.status_code, found))
        for entry in entries:
            assert whole(entry, cast.nurse_staff), name
            if entry.object_type in SOMEBODYS and entry.outcome not in {"list", "start-page"}:
                assert entry.member_id, name
            if entry.object_type == "householdaccount" and entry.outcome != "list":
                assert entry.account_id, name
    assert wrong == [], wrong


def test_what_is_about_nobody_says_nothing_of_anybody(everything, cast):  # noqa: F811
    """The pages that leave no entry hold no name, no birth date and no email of a family."""
    client = browser()
    for name, address in named_addresses():
        if name not in ABOUT_NOBODY or not EXPECTED[name][0]:
            continue
        answer = client.get(address)
        if answer.streaming:
            b"".join(answer.streaming_content)
            continue
        page = answer.content.decode(errors="ignore")
        for secret in ("Rivera", "Okafor", "1985/04/12", "rivera@", "okafor@", "Penicillin"):
            assert secret not in page, (name, secret)


def test_what_is_shown_in_answer_to_a_post_is_read_too(everything, cast):  # noqa: F811
    """Nobody reads lists and names unseen by posting nothing to a page."""
    client = browser()
    shown = {
        "/admin/households/member/": ({}, "staff-view list member"),
        "/admin/submissions/submission/": ({}, "staff-view list submission"),
        f"/admin/documents/documentrequest/ask/{cast.mia.pk}/": (
            {},
            "staff-view form documentrequest",
        ),
        "/admin/intake/memberask/ask-people/": (
            {"people": [cast.mia.pk]},
            "staff-view form memberask",
        ),
    }
    for address, (typed, expected) in shown.items():
        answer, entries = entries_of(partial(client.post, address, typed))
        assert answer.status_code == 200, address
        assert "Mia Rivera" in answer.content.decode(), address
        assert words_of(entries) == [expected], address


# --- pressing -------------------------------------------------------------------------


def form_of(client: Client, at: str, **typed: Any) -> dict[str, Any]:
    return fields_of(client.get(at), **typed)


def same_again(client: Client, at: str) -> dict[str, Any]:
    """The page's own form as it stands, sent."""
    page = client.get(at)
    forms = re.findall(r'<form[^>]*id="([a-z]+_form)"', page.content.decode())
    return {**fields_of(page, forms[0] if forms else ""), "_save": "Save"}


def on_review_page(client: Client, at: str) -> dict[str, Any]:
    """What the review's page sends with the button whose address this is."""
    model, pk = at.split("/")[3:5]
    changes = DetailChange if model == "detailchange" else EntryChange
    submission = changes._base_manager.get(pk=pk).submission_id
    page = lxml.html.fromstring(
        client.get(at.replace(f"{pk}/accept/", f"of/{submission}/")).content.decode()
    )
    (form,) = [one for one in page.forms if one.get("action") == at]
    return dict(form.form_values())


def another_birth_date(client: Client, at: str) -> dict[str, Any]:
    posted = forged_of("post", at)
    born = Member.objects.get(pk=posted["member"]).date_of_birth
    return {**posted, "seen": f"{born:%Y/%m/%d}", "date_of_birth": "1991/02/03"}


# By the name of an address: what is typed, and what pressing it leaves. Without anything typed: what a
# browser sends that presses a button.
PRESSED: dict[str, tuple[Any, list[str]]] = {
    "logout": (None, ["staff-sign-out ok"]),
    "index": (None, ["staff-view start-page submission"]),
    "accounts_householdaccount_send_link": (None, ["staff-change link-sent householdaccount"]),
    "accounts_householdaccount_lift_pause": (None, ["staff-change pause-lifted householdaccount"]),
    "accounts_householdaccount_end_sessions": (
        None,
        ["staff-change sessions-ended householdaccount"],
    ),
    "accounts_householdaccount_end_session": (
        None,
        ["staff-change session-over householdaccount"],
    ),
    "accounts_householdaccount_close_login": (
        None,
        ["staff-change login-closed householdaccount"],
    ),
    "accounts_householdaccount_open_login": (
        None,
        ["staff-change login-opened householdaccount"],
    ),
    "accounts_householdaccount_portal_access": (None, ["staff-change portal-access-off member"]),
    "accounts_householdaccount_also_called": (
        lambda client, at: {**forged_of("post", at), "name": "Moxie"},
        ["staff-change also-called-added member"],
    ),
    "accounts_householdaccount_birth_date": (
        another_birth_date,
        ["staff-change birth-date-corrected member"],
    ),
    "accounts_staffaccount_change": (same_again, ["staff-change unchanged staffaccount"]),
    "accounts_staffaccount_add": (
        lambda client, at: form_of(
            client,
            at,
            email="new@practice.example",
            password1="lantern orchid gravel 44",
            password2="lantern orchid gravel 44",
        ),
        ["staff-change added staffaccount"],
    ),
    "auth_group_change": (same_again, ["staff-change unchanged group"]),
    "auth_group_add": (
        lambda client, at: form_of(client, at, name="Helpers"),
        ["staff-change added group"],
    ),
    "auth_group_delete": (lambda client, at: {"post": "yes"}, ["staff-change deleted group"]),
    "households_member_change": (same_again, ["staff-change unchanged member"]),
    "submissions_submission_assign": (None, ["staff-change assigned document"]),
    "submissions_submission_file": (None, ["staff-change filed document"]),
    "documents_documentrequest_close": (None, ["staff-change closed documentrequest"]),
    "documents_documentrequest_ask": (
        lambda client, at: form_of(client, at, what="Insurance card"),
        ["staff-change added documentrequest"],
    ),
    "documents_documentrequest_change": (same_again, ["staff-change unchanged documentrequest"]),
    "documents_document_file": (None, ["staff-change filed document"]),
    "documents_document_return": (
        lambda client, at: {"words": "It is blurred."},
        ["staff-change returned document"],
    ),
    "documents_documentkind_change": (same_again, ["staff-change unchanged documentkind"]),
    "documents_documentkind_add": (
        lambda client, at: {**same_again(client, at), "name": "Letter from a school"},
        ["staff-change added documentkind"],
    ),
    "demographics_detailchange_of_accept_all": (
        None,
        ["staff-change accepted demographics", "staff-change filed demographics"],
    ),
    "demographics_fieldsetting_change": (same_again, ["staff-change unchanged fieldsetting"]),
    "history_entrychange_of_accept_all": (
        None,
        ["staff-change accepted history", "staff-change filed history"],
    ),
    "history_sectionsetting_change": (same_again, ["staff-change unchanged sectionsetting"]),
    "intake_ask_end": (None, ["staff-change ended ask"]),
    "intake_ask_change": (same_again, ["staff-change unchanged ask"]),
    "intake_memberask_end": (None, ["staff-change ended memberask"]),
    "intake_memberask_change": (same_again, ["staff-change unchanged memberask"]),
    "intake_questionnaire_change": (same_again, ["staff-change unchanged questionnaire"]),
    "intake_questionnaireresponse_file": (None, ["staff-change filed form"]),
    "intake_questionnaireresponse_return": (
        lambda client, at: {"words": "One answer is missing."},
        ["staff-change returned form"],
    ),
    "intake_questionnaireversion_retire": (None, ["staff-change retired questionnaireversion"]),
    "intake_questionnaireversion_draft": (None, ["staff-change draft-begun questionnaireversion"]),
    "intake_signature_void": (
        lambda client, at: form_of(client, at, words="Signed by the wrong person."),
        ["staff-change voided signature"],
    ),
    "desk_rosterimport_drop": (None, ["roster-import dropped rosterimport"]),
    "desk_rosterimport_start_again": (None, ["roster-import started-again rosterimport"]),
    "households_practice_change": (same_again, ["staff-change unchanged practice"]),
    # A form shown again for a mistake is read again.
    "member_consent": (None, ["staff-view consent member"]),
    "demographics_detailchange_accept": (
        on_review_page,
        ["staff-change accepted demographics", "staff-change filed demographics"],
    ),
    "demographics_detailchange_return": (
        lambda client, at: {"words": "Please call us."},
        ["staff-change returned demographics", "staff-change returned demographics"],
    ),
    "demographics_detailchange_edit": (
        form_of,
        ["staff-change edited demographics", "staff-change filed demographics"],
    ),
    "history_entrychange_accept": (
        on_review_page,
        ["staff-change accepted history", "staff-change filed history"],
    ),
    "history_entrychange_return": (
        lambda client, at: {"words": "Please call us."},
        ["staff-change returned history", "staff-change returned history"],
    ),
    "history_entrychange_edit": (
        form_of,
        ["staff-change edited history", "staff-change filed history"],
    ),
    "intake_valueset_change": (same_again, ["staff-change unchanged valueset"]),
    # These only lead on, or show what was typed without saving it.
    "household": ({"email": "rivera@example.org"}, []),
    "stay": (None, []),
    "documents_document_add": (None, []),
    "documents_documentrequest_add": (None, []),
    "intake_memberask_add": (None, []),
    "submissions_submission_change": (None, []),
    "households_practice_preview": (None, []),
    "intake_questionnaireversion_preview": (None, []),
    "intake_questionnaireversion_build_kinds": (None, []),
    "password_change": (
        {
            "old_password": NURSE_PASSWORD,
            "new_password1": "harbor lights over paper",
            "new_password2": "harbor lights over paper",
        },
        ["password-change ok staffaccount"],
    ),
}

# Where what a button leaves in the audit is tested with the things that it needs around it.
HOUSEHOLDS = "tests/households/"
TASKS = f"{HOUSEHOLDS}desk/test_tasks.py::"
ASKING = f"{HOUSEHOLDS}intake/asking/"
BUILDING = f"{HOUSEHOLDS}intake/building/test_building.py::"
PUBLISHING = f"{HOUSEHOLDS}intake/definitions/test_publishing.py::"
PAPERS = f"{HOUSEHOLDS}documents/test_admin.py::"
ELSEWHERE: dict[str, str] = {
    "auth_user_password_change": (
        "tests/accounts/test_admin.py::"
        "test_an_owner_sets_a_new_password_for_somebody_and_it_is_in_the_audit"
    ),
    "demographics_detailchange_on_file_change": (
        f"{HOUSEHOLDS}demographics/test_review.py::"
        "test_staff_read_everything_on_file_and_correct_it"
    ),
    "desk_rosterimport_add": (
        f"{HOUSEHOLDS}desk/test_roster_pages.py::test_confirmed_twice_it_is_imported_once"
    ),
    "desk_rosterimport_confirm": (
        f"{HOUSEHOLDS}desk/test_roster_pages.py::test_confirmed_twice_it_is_imported_once"
    ),
    "documents_document_share": f"{PAPERS}test_a_paper_is_shared_with_one_person_only",
    "documents_document_unshare": f"{PAPERS}test_a_paper_shared_by_mistake_is_taken_back",
    "household_make_login": (
        f"{HOUSEHOLDS}test_household_page.py::test_people_on_file_without_a_login_get_one"
    ),
    "households_member_add": (
        f"{HOUSEHOLDS}test_admin.py::test_a_new_member_gets_a_login_and_is_in_the_audit"
    ),
    "households_practice_logo": (
        f"{HOUSEHOLDS}desk/test_settings.py::test_another_logo_replaces_the_first_and_none_the_last"
    ),
    "intake_ask_add": f"{ASKING}test_ask_admin.py::test_everyone_is_asked",
    "intake_memberask_ask": f"{ASKING}test_member_ask_admin.py::test_one_person_is_asked_from_their_page",
    "intake_memberask_ask_people": (
        f"{ASKING}test_member_ask_admin.py::test_the_people_ticked_are_named_and_asked_at_once"
    ),
    "intake_questionnaire_build": f"{BUILDING}test_a_form_is_begun_with_a_title_and_a_section",
    "intake_questionnaire_import": (
        f"{PUBLISHING}test_publishing_freezes_and_retires_the_one_before"
    ),
    "intake_questionnaire_starters": (
        f"{HOUSEHOLDS}intake/definitions/test_admin.py::test_starters_are_added_once"
    ),
    "intake_questionnaireversion_publish": (
        f"{PUBLISHING}test_publishing_freezes_and_retires_the_one_before"
    ),
    "member_consent_withdraw": (
        f"{HOUSEHOLDS}test_ages.py::test_withdrawn_consent_ends_the_open_chart_at_once_and_no_other"
    ),
    "submissions_submission_refile": (
        f"{HOUSEHOLDS}submissions/test_refiling.py::test_the_audit_of_both_people"
    ),
    "task_learn": f"{TASKS}test_a_nickname_is_added_with_one_click_and_the_family_gets_in",
    "task_dismiss": f"{TASKS}test_dismissed_it_does_not_come_back_when_it_is_typed_again",
    "task_keep_off": f"{TASKS}test_keeping_off_works_at_once_while_the_chart_and_a_form_are_open",
    "task_seen": f"{TASKS}test_may_stay_closes_the_task_and_changes_nothing",
}
DOOR = "tests/accounts/staff/test_"
ELSEWHERE |= {
    "second_factor": f"{DOOR}set_up.py::test_no_secret_stands_in_an_address_or_in_the_audit",
    "sign_ins": f"{DOOR}sessions.py::test_staff_see_and_end_their_own_other_browsers_and_nobody_elses",
    "accounts_staffaccount_sign_ins": (
        f"{DOOR}sessions.py::test_an_owner_ends_one_sign_in_and_the_others_go_on"
    ),
    "second_factor_app": f"{DOOR}second_factor_pages.py::test_another_phone_takes_the_place_of_the_first",
    "second_factor_codes": (
        f"{DOOR}second_factor_pages.py::test_new_recovery_codes_end_the_old_ones_when_they_are_kept"
    ),
    "accounts_staffaccount_second_factor": (
        f"{DOOR}second_factor_pages.py::test_an_owner_removes_the_second_factor_of_somebody_who_lost_their_phone"
    ),
}
# The form builder's, each of which changes one draft through one door (intake/drafting.py).
ELSEWHERE |= {
    f"intake_questionnaireversion_{word}": f"{BUILDING}test_every_change_of_a_draft_is_in_the_audit"
    for word in ("build", "build_add", "build_delete", "build_item", "build_move", "build_show_if")
}
ELSEWHERE |= {
    "intake_questionnaireversion_build_title": (
        f"{BUILDING}test_every_change_of_a_draft_is_in_the_audit"
    ),
    "intake_questionnaireversion_discard": (
        f"{BUILDING}test_every_change_of_a_draft_is_in_the_audit"
    ),
}


def may_be_pressed() -> set[str]:
    """Addresses that change something when posted to: not the searches, nor the pages of what was done."""
    reads = ("_changelist", "_history")
    return {
        name for name, (_get, post) in EXPECTED.items() if "o" in post and not name.endswith(reads)
    } | {"logout"}


def test_pressing_each_button_leaves_its_entry(everything, cast):  # noqa: F811
    wrong = []
    for name, address in named_addresses():
        if name not in PRESSED:
            continue
        typed, expected = PRESSED[name]
        with undone():
            client = browser()
            data = typed(client, address) if callable(typed) else typed
            if data is None:
                data = forged_of("post", address)
            answer, entries = entries_of(partial(client.post, address, data))
        if words_of(entries) != expected:
            wrong.append((name, answer.status_code, words_of(entries)))
        for entry in entries:
            assert whole(entry, cast.nurse_staff), name
            if entry.object_type in SOMEBODYS | {"member"} and entry.outcome != "start-page":
                assert entry.member_id, name
    assert wrong == [], wrong


def test_every_button_is_in_the_tables():
    unknown = may_be_pressed() - PRESSED.keys() - ELSEWHERE.keys()
    assert unknown == set(), sorted(unknown)
    assert PRESSED.keys() & ELSEWHERE.keys() == set()
    for name, where in ELSEWHERE.items():
        file, _colon, test = where.partition("::")
        text = Path(file).read_text()
        assert f"def {test}(" in text, (name, where)
        assert "AuditEvent" in text, (name, where)
