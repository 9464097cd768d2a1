"""A mail server for tests."""

import socketserver
from typing import ClassVar


class Mail(socketserver.StreamRequestHandler):
    """A mail server that takes everything but what its script refuses."""

    refuse: ClassVar[dict[str, str]] = {}
    taken: ClassVar[list[bytes]] = []

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line.split()[0].decode().upper()
            if word in Mail.refuse:
                self.wfile.write(Mail.refuse[word].encode() + b"\r\n")
            elif word == "DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = iter(self.rfile.readline, b".\r\n")
                Mail.taken.append(b"".join(lines))
                self.wfile.write(b"250 ok\r\n")
            elif word == "QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 ok\r\n")
