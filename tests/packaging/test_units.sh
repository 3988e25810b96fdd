#!/bin/sh
# test_units.sh HOLT -- checks the systemd units: systemd accepts them, they shut the service in, the command
# accepts their configuration, also with all settings in it enabled.
set -eu
holt=$(realpath "$1") # systemd demands the whole path
units=$(cd "$(dirname "$0")/../../packaging/systemd" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "FAILED  $*"
    exit 1
}

"$holt" serve --check-config --config "$units/holt.conf" || fail "holt.conf is wrong"
sed 's/^#\([a-z_]* = \)/\1/' "$units/holt.conf" >"$work/holt.conf"
"$holt" serve --check-config --config "$work/holt.conf" || fail "a setting in holt.conf is wrong"
"$holt" serve --print-config --config "$work/holt.conf" | grep -q '^# from a file' || fail "holt.conf sets nothing"
"$holt" serve --print-config >"$work/defaults"
sed -n '/^[a-z]/p' "$work/holt.conf" | while read -r line; do
    grep -qxF "$line" "$work/defaults" || fail "holt.conf shows '$line', which is not the default"
done

for unit in "$units"/*.in; do
    name=$(basename "$unit" .in)
    sed "s,@holt@,$holt,; s,@config@,$work/holt.conf," "$unit" >"$work/$name"
    ! grep -q '@[a-z]*@' "$work/$name" || fail "$name has a name that is not replaced"
done
if ! command -v systemd-analyze >/dev/null; then
    echo "skipped: systemd-analyze is missing"
    exit 0
fi
SYSTEMD_UNIT_PATH="$work:" systemd-analyze verify --man=no "$work"/holt.service "$work"/*.socket >"$work/said" 2>&1 ||
    fail "systemd-analyze verify: $(cat "$work/said")"
! grep "$work" "$work/said" || fail "systemd-analyze warns"
# 10 is a service without any protection, 100 in the scale of the threshold.
systemd-analyze security --no-pager --offline=true --threshold=20 "$work/holt.service" >"$work/said" 2>&1 ||
    fail "the service is exposed: $(tail -n 3 "$work/said")"
