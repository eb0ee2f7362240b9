"""What may be sent: extension, first bytes and a full parse agree, and a refusal says why and what to do."""

from __future__ import annotations

import contextlib
import io
import json
import random
import re
import subprocess
import sys
import time

import pikepdf
import pytest
from django.core.exceptions import ValidationError
from pikepdf import Array, Dictionary, Name, String

from households.documents import checks, file_reader
from tests import files
from tests.files import pdf_of, pdf_with, picture, received

CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"
PAGES = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
PAGE = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Resources << >> >>"
ACTIVE = b"<< /S /JavaScript /JS (app.alert(1)) >>"


def check(name: str, data: bytes) -> checks.Checked:
    with received(name, data) as file:
        return checks.check(file)


def refusal(name: str, data: bytes) -> str:
    with pytest.raises(ValidationError) as refused:
        check(name, data)
    (message,) = refused.value.messages
    return message


def measured(*requests: dict) -> tuple[list[dict], int]:
    """The file reader's answers, and the most memory, in MB, that it and its forks ever had."""
    # A small process in between: the kernel counts a process's memory from that of its parent.
    launcher = (
        "import resource, subprocess, sys\n"
        "subprocess.run([sys.executable, '-I', sys.argv[1]], check=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", launcher, file_reader.__file__],
        input="".join(json.dumps({"seconds": 20, **each}) + "\n" for each in requests),
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()], int(done.stderr) // 1024


# --- what is refused ------------------------------------------------------------------

HUGE = {
    "a.png": ("image/png", files.huge_png),
    "a.jpg": ("image/jpeg", files.huge_jpeg),
    "a.webp": ("image/webp", files.huge_webp),
    "a.heic": ("image/heic", files.huge_heic),
}


@pytest.mark.parametrize("name", HUGE)
def test_400_megapixels_are_refused_before_anything_is_decoded(name, tmp_path):
    content_type, make = HUGE[name]
    assert len(make()) < 20_000
    check(files.png().name, picture("PNG"))  # the reader runs
    begun = time.monotonic()
    assert refusal(name, make()) == (
        "The picture has too many pixels: 100 million are the limit. Take the photo with a normal "
        "camera setting."
    )
    assert time.monotonic() - begun < 1
    path = tmp_path / name
    path.write_bytes(make())
    request = {"do": "check", "path": str(path), "content_type": content_type}
    answers, megabytes = measured(request)
    assert answers == [{"refused": "too-many-pixels", "detail": ""}]
    assert 10 < megabytes < 100


def test_limit_of_pixels_is_exact(tmp_path):
    just, over = tmp_path / "just", tmp_path / "over"
    just.write_bytes(picture("PNG", 0, (10_000, 10_000), "1"))
    over.write_bytes(picture("PNG", 0, (10_000, 10_001), "1"))
    answers, _megabytes = measured(
        *[{"do": "check", "path": str(path), "content_type": "image/png"} for path in (just, over)]
    )
    assert answers[0] == {"done": {"pages": 1, "width": 10_000, "height": 10_000}}
    assert answers[1]["refused"] == "too-many-pixels"


def active(**catalog: object):
    def change(document: pikepdf.Pdf) -> None:
        for key, value in catalog.items():
            document.Root[f"/{key}"] = value

    return change


def annotation(**fields: object):
    def change(document: pikepdf.Pdf) -> None:
        document.pages[0].obj.Annots = Array(
            [Dictionary(Type=Name.Annot, Rect=[0, 0, 9, 9], **fields)]
        )

    return change


def attach(document: pikepdf.Pdf) -> None:
    document.attachments["a.txt"] = b"text"


def form(**fields: object):
    return active(AcroForm=Dictionary(Fields=Array(), **fields))


def xfa_stream(document: pikepdf.Pdf) -> None:
    document.Root.AcroForm = Dictionary(Fields=Array(), XFA=pikepdf.Stream(document, b"<xdp:xdp/>"))


SCRIPT = Dictionary(S=Name.JavaScript, JS=String("app.alert(1)"))
LINK = Dictionary(S=Name.URI, URI=String("https://example.org"))
DO_SCRIPT = "contains a program"
OPENS = "opens something else by itself"
FILES = "contains attached files"
FORM = "contains a form that sends data or runs by itself"
MEDIA = "contains sound or video"
ACTIVE_PDFS = {
    "script on opening": (DO_SCRIPT, pdf_with(active(OpenAction=SCRIPT))),
    "script by name": (
        DO_SCRIPT,
        pdf_with(
            active(
                Names=Dictionary(
                    JavaScript=Dictionary(Names=Array([String("a"), Dictionary(JS=String("1"))]))
                )
            )
        ),
    ),
    "script of a link": (DO_SCRIPT, pdf_with(annotation(Subtype=Name.Link, A=SCRIPT))),
    "script of a field": (
        DO_SCRIPT,
        pdf_with(annotation(Subtype=Name.Link, AA=Dictionary(K=SCRIPT))),
    ),
    "something after a page": (
        OPENS,
        pdf_with(active(OpenAction=Dictionary(S=Name.GoTo, D=String("a"), Next=LINK))),
    ),
    "script in a packed object": (
        DO_SCRIPT,
        pdf_with(
            lambda pdf: pdf.Root.__setitem__("/OpenAction", pdf.make_indirect(SCRIPT)),
            object_stream_mode=pikepdf.ObjectStreamMode.generate,
        ),
    ),
    "script in another spelling": (
        DO_SCRIPT,
        pdf_of(CATALOG, PAGES, PAGE, b"<< /#53 /J#61vaScr#69pt /#4a#53 (1) >>"),
    ),
    "script deep inside": (
        DO_SCRIPT,
        pdf_of(CATALOG, PAGES, PAGE, b"<< /X [ [ << /Y << /Z [ %s ] >> >> ] ] >>" % ACTIVE),
    ),
    "script that is a stream": (
        DO_SCRIPT,
        pdf_with(lambda pdf: pdf.Root.__setitem__("/X", Dictionary(JS=pdf.make_stream(b"1")))),
    ),
    "name with a number of its own": (
        DO_SCRIPT,
        pdf_of(CATALOG, PAGES, PAGE, b"<< /S 5 0 R >>", b"/JavaScript"),
    ),
    "script that nothing points at": (DO_SCRIPT, pdf_of(CATALOG, PAGES, PAGE, ACTIVE)),
    "script in the trailer": (
        DO_SCRIPT,
        pdf_of(CATALOG, PAGES, PAGE).replace(b"/Root 1 0 R", b"/Root 1 0 R /X %s" % ACTIVE),
    ),
    "launch": (OPENS, pdf_with(active(OpenAction=Dictionary(S=Name.Launch, F=String("a.exe"))))),
    "another file": (
        OPENS,
        pdf_with(annotation(Subtype=Name.Link, A=Dictionary(S=Name.GoToR, F=String("b.pdf")))),
    ),
    "address on opening": (
        OPENS,
        pdf_with(active(OpenAction=LINK)),
    ),
    "address on showing": (
        OPENS,
        pdf_with(active(AA=Dictionary(WC=LINK))),
    ),
    "attached file": (FILES, pdf_with(attach)),
    "attached file that nothing lists": (
        FILES,
        pdf_with(
            lambda pdf: pdf.Root.__setitem__(
                "/X", Dictionary(EF=Dictionary(F=pdf.make_stream(b"")))
            )
        ),
    ),
    "file pinned to a page": (FILES, pdf_with(annotation(Subtype=Name.FileAttachment))),
    "XFA form": (FORM, pdf_with(xfa_stream)),
    "XFA form in parts": (FORM, pdf_with(form(XFA=Array([String("template")])))),
    "form that is sent": (
        FORM,
        pdf_with(annotation(Subtype=Name.Link, A=Dictionary(S=Name.SubmitForm))),
    ),
    "form that is filled": (
        FORM,
        pdf_with(annotation(Subtype=Name.Link, A=Dictionary(S=Name.ImportData))),
    ),
    **{
        f"annotation {kind}": (MEDIA, pdf_with(annotation(Subtype=Name(kind))))
        for kind in ("/RichMedia", "/Movie", "/Sound", "/Screen", "/3D")
    },
    "rendition": (
        MEDIA,
        pdf_with(annotation(Subtype=Name.Link, A=Dictionary(S=Name.Rendition))),
    ),
}


@pytest.mark.parametrize(("contains", "data"), ACTIVE_PDFS.values(), ids=ACTIVE_PDFS.keys())
def test_active_pdf_is_refused_with_what_is_active(contains, data):
    assert refusal("a.pdf", data) == (
        f"The PDF {contains}. Print it to a new PDF, or take photos of the pages, and send that."
    )


HARMLESS_PDFS = {
    "opens at a page": active(OpenAction=Array([Name.Fit])),
    "goes to a page": active(OpenAction=Dictionary(S=Name.GoTo, D=String("chapter"))),
    "link to an address": annotation(Subtype=Name.Link, A=LINK),
    "plain form": form(),
    "no attached files": active(Names=Dictionary(EmbeddedFiles=Dictionary(Names=Array()))),
    "words about scripts": active(Lang=String("a /JavaScript and /Launch of words")),
    "fonts with such names": active(
        X=Dictionary(AA=Dictionary(Type=Name.Font), JS=Dictionary(Type=Name.Font))
    ),
    "numbers and nothing of their own": lambda pdf: pdf.Root.__setitem__(
        "/X", pdf.make_indirect(Array([1, None, 2.5]))
    ),
}


@pytest.mark.parametrize("change", HARMLESS_PDFS.values(), ids=HARMLESS_PDFS.keys())
def test_pdf_with_harmless_things_is_taken(change):
    assert check("a.pdf", pdf_with(change, pages=3)).pages == 3


def test_indirect_values_of_every_kind_are_taken():
    values = [b"null", b"5", b"true", b"1.5", b"(text)", b"/Name", b"[1 null]"]
    assert check("a.pdf", pdf_of(CATALOG, PAGES, PAGE, *values)).pages == 1


LOOP = b"<< /Type /Pages /Parent 2 0 R /Kids [2 0 R] /Count 1 >>"
SLOPPY = pdf_of(CATALOG, PAGES, PAGE).replace(b"0000000009", b"0000000011")
NO_TABLE = re.sub(rb"xref.*(?=trailer)", b"", pdf_of(CATALOG, PAGES, PAGE), flags=re.DOTALL)
# As old programs, copiers and mail gateways make them; every viewer opens them.
SLOPPY_PDFS = {
    "wrong table": SLOPPY,
    "no table": NO_TABLE,
    "no table and no start of it": re.sub(rb"startxref\n\d+\n", b"", NO_TABLE),
    "line ends changed on the way": pdf_of(CATALOG, PAGES, PAGE).replace(b"\n", b"\r\n"),
    "two values of one key": pdf_of(CATALOG, PAGES, PAGE.replace(b"/Type", b"/Type /X /Type")),
    "stream of a wrong length": pdf_of(
        CATALOG, PAGES, PAGE, b"<< /Length 3 >>\nstream\nabcdef\nendstream"
    ),
}
DAMAGED_PDFS = {
    "cut at the end": pdf_with(pages=3)[:-30],
    "cut in the middle": pdf_with(pages=3)[:400],
    "pages that contain themselves": pdf_of(CATALOG, b"<< /Type /Pages /Kids [2 0 R] /Count 1 >>"),
    "pages in a circle": pdf_of(CATALOG, PAGES, LOOP),
    "no catalog": pdf_of(b"null", PAGES, PAGE),
    "script that does not end": pdf_of(CATALOG, PAGES, PAGE, ACTIVE[:-3]),
    "wrong table and objects out of sight": SLOPPY + b"% /Type /ObjStm",
    "no table, and a script": NO_TABLE.replace(b"/Type /Page ", b"/JS (x) /Type /Page "),
    "no table, and a script spelled otherwise": NO_TABLE.replace(b"/Kids", b"/#4a#53(x) /Kids"),
}


@pytest.mark.parametrize("data", SLOPPY_PDFS.values(), ids=SLOPPY_PDFS.keys())
def test_pdf_with_mistakes_that_every_viewer_forgives_is_taken(data):
    assert check("a.pdf", data).pages == 1


@pytest.mark.parametrize("data", DAMAGED_PDFS.values(), ids=DAMAGED_PDFS.keys())
def test_pdf_that_cannot_be_read_as_it_stands_is_refused(data):
    assert refusal("a.pdf", data) == (
        "The PDF cannot be read; it may be damaged. Print it to a new PDF, or take photos of the pages, "
        "and send that."
    )


def test_pdf_that_unpacks_to_much_is_refused_without_unpacking_it(tmp_path):
    assert check("a.pdf", files.pdf_bomb(0)).pages == 1
    path = tmp_path / "a.pdf"
    path.write_bytes(files.pdf_bomb(400))
    assert path.stat().st_size < 500_000
    begun = time.monotonic()
    request = {"do": "check", "path": str(path), "content_type": "application/pdf"}
    answers, megabytes = measured(request)
    assert answers == [{"refused": "unreadable", "detail": ""}]
    assert time.monotonic() - begun < 5
    assert megabytes < 200


def test_pages_are_counted_to_the_limit():
    assert check("a.pdf", pdf_with(pages=2000)).pages == 2000
    assert refusal("a.pdf", pdf_with(pages=2001)) == (
        "The PDF has more than 2000 pages. Send it in parts."
    )
    assert "has no pages" in refusal("a.pdf", pdf_with(pages=0))


def test_pdf_of_very_many_objects_is_refused():
    data = pdf_of(CATALOG, PAGES, PAGE, *[b"1"] * (file_reader.MOST_OBJECTS - 2))
    assert "too complicated" in refusal("a.pdf", data)


@pytest.mark.parametrize(("user", "owner"), [("secret", "secret"), ("", "secret"), ("", "")])
def test_protected_pdf_is_refused(user, owner):
    data = pdf_with(encryption=pikepdf.Encryption(user=user, owner=owner))
    assert "locked or protected with a password" in refusal("a.pdf", data)


NOT_WHAT_THEY_SAY = {
    "page as photo": ("a.jpg", b"<html><script>1</script>"),
    "program as PDF": ("a.pdf", b"MZ\x90\x00" + bytes(60)),
    "script as picture": ("a.png", b"#!/bin/sh\nrm -r x"),
    "text as HEIC": ("a.heic", b"hello hello hello"),
    "page before the PDF": ("a.pdf", b"<html>" * 150 + pdf_with()),
    "GIF that is a script": ("a.jpg", b"GIF89a/*" + bytes(9) + b"*/=1;alert(1)"),
    "empty box": ("a.heic", bytes(4) + b"ftypheic"),
    "AVIF": ("a.heic", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf"),
    "AVIF that says it is any picture": ("a.heif", b"\0\0\0\x1cftypmif1\0\0\0\0avifmif1miaf"),
    "film": ("a.heic", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"),
    "sound": ("a.webp", b"RIFF\x24\0\0\0WAVEfmt "),
}


@pytest.mark.parametrize(("name", "data"), NOT_WHAT_THEY_SAY.values(), ids=NOT_WHAT_THEY_SAY.keys())
def test_first_bytes_have_to_agree(name, data):
    assert "The file is not really a " in refusal(name, data)


def test_right_file_with_another_ending_is_told_its_own():
    assert refusal("IMG_1.JPG", files.heic().read()) == (
        "The file is not really a JPEG photo but a HEIC photo. Let its name end in .heic, and choose it "
        "again."
    )


@pytest.mark.parametrize(
    "name", ["a.svg", "a.html", "a.xml", "a.swf", "a.docm", "a.zip", "a", ".pdf"]
)
def test_other_endings_are_refused_whatever_is_inside(name):
    assert refusal(name, pdf_with()).startswith("Only PDF, JPEG, PNG, HEIC and WebP files can be")


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_moving_picture_is_refused(kind):
    assert "The picture moves" in refusal(f"a.{kind.lower()}", files.animated(kind))


KINDS = {"a.jpg": "JPEG", "a.png": "PNG", "a.webp": "WEBP", "a.heic": "HEIF"}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_cut_picture_is_refused(name, share):
    data = files.camera_photo(KINDS[name])
    check(name, data)
    assert "cannot be read; it may be damaged" in refusal(name, data[: int(len(data) * share)])


@pytest.mark.parametrize("name", [*KINDS, "a.pdf"])
def test_no_bytes_break_it(name):
    """Whatever is inside: taken, or refused; never another error."""
    good = pdf_with(attach, pages=2) if name == "a.pdf" else files.camera_photo(KINDS[name])
    chance = random.Random(name)
    for _round in range(40):
        data = bytearray(good)
        for _change in range(chance.randint(1, 8)):
            data[chance.randrange(16, len(data))] = chance.randrange(256)
        with contextlib.suppress(ValidationError):
            assert check(name, bytes(data)).pages


def test_each_reason_has_its_own_words(settings):
    """What is wrong, then what to do (UX DOC-4)."""
    settings.FILE_MB = 7
    too_large = received("a.pdf", b"")
    too_large.is_too_large = True
    with too_large, pytest.raises(ValidationError) as refused:
        checks.check(too_large)
    said = [
        *refused.value.messages,
        refusal("a.svg", b"<svg/>"),
        refusal("a.pdf", b""),
        refusal("a.pdf", b"<html>"),
        refusal("a.jpg", picture("PNG")),
        refusal("a.jpg", picture("JPEG")[:200]),
        refusal("a.png", files.huge_png()),
        refusal("a.png", files.animated("PNG")),
        refusal("a.pdf", b"%PDF-1.4"),
        refusal("a.pdf", pdf_with(pages=0)),
        refusal("a.pdf", pdf_with(pages=2001)),
        refusal("a.pdf", files.pdf(password="x").read()),
        *{refusal("a.pdf", data) for _contains, data in ACTIVE_PDFS.values()},
    ]
    assert len(said) == len(set(said)) == 17
    assert "7 MB" in said[0]
    for message in said:
        assert message.endswith(".") and ". " in message, message


# --- what is taken --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "content_type"),
    [
        ("A.JPG", picture("JPEG"), "image/jpeg"),
        ("a.jpeg", picture("JPEG", (0, 9, 9, 0), mode="CMYK"), "image/jpeg"),
        ("a.jpg", picture("JPEG", progressive=True), "image/jpeg"),
        ("a.png", picture("PNG", 5, mode="P"), "image/png"),
        ("a.png", picture("PNG", 40_000, mode="I;16"), "image/png"),
        ("a.heic", picture("HEIF", size=(64, 64)), "image/heic"),
        ("a.heif", picture("HEIF", size=(64, 64)), "image/heic"),
        ("a.webp", picture("WEBP", lossless=True), "image/webp"),
        ("a.pdf", pdf_with(), "application/pdf"),
        (
            "a.PDF",
            pdf_with(object_stream_mode=pikepdf.ObjectStreamMode.generate),
            "application/pdf",
        ),
        ("a.pdf", pdf_with(linearize=True), "application/pdf"),
    ],
)
def test_good_file_is_taken_as_what_it_is(name, data, content_type):
    assert check(name, data) == checks.Checked(checks.ContentType(content_type), 1)


def test_photo_with_something_behind_it_is_taken():
    """Phones put films and second views there. What is shown is made anew (test_renditions.py)."""
    assert check("a.jpg", picture("JPEG") + b"PK\x03\x04" + bytes(100)).pages == 1


def test_several_pictures_in_one_heic_are_one_photo():
    from PIL import Image

    data = io.BytesIO()
    one, two = (Image.new("RGB", (64, 64), colour) for colour in ("red", "blue"))
    one.save(data, "HEIF", save_all=True, append_images=[two])
    assert check("a.heic", data.getvalue()).pages == 1


def test_check_of_a_large_pdf_costs_next_to_nothing(tmp_path):
    """It is in the way of every upload. A picture of 25 MB in a PDF is not unpacked to look at it."""

    def change(document: pikepdf.Pdf) -> None:
        image = document.make_stream(
            random.Random(1).randbytes(25_000_000), Type=Name.XObject, Subtype=Name.Image
        )
        document.pages[0].obj.Resources = Dictionary(XObject=Dictionary(Photo=image))

    path = tmp_path / "a.pdf"
    path.write_bytes(pdf_with(change, compress_streams=False))
    answers, megabytes = measured(
        {"do": "check", "path": str(path), "content_type": "application/pdf"}
    )
    assert answers == [{"done": {"pages": 1, "width": 0, "height": 0}}]
    assert megabytes < 100
