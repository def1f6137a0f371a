#!/usr/bin/env bash
# Tries docs/examples/node-red-flow.json in a real Node-RED with a real mosquitto, all on loopback.
#
#   tests/node-red/run.sh                  publishes by hand what the bridge publishes
#   tests/node-red/run.sh --bridge PATH    lets PATH (a tesla2mqtt program) publish: its demo's cars
#
# Exit codes: 0 the flow does what docs/integrations.md says, 1 it does not, 3 it could not be
# tried here (said loudly), 2 wrong usage. Node-RED is kept in
# ${TESLA2MQTT_CACHE:-$HOME/.cache/tesla2mqtt}/node-red between runs.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
flow="$here/../../docs/examples/node-red-flow.json"
cache="${TESLA2MQTT_CACHE:-$HOME/.cache/tesla2mqtt}/node-red"

bridge=""
case "${1:-}" in
  "") ;;
  --bridge) bridge="$(realpath "${2:?--bridge wants the path of a tesla2mqtt program}")" ;;
  *) echo "usage: $0 [--bridge PATH]" >&2; exit 2 ;;
esac

not_tried() {
  printf '\n*** SKIPPED: the Node-RED flow was not tried: %s ***\n\n' "$1" >&2
  exit 3
}

for tool in node npm jq mosquitto mosquitto_pub mosquitto_sub; do
  command -v "$tool" > /dev/null || PATH="$PATH:/usr/sbin" command -v "$tool" > /dev/null \
    || not_tried "$tool is not installed"
done
PATH="$PATH:/usr/sbin"

# Node-RED 5 wants Node 22.9, Node-RED 4 is content with 18.
version=4
node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 22 || (a == 22 && b >= 9) ? 0 : 1)' \
  && version=5
node -e 'process.exit(process.versions.node.split(".")[0] >= 18 ? 0 : 1)' \
  || not_tried "Node-RED wants Node 18 or newer, this is $(node --version)"
node_red="$cache/$version/node_modules/node-red/red.js"
if [ ! -f "$node_red" ]; then
  mkdir -p "$cache/$version"
  echo "installing Node-RED $version into $cache/$version"
  timeout 300 npm install --prefix "$cache/$version" --no-audit --no-fund --loglevel=error "node-red@$version" \
    || not_tried "npm could not install node-red@$version"
fi

work="$(mktemp -d)"
started=()
clean_up() {
  for pid in "${started[@]}"; do kill "$pid" 2> /dev/null || true; done
  for pid in "${started[@]}"; do wait "$pid" 2> /dev/null || true; done
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

free_port() {
  node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'
}

# Waits until a command succeeds; says what was missing and what was seen if it never does.
wait_for() {
  local what=$1 seconds=$2
  shift 2
  for ((i = 0; i < seconds * 5; i++)); do
    if "$@" > /dev/null 2>&1; then
      echo "ok: $what"
      return
    fi
    sleep 0.2
  done
  echo "NOT SEEN within $seconds s: $what" >&2
  printf -- '--- what the flow said\n%s\n--- Node-RED\n%s\n' "$(cat "$work/said")" "$(tail -40 "$work/node-red.log")" >&2
  exit 1
}

broker_port="$(free_port)"
cat > "$work/mosquitto.conf" << CONF
listener $broker_port 127.0.0.1
allow_anonymous true
persistence false
CONF
mosquitto -c "$work/mosquitto.conf" > "$work/mosquitto.log" 2>&1 &
started+=($!)
touch "$work/said" "$work/node-red.log"
say() { mosquitto_pub -h 127.0.0.1 -p "$broker_port" -V mqttv5 -q 1 -t "$1" -m "$2" "${@:3}"; }
wait_for "mosquitto answers" 10 say try me

# What the flow says goes to a file, a line a message: topic, blank, payload.
mosquitto_sub -h 127.0.0.1 -p "$broker_port" -V mqttv5 -v -t 'tesla2mqtt-flow/#' > "$work/said" 2> /dev/null &
started+=($!)

# The flow as it is imported, but for the broker's port and a shorter patience (600 ms).
jq --arg port "$broker_port" '
  map(if .type == "mqtt-broker" then .broker = "127.0.0.1" | .port = $port
      elif .type == "tab" then .env |= map(if .name == "UNLOCKED_MINUTES" then .value = "0.01" else . end)
      else . end)' "$flow" > "$work/flows.json"
# The door and nothing else: no editor, no telemetry, no look for updates.
cat > "$work/settings.js" << SETTINGS
module.exports = {
  uiHost: "127.0.0.1", uiPort: $(free_port), httpAdminRoot: false, httpNodeRoot: false,
  flowFile: "flows.json", credentialSecret: false,
  telemetry: { enabled: false, updateNotification: false },
  logging: { console: { level: "info" } },
}
SETTINGS
node "$node_red" --userDir "$work" --settings "$work/settings.js" > "$work/node-red.log" 2>&1 &
started+=($!)
wait_for "Node-RED $version has the flow and its broker" 90 grep -q 'Connected to broker' "$work/node-red.log"

said() { grep -qE -- "$1" "$work/said"; }
# The newest summary of a car fulfils a jq condition.
summary() { grep "^tesla2mqtt-flow/$1/summary " "$work/said" | tail -1 | cut -d' ' -f2- | jq -e "$2"; }

by_hand() {
  local car=5YJ3E7EB0KF000001
  put() { say "tesla2mqtt/$car/$1" "$2" -r; }
  put display_name 'Blue Thunder'
  put state driving
  put battery_level 18
  put battery_range 62.14
  put odometer 1000
  put plugged_in off
  put charging_state disconnected
  put lock locked
  put user_present on
  put inside_temp None
  put location '{"latitude":52.1,"longitude":5.1,"gps_accuracy":10}'
  put snapshot '{"anything":"at all"}'
  wait_for "values become numbers, truths, objects and null" 10 summary "$car" \
    '. == {name: "Blue Thunder", state: "driving", battery_level: 18, range_km: 100, odometer_km: 1609,
           plugged_in: false, charging_state: "disconnected", locked: true, inside_temp: null,
           location: {latitude: 52.1, longitude: 5.1, gps_accuracy: 10}}'

  put state online
  wait_for "a drive that ends with a low battery asks for the cable" 10 \
    said '^tesla2mqtt-flow/notice .*Blue Thunder has 18 % left and is not plugged in'

  put lock unlocked
  sleep 1
  if said unlocked; then
    echo "a car with its driver inside was reported as left unlocked" >&2
    exit 1
  fi
  put user_present off
  wait_for "a car that is left unlocked is reported" 10 said '^tesla2mqtt-flow/notice .*Blue Thunder has been unlocked'

  say "tesla2mqtt/$car/event/charge_finished" '{"event_type":"charge_finished","started_at":"2026-11-23T01:18:00Z",
    "ended_at":"2026-11-23T06:30:00Z","duration_s":18720,"energy_kwh":46.5,"level_from":18,"level_to":80,"cost":null}'
  wait_for "a finished charge is told" 10 said 'Blue Thunder charged 46\.5 kWh from 18 % to 80 % in 312 minutes'
  say "tesla2mqtt/$car/event/drive_finished" '{"event_type":"drive_finished","started_at":"2026-11-23T07:30:00Z",
    "ended_at":"2026-11-23T08:00:00Z","duration_s":1800,"distance_mi":12.35,"level_from":80,"level_to":76,"energy_kwh":null}'
  wait_for "a finished drive is told" 10 said 'Blue Thunder drove 19\.9 km in 30 minutes, 76 % left'

  put sunroof open
  say "tesla2mqtt/$car/sunroof" '' -r
  put state asleep
  wait_for "a deleted topic does no harm" 10 summary "$car" '.state == "asleep"'
}

by_the_demo() {
  "$bridge" demo --broker "mqtt://127.0.0.1:$broker_port" --base-topic tesla2mqtt --speed 60 > "$work/bridge.log" 2>&1 &
  started+=($!)
  wait_for "a summary of two cars" 60 two_cars
  wait_for "states, levels and ranges are known" 120 known
  wait_for "a drive is told in words" 240 said '^tesla2mqtt-flow/notice .* drove [0-9.]+ km'
  wait_for "a charge is told in words" 240 said '^tesla2mqtt-flow/notice .* charged .* minutes'
}
two_cars() { [ "$(cut -d/ -f2 "$work/said" | grep -v notice | sort -u | wc -l)" -ge 2 ]; }
known() {
  local car
  for car in $(grep summary "$work/said" | cut -d/ -f2 | sort -u); do
    summary "$car" '(.name | type == "string") and (.state | type == "string")
      and (.battery_level | type == "number") and (.range_km | type == "number")' || return 1
  done
}

if [ -n "$bridge" ]; then by_the_demo; else by_hand; fi

# Lines of nodes; what Node-RED says about itself (no projects, no credentials key) has one bracket.
if grep -E '\[(error|warn)\] \[|\[error\]' "$work/node-red.log"; then
  echo "Node-RED complained about the flow" >&2
  exit 1
fi
echo "the Node-RED flow works"
