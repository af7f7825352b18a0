"""`make screenshots`: the pictures of reports in `docs/`, taken of the stand-in's page in a
browser.
"""

import io
import tempfile
from pathlib import Path

import click
from matplotlib.figure import Figure
from PIL import Image

from bot.pictures.chart import chart
from bot.pictures.harmless import reencoded
from tests.browser.desk import open_desk
from tests.browser.reader import launched, reading
from tests.words.example_reports import REPORTS

DOCS = Path(__file__).parents[2] / "docs"
TAKEN = {"passed": "passed", "refused": "refused", "failed": "failed", "bad-branch": "bad_branch"}
"""Name of the picture -> name of the report."""

HISTORY = (0.751, 0.738, 0.744, 0.729, 0.735, 0.731, 0.724, 0.728, 0.725, 0.721)

SCALE = 1.3
"""A thread is some 850 pixels wide on the page; its picture has 1,100."""


def take() -> list[Path]:
    """Write the pictures; gives where they are."""
    written = []
    with (
        tempfile.TemporaryDirectory() as root,
        open_desk(Path(root)) as desk,
        launched() as browser,
    ):
        for name, report in TAKEN.items():
            number = desk.pull_request()
            thread = desk.say(number, REPORTS[report](), pictures=_pictures(report))
            if report == "passed":
                desk.azure.resolve(number, thread)
            with reading(browser, SCALE) as reader:
                card = reader.open(desk.page(number)).locator(f"#thread-{thread}")
                # A resolved thread is folded.
                card.evaluate("one => one.open = true")
                picture = card.screenshot(animations="disabled")
                reader.is_content()
            place = DOCS / f"report-{name}.png"
            place.write_bytes(_small(picture))
            written.append(place)
    return written


def _pictures(report: str) -> list[bytes]:
    """What the report's runs drew, with the numbers that it tells."""
    value = 0.802 if report == "refused" else 0.712
    drawn = chart("rmse", "lower", HISTORY, value, 0.7446, 0.73, "main")
    return [drawn] if report == "refused" else [drawn, _by_quantile()]


def _by_quantile() -> bytes:
    figure = Figure(figsize=(9, 3), dpi=150, layout="tight")
    axes = figure.add_subplot()
    axes.bar(
        ["lowest", "2", "3", "4", "5", "6", "7", "highest"],
        [0.81, 0.72, 0.65, 0.62, 0.63, 0.68, 0.74, 0.83],
    )
    axes.set(ylabel="rmse", title="rmse by quantile of quality")
    axes.spines[["top", "right"]].set_visible(False)
    sent = io.BytesIO()
    figure.savefig(sent, format="png")
    picture = reencoded(sent.getvalue())
    assert picture is not None
    return picture


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
