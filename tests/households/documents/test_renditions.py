"""The pictures of a document's pages: upright, small, without the camera's data, and never in the way."""

from __future__ import annotations

import io
import math

import pikepdf
import pytest
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.fields.files import FieldFile
from pikepdf import Dictionary, Name, String
from PIL import Image

from households.documents import renditions
from households.documents.models import Document
from tests import files
from tests.cast import pick, sign_in
from tests.files import pdf_with, picture


@pytest.fixture
def mia(cast, client):
    """A client with Mia's chart open; `client.documents` is the address of her papers."""
    sign_in(client, "rivera@example.org")
    client.documents = f"/for/{pick(client, 'Mia', '2016/04/27')}/documents/"
    return client


@pytest.fixture
def send(mia, run_tasks):
    """A function that sends a file and lets the worker make its pictures. Returns the document."""

    def send(name: str, data: bytes) -> Document:
        upload(mia, name, data)
        run_tasks()
        return Document.objects.get()

    return send


def upload(client, name: str, data: bytes) -> Document:
    answer = client.post(client.documents, {"files": SimpleUploadedFile(name, data)})
    assert answer.status_code == 302, answer.content.decode()
    return Document.objects.get()


def stored(document: Document, name: str) -> bytes:
    with document.file.storage.open(name) as file:
        return file.read()


def shown(document: Document, number: int = 1) -> Image.Image:
    """The picture of a page, after a look at what else is in the file."""
    data = stored(document, renditions.page_name(document, number))
    image = Image.open(io.BytesIO(data), formats=["JPEG"])
    image.load()
    assert image.mode == "RGB"
    assert b"secret" not in data.lower() and b"Exif" not in data
    assert not {*image.info} - {
        "jfif",
        "jfif_version",
        "jfif_unit",
        "jfif_density",
        "progressive",
        "progression",
    }
    return image


def is_near(pixel: tuple[int, ...], colour: tuple[int, ...]) -> bool:
    return math.dist(pixel, colour) < 40


def pictures_of(document: Document) -> set[str]:
    folder = renditions.thumbnail_name(document).rpartition("/")[0]
    try:
        return {*document.file.storage.listdir(folder)[1]}
    except FileNotFoundError:
        return set()


# --- photos ---------------------------------------------------------------------------

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)
KINDS = {"a.jpg": "JPEG", "a.png": "PNG", "a.webp": "WEBP", "a.heic": "HEIF"}


@pytest.mark.parametrize("name", KINDS)
def test_photo_is_upright_and_tells_nothing_of_place_and_camera(send, name):
    data = files.camera_photo(KINDS[name], orientation=6)
    assert b"Secret Camera Maker" in data
    document = send(name, data)
    assert (document.pictures, document.pages_pictured) == ("ready", 1)
    photo = shown(document)
    assert photo.size == (80, 160)
    assert is_near(photo.getpixel((40, 30)), RED)
    assert is_near(photo.getpixel((40, 130)), BLUE)
    # What was sent is kept as it was.
    assert stored(document, document.file.name) == data


# Where the red half, which is stored on the left, belongs (EXIF 2.3, Orientation).
TURNS = {1: "left", 2: "right", 3: "right", 4: "left", 5: "top", 6: "top", 7: "bottom", 8: "bottom"}


@pytest.mark.parametrize(("orientation", "red"), TURNS.items())
def test_every_turn_of_a_camera_is_undone(send, orientation, red):
    photo = shown(send("a.jpg", files.camera_photo("JPEG", orientation)))
    width, height = photo.size
    assert (width < height) == (red in {"top", "bottom"})
    place = {
        "left": (10, height // 2),
        "right": (width - 10, height // 2),
        "top": (width // 2, 10),
        "bottom": (width // 2, height - 10),
    }[red]
    assert is_near(photo.getpixel(place), RED)


@pytest.mark.parametrize(
    ("name", "data", "colour"),
    [
        ("a.jpg", picture("JPEG", (0, 255, 255, 0), (64, 64), "CMYK"), RED),
        ("a.jpg", picture("JPEG", 128, (64, 64), "L"), (128, 128, 128)),
        ("a.png", picture("PNG", 65535 // 2, (64, 64), "I;16"), (127, 127, 127)),
        ("a.png", picture("PNG", 1, (64, 64), "1"), WHITE),
        ("a.png", picture("PNG", (255, 0, 0, 0), (64, 64), "RGBA"), WHITE),
        ("a.png", picture("PNG", (255, 0, 0, 255), (64, 64), "RGBA"), RED),
        ("a.png", picture("PNG", (0, 0), (64, 64), "LA"), WHITE),
        ("a.png", picture("PNG", "blue", (64, 64), "P"), BLUE),
        ("a.png", picture("PNG", "blue", (64, 64), transparency=(0, 0, 255)), WHITE),
        ("a.webp", picture("WEBP", (0, 0, 255, 0), (64, 64), "RGBA", exact=True), WHITE),
        ("a.heic", picture("HEIF", (0, 0, 255, 255), (64, 64), "RGBA"), BLUE),
        ("a.jpg", picture("JPEG", "red", (64, 64), icc_profile=b"broken"), RED),
    ],
)
def test_every_way_to_store_colours_is_shown_in_red_green_and_blue(send, name, data, colour):
    pixel = shown(send(name, data)).getpixel((32, 32))
    assert is_near(pixel, colour), pixel


def test_colours_of_a_wide_screen_are_translated(send):
    """A profile in which the stored green and blue are swapped stands for any other than sRGB."""
    from PIL import ImageCms

    swapped = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    green, blue = (swapped.index(tag, 128) for tag in (b"gXYZ", b"bXYZ"))
    swapped[green : green + 4], swapped[blue : blue + 4] = b"bXYZ", b"gXYZ"
    data = picture("PNG", (0, 0, 255), (64, 64), icc_profile=bytes(swapped))
    assert is_near(shown(send("a.png", data)).getpixel((32, 32)), (0, 255, 0))


def test_large_photo_is_made_small(send):
    document = send("a.jpg", picture("JPEG", "red", (4032, 3024)))
    assert shown(document).size == (1600, 1200)
    thumbnail = stored(document, renditions.thumbnail_name(document))
    with Image.open(io.BytesIO(thumbnail)) as image:
        assert image.size == (200, 150)
    assert len(thumbnail) < 10_000


def test_what_stands_behind_a_photo_is_not_shown(send):
    document = send("a.jpg", picture("JPEG", size=(64, 64)) + b"PK\x03\x04<script>secret</script>")
    assert shown(document).size == (64, 64)


# --- PDFs -----------------------------------------------------------------------------


def test_pages_of_a_pdf_are_drawn_with_what_is_typed_into_them(send):
    def change(pdf: pikepdf.Pdf) -> None:
        pdf.pages[0].obj.Contents = pdf.make_stream(b"1 0 0 rg 0 0 612 396 re f")
        drawn = pdf.make_stream(
            b"0 0 1 rg 0 0 200 100 re f",
            Type=Name.XObject,
            Subtype=Name.Form,
            BBox=[0, 0, 200, 100],
        )
        field = pdf.make_indirect(
            Dictionary(
                Type=Name.Annot,
                Subtype=Name.Widget,
                FT=Name.Tx,
                T=String("a"),
                V=String("b"),
                F=4,
                Rect=[0, 692, 200, 792],
                AP=Dictionary(N=drawn),
            )
        )
        pdf.pages[0].obj.Annots = [field]
        pdf.Root.AcroForm = Dictionary(Fields=[field])

    document = send("a.pdf", pdf_with(change, pages=3))
    assert (document.pages, document.pictures, document.pages_pictured) == (3, "ready", 3)
    assert pictures_of(document) == {"thumbnail.jpg", "1.jpg", "2.jpg", "3.jpg"}
    page = shown(document)
    assert page.height == 1600
    assert is_near(page.getpixel((page.width // 2, 1500)), RED)
    assert is_near(page.getpixel((page.width - 50, 100)), WHITE)
    assert is_near(page.getpixel((100, 100)), BLUE)


def test_long_pdf_has_pictures_of_its_first_pages(send):
    document = send("a.pdf", pdf_with(pages=40))
    assert (document.pages, document.pages_pictured) == (40, renditions.MOST_PAGES_PICTURED)
    assert len(pictures_of(document)) == renditions.MOST_PAGES_PICTURED + 1


@pytest.mark.parametrize(
    ("box", "size"),
    [
        ([0, 0, 14_400, 14_400], (1600, 1600)),
        ([0, 0, 2_000_000, 1_000_000], (1600, 800)),
        ([0, 0, 14_400, 1], (1600, 1)),
        ([0, 0, 20, 10], (80, 40)),
    ],
)
def test_page_of_any_size_becomes_a_picture_of_a_usual_one(send, box, size):
    document = send("a.pdf", pdf_with(lambda pdf: setattr(pdf.pages[0].obj, "MediaBox", box)))
    assert shown(document).size == size


def test_picture_in_a_pdf_that_claims_to_be_huge_harms_nothing(send):
    def change(pdf: pikepdf.Pdf) -> None:
        huge = pdf.make_stream(
            bytes(1000),
            Type=Name.XObject,
            Subtype=Name.Image,
            Width=60_000,
            Height=60_000,
            BitsPerComponent=8,
            ColorSpace=Name.DeviceRGB,
        )
        pdf.pages[0].obj.Resources = Dictionary(XObject=Dictionary(Huge=huge))
        pdf.pages[0].obj.Contents = pdf.make_stream(b"q 612 0 0 792 0 0 cm /Huge Do Q")

    assert send("a.pdf", pdf_with(change)).pictures in {"ready", "failed"}


# --- the worker -----------------------------------------------------------------------


def replace_bytes(document: Document, data: bytes) -> None:
    with open(document.file.path, "wb") as file:
        file.write(data)


def test_document_that_cannot_be_drawn_can_still_be_downloaded(mia, run_tasks):
    document = upload(mia, "a.jpg", picture("JPEG"))
    broken = picture("JPEG")[:200].ljust(document.size, b"\0")
    replace_bytes(document, broken)
    assert [task.return_value for task in run_tasks()] == ["failed"]
    document.refresh_from_db()
    assert (document.pictures, document.pages_pictured) == ("failed", 0)
    answer = mia.get(f"{mia.documents}{document.public_id}/file/")
    assert b"".join(answer.streaming_content) == broken


def test_twice_is_as_good_as_once(mia, run_tasks):
    document = upload(mia, "a.jpg", picture("JPEG"))
    renditions.make_pictures.enqueue(document.pk)
    assert [task.return_value for task in run_tasks()] == ["made", "made"]
    assert pictures_of(document) == {"thumbnail.jpg", "1.jpg"}


@pytest.mark.parametrize("scan", [Document.Scan.WAITING, Document.Scan.FOUND])
def test_what_nobody_may_open_has_no_pictures(mia, run_tasks, scan):
    document = upload(mia, "a.jpg", picture("JPEG"))
    Document.objects.update(scan=scan)
    assert [task.return_value for task in run_tasks()] == ["closed"]
    assert pictures_of(document) == set()


def test_withdrawn_before_they_are_made(mia, run_tasks):
    document = upload(mia, "a.jpg", picture("JPEG"))
    Document.objects.update(file="")
    assert [task.return_value for task in run_tasks()] == ["gone"]
    assert pictures_of(document) == set()


def test_withdrawn_while_they_are_made(mia, run_tasks, monkeypatch):
    document = upload(mia, "a.jpg", picture("JPEG"))
    store = FileSystemStorage._save

    def withdrawn_now(self, name, content):
        Document.objects.update(file="")
        return store(self, name, content)

    monkeypatch.setattr(FileSystemStorage, "_save", withdrawn_now)
    assert [task.return_value for task in run_tasks()] == ["gone"]
    assert pictures_of(document) == set()
    assert Document.objects.get().pictures == "waiting"


def test_storage_that_is_away_is_asked_again(mia, run_tasks, monkeypatch):
    document = upload(mia, "a.jpg", picture("JPEG"))

    def full(self, name, content):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(FileSystemStorage, "_save", full)
        assert [task.return_value for task in run_tasks()] == ["later"]
        assert run_tasks() == []
    assert [task.return_value for task in run_tasks(later=True)] == ["made"]
    assert pictures_of(document) == {"thumbnail.jpg", "1.jpg"}


def test_storage_that_stays_away_is_given_up_for_the_sweep(mia, run_tasks, monkeypatch):
    document = upload(mia, "a.jpg", picture("JPEG"))

    def full(self, name, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FileSystemStorage, "_save", full)
    run_tasks()
    results = [run_tasks(later=True)[0].return_value for _try in renditions.RETRY_AFTER_MINUTES]
    assert results == ["later", "later", "later", "gave-up"]
    assert run_tasks(later=True) == []
    document.refresh_from_db()
    assert document.pictures == "waiting"


def test_storage_on_another_machine(cast, client, run_tasks, settings, monkeypatch):
    """Django's storage in memory stands for one, without the paths that it makes up."""

    def path(self):
        raise NotImplementedError

    monkeypatch.setattr(FieldFile, "path", property(path))
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    }
    sign_in(client, "rivera@example.org")
    client.documents = f"/for/{pick(client, 'Mia', '2016/04/27')}/documents/"
    document = upload(client, "a.jpg", files.camera_photo("JPEG"))
    assert [task.return_value for task in run_tasks()] == ["made"]
    assert shown(document).size == (80, 160)
    assert [*settings.UPLOADING.glob("*.pictures")] == []
