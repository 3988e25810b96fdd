#!/bin/sh
# test_run.sh HOLT -- scripts/run, which `make run` starts: it ends without a terminal, a second run works on
# the database of the first, and a run that was killed in the middle is simply run again.
set -eu
HOLT=$1
run=$(cd "$(dirname "$0")/../.." && pwd)/scripts/run
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOLT HOLT_RUN_DIR="$work/run data"
lines=20000

fail() {
    echo "FAILED  $*"
    [ ! -e "$work/out" ] || cat "$work/out"
    exit 1
}

count() {
    "$HOLT" count "$HOLT_RUN_DIR" -c lines
}

expect_run() { # WHAT FILE COUNT
    "$run" "$2" >"$work/out" 2>&1 </dev/null || fail "$1: exit code $?"
    [ "$(count)" = "$3" ] || fail "$1: $(count) records instead of $3"
    grep -q 'scan .*--reverse' "$work/out" || fail "$1: no reverse scan"
    grep -q '/s' "$work/out" || fail "$1: no rates"
    grep -q 'Next, try' "$work/out" || fail "$1: does not say what to type next"
    ! grep -q 'Serving' "$work/out" || fail "$1: serves without a terminal"
    left=$(find "$work" -name '*.input' -o -name '*.notes')
    [ -z "$left" ] || fail "$1: leaves $left behind"
}

awk -v n=$lines \
    'BEGIN { for (i = 1; i <= n; i++) print "line " i " of a text to be loaded, with some length to it" }' \
    >"$work/text"
mkfifo "$work/pipe"

# A run that is killed: the pipe has given it half of the text and keeps it waiting for the rest.
setsid "$run" "$work/pipe" >"$work/out" 2>&1 </dev/null &
killed=$!
exec 3>"$work/pipe"
head -n $((lines / 2)) "$work/text" >&3
kill -s KILL -- "-$killed"
exec 3>&-
wait "$killed" 2>/dev/null || true
# The shell has ended; its child may take a moment more, on a busy machine, to release the database.
tries=0
while kill -s 0 -- "-$killed" 2>/dev/null && [ $tries -lt 100 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
rm "$work/pipe"
cp "$work/text" "$work/pipe"

expect_run "after a kill" "$work/pipe" $lines
expect_run "a second time" "$work/pipe" $lines
"$HOLT" get "$HOLT_RUN_DIR" -c lines "$work/pipe/0000000007" | grep -q '^line 7 of ' ||
    fail "a record differs"

# Another file is added to the first; names that need escapes work.
head -n 10 "$work/text" >"$work/a b\\c"
expect_run "a file with an odd name" "$work/a b\\c" $((lines + 10))

# The package index of a machine: twice, so that the table of the first run is in the way of the second.
mkdir "$work/bin"
cat >"$work/bin/apt-cache" <<'END'
#!/bin/sh
awk 'BEGIN {
    for (i = 1; i <= 1500; i++) {
        printf "Package: p%d\nVersion: 1:%d-1\nArchitecture: all\n", i, i
        if (i % 10) printf "Installed-Size: %d\n", i
        printf "Section: %s\nPriority: optional\n", i % 3 ? "editors" : "shells"
        printf "Maintainer: \"M\" Number, %d <m@example.org>\nDescription: one\n two\n\n", i % 7
    }
}'
END
chmod +x "$work/bin/apt-cache"
for time in first second; do
    PATH="$work/bin:$PATH" HOLT_RUN_DIR="$work/packages" "$run" >"$work/out" 2>&1 </dev/null ||
        fail "the $time run of a package index: exit code $?"
    grep -q '^1,500 rows into the new table debian' "$work/out" || fail "the $time run makes no table"
    grep -q '^editors|1000|' "$work/out" || fail "the $time run does not count sections"
    grep -q '^p1499|1:1499-1|1499$' "$work/out" || fail "the $time run does not list editors"
    grep -q '^"M" Number, 1 <m@example.org>|215$' "$work/out" ||
        fail "the $time run does not count maintainers"
    left=$(find "$work" -name '*.input' -o -name '*.rows' -o -name '*.notes')
    [ -z "$left" ] || fail "the $time run leaves $left behind"
done

! "$run" "$work/nowhere" >"$work/out" 2>&1 || fail "a file that is not there is accepted"
grep -q 'nowhere: no such file' "$work/out" || fail "the complaint names no file"
