"""What a reader sees of every report and reply: on the stand-in's page, in a real browser."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Locator

from tests.browser.desk import Desk
from tests.browser.reader import Reader, reading
from tests.words.example_reports import REPLIES, REPORTS

pytestmark = pytest.mark.slow

TEXTS = {**REPORTS, **REPLIES}

FENCED = re.compile(r"^(`{3,})[^\n]*\n.*?^\1 *$", re.MULTILINE | re.DOTALL)
RULER = re.compile(r"^\|(?: *:?-+:? *\|)+$", re.MULTILINE)
FOLD = re.compile(r"<details( open)?>")
IMAGE = re.compile(r"!\[")
RAW = (
    "###",
    "|--",
    "| --",
    "```",
    "**",
    "](",
    "![",
    "<details",
    "</",
    "<summary",
    "<code",
    "&lt;",
    "&#",
)


@dataclass
class Shown:
    """All texts on one page."""

    reader: Reader
    threads: dict[str, int]

    def comment(self, name: str) -> Locator:
        """What a reader sees of a text."""
        return self.reader.page.locator(f"#thread-{self.threads[name]} .md")


@pytest.fixture(scope="module")
def shown(browser: Browser, desk: Desk) -> Iterator[Shown]:
    number = desk.pull_request()
    threads = {name: desk.say(number, report()) for name, report in TEXTS.items()}
    with reading(browser) as reader:
        reader.open(desk.page(number))
        yield Shown(reader, threads)


def outside_code(text: str) -> str:
    """What of a comment is read as Markdown, but for code in a line."""
    return FENCED.sub("", text)


@pytest.mark.parametrize("name", REPORTS)
def test_the_verdict_is_the_heading(shown: Shown, name: str) -> None:
    first = REPORTS[name]().splitlines()[0]

    heading = shown.comment(name).locator("h1, h2, h3").first

    assert letters(heading.inner_text()) == letters(re.sub(r"^#+ ", "", first))


@pytest.mark.parametrize("name", TEXTS)
def test_tables_are_tables_with_the_same_number_of_columns_in_each_row(
    shown: Shown, name: str
) -> None:
    wanted = [ruler.count("|") - 1 for ruler in RULER.findall(outside_code(TEXTS[name]()))]

    tables = shown.comment(name).locator("table")

    rows = tables.evaluate_all(
        "all => all.map(one => Array.from(one.rows, row => row.cells.length))"
    )
    assert [set(found) for found in rows] == [{columns} for columns in wanted]
    assert all(len(found) > 1 for found in rows)


@pytest.mark.parametrize("name", TEXTS)
def test_folds_are_open_or_closed_as_said_and_a_click_changes_it(shown: Shown, name: str) -> None:
    said = [bool(fold) for fold in FOLD.findall(outside_code(TEXTS[name]()))]

    folds = shown.comment(name).locator("details")

    assert folds.evaluate_all("all => all.map(one => one.open)") == said
    for number, was_open in enumerate(said):
        fold = folds.nth(number)
        summary, inside = fold.locator("> summary"), fold.locator("> :not(summary)").first
        assert summary.inner_text().strip()
        assert inside.is_visible() is was_open
        summary.click()
        assert inside.is_visible() is not was_open
        summary.click()
        assert inside.is_visible() is was_open


@pytest.mark.parametrize("name", TEXTS)
def test_no_raw_markdown_is_left(shown: Shown, name: str) -> None:
    read = shown.comment(name).evaluate(
        """comment => {
            const copy = comment.cloneNode(true)
            copy.querySelectorAll("code, pre").forEach(one => one.remove())
            return copy.textContent
        }"""
    )

    assert [one for one in RAW if one in read] == []


@pytest.mark.parametrize("name", TEXTS)
def test_pictures_are_seen(shown: Shown, name: str) -> None:
    pictures = shown.comment(name).locator("img")

    widths = pictures.evaluate_all("all => all.map(one => [one.naturalWidth, one.width, one.alt])")

    assert len(widths) == len(IMAGE.findall(outside_code(TEXTS[name]())))
    assert all(natural > 0 and 0 < width <= 820 and alt for natural, width, alt in widths)


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_to_other_pages_and_tell_them_nothing(shown: Shown, name: str) -> None:
    links = (
        shown.comment(name)
        .locator("a")
        .evaluate_all("all => all.map(one => [one.href, one.rel, one.innerText])")
    )

    assert all(
        address.startswith(("https://", "http://")) and text.strip() for address, _, text in links
    )
    assert {rel for _, rel, _ in links} <= {"noopener noreferrer"}


def test_nothing_is_wider_than_the_page_and_nobody_else_was_asked(shown: Shown) -> None:
    page = shown.reader.page

    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    shown.reader.is_content()


def letters(text: str) -> str:
    """What is left of a line when all that Markdown could mean is taken away."""
    return re.sub(r"[\s`*\\|]|&\w+;", "", text)
