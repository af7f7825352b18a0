"""`make screenshots`: the pictures of reports in `docs/`, taken of the stand-in's page in a browser."""

import io
import tempfile
from pathlib import Path

import click
from PIL import Image

from tests.browser.desk import open_desk
from tests.browser.reader import launched, reading
from tests.words.example_reports import REPORTS

DOCS = Path(__file__).parents[2] / "docs"
TAKEN = {"passed": "passed", "refused": "failed_metric_missing", "failed": "failed", "bad-branch": "bad_branch"}
"""Name of the picture -> name of the report."""

SCALE = 1.3
"""A thread is some 850 pixels wide on the page; its picture has 1,100."""


def take() -> list[Path]:
    """Write the pictures; gives where they are."""
    written = []
    with tempfile.TemporaryDirectory() as root, open_desk(Path(root)) as desk, launched() as browser:
        for name, report in TAKEN.items():
            number = desk.pull_request()
            thread = desk.say(number, REPORTS[report]())
            with reading(browser, SCALE) as reader:
                page = reader.open(desk.page(number))
                picture = page.locator(f"#thread-{thread}").screenshot(animations="disabled")
                reader.is_content()
            place = DOCS / f"report-{name}.png"
            place.write_bytes(_small(picture))
            written.append(place)
    return written


def _small(picture: bytes) -> bytes:
    """The same with 256 colours, which nobody sees in a page of text, in a third of the bytes."""
    sent = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(
        sent, "PNG", optimize=True
    )
    return sent.getvalue()


if __name__ == "__main__":
    for place in take():
        click.echo(f"{place.relative_to(DOCS.parent)}: {place.stat().st_size // 1000} kB")
