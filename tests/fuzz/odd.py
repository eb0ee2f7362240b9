"""Odd values, files, bodies, headers and cookies, as hypothesis strategies."""

from __future__ import annotations

import json
import uuid
from typing import Any

from hypothesis import strategies as st

from tests import files
from tests.questionnaires import OURS

ODD_TEXTS = (
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "a\udfffb",
    "\u202e\u200b\ufeff",
    "\x1b[31m\x07\x08\x7f\x85",
    "\u2028\u2029",
    "a\r\nBcc: evil@evil.example",
    "\r\n\r\n",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 40,
    "a" + "\u0315" * 2000 + "\u0323" * 2000,
    "\ufdfa" * 300,
    "\u0130\u1e9e\ufb03" * 60,
    "\u0662\u0660\u0661\u0665",
    "\u00bd\u00b2\u2460",
    # numbers
    "0",
    "-0",
    "-1",
    "1e3",
    "1_000",
    "+1",
    "0x10",
    "2147483648",
    "-2147483649",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551617",
    "9" * 400,
    "9" * 5000,
    "1e309",
    "1e-400",
    "1e999999999",
    "-1e999999999",
    "0." + "1" * 400,
    "NaN",
    "sNaN",
    "Infinity",
    "-inf",
    # days and times
    "0001/01/01",
    "0000/00/00",
    "9999/12/31",
    "10000/01/01",
    "2015/02/30",
    "2016/02/29",
    "9999/99/99",
    "0001-01-01",
    "9999-12-31",
    "2015-13-45T99:99:99Z",
    "9999-12-31T23:59:59+23:59",
    "0001-01-01T00:00:00-23:59",
    "24:00:00",
    "99:99",
    "1900-01",
    "0000",
    # what programs read
    "' OR 1=1 --",
    '"; DROP TABLE households_member; --',
    "%' ESCAPE '\\",
    "%s%n%(x)s{0}{x.__class__}",
    "{{7*7}}{% debug %}",
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "(a+)+$",
    "^(([a-z])+.)+[A-Z]([a-z])+$",
    "a" * 5000 + "!",
    "(" * 500,
    "[" * 5000,
    '{"a":' * 2000,
    "[]",
    "{}",
    "null",
    "true",
    "on",
    "[1, null, {}]",
    '{"linkId": 1}',
    '{"resourceType": "Questionnaire", "item": [{"linkId": {}}]}',
    "%resource.item.where(linkId='x').answer.value > 10**100",
    "iif(true, 1/0, {})",
    # addresses
    "a@" + "b" * 250 + ".example",
    '"a b"@example.org',
    "a@[127.0.0.1]",
    "\u00e4@\u00e4.example",
    "@",
    "a@b@c",
    "javascript:alert(1)",
    "//evil.example",
    "/\\evil.example",
    "http://[::1",
    "http://a:99999999/",
    "../../../etc/passwd",
    "/for/x/documents/",
    "~abcdefgh",
    "(617) 555-0123",
    "+1" + "0" * 40,
    str(uuid.UUID(int=0)),
    "{" + str(uuid.UUID(int=1)) + "}",
    uuid.UUID(int=2).hex.upper(),
    "0-0.0",
    "0-" * 500,
    "x" * 100_000,
    "\u00e4" * 100_000,
    "a b " * 20_000,
    "\n" * 10_000,
)

any_character = st.characters(exclude_categories=())


def texts() -> st.SearchStrategy[str]:
    return st.one_of(
        st.sampled_from(ODD_TEXTS),
        st.sampled_from(ODD_TEXTS),
        st.text(any_character, max_size=30),
        st.integers(-(2**70), 2**70).map(str),
        st.floats(width=32).map(str),
        st.dates().map(lambda day: day.strftime("%Y/%m/%d")),
        st.datetimes().map(lambda at: at.isoformat()),
        st.builds(
            lambda one, times: one * times,
            st.text(any_character, min_size=1, max_size=4),
            st.sampled_from([50, 256, 1000, 5000]),
        ),
    )


# --- files ----------------------------------------------------------------------------

FILE_NAMES = (
    "card.png",
    "lab.pdf",
    "photo.heic",
    "list.csv",
    "form.json",
    "",
    ".htaccess",
    "../../x.pdf",
    "..\\x",
    "a\0.pdf",
    "\u202efdp.exe",
    'a"b\r\nX-Evil: yes.pdf',
    "x" * 300 + ".png",
    "\U0001f600.jpg",
    "CON",
    "\ud800.pdf",
    "=cmd|' /C calc'!A0.csv",
    "photo.png.exe",
)
FILE_TYPES = (
    "image/png",
    "application/pdf",
    "text/csv",
    "application/json",
    "text/html",
    "",
    "x",
    "image/png; charset=utf-7",
    "multipart/mixed; boundary=x",
    "\u00e4/\u00e4",
)


def _contents() -> list[bytes]:
    png, pdf = files.picture("PNG"), files.pdf_with()
    whole = (OURS / "all-types.json").read_bytes()
    head = b"patient_id,mrn,first_name,last_name,date_of_birth,email,status\n"
    return [
        b"",
        b"\0",
        b"x" * 70_000,
        png,
        png[:20],
        png + b"<script>",
        pdf,
        pdf[:-30],
        pdf[:9] + b"\xff" * 400,
        b"%PDF-1.7\n",
        files.picture("JPEG"),
        files.picture("JPEG")[:300],
        files.huge_png(),
        files.picture("HEIF", size=(64, 64))[:200],
        b"PK\x03\x04" + bytes(200),
        b"<html><script>alert(1)</script>",
        b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        whole,
        whole[: len(whole) // 2],
        whole.replace(b'"item"', b'"Item"'),
        whole.replace(b'"linkId"', b'"text"'),
        whole.replace(b"[", b"{", 1),
        b'{"resourceType": "Questionnaire"}',
        b'{"resourceType": "Questionnaire", "item": [null, 1, "x", {"linkId": null, "item": {}}]}',
        b'{"resourceType": "Bundle", "entry": [{"resource": 1}]}',
        b"[" * 20_000,
        b"\xff\xfe[\0]\0",
        b"NaN",
        head,
        head + b"P1,,Mia,Rivera,2016/04/27,rivera@example.org,active\n",
        head + b"P1,\x00,\xff,Rivera,0000/99/99,@,?\n" * 3,
        head + b'"P1,"",\n' * 50,
        b"a,b\n" + b"," * 5000,
        b"MSH|^~\\&|A|B|C|D|20200101||ADT^A01|1|P|2.3\rPID|1||P1^^^X||Rivera^Mia||20160427|F\r",
        b"MSH|^~\\&|" + b"|" * 3000,
        b'{"resourceType": "Patient", "id": "1", "name": [{"given": null}], "birthDate": "x"}\n',
    ]


CONTENTS = _contents()


def uploads() -> st.SearchStrategy[tuple[str, str, bytes]]:
    return st.tuples(
        st.sampled_from(FILE_NAMES),
        st.sampled_from(FILE_TYPES),
        st.one_of(st.sampled_from(CONTENTS), st.binary(max_size=200)),
    )


# --- requests -------------------------------------------------------------------------

BOUNDARY = "fuzz-boundary"


def urlencoded(fields: list[tuple[str, str]]) -> bytes:
    return b"&".join(f"{quoted(name)}={quoted(value)}".encode() for name, value in fields)


def quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def multipart(
    fields: list[tuple[str, str]], uploaded: list[tuple[str, tuple[str, str, bytes]]]
) -> bytes:
    parts = [
        b'Content-Disposition: form-data; name="%s"\r\n\r\n%s' % (_bytes(name), _bytes(value))
        for name, value in fields
    ]
    parts += [
        b'Content-Disposition: form-data; name="%s"; filename="%s"\r\nContent-Type: %s\r\n\r\n%s'
        % (_bytes(name), _bytes(file[0]), _bytes(file[1]), file[2])
        for name, file in uploaded
    ]
    line = b"--" + BOUNDARY.encode()
    return b"".join(line + b"\r\n" + part + b"\r\n" for part in parts) + line + b"--\r\n"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


CONTENT_TYPES = (
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded; charset=utf-16",
    "application/x-www-form-urlencoded; charset=nonsense",
    "multipart/form-data",
    "multipart/form-data; boundary=",
    f"multipart/form-data; boundary={BOUNDARY}; charset=utf-7",
    f"multipart/form-data; boundary={BOUNDARY}",
    "application/json",
    "text/plain",
    "",
    "\xff",
)


def bodies() -> st.SearchStrategy[bytes]:
    """Such as no form makes."""
    return st.one_of(
        st.binary(max_size=100),
        st.sampled_from(
            [
                b"\xff\xfe=\xff&note=%ff%fe&note=%ed%a0%80",
                b"--fuzz-boundary\r\n\r\n--fuzz-boundary--",
                b'--fuzz-boundary\r\nContent-Disposition: form-data; name="files"; filename="\xff\0.pdf"'
                b"\r\n\r\n%PDF\r\n--fuzz-boundary--",
                b'--fuzz-boundary\r\nContent-Disposition: form-data; name="note"\r\n'
                b"Content-Transfer-Encoding: base64\r\n\r\n!!!\r\n--fuzz-boundary--",
                b"&".join(b"f%d=1" % number for number in range(600)),
                b"&" * 3000,
                json.dumps({"first_name": ["x"], "a": {"b": None}}).encode(),
                b"a=" + b"%" * 500,
                b"csrfmiddlewaretoken=%00&x[]=1&x[a]=2&x.y=3",
            ]
        ),
    )


HEADERS: tuple[dict[str, Any], ...] = (
    {"HTTP_X_FORWARDED_FOR": "127.0.0.1, \xff, ::1, " + "1" * 500},
    {"HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_HOST": "evil.example"},
    {"HTTP_ACCEPT_LANGUAGE": "en;q=" + "9" * 500 + ",\xff-\xff;q=x,*"},
    {"HTTP_ACCEPT_ENCODING": "gzip;q=x, br, \x01"},
    {"HTTP_RANGE": "bytes=99999999999999999999-"},
    {"HTTP_RANGE": "bytes=5-1,-,--1"},
    {"HTTP_RANGE": "bytes=" + "0-0," * 500},
    {"HTTP_RANGE": "lines=\xff", "HTTP_IF_RANGE": "x"},
    {"HTTP_IF_MODIFIED_SINCE": "Sat, 99 Foo 99999 99:99:99 GMT"},
    {"HTTP_IF_UNMODIFIED_SINCE": "Thu, 01 Jan 0001 00:00:00 GMT", "HTTP_IF_MATCH": '"x", W/'},
    {"HTTP_IF_NONE_MATCH": '"' * 300},
    {"HTTP_REFERER": "http://[::1", "HTTP_ORIGIN": "null"},
    {"HTTP_USER_AGENT": "\x01\xff" * 2000},
    {"HTTP_USER_AGENT": ""},
    {"HTTP_HOST": "evil.example"},
    {"HTTP_HOST": "127.0.0.1:x@evil"},
    {"HTTP_X_REQUEST_ID": "a\r\nb" * 20},
    {"HTTP_X_REQUESTED_WITH": "XMLHttpRequest", "HTTP_ACCEPT": "application/json;;;="},
    {"HTTP_SEC_PURPOSE": "prefetch", "HTTP_SEC_FETCH_DEST": "empty"},
    {"HTTP_X_HTTP_METHOD_OVERRIDE": "DELETE"},
    {"HTTP_X_CSRFTOKEN": "\xff" * 32},
    {"HTTP_COOKIE": 'family="\\000"; staff="\\000"; csrf="\\000"'},
    {"HTTP_COOKIE": "family=\xff\xfe; staff=\xff\xfe; messages=\xff"},
    {"HTTP_COOKIE": "=; ;;; a=b=c; $Version=1; family"},
    {"HTTP_COOKIE": "messages=W1siX19qc29uX21lc3NhZ2UiLDAsMjUsImEiLCIiXV0:x:y"},
    {"HTTP_COOKIE": "family-link=" + "A" * 43 + "; staff=" + "a" * 4000},
)
