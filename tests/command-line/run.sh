#!/usr/bin/env bash
# Runs every command of docs/integrations.md that is written for a shell (mosquitto's clients and jq), as it stands
# there, with a real mosquitto and the demo's cars; and the jq expressions of docs/examples/evcc.yaml with every word.
#
#   tests/command-line/run.sh [PROGRAM]      PROGRAM is target/release/tesla2mqtt, else target/debug/tesla2mqtt
#
# Exit codes: 0 each does what the page says, 1 one does not, 2 wrong usage, 3 it could not be tried here (said loudly).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
page=$root/docs/integrations.md

program=${1:-$root/target/release/tesla2mqtt}
[ $# -gt 0 ] || [ -x "$program" ] || program=$root/target/debug/tesla2mqtt
[ -x "$program" ] || { echo "no program at $program: expected the built bridge; hint: cargo build" >&2; exit 2; }
program=$(realpath "$program")

PATH=$PATH:/usr/sbin:/usr/local/sbin
for tool in mosquitto mosquitto_sub mosquitto_pub jq; do
  command -v "$tool" >/dev/null || {
    printf '\n*** SKIPPED: the commands of the page were not tried: %s is not installed ***\n\n' "$tool" >&2
    exit 3
  }
done

work=$(mktemp -d)
started=()
clean_up() {
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

# A port that nobody listens on: mosquitto ends at once if it is taken after all.
broker=""
for _ in 1 2 3 4 5; do
  port=$((20000 + RANDOM % 20000))
  mosquitto -p "$port" >"$work/mosquitto.log" 2>&1 &
  broker=$!
  sleep 0.5
  kill -0 "$broker" 2>/dev/null && break
  broker=""
done
[ -n "$broker" ] || { cat "$work/mosquitto.log" >&2; echo "mosquitto does not start" >&2; exit 1; }
started+=("$broker")

# The broker's address stands where the page says that it does.
export HOME=$work XDG_CONFIG_HOME=$work/.config
mkdir -p "$XDG_CONFIG_HOME"
printf -- '-h 127.0.0.1\n-p %s\n' "$port" | tee "$XDG_CONFIG_HOME/mosquitto_sub" >"$XDG_CONFIG_HOME/mosquitto_pub"
"$program" demo --broker "mqtt://127.0.0.1:$port" --base-topic tesla2mqtt --speed 30 --commands >"$work/demo.log" 2>&1 &
started+=($!)
export car=7SAXCBE52NF000032

n_wrong=0
wrong() {
  n_wrong=$((n_wrong + 1))
  printf 'WRONG: %s\n  %s\n' "$1" "$2" >&2
}

# Everything that a shell block of the page holds, one command a file with the comment above it as its name.
n_commands=0
split_commands() {
  awk '/^```sh$/ { inside = 1; n++; next } /^```$/ { inside = 0; n++; next } inside { if ($0 == "") n++; else print > (folder "/" sprintf("%03d", n)) }' \
    folder="$work/commands" "$page"
}
mkdir "$work/commands"
split_commands

# What a command must print; `endless` ones are ended after some seconds.
expect() {
  local about=$1 seconds=60 pattern least=1
  case $about in
    "Everything that is known, once") least=150 pattern="tesla2mqtt/$car/battery_level [0-9]+$" ;;
    "One value") pattern='^[0-9]+$' ;;
    "The level of every car, as it changes") seconds=4 least=2 pattern='T[0-9:]+.* tesla2mqtt/[0-9A-Z]{17}/battery_level [0-9]+$' ;;
    "All values with their age in one message") pattern='"battery_level": \{' ;;
    "A table of all of them") least=100 pattern=$'^battery_level\t[0-9.]+\t[0-9TZ:-]+$' ;;
    "Range in kilometers") pattern='^[0-9]{2,3}$' ;;
    "A link to where the car is") pattern='^https://www.openstreetmap.org/\?mlat=[0-9.-]+&mlon=[0-9.-]+$' ;;
    "Wait until it has finished charging, then go on"*) pattern='^done$' ;;
    "A log of drives and charges, a line each") seconds=40 least=0 pattern='' ;;
    "Kilometers of all drives in it") pattern='^[1-9][0-9]*(\.[0-9]+)?$' ;;
    "") seconds=5 least=0 pattern='' ;;
    *) wrong "$about" "the page has a command that nothing is expected of; hint: add it to $0"; return ;;
  esac
  local code=0 n
  (cd "$work" && timeout "$seconds" bash -c "$(cat "$2")") >"$work/said" 2>"$work/complaints" || code=$?
  n=$(wc -l <"$work/said")
  # 27 is how mosquitto_sub ends when its time is over, 124 how an endless command does here.
  case $code in 0 | 27 | 124) ;; *) wrong "$about" "ended with $code: $(cat "$work/complaints")"; return ;; esac
  if [ "$code" = 124 ] && [ "$seconds" = 60 ]; then wrong "$about" "did not end within $seconds s"; return; fi
  [ "$n" -ge "$least" ] || { wrong "$about" "$n lines, expected at least $least: $(head -c 300 "$work/said")"; return; }
  # One that goes on too late has missed the moment.
  case $about in "Wait until"*)
    local state
    state=$(mosquitto_sub -t "tesla2mqtt/$car/charging_state" -C 1 -W 2)
    [ "$state" = complete ] || { wrong "$about" "went on when the state was $state"; return; } ;;
  esac
  [ -z "$pattern" ] || grep -qE -- "$pattern" "$work/said" || { wrong "$about" "not like $pattern: $(head -c 300 "$work/said")"; return; }
  echo "ok: ${about:-$(cat "$2")}"
}

# The car sleeps at first; everything is known of it once it has woken.
for _ in $(seq 60); do
  mosquitto_sub -t "tesla2mqtt/$car/location" -C 1 -W 2 >/dev/null 2>&1 && break
  kill -0 "${started[1]}" 2>/dev/null || { cat "$work/demo.log" >&2; exit 1; }
done

# What commands are answered is looked at beside them.
mosquitto_sub -t 'tesla2mqtt/+/command/+/result' -v >"$work/answers" 2>/dev/null &
started+=($!)
for file in "$work"/commands/*; do
  about=$(sed -n 's/^# //p;q' "$file")
  n_commands=$((n_commands + 1))
  expect "$about" "$file"
done
[ "$n_commands" -ge 11 ] || wrong "the page" "only $n_commands commands were found in it"
answered() { grep -q "tesla2mqtt/$car/$1/result {" "$work/answers"; }
for name in $(grep -ohE 'command/[a-z_]+' "$work"/commands/* | sort -u); do
  for _ in $(seq 100); do answered "$name" && break || sleep 0.1; done
  answered "$name" || wrong "$name" "was not answered: $(cat "$work/answers")"
done

# evcc quotes a word before jq sees it, and takes A, B, C or an error.
evcc=$root/docs/examples/evcc.yaml
status=$(awk '/^ *jq: >-/ { inside = 1; next } inside && /^    [a-z]/ { exit } inside' "$evcc")
climate=$(sed -n 's/^ *jq: \(\. ==.*\)/\1/p' "$evcc")
try() {
  local found
  found=$(jq -r "$1" <<<"\"$2\"" 2>/dev/null) || found=error
  [ "$found" = "$3" ] && return
  wrong "evcc: $2" "is $found, expected $3"
}
for word in starting stopped complete no_power calibrating; do try "$status" "$word" B; done
try "$status" charging C
try "$status" disconnected A
try "$status" None error
try "$climate" on true
try "$climate" off false

echo "$n_commands commands of the page tried, $n_wrong wrong"
[ "$n_wrong" = 0 ]
