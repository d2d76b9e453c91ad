"""The talk page in a real browser, with an account and an agent chosen: what every visit begins with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from playwright.async_api import Page, async_playwright

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
)

PATIENCE_MS = 30_000


@asynccontextmanager
async def talk_page(
    task: dict[str, str], *, url: str | None = None, forgiven: Sequence[str] = ()
) -> AsyncIterator[tuple[Page, list[str]]]:
    """
    The page, ready for Talk, and the list of what it complains of.

    Args:
        url: Instead of the task's.
        forgiven: Complaints that hold one of these are not noted.
    """
    faults: list[str] = []

    def note(text: str) -> None:
        if not any(known in text for known in forgiven):
            faults.append(text)

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=task["browser"],
            # The page's own meters are what hears the agent here.
            ignore_default_args=["--mute-audio"],
            args=[*FLAGS, f"--use-file-for-fake-audio-capture={task['microphone']}%noloop"],
        )
        context = await browser.new_context(
            permissions=["microphone"], viewport={"width": 1100, "height": 900}
        )
        page = await context.new_page()
        page.on("console", lambda message: note(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: note(str(error)))
        await page.goto(url or task["url"])
        await page.fill("#key", task["key"])
        await page.click("#account button[type=submit]")
        await page.wait_for_function("!document.getElementById('talk').disabled")
        await page.select_option("#agent", task["agent"])
        await page.check(f"input[value={task['transport']}]")
        yield page, faults
        await browser.close()


async def captions(page: Page) -> list[list[str]]:
    """Who said what, line by line."""
    found: list[list[str]] = await page.eval_on_selector_all(
        "#captions li", "lines => lines.map(line => [line.className, line.lastElementChild.textContent])"
    )
    return found


async def say(page: Page, text: str) -> None:
    """Type it."""
    await page.fill("#text", text)
    await page.press("#text", "Enter")
