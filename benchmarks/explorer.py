"""What the explorer of a run takes: time of a decode, frames while dragging, memory, and fifty clients at once.

    python benchmarks/explorer.py RUN

The memory is that of the server beyond a process that has imported PyTorch and multiplied two matrices. The page is
measured where Chromium and playwright are installed.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import numpy as np

_ALONE = "import torch; torch.ones(9, 9) @ torch.ones(9, 9); print(open('/proc/self/status').read())"
_CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def resident(status: str) -> float:
    """MB of memory, of the text of /proc/PID/status."""
    found = re.search(r"VmRSS:\s+(\d+)", status)
    assert found is not None
    return int(found[1]) / 1024


@contextmanager
def served(run: str) -> Iterator[tuple[str, int]]:
    """The address and the process of an explorer."""
    command = [sys.executable, "-c", "from lowerbound.cli import main; main()", "explore", run, "--no-browser"]
    process = subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        address = next(match[1] for line in process.stdout if (match := re.search(r"Explorer: (http://\S+)/", line)))
        yield address, process.pid
    finally:
        process.terminate()
        process.wait()


def seconds(connection: http.client.HTTPConnection, codes: np.ndarray) -> list[float]:
    """How long each decode took."""
    taken = []
    for code in codes:
        began = time.perf_counter()
        body = json.dumps({"codes": [code.tolist()]})
        connection.request("POST", "/api/decode", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content
        taken.append(time.perf_counter() - began)
    return taken


def crowd(host: str, clients: int, each: int, size: int) -> tuple[list[float], list[Exception]]:
    """Decodes of many clients at once, and what went wrong."""
    taken: list[float] = []
    faults: list[Exception] = []

    def drag(seed: int) -> None:
        try:
            connection = http.client.HTTPConnection(host, timeout=60)
            taken.extend(seconds(connection, np.random.default_rng(seed).normal(size=(each, size))))
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=drag, args=(i,)) for i in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken, faults


def page(address: str) -> None:
    """First paint, and frames while the pointer drags over the map for two seconds."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": 1280, "height": 900})
        opened.goto(address)
        opened.wait_for_selector("#picture[data-frame]")
        paint = opened.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        print(f"first paint                 {paint:8.0f} ms")
        box = opened.locator("#map").bounding_box()
        assert box is not None
        opened.mouse.move(box["x"] + 20, box["y"] + 20)
        opened.mouse.down()
        before, began, step = int(opened.locator("#picture").get_attribute("data-frame") or 0), time.perf_counter(), 0
        while (passed := time.perf_counter() - began) < 2:
            step += 1
            opened.mouse.move(box["x"] + 20 + step % 400, box["y"] + 20 + step % 300)
        frames = int(opened.locator("#picture").get_attribute("data-frame") or 0) - before
        print(f"frames while dragging       {frames / passed:8.0f} per second")
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--clients", type=int, default=50)
    arguments = parser.parse_args()
    alone = subprocess.run([sys.executable, "-c", _ALONE], capture_output=True, text=True, check=True).stdout
    with served(arguments.run) as (address, pid):
        host = urlsplit(address).netloc
        connection = http.client.HTTPConnection(host, timeout=60)
        connection.request("GET", "/api/facts")
        size = len(json.loads(connection.getresponse().read())["centre"])
        # The scores of the data are computed in the first seconds.
        connection.request("POST", "/api/score", json.dumps({"number": 0}), {"Content-Type": "application/json"})
        connection.getresponse().read()
        taken = seconds(connection, np.random.default_rng(0).normal(size=(300, size)))[20:]
        print(f"decode, median              {1e3 * statistics.median(taken):8.1f} ms")
        print(f"decode, 95 %                {1e3 * float(np.quantile(taken, 0.95)):8.1f} ms")
        if _CHROMIUM is not None:
            page(address)
        began = time.perf_counter()
        taken, faults = crowd(host, arguments.clients, 40, size)
        rate = len(taken) / (time.perf_counter() - began) / arguments.clients
        print(f"{arguments.clients} clients at once, median    {1e3 * statistics.median(taken):8.1f} ms")
        print(
            f"{arguments.clients} clients at once            {rate:8.0f} frames per second each, {len(faults)} errors"
        )
        with open(f"/proc/{pid}/status") as status:
            beyond = resident(status.read()) - resident(alone)
        print(f"memory beyond PyTorch       {beyond:8.0f} MB")
        if faults:
            raise SystemExit(str(faults[0]))


if __name__ == "__main__":
    main()
