"""A headless Chromium, driven over its DevTools protocol: open a page, ask it, look at what it complained of."""

import json
import re
import shutil
import subprocess
from contextlib import contextmanager

import websocket

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Page:
    """A tab; `complaints` are the errors and warnings of its console."""

    def __init__(self, socket):
        self.socket, self.count, self.complaints, self.seen = socket, 0, [], set()

    def call(self, method: str, **params) -> dict:
        """The result of a DevTools method; events that come meanwhile are kept."""
        self.count += 1
        self.socket.send(json.dumps({"id": self.count, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.count:
                assert "error" not in message, message
                return message["result"]
            self._event(message)

    def _event(self, message: dict) -> None:
        name, params = message["method"], message["params"]
        self.seen.add(name)
        if name == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        if name == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(params["entry"]["text"] + params["entry"].get("url", ""))
        if name == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.complaints.append(str(params["args"]))

    def open(self, url: str, width: int = 1280, dark: bool = False) -> None:
        """Show a page at a width in CSS pixels and wait until it has loaded."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.complaints.clear()
        self.seen.clear()
        self.call("Page.navigate", url=url)
        while "Page.loadEventFired" not in self.seen:
            self._event(json.loads(self.socket.recv()))

    def ask(self, expression: str):
        """The value of a JavaScript expression; a promise is awaited."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key: `Tab`, `Enter`, `ArrowDown`."""
        code = {"Tab": 9, "Enter": 13, "ArrowDown": 40}[key]
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)


@contextmanager
def chromium(profile):
    """A browser with its profile in a folder; gives its `Page`."""
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--no-first-run"]
    options += [
        "--disable-background-networking",
        "--remote-allow-origins=*",
        f"--user-data-dir={profile}",
        "about:blank",
    ]
    process = subprocess.Popen([PROGRAM, *options], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        address = next(
            found for line in process.stderr if (found := re.search(r"ws://([^/]+)/devtools/browser/\S+", line))
        )
        browser = Page(websocket.create_connection(address[0], timeout=60))
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        page = Page(websocket.create_connection(f"ws://{address[1]}/devtools/page/{target}", timeout=60))
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        yield page
        page.socket.close()
        browser.socket.close()
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()
