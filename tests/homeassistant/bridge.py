"""The bridge under judgement: a demo with a state that outlives it (examples/kept_demo.rs), and the cloud that it asks."""

import os
import signal
import subprocess
import time


class Bridge:
    """The bridge's process with its simulated cars, which live on while it is down. Its state directory is kept."""

    def __init__(self, program, speed, recordings, broker_port, folder):
        self.state = folder / "state"
        self.command = [program, "--broker", f"mqtt://127.0.0.1:{broker_port}", "--base-topic", "tesla2mqtt"]
        self.command += ["--speed", str(speed), "--state", str(self.state), "--commands"]
        for recording in recordings:
            self.command += ["--recording", recording]
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.lives = 0
        self.process = None

    def start(self):
        """Starts it; it is heard of over MQTT."""
        self.lives += 1
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=(self.folder / f"bridge-{self.lives}.txt").open("wb"),
            stderr=subprocess.STDOUT,
            env={key: value for key, value in os.environ.items() if not key.startswith("PYTHON")},
        )

    def stop(self, how=signal.SIGTERM):
        """Ends it; the seconds that it took."""
        begun = time.monotonic()
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return time.monotonic() - begun

    def said(self):
        """The end of what it printed."""
        return (self.folder / f"bridge-{self.lives}.txt").read_text(errors="replace")[-2000:]
