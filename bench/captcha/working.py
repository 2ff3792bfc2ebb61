"""Time a proof of work: for the server, for a program, and for a person's browser."""

import asyncio
import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from altcha.v2 import Challenge, Payload, solve_challenge
from playwright.async_api import Page, Route, async_playwright

from mipres.captcha.proofs import ProofsOfWork
from mipres.settings.model import Settings

_REPETITIONS = 15
_SCRIPT = Path(__file__).parents[2] / "static" / "js" / "proof.js"
_PAGE = """<!doctype html><form><fieldset data-proof>
<div data-proof-line><p data-proof-words></p><button type="button" data-proof-typing>-</button></div>
<div data-proof-code><input name="captcha"></div><input type="hidden" name="captcha_id" value="x">
</fieldset></form><script type="module" src="/proof.js"></script>"""
_BEGIN_AND_WAIT = """() => new Promise((done) => {
  const begun = performance.now();
  const words = document.querySelector("[data-proof-words]");
  new MutationObserver(() => words.textContent.startsWith("Comprobado") && done(performance.now() - begun))
    .observe(words, { childList: true });
  document.querySelector("[data-proof-typing]").focus();
})"""


def print_times() -> None:
    """Print the median of each side's work, in milliseconds."""
    proofs = ProofsOfWork(key=b"k" * 32, most_keys=Settings.model_fields["captcha_proof_keys"].default)
    works = [proofs.set_work("x" * 180) for _ in range(_REPETITIONS)]
    solved = [Payload(Challenge.from_dict(work), _solution(work)).to_base64() for work in works]
    print(f"proof of work, set by the server: {_median(lambda _: proofs.set_work('x' * 180), works):.1f} ms")
    print(f"proof of work, checked by the server: {_median(proofs.proven, solved):.2f} ms")
    print(f"proof of work, by a program on one core: {_median(_solution, works):.0f} ms")
    if browser := shutil.which("chromium"):
        times = asyncio.run(_browser_times(browser, proofs))
        print(
            f"proof of work, in Chromium: median {statistics.median(times):.0f} ms, longest {max(times):.0f} ms"
        )
    else:
        print("proof of work, in Chromium: not measured, because there is no chromium")


def _solution(work: dict[str, Any]) -> Any:
    return solve_challenge(Challenge.from_dict(work))


def _median(do: Callable[[Any], object], subjects: list[Any]) -> float:
    times = []
    for subject in subjects:
        began = time.perf_counter()
        do(subject)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


async def _browser_times(browser: str, proofs: ProofsOfWork) -> list[float]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = await chromium.new_page()
        await page.route("**/*", lambda route: _answer(route, proofs))
        times = [await _browser_time(page) for _ in range(_REPETITIONS)]
        await chromium.close()
    return times


async def _browser_time(page: Page) -> float:
    await page.goto("https://registro.test/")
    return float(await page.evaluate(_BEGIN_AND_WAIT))


async def _answer(route: Route, proofs: ProofsOfWork) -> None:
    address = route.request.url
    if "/captcha/prueba" in address:
        await route.fulfill(json=proofs.set_work("x" * 180))
    elif address.endswith("/proof.js"):
        await route.fulfill(body=_SCRIPT.read_text(encoding="utf-8"), content_type="text/javascript")
    else:
        await route.fulfill(body=_PAGE, content_type="text/html")
