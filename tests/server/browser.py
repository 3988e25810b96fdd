"""A headless Chromium for the tests of the console, driven by its DevTools protocol over a pipe.

Standard library only. A Page remembers everything that the browser complains about and every address that it
asks, so that a test can say that there was nothing else.
"""
import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

WAIT_SECONDS = 60
NAMES = ("chromium", "chromium-browser", "google-chrome")
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, "End": 35}


def find():
    """The program, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """The process. Messages are JSON, each ended by a zero byte, on its descriptors 3 (to it) and 4."""

    def __init__(self, program):
        self.profile = tempfile.mkdtemp(prefix="holt-browser-")
        from_us, self.out = os.pipe()
        self.into, to_us = os.pipe()
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                   "--no-first-run",
                   "--disable-background-networking", "--disable-component-update", "--disable-default-apps",
                   "--remote-debugging-pipe", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
                   f"--user-data-dir={self.profile}", "about:blank"]
        # The shell moves the pipes to where Chromium expects them.
        script = f'exec 3<&{from_us} 4>&{to_us}; exec "$@"'
        self.process = subprocess.Popen(["bash", "-c", script, "browser", program, *options],
                                        env={**os.environ, "TMPDIR": self.profile},
                                        pass_fds=(from_us, to_us), stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        os.close(from_us)
        os.close(to_us)
        self.buffer, self.numbers, self.listeners = b"", itertools.count(1), []

    def _read(self, deadline):
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.into], [], [], max(0, deadline - time.monotonic()))
            piece = os.read(self.into, 1 << 20) if ready else b""
            if not piece:
                raise AssertionError("the browser " + ("has ended" if ready else "does not answer"))
            self.buffer += piece
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, session=None, **parameters):
        """Calls a method of the protocol; what the browser reports meanwhile goes to the listeners."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            answer = self._read(deadline)
            if answer.get("id") == number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return answer["result"]
            for listener in self.listeners:
                listener(answer)

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=WAIT_SECONDS)
        os.close(self.out)
        os.close(self.into)
        shutil.rmtree(self.profile, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Page:
    """A tab. `complaints`: errors of scripts, of the console and of refused requests; `asked`: addresses."""

    def __init__(self, browser):
        self.browser, self.complaints, self.asked = browser, [], []
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        browser.listeners.append(self._hear)
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def _hear(self, event):
        if event.get("sessionId") != self.session:
            return
        method, p = event["method"], event["params"]
        if method == "Network.requestWillBeSent":
            self.asked.append(p["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            details = p["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Runtime.consoleAPICalled" and p["type"] in ("error", "warning", "assert"):
            self.complaints.append(" ".join(str(a.get("value", a.get("description"))) for a in p["args"]))
        elif method == "Log.entryAdded" and p["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"{p['entry']['text']} {p['entry'].get('url', '')}")

    def run(self, script):
        """Runs an expression in the page and returns its value; awaits it if it is a promise."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise AssertionError(f"{script}: {answer['exceptionDetails']['exception'].get('description')}")
        return answer["result"].get("value")

    def wait(self, script, what=None):
        """Waits until the expression is true."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            if self.run(f"!!({script})"):
                return
            time.sleep(0.05)
        raise AssertionError(f"did not happen: {what or script}\n{self.complaints}\n"
                             + self.run("document.body.innerText"))

    def wait_text(self, text, selector="body"):
        found = json.dumps(text)
        place = json.dumps(selector)
        self.wait(f"document.querySelector({place})?.innerText.includes({found})", f"{text!r} in {selector}")

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def click(self, selector, text=None):
        """Clicks the visible element, or that one of them that has this text."""
        which = json.dumps(selector)
        wanted = json.dumps(text)
        self.wait(f"""(() => {{
            const node = [...document.querySelectorAll({which})].filter((n) => n.checkVisibility() &&
                !n.disabled && ({wanted} === null || n.textContent.trim() === {wanted})).at(-1);
            node?.click();
            return !!node;
        }})()""", f"click on {selector} {text or ''}")

    def type(self, selector, text):
        """Replaces what is in a field, as if typed."""
        place = json.dumps(selector)
        self.wait(f"!!document.querySelector({place})")
        self.run(f"(() => {{ const n = document.querySelector({place}); n.focus(); n.select?.(); }})()")
        if text:
            self.call("Input.insertText", text=text)
        else:
            self.run(f"(() => {{ const n = document.querySelector({place}); n.value = '';"
                     "n.dispatchEvent(new Event('input', {bubbles: true})); })()")

    def choose(self, selector, value):
        place = json.dumps(selector)
        self.run(f"(() => {{ const n = document.querySelector({place}); n.value = {json.dumps(value)};"
                 "n.dispatchEvent(new Event('change', {bubbles: true})); })()")

    def press(self, key, modifiers=0):
        """modifiers: 2 = Ctrl, 8 = Shift"""
        text = {"text": "\r"} if key == "Enter" and not modifiers else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, modifiers=modifiers,
                      windowsVirtualKeyCode=KEYS[key], **(text if kind == "keyDown" else {}))

    def size(self, width, height, mobile=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=mobile)

    def dark(self, on):
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if on else "light"}])

    def picture(self, path, whole=False):
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def accessible(self):
        """The nodes of the accessibility tree that are not ignored: [(role, name)]."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in nodes if not n["ignored"]]
