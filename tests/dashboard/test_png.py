"""Pictures are made smaller, not others."""

import base64
from pathlib import Path

import pytest
import pytest_twisted

from tests.dashboard.browser import Browser
from tests.dashboard.png import repacked
from tests.dashboard.stage import Stage

PIXELS = """(async () => {
    const picture = new Image();
    picture.src = "data:image/png;base64,%s";
    await picture.decode();
    const canvas = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
    canvas.drawImage(picture, 0, 0);
    const pixels = canvas.getImageData(0, 0, picture.width, picture.height).data;
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", pixels));
    return `${picture.width}x${picture.height} ${digest}`;
})()"""


@pytest_twisted.ensureDeferred
async def test_a_repacked_picture_has_the_same_pixels_in_fewer_bytes(
    browser: Browser, stage: Stage, tmp_path: Path
) -> None:
    page = await browser.open(stage.url(), width=390, height=300)
    await page.until("document.querySelectorAll('.node').length === 3")
    await page.screenshot(tmp_path / "page.png", full=False)
    before = (tmp_path / "page.png").read_bytes()
    after = repacked(before)
    assert len(after) < len(before)
    seen = [await page.evaluate(PIXELS % base64.b64encode(png).decode()) for png in (before, after)]
    assert seen[0].startswith("390x300 ")
    assert seen[0] == seen[1]


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a PNG"):
        repacked(b"GIF89a")
