"""The program that reads files: it can crash, hang or be killed, and uploads go on."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
import pytest

from households.documents import file_reader, reading
from tests import files

ROOT = Path(reading.__file__).parents[2]


@pytest.fixture
def photo(tmp_path) -> Path:
    path = tmp_path / "photo"
    path.write_bytes(files.picture("JPEG", size=(20, 10)))
    return path


@pytest.fixture
def endless(tmp_path) -> Path:
    """A file that never ends to be read, as a parser that hangs."""
    path = tmp_path / "endless"
    os.mkfifo(path)
    return path


def check(path: Path, **how: float) -> reading.Facts:
    return reading.check(path, "image/jpeg", **how)


def kept() -> int:
    """The process that this one keeps."""
    assert reading._kept is not None
    return reading._kept.process.pid


def forks_of(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def until(found: Callable[[], Any]) -> Any:
    """What `found` returns as soon as it is true; fails after ten seconds."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if result := found():
            return result
        time.sleep(0.01)
    raise AssertionError("it did not happen")


def limits_of(pid: int) -> dict[str, list[str]]:
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return {line[:25].strip(): line[25:].split()[:2] for line in lines}


def is_gone(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return "(zombie)" in Path(f"/proc/{pid}/status").read_text()
    return True


def test_one_program_reads_one_file_after_the_other(photo):
    assert check(photo) == reading.Facts(pages=1, width=20, height=10)
    first = kept()
    assert check(photo) == reading.Facts(pages=1, width=20, height=10)
    assert kept() == first
    assert forks_of(first) == []


def test_killed_program_is_replaced(photo):
    check(photo)
    first = kept()
    os.kill(first, signal.SIGKILL)
    until(lambda: is_gone(first))
    assert check(photo).width == 20
    assert kept() != first


@pytest.mark.parametrize("crash", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_crash_in_a_parser_refuses_one_file_and_ends_nothing(photo, endless, crash, caplog):
    check(photo)
    program = kept()
    with ThreadPoolExecutor() as pool:
        reads = pool.submit(check, endless)
        [fork] = until(lambda: forks_of(program))
        os.kill(fork, crash)
        with pytest.raises(reading.Refused) as refused:
            reads.result(10)
    assert refused.value.code == "unreadable"
    assert check(photo).width == 20
    assert kept() == program
    assert "ended with" in caplog.text
    assert str(endless) not in caplog.text


def test_parser_that_hangs_is_ended_in_time(photo, endless):
    check(photo)
    program = kept()
    begun = time.monotonic()
    with pytest.raises(reading.Refused):
        check(endless, seconds=0.5)
    assert time.monotonic() - begun < 3
    assert forks_of(program) == []
    assert check(photo).width == 20
    assert kept() == program


def test_program_that_hangs_is_replaced_with_all_it_started(photo, endless, caplog):
    check(photo)
    program = kept()
    with ThreadPoolExecutor() as pool:
        reads = pool.submit(check, endless, seconds=1)
        [fork] = until(lambda: forks_of(program))
        os.kill(program, signal.SIGSTOP)
        os.kill(fork, signal.SIGSTOP)
        with pytest.raises(reading.Refused) as refused:
            reads.result(10)
    assert refused.value.code == "unreadable"
    assert "no answer in time" in caplog.text
    until(lambda: is_gone(program) and is_gone(fork))
    assert check(photo).width == 20
    assert kept() != program


def test_many_threads_get_each_their_own_answer(tmp_path):
    paths = []
    for width in range(1, 41):
        paths.append(tmp_path / str(width))
        paths[-1].write_bytes(files.picture("JPEG", size=(width, 3)))
    with ThreadPoolExecutor(8) as pool:
        assert [facts.width for facts in pool.map(check, paths)] == [*range(1, 41)]


def test_web_process_gets_its_own_program_and_leaves_its_parents_alone(photo):
    check(photo)
    program = kept()
    reads, writes = os.pipe()
    fork = os.fork()
    if fork == 0:
        answer = "nothing"
        with contextlib.suppress(BaseException):
            answer = f"{check(photo).width} {kept()}"
            reading._end_kept()
        os.write(writes, answer.encode())
        os._exit(0)
    os.close(writes)
    with open(reads) as pipe:
        width, its_program = pipe.read().split()
    os.waitpid(fork, 0)
    assert width == "20"
    assert int(its_program) != program
    assert check(photo).width == 20
    assert kept() == program


def test_lock_held_while_forking_does_not_hold_the_new_process(photo):
    check(photo)
    with reading._lock:
        fork = os.fork()
        if fork == 0:
            signal.alarm(10)
            width = 0
            with contextlib.suppress(BaseException):
                width = check(photo).width
                reading._end_kept()
            os._exit(width)
        _pid, status = os.waitpid(fork, 0)
    assert os.waitstatus_to_exitcode(status) == 20


def test_program_does_not_outlive_the_portal(photo):
    """Also when the portal is killed and can say nothing."""
    script = (
        "import sys, time; from pathlib import Path; from households.documents import reading\n"
        "reading.check(Path(sys.argv[1]), 'image/jpeg')\n"
        "print(reading._kept.process.pid, flush=True); time.sleep(60)"
    )
    portal = subprocess.Popen(
        [sys.executable, "-c", script, str(photo)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    with portal:
        assert portal.stdout is not None
        program = int(portal.stdout.readline())
        assert not is_gone(program)
        portal.kill()
    until(lambda: is_gone(program))


def test_nothing_is_left_over(photo, tmp_path):
    """No open file, no zombie, also after programs that were killed."""
    check(photo)

    def use() -> None:
        os.kill(kept(), signal.SIGKILL)
        check(photo)
        reading.join([(photo, "image/jpeg")], tmp_path / "joined.pdf")

    use()
    before = sorted(os.listdir("/proc/self/fd"))
    for _round in range(4):
        use()
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert [pid for pid in forks_of(os.getpid()) if is_gone(pid)] == []


def test_reader_has_no_secrets_and_few_rights(photo, endless, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "very secret")
    reading._end_kept()
    check(photo)
    program = kept()
    environment = Path(f"/proc/{program}/environ").read_text()
    assert "secret" not in environment and "PORTAL" not in environment
    with ThreadPoolExecutor() as pool:
        reads = pool.submit(check, endless, seconds=2)
        [fork] = until(lambda: forks_of(program))
        # The last of them is set when the file is about to be opened.
        until(lambda: limits_of(fork)["Max open files"] == ["64", "64"])
        limits = limits_of(fork)
        open_files = {os.readlink(one) for one in Path(f"/proc/{fork}/fd").iterdir()}
        with pytest.raises(reading.Refused):
            reads.result(10)
    assert limits["Max address space"] == [str(1280 * 1024**2)] * 2
    assert limits["Max core file size"] == ["0", "0"]
    assert limits["Max file size"] == ["0", "0"]
    # Its way out and nothing of ours: no database, no socket, no other file.
    assert {name.partition(":")[0] for name in open_files} <= {"/dev/null", "pipe"}


def test_reader_knows_nothing_of_django():
    script = (
        "import runpy, sys; runpy.run_path(sys.argv[1], run_name='__main__')\n"
        "print([m for m in sys.modules if m.startswith(('django', 'households'))], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, file_reader.__file__],
        input="",
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stderr.strip() == "[]"


# --- several photos, one PDF ----------------------------------------------------------


def colour(picture, x: float, y: float) -> str:
    """Which of red, green and blue a place of the picture has; x and y are shares of its sides."""
    pixel = picture.convert("RGB").getpixel((int(picture.width * x), int(picture.height * y)))
    return ("red", "green", "blue")[pixel.index(max(pixel))]


def test_photos_become_pages_in_order_upright_and_without_the_cameras_data(tmp_path):
    photos = []
    for kind, content_type in [("HEIF", "image/heic"), ("JPEG", "image/jpeg")]:
        photos.append((tmp_path / kind, content_type))
        photos[-1][0].write_bytes(files.camera_photo(kind))
    photos.append((tmp_path / "PNG", "image/png"))
    photos[-1][0].write_bytes(files.picture("PNG", (0, 200, 0, 255), (4000, 3000), "RGBA"))
    photos.append((tmp_path / "WEBP", "image/webp"))
    photos[-1][0].write_bytes(files.picture("WEBP", "blue", (30, 40)))
    joined = tmp_path / "joined.pdf"
    assert reading.join(photos, joined) == 4
    assert reading.check(joined, "application/pdf").pages == 4
    assert b"secret" not in joined.read_bytes().lower()
    with pypdfium2.PdfDocument(joined) as pdf:
        pages = [page.render().to_pil() for page in pdf]
        sizes = [page.get_size() for page in pdf]
    assert [(colour(page, 0.5, 0.1), colour(page, 0.5, 0.9)) for page in pages] == [
        ("red", "blue"),
        ("red", "blue"),
        ("green", "green"),
        ("blue", "blue"),
    ]
    assert sizes[0] == pytest.approx((396, 792))
    assert sizes[2] == pytest.approx((792, 594))
    for size in sizes:
        assert min(size) <= 595.3 and max(size) <= 792  # fits A4 and Letter
    with pikepdf.open(joined) as pdf:
        photo = pdf.pages[2].Resources.XObject.Photo
        assert (int(photo.Width), int(photo.Height)) == (2800, 2100)
        assert photo.Filter == "/DCTDecode"
        assert "/Info" not in pdf.trailer and "/Metadata" not in pdf.Root


def test_photo_that_cannot_be_read_joins_nothing(tmp_path, photo):
    broken = tmp_path / "broken"
    broken.write_bytes(photo.read_bytes()[:200])
    with pytest.raises(reading.Refused):
        reading.join([(photo, "image/jpeg"), (broken, "image/jpeg")], tmp_path / "joined.pdf")
    assert not (tmp_path / "joined.pdf").exists()


def test_long_join_holds_up_no_upload(photo, endless, tmp_path):
    with ThreadPoolExecutor() as pool:
        joins = pool.submit(
            reading.join, [(endless, "image/jpeg")], tmp_path / "joined.pdf", seconds=4
        )
        time.sleep(0.2)
        assert check(photo).width == 20
        assert not joins.done()
        with pytest.raises(reading.Refused):
            joins.result(10)
