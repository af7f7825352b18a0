"""A browser, one for this folder, and what it looks at: a stand-in Azure DevOps without a bot."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.desk import Desk, open_desk
from tests.browser.reader import CHROMIUM, Reader, found, launched, reading


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. It ends with this folder: while it is there, no other test could run an
    event loop.
    """
    if not found():
        pytest.skip(f"There is no {CHROMIUM}; .ci/chromium gets it from Debian's packages.")
    with launched() as started:
        yield started


@pytest.fixture
def reader(browser: Browser) -> Iterator[Reader]:
    """Somebody who looks at pages, of which the browser must have nothing to complain; nothing
    leaves this machine.
    """
    with reading(browser) as one:
        yield one
    one.is_content()


@pytest.fixture(scope="package")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A stand-in with a small repository."""
    with open_desk(tmp_path_factory.mktemp("desk")) as started:
        yield started
