"""The stand-in's page of a pull request, in a real browser: what Azure DevOps shows of comments is
shown.
"""

import re

import pytest
from playwright.sync_api import Browser

from tests.browser.desk import Desk
from tests.browser.reader import Reader, reading

pytestmark = pytest.mark.slow

HOSTILE = """\
<script>document.title = "taken"</script>
<img src=x onerror="document.title='taken'">
<svg onload="document.title='taken'"></svg>
<iframe src="http://elsewhere.example/"></iframe>
<style>body { display: none }</style>

[a link](javascript:document.title='taken') <a href="javascript:1">b</a>

</div></details></details><details class="card"><summary>Not a thread</summary>

<details><summary>never closed

![a beacon](http://elsewhere.example/beacon.png =10x10)
"""


def test_an_attached_picture_is_seen_in_the_size_that_was_asked_for(
    desk: Desk, reader: Reader
) -> None:
    number = desk.pull_request()
    thread = desk.say(
        number, "![a chart](chart.png =240x)\n\n![a chart](chart.png =x80)\n\n![a chart](chart.png)"
    )

    page = reader.open(desk.page(number))

    sizes = page.locator(f"#thread-{thread} img").evaluate_all(
        "all => all.map(one => [one.width, one.height])"
    )
    assert sizes[:2] == [[240, 80], [240, 80]]
    assert sizes[2][0] > 700


def test_likes_replies_emoji_and_edits_are_seen(desk: Desk, reader: Reader) -> None:
    number = desk.pull_request()
    thread = desk.say(number, "Passed :tada:")
    desk.say(number, "/mlops retry", thread, author="A. Kim")
    desk.azure.like(number, thread, 2, author="Signalman")
    desk.azure.edit_comment(number, thread, 1, "Running :hourglass:", author="Signalman")

    card = reader.open(desk.page(number)).locator(f"#thread-{thread}")

    assert card.locator(".md").all_inner_texts() == ["Running ⌛", "/mlops retry"]
    assert "👍 Signalman" in card.inner_text()
    assert "edited" in card.inner_text()
    assert "2 comments" in card.locator("summary").first.inner_text()


def test_a_resolved_thread_is_closed_until_it_is_clicked(desk: Desk, reader: Reader) -> None:
    number = desk.pull_request()
    thread = desk.say(number, "All is well")
    desk.azure.resolve(number, thread)

    card = reader.open(desk.page(number)).locator(f"#thread-{thread}")

    assert not card.locator(".md").is_visible()
    card.locator("summary").click()
    assert card.locator(".md").is_visible()


def test_nothing_in_a_hostile_comment_acts_nor_leaves_its_thread(
    desk: Desk, browser: Browser
) -> None:
    number = desk.pull_request()
    thread = desk.azure.comment(number, HOSTILE)
    after = desk.azure.comment(number, "Another thread")

    with reading(browser) as reader:
        page = reader.open(desk.page(number))
        card = page.locator(f"#thread-{thread}")

        assert re.match(r"!\d+ Try fewer rounds", page.title())
        assert page.locator("body").is_visible()
        assert (
            page.locator("script, iframe, svg, [onerror], [onload], a[href^=javascript]").count()
            == 0
        )
        assert page.locator(f"#thread-{after}").locator(f"#thread-{thread}").count() == 0
        assert page.locator("aside .card").first.is_visible()
        assert "Not a thread" in card.inner_text()
        # The picture from elsewhere is refused by the page's policy, before anybody is asked.
        assert all("Content Security Policy" in said for said in reader.complaints)
        assert card.locator("img").evaluate("one => one.naturalWidth") == 0
