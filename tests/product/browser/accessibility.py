"""What every page must be for everybody.

Judged by axe and by measuring: on a phone and on a desk, with JavaScript and without.
"""

from collections.abc import Collection
from typing import Any

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, ViewportSize

from tests.product.browser.pictures import document, leave
from tests.product.browser.reader import faults_of, heard
from tests.product.browser.states import route_of
from tests.product.browser.visitor import DESKTOP, PHONE, Visitor

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_AXE = Axe()
_OPTIONS = {"runOnly": {"type": "tag", "values": list(RULES)}, "resultTypes": ["violations"]}
# Links within a sentence are exempt in WCAG 2.2 (2.5.8) too: a line of text has its own height.
_SMALL_CONTROLS = """() => {
  const visible = (e) => e.checkVisibility() && e.getBoundingClientRect().width > 2;
  const inSentence = (e) => e.matches("a") && getComputedStyle(e).display === "inline"
      && e.closest("p, li, dd").innerText.trim() !== e.innerText.trim();
  return [...document.querySelectorAll("a, button, input, select, summary")]
    .filter((e) => visible(e) && !inSentence(e))
    .map((e) => [e, (e.matches("[type=radio], [type=checkbox]") ? e.closest(".choice") : e.closest(".card") || e).getBoundingClientRect()])
    .filter(([, box]) => Math.round(box.height) < 44 || Math.round(box.width) < 44)
    .map(([e, box]) => `${e.outerHTML.slice(0, 120)} ${Math.round(box.width)}×${Math.round(box.height)}`);
}"""
# A radicado or a date over two lines is read, and copied, wrongly.
_BROKEN = """() => {
  const texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT), found = [];
  while (texts.nextNode()) {
    for (const match of texts.currentNode.data.matchAll(/RM-[0-9A-Z]{12}|\\d{4}-\\d\\d-\\d\\d/g)) {
      const range = new Range();
      range.setStart(texts.currentNode, match.index);
      range.setEnd(texts.currentNode, match.index + match[0].length);
      if (new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > 1) found.push(match[0]);
    }
  }
  return found;
}"""
_UNEVEN_BUTTONS = """() => [...document.querySelectorAll(".buttons")]
  .map((row) => [...row.querySelectorAll(".button")].filter((e) => e.checkVisibility()))
  .filter((row) => new Set(row.map((e) => Math.round(e.getBoundingClientRect().width))).size > 1)
  .map((row) => row.map((e) => `${e.innerText} ${e.getBoundingClientRect().width}`).join(", "))"""
_SPILLED = """() => [...document.querySelectorAll("main *")]
  .filter((e) => e.checkVisibility() && e.clientWidth > 2 && e.scrollWidth > e.clientWidth + 1)
  .filter((e) => getComputedStyle(e).overflowX === "visible" && !e.matches("svg, svg *, .visually-hidden"))
  .map((e) => `${e.outerHTML.slice(0, 120)} ${e.scrollWidth} > ${e.clientWidth}`)"""
_ALONE = """() => [...document.querySelectorAll("main a.button")]
  .filter((e) => !e.closest(".buttons")).map((e) => e.innerText)"""
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


async def examine(visitor: Visitor, name: str) -> None:
    """Judge a state in every manner in which people may have it before them.

    axe costs the most by far: it judges each state at both widths and in both manners, but not in all four
    pairs of these. A page that its scripts leave as it was sent is the same in both manners.
    """
    route = route_of(name)
    assert route.matches(visitor.page.url), f"{name} is at {visitor.page.url}, not at {route.path}"
    await document(visitor.page, name)
    if await visitor.is_as_sent():
        await _judge(visitor.page, name, axe_at=(PHONE, DESKTOP))
    else:
        await _judge(visitor.page, name, axe_at=(PHONE,))
        async with visitor.without_scripts() as plain:
            await _judge(plain, f"{name}-plain", axe_at=(DESKTOP,))
    assert faults_of(await heard(visitor.page)) == [], name


async def _judge(page: Page, name: str, *, axe_at: Collection[ViewportSize]) -> None:
    """Measure a page at both widths, and let axe judge it at some."""
    for viewport in (PHONE, DESKTOP):
        await page.set_viewport_size(viewport)
        where = f"{name}, {viewport['width']} px"
        await leave(page, f"{name}-{viewport['width']}")
        if viewport in axe_at:
            assert await _violations(page) == [], where
        assert await page.evaluate(_SMALL_CONTROLS) == [], where
        assert await page.evaluate(TOO_WIDE) == 0, where
        assert await page.evaluate(_BROKEN) == [], where
        assert await page.evaluate(_SPILLED) == [], where
        assert await page.evaluate(_UNEVEN_BUTTONS) == [], where
        assert await page.evaluate(_ALONE) == [], where


async def _violations(page: Page) -> list[str]:
    if not await page.evaluate("() => 'axe' in window"):
        await page.evaluate(_AXE.axe_script)
    found: dict[str, Any] = await page.evaluate("options => axe.run(options)", _OPTIONS)
    return [f"{one['id']}: {node['html'][:200]}" for one in found["violations"] for node in one["nodes"]]
