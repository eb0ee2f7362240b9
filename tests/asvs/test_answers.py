"""Lines of ASVS that hold for every answer and every script at once, and had no test of their own."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from tests.cast import pick, sign_in

ROOT = Path(settings.BASE_DIR)


@pytest.mark.django_db
def test_every_text_says_its_charset_and_nobody_elsewhere_may_read_an_answer(
    cast, client, settings
):
    """ASVS 4.1.1, 3.4.2."""
    settings.SECURITY_CONTACT = "mailto:security@practice.example"
    sign_in(client, "rivera@example.org")
    home = f"/for/{pick(client, 'Mia', '2016/04/27')}"
    addresses = ["/login/", "/help/", "/healthz", "/readyz", "/nothing/", "/account/", "/who/"]
    addresses += ["/.well-known/security.txt", "/security-policy.txt", "/admin/login/", f"{home}/"]
    addresses += [f"{home}/documents/", f"{home}/record/", f"{home}/history/", "/for/odd/"]
    texts = 0
    for address in addresses:
        for visitor in (client, Client()):
            answer = visitor.get(address, headers={"origin": "https://evil.example"})
            kind = answer.headers["Content-Type"]
            if answer.content:
                assert re.search(r"charset=utf-8$", kind), (address, kind)
                texts += 1
            allowed = [name for name in answer.headers if name.lower().startswith("access-control")]
            assert allowed == [], address
    assert texts > 15


def dangerous(script: str) -> list[str]:
    """Text becomes a page, a message of others is heard, words become code (ASVS 3.2.2, 3.5.5, 15.3.6)."""
    words = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment"
    words += (
        r"|\beval\b|new Function|postMessage|onmessage|[\"']message[\"']|__proto__|Object\.assign"
    )
    words += r"|JSON\.parse|import\(|srcdoc|javascript:"
    return re.findall(words, script)


def test_scripts_do_nothing_dangerous():
    scripts = [*(ROOT / "static").glob("*.js"), *(ROOT / "templates").rglob("*.html")]
    assert len(scripts) > 100
    assert {path.name: found for path in scripts if (found := dangerous(path.read_text()))} == {}


@pytest.mark.parametrize(
    "script",
    [
        "box.innerHTML = typed",
        "window.addEventListener('message', go)",
        "eval(typed)",
        "document.write(typed)",
        "Object.assign(seen, JSON.parse(typed))",
    ],
)
def test_a_dangerous_script_is_caught(script):
    assert dangerous(script)


def weak_keyed_hashes(text: str) -> list[int]:
    """ASVS 11.4.1: Django's salted_hmac takes SHA-1 where it is told nothing."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", getattr(node.func, "attr", "")) == "salted_hmac"
        and not any(
            one.arg == "algorithm" and ast.literal_eval(one.value) == "sha256"
            for one in node.keywords
        )
    ]


def test_every_keyed_hash_is_sha_256():
    paths = [
        path for one in ("portal", "accounts", "households") for path in (ROOT / one).rglob("*.py")
    ]
    assert any("salted_hmac" in path.read_text() for path in paths)
    assert {
        str(path): found for path in paths if (found := weak_keyed_hashes(path.read_text()))
    } == {}


def test_a_weak_keyed_hash_is_caught():
    assert weak_keyed_hashes("salted_hmac('a', b)") == [1]
    assert weak_keyed_hashes("crypto.salted_hmac('a', b, algorithm='sha1')") == [1]
    assert weak_keyed_hashes("salted_hmac('a', b, algorithm='sha256')") == []


def test_the_web_server_speaks_nothing_old():
    """ASVS 12.1.1, 12.1.2. That nginx takes the file, a test in tests/hostile sees."""
    said = (ROOT / "deploy" / "nginx.conf").read_text()
    (protocols,) = re.findall(r"ssl_protocols +([^;]+);", said)
    assert protocols.split() == ["TLSv1.2", "TLSv1.3"]
    (ciphers,) = re.findall(r"ssl_ciphers +([^;]+);", said)
    for cipher in ciphers.split(":"):
        assert re.fullmatch(
            r"ECDHE-(ECDSA|RSA)-(AES(128|256)-GCM-SHA\d+|CHACHA20-POLY1305)", cipher
        )
    assert "return 301 https://" in said


def test_the_service_has_few_rights():
    """ASVS 13.2.2, 13.2.4: what is in the unit is what systemd holds the portal to."""
    for name in ("kinchart.service", "kinchart-sweep.service"):
        lines = (ROOT / "deploy" / name).read_text().splitlines()
        for wanted in (
            *["User=kinchart", "UMask=0077", "NoNewPrivileges=yes", "ProtectSystem=strict"],
            *["ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes", "CapabilityBoundingSet="],
            *["SystemCallFilter=@system-service", "StateDirectoryMode=0700"],
        ):
            assert wanted in lines, (name, wanted)
