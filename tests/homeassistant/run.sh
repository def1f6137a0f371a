#!/usr/bin/env bash
# Judges the bridge's discovery by a real Home Assistant and a real mosquitto, on the loopback of a network of its own:
#
#   tests/homeassistant/run.sh [what judge.py takes]
#
# First the judge is tried on hand-made devices whose mistakes it has to find. Then it follows the bridge's cars through
# a day: asleep at the start, awake, driving, parked, charging, complete, updating, asleep again. Beside them stands a
# car that has everything (examples/full_car.rs), whose controls are announced, used and taken back. Home Assistant,
# mosquitto (its memory lost) and the bridge (its state kept, once by an earlier version) are restarted. Two to six
# minutes once Home Assistant is in the cache (install.sh): long-term statistics are made every five.
# HOMEASSISTANT_PYTHON names the Python of another installation to be judged by, for example of the oldest supported
# version: python3.12 -m venv with homeassistant==2024.11.3, josepy<2 and what requirements.py prints.
# Exit codes: 0 nothing to say, 1 findings, 3 skipped because Home Assistant or mosquitto cannot be had here, 4 not
# everything could be judged, 124 took too long.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${TESLA2MQTT_CACHE:-$HOME/.cache/tesla2mqtt}/homeassistant
limit=${HOMEASSISTANT_JUDGE_SECONDS:-480}

cannot() {
  printf '\n!!! HOME ASSISTANT CHECK SKIPPED: %s\n!!! Nothing judged the discovery messages.\n\n' "$1" >&2
  exit 3
}

PATH=$PATH:/usr/sbin:/usr/local/sbin
command -v mosquitto >/dev/null || cannot "mosquitto is not installed; hint: apt-get install mosquitto"
command -v ip >/dev/null || cannot "the program ip is not installed; hint: apt-get install iproute2"
python=${HOMEASSISTANT_PYTHON:-}
if [ -z "$python" ]; then
  "$here/install.sh"
  python=$cache/python
fi

# A network of its own: nothing leaves the machine, no port is taken. A process list of its own: whatever happens to
# the judge, nothing that it started outlives it. Without root the same in a user namespace.
own=(unshare --net --pid --fork --kill-child --mount-proc)
[ "$(id -u)" = 0 ] || own=(unshare --map-root-user "${own[@]:1}")
"${own[@]}" true 2>/dev/null || cannot "this machine permits no network namespace"

folder=$(mktemp -d "${TMPDIR:-/tmp}/judge-XXXXXX")
trap 'rm -rf "$folder"' EXIT

# Multicast needs a route, or Home Assistant's own start fails.
judge() {
  TMPDIR=$folder timeout --kill-after=15 "$limit" "${own[@]}" sh -c '
    ip link set lo up && ip route add 224.0.0.0/4 dev lo 2>/dev/null
    exec "$@"' sh "$python" "$here/judge.py" "$@" </dev/null
}

# The hand-made mistakes are those that the newest version refuses.
if [ -z "${HOMEASSISTANT_PYTHON:-}" ]; then
  judge --handmade >"$folder/handmade.log" 2>&1 || {
    code=$?
    grep -v FINDING "$folder/handmade.log" >&2
    exit "$code"
  }
  tail -n 1 "$folder/handmade.log"
fi
# The bridge with a state that outlives it, and a car whose controls are announced: nobody else has them yet. After
# `cargo test` there is nothing left to build.
examples=$root/target/debug/examples
CARGO_TARGET_DIR=$root/target cargo build --quiet --manifest-path "$root/Cargo.toml" --example kept_demo --example full_car
"$examples/full_car" >"$folder/full-car.jsonl"
judge --bridge "$examples/kept_demo" --full-car "$folder/full-car.jsonl" --long-term "$@"
