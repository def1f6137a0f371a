#!/usr/bin/env bash
# Makes the newest Home Assistant core that can be had, for the judge beside this file, and keeps it between runs:
#
#   ${TESLA2MQTT_CACHE:-~/.cache/tesla2mqtt}/homeassistant/python     a Python that has Home Assistant in it
#                                                          /version    which one
#
# A new core wants a newer Python than most stable systems carry. A matching `python3.14` on the PATH is used; else
# Debian's testing release is unpacked into the cache (root and debootstrap needed, nothing outside the cache is
# touched) and its Python is run from there through its own loader, without a chroot, a mount or root.
#
# About 70 s and 1.4 GB the first time, nothing after that. Exit code 3: it cannot be had here, and it says so.
# TESLA2MQTT_CACHE moves the cache; HOMEASSISTANT_VERSION pins a version instead of the newest.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${TESLA2MQTT_CACHE:-$HOME/.cache/tesla2mqtt}/homeassistant
suite=forky
python=3.14
wanted=homeassistant${HOMEASSISTANT_VERSION:+==$HOMEASSISTANT_VERSION}

cannot() {
  {
    echo
    echo "!!! HOME ASSISTANT CHECK SKIPPED: $1"
    echo "!!! Nothing judged the discovery messages. $2"
    echo
  } >&2
  exit 3
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

if [ -x "$cache/python" ] && [ -s "$cache/version" ] &&
  [ "${HOMEASSISTANT_VERSION:-$(cat "$cache/version")}" = "$(cat "$cache/version")" ] &&
  "$cache/python" -c 'import homeassistant, paho.mqtt, hass_frontend, aiohasupervisor' 2>/dev/null; then
  echo "Home Assistant $(cat "$cache/version") is in $cache"
  exit 0
fi

mkdir -p "$cache"
exec 9>"$cache/lock"
flock -w 300 9 || cannot "another installation holds $cache/lock" "hint: wait for it to end."
log=$cache/install.log
: >"$log"
rm -f "$cache/python" "$cache/version"

debian_mirror() {
  # The archive that this machine already uses, so that a local mirror keeps working.
  apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(SUITE)' 'Created-By: Packages' 2>/dev/null |
    awk '$2 == "Debian" && $3 !~ /security|updates|backports/ { print $1; exit }'
}

unpack_debian() {
  local root=$cache/$suite mirror script=/usr/share/debootstrap/scripts
  [ -x "$root/usr/bin/python$python" ] && return
  as_root true 2>>"$log" || cannot "no python$python here, and unpacking one needs root" "hint: install Python $python, or run as root."
  if ! command -v debootstrap >/dev/null; then
    command -v apt-get >/dev/null || cannot "no python$python here, and no debootstrap" "hint: install Python $python."
    { as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq debootstrap; } >>"$log" 2>&1 ||
      cannot "debootstrap could not be installed" "hint: see $log"
  fi
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || cannot "no Debian archive is configured here" "hint: install Python $python."
  # An older debootstrap does not know the suite's name yet; the script of unstable fits.
  if [ -e "$script/$suite" ]; then script=$script/$suite; else script=$script/sid; fi
  as_root rm -rf "$root.part"
  as_root debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv \
    "$suite" "$root.part" "$mirror" "$script" >>"$log" 2>&1 || cannot "debootstrap of Debian $suite failed" "hint: see $log"
  [ -x "$root.part/usr/bin/python$python" ] || cannot "Debian $suite has no python$python" "hint: correct the suite in $0"
  # Names resolve and certificates count as they do outside.
  as_root cp -L /etc/resolv.conf "$root.part/etc/resolv.conf"
  as_root cp -L /etc/ssl/certs/ca-certificates.crt "$root.part/etc/ssl/certs/ca-certificates.crt" 2>>"$log" || true
  as_root rm -rf "$root.part/var/cache/apt" "$root.part/usr/share/doc" "$root.part/usr/share/locale"
  as_root chown -R "$(id -u):$(id -g)" "$root.part"
  mv "$root.part" "$root"
}

write_python() {
  # Through its own loader Debian's Python needs nothing of this machine but the kernel. It starts itself again by
  # the name it was started with (pip does, to build a package), so that name has to be the wrapper's.
  local root=$cache/$suite multiarch
  multiarch=$(basename "$(dirname "$(find "$root/usr/lib" -maxdepth 2 -name 'libc.so.6' | head -n 1)")")
  local loader
  loader=$(find "$root/usr/lib/$multiarch" -maxdepth 1 -name 'ld-linux-*' | head -n 1)
  cat >"$cache/python.part" <<WRAPPER
#!/bin/sh
export PYTHONHOME='$root/usr' PYTHONPATH="\${PYTHONPATH:+\$PYTHONPATH:}$cache/site-packages"
exec '$loader' --argv0 "\$0" --library-path '$root/usr/lib/$multiarch' '$root/usr/bin/python$python' "\$@"
WRAPPER
  chmod +x "$cache/python.part"
}

write_python_of_this_machine() {
  cat >"$cache/python.part" <<WRAPPER
#!/bin/sh
export PYTHONPATH="\${PYTHONPATH:+\$PYTHONPATH:}$cache/site-packages"
exec '$(command -v python$python)' "\$@"
WRAPPER
  chmod +x "$cache/python.part"
}

if command -v python$python >/dev/null && python$python -c 'import sys, venv; sys.exit(sys.version_info < (3, 14, 2))'; then
  write_python_of_this_machine
else
  unpack_debian
  write_python
fi
run=$cache/python.part

# pip comes as a wheel with Python's venv, and a wheel can be run as it is.
rm -rf "$cache/site-packages"
mkdir -p "$cache/site-packages"
pip_wheel=$(find "$cache/$suite/usr/share/python-wheels" /usr/share/python-wheels -name 'pip-*.whl' 2>/dev/null | head -n 1)
pip() {
  if [ -n "$pip_wheel" ]; then
    PYTHONDONTWRITEBYTECODE=1 "$run" "$pip_wheel/pip" "$@"
  else
    "$run" -m pip "$@"
  fi
}
install_packages() {
  PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
    pip install --quiet --no-cache-dir --no-compile --upgrade --target "$cache/site-packages" "$@" >>"$log" 2>&1
}
install_packages "$wanted" || cannot "Home Assistant could not be installed for Python $python" "hint: see $log"
"$run" "$here/requirements.py" >"$cache/requirements.txt"
install_packages -c "$cache/site-packages/homeassistant/package_constraints.txt" -r "$cache/requirements.txt" ||
  cannot "the requirements of Home Assistant's MQTT could not be installed" "hint: see $log"

"$run" -c 'import homeassistant.const as c; print(c.__version__)' >"$cache/version.part"
mv "$cache/python.part" "$cache/python"
mv "$cache/version.part" "$cache/version"
echo "Home Assistant $(cat "$cache/version") installed in $cache in $SECONDS s"
