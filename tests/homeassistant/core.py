"""A real Home Assistant of our own: its process, its configuration folder, its log and its WebSocket.

Set up the way a person does it: the first account through the onboarding page's address, the broker through the
MQTT integration's form. It knows nothing of cars.
"""

import asyncio
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import aiohttp

CONFIGURATION = """\
homeassistant:
  name: Judge
  latitude: 52.52
  longitude: 13.405
  elevation: 34
  unit_system: metric
  time_zone: Europe/Berlin
  currency: EUR
  country: DE
http:
  server_host: 127.0.0.1
  server_port: {port}
logger:
  default: warning
recorder:
  commit_interval: 1
history:
config:
"""
# All of onboarding but the account: what is listed counts as done, and no integration of the internet is offered.
ONBOARDED = '{"version": 4, "minor_version": 1, "key": "onboarding", "data": {"done": ["core_config", "analytics", "integration"]}}'
# A line of the log that starts a record; the lines up to the next one (tracebacks) belong to it.
RECORD = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+\S* (?P<level>[A-Z]+) \([^)]*\) \[(?P<logger>[^\]]+)\] ")


class Failed(Exception):
    """Home Assistant itself did not do what the judge needs; nothing is known about the bridge."""


async def until(what, condition, seconds):
    """Waits until `condition` (plain or a coroutine function) is true and returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        await asyncio.sleep(0.2)


def as_offered(fields):
    """A form's required fields with what a person finds in them: the default, a box not ticked, the first choice."""
    filled = {}
    for field in fields:
        if not field.get("required"):
            continue
        selector = field.get("selector", {})
        if field.get("type") == "expandable":
            value = as_offered(field["schema"])
        elif "default" in field:
            value = field["default"]
        elif "boolean" in selector:
            value = False
        elif "select" in selector:
            value = selector["select"]["options"][0]
        else:
            value = None
        filled[field["name"]] = value
    return filled


class Core:
    """One Home Assistant over several lives of its process."""

    def __init__(self, folder: pathlib.Path, port: int):
        self.folder = folder
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / "home-assistant.log"
        self.process = None
        self.session = None
        self.socket = None
        self.token = None
        self.waiting = {}
        self.hearing = {}
        self.n_sent = 0
        self.lives = 0
        (folder / ".storage").mkdir(parents=True)
        (folder / ".storage" / "onboarding").write_text(ONBOARDED)
        (folder / "configuration.yaml").write_text(CONFIGURATION.format(port=port))

    async def start(self, seconds=120):
        """Starts it and returns once its WebSocket answers and it says that it is running."""
        self.lives += 1
        self.process = subprocess.Popen(
            [sys.executable, "-m", "homeassistant", "--config", str(self.folder), "--skip-pip", "--log-no-color"],
            stdin=subprocess.DEVNULL,
            stdout=(self.folder / f"output-{self.lives}.txt").open("wb"),
            stderr=subprocess.STDOUT,
            env={**os.environ, "HOME": str(self.folder)},
        )
        # Without an end: aiohttp's own would cut the WebSocket off after five minutes.
        self.session = self.session or aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, connect=30))
        await until("Home Assistant answers", self._answers, seconds)
        if self.token is None:
            await self._sign_up()
        await self._connect()
        await until("Home Assistant is running", self._is_running, seconds)

    async def _answers(self):
        if self.process.poll() is not None:
            raise Failed(f"Home Assistant ended with {self.process.returncode}:\n{self.output()[-3000:]}")
        try:
            async with self.session.get(f"{self.url}/api/onboarding/installation_type") as answer:
                return answer.status < 500 and answer.status != 404 or self.token is not None
        except aiohttp.ClientError:
            return False

    async def _is_running(self):
        return (await self.ask("get_config"))["state"] == "RUNNING"

    async def _sign_up(self):
        person = {"name": "Judge", "username": "judge", "password": "judge", "client_id": self.url, "language": "en"}
        async with self.session.post(f"{self.url}/api/onboarding/users", json=person) as answer:
            if answer.status != 200:
                raise Failed(f"onboarding: {answer.status} {await answer.text()}")
            code = (await answer.json())["auth_code"]
        form = {"grant_type": "authorization_code", "code": code, "client_id": self.url}
        async with self.session.post(f"{self.url}/auth/token", data=form) as answer:
            if answer.status != 200:
                raise Failed(f"token: {answer.status} {await answer.text()}")
            # Good for half an hour, longer than a judgement takes.
            self.token = (await answer.json())["access_token"]

    async def _connect(self):
        self.socket = await self.session.ws_connect(f"{self.url}/api/websocket", max_msg_size=0)
        await self.socket.receive_json()
        await self.socket.send_json({"type": "auth", "access_token": self.token})
        answer = await self.socket.receive_json()
        if answer["type"] != "auth_ok":
            raise Failed(f"the WebSocket refused the token: {answer}")
        self._reader = asyncio.create_task(self._read(self.socket))

    async def _read(self, socket):
        async for message in socket:
            for one in (lambda body: body if isinstance(body, list) else [body])(message.json()):
                if one.get("type") == "event" and one.get("id") in self.hearing:
                    self.hearing[one["id"]](one["event"])
                    continue
                future = self.waiting.pop(one.get("id"), None)
                if future and not future.done():
                    future.set_result(one)
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(ConnectionError("Home Assistant closed its WebSocket"))
        self.waiting.clear()
        self.hearing.clear()

    async def ask(self, command, **arguments):
        """One command of the WebSocket API; its result, or Failed."""
        if self.socket is None or self.socket.closed or self._reader.done():
            if self.process.poll() is not None:
                raise Failed(f"Home Assistant ended with {self.process.returncode}:\n{self.output()[-3000:]}")
            await self._connect()
        self.n_sent += 1
        future = asyncio.get_running_loop().create_future()
        self.waiting[self.n_sent] = future
        await self.socket.send_json({"id": self.n_sent, "type": command, **arguments})
        answer = await asyncio.wait_for(future, 30)
        if not answer.get("success"):
            raise Failed(f"{command}: {answer.get('error')}")
        return answer["result"]

    async def hear(self, topic, handler):
        """Calls `handler` with each message on a topic that Home Assistant's own MQTT client hears, as long as this
        WebSocket lasts."""
        self.hearing[self.n_sent + 1] = handler
        await self.ask("mqtt/subscribe", topic=topic)

    async def add_broker(self, port):
        """Fills in the MQTT integration's form as its owner would, every other field as offered."""
        headers = {"Authorization": f"Bearer {self.token}"}
        address = f"{self.url}/api/config/config_entries/flow"
        async with self.session.post(address, json={"handler": "mqtt"}, headers=headers) as answer:
            form = await answer.json()
        filled = {**as_offered(form.get("data_schema") or ()), "broker": "127.0.0.1", "port": port}
        async with self.session.post(f"{address}/{form['flow_id']}", json=filled, headers=headers) as answer:
            body = await answer.json()
        if body.get("type") != "create_entry":
            raise Failed(f"the MQTT form answered {body}")

    async def stop(self, seconds=60):
        """Ends it as a service manager does, and waits until it is gone."""
        if self.socket:
            await self.socket.close()
            self.socket = None
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                await until("Home Assistant stops", lambda: self.process.poll() is not None, seconds)
            except TimeoutError:
                self.process.kill()
                self.process.wait()

    async def close(self):
        """Stops it for good."""
        if self.process and self.process.poll() is None:
            await self.stop(20)
        if self.session:
            await self.session.close()

    def output(self):
        """Everything that its processes printed so far, which includes what goes to its log file."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("output-*.txt")))

    def records(self):
        """The log so far: (level, logger, text) with tracebacks kept together."""
        found = []
        for line in self.output().splitlines():
            start = RECORD.match(line)
            if start:
                found.append([start["level"], start["logger"], line])
            elif found:
                found[-1][2] += "\n" + line
            else:
                found.append(["ERROR", "output", line])
        return found
