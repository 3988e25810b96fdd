#!/bin/sh
# run.sh HOLT [PATTERN] -- tests the command HOLT from outside, as its users see it.
#
# Runs every function test_* of the files test_*.sh beside this one, or those whose name contains PATTERN.
# Each runs in its own empty directory with `set -eu`, so an unexpected failure of a command fails the test.
# The names say the tested behaviour. Only a POSIX shell and the usual tools are needed; a test that needs
# more is skipped with a message. HOLT_MAKE_TABLE: the program of make_table.c.

here=$(cd "$(dirname "$0")" && pwd)
exe=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
pattern=${2:-}
manual=$here/../../src/cli/holt.1
work=$(mktemp -d "${TMPDIR:-/tmp}/holt-cli-XXXXXX") || exit 1
trap 'chmod -R u+rwx "$work"; rm -rf "$work"' EXIT
unset HOLT_LOG_LEVEL LOG_LEVEL
LC_ALL=C
export LC_ALL

SKIPPED=77

holt() {
    "$exe" "$@"
}

fail() {
    echo "  $*"
    exit 1
}

skip() {
    echo "  skipped: $*"
    exit $SKIPPED
}

# status_is N COMMAND...: the command exits with N; its output is left in the files out and err.
status_is() {
    want=$1
    shift
    got=0
    "$@" >out 2>err || got=$?
    [ "$got" -eq "$want" ] || fail "'$*' exited with $got, not $want: $(head -c 400 err)"
}

# says TEXT: the standard error of the last status_is contains TEXT.
says() {
    grep -qF -e "$1" err || fail "standard error lacks '$1': $(head -c 400 err)"
}

# prints TEXT COMMAND...: the command succeeds and prints exactly TEXT, apart from line feeds at the end.
prints() {
    text=$1
    shift
    status_is 0 "$@"
    [ "$(cat out)" = "$text" ] || fail "'$*' printed '$(head -c 400 out)', not '$text'"
}

same() {
    cmp "$1" "$2" || fail "$1 and $2 differ"
}

# on_terminal COMMAND: runs the shell command on a pseudo-terminal; its output is left in out, without CRs.
on_terminal() {
    command -v script >/dev/null || skip "script(1) is missing"
    script -qec "stty cols 80; $1" /dev/null </dev/null >shown 2>&1 || return $?
    tr -d '\r' <shown >out
}

shows() {
    grep -qF -e "$1" out || fail "the terminal lacks '$1': $(head -c 400 out)"
}

run_test() {
    directory=$work/$1
    mkdir "$directory" || exit 1
    (
        set -eu
        cd "$directory"
        "$1"
    ) >"$work/told" 2>&1
    result=$?
    case $result in
    0) echo "ok      $1" ;;
    $SKIPPED) echo "skipped $1:$(grep skipped: "$work/told" | cut -d: -f2-)" ;;
    *)
        echo "FAILED  $1"
        cat "$work/told"
        failed=$((failed + 1))
        ;;
    esac
}

failed=0
for file in "$here"/test_*.sh; do
    # shellcheck source=/dev/null
    . "$file"
    for name in $(sed -n 's/^\(test_[a-z0-9_]*\)().*/\1/p' "$file"); do
        case $name in
        *"$pattern"*) run_test "$name" ;;
        esac
    done
done
[ "$failed" -eq 0 ] || {
    echo "$failed tests of the command failed"
    exit 1
}
