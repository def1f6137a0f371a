"""The judge's own test: two devices published by hand. One is right in every way and must pass; one holds a mistake
in each component, and each must be found. A judge that finds nothing wrong with the second cannot be believed.
"""

import asyncio
import json

from core import until

BASE = "handmade"
BRIDGE_STATE = f"{BASE}/bridge/state"


def message(car, components, **root):
    """A discovery message as the bridge writes it."""
    return {
        "dev": {"ids": [f"tesla_{car}"], "name": f"Car {car}", "mf": "Tesla", "mdl": "Model 3", "sn": car},
        "o": {"name": "tesla2mqtt", "sw": "0", "url": "https://example.org/"},
        "avty": [{"t": BRIDGE_STATE}, {"t": f"{BASE}/{car}/availability"}],
        "avty_mode": "all",
        "qos": 1,
        "cmps": components,
    } | root


def component(car, platform, key, **config):
    """A component with all that it must have."""
    return {
        "p": platform,
        "uniq_id": f"{car}_{key}",
        "def_ent_id": f"{platform}.car_{car.lower()}_{key}",
        "name": key.capitalize().replace("_", " "),
        "stat_t": f"{BASE}/{car}/{key}",
    } | config


def right(car="RIGHT"):
    """(discovery message, retained states) with nothing to find."""

    def one(platform, key, **config):
        return component(car, platform, key, **config)

    location = one("device_tracker", "location", json_attr_t=f"{BASE}/{car}/location", src_type="gps")
    del location["stat_t"]
    components = {
        "battery_level": one("sensor", "battery_level", dev_cla="battery", stat_cla="measurement", unit_of_meas="%", sug_dsp_prc=0),
        "battery_range": one("sensor", "battery_range", dev_cla="distance", stat_cla="measurement", unit_of_meas="mi", sug_dsp_prc=1),
        "energy_added": one("sensor", "energy_added", dev_cla="energy", stat_cla="total_increasing", unit_of_meas="kWh"),
        "time_to_full": one("sensor", "time_to_full", dev_cla="timestamp"),
        "charging_state": one("sensor", "charging_state", dev_cla="enum", ops=["charging", "complete"]),
        "inside_temp": one("sensor", "inside_temp", dev_cla="temperature", stat_cla="measurement", unit_of_meas="°C", sug_dsp_prc=1),
        "wheel_type": one("sensor", "wheel_type", en=False),
        "locked": one("binary_sensor", "locked", dev_cla="lock", pl_on="unlocked", pl_off="locked"),
        "update": one("update", "update", dev_cla="firmware"),
        "location": location,
    }
    states = {
        "availability": "online",
        "battery_level": "63",
        "battery_range": "212.5",
        "energy_added": "4.2",
        "time_to_full": "2026-11-23T17:30:00Z",
        "charging_state": "charging",
        "inside_temp": "None",
        "wheel_type": "Pinwheel18",
        "locked": "locked",
        "update": json.dumps({"installed_version": "2026.32.5", "latest_version": "2026.38.1", "in_progress": False}),
        "location": json.dumps({"latitude": 52.5, "longitude": 13.4, "gps_accuracy": 5, "heading": 90}),
    }
    return message(car, components), {f"{BASE}/{car}/{key}": payload for key, payload in states.items()}


# key → (platform, config, retained payload, a part of the finding that must come)
MISTAKES = {
    "wrong_unit": ("sensor", {"dev_cla": "energy", "stat_cla": "total", "unit_of_meas": "kW"}, "1", "no such entity"),
    "impossible_state_class": ("sensor", {"dev_cla": "energy", "stat_cla": "measurement", "unit_of_meas": "kWh"}, "1", "impossible"),
    "config_sensor": ("sensor", {"ent_cat": "config"}, "1", "no such entity"),
    "options_without_class": ("sensor", {"ops": ["a"]}, "a", "options need"),
    "typing_error": ("sensor", {"unit_of_measurment": "%"}, "1", "unknown key"),
    "text_for_a_number": ("sensor", {"unit_of_meas": "%"}, "many", "is 'unknown'|unknown, but|log"),
    "no_option": ("sensor", {"dev_cla": "enum", "ops": ["a", "b"]}, "c", "unknown, but the topic says 'c'"),
    "no_time_zone": ("sensor", {"dev_cla": "timestamp"}, "2026-11-23T17:30:00", "unknown, but"),
    "never_said": ("sensor", {}, None, "no retained state"),
    "other_word": ("binary_sensor", {"pl_on": "true", "pl_off": "false"}, "True", "unknown, but"),
    "other_domain": ("sensor", {"def_ent_id": "binary_sensor.other_domain"}, "1", "default_entity_id"),
    "never_available": ("sensor", {"avty": [{"t": f"{BASE}/nobody/state"}]}, "1", "but the bridge says"),
    "class_without_unit": ("sensor", {"dev_cla": "distance", "stat_cla": "measurement"}, "1", "unit `None`"),
    "unknown_class": ("binary_sensor", {"dev_cla": "frunk"}, "ON", "does not exist"),
    "half_a_place": ("device_tracker", {}, None, "clears the position"),
    "too_much": ("update", {}, json.dumps({"installed_version": "1", "latest_version": "1", "progress": 3}), "whole message"),
    "event_kept": ("event", {"evt_typ": ["a"]}, '{"event_type": "a"}', "retained event"),
    "car_named_again": ("sensor", {"name": "Car WRONG again"}, "1", "repeats the device's name"),
}


def wrong(car="WRONG"):
    """(discovery message, retained states) with one mistake a component."""
    components, states = {}, {f"{BASE}/{car}/availability": "online"}
    for key, (platform, config, payload, _) in MISTAKES.items():
        components[key] = component(car, platform, key, **config)
        if payload is not None:
            states[f"{BASE}/{car}/{key}"] = payload
    place = components["half_a_place"]
    place["json_attr_t"] = place.pop("stat_t")
    states[place["json_attr_t"]] = json.dumps({"latitude": 52.5, "longitude": None})
    return message(car, components), states


async def judged(judge):
    """Publishes both, judges them, and compares the findings with what is known to be wrong."""
    listener = judge.listener
    listener.publish(BRIDGE_STATE, "online")
    for build in (right, wrong):
        announced, states = build()
        for topic, payload in states.items():
            listener.publish(topic, payload)
        car = announced["dev"]["sn"]
        listener.publish(f"homeassistant/device/tesla2mqtt_{car}/config", json.dumps(announced))
    # One key that no version knows loses a whole device.
    lost = message("LOST", {"one": component("LOST", "sensor", "one")}, colour="red")
    listener.publish("homeassistant/device/tesla2mqtt_LOST/config", json.dumps(lost))
    await until("both are heard", lambda: len(judge.devices()) == 3, 10)
    await asyncio.sleep(3)
    await judge.check("hand-made", seconds=6)
    await judge.enable_all()
    await judge.core.stop()
    await judge.core.start()
    await asyncio.sleep(3)
    await judge.check("hand-made, restarted", seconds=6)
    await judge.statistics("hand-made")

    found = [f"{where}: {text}" for where, text in judge.findings]
    failures = []
    for text in found:
        if "right" in text.lower():
            failures.append(f"found without reason: {text}")
    for key, (_, _, _, part) in MISTAKES.items():
        parts = part.split("|")
        if not any(key in text and any(one in text for one in parts) for text in found):
            failures.append(f"not found: {key} ({part})")
    if not any("LOST" in text and "root" in text for text in found) or not any("LOST one" in text and "no such" in text for text in found):
        failures.append("not found: the device with an unknown root key")
    if not any(text.startswith("log ") for text in found):
        failures.append("not found: anything in Home Assistant's log")
    for text in failures:
        print(f"THE JUDGE IS WRONG: {text}")
    print(f"the judge's own test: {len(found)} findings, {len(MISTAKES) + 1} mistakes, {len(failures)} failures")
    return 1 if failures else 0
