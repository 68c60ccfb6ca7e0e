"""Serves the built book on this machine: python tools/serve.py [--port 8000]."""

import argparse
import errno
import json
import socket
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SITE = Path(__file__).parents[1] / "_build" / "html"


class BookHandler(SimpleHTTPRequestHandler):
    """Static files, gzipped where the build left such a copy, with the book's policy.

    Types are those that browsers insist on for modules, fonts and wasm. Browsers ask
    each time whether a file has changed. It keeps no log.
    """

    protocol_version = "HTTP/1.1"  # one connection for many files
    # Headers and body are two packets: the second is not to wait for an acknowledgement
    # of the first, which a browser delays by 40 ms.
    disable_nagle_algorithm = True
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
        ".woff2": "font/woff2",
        ".zip": "application/zip",
    }
    is_packed = False

    def translate_path(self, path: str) -> str:
        found = super().translate_path(path)
        if Path(found).is_dir():
            return found
        accepted = self.headers.get("Accept-Encoding", "")
        self.is_packed = (
            "gzip" in accepted
            and Path(found).is_file()
            and Path(f"{found}.gz").is_file()
        )
        return f"{found}.gz" if self.is_packed else found

    def guess_type(self, path: str) -> str:  # type: ignore[override]
        return super().guess_type(path.removesuffix(".gz") if self.is_packed else path)

    def end_headers(self) -> None:
        # A request that cannot be read has no path.
        path = getattr(self, "path", "").partition("?")[0].lstrip("/")
        headers = policy()
        for name, value in (headers.get("*", {}) | headers.get(path, {})).items():
            self.send_header(name, value)
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Vary", "Accept-Encoding")
        if self.is_packed:
            self.send_header("Content-Encoding", "gzip")
            self.is_packed = False
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def policy() -> dict[str, dict[str, str]]:
    """What to send with each file: the build writes it beside the pages, at its end."""
    file = SITE / "headers.json"
    found: dict[str, dict[str, str]] = (
        json.loads(file.read_text()) if file.exists() else {}
    )
    return found


def book_server(port: int) -> ThreadingHTTPServer:
    """A server of the built book on 127.0.0.1; port 0 takes any free one."""
    return ThreadingHTTPServer(
        ("127.0.0.1", port), partial(BookHandler, directory=str(SITE))
    )


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--port", type=int, default=8000)
    port = parser.parse_args().port
    if not 0 < port < 65536:
        print(f"PORT is {port}: it must be 1 to 65535.", file=sys.stderr)
        return 1
    try:
        server = book_server(port)
    except OSError as error:
        if error.errno == errno.EACCES:
            print(f"Port {port} is reserved: choose one above 1023.", file=sys.stderr)
            return 1
        if error.errno != errno.EADDRINUSE:
            raise
        print(
            f"Port {port} is in use. Choose another: make book PORT={free_port()}",
            file=sys.stderr,
        )
        return 1
    print(f"The book is at http://127.0.0.1:{port}/ (stop with Ctrl-C)", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
