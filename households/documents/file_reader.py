"""The program that reads what families send, apart from the portal.

Parsers of PDF and pictures are where a file made to do harm does it, so no process of the portal runs one.
reading.py starts this program with nothing in its environment, and asks it one JSON line at a time. It
reads no file itself either: for each line it forks, and the fork, with little memory, little time and a
limit on what it may write, reads that one file, answers and is gone. A parser that crashes, hangs or was
taken over never meets another family's file.

It ends when its standard input does, so it does not outlive the portal. Nothing of Django is imported.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import resource
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pikepdf
    from PIL import Image

MOST_PIXELS = 100_000_000
MOST_PAGES = 2_000
MOST_OBJECTS = 300_000

# Enough for MOST_PIXELS in every format but WebP, whose decoder wants 16 bytes for each.
_MEMORY = 1280 * 1024**2
# qpdf unpacks the tables of a PDF, and nothing else that is packed; no honest table comes near.
_UNPACKED_TABLE = 64 * 1024**2
_WRITTEN = 256 * 1024**2
_LONGEST_ANSWER = 4096

PAGE_SIDE = 1600
THUMBNAIL_SIDE = 200
JOINED_SIDE = 2800
# Twice what a page shows, for sharp screens; the bytes are a share of the 30 KB of a page (UX section 5).
LOGO_SIZE = (480, 112)
LOGO_BYTES = 8 * 1024
# A page of a PDF is drawn at 288 dots an inch at most: a stamp does not become a poster.
_MOST_ENLARGED = 4
# US Letter in points. Turned for wide photos; the short side fits A4 too.
_PAPER = (612, 792)

_IMAGES = {"image/jpeg": "JPEG", "image/png": "PNG", "image/heic": "HEIF", "image/webp": "WEBP"}
PDF = "application/pdf"


class Refused(Exception):
    """A file that is not taken: `code` says why in a word, `detail` which kind of it."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


# --- is it what it says: the full parse -----------------------------------------------


def check(path: str, content_type: str) -> dict[str, int]:
    """Pages, and of a picture its width and height. Raises Refused."""
    if content_type == PDF:
        return {"pages": _check_pdf(path), "width": 0, "height": 0}
    width, height = _check_image(path, content_type)
    return {"pages": 1, "width": width, "height": height}


def _check_image(path: str, content_type: str) -> tuple[int, int]:
    with _opened_image(path, content_type) as image:
        size = image.size
        # A JPEG is read to its end for an eighth of the memory; the others do not know this.
        image.draft("L", (1, 1))
        image.load()
        return size


@contextlib.contextmanager
def _opened_image(path: str, content_type: str) -> Iterator[Image.Image]:
    """The picture with its header read, its size known to be within the limit, and nothing decoded."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path, formats=[_IMAGES[content_type]]) as image:
            if content_type == "image/heic":
                mime = getattr(image, "custom_mimetype", "")
                if not mime.startswith(("image/heic", "image/heif")):
                    raise Refused("unreadable")
            elif content_type != "image/jpeg" and getattr(image, "n_frames", 1) > 1:
                # Only the first picture would be shown. A JPEG's and a HEIC's others are its own copies.
                raise Refused("animated")
            yield image
    except Image.DecompressionBombError:  # from the header, see _prepare
        raise Refused("too-many-pixels") from None
    except UnidentifiedImageError:
        raise Refused("unreadable") from None


def _check_pdf(path: str) -> int:
    """The number of pages. A file with mistakes in its table of contents, as old programs and mail gateways
    make them, is read once more by searching it for its objects; then nothing in it may be out of sight."""
    try:
        return _count_pages(path, mended=False)
    except Refused as refused:
        if refused.code != "unreadable" or not _may_be_mended(path):
            raise
    return _count_pages(path, mended=True)


def _count_pages(path: str, *, mended: bool) -> int:
    import pikepdf

    try:
        # Explicit: numbers come as objects too.
        with pikepdf.open(
            path,
            attempt_recovery=mended,
            inherit_page_attributes=False,
            conversion_mode="explicit",
        ) as pdf:
            if pdf.is_encrypted:
                raise Refused("encrypted")
            objects = pdf.objects
            if len(objects) > MOST_OBJECTS:
                raise Refused("too-complicated")
            for found in objects:
                _refuse_active(found)
            _refuse_active(pdf.trailer)
            pages = len(pdf.pages)
            unread = any(_UNREAD.search(str(warning)) for warning in pdf.get_warnings())
            if unread and not mended:
                raise Refused("unreadable")
    except pikepdf.PasswordError:
        raise Refused("encrypted") from None
    except pikepdf.PdfError as error:
        if str(error).endswith(": no pages found"):
            raise Refused("no-pages") from None
        raise Refused("unreadable") from None
    if pages > MOST_PAGES:
        raise Refused("too-many-pages")
    return pages


# Names and keys of what is active, as they stand in a file's own bytes; the short ones with what follows.
_ACTIVE_BYTES = re.compile(
    rb"/(?:JavaScript|Launch|GoToR|GoToE|SubmitForm|ImportData|Rendition|RichMedia|FileAttachment"
    rb"|EmbeddedFiles?|OpenAction|XFA)(?![A-Za-z])|/JS\s*[(<]"
)
_AT_THE_END = 2048


def _may_be_mended(path: str) -> bool:
    """Whether a damaged PDF may be read by searching it for its objects. A viewer may mend it into something
    else than we do, so it has to be whole to its end, keep no objects packed out of sight, and name nothing
    active anywhere in its bytes."""
    with open(path, "rb") as file:
        data = file.read()
    if b"%%EOF" not in data[-_AT_THE_END:] or b"/Encrypt" in data:
        return False
    # /J#53 is another way to write /JS (ISO 32000-1, 7.3.5).
    data = re.sub(rb"#([0-9A-Fa-f]{2})", lambda found: bytes.fromhex(found[1].decode()), data)
    return b"/ObjStm" not in data and not _ACTIVE_BYTES.search(data)


# qpdf's warnings that it could not read a place in the file as it stands: what it took for nothing, a
# viewer may take for something. Its others are about pages that it completed, or about counts.
_UNREAD = re.compile(r"\((?:object|offset|trailer|xref)")

SCRIPT, LAUNCHES, ATTACHED, FORM, MEDIA = "script", "launches", "attached-files", "form", "media"
# What is active in a PDF, by the key that holds its name (ISO 32000-1, 12.5.6, 12.6.4).
_ACTIONS = {
    "/JavaScript": SCRIPT,
    "/Launch": LAUNCHES,
    "/GoToR": LAUNCHES,
    "/GoToE": LAUNCHES,
    "/SubmitForm": FORM,
    "/ImportData": FORM,
    "/Movie": MEDIA,
    "/Sound": MEDIA,
    "/Rendition": MEDIA,
    "/RichMediaExecute": MEDIA,
}
_ANNOTATIONS = {
    "/FileAttachment": ATTACHED,
    "/RichMedia": MEDIA,
    "/Movie": MEDIA,
    "/Sound": MEDIA,
    "/Screen": MEDIA,
    "/3D": MEDIA,
}
_KEYS = {"/JS", "/JavaScript", "/XFA", "/EF", "/EmbeddedFiles", "/OpenAction", "/AA"}
_FILE_SPECIFICATION = {"/F", "/UF", "/DOS", "/Mac", "/Unix"}
# qpdf writes every name in one way, however it was spelled: /J#53 comes out as /JS.
_SUSPECT = re.compile(
    rb"/(?:%s)(?![^\s/<>\[\](){}%%])"
    % b"|".join(sorted(name[1:].encode() for name in {*_ACTIONS, *_ANNOTATIONS, *_KEYS}))
)


def _refuse_active(found: pikepdf.Object | None) -> None:
    """Raise Refused if this object of a PDF, or one that stands inside it, can do something by itself.

    Objects of their own number are not followed: each comes here on its own. First its text is searched for
    the names, which is quick and may find them in a harmless place; only then is it looked through.
    """
    import pikepdf

    if found is None:  # null
        return
    if isinstance(found, pikepdf.Stream):
        found = found.stream_dict
    if not _SUSPECT.search(found.unparse(resolved=True)):
        return
    if isinstance(found, pikepdf.Name) and str(found) in {**_ACTIONS, **_ANNOTATIONS}:
        # A name with a number of its own, which no writer makes, would hide what points at it.
        raise Refused("active", {**_ACTIONS, **_ANNOTATIONS}[str(found)])
    inside: list[Any] = [found]
    while inside:
        here = inside.pop()
        if isinstance(here, pikepdf.Dictionary):
            _refuse_active_dictionary(here)
            values = [value for _key, value in here.items()]
        elif isinstance(here, pikepdf.Array):
            values = list(here)
        else:
            continue
        inside += [
            value for value in values if isinstance(value, pikepdf.Object) and not value.is_indirect
        ]


def _refuse_active_dictionary(found: pikepdf.Dictionary) -> None:
    import pikepdf

    what = _ACTIONS.get(_name(found, "/S")) or _ANNOTATIONS.get(_name(found, "/Subtype"))
    if what:
        raise Refused("active", what)
    # These keys can also be names that a page gives to its fonts, so their values have to fit.
    script = found.get("/JS")
    if isinstance(script, pikepdf.String) or (
        isinstance(script, pikepdf.Stream) and "/Subtype" not in script
    ):
        raise Refused("active", SCRIPT)
    if _is_filled_tree(found.get("/JavaScript")):
        raise Refused("active", SCRIPT)
    if _is_filled_tree(found.get("/EmbeddedFiles")):
        raise Refused("active", ATTACHED)
    attached = found.get("/EF")
    if isinstance(attached, pikepdf.Dictionary) and _FILE_SPECIFICATION & set(attached.keys()):
        raise Refused("active", ATTACHED)
    if isinstance(found.get("/XFA"), pikepdf.Stream | pikepdf.Array):
        raise Refused("active", FORM)
    if "/OpenAction" in found and not _only_goes_to_a_page(found["/OpenAction"]):
        raise Refused("active", LAUNCHES)
    additional = found.get("/AA")
    if isinstance(additional, pikepdf.Dictionary):
        for action in additional.values():
            is_action = isinstance(action, pikepdf.Dictionary) and "/S" in action
            if is_action and not _only_goes_to_a_page(action):
                raise Refused("active", LAUNCHES)


def _name(found: pikepdf.Dictionary, key: str) -> str:
    import pikepdf

    value = found.get(key)
    return str(value) if isinstance(value, pikepdf.Name) else ""


def _is_filled_tree(tree: Any) -> bool:
    """Whether a name tree has anything in it; many writers leave empty ones."""
    import pikepdf

    if not isinstance(tree, pikepdf.Dictionary):
        return False
    return any(len(branch) for key in ("/Names", "/Kids") if (branch := tree.get(key)) is not None)


def _only_goes_to_a_page(action: Any) -> bool:
    """Whether what happens on opening is to show a page, and nothing after it."""
    import pikepdf

    if not isinstance(action, pikepdf.Dictionary):
        return True  # a destination
    if "/S" not in action:
        return "/D" in action
    if _name(action, "/S") != "/GoTo":
        kind = _ACTIONS.get(_name(action, "/S"))
        if kind:
            raise Refused("active", kind)
        return False
    return "/Next" not in action


# --- pictures -------------------------------------------------------------------------


def show(path: str, content_type: str, folder: str, most_pages: int, draws_for: float) -> int:
    """Write thumbnail.jpg and 1.jpg, 2.jpg … into `folder`; returns how many pages have one. Of a PDF that
    is slow to draw, those that are drawn in `draws_for` seconds."""
    until = time.monotonic() + draws_for
    number = 0
    for picture in _pages(path, content_type, most_pages):
        number += 1
        picture.save(os.path.join(folder, f"{number}.jpg"), "JPEG", quality=80, progressive=True)
        if number == 1:
            picture.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
            picture.save(os.path.join(folder, "thumbnail.jpg"), "JPEG", quality=70)
        if time.monotonic() > until:
            break
    return number


def _pages(path: str, content_type: str, most: int) -> Iterator[Image.Image]:
    if content_type == PDF:
        yield from _drawn_pages(path, most)
    else:
        yield _photo(path, content_type, PAGE_SIDE)


def _drawn_pages(path: str, most: int) -> Iterator[Image.Image]:
    import pypdfium2

    with pypdfium2.PdfDocument(path) as pdf:
        pdf.init_forms()  # what is typed into fields is seen too; this PDFium has no JavaScript
        for number in range(min(len(pdf), most)):
            try:
                page = pdf[number]
                # Before anything is drawn: a page can claim to be as large as a house.
                scale = min(PAGE_SIDE / max(page.get_size()), _MOST_ENLARGED)
                drawn = page.render(scale=scale).to_pil().convert("RGB")
                page.close()
            except (pypdfium2.PdfiumError, ValueError, ZeroDivisionError, MemoryError):
                if number == 0:
                    raise
                return  # the pages before it can be seen
            yield drawn


def _photo(path: str, content_type: str, side: int) -> Image.Image:
    """The picture upright, in sRGB, `side` long at most, on white, with nothing written in it: no place,
    no camera, no date."""
    from PIL import Image

    with _opened_image(path, content_type) as image:
        image.draft("RGB", (side, side))
        image.load()
        turn = _turn(image)
        profile = image.info.get("icc_profile")
        shown = _in_eight_bits(image)
        shown.thumbnail((side, side), Image.Resampling.LANCZOS)
    if shown.mode in {"RGBA", "LA"}:
        alpha = shown.getchannel("A")
        shown = shown.convert("RGB" if shown.mode == "RGBA" else "L")
        white = Image.new(shown.mode, shown.size, "white")
        white.paste(shown, mask=alpha)
        shown = white
    shown = _in_srgb(shown, profile)
    if turn is not None:
        shown = shown.transpose(turn)
    shown.info.clear()  # what is left here is written into the next file
    return shown


def _in_eight_bits(image: Image.Image) -> Image.Image:
    """In a mode that can be made smaller: one byte a colour, no palette."""
    if image.mode.startswith(("I", "F")):
        return image.point(lambda value: value * (1 / 256)).convert("L")
    if image.mode in {"P", "PA"} or "transparency" in image.info:
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image.convert("L") if image.mode == "1" else image


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile:
        from PIL import ImageCms

        # A profile that is broken, or for other colours, is as good as none.
        with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError):
            converted = ImageCms.profileToProfile(
                image,
                ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
            if converted is not None:
                return converted
    return image.convert("RGB")


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What turns the picture upright (EXIF 2.3, tag Orientation)."""
    from PIL import ExifTags, Image

    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # EXIF is written by thousands of devices; broken, it tells nothing
        return None
    turns: dict[Any, Image.Transpose] = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    return turns.get(orientation)


# --- the practice's logo --------------------------------------------------------------


def logo(path: str, content_type: str, to: str) -> list[int]:
    """Write a PNG to `to`, small enough to come with every page; returns its width and height. Few colours
    first, then fewer pixels: a photo becomes small, a drawing stays sharp."""
    picture = _photo(path, content_type, PAGE_SIDE)
    width, height = LOGO_SIZE
    while True:
        picture.thumbnail((width, height))
        packed = io.BytesIO()
        picture.quantize(256).save(packed, "PNG", optimize=True)
        if packed.tell() <= LOGO_BYTES or height < 20:
            break
        width, height = width * 4 // 5, height * 4 // 5
    with open(to, "wb") as file:
        file.write(packed.getvalue())
    return [*picture.size]


# --- several photos, one PDF ----------------------------------------------------------


def join(photos: list[tuple[str, str]], to: str) -> int:
    """Write a PDF to `to` with one page for each photo (path, type), in this order; returns how many. One
    photo is in memory at a time. A page has the photo's shape and fits on US Letter and A4."""
    import pikepdf

    with pikepdf.new() as pdf:
        for path, content_type in photos:
            photo = _photo(path, content_type, JOINED_SIDE)
            packed = io.BytesIO()
            photo.save(packed, "JPEG", quality=85)
            scale = min(_PAPER[0] / min(photo.size), _PAPER[1] / max(photo.size))
            width, height = (side * scale for side in photo.size)
            page = pdf.add_blank_page(page_size=(width, height))
            picture = pikepdf.Stream(
                pdf,
                packed.getvalue(),
                Type=pikepdf.Name.XObject,
                Subtype=pikepdf.Name.Image,
                Width=photo.width,
                Height=photo.height,
                ColorSpace=pikepdf.Name.DeviceRGB,
                BitsPerComponent=8,
                Filter=pikepdf.Name.DCTDecode,
            )
            page.obj.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Photo=picture))
            page.obj.Contents = pikepdf.Stream(
                pdf, f"q {width:.2f} 0 0 {height:.2f} 0 0 cm /Photo Do Q".encode()
            )
        pdf.save(to)
    return len(photos)


# --- the program ----------------------------------------------------------------------


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "check": check,
    "show": show,
    "join": join,
    "logo": logo,
}


def main() -> None:
    """Answer each line of standard input with one line, until it ends."""
    # Whatever a library prints must not stand among the answers.
    answers = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        _import_what_reads(request)
        os.write(answers, _in_a_fork(request, answers) + b"\n")


def _import_what_reads(request: dict[str, Any]) -> None:
    """Import here, once, what the forks need, and set its limits."""
    if request.get("content_type") == PDF or request["do"] == "join":
        import pikepdf

        pikepdf.settings.set_qpdf_limits(
            flate_max_memory=_UNPACKED_TABLE,
            png_max_memory=_UNPACKED_TABLE,
            tiff_max_memory=_UNPACKED_TABLE,
            run_length_max_memory=_UNPACKED_TABLE,
            parser_max_container_size=1_000_000,
            doc_max_warnings=10_000,
        )
    if request.get("content_type") != PDF or request["do"] == "show":
        import pillow_heif
        from PIL import Image

        Image.init()  # every fork would import the formats for itself
        # Pillow warns over this and refuses over twice this, before anything is decoded.
        Image.MAX_IMAGE_PIXELS = MOST_PIXELS // 2
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        # The photo itself is read, not the small copies that came with it.
        pillow_heif.register_heif_opener(
            thumbnails=False, depth_images=False, aux_images=False, decode_threads=2
        )


def _in_a_fork(request: dict[str, Any], answers: int) -> bytes:
    """The answer of a fork of this process; {"refused": "unreadable"} if it ended without one."""
    reads, writes = os.pipe()
    fork = os.fork()
    if fork == 0:
        try:
            for mine_no_more in (0, answers, reads):
                os.close(mine_no_more)
            os.write(writes, json.dumps(_answer(request)).encode())
        finally:
            os._exit(0)
    os.close(writes)
    with open(reads, "rb") as pipe:
        answer = pipe.read(_LONGEST_ANSWER)
    _pid, status = os.waitpid(fork, 0)
    if status or not answer:
        return json.dumps({"refused": "unreadable", "detail": f"ended with {status}"}).encode()
    return answer


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    _limit(seconds=request.pop("seconds"), may_write=request["do"] != "check")
    does = _OPERATIONS[request.pop("do")]
    try:
        return {"done": does(**request)}
    except Refused as refused:
        return {"refused": refused.code, "detail": refused.detail}
    except MemoryError:
        return {"refused": "too-complicated", "detail": "memory"}
    except (OSError, SyntaxError, ValueError, EOFError, RuntimeError):
        return {"refused": "unreadable", "detail": ""}  # what parsers say of a damaged file
    except Exception as error:
        return {"refused": "unreadable", "detail": type(error).__name__}


def _limit(*, seconds: float, may_write: bool) -> None:
    """Make this process one that can do little harm and ends by itself, whatever happens in it."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    for what, most in [
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, _WRITTEN if may_write else 0),
        (resource.RLIMIT_NOFILE, 64),
    ]:
        # Not every system has every limit.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    main()
