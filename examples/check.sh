#!/bin/sh
# check.sh PROGRAM EXPECTED -- runs an example twice on the same database; its output must match EXPECTED both
# times.
set -eu
program=$1
expected=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for round in first second; do
    "$program" "$folder/data" >"$folder/$round"
    diff -u "$expected" "$folder/$round"
done
