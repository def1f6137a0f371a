"""What Home Assistant shows against what was announced and what the broker retains.

Pure: registry entries, states and retained payloads in, findings out. A finding says the entity, what Home
Assistant says and what was expected.
"""

import datetime
import json

import jinja2
from homeassistant.components.sensor.const import UNIT_CONVERTERS

# Platforms that have nothing to show before somebody used them.
SILENT = {"button", "notify", "scene", "text", "event", "image", "camera"}
# What `attributes` call the values of a thermostat.
CLIMATE = {"temperature_state_topic": "temperature", "current_temperature_topic": "current_temperature"}


def registered(one, entry, at_first):
    """The entity registry's entry of a component; `at_first`: nobody has changed it yet."""
    if entry is None:
        yield "Home Assistant has no such entity"
        return
    config = one.config
    if config.get("name") != entry["original_name"]:
        yield f"name is {entry['original_name']!r}, announced {config.get('name')!r}"
    if config.get("entity_category") != entry["entity_category"]:
        yield f"entity category is {entry['entity_category']}, announced {config.get('entity_category')}"
    if at_first and one.enabled != (entry["disabled_by"] is None):
        yield f"disabled_by is {entry['disabled_by']}, announced enabled_by_default {one.enabled}"


def shown(one, state, retained, moving, device_name):
    """The state of an enabled component; topics that are `moving` changed a moment ago and are not compared."""
    if state is None:
        yield "Home Assistant has no state for it"
        return
    value, attributes = state["state"], state["attributes"]
    expected = [(topic, retained.get(topic), yes) for topic, yes in one.availability()]
    available = all(payload == yes for _, payload, yes in expected)
    if value == "unavailable" or not available:
        if value == "unavailable" and available:
            yield f"unavailable although {[topic for topic, _, _ in expected]} say so not"
        elif not available:
            yield f"is {value}, but the bridge says {[(topic, payload) for topic, payload, _ in expected]}"
        if attributes.get("restored"):
            yield "only a memory: no longer provided by the MQTT integration"
        return
    yield from described(one, attributes, device_name)
    yield from missing(one, value, retained)
    if not moving & set(one.topics()):
        yield from valued(one, value, attributes, retained)


def described(one, attributes, device_name):
    """Class, unit, state class, icon and friendly name."""
    config = one.config
    for key in ("device_class", "state_class", "icon"):
        if config.get(key) != attributes.get(key):
            yield f"{key} is {attributes.get(key)}, announced {config.get(key)}"
    unit, announced = attributes.get("unit_of_measurement"), config.get("unit_of_measurement")
    if unit != announced and converter(config, announced, unit) is None:
        yield f"unit is {unit}, announced {announced}"
    wanted = f"{device_name} {config.get('name')}"
    if attributes.get("friendly_name") != wanted:
        yield f"friendly name is {attributes.get('friendly_name')!r}, expected {wanted!r}"
    if one.platform == "sensor" and config.get("device_class") == "enum" and attributes.get("options") != config.get("options"):
        yield f"options are {attributes.get('options')}, announced {config.get('options')}"


def missing(one, value, retained):
    """Topics that nobody has said anything on: the entity stays unknown and nobody knows why, unless nobody has ever
    seen the car awake."""
    if one.platform == "event" and one.config.get("state_topic") in retained:
        yield "a retained event: Home Assistant ignores it, everybody else gets it again at each start"
    if one.platform in SILENT:
        return
    for topic in one.topics():
        if topic in retained or topic == one.config.get("json_attributes_topic"):
            continue
        if retained.get(f"{topic.rsplit('/', 1)[0]}/last_update") != "None":
            yield f"no retained state on {topic}"
        elif value != "unknown":
            yield f"is {value} although nothing is known of this car yet"


def converter(config, announced, unit):
    """How Home Assistant turns the announced unit into the one it shows in its owner's unit system, if it may."""
    kind = UNIT_CONVERTERS.get(config.get("device_class"))
    if kind is None or announced is None or unit is None:
        return None
    valid = {str(one) for one in kind.VALID_UNITS}
    if str(announced) not in valid or str(unit) not in valid:
        return None
    return lambda number: kind.convert(number, announced, unit)


def rendered(config, payload, template="value_template"):
    """The payload after the component's template; None if the judge cannot render it."""
    text = config.get(template)
    if not text:
        return payload
    try:
        value_json = json.loads(payload)
    except ValueError:
        value_json = None
    try:
        return jinja2.Environment().from_string(text).render(value=payload, value_json=value_json)
    except jinja2.TemplateError:
        return None


def valued(one, value, attributes, retained):
    """The state against the retained payload."""
    config = one.config
    if one.platform in SILENT:
        return
    if one.platform == "device_tracker":
        yield from tracked(config, value, attributes, retained)
        return
    if one.platform == "climate":
        yield from thermostat(config, value, attributes, retained)
        return
    payload = retained.get(config.get("state_topic"))
    if payload is None:
        return
    payload = rendered(config, payload)
    if payload is None:
        return
    if one.platform == "update":
        yield from updating(value, attributes, payload)
        return
    if payload == "None":
        if value != "unknown":
            yield f"is {value}, the topic says None"
        return
    expected = wanted_state(one, payload, attributes)
    if value == "unknown" and expected != "unknown":
        yield f"unknown, but the topic says {payload!r}"
    elif not same(config, value, expected, attributes):
        yield f"is {value!r}, the topic says {payload!r} (expected {expected!r})"


def wanted_state(one, payload, _attributes):
    """The state that Home Assistant must show for a payload."""
    config = one.config
    words = {
        "binary_sensor": {config.get("payload_on", "ON"): "on", config.get("payload_off", "OFF"): "off"},
        "switch": {
            config.get("state_on", config.get("payload_on", "ON")): "on",
            config.get("state_off", config.get("payload_off", "OFF")): "off",
        },
        "lock": {
            config.get(f"state_{word}", word.upper()): word
            for word in ("locked", "unlocked", "locking", "unlocking", "jammed", "open", "opening")
        },
        "cover": {config.get(f"state_{word}", word): word for word in ("open", "closed", "opening", "closing")},
    }.get(one.platform)
    if words is None:
        return payload
    return words.get(payload, f"one of {sorted(words)}")


def same(config, value, expected, attributes):
    """Equal as instants, as numbers in the shown unit, or as text."""
    if value == expected:
        return True
    kind = config.get("device_class")
    if kind in ("timestamp", "uptime"):
        try:
            difference = datetime.datetime.fromisoformat(value) - datetime.datetime.fromisoformat(expected)
        except (ValueError, TypeError):
            return False
        return abs(difference) < datetime.timedelta(seconds=1)
    try:
        number, shown_number = float(expected), float(value)
    except ValueError:
        return False
    convert = converter(config, config.get("unit_of_measurement"), attributes.get("unit_of_measurement"))
    kept = 0.06
    if convert and attributes.get("unit_of_measurement") != config.get("unit_of_measurement"):
        number = convert(number)
        # A converted value keeps about as many digits as the one sent, or those that are to be shown.
        decimals = min(len(expected.partition(".")[2]), config.get("suggested_display_precision", 9))
        kept = max(kept, 0.51 * 10**-decimals)
    return abs(number - shown_number) <= max(kept, abs(number) * 0.002)


def tracked(config, value, attributes, retained):
    """A car's place: coordinates of the JSON, or none at all."""
    payload = retained.get(config.get("json_attributes_topic"))
    if payload is None:
        if value != "unknown":
            yield f"is {value} at its last place without a location on {config.get('json_attributes_topic')}"
        return
    try:
        place = json.loads(payload)
    except ValueError:
        place = None
    if not isinstance(place, dict):
        yield f"the location is no JSON object: {payload!r}"
        return
    if not {"latitude", "longitude"} & place.keys():
        # An object without a place is how a tracker says that it has none.
        if value != "unknown" or attributes.get("latitude") is not None:
            yield f"is {value} at its last place, the topic says that it has none: {sorted(place)}"
        return
    for key in ("latitude", "longitude"):
        if not isinstance(place.get(key), (int, float)):
            yield f"{key} of the location is {place.get(key)!r}: Home Assistant clears the position"
        elif attributes.get(key) is None or abs(place[key] - attributes[key]) > 1e-6:
            yield f"{key} is {attributes.get(key)}, the topic says {place[key]}"
    if value == "unknown":
        yield "unknown although the topic has a location"


def thermostat(config, value, attributes, retained):
    """Mode and temperatures."""
    mode = retained.get(config.get("mode_state_topic"))
    if mode not in (None, "None") and value != mode:
        yield f"mode is {value}, the topic says {mode}"
    for topic_key, attribute in CLIMATE.items():
        payload = retained.get(config.get(topic_key))
        if payload in (None, "None"):
            continue
        if attributes.get(attribute) is None or abs(float(payload) - float(attributes[attribute])) > 0.51:
            yield f"{attribute} is {attributes.get(attribute)}, the topic says {payload}"


def updating(value, attributes, payload):
    """The software update's JSON."""
    allowed = {"installed_version", "latest_version", "title", "release_summary", "release_url", "entity_picture", "in_progress", "update_percentage"}
    try:
        said = json.loads(payload)
    except ValueError:
        said = {"installed_version": payload}
    if not isinstance(said, dict):
        said = {"installed_version": payload}
    for key in sorted(said.keys() - allowed):
        yield f"key {key!r} in the update's JSON: the whole message is dropped"
    for key, wanted in said.items():
        if wanted is None and key != "update_percentage":
            yield f"{key} is null in the update's JSON: the whole message is dropped"
    for key in ("installed_version", "latest_version", "in_progress", "update_percentage"):
        if key in said and said[key] != attributes.get(key):
            yield f"{key} is {attributes.get(key)!r}, the topic says {said[key]!r}"
    if value == "unknown":
        yield "unknown: installed or latest version is missing"


def as_device(found, entry):
    """The device registry's entry of a message."""
    if entry is None:
        yield "Home Assistant has no such device"
        return
    for key, stored in (
        ("name", "name"), ("manufacturer", "manufacturer"), ("model", "model"), ("model_id", "model_id"),
        ("sw_version", "sw_version"), ("hw_version", "hw_version"), ("serial_number", "serial_number"),
    ):  # fmt: skip
        if found.device.get(key) != entry.get(stored):
            yield f"{key} is {entry.get(stored)!r}, announced {found.device.get(key)!r}"
    if found.device.get("via_device") and not entry.get("via_device_id"):
        yield f"via_device {found.device['via_device']} is not linked"


