#!/bin/sh
# test_packaging.sh BUILD VERSION -- installs the build into a folder and uses it from there, as another
# program would.
#
# The folder is not the prefix it was configured for: an installation must also work where it was moved to.
set -eu
build=$1
version=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "FAILED  $*"
    exit 1
}

meson install -C "$build" --no-rebuild --quiet --destdir "$work/root" >"$work/install" 2>&1 ||
    fail "meson install: $(cat "$work/install")"
pc=$(find "$work/root" -name holt.pc)
[ -n "$pc" ] || fail "no holt.pc was installed"
libdir=$(dirname "$(dirname "$pc")")
prefix=$work/root$(pkg-config --variable=prefix "$pc")
export LD_LIBRARY_PATH="$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"

# What the libraries show to a program that links them.
for library in "-D $libdir/libholt.so" "$libdir/libholt.a"; do
    # shellcheck disable=SC2086 # an option and a file
    names=$(nm --defined-only --extern-only -P $library | awk 'NF > 1 && $2 != "A" { print $1 }')
    echo "$names" | grep -qx holt_open || fail "$library does not export holt_open"
    others=$(echo "$names" | grep -v '^holt_' || true)
    [ -z "$others" ] || fail "$library exports $others"
    for name in $names; do
        grep -qh "\b$name(" "$prefix/include/holt.h" "$prefix/include/holt/table.h" ||
            fail "$library exports $name, which no public header declares"
    done
done
readelf -d "$libdir/libholt.so" | grep -q "SONAME.*\[libholt.so.${version%%.*}\]" ||
    fail "the soname is wrong"

runs() { # PROGRAM
    [ "$("$1" "$work/data")" = "$version" ] || fail "$1 does not run"
}

# pkg-config, shared and static.
export PKG_CONFIG_PATH="$libdir/pkgconfig"
config() {
    pkg-config --define-variable=prefix="$prefix" "$@" holt
}
[ "$(config --modversion)" = "$version" ] || fail "holt.pc names another version"
# shellcheck disable=SC2046 # flags
cc "$here/outside.c" -o "$work/outside" $(config --cflags --libs)
runs "$work/outside"
# shellcheck disable=SC2046
cc "$here/outside.c" -o "$work/outside_static" $(config --cflags) "$libdir/libholt.a" \
    $(config --static --libs | sed 's/-lholt//')
runs "$work/outside_static"
! readelf -d "$work/outside_static" | grep -q libholt || fail "the static program needs the shared library"

# CMake, shared and static; a version that is not there is not found.
cmake_project() { # WANTED
    rm -rf "$work/cmake"
    cmake -G Ninja -S "$here" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" -DWANTED="$1" >"$work/log" 2>&1
}
if command -v cmake >/dev/null && command -v ninja >/dev/null; then
    cmake_project "${version%.*}" || fail "CMake: $(cat "$work/log")"
    cmake --build "$work/cmake" >"$work/log" 2>&1 || fail "CMake: $(cat "$work/log")"
    runs "$work/cmake/outside_shared"
    runs "$work/cmake/outside_static"
    ! cmake_project 99.0 || fail "CMake accepts a version that is not there"
fi

for page in holt holt_put holt_table_insert; do
    [ -e "$prefix/share/man/man3/$page.3" ] || fail "$page.3 was not installed"
done

# The extension, where there is one: SQLite loads it from where it was installed.
if [ -e "$libdir/libholt_sqlite.so" ] && command -v sqlite3 >/dev/null; then
    printf ".load %s\nSELECT holt_open('%s'); SELECT count(*) FROM \"default\";\n" "$libdir/libholt_sqlite" \
        "$work/sql" | LD_LIBRARY_PATH='' sqlite3 -batch >"$work/log" 2>&1
    [ "$(tail -n 1 "$work/log")" = 0 ] || fail "the installed extension does not run: $(cat "$work/log")"
fi

# The command and its page, where there is a command.
if [ -e "$build/src/cli/holt" ]; then
    "$prefix/bin/holt" version | grep -qF "$version" || fail "the installed command does not run"
    echo EXIT | "$prefix/bin/lsm-cli" "$work/loop" || fail "the installed lsm-cli does not run"
    for page in man1/holt.1 man1/holt-put.1 man1/lsm-cli.1; do
        [ -e "$prefix/share/man/$page" ] || fail "$page was not installed"
    done
    [ -e "$prefix/share/bash-completion/completions/holt" ] || fail "the completion was not installed"
fi

# Nothing stays behind after an uninstall.
"$here/../../scripts/uninstall" "$build" "$work/root" >"$work/log" || fail "uninstall"
left=$(find "$work/root" ! -type d)
[ -z "$left" ] || fail "uninstall leaves $left"
