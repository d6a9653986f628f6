"""A real browser for tests of pages: how it is started, how a page is opened on a screen, what the page asked for."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

PHONE, DESK = (360, 740), (1280, 900)
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
# Of each text in each figure: its size in pixels as it is shown, and how far it sticks out of the figure.
TEXTS = """
return [...document.querySelectorAll("svg")].flatMap(svg => {
  const frame = svg.getBoundingClientRect(), scale = frame.width / svg.viewBox.baseVal.width;
  return [...svg.querySelectorAll("text")].map(text => {
    const box = text.getBoundingClientRect();
    const aside = Math.max(frame.left - box.left, box.right - frame.right);
    const out = Math.max(aside, frame.top - box.top, box.bottom - frame.bottom);
    const pixels = parseFloat(getComputedStyle(text).fontSize) * scale;
    return [text.textContent, pixels, Math.max(box.width, box.height), out];
  });
});
"""


def programs() -> tuple[str, str]:
    """A browser and its driver; without them the test is skipped, but on a CI machine it fails."""
    browser, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if browser and driver:
        return browser, driver
    reason = "no chromium (or google-chrome) with chromedriver is on the path: apt-get install chromium chromium-driver"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextlib.contextmanager
def started(profile: Path) -> Iterator[webdriver.Chrome]:
    """A browser without a window, with a profile of its own."""
    program, driver = programs()
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with pytest.MonkeyPatch.context() as patch:
        # The driver listens on this machine: no proxy lies between.
        for name in ("no_proxy", "NO_PROXY"):
            patch.setenv(name, "localhost,127.0.0.1")
        opened = webdriver.Chrome(options=options, service=Service(driver))
        try:
            opened.set_page_load_timeout(30)
            yield opened
        finally:
            opened.quit()


def opened(browser: webdriver.Chrome, address: str, size: tuple[int, int], scheme: str = "light") -> None:
    """Opens a page on a screen of a size in CSS pixels, after what was logged before has been read."""
    screen = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    wishes = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
    features = [{"name": name, "value": value} for name, value in wishes.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get("about:blank")
    for log in ("browser", "performance"):
        browser.get_log(log)
    browser.get(address)


def requested(browser: webdriver.Chrome) -> list[str]:
    """The addresses that the page has asked for."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
