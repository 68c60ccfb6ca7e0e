"""Puts a gzipped copy beside each larger text of the book, for servers to send."""

import gzip
from pathlib import Path

from sphinx.application import Sphinx

SUFFIXES = {".html", ".js", ".mjs", ".css", ".json", ".svg", ".wasm", ".zip", ".inv"}
SMALLEST = 1024  # bytes: below, a copy saves nothing


def compress(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.format != "html":
        return
    for file in Path(app.outdir).rglob("*"):
        if file.suffix not in SUFFIXES or file.stat().st_size < SMALLEST:
            continue
        packed = file.with_name(f"{file.name}.gz")
        if packed.exists() and packed.stat().st_mtime >= file.stat().st_mtime:
            continue
        packed.write_bytes(gzip.compress(file.read_bytes(), 9, mtime=0))


def setup(app: Sphinx) -> None:
    app.connect("build-finished", compress, priority=900)  # after all others
