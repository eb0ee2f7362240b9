"""A mail server that can be down: as much of SMTP (RFC 5321) as a client needs to deliver."""

from __future__ import annotations

import socketserver
import threading
import time
from email import message_from_bytes, policy
from email.message import EmailMessage

from tests.real_portal import free_port


class MailServer:
    def __init__(self) -> None:
        self.port = free_port()
        self.mails: list[EmailMessage] = []
        self._server: socketserver.ThreadingTCPServer | None = None

    def start(self) -> None:
        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", self.port), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def to(self, address: str) -> list[EmailMessage]:
        return [mail for mail in self.mails if mail["To"] == address]

    def next_to(self, address: str, after: int, seconds: float = 15) -> EmailMessage:
        """The mail to `address` that follows the first `after` ones."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if len(self.to(address)) > after:
                return self.to(address)[after]
            time.sleep(0.05)
        raise AssertionError(f"no new mail to {address}")


def _handler(kept: MailServer) -> type[socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 here")
            while line := self.rfile.readline():
                word = line[:4].upper().strip()
                if word == b"DATA":
                    self.say("354 go on")
                    self.take()
                self.say("221 bye" if word == b"QUIT" else "250 fine")

        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def take(self) -> None:
            lines = []
            while (line := self.rfile.readline()).rstrip() != b".":
                lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
            mail = message_from_bytes(b"".join(lines), policy=policy.default)
            kept.mails.append(mail)  # type: ignore[arg-type] # what this policy makes

    return Handler
