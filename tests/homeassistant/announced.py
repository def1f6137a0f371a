"""Discovery messages as Home Assistant reads them: short keys written out, shared options copied into components.

Pure: text in, values out. Home Assistant's own table of abbreviations is used, so that it cannot differ.
"""

import copy
import dataclasses
import json
import re

from homeassistant.components.mqtt.abbreviations import ABBREVIATIONS, DEVICE_ABBREVIATIONS, ORIGIN_ABBREVIATIONS

# Short keys that came later than the oldest supported version: it drops them, the judge still reads what was meant.
MEANT = {"def_ent_id": "default_entity_id"} | ABBREVIATIONS
# What a component takes over from the root of its message when it does not say it itself.
SHARED = (
    "availability", "availability_mode", "availability_template", "availability_topic", "command_topic", "encoding",
    "payload_available", "payload_not_available", "state_topic", "qos",
)  # fmt: skip
TOPIC = re.compile(r"(?P<prefix>.+?)/device/(?:(?P<node>[A-Za-z0-9_-]+)/)?(?P<object>[A-Za-z0-9_-]+)/config$")


@dataclasses.dataclass
class Component:
    """One announced entity."""

    key: str
    platform: str
    config: dict

    @property
    def unique_id(self):
        """What Home Assistant knows it by."""
        return self.config.get("unique_id")

    @property
    def enabled(self):
        """Whether it is shown without the owner asking for it."""
        return self.config.get("enabled_by_default", True)

    def availability(self):
        """The topics that decide whether it is available: (topic, payload that says yes)."""
        config = self.config
        if config.get("availability_topic"):
            return [(config["availability_topic"], config.get("payload_available", "online"))]
        listed = config.get("availability") or []
        listed = listed if isinstance(listed, list) else [listed]
        return [(one.get("topic"), one.get("payload_available", "online")) for one in listed]

    def topics(self):
        """Every topic that it reads its state from."""
        return [
            value
            for key, value in self.config.items()
            if key.endswith("_topic") and isinstance(value, str) and "command" not in key and not key.startswith(("availability", "set_"))
        ]


@dataclasses.dataclass
class Device:
    """One discovery message."""

    topic: str
    size: int
    root: dict
    device: dict
    origin: dict
    components: list
    # Components in the form that takes an entity away.
    removed: list
    error: str = ""

    @property
    def identifiers(self):
        """What Home Assistant knows the device by."""
        listed = self.device.get("identifiers", [])
        return listed if isinstance(listed, list) else [listed]


def written_out(body, table):
    """The same object with long keys; a key given in both forms stays as two."""
    long = {}
    for key, value in body.items():
        name = table.get(key, key)
        long[key if name in long else name] = value
    return long


def with_base(config):
    """`~` at the start of a topic written out, as Home Assistant does it."""
    base = config.pop("~", None)
    if base is None:
        return config
    return {
        key: base + value[1:] if key.endswith("topic") and isinstance(value, str) and value.startswith("~") else value
        for key, value in config.items()
    }


def read(topic, payload):
    """The device of a discovery topic's payload. What cannot be read comes back with `error` set."""
    size = len(payload.encode())
    try:
        body = json.loads(payload)
        root = written_out(body, MEANT)
        root["availability"] = [written_out(one, ABBREVIATIONS) for one in as_list(root.get("availability"))]
        if not root["availability"]:
            del root["availability"]
        device = written_out(root.get("device", {}), DEVICE_ABBREVIATIONS)
        origin = written_out(root.get("origin", {}), ORIGIN_ABBREVIATIONS)
        components, removed = [], []
        for key, short in root.get("components", {}).items():
            config = with_base(written_out(short, MEANT))
            platform = config.pop("platform", "")
            if not config:
                removed.append((key, platform))
                continue
            if "availability" in config:
                config["availability"] = [written_out(one, ABBREVIATIONS) for one in as_list(config["availability"])]
            for shared in SHARED:
                if shared in root and shared not in config:
                    config[shared] = copy.deepcopy(root[shared])
            components.append(Component(key, platform, config))
        return Device(topic, size, root, device, origin, components, removed)
    except (ValueError, AttributeError, TypeError) as error:
        return Device(topic, size, {}, {}, {}, [], [], error=f"{type(error).__name__}: {error}")


def as_list(value):
    """Nothing, one or several, as a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
