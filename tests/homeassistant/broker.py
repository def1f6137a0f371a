"""A real mosquitto that remembers nothing over a restart, and a listener that sees every message at it."""

import pathlib
import shutil
import socket
import subprocess
import time

import paho.mqtt.client as paho

SETTINGS = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence false
log_dest file {log}
user root
log_type warning
log_type error
log_type notice
"""

# What never falls, whatever is restarted.
METERS = ("/odometer", "/charge_energy_total")


def free_port():
    """A port of the loopback that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Mosquitto:
    """The broker's process. Stopping it loses every retained message: that is what the judge wants to see survived."""

    def __init__(self, folder: pathlib.Path, port: int):
        self.program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
        if not self.program:
            raise FileNotFoundError("mosquitto is not installed")
        folder.mkdir()
        self.port = port
        self.settings = folder / "mosquitto.conf"
        self.settings.write_text(SETTINGS.format(port=port, log=folder / "mosquitto.log"))
        self.process = None

    def start(self):
        """Starts it and returns once it takes connections."""
        self.process = subprocess.Popen(
            [self.program, "-c", str(self.settings)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.05)

    def stop(self):
        """Kills it, as a power cut does."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Listener:
    """What a fresh subscriber of everything knows: each topic's retained payload and when it last changed, the last
    message of each topic that is not retained, every version of every discovery message, every word of a state,
    and every reading of a meter."""

    def __init__(self, port: int):
        self.retained = {}
        self.changed_at = {}
        self.versions = []
        self.words = {}
        self.meters = {}
        self.events = {}
        # Older versions of Home Assistant bring a client that knows only one form of callbacks, this one.
        form = [paho.CallbackAPIVersion.VERSION2] if hasattr(paho, "CallbackAPIVersion") else []
        self.client = paho.Client(*form, protocol=paho.MQTTv5)
        self.client.on_connect = self._connected
        self.client.on_message = self._message
        self.client.reconnect_delay_set(1, 1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def _connected(self, client, _data, _flags, _reason, _properties):
        # The broker has no memory of its own: whatever it retains now, it sends now.
        self.retained.clear()
        self.changed_at.clear()
        options = paho.SubscribeOptions(qos=1, retainAsPublished=True)
        client.subscribe("#", options=options)

    def _message(self, _client, _data, message):
        text = message.payload.decode(errors="replace")
        if not message.retain:
            self.events[message.topic] = (time.monotonic(), text)
            return
        if text == "":
            self.retained.pop(message.topic, None)
        elif self.retained.get(message.topic) != text:
            self.retained[message.topic] = text
            self.changed_at[message.topic] = time.monotonic()
            if message.topic.endswith("state"):
                self.words.setdefault(message.topic, set()).add(text)
            elif message.topic.endswith(METERS):
                self.meters.setdefault(message.topic, []).append(text)
            if message.topic.endswith("/config"):
                self.versions.append((message.topic, text))

    def moving(self, since):
        """Topics that changed since a time of the monotonic clock."""
        return {topic for topic, changed_at in self.changed_at.copy().items() if changed_at > since}

    def publish(self, topic, payload, retain=True):
        """Says something itself (the hand-made devices)."""
        self.client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(5)

    def close(self):
        """Stops listening."""
        self.client.loop_stop()
        self.client.disconnect()
