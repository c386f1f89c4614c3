"""Explorers that are served on this machine, and the browser that looks at them."""

import os
import shutil
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest

from conftest import SMALL
from lowerbound.config import Config
from lowerbound.experiment import fit_run, open_source, splits_of
from lowerbound.explorer import chart, listen, server

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# Set where a missing browser must not go unnoticed.
REQUIRED = os.environ.get("LOWERBOUND_BROWSER_TESTS") == "required"
# The name of every host but this one is unknown to the browser.
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


def atlas_of(run):
    dataset = open_source(run)
    return chart(run, run.load(), dataset, splits_of(dataset, run.config).test)


@contextmanager
def serving(atlas):
    """The address of an explorer that is served while the context is entered."""
    listening = listen("127.0.0.1", 0)
    served = server(atlas, "127.0.0.1")
    thread = threading.Thread(target=served.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not served.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        served.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture(scope="session")
def small_atlas(small_run):
    return atlas_of(small_run)


@pytest.fixture(scope="session")
def draw_run(tmp_path_factory, digits_file):
    """A DRAW of four steps, hardly trained."""
    settings = {
        **{name: value for name, value in SMALL.items() if not name.startswith("model.")},
        "training.epochs": 3,
        "data.binarisation": "auto",
        "model.latent_dim": 3,
        "model.family.steps": 4,
        "model.family.first_steps": "none",
        "model.family.units": 24,
        "evaluation.particles": 5,
    }
    return fit_run(digits_file, Config.load("draw", settings), tmp_path_factory.mktemp("runs") / "draw").run


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory):
    """A run of a table whose columns are named as somebody would name them who means harm."""
    g = np.random.default_rng(0)
    directory = tmp_path_factory.mktemp("<img src=x onerror=window.harmed=1>")
    path = directory / "table.csv"
    rows = "".join(f"{a:.4f},{b:.4f}\n" for a, b in g.normal(size=(60, 2)))
    path.write_text("<script>window.harmed=1</script>,<b>bold</b>\n" + rows)
    return fit_run(path, Config.load("vae", {**SMALL, "training.epochs": 2}), directory / "run").run


@pytest.fixture(scope="session")
def explorer(small_atlas):
    with serving(small_atlas) as address:
        yield address


@pytest.fixture(scope="session")
def draw_explorer(draw_run):
    with serving(atlas_of(draw_run)) as address:
        yield address


@pytest.fixture(scope="session")
def table_explorer(hostile_run):
    with serving(atlas_of(hostile_run)) as address:
        yield address


@pytest.fixture(scope="session")
def chromium():
    if CHROMIUM is None:
        if REQUIRED:
            pytest.fail("No Chromium is installed, and LOWERBOUND_BROWSER_TESTS requires the tests of the page.")
        pytest.skip("no Chromium is installed, without which the page cannot be looked at: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", OFFLINE])


@pytest.fixture
def visit(chromium):
    """Open a page that can reach nothing but the explorer, and may neither log an error nor try to."""
    opened, faults = [], []

    def open_page(address, **options):
        context = chromium.new_context(**options)
        opened.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("request", lambda r: None if r.url.startswith((address, "blob:", "data:")) else faults.append(r.url))
        page.goto(address)
        page.wait_for_selector("main:not([aria-busy])")
        page.wait_for_selector("#picture[data-frame]")
        return page

    open_page.faults = faults
    yield open_page
    for context in opened:
        context.close()
    assert faults == []
