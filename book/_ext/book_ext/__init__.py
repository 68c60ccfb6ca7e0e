"""The book's Sphinx extension: pages quote numbers, claims and plots from where they
are made.

    {measured}            a number from a lab's stored outputs or a recorded benchmark
    {predicted-measured}  predictions beside measurements, a block for each device
    {claims}              a chapter's checked claims, from <chapter>.claims.yml
    {lab-figure}          a plot from a lab's stored outputs
    {explorable}          a live figure, whose Python runs in the reader's browser
    {chapter-map}         the parts and chapters, those to come marked so

A name that does not exist fails the build. `assets` puts mathematics and fonts on the
book's own host, `runtime` the Python of the explorables; `security` writes the policy
that keeps pages to that host, `compress` gzipped copies for servers to send.
"""

from sphinx.application import Sphinx

from book_ext import (
    assets,
    chapter_map,
    claims,
    compress,
    explorables,
    figures,
    quantities,
    security,
)

FEATURES = (
    assets,
    chapter_map,
    claims,
    figures,
    quantities,
    explorables,
    security,
    compress,
)


def setup(app: Sphinx) -> dict[str, object]:
    for feature in FEATURES:
        feature.setup(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
