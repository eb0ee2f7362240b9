"""Dates are read year first or in the order that staff name, and never guessed."""

from __future__ import annotations

import datetime

import pytest

from households.roster.dates import BadDate, DateOrder, date_of_birth
from households.roster.report import UnreadableFile

TODAY = datetime.date(2026, 6, 30)
DAY = datetime.date(2016, 4, 27)


@pytest.mark.parametrize(
    "typed",
    ["2016-04-27", "2016/4/27", "2016.04.27", "20160427", " 2016-04-27 ", "2016-04-27 00:00:00"],
)
@pytest.mark.parametrize("named", [None, "MM/DD/YYYY", "DD.MM.YYYY"])
def test_year_first_is_always_understood(typed, named):
    assert date_of_birth(typed, DateOrder(named), TODAY) == DAY


@pytest.mark.parametrize(
    ("named", "typed"),
    [
        ("MM/DD/YYYY", "4/27/2016"),
        ("mm/dd/yyyy", "04/27/2016"),
        ("%m/%d/%Y", "04/27/2016"),
        ("%-m/%-d/%Y", "4/27/2016"),
        ("M/D/YYYY", "4/27/2016"),
        ("DD.MM.YYYY", "27.04.2016"),
        ("%d.%m.%Y", "27.4.2016"),
        ("DDMMYYYY", "27042016"),
        ("YYYY/DD/MM", "2016/27/04"),
    ],
)
def test_a_named_order(named, typed):
    assert date_of_birth(typed, DateOrder(named), TODAY) == DAY


def test_a_year_first_order_that_is_named_stands_alone():
    with pytest.raises(BadDate):
        date_of_birth("2016-04-05", DateOrder("YYYY/DD/MM"), TODAY)


@pytest.mark.parametrize(
    "named",
    [
        "",
        "MM/DD",
        "MM/DD/YY",
        "%m/%d/%y",
        "MM/DD/YYYY/MM",
        "nonsense",
        "YYYY",
        "Day MM DD YYYY",
        "%b %d %Y",
    ],
)
def test_an_order_that_is_none(named):
    with pytest.raises(UnreadableFile, match="MM/DD/YYYY"):
        DateOrder(named)


@pytest.mark.parametrize(
    ("typed", "kind"),
    [
        ("04/27/2016", "us_format_dob"),
        ("04/05/2016", "us_format_dob"),
        ("27/04/2016", "unreadable_dob"),
        ("27.04.2016", "unreadable_dob"),
        ("4/27/16", "unreadable_dob"),
        ("42487", "unreadable_dob"),
        ("April 27, 2016", "unreadable_dob"),
        ("2016-04/27", "unreadable_dob"),
        ("2016-02-30", "impossible_dob"),
        ("2015-02-29", "impossible_dob"),
        ("0000-01-01", "impossible_dob"),
        ("1850-01-01", "impossible_dob"),
        ("2026-07-01", "future_dob"),
    ],
)
def test_what_is_refused(typed, kind):
    with pytest.raises(BadDate) as refused:
        date_of_birth(typed, DateOrder(), TODAY)
    assert (refused.value.kind, refused.value.severity) == (kind, "refused")
    if kind in {"us_format_dob", "unreadable_dob"}:
        assert "--date-format" in str(refused.value)


def test_a_named_order_is_not_turned_round_to_fit():
    with pytest.raises(BadDate, match="no such day"):
        date_of_birth("27/04/2016", DateOrder("MM/DD/YYYY"), TODAY)


@pytest.mark.parametrize("typed", ["1900-01-01", "0000-00-00", "0001-01-01", "2016", "2016-04"])
def test_what_goes_in_without_a_date(typed):
    with pytest.raises(BadDate) as seen:
        date_of_birth(typed, DateOrder(), TODAY)
    assert seen.value.severity == "warning"


def test_today_is_a_birthday():
    assert date_of_birth("2026-06-30", DateOrder(), TODAY) == TODAY
