"""What must outlive the bridge's process: values, meters, and the list of what was announced, by which an upgrade that
drops an entity takes it away everywhere."""

import dataclasses
import json

import announced
from core import until

# A row of an earlier version that today's bridge does not have.
GONE = "gone_with_an_upgrade"


@dataclasses.dataclass
class Kept:
    """The retained values of cars, and the identities of their components."""

    values: dict
    identities: dict


def now(judge):
    """As it is at the moment."""
    retained = judge.listener.retained.copy()
    values = {
        topic: payload
        for topic, payload in retained.items()
        if topic.startswith(f"{judge.base}/") and not topic.startswith(f"{judge.base}/bridge/")
    }
    identities = {
        one.unique_id: (one.platform, one.config.get("default_entity_id"))
        for device in judge.devices()
        for one in device.components
    }
    return Kept(values, identities)


def compare(judge, before, stage):
    """Nothing is lost: a car that sleeps is known as well as before, though nobody can ask it."""
    after = now(judge)
    for unique_id, identity in before.identities.items():
        if after.identities.get(unique_id) != identity:
            judge.find(unique_id, f"was announced as {identity}, now as {after.identities.get(unique_id)}", stage)
    lost = sorted(before.values.keys() - after.values.keys())
    if lost:
        judge.find("values", f"{len(lost)} topics are gone: {lost[:5]}", stage)
    known = {topic for topic, payload in before.values.items() if payload != "None"}
    forgotten = sorted(topic for topic in known if after.values.get(topic) == "None")
    # A charge that ended, a route that was left: some values end by themselves meanwhile.
    if len(forgotten) > 0.1 * len(known):
        judge.find("values", f"{len(forgotten)} of {len(known)} are unknown now: {forgotten[:10]}", stage)
    judge.say(f"{stage}: {len(known) - len(forgotten)} of {len(known)} known values are known, {len(lost)} lost")


def never_fell(judge, stage):
    """Meters only grow, over every restart."""
    for topic, readings in judge.listener.meters.items():
        numbers = [float(text) for text in readings if text != "None"]
        falls = [f"{before} → {after}" for before, after in zip(numbers, numbers[1:]) if after < before]
        if falls:
            judge.find(topic, f"fell {len(falls)} times: {falls[:3]}", stage)
    judge.say(f"{len(judge.listener.meters)} meters never fell" if judge.listener.meters else "no meters were read")
    if not judge.listener.meters:
        judge.find("day", "no meter was ever published", stage)


async def of_an_earlier_version(judge, bridge):
    """While the bridge is down, its past is changed: its last version had one entity more."""
    device = max(judge.devices(), key=lambda device: device.size)
    vin = device.device["serial_number"]
    key, entity_id = next((one.key, one.config["default_entity_id"]) for one in device.components if one.platform == "sensor")
    topic = f"{judge.base}/{vin}/{GONE}"
    message = json.loads(judge.listener.retained[device.topic])
    message["cmps"][GONE] = {
        "p": "sensor",
        "uniq_id": f"{vin}_{GONE}",
        "def_ent_id": f"{entity_id.removesuffix(key)}{GONE}",
        "name": "Gone with an upgrade",
        "stat_t": topic,
    }
    file = bridge.state / "retained.json"
    manifest = json.loads(file.read_text())
    manifest["announced"][device.topic]["components"][GONE] = "sensor"
    manifest["levels"][f"{judge.base}/{vin}"]["keys"].append(GONE)
    file.write_text(json.dumps(manifest))
    judge.listener.publish(topic, "1")
    judge.listener.publish(device.topic, json.dumps(message))

    async def there():
        return ("sensor", f"{vin}_{GONE}") in await judge.registry()

    await until("Home Assistant has the entity of an earlier version", there, 60)


async def asked_back(judge, bridge):
    """The bridge takes entities away once Home Assistant is surely there: after some minutes, or at its birth message.
    It is there: it says so again, to spare the minutes."""

    async def taken():
        if bridge.process.poll() is None:
            judge.listener.publish("homeassistant/status", "online", retain=False)
        return any(key == GONE for topic, payload in judge.listener.versions.copy() for key, _ in announced.read(topic, payload).removed)

    try:
        await until("the entity of an earlier version is taken back", taken, 60)
    except TimeoutError:
        # Found, and told, by the look for leftovers.
        return


def cleaned_up(judge, stage):
    """The bridge that came after it took it away; that Home Assistant has no leftovers is checked at each stage."""
    left = [topic for topic in judge.listener.retained.copy() if topic.endswith(f"/{GONE}")]
    left += [device.topic for device in judge.devices() for one in device.components if one.key == GONE]
    for topic in left:
        judge.find(topic, "an entity that this version does not have is still there", stage)
    removed = [
        topic
        for topic, payload in judge.listener.versions.copy()
        for key, _ in announced.read(topic, payload).removed
        if key == GONE
    ]
    if not removed:
        judge.find("bridge", "an entity that this version does not have was never taken back", stage)
    judge.say(f"{stage}: an entity of an earlier version was taken away")
