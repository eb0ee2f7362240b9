"""The test house does what tests rely on: each surprise fails."""

from __future__ import annotations

import socket
import warnings

import pytest
from django.conf import settings
from django.template import Context, Engine, Origin, engines

from tests.undefined import TEMPLATES, UndefinedVariable


def template(path: str, text: str):
    from django.template.base import Template

    engine = engines["django"].engine
    return Template(text, origin=Origin(path, "page.html"), name="page.html", engine=engine)


@pytest.mark.parametrize(
    "text", ["{{ mia }}", "{{ mia.first_name }}", "{% if 1 %}{{ mia|default:'x' }}{% endif %}"]
)
def test_undefined_variable_in_our_template_fails(text):
    with pytest.raises(UndefinedVariable, match=r"page\.html uses mia"):
        template(f"{TEMPLATES}/page.html", text).render(Context())


def test_undefined_variable_in_djangos_template_is_empty():
    text = "<{{ mia }}{{ mia|default:'x' }}>"
    assert template("/elsewhere/page.html", text).render(Context()) == "<x>"
    assert Engine().from_string(text).render(Context()) == "<x>"


def test_warning_fails():
    with pytest.raises(DeprecationWarning):
        warnings.warn("old", DeprecationWarning, stacklevel=1)


def test_network_ends_at_this_machine():
    with pytest.raises(Exception, match="allowed"), socket.socket() as outside:
        outside.connect(("192.0.2.1", 80))


def test_data_folder_is_not_the_developers():
    assert settings.DATA.parent != settings.BASE_DIR
    assert settings.DATA.name.startswith("portal-tests-")
