"""What a file may look like, and what happens when it cannot be read."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import random
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from households.models import Member
from households.roster.report import UnreadableFile
from households.roster.roster_import import import_roster

pytestmark = pytest.mark.django_db
HEADER = "patient_id,mrn,first_name,last_name,date_of_birth,email"
RENEE = "P1,V1,Renée,O’Brien,2016-04-27,rivera@example.org"
MIA = "P2,V2,Mia,Rivera,2016-04-27,rivera@example.org"


@pytest.mark.parametrize("encode", [str.encode, lambda text: codecs.BOM_UTF8 + text.encode()])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_csv_in_every_dialect(run, encode, delimiter, line_end):
    text = f"{HEADER}\n{RENEE}\n{MIA}\n".replace(",", delimiter).replace("\n", line_end)
    outcome = run(encode(text))
    assert (outcome.status, outcome.last_line) == (
        0,
        "created 2, changed 0, unchanged 0, refused 0",
    )
    assert Member.objects.get(patient_id="P1").first_name == "Renée"


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_other_encodings(run, encoding):
    run(f"{HEADER}\n{RENEE}\n".encode(encoding))
    member = Member.objects.get()
    assert (member.first_name, member.last_name) == ("Renée", "O’Brien")


def test_one_broken_byte_does_not_spoil_every_accent(run):
    data = f"{HEADER}\n{RENEE}\n{MIA}\n".encode().replace(b"Mia", b"M\xe9a")
    outcome = run(data)
    assert outcome.last_line == "created 1, changed 0, unchanged 0, refused 1"
    assert "line 3  P2" in outcome.line_of("unreadable_line")
    assert Member.objects.get().first_name == "Renée"


def test_columns_in_any_order_under_other_names_and_unknown_ones(run):
    outcome = run(
        "E-Mail,Favourite colour,LAST NAME,D.O.B.,fname,Chart #\na@example.org,red,Rivera,20160427,Mia,7\n"
    )
    assert outcome.status == 0
    assert "Favourite colour" in outcome.line_of("unknown_column")
    assert Member.objects.get().patient_id == "7"


def test_excels_own_first_line_and_trailing_delimiters(run):
    assert run(f"sep=;\n{HEADER};;\n{MIA};;\n".replace(",", ";")).status == 0


def test_an_address_beside_a_city_is_a_street(run):
    run(f"{HEADER},Address,City\n{MIA},1 Elm St,Boston\n")
    assert Member.objects.get().address_1 == "1 Elm St"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf \r\n \n", "empty"),
        (b"PK\x03\x04" + bytes(200), "Excel workbook"),
        (b"\xd0\xcf\x11\xe0" + bytes(200), "old Excel"),
        (b"%PDF-1.7 ...", "PDF"),
        (bytes(range(256)) * 20, "not a text file"),
        (f"{HEADER}\n{MIA}\n".encode("utf-16-le"), "UTF-16"),
        (codecs.BOM_UTF16_LE + b"a", "UTF-16"),
        (b"<html><body>Sign in</body></html>", "web page"),
        (b"[{}]", "JSON list"),
        (b'{"resourceType": "Bundle",\n "entry": []\n}', "several lines"),
        (b'{"resourceType": "Observation"}', "Observation"),
        (b"hello\nworld\n", "first line names the columns"),
        (b"BHS|^~\\&|PMS\rBTS|0\r", "No HL7 message"),
        (b"first_name,last_name,email\n", "date_of_birth"),
        (b"patient_id,date_of_birth,email\n", "first_name"),
        (b"first_name,date_of_birth,email\n", "patient_id"),
        (b"patient_id,pid,first_name,dob\n", "Two columns stand for patient_id"),
        (b"patient_id,first_name,dob,email,Email Address\n", "Two columns stand for email"),
        (b"patient_id,first_name,dob,email,email\n", "Two columns stand for email"),
    ],
)
def test_what_cannot_be_read_at_all_is_said_and_nothing_is_written(run, content, words):
    outcome = run(content)
    assert outcome.status == 2
    assert words in outcome.err
    assert not Member.objects.exists()


def test_a_missing_essential_column_names_what_was_found_and_what_is_accepted(run):
    outcome = run("pid,Vorname,Geburtstag\n1,Mia,2016-04-27\n")
    assert "Columns found: pid, Vorname, Geburtstag" in outcome.err
    assert "given name" in outcome.err
    assert "birth date" in outcome.err


@pytest.mark.parametrize("name", ["nowhere.csv", "", "a\x00b"])
def test_no_such_file(run, name):
    assert run(Path(name)).status == 2


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ("P9,V9,Leo", "wrong_number_of_cells"),
        ("P9,V9,Leo,Rivera,2018-09-03,a@example.org,surplus", "wrong_number_of_cells"),
        ('P9,V9,"Leo,Rivera,2018-09-03,a@example.org', "unreadable_line"),
        ('P9,V9,"Leo" Joe,Rivera,2018-09-03,a@example.org', "unreadable_line"),
        ("P9,V9,L\x00eo,Rivera,2018-09-03,a@example.org", "unreadable_line"),
        ("P9\x00,V9,Leo,Rivera,2018-09-03,a@example.org", "unreadable_line"),
        ("P9,V9,L\x1b[2Jeo,Rivera,2018-09-03,a@example.org", "unreadable_line"),
        (f"P9,V9,{'L' * 201},Rivera,2018-09-03,a@example.org", "too_long_value"),
        (f"P9,V9,{'L' * 100_000},Rivera,2018-09-03,a@example.org", "too_long_value"),
        (f"P9,V9,{'L' * 1_000_000},Rivera,2018-09-03,a@example.org", "unreadable_line"),
        (f"P9,V9,{chr(0xFDFA) * 200},Rivera,2018-09-03,a@example.org", "too_long_value"),
        (f"{'9' * 65},V9,Leo,Rivera,2018-09-03,a@example.org", "too_long_value"),
        (",,Leo,Rivera,2018-09-03,a@example.org", "missing_patient_id"),
        ("P9,V9,\u200b \u00a0,Rivera,2018-09-03,a@example.org", "missing_first_name"),
    ],
)
def test_a_bad_row_is_named_and_the_others_go_in(run, row, kind):
    outcome = run(f"{HEADER}\n{RENEE}\n{row}\n{MIA}\n")
    assert outcome.status == 1
    assert outcome.last_line == "created 2, changed 0, unchanged 0, refused 1"
    assert outcome.line_of(kind).startswith("  line 3")
    assert outcome.out.isprintable() or all(
        character.isprintable() or character == "\n" for character in outcome.out
    )


def test_a_cell_over_several_lines_is_one_row(run):
    outcome = run(
        f'{HEADER},address_1\n{RENEE},"1 Elm St\nApt 2"\n{MIA},x\n{MIA.replace("P2", "P3")},"\n'
    )
    assert Member.objects.get(patient_id="P1").address_1 == "1 Elm St Apt 2"
    assert outcome.line_of("unreadable_line").startswith("  line 5")


@pytest.mark.parametrize(
    ("opens", "closes"),
    [
        (
            'P8,V8,"Leo,Rivera,2018-09-03,a@example.org,',
            'P9,V9,Ann",Rivera,2018-09-03,a@example.org,',
        ),
        (
            'P8,"V8,Leo,Rivera,2018-09-03,a@example.org,',
            'P9,V9,Ann,Rivera",2018-09-03,a@example.org,',
        ),
        (
            'P8,V8,Leo,Rivera,2018-09-03,a@example.org,"Elm',
            'P9,V9,Ann,Rivera",2018-09-03,a@example.org,',
        ),
    ],
)
def test_an_unclosed_quote_does_not_take_the_next_patient_with_it(run, opens, closes):
    outcome = run("\n".join([f"{HEADER},address_1", f"{RENEE},", opens, closes, f"{MIA},"]))
    assert outcome.last_line == "created 3, changed 0, unchanged 0, refused 1"
    assert outcome.line_of("unreadable_line").startswith("  line 3")
    assert set(Member.objects.values_list("patient_id", flat=True)) == {"P1", "P2", "P9"}


def test_the_report_holds_no_names_and_no_dates(run):
    outcome = run(f"{HEADER}\n{RENEE}\nP3,V3,Leo,,04/27/2016,none\nP3,V3,Leon,,2016-13-27,none\n")
    for private in ("Renée", "Brien", "Leo", "2016-13-27", "04/27/2016", "rivera@"):
        assert private not in outcome.out


@pytest.mark.parametrize("sample", ["roster-openemr-style.csv", "Patient.ndjson", "adt.hl7"])
def test_a_damaged_file_never_raises(samples, tmp_path, sample):
    """Bytes changed, cut out and doubled at random, always the same way."""
    whole = (samples / sample).read_bytes()[:6_000]
    chance = random.Random(sample)
    for _ in range(15):
        data = bytearray(whole)
        for _ in range(chance.randrange(1, 30)):
            place = chance.randrange(len(data))
            match chance.randrange(4):
                case 0:
                    data[place] = chance.randrange(256)
                case 1:
                    del data[place : place + chance.randrange(1, 200)]
                case 2:
                    data[place:place] = chance.choice(
                        [b'"', b"|", b"\x00", b"\xed\xa0\x80", b"\r", b"{[", b"~^&\\"]
                    )
                case 3:
                    data[place:place] = data[place : place + chance.randrange(300)]
        path = tmp_path / "damaged"
        path.write_bytes(data)
        with contextlib.suppress(UnreadableFile):
            import_roster(path)
        Member.objects.all().delete()


_CELLS = st.text(alphabet=st.characters(exclude_categories=[]), max_size=12) | st.sampled_from(
    [
        "P1",
        "V1",
        '"',
        "2016-04-27",
        "a@b.example",
        "1/2/2016",
        "0000-00-00",
        "9999-99-99",
        "Jr.",
        "?",
        "\u0130",
    ]
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(st.lists(_CELLS, min_size=6, max_size=6), min_size=1, max_size=4))
def test_any_text_in_any_cell_never_raises(tmp_path, rows):
    path = tmp_path / "odd"
    text = "\n".join([HEADER, *(",".join(row) for row in rows)])
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        report = import_roster(path)
    except UnreadableFile:
        assert not Member.objects.exists()
    else:
        assert Member.objects.count() == report.created
        Member.objects.all().delete()


@pytest.fixture
def import_alone(tmp_path):
    """The real command, its streams and exit statuses, in a locale that knows ASCII only."""

    def import_alone(
        *words: str, stderr: int = subprocess.PIPE, tables: bool = True
    ) -> subprocess.CompletedProcess[str]:
        environment = {
            "PORTAL_LOCAL": "1",
            "PORTAL_DATA": str(tmp_path),
            "PYTHONIOENCODING": "ascii",
        }
        if tables:
            now = connection.settings_dict
            environment["DATABASE_URL"] = (
                f"sqlite:///{now['NAME']}"
                if connection.vendor == "sqlite"
                else f"postgresql://{now['USER']}:{now['PASSWORD']}@{now['HOST']}:{now['PORT']}/{now['NAME']}"
            )
        return subprocess.run(
            [sys.executable, str(Path(__file__).parents[3] / "manage.py"), "import_roster", *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            check=False,
        )

    return import_alone


def test_the_summary_is_last_and_no_bar_goes_into_a_pipe(samples, import_alone):
    good = import_alone(str(samples / "adt.hl7"), "--dry-run")
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.endswith("\ncreated 40, changed 0, unchanged 0, refused 0\n")


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (f"{HEADER}\nP1,,Mia,Rivera,2099-01-01,\n", 1, "1 row is refused"),
        ("", 2, "The file is empty."),
    ],
)
def test_the_summary_is_last_where_both_streams_go_to_one_place(
    tmp_path, import_alone, content, status, said
):
    """A log or a terminal: the sentence on what went wrong stands before it."""
    roster = tmp_path / "list.csv"
    roster.write_text(content)
    outcome = import_alone(str(roster), "--dry-run", stderr=subprocess.STDOUT)
    assert outcome.returncode == status
    *before, last = outcome.stdout.splitlines()
    assert last == f"created 0, changed 0, unchanged 0, refused {int(status == 1)}"
    assert any(said in line for line in before)


def test_a_terminal_gets_a_bar(samples, import_alone):
    terminal, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 90, 0, 0))
    good = import_alone(str(samples / "adt.hl7"), "--dry-run", stderr=slave)
    os.close(slave)
    shown = os.read(terminal, 10_000).decode()
    os.close(terminal)
    assert "Reading" in shown
    assert "Reading" not in good.stdout


def test_a_database_that_is_not_set_up_is_said(samples, import_alone):
    outcome = import_alone(str(samples / "adt.hl7"), tables=False)
    assert outcome.returncode == 2
    assert "migrate" in outcome.stderr
    assert "Traceback" not in outcome.stderr
