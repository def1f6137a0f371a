"""The scripted day: what happens to the bridge, its cars, its broker and Home Assistant, and what is checked after each."""

import asyncio
import signal
import time

import controls
import kept
from core import Failed, until

# What at least one car must be seen to do: the key of its topic and the word there.
STAGES = (
    ("state", "asleep"),
    ("state", "online"),
    ("state", "driving"),
    ("state", "charging"),
    ("charging_state", "complete"),
    ("state", "updating"),
)
# Stages by what came before: (before, the key and the word after it, the stage's name).
AFTER = (
    (("state", "driving"), ("state", "online"), "online again after driving"),
    (("state", "charging"), ("state", "asleep"), "asleep again after charging"),
)
# What must come out of the event entities of a day.
EVENTS = {"drive_started", "drive_finished", "charge_started", "charge_finished", "update_started", "update_finished"}
# The bridge promises two; a busy machine has its own idea of that, and a test of the bridge's looks closer.
STOPS_WITHIN = 6
# The first drive of the demo's cars, in seconds of their lives.
DRIVES_AFTER = 20


async def asleep_at_the_start(judge, bridge):
    """A bridge whose cars live as slowly as the world: one of them sleeps, and nobody has ever seen it awake."""
    begun = time.monotonic()
    bridge.start()
    await described(judge, bridge, "asleep at the start")
    await judge.settled("asleep at the start", 120)
    await judge.check("asleep at the start")
    words = [word for topic, word in judge.listener.retained.items() if topic.endswith("/state")]
    if "asleep" not in words:
        judge.find("day", f"no car sleeps at the start: {words}", "asleep at the start")
    bridge.stop()
    await gone(judge, "asleep at the start")
    # The next bridge's cars begin where these began.
    judge.listener.meters.clear()
    if time.monotonic() - begun > DRIVES_AFTER:
        judge.miss("the meters of the first minute: the machine is so slow that a car has driven meanwhile")


async def lived(judge, bridge, seconds, full_car, long_term):
    """The bridge from its start through a day of its cars and every restart."""
    bridge.start()
    await described(judge, bridge, "first start")
    await judge.settled("first start", 120)
    await judge.check("first start")
    await judge.statistics("first start")
    if full_car:
        await controls.announced(judge, full_car)
    judge.say(f"{await judge.enable_all()} entities enabled that are not by default")

    await judge.core.stop()
    await judge.core.start()
    await judge.settled("Home Assistant restarted", 120)
    await judge.check("Home Assistant restarted")
    if full_car:
        await controls.used(judge)
        await controls.taken_back(judge, full_car)

    await stages(judge, seconds)
    await happened(judge, seconds)
    await judge.events("end of the day")

    judge.mosquitto.stop()
    await asyncio.sleep(3)
    judge.mosquitto.start()
    await described(judge, bridge, "mosquitto restarted without memory")
    await judge.settled("mosquitto restarted without memory", 120)
    await judge.check("mosquitto restarted without memory")

    before = kept.now(judge)
    took = bridge.stop()
    if took > STOPS_WITHIN:
        judge.find("bridge", f"took {took:.1f} s to stop", "bridge stopped")
    await gone(judge, "bridge stopped")
    await kept.of_an_earlier_version(judge, bridge)
    bridge.start()
    await kept.asked_back(judge, bridge)
    await judge.settled("bridge restarted", 120)
    await judge.check("bridge restarted")
    kept.compare(judge, before, "bridge restarted")
    kept.cleaned_up(judge, "bridge restarted")

    before = kept.now(judge)
    bridge.stop(signal.SIGKILL)
    await gone(judge, "bridge killed")
    judge.mosquitto.stop()
    judge.mosquitto.start()
    bridge.start()
    await described(judge, bridge, "bridge and mosquitto restarted after a kill")
    await judge.settled("bridge and mosquitto restarted after a kill", 120)
    await judge.check("bridge and mosquitto restarted after a kill")
    kept.compare(judge, before, "bridge and mosquitto restarted after a kill")

    await judge.statistics("end of the day")
    if long_term:
        await judge.compiled("the recorder's five minutes")
    kept.never_fell(judge, "the whole day")


async def described(judge, bridge, stage):
    """Waits until the broker has a description of the bridge and of both cars; no machine is so slow that the bridge
    may not say it."""

    def is_there():
        if bridge.process.poll() is not None:
            judge.find("bridge", f"ended with {bridge.process.returncode}", stage)
            raise Failed("the bridge is needed for the rest")
        return len(judge.devices()) > 2

    try:
        await until("the bridge describes its cars", is_there, 180)
    except TimeoutError:
        judge.find("bridge", f"describes {len(judge.devices())} devices, expected itself and two cars", stage)
        raise


async def gone(judge, stage):
    """Nothing may look alive while nobody keeps it so."""

    # What shows whether the bridge is there is always there itself.
    connection = {one.unique_id for device in judge.devices() for one in device.components if not one.availability()}
    always = {entry["entity_id"] for (_, unique_id), entry in (await judge.registry()).items() if unique_id in connection}

    def alive(state):
        entity_id, value = state["entity_id"], state["state"]
        return entity_id in judge.entity_ids and value != ("off" if entity_id in always else "unavailable")

    async def all_gone():
        states = await judge.core.ask("get_states")
        return not any(alive(state) for state in states)

    try:
        await until(stage, all_gone, 30)
        judge.say(f"{stage}: every entity unavailable")
    except TimeoutError:
        await judge.caught_up()
        for state in await judge.core.ask("get_states"):
            if alive(state):
                judge.find(state["entity_id"], f"is {state['state']} although the bridge is gone", stage)
    judge.log(stage)


async def stages(judge, seconds):
    """Follows the cars and checks every entity at each new kind of moment, of at least one car."""
    checked = {}
    deadline = time.monotonic() + seconds

    def seen():
        return set().union(*checked.values())

    again = [(key, name) for _, (key, _), name in AFTER]
    while time.monotonic() < deadline and not seen().issuperset((*STAGES, *again)):
        for topic, word in sorted(judge.listener.retained.copy().items()):
            level = topic.split("/")
            if len(level) != 3 or level[0] != judge.base or level[1] == "bridge" or level[2] not in ("state", "charging_state"):
                continue
            car, key = level[1:]
            done = checked.setdefault(car, set())
            moments = {(key, word)} | {(key, name) for before, after, name in AFTER if (key, word) == after and before in done}
            if not moments <= done and word != "None":
                done |= moments
                await judge.check(f"car …{car[-6:]}: {key} {max(moments, key=lambda moment: len(moment[1]))[1]}")
        await asyncio.sleep(0.2)
    said = {(topic.split("/")[-1], word) for topic, words in judge.listener.words.items() for word in words}
    for key, word in STAGES:
        if (key, word) in said - seen():
            judge.miss(f"{key} {word} came and went while other moments were checked")
        elif (key, word) not in seen():
            judge.find("day", f"no car's {key} was {word} within {seconds:.0f} s", "day")
    for key, name in again:
        if (key, name) not in seen():
            judge.miss(f"no car was seen {name} within {seconds:.0f} s")


async def happened(judge, seconds):
    """Every kind of event of a day was told; the last stage may be the beginning of something that has yet to end."""

    def told():
        return {topic.split("/")[-1] for topic in judge.listener.events.copy() if "/event/" in topic}

    try:
        await until("every kind of event", lambda: told().issuperset(EVENTS), seconds)
    except TimeoutError:
        for name in sorted(EVENTS - told()):
            judge.find("day", f"no {name} was told within {seconds:.0f} s of the last stage: only {sorted(told())}", "end of the day")
