"""Serves the built book on this machine: python tools/serve.py [--port 8000]."""

import argparse
import errno
import socket
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SITE = Path(__file__).parents[1] / "_build" / "html"


class BookHandler(SimpleHTTPRequestHandler):
    """Static files with the types that browsers insist on for modules, fonts and wasm.

    It keeps no log.
    """

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
        ".woff2": "font/woff2",
    }

    def log_message(self, format: str, *args: object) -> None:
        pass


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
