"""
Drives the talk page through what goes wrong in calls: the caller interrupts, and the network goes away.

All by keyboard. Prints one JSON object: what a person at the page would have seen.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.async_api import Page, Route
from talk_browser import PATIENCE_MS, captions, say, talk_page

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.lossy_network import LossyRelay, lossy_relay

STORY = "One two three four five six seven eight nine ten. " * 4

WATCH = """
window.levels = [];
const dbfs = (side) => document.getElementById(side + "-level").value;
setInterval(() => window.levels.push([performance.now(), dbfs("mic"), dbfs("agent")]), 20);
window.told = [];
const status = document.getElementById("status");
new MutationObserver(() => window.told.push(status.textContent)).observe(status, { childList: true });
"""
"""Every level and every status that was shown, however briefly."""

NAMES = """
[...document.querySelectorAll("button, input, select, meter, [role]")].map((element) => [
  element.tagName.toLowerCase(),
  element.getAttribute("aria-label") ?? element.labels?.[0]?.textContent.trim() ?? element.textContent.trim(),
])
"""


async def main(task: dict[str, str]) -> None:
    """Hold the call and report it."""
    trouble = webrtc_trouble if task["transport"] == "webrtc" else websocket_trouble
    report = await trouble(task)
    sys.stdout.write(json.dumps(report))


async def webrtc_trouble(task: dict[str, str]) -> dict[str, object]:
    """The way breaks, and the connection finds another; then that breaks, and a new connection is made."""
    forgiven = ["ERR_FAILED", "Failed to load resource"]
    async with (
        lossy_relay(loss=0, jitter=0) as first,
        lossy_relay(loss=0, jitter=0) as second,
        lossy_relay(loss=0, jitter=0) as third,
        talk_page(task, forgiven=forgiven) as (page, faults),
    ):
        ways = iter([first, second, third])
        asked: list[str] = []
        restarting = True

        async def on_the_way(route: Route) -> None:
            request = route.request
            asked.append(request.method)
            if request.method == "DELETE" or request.post_data is None:
                return await route.continue_()
            if request.method == "PATCH" and not restarting:
                return await route.abort()
            return await reroute(route, next(ways))

        await page.route("**/v1/realtime/calls**", on_the_way)
        report = await interrupted(page)
        first.cut = True
        await back_again(page)
        report["after_restart"] = await answered(page, "Are you there?")
        restarting = False
        second.cut = True
        await back_again(page)
        report["after_renewal"] = await answered(page, "And now?")
        report["screenshot"] = await page.screenshot(path=task["screenshot"], full_page=True) != b""
        await hung_up(page, report)
        return {**report, "asked": [method for method in asked if method != "DELETE"], "faults": faults}


async def reroute(route: Route, way: LossyRelay) -> None:
    """Neither side learns an address of the other's but the relay's."""
    offer = "".join(
        line for line in route.request.post_data.splitlines(keepends=True) if "a=candidate:" not in line
    )
    answer = await route.fetch(post_data=offer)
    body = await answer.text()
    await route.fulfill(response=answer, body=way.reroute(body) if answer.ok else body)


async def websocket_trouble(task: dict[str, str]) -> dict[str, object]:
    """The socket breaks without a word."""
    async with (
        breakable(task["url"]) as (url, broken),
        talk_page(task, url=url, forgiven=["ERR_", "WebSocket"]) as (page, faults),
    ):
        report = await interrupted(page)
        broken()
        await back_again(page)
        report["after_renewal"] = await answered(page, "Are you there?")
        await page.screenshot(path=task["screenshot"], full_page=True)
        await hung_up(page, report)
        return {**report, "faults": faults}


@asynccontextmanager
async def breakable(url: str) -> AsyncIterator[tuple[str, object]]:
    """A way to the server by which all connections can be broken at once."""
    port = urlsplit(url).port
    open_now: set[asyncio.StreamWriter] = set()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        open_now.update((writer, far_writer))
        await asyncio.gather(pour(reader, far_writer), pour(far_reader, writer))

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
        except ConnectionError:
            pass
        writer.close()

    def broken() -> None:
        for writer in list(open_now):
            writer.transport.abort()
        open_now.clear()

    server = await asyncio.start_server(join, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", broken
    server.close()


async def interrupted(page: Page) -> dict[str, object]:
    """Open the call, let the agent tell a story, and wait until the microphone has cut it short."""
    await page.evaluate(WATCH)
    await page.focus("#talk")
    await page.keyboard.press("Enter")
    await page.wait_for_function("document.getElementById('status').textContent.startsWith('Connected')")
    names = await page.evaluate(NAMES)
    await say(page, STORY)
    await page.wait_for_selector("#captions .unheard", timeout=PATIENCE_MS)
    heard, unheard = await page.eval_on_selector(
        "#captions li:has(.unheard)",
        "line => [line.lastElementChild.firstChild.textContent, line.querySelector('.unheard').textContent]",
    )
    style = await page.eval_on_selector(
        "#captions .unheard", "span => getComputedStyle(span).textDecorationLine"
    )
    levels = await page.evaluate("window.levels")
    # The answer to the interruption has been given before the network breaks.
    await page.wait_for_selector("#captions .agent:nth-of-type(4)", timeout=PATIENCE_MS)
    await page.focus("#mute")
    await page.keyboard.press("Space")
    return {
        "heard": heard,
        "unheard": unheard,
        "unheard_style": style,
        "levels": levels,
        "nameless": [tag for tag, name in names if not name],
        "muted": await page.get_attribute("#mute", "aria-pressed"),
    }


async def back_again(page: Page) -> None:
    """Wait until the page has said that the line broke, and then that it is back."""
    for text in ("was lost", "Connected again"):
        await page.wait_for_function(
            "text => window.told.some((told) => told.includes(text))", arg=text, timeout=PATIENCE_MS
        )
    await page.evaluate("window.told = []")


async def answered(page: Page, text: str) -> list[str]:
    """What was asked and what came back, spoken: the agent's meter moves."""
    begun = await page.evaluate("window.levels.length")
    await say(page, text)
    await page.wait_for_function(
        "text => document.querySelector('#captions li.agent:last-child')?.textContent.includes(text)",
        arg=text,
        timeout=PATIENCE_MS,
    )
    await page.wait_for_function(
        "begun => window.levels.slice(begun).some(([, , agent]) => agent > -40)",
        arg=begun,
        timeout=PATIENCE_MS,
    )
    lines = await captions(page)
    return [said for _, said in lines[-2:]]


async def hung_up(page: Page, report: dict[str, object]) -> None:
    """A key of the keypad, and then the receiver, by keyboard."""
    await page.get_by_role("button", name="Key 5").focus()
    await page.keyboard.press("Enter")
    await page.wait_for_function(
        "[...document.querySelectorAll('#captions li.you')].some("
        "(li) => li.lastElementChild.textContent === '5')",
        timeout=PATIENCE_MS,
    )
    await page.get_by_role("button", name="Hang up").focus()
    await page.keyboard.press("Enter")
    report["status"] = await page.inner_text("#status")


asyncio.run(main(json.loads(sys.argv[1])))
