"""Reads discovery messages against what Home Assistant accepts, because it drops an unknown key of a component
without a word and an older one rejects a whole device for one key that it does not know.

Pure: an `announced.Device` in, findings out. The tables name what the oldest supported version (2024.11) reads; a
key that came later is named with its version, as are device classes.
"""

import re

from homeassistant.components.binary_sensor import BinarySensorDeviceClass
from homeassistant.components.sensor.const import (
    DEVICE_CLASS_STATE_CLASSES,
    DEVICE_CLASS_UNITS,
    NON_NUMERIC_DEVICE_CLASSES,
    SensorDeviceClass,
)

LARGEST_MESSAGE = 95_000
ROOT = {
    "device", "origin", "components", "availability", "availability_topic", "availability_mode", "availability_template",
    "payload_available", "payload_not_available", "state_topic", "command_topic", "qos", "encoding",
}  # fmt: skip
DEVICE = {
    "identifiers", "connections", "name", "manufacturer", "model", "model_id", "hw_version", "sw_version",
    "serial_number", "suggested_area", "configuration_url", "via_device",
}  # fmt: skip
COMMON = {
    "unique_id", "name", "device", "origin", "default_entity_id", "object_id", "enabled_by_default", "entity_category",
    "entity_picture", "icon", "json_attributes_topic", "json_attributes_template", "qos", "encoding",
} | {key for key in ROOT if key.startswith(("availability", "payload_"))}  # fmt: skip
COMMAND = {"command_topic", "command_template", "retain", "optimistic"}
STATE = {"state_topic", "value_template"}
KEYS = {
    "sensor": STATE | {
        "device_class", "state_class", "unit_of_measurement", "options", "suggested_display_precision",
        "last_reset_value_template", "expire_after", "force_update",
    },
    "binary_sensor": STATE | {"payload_on", "payload_off", "device_class", "off_delay", "expire_after", "force_update"},
    "device_tracker": STATE | {"payload_home", "payload_not_home", "payload_reset", "source_type"},
    "switch": STATE | COMMAND | {"payload_on", "payload_off", "state_on", "state_off", "device_class"},
    "lock": STATE | COMMAND | {
        "payload_lock", "payload_unlock", "payload_open", "payload_reset", "state_locked", "state_locking",
        "state_unlocked", "state_unlocking", "state_jammed", "state_open", "state_opening", "code_format",
    },
    "cover": STATE | COMMAND | {
        "payload_open", "payload_close", "payload_stop", "state_open", "state_closed", "state_opening", "state_closing",
        "state_stopped", "position_topic", "position_template", "set_position_topic", "set_position_template",
        "position_open", "position_closed", "device_class",
    },
    "number": STATE | COMMAND | {"min", "max", "step", "mode", "unit_of_measurement", "device_class", "payload_reset"},
    "select": STATE | COMMAND | {"options"},
    "button": {"command_topic", "command_template", "retain", "payload_press", "device_class"},
    "text": STATE | COMMAND | {"min", "max", "mode", "pattern"},
    "update": STATE | {
        "latest_version_topic", "latest_version_template", "command_topic", "payload_install", "device_class", "title",
        "release_summary", "release_url", "display_precision", "retain",
    },
    "event": STATE | {"event_types", "device_class"},
    "image": {"image_topic", "url_topic", "image_encoding", "content_type", "url_template"},
    "notify": {"command_topic", "command_template", "retain"},
    "climate": {
        "mode_command_topic", "mode_command_template", "mode_state_topic", "mode_state_template", "modes",
        "temperature_command_topic", "temperature_command_template", "temperature_state_topic",
        "temperature_state_template", "current_temperature_topic", "current_temperature_template", "action_topic",
        "action_template", "fan_mode_command_topic", "fan_mode_command_template", "fan_mode_state_topic",
        "fan_mode_state_template", "fan_modes", "preset_mode_command_topic", "preset_mode_command_template",
        "preset_mode_state_topic", "preset_mode_value_template", "preset_modes", "power_command_topic",
        "power_command_template", "payload_on", "payload_off", "temperature_unit", "min_temp", "max_temp", "temp_step",
        "precision", "initial", "optimistic", "retain", "value_template",
    },
}  # fmt: skip
REQUIRED = {
    "sensor": {"state_topic"}, "binary_sensor": {"state_topic"}, "switch": {"command_topic"}, "lock": {"command_topic"},
    "number": {"command_topic"}, "select": {"command_topic", "options"}, "button": {"command_topic"},
    "text": {"command_topic"}, "update": {"state_topic"}, "event": {"state_topic", "event_types"},
    "notify": {"command_topic"},
}  # fmt: skip
# Keys that a newer version reads and an older one drops: harmless inside a component.
LATER = {"visible_by_default", "message_expiry_interval", "group", "payload_stop_tilt"}
# Classes that the oldest supported version refuses, with the entity.
LATER_CLASSES = {"energy_distance", "temperature_delta", "uptime", "measurement_angle"}
CLASSES = {
    "binary_sensor": {item.value for item in BinarySensorDeviceClass},
    "cover": {"awning", "blind", "curtain", "damper", "door", "garage", "gate", "shade", "shutter", "window"},
    "switch": {"outlet", "switch"},
    "button": {"identify", "restart", "update"},
    "event": {"doorbell", "button", "motion"},
    "update": {"firmware"},
}
HA_CLIMATE_MODES = {"auto", "off", "cool", "heat", "dry", "fan_only", "heat_cool"}


def device(found):
    """Everything wrong with one discovery message, as (component key or "", text)."""
    if found.error:
        yield "", f"cannot be read: {found.error}"
        return
    if found.size > LARGEST_MESSAGE:
        yield "", f"{found.size} bytes: more than {LARGEST_MESSAGE}"
    for key in sorted(found.root.keys() - ROOT):
        yield "", f"key `{key}` at the root: versions that do not know it reject the whole device"
    for key in sorted(found.device.keys() - DEVICE):
        yield "", f"unknown key `{key}` in `device`"
    if not found.identifiers and not found.device.get("connections"):
        yield "", "the device has no identifiers"
    if not found.device.get("name"):
        yield "", "the device has no name"
    if not found.origin.get("name"):
        yield "", "origin has no name"
    if not str(found.origin.get("support_url", "https://")).startswith(("http://", "https://")):
        yield "", f"origin.support_url is no address: {found.origin['support_url']}"
    if not found.components:
        yield "", "announces no component"
    seen = {}
    for one in found.components:
        for text in component(one, found.device.get("name") or ""):
            yield one.key, text
        for kind, value in (("unique_id", one.unique_id), ("default_entity_id", one.config.get("default_entity_id"))):
            if value and seen.setdefault((kind, value), one.key) != one.key:
                yield one.key, f"{kind} {value} is also that of {seen[kind, value]}"


def component(one, device_name):
    """Everything wrong with one component."""
    config = one.config
    if one.platform not in KEYS:
        yield f"platform `{one.platform}` is not one that a car's discovery uses"
        return
    if not one.unique_id:
        yield "no unique_id: the whole device is rejected"
    known = KEYS[one.platform] | COMMON
    for key in sorted(config.keys() - known - LATER):
        # Shared options that the platform does not read are the root's business.
        if key not in ("state_topic", "command_topic"):
            yield f"unknown key `{key}`: dropped without a word"
    for key in sorted(REQUIRED.get(one.platform, set()) - config.keys()):
        yield f"`{key}` is missing"
    if one.platform == "device_tracker" and not {"state_topic", "json_attributes_topic"} & config.keys():
        yield "neither state_topic nor json_attributes_topic"
    if one.platform == "climate" and config.get("temperature_unit") not in ("C", "F"):
        yield "climate without temperature_unit: follows the user's unit system"
    yield from naming(one, device_name)
    yield from reachability(one)
    category = config.get("entity_category")
    if category not in (None, "diagnostic", "config"):
        yield f"entity_category `{category}` does not exist"
    if category == "config" and one.platform in ("sensor", "binary_sensor"):
        yield "entity_category config on a sensor: refused"
    if "icon" in config and not re.fullmatch(r"mdi:[a-z0-9-]+", str(config["icon"])):
        yield f"icon `{config['icon']}` is not an mdi: name"
    if "expire_after" in config:
        yield "expire_after makes a sleeping car unavailable"
    if config.get("retain"):
        yield "retain on a command: it is carried out again at every reconnection"
    if one.platform == "sensor":
        yield from sensor(config)
    elif config.get("device_class") is not None and config["device_class"] not in CLASSES.get(one.platform, {config["device_class"]}):
        yield f"device_class `{config['device_class']}` does not exist for {one.platform}"
    if one.platform == "climate" and set(config.get("modes", ())) - HA_CLIMATE_MODES:
        yield f"modes are not Home Assistant's words: {config['modes']}"
    if one.platform == "select" and any(str(option).lower() == "none" for option in config.get("options", ())):
        yield "option `none` means unknown"
    if one.platform == "number" and not config.get("min", 0) < config.get("max", 100):
        yield f"min {config.get('min', 0)} is not below max {config.get('max', 100)}"


def naming(one, device_name):
    """Name and entity id."""
    name = one.config.get("name")
    entity_id = one.config.get("default_entity_id")
    if not isinstance(name, str) or not name:
        yield "no name"
    elif device_name and name.lower().startswith(device_name.lower() + " "):
        yield f"name `{name}` repeats the device's name"
    elif name != name.strip() or name.lower().endswith(" sensor"):
        yield f"name `{name}` is not tidy"
    if entity_id is None:
        yield "no default_entity_id: the entity id depends on the user's area and language"
    elif not re.fullmatch(rf"{one.platform}\.[a-z0-9_]+", entity_id):
        yield f"default_entity_id `{entity_id}` is not {one.platform}.<slug>"


def reachability(one):
    """Availability and topics."""
    config = one.config
    if "availability" in config and "availability_topic" in config:
        yield "both availability and availability_topic"
    topics = one.availability()
    # The one that shows whether the bridge is there reads the bridge's own state.
    if not topics and not str(config.get("state_topic")).endswith("/bridge/state"):
        yield "no availability: shown as alive when the bridge is gone"
    if len(topics) > 1 and config.get("availability_mode", "latest") != "all":
        yield "several availability topics need availability_mode all"
    # One event entity may listen to a level of event topics; a state has one topic.
    wild = set() if one.platform == "event" else set("#+")
    for topic in one.topics() + [topic for topic, _ in topics]:
        if not topic or set(topic) & (wild | {"\0"}) or topic.startswith("/"):
            yield f"topic `{topic}` is not a plain topic"


def sensor(config):
    """Class, unit, state class and options of a sensor (a wrong pair loses the entity or its statistics)."""
    name = config.get("device_class")
    unit = config.get("unit_of_measurement")
    state_class = config.get("state_class")
    options = config.get("options")
    if name is not None and name not in {item.value for item in SensorDeviceClass}:
        yield f"device_class `{name}` does not exist"
        return
    if state_class not in (None, "measurement", "measurement_angle", "total", "total_increasing"):
        yield f"state_class `{state_class}` does not exist"
        return
    if options is not None and (name != "enum" or unit or state_class or not options):
        yield "options need device_class enum, no unit, no state_class, and at least one"
    if name == "enum" and not options:
        yield "device_class enum without options"
    for later in LATER_CLASSES & {name, state_class}:
        yield f"`{later}` is refused by Home Assistant 2024.11, which then lacks this entity"
    if name is not None:
        kind = SensorDeviceClass(name)
        if kind in NON_NUMERIC_DEVICE_CLASSES:
            if unit or state_class:
                yield f"device_class {name} takes no unit and no state_class"
        else:
            units = DEVICE_CLASS_UNITS.get(kind)
            if units and unit not in {None if allowed is None else str(allowed) for allowed in units}:
                yield f"unit `{unit}` is not one of device_class {name}"
            if state_class and state_class not in {item.value for item in DEVICE_CLASS_STATE_CLASSES.get(kind, ())}:
                yield f"state_class {state_class} is impossible for device_class {name}"
    if state_class == "measurement_angle" and unit != "°":
        yield "state_class measurement_angle needs the unit °"
    precision = config.get("suggested_display_precision")
    if precision is not None and (type(precision) is not int or not 0 <= precision <= 8):
        yield f"suggested_display_precision `{precision}` is not a small number"
