"""The law on pages: rules over the sources of templates, style sheet and script.

Each rule is a function from a file's path and text to what breaks it. The second half feeds every rule
something broken, so that none of them sleeps. What pages look like in use is for tests/browser.
"""

from __future__ import annotations

import ast
import gzip
import random
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.template.loader import render_to_string

from tests.cast import sign_in_as_staff

ROOT = Path(settings.BASE_DIR)
TEMPLATES = ROOT / "templates"
STATIC = ROOT / "static"
Rule = Callable[[str, str], list[str]]


def templates() -> Iterator[tuple[str, str]]:
    """Every template: the name it is loaded by, and its text."""
    for path in sorted(TEMPLATES.rglob("*")):
        if path.is_file():
            yield path.relative_to(TEMPLATES).as_posix(), path.read_text()


SOURCES = dict(templates())
ASSETS = {path.name: path.read_text() for path in sorted(STATIC.iterdir())}

_COMMENT = re.compile(r"\{#.*?#\}|\{% comment %\}.*?\{% endcomment %\}", re.S)
_TAG = re.compile(r"\{%.*?%\}|\{\{.*?\}\}", re.S)
_BLOCKTRANSLATE = re.compile(r"\{% blocktranslate\b.*?%\}(.*?)\{% endblocktranslate %\}", re.S)
_TRANSLATE = re.compile(r"""\{% translate ("(?:[^"\\]|\\.)*"|'[^']*')""")


# --- the rules ------------------------------------------------------------------------


def nameless_page(path: str, text: str) -> list[str]:
    """A page of a slice shows whose chart it is: it extends base_member.html and lets that write the
    title, which starts with the first name and never holds the birth date (CONTRACT, UX ALL-3)."""
    if not re.fullmatch(r"households/\w+/.+\.html", path):
        return []
    found = []
    if not text.startswith('{% extends "base_member.html" %}'):
        found.append(f"{path} does not extend base_member.html")
    if re.search(r"\{% block (title|banner) %\}", text):
        found.append(f"{path} replaces the banner or the whole title")
    title = re.search(r"\{% block page_title %\}(.*?)\{% endblock", text, re.S)
    if title is None or "birth" in title[1] or "born" in title[1]:
        found.append(f"{path} has no title, or one that may hold the birth date")
    return found


def hole_in_the_csp(path: str, text: str) -> list[str]:
    """Nothing that the Content-Security-Policy would have to allow, and nothing unescaped (R-SE-8)."""
    bare = _TAG.sub("", _COMMENT.sub("", text))
    found = [
        f"{path} has {name}"
        for name, pattern in {
            "an inline script": r"<script(?![^>]*\bsrc=)|<script[^>]*>\s*[^\s<]",
            "an inline style": r"<style|<[^>]*\sstyle\s*=",
            "an inline handler": r"<[^>]*\son\w+\s*=",
            "a script address": r"(?i)javascript:",
        }.items()
        if re.search(pattern, bare)
    ]
    if re.search(r"\|\s*(safe|safeseq)\b|mark_safe", text):
        found.append(f"{path} trusts a value to be HTML")
    # Plain text is no HTML: an apostrophe in the practice's name stays one.
    if "{% autoescape" in text and not path.endswith(".txt"):
        found.append(f"{path} changes the escaping")
    return found


def foreign_address(path: str, text: str) -> list[str]:
    """No page loads or links to another host by itself (PRODUCT I); what is typed in admin may."""
    text = text.replace("http://www.w3.org/2000/svg", "")
    return [
        f"{path} names {hit}"
        for hit in re.findall(r"""https?:|["'(]//\w|@import|url\(""", _COMMENT.sub("", text))
    ]


class _Words(HTMLParser):
    """Collects what a person would see or hear of a page's source."""

    SPOKEN = {"alt", "title", "aria-label", "placeholder", "label", "summary"}

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        spoken = self.SPOKEN | ({"value"} if names.get("type") in {"submit", "button"} else set())
        for name, value in attrs:
            if name in spoken or name in {"data-busy", "data-copied", "data-hide-word"}:
                self.handle_data(value or "")

    def handle_data(self, data: str) -> None:
        self.words += re.findall(r"[^\W\d_]{2,}", data)


def untranslated(path: str, text: str) -> list[str]:
    """Every word that a person sees stands in a translate tag (UX ALL-12)."""
    text = _TAG.sub("", _BLOCKTRANSLATE.sub("", _COMMENT.sub("", text)))
    words = _Words()
    words.feed(text)
    words.close()
    return [f"{path}: “{word}” is not translated" for word in words.words]


# Two days of the audit.
ASKS_BY_ADDRESS = {"admin/audit/days.html"}


def open_form(path: str, text: str) -> list[str]:
    """Every form that changes something carries the CSRF token, and browsers leave checking to us. One that
    only asks says so: it names nobody, since what it asks stands in the address."""
    found = []
    for form in re.findall(r"<form\b.*?</form>", _COMMENT.sub("", text), re.S):
        if path in ASKS_BY_ADDRESS and 'method="get"' in form:
            continue
        if 'method="post"' not in form:
            found.append(f"{path} has a form that is not a POST")
        elif "{% csrf_token %}" not in form:
            found.append(f"{path} has a form without its token")
        if "as_field_group" in form and "novalidate" not in form:
            found.append(f"{path} lets the browser check a form")
    return found


RULES: list[Rule] = [nameless_page, hole_in_the_csp, foreign_address, untranslated, open_form]


@pytest.mark.parametrize("path", SOURCES)
@pytest.mark.parametrize("rule", RULES)
def test_templates_keep_the_rules(rule: Rule, path: str) -> None:
    assert rule(path, SOURCES[path]) == []


@pytest.mark.parametrize("name", ASSETS)
def test_assets_load_nothing_from_elsewhere(name: str) -> None:
    assert foreign_address(name, ASSETS[name]) == []


# --- every template is used -----------------------------------------------------------


def mentions(python: str) -> set[str]:
    """The template names in a module, as patterns: the holes of an f-string stand for anything."""
    found = set()
    for node in ast.walk(ast.parse(python)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(re.escape(node.value))
        elif isinstance(node, ast.JoinedStr):
            found.add(
                "".join(
                    re.escape(part.value) if isinstance(part, ast.Constant) else r"\w+"
                    for part in node.values
                )
            )
    return {pattern for pattern in found if re.search(r"\.(html|txt)$", pattern)}


def unused(names: set[str], mentioned: set[str], shipped: Callable[[str], bool]) -> list[str]:
    """The templates that no code and no template names, and that replace none of a library's."""
    return sorted(
        name
        for name in names
        if not shipped(name) and not any(re.fullmatch(pattern, name) for pattern in mentioned)
    )


def replaces_a_librarys(name: str) -> bool:
    """Django looks templates up by name; the admin also below admin/<app>/ and admin/<app>/<model>/."""
    places = [Path(config.path) / "templates" for config in apps.get_app_configs()]
    names = {name, re.sub(r"^admin/(\w+/){1,2}", "admin/", name)}
    return any((place / one).exists() for place in places for one in names)


def test_every_template_is_used() -> None:
    mentioned = set()
    for folder in ("accounts", "households", "portal"):
        for module in (ROOT / folder).rglob("*.py"):
            mentioned |= mentions(module.read_text())
    for text in SOURCES.values():
        mentioned |= {re.escape(name) for name in re.findall(r'(?:extends|include) "(.+?)"', text)}
    assert unused(set(SOURCES), mentioned, replaces_a_librarys) == []


# --- size and colour ------------------------------------------------------------------


def too_big(name: str, text: str) -> list[str]:
    """UX section 5: 8 KB of style in 500 lines, 5 KB of script, as sent."""
    lines, sent = text.count("\n"), len(gzip.compress(text.encode(), mtime=0))
    if name.endswith(".css") and (lines > 500 or sent > 8 * 1024):
        return [f"{name}: {lines} lines, {sent} bytes"]
    if name.endswith(".js") and sent > 5 * 1024:
        return [f"{name}: {sent} bytes"]
    return []


def test_style_and_script_stay_small() -> None:
    assert too_big("portal.css", ASSETS["portal.css"]) == []
    assert too_big("portal.js", ASSETS["portal.js"]) == []


def contrast(one: str, other: str) -> float:
    """The ratio of two colours written #rrggbb (WCAG 2.2, relative luminance)."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def tokens(css: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", css))


PEOPLE = range(6)
# Text on its ground: 4.5. Edges of controls and the focus ring: 3 (WCAG 1.4.3, 1.4.11). The colours of
# people under white initials: 5.9 (UX BAN-4).
CONTRASTS = [
    *[
        ("ink", ground, 7)
        for ground in ("paper", "ground", "note-tint", "good-tint", "problem-tint")
    ],
    *[(text, ground, 4.5) for text in ("soft", "link") for ground in ("paper", "ground")],
    *[("link", f"person-tint-{number}", 4.5) for number in PEOPLE],
    *[("ink", f"person-tint-{number}", 7) for number in PEOPLE],
    *[(f"person-{number}", "paper", 5.9) for number in PEOPLE],
    ("link", "note-tint", 4.5),
    ("note", "note-tint", 4.5),
    ("problem", "problem-tint", 4.5),
    ("problem", "paper", 4.5),
    ("paper", "deep", 4.5),
    ("paper", "deeper", 4.5),
    ("deep", "ground", 4.5),
    ("line", "paper", 3),
    ("line", "ground", 3),
    ("focus", "ink", 3),
    ("focus", "deep", 3),
]


def too_faint(css: str) -> list[str]:
    colours = tokens(css)
    return [
        f"{text} on {ground}: {contrast(colours[text], colours[ground]):.2f}, needs {least}"
        for text, ground, least in CONTRASTS
        if contrast(colours[text], colours[ground]) < least
    ]


def test_colours_can_be_told_apart() -> None:
    assert too_faint(ASSETS["portal.css"]) == []


def test_people_have_colours_of_their_own() -> None:
    colours = tokens(ASSETS["portal.css"])
    assert len({colours[f"person-{number}"] for number in PEOPLE}) == len(PEOPLE)
    for number in PEOPLE:
        assert f".colour-{number} " in ASSETS["portal.css"]


# --- the same words in two shapes -----------------------------------------------------


def sentences(text: str) -> set[str]:
    """Everything that a template has for translators, blanks evened out."""
    parts = [*(quoted[1:-1] for quoted in _TRANSLATE.findall(text)), *_BLOCKTRANSLATE.findall(text)]
    return {" ".join(part.split()) for part in parts}


@pytest.mark.parametrize(
    "mail",
    ["accounts/mail/password_link", "accounts/mail/password_set", "admin/desk/mail/waiting"],
)
def test_both_shapes_of_a_mail_say_the_same(mail: str) -> None:
    subject = sentences(SOURCES[f"{mail}_subject.txt"])
    html = sentences(SOURCES[f"{mail}.html"]) - subject
    assert html == sentences(SOURCES[f"{mail}.txt"])


@pytest.mark.parametrize("mail", ["password_link", "password_set"])
def test_a_mail_has_one_link_and_the_name_as_it_is_written(mail: str) -> None:
    """UX MAIL-1, MAIL-2. An apostrophe is one in plain text, and no markup in HTML."""
    practice = {"name": "O'Hara & <b>Sons", "phone": "555 0100", "sender": "portal@ohara.example"}
    link = "https://portal.example/password/token/"
    context = {
        "practice": practice,
        "link": link,
        "portal_url": link,
        "hours": 24,
        "has_password": True,
    }
    text = render_to_string(f"accounts/mail/{mail}.txt", context)
    html = render_to_string(f"accounts/mail/{mail}.html", context)
    assert re.findall(r"https?://\S+", text) == [link]
    assert "O'Hara & <b>Sons" in text
    assert html.count("<a ") == 1
    assert f'<a href="{link}">{link}</a>' in html
    assert "<b>" not in html
    assert "<img" not in html
    assert len(render_to_string(f"accounts/mail/{mail}_subject.txt", context).strip()) < 60


# --- pages that must not lean on anything ---------------------------------------------


def test_the_page_for_our_mistakes_needs_no_request_and_no_database() -> None:
    page = render_to_string("errors/500.html")
    assert "Something went wrong on our side" in page
    assert "911" in page


def test_the_help_page_writes_what_staff_typed_as_text(client, db) -> None:
    from households.models import Practice

    Practice.objects.create(pk=1, name="</textarea><b>Bold", phone="555 0100")
    page = client.get("/help/family/").content.decode()
    assert "<b>" not in page
    assert page.count("</textarea>") == 1
    assert "A family can share one portal login at &lt;/textarea&gt;" in page


def test_admin_writes_the_same_text_as_text(client, cast) -> None:
    from households.models import Practice

    Practice.objects.update_or_create(pk=1, defaults={"name": "</textarea><b>Bold"})
    sign_in_as_staff(client)
    page = client.get("/admin/help-text/").content.decode()
    assert "<b>" not in page
    assert "A family can share one portal login at &lt;/textarea&gt;" in page


# --- the rules are awake --------------------------------------------------------------

PAGE = "households/documents/list.html"
MEMBER_PAGE = (
    '{% extends "base_member.html" %}{% block page_title %}{% translate "Papers" %}{% endblock %}'
)
BROKEN = [
    (nameless_page, PAGE, '{% extends "base.html" %}{% block page_title %}{% endblock %}'),
    (nameless_page, PAGE, '{% extends "base_member.html" %}'),
    (nameless_page, PAGE, MEMBER_PAGE + "{% block title %}{% endblock title %}"),
    (nameless_page, PAGE, MEMBER_PAGE + "{% block banner %}{% endblock banner %}"),
    (nameless_page, PAGE, MEMBER_PAGE.replace("Papers", "Papers, born")),
    (hole_in_the_csp, PAGE, "<script>alert(1)</script>"),
    (hole_in_the_csp, PAGE, '<script src="a.js">alert(1)</script>'),
    (hole_in_the_csp, PAGE, "<style>p { color: red }</style>"),
    (hole_in_the_csp, PAGE, '<p class="a" style="color: red">'),
    (hole_in_the_csp, PAGE, '<p class="{% if a > b %}c{% endif %}" onclick="go()">'),
    (hole_in_the_csp, PAGE, '<a href="javascript:go()">'),
    (hole_in_the_csp, PAGE, "{{ note|safe }}"),
    (hole_in_the_csp, PAGE, "{{ notes|safeseq|join:', ' }}"),
    (hole_in_the_csp, PAGE, "{% autoescape off %}{{ note }}{% endautoescape %}"),
    (foreign_address, PAGE, '<img src="https://elsewhere.example/x.png">'),
    (foreign_address, PAGE, '<script src="//elsewhere.example/x.js"></script>'),
    (foreign_address, "portal.css", "p { background: url(//elsewhere.example/x.png) }"),
    (foreign_address, "portal.css", '@import "other.css";'),
    (untranslated, PAGE, "<p>Hello</p>"),
    (untranslated, PAGE, "<p>{{ name }} was born</p>"),
    (untranslated, PAGE, '<p>{% translate "Call" %} or write</p>'),
    (untranslated, PAGE, '<img alt="A letter">'),
    (untranslated, PAGE, '<input type="submit" value="Send">'),
    (untranslated, PAGE, '<nav aria-label="Portal">'),
    (untranslated, PAGE, '<button data-busy="Sending">'),
    (untranslated, "accounts/mail/x.txt", '{% translate "Hello." %}\nBye'),
    (open_form, PAGE, '<form method="post"></form>'),
    (open_form, PAGE, '<form action="/switch/"></form>'),
    (open_form, PAGE, '<form method="post">{% csrf_token %}{{ form.a.as_field_group }}</form>'),
    (too_big, "portal.css", "\n" * 501),
    (too_big, "portal.css", random.Random(1).randbytes(9000).hex()),
    (too_big, "portal.js", random.Random(1).randbytes(6000).hex()),
]


@pytest.mark.parametrize(("rule", "path", "text"), BROKEN)
def test_the_rules_are_awake(rule: Rule, path: str, text: str) -> None:
    assert rule(path, text)


@pytest.mark.parametrize("rule", RULES)
def test_the_rules_let_a_good_page_pass(rule: Rule) -> None:
    page = MEMBER_PAGE + (
        "{# Comments are not seen. #}<h1>{% blocktranslate %}{{ name }} online{% endblocktranslate %}</h1>"
        '<p lang="en">911 – {{ phone }}</p><img alt="{% translate \'Letter\' %}" src="{{ url }}">'
        '<form method="post" novalidate>{% csrf_token %}{{ form.a.as_field_group }}</form>'
    )
    assert rule(PAGE, page) == []


def test_an_unused_template_is_found() -> None:
    mentioned = mentions('render(r, "a/used.html")\nrender_to_string(f"mail/{which}.txt")')
    names = {"a/used.html", "a/left.html", "mail/link.txt", "mail/deep/link.txt"}
    assert unused(names, mentioned, lambda name: False) == ["a/left.html", "mail/deep/link.txt"]
    assert replaces_a_librarys("django/forms/field.html")
    assert replaces_a_librarys("admin/households/member/change_form.html")
    assert not replaces_a_librarys("admin/households/member/invented.html")


def test_a_faint_colour_is_found() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    faint = re.sub(r"--soft: #\w+", "--soft: #a0a0a0", ASSETS["portal.css"])
    assert [line.split(":")[0] for line in too_faint(faint)] == ["soft on paper", "soft on ground"]
