"""Debian's Chromium, and somebody who looks at pages in it; no browser is downloaded."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def found() -> bool:
    """Whether there is a browser on this machine."""
    return os.access(CHROMIUM, os.X_OK)


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Reader:
    """Looks at pages. `complaints` are what the browser said against them, `asked` the hosts it
    turned to.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(5000)
        self.page.on(
            "console",
            lambda said: self.complaints.append(said.text) if said.type != "log" else None,
        )
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "request",
            lambda request: self.asked.add(urlsplit(request.url).hostname or request.url[:5]),
        )

    def open(self, url: str) -> Page:
        """Go to a page and wait for all that is on it."""
        self.page.goto(url, wait_until="load")
        return self.page

    def is_content(self) -> None:
        """Fail where the browser had something to complain, or turned to anybody but this
        machine.
        """
        assert self.complaints == []
        assert self.asked <= {"127.0.0.1", "data:"}


@contextlib.contextmanager
def reading(browser: Browser, scale: float = 1.0) -> Iterator[Reader]:
    """A reader with a fresh profile; `scale` is how many pixels its screen has to one of a page."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 900},
        device_scale_factor=scale,
        locale="en-GB",
        timezone_id="UTC",
    )
    try:
        yield Reader(context.new_page())
    finally:
        context.close()
