"""A real nginx on its own ports, with the project's deploy/nginx.conf or with a server of the caller's."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
OPENSSL = shutil.which("openssl")
DEPLOYED = Path(__file__).parents[1] / "deploy" / "nginx.conf"
_MAIN = """\
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/main.log notice;
events {{}}
http {{
    default_type application/octet-stream;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {servers}
}}
"""


@contextmanager
def running_nginx(folder: Path, servers: str, *, as_worker: bool = True) -> Iterator[None]:
    """nginx with this text in its http section, until the end. Its files lie in `folder`.

    Where it is started by root it works as www-data, as Debian has it; as root without `as_worker`.
    """
    assert NGINX
    user = f"user {worker() if as_worker else 'root'};" if os.geteuid() == 0 else ""
    config = folder / "main.conf"
    config.write_text(_MAIN.format(user=user, folder=folder, servers=servers))
    command = [NGINX, "-p", str(folder), "-e", str(folder / "main.log"), "-c", str(config)]
    process = subprocess.Popen(command)
    try:
        for _try in range(100):
            assert process.poll() is None, (folder / "main.log").read_text()
            if (folder / "nginx.pid").exists():
                break
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(20)


def worker() -> str:
    """The login that an nginx started by root works as."""
    try:
        return pwd.getpwnam("www-data").pw_name
    except KeyError:
        return "root"


def deployed(places: Mapping[str, str]) -> str:
    """deploy/nginx.conf with other addresses and paths, and nothing else, put in their places."""
    text = DEPLOYED.read_text()
    for written, ours in places.items():
        assert written in text, f"{DEPLOYED} does not hold {written!r} any more"
        text = text.replace(written, ours)
    assert "/var/" not in "".join(line.partition("#")[0] for line in text.splitlines())
    return text


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate that `name` and 127.0.0.1 signed for themselves, and its key."""
    assert OPENSSL
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *[OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
            *["-nodes", "-days", "2", "-subj", f"/CN={name}"],
            *["-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1"],
            *["-keyout", str(key), "-out", str(certificate)],
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key
