"""
Drives the talk page in a real browser: presses Talk, speaks through the microphone, reads the captions.

Prints one JSON object: what a person at the page would have seen.
"""

from __future__ import annotations

import asyncio
import json
import sys

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
LOUD_DBFS = -40.0
PATIENCE_MS = 30_000


async def main(task: dict[str, str]) -> None:
    """Hold the call and report it."""
    faults: list[str] = []
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
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        await page.goto(task["url"])
        await page.fill("#key", task["key"])
        await page.click("#account button[type=submit]")
        await page.wait_for_function("!document.getElementById('talk').disabled")
        await page.select_option("#agent", task["agent"])
        await page.check(f"input[value={task['transport']}]")
        await page.click("#talk")
        report = await converse(page)
        await page.screenshot(path=task["screenshot"], full_page=True)
        await page.set_viewport_size({"width": 360, "height": 740})
        report["phone_overflow"] = await page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )
        await page.click("#hangup")
        report["status"] = await page.inner_text("#status")
        await browser.close()
    sys.stdout.write(json.dumps({**report, "faults": faults}))


async def converse(page: Page) -> dict[str, object]:
    """Wait for the answer to the spoken question, then ask another by keyboard."""
    heard = asyncio.create_task(loudest(page))
    await page.wait_for_selector("#captions .agent:nth-of-type(2)", timeout=PATIENCE_MS)
    await page.wait_for_function(
        "document.querySelector('[data-figure=gap]').textContent !== '–'", timeout=PATIENCE_MS
    )
    await page.fill("#text", "Thank you.")
    await page.click("#type button")
    await page.wait_for_selector("#captions .agent:nth-of-type(4)", timeout=PATIENCE_MS)
    await asyncio.sleep(1.0)  # let some of it be heard
    heard.cancel()
    lines = await page.eval_on_selector_all(
        "#captions li", "lines => lines.map(line => [line.className, line.lastElementChild.textContent])"
    )
    return {
        "captions": lines,
        "gap": await page.inner_text("[data-figure=gap]"),
        "loss": await page.inner_text("[data-figure=loss]"),
        "agent_was_loud": LOUD["agent"],
        "caller_was_loud": LOUD["mic"],
    }


LOUD = {"agent": False, "mic": False}


async def loudest(page: Page) -> None:
    """Watch the level meters."""
    while True:
        for side in LOUD:
            level: float = await page.evaluate(f"document.getElementById('{side}-level').value")
            LOUD[side] |= level > LOUD_DBFS
        await asyncio.sleep(0.05)


asyncio.run(main(json.loads(sys.argv[1])))
