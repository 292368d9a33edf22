"""From key press on the slider to the last repaint, in Chromium. `make bench` runs it."""

import statistics
import time

from tests.browser.conftest import sidebar_slider

# A change counts when the frame that shows it has been painted. The table's hidden copy for screen
# readers is updated 0.2 s after its picture, on purpose; only that is left out.
WATCH = """(place) => {
  window.__last = 0; window.__key = 0;
  new MutationObserver((changes) => {
    const inTable = c => (c.target.parentElement ?? c.target).closest('[data-testid=stDataFrame]');
    if (changes.every(inTable)) return;
    requestAnimationFrame(() => setTimeout(() => { window.__last = performance.now(); }));
  })
    .observe(document.querySelector(place),
             {subtree: true, childList: true, attributes: true, characterData: true});
  addEventListener('keydown', () => { window.__key = performance.now(); }, true);
}"""


def slider_latencies(
    page, moves: int = 30, settle: float = 1.0, place: str = "[data-testid=stMain]"
) -> list[float]:
    """Seconds from each key press to the last change of a part of the page."""
    page.evaluate(WATCH, place)
    slider = sidebar_slider(page).first
    slider.focus()
    taken = []
    for move in range(moves):
        page.keyboard.press("ArrowRight" if move % 30 < 15 else "ArrowLeft")
        time.sleep(settle)
        key, last = page.evaluate("() => [window.__key, window.__last]")
        taken.append((last - key) / 1000)
    return taken


ESTIMATES = """(before) => {
  const metrics = document.querySelectorAll('.st-key-columns [data-testid=stMetric]');
  const told = [...metrics].map(e => e.innerText);
  const shown = told.filter(text => text.startsWith('Test accuracy') && /\\d%/.test(text)).length;
  const budgets = told.filter(text => text.startsWith('Effective MACs'));
  const isNew = budgets.every(text => !before.includes(text));
  return shown === budgets.length && shown > 0 && isNew && [performance.now(), budgets];
}"""


def column_latencies(page, moves: int = 6) -> list[float]:
    """Seconds from each key press on Compare's slider until every column shows a new accuracy."""
    slider, taken = page.get_by_role("slider").first, []
    _, budgets = page.wait_for_function(ESTIMATES, arg=[], timeout=60_000).json_value()
    for _ in range(moves + 1):
        time.sleep(4)
        slider.focus()
        began = page.evaluate("() => performance.now()")
        page.keyboard.press("PageDown")  # ten steps: every column changes
        shown, budgets = page.wait_for_function(
            ESTIMATES, arg=budgets, polling="raf", timeout=60_000
        ).json_value()
        taken.append((shown - began) / 1000)
    return taken[1:]


def summary(taken: list[float]) -> tuple[float, float]:
    """Median and 95th percentile."""
    return statistics.median(taken), sorted(taken)[int(0.95 * (len(taken) - 1))]
