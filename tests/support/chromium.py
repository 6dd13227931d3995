"""A headless Chromium, driven through its DevTools protocol: enough of it to look at the app as a person would."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
]


def executable() -> str | None:
    """Return where Chromium is installed, if it is."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page:
    """One tab; `port` is that of the app under test, for whoever sets it."""

    port: int

    def __init__(self, url: str) -> None:
        import websocket

        self._socket = websocket.create_connection(url, timeout=60, suppress_origin=True)
        self._number = 0
        self.call("Page.enable")
        self.call("Runtime.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result; events are passed over."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)

    def wait(self, script: str, seconds: float = 60, until: Callable[[Any], bool] = bool) -> Any:
        """Evaluate an expression until it holds; AssertionError with what it gave last."""
        end = time.monotonic() + seconds
        while True:
            value = self.run(script)
            if until(value):
                return value
            assert time.monotonic() < end, f"{script} is still {value!r}"
            time.sleep(0.3)

    def click(self, script: str) -> None:
        """Press the mouse in the middle of the element that an expression gives."""
        script = f"(() => {{ const r = ({script}).getBoundingClientRect(); return [r.x+r.width/2, r.y+r.height/2] }})()"
        x, y = self.run(script)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def write(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                      windowsVirtualKeyCode={"Enter": 13, "Escape": 27}[key])  # fmt: skip

    def screenshot(self, form: str = "png", quality: int = 100) -> bytes:
        """Return what is to be seen, as PNG or JPEG."""
        options = {"quality": quality} if form == "jpeg" else {}
        return base64.b64decode(self.call("Page.captureScreenshot", format=form, **options)["data"])


@contextmanager
def browser(profile: Path, size: tuple[int, int] = (1280, 800)) -> Iterator[Page]:
    """Run Chromium with a fresh profile and yield its tab."""
    program = executable()
    assert program is not None
    command = [program, *FLAGS, f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port_file = profile / "DevToolsActivePort"
        end = time.monotonic() + 60
        while not port_file.is_file() or not port_file.read_text().strip():
            assert process.poll() is None and time.monotonic() < end, "Chromium does not start"
            time.sleep(0.2)
        port = port_file.read_text().split()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=60) as answer:
            targets = json.load(answer)
        page = Page(next(t["webSocketDebuggerUrl"] for t in targets if t["type"] == "page"))
        page.call(
            "Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1, mobile=False
        )
        yield page
    finally:
        process.terminate()
        process.wait(30)
