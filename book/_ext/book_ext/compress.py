"""Puts a gzipped copy beside each larger text of the book, for servers to send."""

import gzip
import os
from pathlib import Path

from sphinx.application import Sphinx

SUFFIXES = {".html", ".js", ".mjs", ".css", ".json", ".svg", ".wasm", ".zip", ".inv"}
SMALLEST = 1024  # bytes: below, a copy saves nothing


def compress(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.format != "html":
        return
    for file in Path(app.outdir).rglob("*"):
        if file.suffix not in SUFFIXES:
            continue
        found, packed = file.stat(), file.with_name(f"{file.name}.gz")
        if found.st_size < SMALLEST:
            packed.unlink(missing_ok=True)
        elif not packed.exists() or packed.stat().st_mtime_ns != found.st_mtime_ns:
            packed.write_bytes(gzip.compress(file.read_bytes(), 9, mtime=0))
            os.utime(packed, ns=(found.st_atime_ns, found.st_mtime_ns))


def setup(app: Sphinx) -> None:
    app.connect("build-finished", compress, priority=900)  # after all others
