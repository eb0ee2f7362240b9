"""Who may open what: every address of the portal by its name, and nothing else. The sweeps (tests/sweep,
tests/test_access.py) try all of them as everybody with every method, and fail on an address that is not here.

"GET" is also HEAD. No address takes a third method. Of a member's own addresses the second word says which
record of that member the address holds; for another member there is none at it. Staff's addresses are in
expected_of_staff.py, by role.
"""

from __future__ import annotations

from tests.households.desk.expected_of_staff import EXPECTED

PUBLIC = {
    "health_live": "GET",
    "health_ready": "GET",
    "home": "GET",
    "login": "GET POST",
    "logout": "POST",
    "password_request": "GET POST",
    "password_sent": "GET",
    "password_choose": "GET POST",
    "password_open": "GET",
    "help_family": "GET",
    "practice_logo": "GET",
    "security_txt": "GET",
    "security_policy": "GET",
}
SIGN_IN = {
    "password_change": "GET POST",
    "account": "GET",
    "account_end_others": "POST",
    "account_end_session": "POST",
    "session_stay": "POST",
    "who": "GET POST",
    "switch": "POST",
}
MEMBER = {
    "overview": ("GET", ""),
    "chart_activity": ("GET", ""),
    "filled_in_by": ("GET POST", ""),
    "demographics": ("GET", ""),
    "details_confirm": ("POST", ""),
    "detail_change": ("GET POST", ""),
    "detail_keep": ("POST", ""),
    "contacts": ("GET", ""),
    "contact_add": ("GET POST", ""),
    "contact_change": ("GET POST", "contact"),
    "contact_keep": ("POST", "contact"),
    "contact_remove": ("GET POST", "contact"),
    "history": ("GET", ""),
    "history_topic": ("GET POST", ""),
    "entry_add": ("GET POST", ""),
    "entry_change": ("GET POST", "entry"),
    "entry_end": ("GET POST", "entry"),
    "entry_past": ("GET", "entry"),
    "documents": ("GET POST", ""),
    "document_join": ("GET POST", ""),
    "request_answer": ("GET POST", "asked"),
    "document_detail": ("GET", "document"),
    "document_again": ("GET POST", "returned"),
    "document_withdraw": ("GET POST", "document"),
    "document_file": ("GET", "document"),
    "document_thumbnail": ("GET", "document"),
    "document_page": ("GET", "document"),
    "forms": ("GET", ""),
    "form_start": ("GET POST", ""),
    "form_detail": ("GET", "sent"),
    "form_correct": ("POST", "sent"),
    "form_discard": ("GET POST", "draft"),
    "form_page": ("GET POST", "draft"),
    "form_file": ("GET POST", "draft"),
    "form_check": ("GET POST", "draft"),
    "record": ("GET", ""),
    "record_pdf": ("GET", ""),
    "record_fhir": ("GET", ""),
    "form_pdf": ("GET", "sent"),
}
STAFF = EXPECTED
