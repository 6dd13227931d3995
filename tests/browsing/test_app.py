"""The app as a person sees it, in a headless Chromium.

With ``MATTINGDATA_SCREENSHOTS=docs`` set, what is seen is kept in that folder for the manual.
"""

from __future__ import annotations

import base64
import importlib.util
import io
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from matting_data.browsing.browse import BrowseOptions, default_decisions, imported_dataset, open_dataset, serve
from matting_data.building.build import build
from matting_data.errors import UsageError
from matting_data.recipes.decisions import read
from matting_data.recipes.recipe_file import load
from tests.support.chromium import Page, browser, executable
from tests.support.projects import Project

pytestmark = pytest.mark.timeout(900)

_DISMISS = "[...document.querySelectorAll('button')].find(b => b.innerText == 'Dismiss')"
"""Closes an advertisement that FiftyOne lays over a fresh browser's grid."""

_COUNT = "document.querySelector('[data-cy=entry-counts]')?.innerText ?? ''"


def element(name: str) -> str:
    return f"document.querySelector('[data-cy=\"{name}\"]')"


@pytest.fixture(scope="module")
def port(fiftyone: Any) -> int:
    if executable() is None or importlib.util.find_spec("websocket") is None:
        pytest.skip("Chromium or websocket-client is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def session(fiftyone: Any, port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    root = tmp_path_factory.mktemp("app")
    build(load(None), root / "sample", 1)
    options = BrowseOptions(cache=root / "cache")
    dataset = open_dataset(root / "sample", options).dataset
    backgrounds = open_dataset(root / "sample", BrowseOptions(shows="backgrounds", cache=root / "cache")).dataset
    running, address = serve(dataset, port, True, None, root / "cache")
    running.other, running.opens = backgrounds, address
    yield running
    running.close()


@pytest.fixture
def page(session: Any, port: int, tmp_path: Path) -> Iterator[Page]:
    with browser(tmp_path / "profile") as tab:
        tab.port = port
        tab.open(session.opens.replace("/?", "/fiftyone?"))  # leaves the cookie, and loads no app yet
        tab.wait("document.body.innerText", 60, lambda text: "version" in text)
        assert tab.run("location.href").endswith("/fiftyone")
        yield tab


def show(page: Page, name: str) -> None:
    """Open a dataset and wait until its grid stands still."""
    page.open(f"http://localhost:{page.port}/datasets/{name}")
    page.wait(_COUNT, 180, lambda text: "sample" in text)
    page.wait(f"{_DISMISS} !== undefined", 60)
    page.wait(f"{_DISMISS}?.click() ?? true", 20, lambda gone: gone is True)
    settled(page)


def settled(page: Page) -> np.ndarray[Any, Any]:
    """Return the picture once two in a row are alike and full of colours."""
    last: np.ndarray[Any, Any] = np.zeros(1)
    end = time.monotonic() + 180
    while time.monotonic() < end:
        now = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"), np.int16)
        if now.shape == last.shape and np.abs(now - last).mean() < 0.01 and now[200:, 310:].std() > 20:
            return now
        last = now
        time.sleep(2)
    raise AssertionError("the grid never stands still")


def keep(page: Page, name: str) -> None:
    folder = os.environ.get("MATTINGDATA_SCREENSHOTS")
    if folder:
        Path(folder, name).write_bytes(page.screenshot("jpeg", 80))


def pink(picture: np.ndarray[Any, Any]) -> float:
    """Return the share of the grid in the colour of a trimap's unknown pixels, mixed with whatever is below."""
    red, green, blue = (picture[200:, 310:, channel] for channel in range(3))
    return float(((red - green > 60) & (blue - green > 40)).mean())


def test_the_grid_shows_planes_and_filters_and_opens_a_sample(session: Any, page: Page) -> None:
    show(page, session.dataset.name)
    assert page.run(_COUNT).startswith("36 samples")
    both = settled(page)
    keep(page, "browse-grid.jpg")
    page.click(element("checkbox-trimap"))
    without_trimap = settled(page)
    page.click(element("checkbox-alpha"))
    without_planes = settled(page)
    assert pink(both) > 3 * pink(without_trimap) + 0.005
    assert np.abs(without_trimap - without_planes)[200:, 310:].mean() > 5
    page.click(element("checkbox-alpha"))
    page.click(element("checkbox-trimap"))
    page.click(element("sidebar-field-arrow-enabled-subset"))
    page.wait(f"{element('selector-sidebar-search-subset')} !== null")
    page.click(element("selector-sidebar-search-subset"))
    page.write("multiple")
    time.sleep(2)
    page.press("Enter")
    page.wait(_COUNT, 60, lambda text: text.startswith("6 samples"))
    settled(page)
    keep(page, "browse-filter.jpg")
    page.click(element("looker"))
    page.wait(f"{element('modal')} !== null")
    page.wait("document.body.innerText.includes('people-12_lou_eli')")
    time.sleep(5)
    keep(page, "browse-sample.jpg")


def test_backgrounds_show_boxes_and_verdicts(session: Any, page: Page) -> None:
    show(page, session.other.name)
    assert page.run(_COUNT).startswith("9 samples")
    assert "person_detected" in page.run("document.body.innerText")
    keep(page, "browse-backgrounds.jpg")


def listening(port: int) -> set[str]:
    """Return the addresses at which this machine answers on a port; Linux only."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:] + Path("/proc/net/tcp6").read_text().splitlines()[1:]
    places = (line.split()[1].split(":") for line in lines if line.split()[3] == "0A")
    return {address for address, number in places if int(number, 16) == port}


def answer(session: Any, path: str, **headers: str) -> tuple[int, str]:
    """Return what the server answers, with its secret, which the address that opens it ends with."""
    start, _, secret = session.opens.partition("/?token=")
    basic = base64.b64encode(f"any:{secret}".encode()).decode()
    request = urllib.request.Request(start + path, headers={"Authorization": f"Basic {basic}", **headers})
    try:
        with urllib.request.urlopen(request, timeout=60) as found:
            return found.status, found.read().decode("latin-1")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_pictures_are_served_and_no_other_file(session: Any, tmp_path: Path) -> None:
    picture = session.dataset.first().filepath
    assert answer(session, f"/media?filepath={quote(picture)}")[0] == 200
    secret = tmp_path / "secret.png"
    secret.write_text("secret")
    link = Path(picture).with_name("link.png")
    link.symlink_to(secret)
    up = str(Path(picture).parent) + "/" + "../" * 30 + str(secret)
    folder = Path(picture).parents[1]
    for path in (
        "/etc/passwd",
        str(secret),
        str(link),
        up,
        f"{folder}-other/x.png",
        "",
        "picture.png",
        "/proc/self/environ",
    ):
        code, text = answer(session, f"/media?filepath={quote(path)}")
        assert code == 403 and "only pictures of mattingdata's cache are served" in text, path
    link.unlink()
    assert answer(session, f"/media?filepath={quote(picture)}&filepath=/etc/passwd")[0] == 403
    assert answer(session, "//media?filepath=/etc/passwd")[1].find("root:") == -1


def test_requests_without_the_secret_or_from_elsewhere_are_refused(session: Any, port: int) -> None:
    assert answer(session, "/fiftyone")[0] == 200
    for path in (
        "/",
        "/fiftyone",
        "/media?filepath=/etc/passwd",
        "/plugins",
        "/graphql",
        f"/datasets/{session.dataset.name}",
    ):
        assert answer(session, path, Authorization="")[0] == 403, path
        assert answer(session, path, Authorization="Basic " + base64.b64encode(b"any:wrong").decode())[0] == 403
        assert answer(session, path, Host="evil.example")[0] == 403
        assert answer(session, path, Host=f"evil.example:{port}")[0] == 403
        assert answer(session, path, Origin="http://evil.example")[0] == 403
        assert answer(session, path, **{"Sec-Fetch-Site": "cross-site"})[0] == 403


def test_only_this_machine_is_served(session: Any, port: int) -> None:
    assert listening(port) == {"0100007F"}


def test_ctrl_c_writes_what_was_tagged(fiftyone: Any, project: Project, tmp_path: Path) -> None:
    project.build()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    run = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    run += "from matting_data.cli.main import main; main()"
    options = ["--remote", "--port", str(free), "--cache", str(tmp_path / "cache"), "--who", "ann"]
    command = [sys.executable, "-c", run, "browse", str(project.out), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while "close with Ctrl+C" not in (line := process.stdout.readline()):
        assert line, process.stderr and process.stderr.read()
    sample = imported_dataset(project.out, BrowseOptions()).first()
    sample.tags += ["human", "why:a hand"]
    sample.save()
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "1 decisions added" in output
    rows = read(default_decisions(project.out))
    assert [(row.kind, row.id, row.tag, row.who, row.why) for row in rows] == [
        ("background", sample.background, "human", "ann", "a hand")
    ]


def test_a_port_that_is_taken_is_refused(session: Any, port: int) -> None:
    with pytest.raises(UsageError, match=f"port {port} cannot be used"):
        serve(session.dataset, port, True, None)
