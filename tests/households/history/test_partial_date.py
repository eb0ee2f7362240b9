"""Approximate dates: what may be typed, what is kept, how it is shown."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from households.history.partial_date import InvalidDate, in_words, is_before, read, typed

TODAY = datetime.date(2026, 11, 27)
BORN = datetime.date(2016, 4, 27)


@pytest.mark.parametrize(
    ("text", "kept", "shown", "again"),
    [
        ("2019", "2019", "2019", "2019"),
        ("2019/04", "2019-04", "April 2019", "2019/04"),
        ("2019/4", "2019-04", "April 2019", "2019/04"),
        (" 2019-04-07 ", "2019-04-07", "April 7, 2019", "2019/04/07"),
        ("2019.4.7", "2019-04-07", "April 7, 2019", "2019/04/07"),
        ("20190407", "2019-04-07", "April 7, 2019", "2019/04/07"),
        ("２０１９／０４", "2019-04", "April 2019", "2019/04"),
        ("2016", "2016", "2016", "2016"),
        ("2016/04", "2016-04", "April 2016", "2016/04"),
        ("2016/04/27", "2016-04-27", "April 27, 2016", "2016/04/27"),
        ("2026", "2026", "2026", "2026"),
        ("2026/11", "2026-11", "November 2026", "2026/11"),
        ("2026/11/27", "2026-11-27", "November 27, 2026", "2026/11/27"),
        ("2024/02/29", "2024-02-29", "February 29, 2024", "2024/02/29"),
    ],
)
def test_what_is_typed_is_kept_as_exactly_as_it_is(text, kept, shown, again):
    assert read(text, today=TODAY, born=BORN) == kept
    assert in_words(kept) == shown
    assert typed(kept) == again


@pytest.mark.parametrize(
    "text",
    [
        *("", "19", "201", "20190", "201904", "2019/", "2019/04/", "04/2019", "27/04/2019"),
        *("4/27/2019", "April 2019", "2019/04-07", "2019//04", "2019/0", "2019/13", "2019/004"),
        *("2023/02/29", "2019/04/31", "0000", "0000/01", "around 2019", "2019?", "+2019", "-2019"),
        *("2019/04/07/01", "٢٠١٩x", "2" * 70, "2027", "2026/12", "2026/11/28"),
        *("2015", "2016/03", "2016/04/26"),
    ],
)
def test_nothing_else_is_guessed(text):
    with pytest.raises(InvalidDate):
        read(text, today=TODAY, born=BORN)


def test_what_may_lie_ahead_may():
    assert read("2027/03", today=TODAY, born=BORN, may_be_ahead=True) == "2027-03"


@pytest.mark.parametrize(
    ("one", "other", "before"),
    [
        ("2018", "2019", True),
        ("2018-12", "2019", True),
        ("2019", "2019-04", False),
        ("2019-04", "2019", False),
        ("2019-03", "2019-04", True),
        ("2019-04-01", "2019-04", False),
        ("2020", "2019-04", False),
    ],
)
def test_before_is_said_only_where_it_is_sure(one, other, before):
    assert is_before(one, other) is before


@given(st.text(max_size=12))
def test_no_text_breaks_it(text):
    try:
        kept = read(text, today=TODAY, born=BORN)
    except InvalidDate:
        return
    assert read(typed(kept), today=TODAY, born=BORN) == kept
    assert in_words(kept)
