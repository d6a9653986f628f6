"""The page of a diagram in a real browser: pointer, keys and fingers lead to the right curve, and nothing is loaded."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browsing import DESK, PHONE, opened, requested, started
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from test_diagrams import SHAPES, tables

from kanpde.diagrams import Diagram, diagram_of, write

BOTH = pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with started(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="module")
def shown() -> Diagram:
    return diagram_of("poisson", tables([2, 5, 1]))


@pytest.fixture(scope="module")
def address(shown: Diagram, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "diagram.html"
    return write(shown, path, lambda x, y: [(f"candidate {y[0]:.4f}", abs(float(x[0])) / 8)]).as_uri()


def box(browser: webdriver.Chrome, k: int):
    return browser.find_element(By.ID, f"figure-edge{k}-box")


def curve(browser: webdriver.Chrome) -> np.ndarray:
    """The points (n, 2) of the curve in the panel, up to the units of its axes: each coordinate from 0 to 1."""
    way = browser.find_element(By.CSS_SELECTOR, "#plot path").get_attribute("d")
    points = np.array([[float(v) for v in pair] for pair in re.findall(r"[ML]([-\d.]+),([-\d.]+)", way)])
    points[:, 1] *= -1
    return (points - points.min(0)) / np.ptp(points, axis=0)


def check(browser: webdriver.Chrome, shown: Diagram, k: int, values: np.ndarray | None = None) -> None:
    """The panel shows edge k, with its values or with others."""
    link = shown.links[k]
    assert browser.find_element(By.ID, "edge").text == link.spoken
    expected = np.stack([link.edge.x, link.edge.y if values is None else values], axis=1)
    expected = (expected - expected.min(0)) / np.ptp(expected, axis=0)
    np.testing.assert_allclose(curve(browser), expected, atol=1e-3)
    marked = browser.execute_script("return [...document.querySelectorAll('#diagram .on')].map(e => e.id)")
    assert sorted(marked) == [f"figure-edge{k}-{name}" for name in ("box", "curve", "line")]


@BOTH
def test_page_loads_itself_and_fits(browser: webdriver.Chrome, address: str, size: tuple[int, int]) -> None:
    opened(browser, address, size)
    assert browser.get_log("browser") == []
    assert requested(browser) == [address]
    assert browser.execute_script("return document.documentElement.scrollWidth") <= size[0]
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0


@BOTH
def test_the_most_important_edge_is_shown_first(
    browser: webdriver.Chrome, address: str, shown: Diagram, size: tuple[int, int]
) -> None:
    opened(browser, address, size)
    best = max(range(len(shown.links)), key=lambda k: shown.links[k].importance)
    check(browser, shown, best)
    for element in ("diagram", "plot", "facts"):
        assert browser.find_element(By.ID, element).is_displayed()


def test_pointer_shows_the_edge_below_it(browser: webdriver.Chrome, address: str, shown: Diagram) -> None:
    opened(browser, address, DESK)
    for k in (0, 7, 12):
        ActionChains(browser, duration=0).move_to_element(box(browser, k)).perform()
        check(browser, shown, k)
        facts = browser.find_element(By.ID, "facts").text
        assert f"{100 * shown.links[k].importance:.4g} % of the largest" in facts
        formula = browser.find_element(By.CSS_SELECTOR, "#candidates tbody tr").text
        assert formula == f"candidate {shown.links[k].edge.y[0]:.4f} 1.3e−1"


def test_finger_shows_the_edge_that_it_taps(browser: webdriver.Chrome, address: str, shown: Diagram) -> None:
    opened(browser, address, PHONE)
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    for k in (3, 9, 11):
        where = (
            "const b = arguments[0].getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2, b.width]"
        )
        x, y, width = browser.execute_script(where, box(browser, k))
        assert width >= 24
        point = {"x": x, "y": y}
        browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
        browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        check(browser, shown, k)
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})


def test_keys_go_from_edge_to_edge(browser: webdriver.Chrome, address: str, shown: Diagram) -> None:
    opened(browser, address, DESK)
    browser.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    for key, k in ((Keys.HOME, 0), (Keys.ARROW_RIGHT, 1), (Keys.ARROW_LEFT, 0), (Keys.ARROW_LEFT, 14), (Keys.END, 14)):
        browser.switch_to.active_element.send_keys(key)
        check(browser, shown, k)
        assert browser.switch_to.active_element.get_attribute("id") == f"figure-edge{k}-box"
    assert len(browser.find_elements(By.CSS_SELECTOR, "#diagram [tabindex='0']")) == 1


@BOTH
def test_buttons_go_round(browser: webdriver.Chrome, address: str, shown: Diagram, size: tuple[int, int]) -> None:
    opened(browser, address, size)
    box(browser, 14).click()
    browser.find_element(By.ID, "next").click()
    check(browser, shown, 0)
    browser.find_element(By.ID, "previous").click()
    check(browser, shown, 14)


def test_derivatives_are_a_choice_that_stays(browser: webdriver.Chrome, address: str, shown: Diagram) -> None:
    opened(browser, address, DESK)
    for place, name in enumerate(("slope", "bend"), 1):
        browser.find_elements(By.CSS_SELECTOR, "fieldset label")[place].click()
        for k in (2, 5):
            ActionChains(browser, duration=0).move_to_element(box(browser, k)).perform()
            check(browser, shown, k, getattr(shown.links[k].edge, name))


def test_large_diagrams_scroll_in_their_frame(browser: webdriver.Chrome, tmp_path: Path) -> None:
    path = write(diagram_of("poisson", tables(*SHAPES["2-20-20-2"])), tmp_path / "large.html")
    opened(browser, path.as_uri(), PHONE)
    assert browser.execute_script("return document.documentElement.scrollWidth") == PHONE[0]
    frame = browser.find_element(By.CSS_SELECTOR, ".scroll")
    assert browser.execute_script("return arguments[0].scrollWidth > 2 * arguments[0].clientWidth", frame)
    assert box(browser, 0).rect["width"] >= 24


def test_a_desk_has_the_panel_aside_and_a_phone_below(browser: webdriver.Chrome, address: str) -> None:
    for size, aside in ((PHONE, False), (DESK, True)):
        opened(browser, address, size)
        panel, diagram = (browser.find_element(By.ID, name).rect for name in ("panel", "diagram"))
        assert (panel["x"] > diagram["x"] + diagram["width"]) == aside
        assert (panel["y"] >= diagram["y"] + diagram["height"]) != aside
