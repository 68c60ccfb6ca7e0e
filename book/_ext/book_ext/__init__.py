"""The book's Sphinx extension: pages quote numbers, claims and plots from where they
are made.

    {measured}            a number from a lab's stored outputs or from a recorded
    benchmark, by name {predicted-measured}  a table of predictions beside measurements,
    a block for each device {claims}              a chapter's checked claims, from
    <chapter>.claims.yml beside the page {lab-figure}          a plot from a lab's
    stored outputs {chapter-map}         the parts and chapters, those to come marked so

A name that does not exist fails the build. `assets` puts mathematics and fonts on the
book's own host.
"""

from sphinx.application import Sphinx

from book_ext import assets, chapter_map, claims, figures, quantities

FEATURES = (assets, chapter_map, claims, figures, quantities)


def setup(app: Sphinx) -> dict[str, object]:
    for feature in FEATURES:
        feature.setup(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
