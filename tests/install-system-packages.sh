#!/bin/sh
# Install what system-packages.txt lists and this machine lacks; with arguments, only the packages named.
# Changes nothing where all of it is there already, whoever installed it.
set -eu

list="$(dirname "$0")/system-packages.txt"

have() {
    case "$1" in
        chromium) command -v chromium || command -v chromium-browser ;;
        default-jre-headless) command -v java ;;
        gcc) command -v cc ;;
        libc6-dev) [ -e /usr/include/stdio.h ] || dpkg-query --show libc6-dev ;;
        maven) command -v mvn ;;
        redis-server) command -v redis-server ;;
        # Debian keeps it off the PATH, in a folder for each version.
        postgresql) command -v initdb || { set -- /usr/lib/postgresql/*/bin/initdb; [ -x "$1" ]; } ;;
        # Any Python that can make virtual environments will do, wherever it comes from.
        python3-venv) "${PYTHON:-python3}" -c 'import ensurepip, venv' ;;
        *) dpkg-query --show --showformat='${Status}\n' "$1" | grep -q 'ok installed' ;;
    esac >/dev/null 2>&1
}

missing=""
for package in ${*:-$(sed 's/#.*//' "$list")}; do
    have "$package" || missing="$missing $package"
done
if [ -z "$missing" ]; then
    echo "system packages: all there"
    exit 0
fi

stop() {
    echo "system packages missing:$missing" >&2
    echo "  $1" >&2
    echo "  remedy: apt-get install$missing" >&2
    exit 1
}

command -v apt-get >/dev/null 2>&1 || stop "this is not Debian or Ubuntu: install what corresponds to them here"
if [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    stop "neither root nor password-less sudo, so they cannot be installed from here"
fi

echo "installing system packages:$missing"
$as_root apt-get -o DPkg::Lock::Timeout=300 update -q </dev/null
# shellcheck disable=SC2086  # lists of words
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -q -y --no-install-recommends $missing </dev/null
for package in $missing; do
    have "$package" || { missing=" $package"; stop "apt installed it, and it is still not found on PATH"; }
done
