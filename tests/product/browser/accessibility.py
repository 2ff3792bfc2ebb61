"""What every page must be for everybody.

Judged by axe, by measuring, and at the width of a phone.
"""

from typing import Any

from axe_playwright_python.async_playwright import Axe

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
_TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


async def examine(visitor: Visitor, name: str) -> None:
    """No violation, no small control and no sideways scrolling, at both widths."""
    for viewport in (PHONE, DESKTOP):
        await visitor.page.set_viewport_size({"width": viewport["width"], "height": viewport["height"]})
        where = f"{name}, {viewport['width']} px"
        assert await _violations(visitor) == [], where
        assert await visitor.page.evaluate(_SMALL_CONTROLS) == [], where
        assert await visitor.page.evaluate(_TOO_WIDE) == 0, where


async def _violations(visitor: Visitor) -> list[str]:
    if not await visitor.page.evaluate("() => 'axe' in window"):
        await visitor.page.evaluate(_AXE.axe_script)
    found: dict[str, Any] = await visitor.page.evaluate("options => axe.run(options)", _OPTIONS)
    return [f"{one['id']}: {node['html'][:200]}" for one in found["violations"] for node in one["nodes"]]
