"""Looks at the report in a headless browser: `python -m proofs.report --browser CHROMIUM [--lake DIR]` (ci/report starts it).

Four pages are looked at, each at two sizes, light and dark: the report of the lake; of the same lake after a run that failed with
a text that is markup; of a lake with nothing in it; and the first one again with markup in every text of its data.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import time
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from proofs import places

FOLDER = places.HOME / "report"
SIZES = ((1280, 800), (390, 844))
SCHEMES = ("light", "dark")
PROGRAM = places.HOME / "bin" / "run-pipeline"
EVIL = "<script>window.hacked=1</script><b>"
# Texts of the data that a page looks up: markup in them would only take the page's own words away.
STRUCTURE = {
    "state", "work", "layer", "severity", "made_at", "exit", "window", "from", "to", "before", "as_of_date", "month", "day",
}  # fmt: skip
INSPECTION = Path(__file__).with_name("report_page.js").read_text()
# No window, no sandbox of its own as root, and none of the browser's own traffic.
OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def written(lake: Path, name: str, *more: str) -> Path:
    """Writes a report with the real program; returns the file."""
    file = FOLDER / f"{name}.html"
    command = [str(PROGRAM), "report", "--lake", str(lake), "--contracts", str(places.CONTRACTS), "--to", str(file), *more]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return file


def failed_lake(lake: Path) -> Path:
    """Returns a copy of what the report reads of a lake, in which a gate has failed with a text that is markup."""
    copy = FOLDER / "lake-failed"
    shutil.rmtree(copy, ignore_errors=True)
    for part in ("ops", "gold"):
        shutil.copytree(lake / part, copy / part)
    note = max((copy / "ops" / "pipelines").glob("*.json"), key=lambda file: file.stem.split("_")[1])
    document = json.loads(note.read_text())
    steps = document["steps"]
    gate = next(step for step in steps if step["program"] == "dq-check" and step["table"] == "silver_orders")
    gate |= {"state": "failed", "outcome": None, "exit": 65, "why": f"failed to pass `silver_orders`: {EVIL}"}
    for step in steps:
        if step["table"].startswith("gold_"):
            step |= {"state": "not_run", "outcome": None, "exit": None, "why": "dq-check silver_orders", "duration_ms": None}
    note.write_text(json.dumps(document | {"exit": "data"}))
    return copy


def island(file: Path) -> tuple[str, dict]:
    """Returns the data of a report, as it stands in the file and as an object."""
    text = re.search(r'id="data">(.*?)</script>', file.read_text(), re.DOTALL).group(1)
    return text, json.loads(text)


def planted(value: object, key: str = "") -> object:
    """Returns data with markup behind every text that people may have typed; equal texts stay equal."""
    if isinstance(value, dict):
        return {name: planted(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [planted(inner, key) for inner in value]
    plain = key in STRUCTURE or not isinstance(value, str) or re.fullmatch(r"-?[\d.]+", value)
    return value if plain else value + EVIL


def planted_page(file: Path) -> Path:
    """Writes the report once more, with markup in its data."""
    text, data = island(file)
    data = planted(data)
    # The means are looked up by the names of the layers.
    for layer in (*data["flow"]["layers"], *data["quality"]["layers"], *(one for w in data["flow"]["windows"] for one in w["layers"])):
        layer["name"] = layer["name"].removesuffix(EVIL)
    escaped = json.dumps(data, ensure_ascii=False)
    for letter in "<>&\u2028\u2029":
        escaped = escaped.replace(letter, f"\\u{ord(letter):04x}")
    page = FOLDER / "planted.html"
    page.write_text(file.read_text().replace(text, escaped, 1))
    return page


def opened(browser: Browser, file: Path, size: tuple[int, int], scheme: str, problems: list[str]) -> Page:
    """Opens a page; what it complains about and asks for is put on record."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page = context.new_page()
    page.on("console", lambda message: problems.append(f"console {message.type}: {message.text}"))
    page.on("pageerror", lambda error: problems.append(f"error: {error}"))
    page.on("request", lambda request: request.url == file.as_uri() or problems.append(f"request: {request.url}"))
    page.goto(file.as_uri())
    page.wait_for_function("document.querySelector('footer') !== null")
    return page


def looked_at(browser: Browser, file: Path, size: tuple[int, int], scheme: str) -> list[str]:
    """Looks at a page as it opens and with everything unfolded; returns what is wrong."""
    problems: list[str] = []
    page = opened(browser, file, size, scheme, problems)
    name = f"{file.stem}-{size[0]}x{size[1]}-{scheme}"
    page.screenshot(path=FOLDER / f"{name}.png", full_page=True)
    page.evaluate(INSPECTION)
    data = island(file)[1]
    for _ in range(2):
        for question in ("overlaps", "tooWide", "plots", "contrast"):
            problems += page.evaluate(f"inspection.{question}()")
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    problems += page.evaluate("(island) => inspection.lineage(island)", data)
    problems += numbers(page, data) + plotted(page, data)
    if page.evaluate("window.hacked !== undefined || document.querySelectorAll('main b, main script, main img').length > 0"):
        problems.append("a value became markup")
    page.context.close()
    return [f"{name}: {problem}" for problem in dict.fromkeys(problems)]


def money(text: str | None, digits: int) -> str:
    """Returns a decimal as the page should show it."""
    if text is None:
        return "\u2013"
    rounded = Decimal(text).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
    return f"{abs(rounded):,}" if rounded == 0 else f"{rounded:,}".replace("-", "\u2212")


def plotted(page: Page, data: dict) -> list[str]:
    """Compares the bars and lines of the page with its data."""
    expected: dict[str, list[list[float | None]]] = {}
    if sales := data["gold"]["sales"]:
        by_month = [{one["currency"]: one["net_usd"] for one in month["currencies"]} for month in sales["months"]]
        expected["Net sales by month"] = [[float(month.get(currency) or 0) for month in by_month] for currency in sales["currencies"]]
    if segments := data["gold"]["segments"]:
        expected["Customers by segment"] = [[one["customers"] or 0 for one in segments["segments"]]]
    if (attribution := data["gold"]["attribution"]) and attribution["campaigns"]:
        models = [one["model"] for one in attribution["models"]]
        expected["Sales that campaigns"] = [[float(one["attributed_usd"].get(model) or 0) for one in attribution["campaigns"]] for model in models]
    if windows := data["durations"]["windows"]:
        programs = data["durations"]["programs"]
        expected["Seconds by program"] = [[one["milliseconds"].get(program, 0) / 1000 for one in windows] for program in programs]
    if len(trend := data["quality"]["trend"]) > 1 and data["quality"]["tables"]:
        layers = [one["name"] for one in data["quality"]["layers"]] + ["day"]
        expected["Score by day"] = [[day["scores"].get(layer) for day in trend] for layer in layers]
    found = {title: page.evaluate("(title) => inspection.drawn(title)", title) for title in expected}
    return [f"the plot `{title}` differs from the data" for title in expected if found[title] != expected[title]]


def numbers(page: Page, data: dict) -> list[str]:
    """Compares the tables of the page with its data, computed here once more."""
    buckets = ("read", "accepted", "quarantined", "held", "duplicate", "superseded", "filtered")
    expected = {"Rows by table": [[row["name"], *(f"{row[bucket]:,}" for bucket in buckets)] for row in data["flow"]["tables"]]}
    if sales := data["gold"]["sales"]:
        lines = [(month["month"], one) for month in sales["months"] for one in month["currencies"]]
        expected["Net sales"] = [
            [month, one["currency"], money(one["net_amount"], 2), money(one["net_usd"], 2), f"{one['sales']:,}", f"{one['reversals']:,}"]
            for month, one in reversed(lines)
        ]
    if attribution := data["gold"]["attribution"]:
        expected["Campaigns"] = [
            [row["campaign"], money(row["cost_usd"], 2), *(money(row["attributed_usd"].get(model["model"]), 2) for model in attribution["models"])]
            for row in attribution["campaigns"]
        ]
    found = {caption: page.evaluate("(caption) => inspection.cells(caption)", caption) for caption in expected}
    return [f"the table `{caption}` differs from the data" for caption in expected if expected[caption] and found[caption] != expected[caption]]


def sealed(browser: Browser, file: Path) -> list[str]:
    """Tries to run a script and to load things in the page: its policy must stop all of it."""
    page = opened(browser, file, SIZES[0], "light", [])
    asked: list[str] = []
    # The browser's tools see a request that the policy stops too, and then that it stopped it.
    page.on("requestfailed", lambda request: request.failure == "csp" or asked.append(request.url))
    page.on("requestfinished", lambda request: asked.append(request.url))
    page.evaluate("""() => {
        window.refused = [];
        document.addEventListener("securitypolicyviolation", (event) => window.refused.push(event.effectiveDirective));
        const put = (tag, name, value) => {
            const one = document.createElement(tag);
            try { one[name] = value; document.body.append(one); } catch (error) { window.refused.push("trusted types"); }
        };
        put("script", "textContent", "window.hacked = 1");
        put("style", "textContent", "body { display: none }");
        put("div", "innerHTML", "<b>markup</b>");
        put("img", "src", "http://127.0.0.1:9/image");
        put("iframe", "src", "http://127.0.0.1:9/frame");
        fetch("http://127.0.0.1:9/fetch").catch(() => {});
    }""")
    page.wait_for_timeout(300)
    problems = [f"sealed: request: {url}" for url in asked]
    refused = page.evaluate("window.refused")
    wanted = {"style-src-elem", "img-src", "frame-src", "connect-src", "trusted types"}
    problems += [f"sealed: nothing refused {name}" for name in sorted(wanted - set(refused))]
    if page.evaluate("window.hacked") is not None:
        problems.append("sealed: a script ran that is not the page's own")
    page.context.close()
    return problems


def main() -> int:
    """Writes the reports, looks at them, prints what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, default=places.HOME / "lake")
    parser.add_argument("--browser", required=True)
    options = parser.parse_args()
    started = time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    (FOLDER / "lake-empty").mkdir(parents=True)
    whole = written(options.lake, "report")
    pages = [
        whole,
        written(failed_lake(options.lake), "failed", "--title", f"Sluice {EVIL}"),
        written(FOLDER / "lake-empty", "empty"),
        planted_page(whole),
    ]
    problems: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.browser, args=OPTIONS)
        for file in pages:
            for size in SIZES:
                for scheme in SCHEMES:
                    problems += looked_at(browser, file, size, scheme)
        problems += sealed(browser, whole)
        version = browser.version
        browser.close()
    for problem in problems:
        print(f"report: {problem}")
    for lake in ("lake-failed", "lake-empty"):
        shutil.rmtree(FOLDER / lake, ignore_errors=True)
    looks = len(pages) * len(SIZES) * len(SCHEMES)
    verdict = f"FAILED, {len(problems)} problems" if problems else "holds"
    print(f"report: {verdict}: {looks} looks at {len(pages)} pages in Chromium {version}, {FOLDER}, {time.monotonic() - started:.0f} s")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
