# collections, create, drop, stats, flush, compact; directories that are not databases.

test_collections_are_created_and_dropped() {
    holt create data users
    holt create data --kind lsm logs
    prints 'default
logs
users' holt collections data
    holt put data -c users k v
    status_is 1 holt get data k
    holt drop data users --yes
    prints 'default
logs' holt collections data
    status_is 1 holt get data -c users k
    says users
}

# Every command shows the kind that the collection was created with, and a dump preserves it.
test_a_btree_is_shown_as_one_and_works_like_the_rest() {
    holt create data trees --kind btree
    for key in a b c; do
        holt put data -c trees "$key" "1$key"
        holt flush data >/dev/null
    done
    holt del data -c trees b
    holt collections data --json >out
    grep -q '"name":"trees","kind":"btree"' out
    holt stats data >out
    grep -q '^collection\.trees\.kind	btree$' out
    holt stats data --json >out
    grep -q '"name":"trees","kind":"btree"' out
    holt scan data -c trees >before
    status_is 0 holt compact data
    holt scan data -c trees >after
    same before after
    status_is 0 holt check data
    holt dump data | holt load copy >/dev/null
    holt collections copy --json >out
    grep -q '"name":"trees","kind":"btree"' out
    holt scan copy -c trees >after
    same before after
    status_is 0 holt bench --kind btree --num 1000 --benchmarks fillrandom,readrandom,readseq --json
    grep -q '"kind":"btree"' out
}

test_wrong_collections_are_refused() {
    holt create data users
    status_is 1 holt create data users
    [ -s err ]
    status_is 1 holt drop data nope --yes
    says nope
    status_is 1 holt drop data default -y
    status_is 1 holt create data ''
    status_is 1 holt create data "$(head -c 129 /dev/zero | tr '\0' n)"
    status_is 1 holt create data 'new
line'
    status_is 2 holt create data x --kind heap
    status_is 1 holt put data -c nope k v
    status_is 1 holt scan data -c nope
    says "holt collections data"
    prints 'default
users' holt collections data
}

test_stats_are_lines_of_name_and_number() {
    holt put data k v
    status_is 0 holt stats data
    grep -q '^disk_bytes	[0-9][0-9]*$' out
    grep -q '^collections	[1-9]' out
    grep -q '^collection\.default\.kind	lsm$' out
    [ -z "$(grep -v '^[^	][^	]*	[0-9a-z?]*$' out)" ] || fail "other lines: $(head -c 200 out)"
}

test_stats_list_readers() {
    holt put data k v
    status_is 0 holt stats data --readers
    grep -q '^reader\.1\.kind	snapshot$' out
    grep -q '^reader\.1\.age_ms	[0-9][0-9]*$' out
    grep -q '^reader\.1\.pinned_bytes	0$' out
    grep -q '^reader\.1\.revoked	0$' out
    grep -q '^reader\.1\.label	holt stats$' out
    grep -q '^disk_bytes	' out
    holt stats data --readers --json >out
    python3 -c '
import json, sys
readers = json.load(open("out"))["readers"]
assert len(readers) == 1, readers
assert (readers[0]["kind"], readers[0]["label"]) == ("snapshot", "holt stats")
assert readers[0]["pinned_bytes"] == 0 and readers[0]["revoked"] == 0 and readers[0]["age_ms"] < 60000'
    holt stats data --json >out
    if grep -q '"readers"' out; then fail "readers without --readers"; fi
    holt stats data >out
    if grep -q '^reader' out; then fail "readers without --readers"; fi
    status_is 2 holt stats data --readers=yes
}

test_flush_and_compact_keep_what_is_there() {
    for key in a b c; do
        holt put data "$key" "1$key"
        holt flush data >/dev/null
    done
    holt del data b
    holt scan data >before
    status_is 0 holt flush data
    grep -q 'on disk' out
    status_is 0 holt compact data
    status_is 0 holt compact data -c default --from a --to b
    holt scan data >after
    same before after
    status_is 1 holt compact data -c nope
}

test_reading_creates_no_database() {
    for command in 'get nodata k' 'exists nodata k' 'scan nodata' 'count nodata' 'dump nodata' \
        'stats nodata' \
        'collections nodata' 'del nodata k' 'drop nodata c --yes' 'clear nodata --yes' 'rename nodata a b' \
        'del nodata --prefix k' \
        'flush nodata' 'compact nodata' 'put nodata k v -c other'; do
        # shellcheck disable=SC2086
        status_is 1 holt $command
        says nodata
        [ ! -e nodata ] || fail "'$command' made a database"
    done
}

test_other_files_and_directories_are_left_alone() {
    echo text >file
    mkdir other
    echo mine >other/notes
    for command in put\ %\ k\ v scan\ % load\ %; do
        # shellcheck disable=SC2086
        status_is 1 holt $(echo "$command" | sed 's/%/file/') </dev/null
        [ -s err ]
        # shellcheck disable=SC2086
        status_is 1 holt $(echo "$command" | sed 's/%/other/') </dev/null
        [ -s err ]
    done
    [ "$(cat file)" = text ]
    [ "$(ls other)" = notes ]
}

test_unwritable_directory_is_reported() {
    mkdir locked
    chmod 555 locked
    chmod 755 "$work" .
    if [ "$(id -u)" -ne 0 ]; then
        status_is 1 holt put locked/data k v
    else
        command -v setpriv >/dev/null || skip "root, and setpriv(1) is missing"
        setpriv --reuid 65534 --clear-groups "$exe" version >/dev/null 2>&1 ||
            skip "another user cannot run $exe"
        status_is 1 setpriv --reuid 65534 --clear-groups "$exe" put locked/data k v
    fi
    [ -s err ]
}

test_memory_below_the_minimum_is_refused() {
    status_is 1 holt put data k v --memory 1M
    [ -s err ]
    status_is 2 holt put data k v --memory lots
    says lots
    holt put data k v --memory 8MiB
    prints v holt get data k --memory 16m
}

test_second_process_is_refused_and_the_first_named() {
    mkfifo pipe
    "$exe" load data --format tsv pipe >/dev/null 2>&1 &
    loader=$!
    exec 9>pipe
    printf 'a\t1\n' >&9
    tries=0
    until [ -e data/LOCK ] || [ $tries -ge 100 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
    sleep 0.3
    got=0
    holt put data k v >out 2>err || got=$?
    exec 9>&-
    wait $loader
    [ "$got" -eq 1 ] || fail "a second writer ended with $got"
    says "$loader"
    prints 1 holt get data a
}

test_log_level_prints_the_event_log_on_standard_error() {
    status_is 0 env HOLT_LOG_LEVEL=debug "$exe" put data k v
    says 'holt: '
    status_is 0 env LOG_LEVEL=INFO "$exe" get data k
    says 'holt: '
    status_is 0 holt get data k
    [ ! -s err ]
    status_is 0 env LOG_LEVEL=verbose "$exe" get data k
    [ ! -s err ]
    status_is 2 env HOLT_LOG_LEVEL=loud "$exe" get data k
    says loud
}

# ---------------------------------------------------------------- create, rename, clear, drop

test_created_collections_have_the_given_block_and_filter() {
    holt create data small --block 4K --filter 1
    holt create data bare --block 64KiB --filter none
    holt create data trees --kind btree --block 16384
    holt stats data >out
    grep -q '^collection\.small\.block_bytes	4096$' out
    grep -q '^collection\.small\.filter_bits	1$' out
    grep -q '^collection\.bare\.block_bytes	65536$' out
    grep -q '^collection\.bare\.filter_bits	0$' out
    grep -q '^collection\.trees\.block_bytes	16384$' out
    # A dump preserves them. "No filter" must not become 0, which means the default when a collection is
    # created.
    grep '^collection\..*\(kind\|block_bytes\|filter_bits\)' out >expected
    holt dump data >dump
    holt load copy dump >/dev/null
    holt stats copy | grep '^collection\..*\(kind\|block_bytes\|filter_bits\)' >got
    same got expected
    sed 's/filter_bits=none/filter_bits=0/' dump | holt load old >/dev/null
    holt stats old | grep '^collection\..*\(kind\|block_bytes\|filter_bits\)' >got
    same got expected
}

test_invalid_blocks_and_filters_are_refused() {
    for size in 0 2K 5000 128K many; do
        status_is 2 holt create data c --block "$size"
        says "--block: '$size'"
    done
    for bits in 0 33 -1 some 18446744073709551616 4294967295; do
        status_is 2 holt create data c --filter "$bits"
        says "--filter: "
        says "$bits"
    done
    status_is 2 holt create data c --kind btree --filter 8
    says "no filter"
    [ ! -e data ]
}

test_rename_keeps_the_entries_and_frees_the_name() {
    holt create data users --kind btree
    holt put data -c users k v
    holt rename data users people
    prints v holt get data -c people k
    prints 'default
people' holt collections data
    holt create data users
    status_is 1 holt rename data users people
    says people
    status_is 1 holt rename data nope other
    says nope
    status_is 1 holt rename data default other
    status_is 1 holt rename data users 'new
line'
    status_is 2 holt rename data users
    says "an argument is missing"
    prints v holt get data -c people k
}

test_clear_empties_a_collection_and_keeps_it() {
    holt create data trees --kind btree
    for collection in default trees; do
        seq 1 2000 | sed 's/.*/&\tv/' | holt load data -c $collection --format tsv >/dev/null
        holt put data kept v
        holt clear data -c $collection --yes
        prints 0 holt count data -c $collection
    done
    holt collections data --json | grep -qF '"name":"trees","kind":"btree"'
    holt put data -c trees k v
    prints v holt get data -c trees k
    status_is 1 holt clear data -c nope --yes
    says nope
}

# Without a terminal nobody sees the question; neither silence nor a line from a pipe may count as yes.
test_clear_and_drop_need_yes_without_a_terminal() {
    holt create data users
    holt put data -c users k v
    for command in 'clear data -c users' 'drop data users'; do
        # shellcheck disable=SC2086
        status_is 2 holt $command </dev/null
        says "--yes is required"
        # shellcheck disable=SC2086
        echo y | status_is 2 holt $command
    done
    prints v holt get data -c users k
}

# ---------------------------------------------------------------- directories and messages

test_missing_directories_above_a_new_database_are_created() {
    holt put a/b/c k v
    prints v holt get a/b/c k
    holt create ./d//e/ users
    holt collections d/e >/dev/null
    printf 'k\tv\n' | holt load "$PWD/f/../g/data" --format tsv >/dev/null
    prints 1 holt count g/data
    status_is 0 holt bench h/i --num 100 --benchmarks fillrandom
    prints 100 holt count h/i -c bench
}

# If the database cannot be created, no new directories remain and existing ones are untouched.
test_directories_are_created_only_for_a_new_database() {
    mkdir there
    echo text >file
    status_is 1 holt put there/x/y k v --memory 1M
    [ "$(ls there)" = "" ] || fail "left: $(ls -R there)"
    status_is 1 holt put file/x/y k v
    says "file/x: cannot create this directory: Not a directory"
    status_is 1 holt put file/x k v
    [ -s err ]
    for command in 'get no/data k' 'scan no/data' 'del no/data k' 'put no/data -c other k v' 'check no/data' \
        'dump no/data'; do
        # shellcheck disable=SC2086
        status_is 1 holt $command
        [ ! -e no ] || fail "'$command' made a directory"
    done
    printf 'no tab\n' >bad
    status_is 1 holt load no/data --format tsv bad
    [ ! -e no ]
}

# named_once NAME COMMAND...: the command fails with a message that contains the name exactly once.
named_once() {
    name=$1
    shift
    status_is 1 "$@"
    [ "$(grep -o -e "$name" err out | wc -l)" -eq 1 ] || fail "'$name' is not told once: $(cat err out)"
}

test_messages_name_a_file_or_directory_once() {
    named_once nodata holt get nodata k
    named_once nodata holt del nodata k
    named_once nodata holt check nodata
    mkdir strange
    echo mine >strange/notes
    named_once strange holt put strange k v
    named_once strange holt scan strange
    echo text >plain
    named_once plain holt put plain k v
    named_once plain holt put plain/x k v
    named_once nofile holt load data nofile
    echo x >wrong.tsv
    named_once wrong.tsv holt load data --format tsv wrong.tsv
    holt put data k v
    holt flush data >/dev/null
    cp -r data bare
    rm bare/CURRENT
    named_once CURRENT holt get bare k
    named_once CURRENT holt check bare
    manifest=$(basename data/MANIFEST-*)
    cp -r data gone
    rm gone/MANIFEST-*
    named_once "$manifest" holt get gone k
    printf xxxx | dd of="data/$manifest" bs=1 seek=20 conv=notrunc 2>/dev/null
    named_once "$manifest" holt get data k
    named_once "$manifest" holt check data
    named_once "$manifest" holt check data --json
}
