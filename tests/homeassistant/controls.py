"""A car that has everything, and its controls: what examples/full_car.rs printed is published beside the bridge's own
cars. First it can only be read, then its owner allows commands, every control is used once, and the owner takes
commands back.
"""

import asyncio
import json

from core import Failed, until

# Longer than Home Assistant takes to set a message up; the bridge waits four seconds.
APART = 5


def messages(path, step):
    """What is published at a step, in its order."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [(line["topic"], line["payload"]) for line in lines if line["step"] == step]


async def publish(judge, path, step):
    """One step; discovery messages apart from each other."""
    for n, (topic, payload) in enumerate(messages(path, step)):
        if n and topic.endswith("/config"):
            await asyncio.sleep(APART)
        judge.listener.publish(topic, payload)


async def announced(judge, path):
    """As the bridge does it: readings first, and later controls in their place."""
    await publish(judge, path, "states")
    await publish(judge, path, "reading")
    await judge.settled("a full car", 120)
    await judge.check("a full car")
    await publish(judge, path, "commands allowed")
    await judge.settled("a full car with controls", 120)
    await judge.check("a full car with controls")


async def taken_back(judge, path):
    """Controls become readings again, and in the end the car is sold."""
    await publish(judge, path, "commands taken back")
    await judge.settled("a full car without controls", 120)
    await judge.check("a full car without controls")
    for topic, _ in messages(path, "reading") + messages(path, "states"):
        judge.listener.publish(topic, "")
    await judge.check("the full car is gone")


def uses(one, state):
    """What an owner can do with a control: (service, its data, the payload that must come)."""
    config = one.config
    match one.platform:
        case "button":
            yield "press", {}, "PRESS"
        case "switch":
            yield "turn_on", {}, "on"
            yield "turn_off", {}, "off"
        case "lock":
            yield "lock", {}, "lock"
            yield "unlock", {}, "unlock"
        case "cover":
            yield "open_cover", {}, "open"
            # What has no motor is opened only.
            if config.get("payload_close", "CLOSE") is not None:
                yield "close_cover", {}, "close"
        case "number":
            for value in (config.get("min", 1), config.get("max", 100)):
                yield "set_value", {"value": value}, value
        case "select":
            for option in config["options"]:
                yield "select_option", {"option": option}, option
        case "text":
            yield "set_value", {"value": "Home"}, "Home"
        case "climate":
            for mode in config["modes"]:
                yield "set_hvac_mode", {"hvac_mode": mode}, mode
        # Home Assistant installs only what is there to be installed.
        case "update" if state == "on":
            yield "install", {}, "install"


def same(payload, wanted):
    """Numbers by their value, words by their letters."""
    if isinstance(wanted, str):
        return payload == wanted
    try:
        return abs(float(payload) - wanted) < 1e-6
    except ValueError:
        return False


async def used(judge):
    """Every control says the right word on its topic, once and not retained."""
    registry = await judge.registry()
    states = {state["entity_id"]: state["state"] for state in await judge.core.ask("get_states")}
    n_used = 0
    for device in judge.devices():
        for one in device.components:
            topic = one.config.get("command_topic") or one.config.get("mode_command_topic")
            entry = registry.get((one.platform, one.unique_id))
            if topic is None or entry is None:
                continue
            entity_id = entry["entity_id"]
            for service, data, wanted in uses(one, states.get(entity_id)):
                n_used += 1
                await use(judge, one.platform, service, entity_id, data, topic, wanted)
    judge.say(f"{n_used} uses of controls")
    if n_used < 50:
        judge.find("controls", f"only {n_used} uses", "controls used")
    await judge.check("controls used")


async def use(judge, domain, service, entity_id, data, topic, wanted):
    """One call of a service."""
    where, stage = f"{entity_id} {service}", "controls used"
    judge.listener.events.pop(topic, None)
    try:
        await judge.core.ask(
            "call_service", domain=domain, service=service, service_data=data, target={"entity_id": entity_id}
        )
    except Failed as error:
        judge.find(where, f"refused: {error}", stage)
        return
    try:
        await until(where, lambda: topic in judge.listener.events, 10)
    except TimeoutError:
        kept = " (retained)" if topic in judge.listener.retained else ""
        judge.find(where, f"nothing was said on {topic}{kept}", stage)
        return
    _, payload = judge.listener.events[topic]
    if not same(payload, wanted):
        judge.find(where, f"said {payload!r}, expected {wanted!r}", stage)
