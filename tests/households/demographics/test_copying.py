"""The same as another person's: only of people chosen in this very session, only what may be shared, and
nothing is sent before the button."""

from __future__ import annotations

import uuid

import lxml.html
import pytest

from accounts.audit.models import AuditEvent
from households.demographics.fields import FIELDS
from households.demographics.models import Contact, Coverage, DetailChange, Details
from households.models import Member
from tests.households.demographics.conftest import Family
from tests.pages import fields_of, text_of

MAY_BE_COPIED = {
    *["address", "mobile_phone", "home_phone", "work_phone", "pharmacy"],
    *["primary_insurance", "secondary_insurance", "contacts"],
}


@pytest.fixture
def elena(cast) -> Member:
    """With something on file in every field that may be copied."""
    Member.objects.filter(pk=cast.elena.pk).update(
        address_1="12 Quay Street",
        city="Harbor",
        state="MA",
        mobile_phone="+16175550123",
        home_phone="617 555 0124",
    )
    Details.objects.create(
        member=cast.elena, work_phone="+16175550125", pharmacy_name="Corner", mobile_may=["text"]
    )
    for rank in ("primary", "secondary"):
        Coverage.objects.create(
            member=cast.elena,
            rank=rank,
            payer=f"{rank} Plan",
            subscriber="self",
            member_number="X1",
        )
    Contact.objects.create(
        member=cast.elena,
        name="Joseph Rivera",
        relationship="SPS",
        is_emergency=True,
        phone="+16175550126",
    )
    return cast.elena


@pytest.fixture
def mia_after_elena(cast, elena) -> Family:
    return Family().open("Elena", "1985/04/12").open("Mia", "2016/04/27")


def page_of(key: str) -> str:
    return "contacts/new/" if key == "contacts" else f"{key}/"


def offers(answer) -> list[str]:
    page = lxml.html.fromstring(answer.content.decode())
    return [link.get("href") for link in page.xpath("//main//a[contains(@href, '?from=')]")]


def test_what_may_be_copied():
    assert {key for key, field in FIELDS.items() if field.may_be_copied} == MAY_BE_COPIED


@pytest.mark.parametrize("key", sorted(FIELDS))
def test_it_is_offered_where_it_may_be_copied_and_nowhere_else(mia_after_elena, elena, key):
    page = mia_after_elena.page(page_of(key))
    if key in MAY_BE_COPIED:
        assert len(offers(page)) == 1
        assert "Same as Elena's" in text_of(page)
    else:
        assert offers(page) == []
        assert mia_after_elena.page(f"{page_of(key)}?from={elena.public_id}").status_code == 404


@pytest.mark.parametrize(
    ("key", "typed"),
    [
        ("address", {"address_1": ["12 Quay Street"], "city": ["Harbor"], "state": ["MA"]}),
        ("mobile_phone", {"mobile_phone": ["(617) 555-0123"], "mobile_may": ["text"]}),
        ("home_phone", {"home_phone": ["(617) 555-0124"]}),
        ("work_phone", {"work_phone": ["(617) 555-0125"]}),
        ("pharmacy", {"pharmacy_name": ["Corner"]}),
        (
            "primary_insurance",
            # Whose policy it is, is for the family to say.
            {"payer": ["primary Plan"], "subscriber": [""], "subscriber_name": ["Elena Rivera"]},
        ),
        ("secondary_insurance", {"payer": ["secondary Plan"], "member_number": ["X1"]}),
        ("contacts", {"name": ["Joseph Rivera"], "relationship": [""], "is_emergency": ["on"]}),
    ],
)
def test_copying_fills_the_boxes_and_sends_nothing(cast, mia_after_elena, elena, key, typed):
    [offer] = offers(mia_after_elena.page(page_of(key)))
    page = mia_after_elena.get(offer)
    assert "Copied from Elena Rivera" in text_of(page)
    assert typed.items() <= fields_of(page).items()
    assert not DetailChange.objects.exists()
    entry = AuditEvent.objects.get(action="view", outcome="copy")
    assert (entry.member_id, entry.object_id) == (elena.pk, key)
    # Then it is sent as any other change.
    changes = {"relationship": "MTH"} if key == "contacts" else {}
    assert mia_after_elena.send(page_of(key), fields_of(page, **changes)).status_code == 302
    assert DetailChange.objects.get().member == cast.mia


def test_only_what_is_on_file_is_copied_never_what_waits(cast, elena):
    family = Family().open("Elena", "1985/04/12")
    family.change("address/", address_1="99 Not Yet Street")
    family.open("Mia", "2016/04/27")
    page = family.get(offers(family.page("address/"))[0])
    assert fields_of(page)["address_1"] == ["12 Quay Street"]
    assert "Not Yet" not in page.content.decode()


def test_of_several_contacts_one_is_chosen(cast, mia_after_elena, elena):
    other = Contact.objects.create(member=elena, name="Zoe Brown", relationship="FRND")
    Contact.objects.create(
        member=elena, name="Gone Away", relationship="FRND", ended_at="2020-01-01T00:00Z"
    )
    [offer] = offers(mia_after_elena.page("contacts/new/"))
    page = mia_after_elena.get(offer)
    assert "Which of Elena Rivera's contacts?" in text_of(page)
    assert "Gone Away" not in text_of(page)
    [chosen] = [link for link in offers(page) if str(other.public_id) in link]
    assert fields_of(mia_after_elena.get(chosen))["name"] == ["Zoe Brown"]
    forged = chosen.replace(str(other.public_id), str(uuid.uuid4()))
    assert mia_after_elena.get(forged).status_code == 404


def test_nothing_on_file_is_said(cast, mia_after_elena):
    Member.objects.filter(pk=cast.elena.pk).update(address_1="", city="")
    page = mia_after_elena.get(offers(mia_after_elena.page("address/"))[0])
    assert "nothing on file here for Elena Rivera" in text_of(page)


# --- of whom nothing is offered -------------------------------------------------------


def refuses(family: Family, member: Member) -> None:
    page = family.page("address/")
    assert str(member.public_id) not in page.content.decode()
    assert "Same as" not in text_of(page)
    before = AuditEvent.objects.filter(outcome="copy").count()
    answer = family.page(f"address/?from={member.public_id}")
    assert answer.status_code == 404
    assert "Quay" not in answer.content.decode()
    assert AuditEvent.objects.filter(outcome="copy").count() == before


def test_not_of_somebody_who_was_not_chosen_in_this_session(cast, elena):
    # In another session of the same login.
    Family().open("Elena", "1985/04/12")
    refuses(Family().open("Mia", "2016/04/27"), elena)


def test_not_of_another_household(cast, mia):
    Member.objects.filter(pk=cast.ada.pk).update(address_1="12 Quay Street")
    refuses(mia, cast.ada)


def test_not_of_somebody_who_moved_out_meanwhile(cast, mia_after_elena, elena):
    assert offers(mia_after_elena.page("address/"))
    Member.objects.filter(pk=elena.pk).update(email_key="elsewhere@example.org")
    refuses(mia_after_elena, elena)


def test_not_of_somebody_without_portal_access(cast, mia_after_elena, elena):
    Member.objects.filter(pk=elena.pk).update(portal_access=False)
    refuses(mia_after_elena, elena)


def test_not_of_the_person_themselves(cast, mia_after_elena):
    mia_after_elena.open("Elena", "1985/04/12").open("Mia", "2016/04/27")
    page = mia_after_elena.page(f"address/?from={cast.mia.public_id}")
    assert page.status_code == 404


@pytest.mark.parametrize("forged", ["x", "0", "é", "'", "a" * 3000])
def test_a_forged_source_is_nobody(mia_after_elena, forged):
    assert mia_after_elena.page(f"address/?from={forged}").status_code == 404


def test_copying_costs_the_same_for_many_people(cast, elena):
    from tests.households.demographics.test_summary import queries

    family = Family().open("Elena", "1985/04/12").open("Mia", "2016/04/27")
    family.page("address/")
    few = queries(lambda: family.page("address/"))
    family.open("Leo", "2018/09/03").open("Mia", "2016/04/27")
    family.page("address/")
    assert queries(lambda: family.page("address/")) == few
    assert len(offers(family.page("address/"))) == 2
