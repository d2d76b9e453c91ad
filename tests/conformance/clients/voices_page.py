"""
Drives the voices page in a real browser: uploads, waits, reads the report, plays, assigns, and goes to talk.

Prints one JSON object: what a person at the page would have seen.
"""

from __future__ import annotations

import asyncio
import json
import sys

from playwright.async_api import async_playwright
from talk_browser import FLAGS, PATIENCE_MS


async def main(task: dict[str, str]) -> None:
    """Make a voice and give it to the agent."""
    faults: list[str] = []
    report: dict[str, object] = {}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=task["browser"], args=list(FLAGS))
        page = await browser.new_page(viewport={"width": 1100, "height": 1000})
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        await page.goto(f"{task['url']}/voices.html")
        await page.fill("#key", task["key"])
        await page.click("#account button[type=submit]")
        await page.wait_for_selector("#voices tr")
        await page.fill("#name", "Ava — brand voice")
        await page.set_input_files("#file", task["bad"])
        await page.click("#check")
        await page.wait_for_selector(".verdict")
        report["bad_verdict"] = await page.inner_text(".verdict")
        report["bad_fixes"] = await page.locator("#report .fixes li").count()

        await page.set_input_files("#file", task["good"])
        await page.click("#upload button[type=submit]")
        await page.wait_for_function("document.getElementById('status').textContent.endsWith('is ready.')")
        report["verdict"] = await page.inner_text(".verdict")
        report["figures"] = await page.locator("#report tbody tr").count()
        report["picture"] = await page.eval_on_selector(
            "#report img", "image => image.decode().then(() => image.naturalWidth)"
        )
        report["row"] = await page.locator("#voices tr").first.locator("td").all_inner_texts()

        await page.click("#voices tr:first-child button:has-text('Play')")
        await page.wait_for_function("document.getElementById('player').currentTime > 0.2")
        await page.select_option("#agent", task["agent"])
        await page.click("#voices tr:first-child button:has-text('Assign')")
        await page.wait_for_selector("#voices tr:first-child[aria-current]")
        report["status"] = await page.inner_text("#status")
        report["voice"] = await page.get_attribute("#voices tr:first-child", "data-voice")
        await page.screenshot(path=task["screenshot"], full_page=True)
        await page.set_viewport_size({"width": 360, "height": 740})
        report["phone_overflow"] = await page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )
        await page.screenshot(path=task["screenshot"].replace(".png", "-phone.png"), full_page=True)
        await page.click("nav a:has-text('Talk')")
        await page.wait_for_function("!document.getElementById('talk').disabled")
        await browser.close()
    sys.stdout.write(json.dumps({**report, "faults": faults}))


asyncio.run(main(json.loads(sys.argv[1])))
