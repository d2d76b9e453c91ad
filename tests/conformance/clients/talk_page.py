"""
Drives the talk page in a real browser: presses Talk, speaks through the microphone, reads the captions.

Prints one JSON object: what a person at the page would have seen.
"""

from __future__ import annotations

import asyncio
import json
import sys

from playwright.async_api import Page
from talk_browser import PATIENCE_MS, captions, say, talk_page

LOUD_DBFS = -40.0

TALK = """() => {
  document.getElementById("talk").click();
  return ["mute", "hangup", "text", "send", "keypad"].filter((id) => !document.getElementById(id).disabled);
}"""
"""Press Talk; what can be used while it rings."""


async def main(task: dict[str, str]) -> None:
    """Hold the call and report it."""
    async with talk_page(task) as (page, faults):
        await page.evaluate(TALK)
        await page.click("#hangup")
        hung_up = await page.inner_text("#status")
        ringing = await page.evaluate(TALK)
        report = {**await converse(page), "hung_up_while_ringing": hung_up, "usable_while_ringing": ringing}
        await page.screenshot(path=task["screenshot"], full_page=True)
        await page.set_viewport_size({"width": 360, "height": 740})
        report["phone_overflow"] = await page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )
        await page.screenshot(path=task["screenshot"].replace(".png", "-phone.png"), full_page=True)
        await page.click("#hangup")
        report["status"] = await page.inner_text("#status")
        report["level_afterwards"] = await page.evaluate("document.getElementById('agent-level').value")
    sys.stdout.write(json.dumps({**report, "faults": faults}))


async def converse(page: Page) -> dict[str, object]:
    """Wait for the answer to the spoken question, then ask another by keyboard."""
    heard = asyncio.create_task(loudest(page))
    await page.wait_for_selector("#captions .agent:nth-of-type(2)", timeout=PATIENCE_MS)
    await page.wait_for_function(
        "document.querySelector('[data-figure=gap]').textContent !== '–'", timeout=PATIENCE_MS
    )
    await say(page, "Thank you.")
    await page.wait_for_selector("#captions .agent:nth-of-type(4)", timeout=PATIENCE_MS)
    await asyncio.sleep(1.0)  # let some of it be heard
    heard.cancel()
    return {
        "captions": await captions(page),
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
