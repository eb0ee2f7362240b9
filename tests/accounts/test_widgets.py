"""Our straight-drawn boxes are Django's, attribute by attribute."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from django import forms

from accounts.widgets import EmailBox, PasswordBox, TextBox


class Attributes(HTMLParser):
    def handle_starttag(self, tag, attrs):
        self.found = (tag, dict(attrs))


def parsed(html):
    parser = Attributes()
    parser.feed(html)
    return parser.found


@pytest.mark.parametrize(
    ("ours", "djangos"),
    [
        (TextBox, forms.TextInput),
        (EmailBox, forms.EmailInput),
        (PasswordBox, forms.PasswordInput),
    ],
)
@pytest.mark.parametrize("value", [None, "", "Mia", '"><script>', "a&b", 3])
def test_same_attributes(ours, djangos, value, settings):
    settings.FORM_RENDERER = "django.forms.renderers.DjangoTemplates"
    attrs = {"autocomplete": "off", "aria-invalid": "true", "disabled": True, "hidden": False}
    plain = forms.renderers.DjangoTemplates()
    mine = ours(attrs=attrs).render("first_name", value, {"id": "id_first_name"})
    theirs = djangos(attrs=attrs).render("first_name", value, {"id": "id_first_name"}, plain)
    assert parsed(mine) == parsed(theirs)
