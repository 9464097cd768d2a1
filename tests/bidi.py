"""Firefox over WebDriver BiDi with its own windows in reach: what a page cannot do, such as pressing a notification's button."""

import asyncio
import json
import subprocess
import threading
import time
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import aiohttp

from tests.firefox import firefox_path, preferences
from tests.house import free_port

T = TypeVar("T")
START_SECONDS = 60
ANSWER_SECONDS = 60


class Firefox:
    """A Firefox without a screen inside `with Firefox(profile, push_url) as firefox:`; `evaluate` runs in a tab."""

    def __init__(self, profile: Path, push_url: str, more: Mapping[str, str | float | bool] | None = None) -> None:
        self._profile, self._port = profile, free_port()
        self._preferences = {**preferences(push_url), **(more or {})}
        # a thread of its own, because a walk with Chromium beside it already runs a loop in this one
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._last = 0

    def __enter__(self) -> Self:
        self._profile.mkdir(parents=True)
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in self._preferences.items()]
        (self._profile / "user.js").write_text("\n".join(lines))
        path = firefox_path()
        assert path is not None
        with (self._profile / "firefox.log").open("wb") as log:
            self._process = subprocess.Popen(
                [path, "--headless", "--no-remote", "--profile", str(self._profile),
                 f"--remote-debugging-port={self._port}", "--remote-allow-system-access", "about:blank"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        self._thread.start()
        try:
            self._wait(self._connect(), START_SECONDS + 5)
            self.tab = self.contexts()[0]
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *failure: object) -> None:
        self._wait(self._close(), 10)
        self._end()

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def contexts(self, chrome: bool = False) -> list[str]:
        """The ids of the open tabs, or of Firefox's own windows."""
        return [one["context"] for one in self._tree(chrome)]

    def alerts(self) -> list[str]:
        """The ids of the windows in which Firefox shows notifications, oldest first."""
        return [one["context"] for one in self._tree(chrome=True) if one["url"].endswith("/alert.xhtml")]

    def go(self, url: str) -> None:
        """Open a page in the tab and wait until it has loaded."""
        self.call("browsingContext.navigate", context=self.tab, url=url, wait="complete")

    def evaluate(self, function: str, *arguments: Any, context: str = "") -> Any:
        """What a JavaScript function (awaited) returns, as plain JSON."""
        told = self.call(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({function})(...{json.dumps(arguments)})) ?? 'null')()",
            target={"context": context or self.tab}, awaitPromise=True, userActivation=True,
        )  # fmt: skip
        assert told["type"] == "success", told
        return json.loads(told["result"]["value"])

    def until(self, function: str, *arguments: Any, seconds: float = 40.0) -> Any:
        """What a function returns once that is something."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := self.evaluate(function, *arguments):
                return found
            time.sleep(0.2)
        raise AssertionError(f"it never came: {function}\n{self.evaluate('() => document.body.innerText')}")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol."""
        return self._wait(self._call(method, params), ANSWER_SECONDS)

    def _wait(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, seconds), self._loop).result()

    def _tree(self, chrome: bool) -> list[dict[str, Any]]:
        scope = {"moz:scope": "chrome"} if chrome else {}
        return list(self.call("browsingContext.getTree", **scope)["contexts"])

    async def _connect(self) -> None:
        self._http = aiohttp.ClientSession()
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                self._socket = await self._http.ws_connect(f"ws://127.0.0.1:{self._port}/session", max_msg_size=1 << 26)
                break
            except aiohttp.ClientError:
                assert time.monotonic() < end, (self._profile / "firefox.log").read_text()
                await asyncio.sleep(0.1)
        await self._call("session.new", {"capabilities": {}})

    async def _call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._last += 1
        await self._socket.send_json({"id": self._last, "method": method, "params": params})
        while True:
            said = await self._socket.receive_json()
            if said.get("id") == self._last:
                assert said["type"] == "success", said
                return dict(said["result"])

    async def _close(self) -> None:
        await self._socket.close()
        await self._http.close()
