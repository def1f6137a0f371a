"""The judge: runs the bridge against a real mosquitto and a real Home Assistant and asks Home Assistant what it sees.

    judge.py --bridge target/debug/tesla2mqtt      a day of simulated cars, and every restart
    judge.py --handmade                            the judge's own test: one right device, one full of mistakes

Prints each finding as it comes and one summary line at the end. Exit code 0: nothing to say; 1: findings; 4: Home
Assistant, mosquitto or the bridge did not get far enough to be judged.
"""

import argparse
import asyncio
import datetime
import math
import pathlib
import re
import sys
import tempfile
import time

import announced
import check
import day
import handmade
import lint
from bridge import Bridge
from broker import Listener, Mosquitto, free_port
from core import Core, Failed, until

# Said by Home Assistant when we take its broker away, which is our doing.
EXPECTED_IN_AN_OUTAGE = re.compile(r"Disconnected from MQTT server|Failed to connect to MQTT server|Connection refused|The connection was lost|client is not currently connected")
# An older version takes a sold car away once more than it can.
EXPECTED_OF_A_SALE = re.compile(r"No device components to cleanup for tesla2mqtt_7SAXCBE50NF000099")
# Between two looks, and between a message at one listener and the same at another.
SETTLED = 0.3
# A message of the judge's own: who has heard it has heard what was said before it.
MARK = "judge/mark"


class Judge:
    """What has been seen and found so far."""

    def __init__(self, core, mosquitto, listener, base_topic):
        self.core = core
        self.mosquitto = mosquitto
        self.listener = listener
        self.base = base_topic
        self.findings = {}
        self.notes = {}
        self.missed = []
        self.checked = set()
        self.stages = []
        self.linted = set()
        self.n_records = 0
        self.all_enabled = False
        self.n_marks = 0
        self.heard_mark = 0
        self.marked_socket = None
        # Whether this Home Assistant knows default_entity_id; an older one builds ids from names.
        self.chooses_ids = True
        self.entity_ids = set()
        self.first_ids = {}
        self.recording_since = time.time()
        self.numbered_at = {}
        self.hearing_since = math.inf
        self.begun = time.monotonic()

    def say(self, text):
        """A line of progress."""
        print(f"[{time.monotonic() - self.begun:5.1f} s] {text}", flush=True)

    def find(self, where, text, stage):
        """Keeps a finding, and prints it the first time."""
        kept = self.notes if text.startswith("note: ") else self.findings
        if (where, text) not in kept:
            kept[where, text] = stage
            self.say(f"{'' if kept is self.notes else 'FINDING '}{where}: {text} ({stage})")

    def miss(self, text):
        """Something that could not be judged, which is no finding."""
        self.missed.append(text)
        self.say(f"not judged: {text}")

    # -- what is announced ------------------------------------------------------------------------------------------

    def devices(self):
        """The retained discovery messages of the moment."""
        found = []
        for topic, payload in sorted(self.listener.retained.copy().items()):
            if announced.TOPIC.match(topic):
                found.append(announced.read(topic, payload))
        return found

    def lint(self, stage):
        """Reads each version of a message once, also those that the next one replaced."""
        for topic, payload in self.listener.versions.copy():
            if (topic, payload) in self.linted or not announced.TOPIC.match(topic):
                continue
            self.linted.add((topic, payload))
            device = announced.read(topic, payload)
            name = topic.split("/")[-2]
            for key, text in lint.device(device):
                self.find(f"{name} {key}".strip(), text, stage)
            # Home Assistant chooses an entity id once: what an announcement says later has no effect.
            ids = {(one.key, one.platform): one.config.get("default_entity_id") for one in device.components}
            first = self.first_ids.setdefault(topic, {})
            changed = [key for key in ids if first.setdefault(key, ids[key]) != ids[key]]
            if changed:
                example = f"{first[changed[0]]} became {ids[changed[0]]}"
                self.find(name, f"{len(changed)} default_entity_ids changed after they were first announced ({example})", stage)
            # A component that is announced later gets its id from the name of that day.
            named = [(one.key, first[one.key, one.platform]) for one in device.components]
            slugs = {entity_id.removesuffix(f"_{key}").split(".")[1] for key, entity_id in named if entity_id}
            if len(slugs) > 1 and not changed:
                self.find(name, f"its entity ids start with different names: {sorted(slugs)}", stage)

    # -- what Home Assistant has ------------------------------------------------------------------------------------

    async def registry(self):
        """MQTT entities by platform and unique id."""
        listed = await self.core.ask("config/entity_registry/list")
        return {(entry["entity_id"].split(".")[0], entry["unique_id"]): entry for entry in listed if entry["platform"] == "mqtt"}

    async def caught_up(self, seconds=90):
        """Waits until Home Assistant has heard what the listener knows, and the listener what Home Assistant does: a
        busy machine takes its time, and that is no finding."""
        deadline = time.monotonic() + seconds

        def heard(message):
            self.heard_mark = max(self.heard_mark, int(message["payload"]))

        def there():
            said = self.listener.events.get(MARK, (0, "0"))[1]
            return self.heard_mark >= self.n_marks and int(said) >= self.n_marks

        while time.monotonic() < deadline:
            try:
                # Makes a new connection if the old one is gone.
                await self.core.ask("get_config")
                if self.marked_socket is not self.core.socket:
                    await self.core.hear(MARK, heard)
                    self.marked_socket = self.core.socket
            except (Failed, ConnectionError):
                await asyncio.sleep(SETTLED)
                continue
            self.n_marks += 1
            self.listener.publish(MARK, str(self.n_marks), retain=False)
            try:
                return await until("the mark is heard", there, 2)
            except TimeoutError:
                pass
        raise TimeoutError(f"Home Assistant has not heard a message of {seconds} s ago")

    async def look(self, stage):
        """One comparison of everything: {(where, text)}, the places that were found right, the entities looked at."""
        begun = time.monotonic() - SETTLED
        retained = self.listener.retained.copy()
        devices = self.devices()
        self.lint(stage)
        await self.caught_up()
        registry = await self.registry()
        stored = {
            identifier: entry
            for entry in await self.core.ask("config/device_registry/list")
            for _, identifier in entry["identifiers"]
        }
        states = {state["entity_id"]: state for state in await self.core.ask("get_states")}
        await self.caught_up()
        moving = self.listener.moving(begun)
        for entity_id, state in states.items():
            if state["attributes"].get("state_class") and re.fullmatch(r"-?[\d.]+", state["state"]):
                self.numbered_at.setdefault(entity_id, time.time())
        found, right, seen, wanted = set(), set(), set(), set()
        for device in devices:
            name = device.topic.split("/")[-2]
            other_ids = []
            entry = next((stored[one] for one in device.identifiers if one in stored), None)
            found |= {(name, text) for text in check.as_device(device, entry)}
            for one in device.components:
                wanted.add((one.platform, one.unique_id))
                entry = registry.get((one.platform, one.unique_id))
                where = f"{entry['entity_id'] if entry else name + ' ' + one.key} ({one.key})"
                found |= {(where, text) for text in check.registered(one, entry, not self.all_enabled)}
                if entry is None:
                    continue
                self.entity_ids.add(entry["entity_id"])
                first_id = self.first_ids[device.topic].get((one.key, one.platform))
                if self.chooses_ids and first_id not in (None, entry["entity_id"]):
                    other_ids.append(f"{entry['entity_id']} (announced {first_id})")
                seen.add((one.platform, one.unique_id))
                if entry["disabled_by"] is None:
                    device_name = device.device.get("name")
                    state = states.get(entry["entity_id"])
                    found |= {(where, text) for text in check.shown(one, state, retained, moving, device_name)}
                if not moving & set(one.topics()):
                    right.add(where)
            if other_ids:
                found.add((name, f"{len(other_ids)} entity ids are not as first announced: {min(other_ids)}"))
        for platform, unique_id in registry.keys() - wanted:
            entry = registry[platform, unique_id]
            # Older versions forget an entity only if it was enabled; its owner sees no difference.
            forgets = self.chooses_ids or entry["disabled_by"] is None
            found.add((entry["entity_id"], f"{'' if forgets else 'note: '}in Home Assistant but not announced: a leftover"))
        wrong = {where for where, _ in found}
        return found, right - wrong, seen

    async def check(self, stage, seconds=12, looks=10):
        """Compares until each entity was seen to be right, or for so long and so often, and keeps what never was:
        values move."""
        deadline = time.monotonic() + seconds
        ever_right = set()
        while True:
            await asyncio.sleep(SETTLED)
            found, right, seen = await self.look(stage)
            ever_right |= right
            looks -= 1
            lasting = {(where, text) for where, text in found if where not in ever_right}
            if not lasting or (time.monotonic() > deadline and looks <= 0):
                break
        for where, text in sorted(lasting):
            self.find(where, text, stage)
        self.checked |= seen
        self.stages.append(stage)
        self.log(stage)
        self.say(f"checked {len(seen)} entities: {stage}")
        return len(seen)

    def log(self, stage):
        """New lines of Home Assistant's log that are about us."""
        records = self.core.records()
        marks = ("mqtt", self.base, "tesla", *self.entity_ids)
        for level, logger, text in records[self.n_records :]:
            if level not in ("WARNING", "ERROR", "CRITICAL") or EXPECTED_IN_AN_OUTAGE.search(text) or EXPECTED_OF_A_SALE.search(text):
                continue
            # Where Home Assistant is installed is not about us, though the path may name us.
            plain = re.sub(r'File "[^"]*"', "", text).lower()
            if not any(mark.lower() in plain for mark in marks):
                continue
            lines = text.splitlines()
            # Time and thread differ between records that are the same; of a traceback the end says it.
            first = re.sub(r"^\S+ \S+ ", "", lines[0])[:700]
            self.find(f"log {logger}", first + (f" … {lines[-1][:300]}" if len(lines) > 1 else ""), stage)
        self.n_records = len(records)

    async def enable_all(self):
        """Enables what is disabled by default, as a curious owner does, so that it is judged too."""
        n_enabled = 0
        announced_now = {(one.platform, one.unique_id) for device in self.devices() for one in device.components}
        for known_as, entry in (await self.registry()).items():
            if known_as in announced_now and entry["disabled_by"] == "integration":
                await self.core.ask("config/entity_registry/update", entity_id=entry["entity_id"], disabled_by=None)
                n_enabled += 1
        self.all_enabled = True
        self.recording_since = time.time()
        return n_enabled

    async def settled(self, what, seconds):
        """Waits until every announced, enabled entity is there and available; whether that came true."""

        async def all_there():
            registry = await self.registry()
            states = {state["entity_id"]: state["state"] for state in await self.core.ask("get_states")}
            components = [one for device in self.devices() for one in device.components]
            for one in components:
                entry = registry.get((one.platform, one.unique_id))
                if entry is None:
                    return False
                if entry["disabled_by"] is None and states.get(entry["entity_id"], "unavailable") == "unavailable":
                    return False
            return bool(components)

        begun = time.monotonic()
        try:
            await until(what, all_there, seconds)
        except TimeoutError:
            self.say(f"{what}: not all there after {seconds} s")
            return False
        self.hearing_since = time.monotonic()
        self.say(f"{what}: all there after {self.hearing_since - begun:.1f} s")
        return True

    async def events(self, stage):
        """What is published as an event must come out of the event entity, and be one of its types."""
        registry = await self.registry()
        states = {state["entity_id"]: state for state in await self.core.ask("get_states")}
        for device in self.devices():
            for one in device.components:
                entry = registry.get((one.platform, one.unique_id))
                if one.platform != "event" or entry is None:
                    continue
                pattern = re.compile(re.escape(one.config["state_topic"]).replace(r"\+", "[^/]+").replace(r"\#", ".*"))
                # Home Assistant does not hear what was said before it was there.
                events = self.listener.events.copy().items()
                said = {topic: text for topic, (at, text) in events if at > self.hearing_since and pattern.fullmatch(topic)}
                state = states.get(entry["entity_id"], {"state": "missing", "attributes": {}})
                if said and state["state"] in ("unknown", "unavailable", "missing"):
                    self.find(entry["entity_id"], f"is {state['state']}, but there were events: {dict(list(said.items())[:2])}", stage)
                self.say(f"{entry['entity_id']}: {len(said)} kinds of events, last {state['attributes'].get('event_type')}")

    # -- statistics -------------------------------------------------------------------------------------------------

    async def statistics(self, stage):
        """The recorder's own validation, and a long-term statistic of every sensor that has a state class."""
        states = {state["entity_id"]: state for state in await self.core.ask("get_states")}
        for entity_id, issues in (await self.core.ask("recorder/validate_statistics")).items():
            for issue in issues:
                # Of a car that was sold its owner may keep the statistics.
                if entity_id in states:
                    self.find(entity_id, f"statistics: {issue['type']} {issue.get('data')}", stage)
        listed = {one["statistic_id"]: one for one in await self.core.ask("recorder/list_statistic_ids")}
        n_listed = 0
        for entity_id, state in states.items():
            state_class = state["attributes"].get("state_class")
            if entity_id not in self.entity_ids or not state_class:
                continue
            if entity_id not in listed:
                if state["state"] not in ("unknown", "unavailable"):
                    self.find(entity_id, f"state class {state_class}, but no statistics are kept", stage)
                continue
            n_listed += 1
            kept = listed[entity_id]
            sums = state_class in ("total", "total_increasing")
            if kept.get("has_sum") != sums:
                self.find(entity_id, f"statistics keep has_sum {kept.get('has_sum')} for {state_class}", stage)
        self.log(stage)
        self.say(f"statistics: {n_listed} sensors")
        return n_listed

    async def compiled(self, stage, patience=150):
        """Short-term statistics are made every five minutes, at the tenth second: waits for the next ones, unless that
        takes long and there have been some since all entities were enabled, then looks into them."""
        coming = (time.time() // 300 + 1) * 300 + 15
        due = coming - 300
        if coming - time.time() < patience or due < self.recording_since + 60:
            due = coming
        if due > time.time():
            self.say(f"{due - time.time():.0f} s to the recorder's five minutes")
        while due > time.time():
            await asyncio.sleep(min(20, max(0, due - time.time())))
            await self.check("later in the day")
        await self.statistics(stage)
        there = {state["entity_id"] for state in await self.core.ask("get_states")}
        numbered = sorted(entity_id for entity_id, at in self.numbered_at.items() if at < due - 30 and entity_id in there)
        start = datetime.datetime.fromtimestamp(self.recording_since - 600, datetime.UTC).isoformat()
        kept = await self.core.ask(
            "recorder/statistics_during_period", start_time=start, period="5minute", statistic_ids=numbered
        )
        for entity_id in numbered:
            if not kept.get(entity_id):
                self.find(entity_id, "had a number, but the recorder's five minutes made no statistic of it", stage)
        self.say(f"statistics made of {len(kept)} of {len(numbered)} sensors")

    def end(self):
        """The summary line; the exit code."""
        n_stages = len(dict.fromkeys(self.stages))
        print()
        for (where, text), stage in self.findings.items():
            print(f"FINDING {where}: {text} (first seen: {stage})")
        print(
            f"{len(self.checked)} entities checked at {n_stages} stages, {len(self.findings)} warnings, "
            f"{len(self.notes)} notes, {time.monotonic() - self.begun:.0f} s"
        )
        for text in self.missed:
            print(f"NOT JUDGED: {text}", file=sys.stderr)
        if self.findings:
            return 1
        return 4 if self.missed else 0


async def main():
    """Sets the three up, judges, and takes them down whatever happens."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--bridge", help="the bridge's program")
    arguments.add_argument("--handmade", action="store_true", help="judge hand-made devices instead of the bridge's")
    arguments.add_argument("--speed", type=float, default=20, help="how much faster than the world the cars live")
    arguments.add_argument("--day", type=float, default=120, help="seconds to wait for every stage of a car's day")
    arguments.add_argument("--full-car", help="what examples/full_car.rs printed: judge its controls too")
    arguments.add_argument("--recording", action="append", default=[], help="a recorded car to add")
    arguments.add_argument("--long-term", action="store_true", help="also wait for the recorder's five minutes")
    arguments.add_argument("--keep", help="keep logs and configuration in this folder")
    options = arguments.parse_args()
    if not options.handmade and not options.bridge:
        arguments.error("expected --bridge PROGRAM or --handmade")

    with tempfile.TemporaryDirectory(prefix="judge-") as temporary:
        folder = pathlib.Path(options.keep or temporary).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        mosquitto = Mosquitto(folder / "mosquitto", free_port())
        core = Core(folder / "homeassistant", free_port())
        bridge, listener, judge = None, None, None
        try:
            mosquitto.start()
            listener = Listener(mosquitto.port)
            judge = Judge(core, mosquitto, listener, handmade.BASE if options.handmade else "tesla2mqtt")
            await core.start()
            await core.add_broker(mosquitto.port)
            config = await core.ask("get_config")
            judge.say(f"Home Assistant {config['version']} runs")
            judge.chooses_ids = tuple(map(int, config["version"].split(".")[:2])) >= (2025, 10)
            judge.log("Home Assistant alone")
            if options.handmade:
                return await handmade.judged(judge)
            bridge = Bridge(options.bridge, 1, [], mosquitto.port, folder / "asleep")
            await day.asleep_at_the_start(judge, bridge)
            bridge = Bridge(options.bridge, options.speed, options.recording, mosquitto.port, folder / "day")
            full_car = pathlib.Path(options.full_car) if options.full_car else None
            await day.lived(judge, bridge, options.day, full_car, options.long_term)
            return judge.end()
        except (Failed, TimeoutError, OSError) as error:
            print(f"NOT JUDGED: {type(error).__name__}: {error}", file=sys.stderr)
            if bridge and bridge.lives:
                print(f"the bridge said: {bridge.said()}", file=sys.stderr)
            return 1 if judge and judge.findings else 4
        finally:
            if bridge:
                bridge.stop()
            if listener:
                listener.close()
            await core.close()
            mosquitto.stop()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
