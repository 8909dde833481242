"""Takes a picture of the graph view of a run in a headless browser: `python -m proofs.airflow_picture --help`.

A picture that nobody can read is none: every task and every layer must be in it, under its whole name, in letters that can be read, and
with its state. The page is as Airflow serves it but for one line of style.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Page, sync_playwright
from proofs import places

WIDTH, HEIGHT = 1600, 800
LETTERS_MIN = 12
BYTES_MAX = 300_000
# The page asks a dozen questions before it draws, and the server may be busy.
WAIT_MS = 180_000
# No window, no sandbox of its own as root, and none of the browser's own traffic.
OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
# Airflow measures a name in regular letters and draws it in bold ones, so the end of a long one is cut off.
STYLE = ".react-flow__node a p { font-size: 14px; }"
# Each box that is drawn: its name, its state, how tall its letters are on the screen, whether it is on the screen and its name in it.
BOXES = """() => [...document.querySelectorAll(".react-flow__node")].map((node) => {
    const box = node.getBoundingClientRect(), name = node.querySelector("a p"), letters = document.createRange();
    letters.selectNodeContents(name);
    return {
        name: name.textContent,
        state: node.querySelector("[data-testid=state-badge]")?.textContent ?? "",
        height: parseFloat(getComputedStyle(name).fontSize) * box.width / node.offsetWidth,
        seen: box.left >= 0 && box.top >= 0 && box.right <= innerWidth && box.bottom <= innerHeight,
        whole: letters.getBoundingClientRect().right < box.right,
    };
})"""


def expected(dag: str) -> set[str]:
    """Returns the names of what must be in the picture: tasks, and their layers."""
    jobs = json.loads((places.ROOT / "dags" / "graph.json").read_text())["dags"][dag]["jobs"]
    return {job["job"] for job in jobs} | {f"{job['layer']}_layer" for job in jobs}


def opened(page: Page, address: str, dag: str, run: str) -> None:
    """Opens the graph of a run, with its layers open and the whole width for it, and waits until all of it is drawn."""
    layers = sorted(name for name in expected(dag) if name.endswith("_layer"))
    for name, value in {f"dag_view-{dag}": "graph", f"{dag}/open-groups": layers}.items():
        page.add_init_script(f"localStorage.setItem({json.dumps(name)}, {json.dumps(json.dumps(value))})")
    page.goto(f"{address}/dags/{dag}/runs/{quote(run)}", timeout=WAIT_MS)
    page.add_style_tag(content=STYLE)
    page.get_by_label("Collapse Details Panel").click(timeout=WAIT_MS)
    drawn = "(count) => document.querySelectorAll('.react-flow__node [data-testid=state-badge]').length === count"
    page.wait_for_function(drawn, arg=len(expected(dag)), timeout=WAIT_MS)
    # The panel slides away, and the graph is then fitted to what is left.
    page.wait_for_function(
        "document.querySelector('.react-flow').getBoundingClientRect().right > innerWidth - 40", timeout=WAIT_MS
    )
    page.get_by_label("Fit View").click()
    page.wait_for_function(_STILL, polling=500, timeout=WAIT_MS)


# Whether the graph is where it was when this was last asked.
_STILL = """() => {
    const now = document.querySelector(".react-flow__viewport").style.transform, before = window.seen;
    window.seen = now;
    return now === before;
}"""


def unreadable(boxes: list[dict], dag: str) -> list[str]:
    """Returns what is wrong with a picture in which these boxes are."""
    found = {box["name"]: box for box in boxes}
    problems = [f"`{name}` is not in the picture" for name in sorted(expected(dag) - set(found))]
    for name, box in found.items():
        problems += [f"`{name}` is cut off"] if not (box["seen"] and box["whole"]) else []
        problems += (
            [f"`{name}` has letters of {box['height']:.0f} px, fewer than {LETTERS_MIN}"] if box["height"] < LETTERS_MIN else []
        )
        problems += [f"`{name}` is shown as `{box['state']}`"] if box["state"] != "success" else []
    return problems


def main() -> int:
    """Takes the picture; 1 when it cannot be read."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--browser", required=True)
    parser.add_argument("--address", required=True, help="of Airflow")
    parser.add_argument("--dag", required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--to", type=Path, required=True)
    options = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.browser, args=OPTIONS)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        opened(page, options.address, options.dag, options.run)
        problems = unreadable(page.evaluate(BOXES), options.dag)
        page.screenshot(path=options.to)
        browser.close()
    size = options.to.stat().st_size
    problems += [f"it has {size} bytes, more than {BYTES_MAX}"] if size > BYTES_MAX else []
    for problem in problems:
        print(f"airflow-picture: {problem}")
    print(f"airflow-picture: {options.to}, {WIDTH}x{HEIGHT}, {size // 1000} kB: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
