"""Prints what pip must install so that a Home Assistant core can run our judge's configuration.

Home Assistant installs an integration's requirements when it first sets it up. The judge starts it with that
switched off, so that a run needs no network; this walks the manifests of the installed core instead: the
integrations that are always set up, what the judge's configuration names, every platform that MQTT can make an
entity on, and all that these depend on.
"""

import json
import pathlib

import homeassistant
from homeassistant import bootstrap

# `hassio` is what the MQTT integration's form imports, wanted or not.
NAMED_BY_THE_JUDGE = {"config", "hassio", "history", "mqtt", "recorder", "system_log", "websocket_api"}
# Voice has parts that only come as source for a compiler, and a car does not speak: it fails to set up, alone.
VOICE = {"assist_pipeline", "assist_satellite", "tts", "ai_task", "conversation"}
STARTED_ANYWAY = {"isal", "logger", "network", "recorder", "frontend", "zeroconf"}

components = pathlib.Path(homeassistant.__file__).parent / "components"
waiting = set(bootstrap.DEFAULT_INTEGRATIONS) | NAMED_BY_THE_JUDGE | STARTED_ANYWAY
# The platforms of MQTT are the files of its folder that carry an integration's name.
waiting |= {path.stem for path in (components / "mqtt").glob("*.py") if (components / path.stem).is_dir()}
waiting -= VOICE

seen = set()
requirements = set()
while waiting:
    domain = waiting.pop()
    seen.add(domain)
    manifest_file = components / domain / "manifest.json"
    if not manifest_file.exists():
        continue
    manifest = json.loads(manifest_file.read_text())
    requirements.update(manifest.get("requirements", ()))
    waiting |= set(manifest.get("dependencies", ())) - seen - VOICE

print("\n".join(sorted(requirements)))
