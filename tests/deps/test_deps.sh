#!/bin/sh
# test_deps.sh -- scripts/deps on an artificial machine: a PATH that holds stand-ins only.
#
# The stand-ins of apt-get and sudo write each call into $world/calls. Tools that exist are empty programs; a
# package "installed" by the stand-in of apt-get brings its tool along, if apt's lists have it.
set -u
deps=$(cd "$(dirname "$0")/../.." && pwd)/scripts/deps
world=$(mktemp -d)
trap 'rm -rf "$world"' EXIT
failures=0

check() { # WHAT EXPECTED ACTUAL
    if [ "$2" = "$3" ]; then
        return
    fi
    printf 'FAILED  %s: %s\n  expected: %s\n  actual:   %s\n' "$name" "$1" "$2" "$3"
    failures=$((failures + 1))
}

program() { # NAME, with the body on stdin
    { echo '#!/bin/sh'; cat; } >"$world/bin/$1"
    chmod +x "$world/bin/$1"
}

# A machine with root, apt and a compiler, and nothing else; its apt knows all packages once it has its lists.
new_world() { # NAME
    name=$1
    rm -rf "${world:?}/bin" "$world/lists" "$world/modules" "$world/calls"
    mkdir -p "$world/bin" "$world/lists" "$world/modules"
    : >"$world/calls"
    for tool in sh sed grep cat ls rm chmod mkdir touch env sleep tr; do
        ln -s "$(command -v "$tool")" "$world/bin/$tool"
    done
    echo 'echo 0' | program id
    echo 'exit 0' | program cc
    echo 'exit 1' | program dpkg-query
    program apt-cache <<END
[ -e $world/lists/known ] && echo "  Candidate: 1.0" || echo "  Candidate: (none)"
END
    program apt-get <<END
echo "apt-get \$*" >>$world/calls
case " \$* " in
*" update "*) touch $world/lists/known; exit 0 ;;
esac
[ ! -e $world/offline ] || exit 100
[ -e $world/lists/known ] || exit 100
for word; do
    case \$word in
    ninja-build) touch $world/bin/ninja; chmod +x $world/bin/ninja ;;
    pkg-config)
        printf '#!/bin/sh\n[ -e $world/modules/\$2 ]\n' >$world/bin/pkg-config
        chmod +x $world/bin/pkg-config
        ;;
    libxxhash-dev) touch $world/modules/libxxhash ;;
    libjson-c-dev) touch $world/modules/json-c ;;
    libsqlite3-dev) touch $world/modules/sqlite3 ;;
    libedit-dev) touch $world/modules/libedit ;;
    libuv1-dev) touch $world/modules/libuv ;;
    libmicrohttpd-dev) touch $world/modules/libmicrohttpd ;;
    libsodium-dev) touch $world/modules/libsodium ;;
    libgnutls28-dev) touch $world/modules/gnutls ;;
    zlib1g-dev) touch $world/modules/zlib ;;
    libcmocka-dev) touch $world/modules/cmocka ;;
    meson|cmake|python3|make|sqlite3|openssl) touch $world/bin/\$word; chmod +x $world/bin/\$word ;;
    esac
done
END
}

run_deps() {
    out=$(PATH=$world/bin HOLT_DEPS_RETRY_SECONDS=0 CC='' "$deps" "$@" 2>"$world/err" </dev/null)
    status=$?
    err=$(cat "$world/err")
}

calls() {
    grep -c "$1" "$world/calls"
}

build_packages='meson ninja-build pkg-config libxxhash-dev libjson-c-dev libsqlite3-dev libedit-dev'
build_packages="$build_packages libuv1-dev libmicrohttpd-dev libsodium-dev libgnutls28-dev zlib1g-dev"
test_packages="$build_packages libcmocka-dev python3 python3-dev cmake sqlite3 openssl"

new_world "missing packages are installed, known ones without an update"
touch "$world/lists/known"
run_deps test
check status 0 $status
check "updates" 0 "$(calls ' update')"
check "installed" "install --no-install-recommends $test_packages" \
    "$(sed -n 's/.*\(install .*\)/\1/p' "$world/calls")"
check "waits for the lock" 1 "$(calls DPkg::Lock::Timeout=300)"

name="a complete machine is left alone, silently"
: >"$world/calls"
run_deps test
check status 0 $status
check output "" "$out$err"
check calls "" "$(cat "$world/calls")"

name="only what is missing is installed"
rm "$world/bin/cmake"
run_deps test
check status 0 $status
check "installed" "install --no-install-recommends cmake" "$(sed -n 's/.*\(install .*\)/\1/p' "$world/calls")"

name="the build does not ask for what only the tests need"
rm "$world/bin/cmake" "$world/bin/python3"
: >"$world/calls"
run_deps build
check status 0 $status
check calls "" "$(cat "$world/calls")"

new_world "empty lists are fetched first"
run_deps build
check status 0 $status
check "first call" 1 "$(sed -n 1p "$world/calls" | grep -c ' update$')"
check "calls" 2 "$(calls apt-get)"

new_world "without a network the list is printed after a few attempts"
touch "$world/lists/known" "$world/offline"
run_deps build
rm "$world/offline"
check status 2 $status
check "the list" "$build_packages" "$out"
check "attempts" 3 "$(calls ' install ')"

new_world "without a compiler gcc and the C library's headers are asked for"
rm "$world/bin/cc"
echo 'echo 1000' | program id
run_deps build
check status 2 $status
check "the list" "gcc libc6-dev $build_packages" "$out"

new_world "a user without sudo gets the list, and nothing is called"
echo 'echo 1000' | program id
run_deps test
check status 2 $status
check "the list" "$test_packages" "$out"
check "the reason" 1 "$(echo "$err" | grep -c 'neither root nor sudo')"
check calls "" "$(cat "$world/calls")"

new_world "without apt the list is printed"
rm "$world/bin/apt-get"
run_deps build
check status 2 $status
check "the list" "$build_packages" "$out"

# A user with sudo: apt-get is the only thing that ever runs behind it.
new_world "a user with sudo: sudo runs apt-get and nothing else"
echo 'echo 1000' | program id
program sudo <<END
echo "sudo \$*" >>$world/calls
[ "\$1" = -n ] && shift
exec env "\$@"
END
run_deps build
check status 0 $status
check "calls of sudo" 2 "$(calls '^sudo')"
check "calls of sudo for something else" 0 \
    "$(grep '^sudo' "$world/calls" | grep -vc '^sudo -n DEBIAN_FRONTEND=noninteractive apt-get ')"
check "calls of apt-get" 2 "$(calls '^apt-get')"

new_world "a user whom sudo refuses is not asked again"
echo 'echo 1000' | program id
touch "$world/lists/known"
program sudo <<END
echo "sudo \$*" >>$world/calls
exit 1
END
run_deps build
check status 2 $status
check "the list" "$build_packages" "$out"
check "calls of sudo" 1 "$(calls '^sudo')"

new_world "an unknown group is refused"
run_deps everything
check status 1 $status

[ $failures = 0 ] || { echo "$failures checks failed"; exit 1; }
