"""Addresses of the open chart, and dates as this portal writes them."""

from __future__ import annotations

import datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html

from households import binding

register = template.Library()


@register.simple_tag(takes_context=True)
def member_url(context: template.Context, name: str, **kwargs: Any) -> str:
    """The address of a member page under the chart that is open."""
    return binding.member_url(context["request"], name, **kwargs)


@register.filter
def portal_date(day: datetime.date | None) -> str:
    """2016/04/27, as families type it; "" without a date."""
    return f"{day:%Y/%m/%d}" if day else ""


@register.filter
def portal_time(at: datetime.datetime | None) -> str:
    """2026/11/23, 14:05, in the practice's time zone; "" without a time."""
    return f"{timezone.localtime(at):%Y/%m/%d, %H:%M}" if at else ""


@register.filter
def in_words(day: datetime.date | None) -> str:
    """April 27, 2016, so that a wrong order of month and day is seen; "" without a date. Of a time its day
    in the practice's time zone."""
    if isinstance(day, datetime.datetime):
        day = timezone.localdate(day)
    return date_format(day, "F j, Y") if day else ""


@register.filter
def with_link(text: str, address: str) -> str:
    """The text, with the address in it as a link."""
    before, found, after = text.partition(address)
    if not found:
        return text
    return format_html('{}<a href="{}">{}</a>{}', before, found, found, after)
