# load and dump: round trips, formats, and messages about wrong files.

test_dump_of_random_bytes_loads_to_the_same_dump() {
    i=0
    while [ $i -lt 30 ]; do
        head -c $((i * i)) /dev/urandom | holt put data -e "\\x$(printf %02x $((i * 8)))key"
        i=$((i + 1))
    done
    holt dump data >first
    holt load copy <first >/dev/null
    holt dump copy >second
    same first second
    prints 30 holt count copy
}

test_dump_is_the_documented_format() {
    holt put data k 'a	b'
    holt dump data >got
    head -n 1 got >line
    echo 'HOLT-DUMP 1' >expected
    same line expected
    grep -q '^\\collection	default	kind=lsm	block_bytes=[0-9]*	filter_bits=' got
    grep -qxF 'k	a\tb' got
    holt dump data -c default >again
    same got again
    [ "$(tail -n 1 got)" = '\end	1' ]
}

# A dump is used as a backup: without -c it must contain all collections, with every byte, both kinds,
# settings other than the defaults, and even empty ones.
test_dump_restores_all_collections_of_both_kinds_with_every_byte() {
    holt create data users
    holt create data trees --kind btree
    holt create data empty --kind btree
    holt put data bob 2
    i=0
    while [ $i -lt 256 ]; do
        byte=$(printf '\\x%02x' $i)
        printf '%s\tv%s%s\n%s%s\t\n' "$byte" "$byte" "$byte" "$byte" "$byte"
        i=$((i + 1))
    done >bytes
    holt load data -c users --format tsv bytes >/dev/null
    holt load data -c trees --format tsv bytes >/dev/null
    holt dump data >dump
    holt load copy dump >/dev/null
    prints 'default
empty
trees
users' holt collections copy
    holt collections copy --json | grep -qF '"name":"empty","kind":"btree"'
    prints 512 holt count copy -c users
    for collection in users trees; do
        holt scan data -c $collection --hex >expected
        holt scan copy -c $collection --hex >got
        same got expected
    done
    holt dump copy >again
    same dump again
    holt dump data --all >again
    same dump again
    holt load copy --sorted dump >/dev/null 2>&1 && fail "loaded into collections with entries"
    holt load sorted --sorted dump >/dev/null
    holt dump sorted >again
    same dump again
}

# Mail programs and editors convert line feeds to CRLF. Carriage returns in a dump are escaped, so nothing is
# lost.
test_dump_with_crlf_line_ends_loads_the_same() {
    holt create data trees --kind btree
    holt put data -e 'k\r' 'v\r\n\r'
    holt put data -c trees k ''
    holt dump data >dump
    sed "s/\$/$(printf '\r')/" dump >crlf
    holt load copy crlf >/dev/null
    holt dump copy >again
    same dump again
    sed "2,3s/\$/$(printf '\r')/" dump >mixed
    holt load mixed-copy mixed >/dev/null
    holt dump mixed-copy >again
    same dump again
    size=$(wc -c <crlf)
    head -c $((size - 1)) crlf >part
    status_is 1 holt load other part
    says "truncated"
}

# A zero byte would end the name or the number early, and the rest would be lost silently.
test_zero_bytes_in_the_special_lines_of_a_dump_are_refused() {
    printf 'HOLT-DUMP 1\n\\collection\tusers\0x\n\\end\t0\n' >dump
    status_is 1 holt load data dump
    says "dump: line 2: the line contains a zero byte"
    printf 'HOLT-DUMP 1\n\\end\t0\00012\n' >dump
    status_is 1 holt load data dump
    says "dump: line 2: the count contains a zero byte"
    printf 'HOLT-DUMP 1\n\\end\t18446744073709551616\n' >dump
    status_is 1 holt load data dump
    says "'18446744073709551616' is not a number of entries"
}

test_dump_of_one_collection_loads_into_another() {
    holt create data users
    holt put data -c users ann 1
    holt dump data -c users | holt load copy -c people >/dev/null
    prints 1 holt get copy -c people ann
    status_is 1 holt get copy -c users ann
}

test_dump_of_several_collections_does_not_go_into_one() {
    holt create data users
    holt dump data >dump
    status_is 1 holt load copy -c people dump
    says "second collection"
    status_is 2 holt dump data --all -c users
}

test_truncated_dump_fails_and_says_what_was_loaded() {
    printf 'HOLT-DUMP 1\n\\collection\tdefault\tkind=lsm\na\t1\nb\t2\n' >dump
    status_is 1 holt load data dump
    says "dump: line 4: the dump is truncated"
    says "nothing was loaded"
    [ ! -e data ]
    status_is 1 holt load data --partial dump
    says "dump: line 4: the dump is truncated"
    grep -q '^2 entries loaded before it stopped' out
    prints 2 holt count data
}

# Truncated inside a line, even inside the count: the rest may look complete.
test_dump_truncated_anywhere_is_refused() {
    i=0
    while [ $i -lt 12 ]; do
        holt put data "key$i" "value$i"
        i=$((i + 1))
    done
    holt dump data >dump
    size=$(wc -c <dump)
    cut=0
    while [ $cut -lt "$size" ]; do
        head -c $cut dump >part
        status_is 1 holt load "copy" part
        cut=$((cut + 13))
    done
    head -c $((size - 1)) dump >part
    status_is 1 holt load copy part
    head -c $((size - 2)) dump >part
    status_is 1 holt load copy part
    status_is 0 holt load copy dump
}

test_dump_with_a_missing_line_is_refused() {
    holt put data a 1
    holt put data b 2
    holt dump data | grep -v '^a' >dump
    status_is 1 holt load copy dump
    says "should contain 2 entries, but 1 were read"
}

test_wrong_lines_are_named() {
    printf 'HOLT-DUMP 1\na\t1\nno tab here\nb\t2\n\\end\t3\n' >dump
    status_is 1 holt load data dump
    says "dump: line 3: there is no tab"
    printf 'HOLT-DUMP 1\na\t\\q\n\\end\t1\n' >dump
    status_is 1 holt load data dump
    says "dump: line 2: '\\q' is not an escape"
    printf 'a\t1\n' >dump
    status_is 1 holt load data dump
    says "dump: line 1: not a dump"
    printf 'HOLT-DUMP 2\na\t1\n\\end\t1\n' >dump
    status_is 1 holt load data dump
    says "the version of this dump is not 1"
    printf 'HOLT-DUMP 1\n\\collection\tx\tcolour=red\n\\end\t0\n' >dump
    status_is 1 holt load data dump
    says "colour=red"
    printf 'HOLT-DUMP 1\n\\end\t0\nmore\t1\n' >dump
    status_is 1 holt load data dump
    says "text after the end"
    : >dump
    status_is 1 holt load data dump
    says "dump: the file is empty"
    status_is 1 holt load data nofile
    says "nofile"
    status_is 1 holt load data .
    status_is 2 holt load data --format xml dump
    says xml
    status_is 2 holt load data --batch 0 dump
}

test_empty_dump_is_a_dump() {
    printf 'HOLT-DUMP 1\n\\end\t0\n' | holt load data >/dev/null
    prints 0 holt count data
}

# All later releases must read a dump of this one, of which this text is an example.
test_dump_of_version_1_loads() {
    {
        printf 'HOLT-DUMP 1\n\\collection\tdefault\n\\x00\t\\x01\\n\\t\\r\\\\\n'
        printf '\\collection\tc\tkind=lsm\tblock_bytes=16384\tfilter_bits=none\nk\tv\n\t\n\\end\t3\n'
    } >dump
    holt load data dump >/dev/null
    prints 010a090d5c holt get data --hex 00
    prints v holt get data -c c k
    prints '' holt get data -c c ''
}

test_tsv_is_what_scan_prints() {
    holt put data -e 'k\x00' 'a\tb\\'
    holt put data plain text
    holt scan data >tsv
    holt load copy --format tsv tsv >/dev/null
    holt scan copy >again
    same tsv again
}

test_raw_tsv_keeps_backslashes() {
    printf 'path\tC:\\new\\table\tx\n' | holt load data --format tsv --raw >/dev/null
    printf 'C:\\new\\table\tx' >expected
    holt get data path >got
    same got expected
    printf 'path\tC:\\quux\n' >bad
    status_is 1 holt load data --format tsv bad
    says "bad: line 1"
}

test_last_line_without_a_line_feed_counts() {
    printf 'a\t1\nb\t2' | holt load data --format tsv >/dev/null
    prints 2 holt get data b
}

test_keys_of_lines_are_file_names_and_line_numbers() {
    printf 'one\ntwo\n\nfour' >x
    printf 'uno\n' >y
    status_is 0 holt load data --format lines x y
    grep -q '^5 entries loaded' out
    prints two holt get data x/0000000002
    prints '' holt get data x/0000000003
    prints four holt get data x/0000000004
    prints uno holt get data y/0000000001
    echo piped | holt load data --format lines >/dev/null
    prints piped holt get data stdin/0000000001
}

test_deb822_stanzas_are_keyed_by_package_version_architecture() {
    cat >index <<'END'

Package: hello
Architecture: amd64
Version: 2.10-3
Description: example
 based on GNU hello


Package: world
Version: 1
Architecture: all
END
    status_is 0 holt load data --format deb822 index
    grep -q '^2 entries loaded' out
    prints 'Package: world
Version: 1
Architecture: all' holt get data world/1/all
    holt get data hello/2.10-3/amd64 >got
    sed -n '2,6p' index >expected
    same got expected
    printf 'Package: a\n\nVersion: 1\n' >index
    status_is 1 holt load data --format deb822 index
    says "Package"
}

test_batches_of_any_size_load_everything() {
    i=0
    while [ $i -lt 2500 ]; do
        printf 'key%05d\tvalue %d\n' $i $i
        i=$((i + 1))
    done >input
    for batch in 1 7 1000 100000; do
        status_is 0 holt load "data$batch" --format tsv --batch "$batch" --durability process input
        prints 2500 holt count "data$batch"
        holt scan "data$batch" >got
        same got input
    done
}

# Larger than a batch and than the buffer that lines are read into.
test_long_lines_load() {
    head -c 1500000 /dev/urandom >value
    holt put data --memory 64M big <value
    holt put data small 1
    holt dump data | holt load copy --memory 64M >/dev/null
    holt get copy big >got
    same value got
}

test_line_past_every_limit_is_refused_in_bounded_memory() {
    { printf 'k\t'; head -c 20000000 /dev/zero | tr '\0' x; echo; } >input
    status_is 1 holt load data --format tsv --memory 8M input
    says "input: line 1"
}

test_key_past_the_limit_names_its_line() {
    { echo 'a	1'; head -c 70000 /dev/zero | tr '\0' k; echo '	v'; echo 'z	1'; } >input
    status_is 1 holt load data --format tsv input
    says "input: line 2: the key has 70000 bytes; at most 65535 are allowed"
    [ ! -e data ]
    status_is 1 holt load data --format tsv --partial input
    says "input: line 2"
    prints 1 holt count data
}

# The writer of the pipe does not exit: only the signal ends this load.
test_interrupted_load_finishes_its_batch_and_says_so() {
    mkfifo pipe
    sh -c 'trap - INT; exec "$@"' sh "$exe" load data --format tsv pipe >out 2>err &
    loader=$!
    exec 9>pipe
    i=0
    while [ $i -lt 500 ]; do
        printf 'key%05d\tvalue\n' $i
        i=$((i + 1))
    done >&9
    # TERM, because shells without job control start their children with INT ignored.
    tries=0
    while ! [ -d data ] && [ $tries -lt 100 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
    sleep 0.3
    kill -TERM $loader
    got=0
    wait $loader || got=$?
    exec 9>&-
    [ "$got" -eq 143 ] || fail "ended with $got: $(cat err)"
    says interrupted
    prints 500 holt count data
}

test_running_a_load_again_changes_nothing() {
    printf 'a\t1\nb\t2\n' >input
    holt load data --format tsv input >/dev/null
    holt scan data >first
    holt load data --format tsv input >/dev/null
    holt scan data >second
    same first second
}

test_sorted_load_fills_empty_collections_of_both_kinds() {
    holt create data trees --kind btree
    seq 100000 199999 | sed 's/.*/&\tvalue &/' >sorted
    for collection in default trees; do
        status_is 0 holt load data -c $collection --sorted --format tsv sorted
        grep -q '^100,000 entries loaded' out
        prints 100000 holt count data -c $collection
        prints 'value 123456' holt get data -c $collection 123456
        holt put data -c $collection 123456 new
        prints new holt get data -c $collection 123456
    done
    status_is 0 holt check data
    holt dump data | holt load copy --sorted >/dev/null
    holt dump data >first
    holt dump copy >second
    same first second
}

test_sorted_load_names_the_unsorted_line_and_loads_nothing() {
    printf 'a\t1\nc\t2\nb\t3\nd\t4\n' >unsorted
    status_is 1 holt load data --sorted --format tsv unsorted
    says "unsorted: line 3: the key of entry 3 of the load is less than the one before it"
    grep -q '^0 entries loaded before it stopped' out
    prints 0 holt count data
    printf 'a\t1\na\t2\n' | status_is 1 holt load data --sorted --format tsv
    says "stdin: line 2: the key of entry 2 of the load is the same"
    printf 'HOLT-DUMP 1\na\t1\nb\t2\n' | status_is 1 holt load data --sorted
    says "truncated"
    prints 0 holt count data
    LC_ALL=C sort unsorted | holt load data --sorted --format tsv >/dev/null
    prints 4 holt count data
}

test_sorted_load_into_a_collection_with_entries_is_refused() {
    holt put data k v
    printf 'a\t1\n' | status_is 1 holt load data --sorted --format tsv
    says 'stdin: line 1: collection "default" is not empty'
    prints 1 holt count data
    status_is 2 holt load data --sorted --batch 5
    says "--batch"
    printf 'HOLT-DUMP 1\n\\end\t0\n' | status_is 0 holt load data --sorted
}

# ---------------------------------------------------------------- how much is loaded

# Half of a file in the database is worse than nothing: it looks loaded.
test_file_with_a_wrong_line_loads_nothing() {
    holt put data a old
    seq 1 5000 | sed 's/.*/a&\tnew/' >good
    { echo 'a	new'; cat good; echo 'no tab'; } >bad
    status_is 1 holt load data --format tsv good bad
    says "bad: line 5002: there is no tab"
    says "nothing was loaded"
    prints 'a	old' holt scan data
    status_is 1 holt load data --format tsv - <bad
    says "stdin: line 5002"
    prints 'a	old' holt scan data
    status_is 1 holt load data --format tsv good nofile
    says "nofile: No such file"
    prints 'a	old' holt scan data
    status_is 1 holt load data --format tsv --partial good bad
    says "bad: line 5002"
    grep -q '^10,001 entries loaded before it stopped' out
    prints 5001 holt count data
}

# The check must not move the position at which the load begins: the shell may already have read a line.
test_standard_input_that_is_a_file_is_loaded_from_where_it_is() {
    printf 'heading\na\t1\nb\t2\n' >input
    { dd bs=1 count=8 of=/dev/null 2>/dev/null; holt load data --format tsv; } <input >/dev/null
    prints 'a	1
b	2' holt scan data
}

# A pipe can be read only once, so the check must not open a named pipe.
test_pipes_are_loaded_up_to_the_wrong_line() {
    printf 'a\t1\nb\t2\nno tab\n' >input
    got=0
    cat input | holt load data --format tsv >out 2>err || got=$?
    [ $got -eq 1 ]
    says "stdin: line 3"
    grep -q '^2 entries loaded before it stopped' out
    prints 2 holt count data
    mkfifo pipe
    cat input >pipe &
    status_is 1 holt load data2 --format tsv pipe
    wait
    says "pipe: line 3"
    prints 2 holt count data2
}

test_atomic_load_is_one_transaction_over_all_collections() {
    holt create data trees --kind btree
    holt put data kept 1
    holt put data -c trees kept 1
    printf 'HOLT-DUMP 1\n\\collection\tdefault\na\t1\n\\collection\ttrees\nb\t2\nno tab\n' >bad
    cat bad | status_is 1 holt load data --atomic
    says "stdin: line 6"
    grep -q '^0 entries loaded before it stopped' out
    prints 1 holt count data
    prints 1 holt count data -c trees
    sed 's/no tab/\\end\t2/' bad | holt load data --atomic >out
    grep -q '^2 entries loaded.* 1 batch$' out
    prints 1 holt get data a
    prints 2 holt get data -c trees b
    seq 1 5000 | sed 's/.*/k&\tv/' | holt load data --atomic --format tsv >out
    grep -q '^5,000 entries loaded.* 1 batch$' out
}

test_atomic_load_past_the_limit_loads_nothing_and_says_what_to_do() {
    head -c 600000 /dev/zero | tr '\0' x >value
    for key in a b c d e f; do
        printf '%s\t' $key
        cat value
        echo
    done >input
    status_is 1 holt load data --atomic --format tsv --memory 8M input
    says "without --atomic"
    prints 0 holt count data
    status_is 0 holt load data --format tsv --memory 8M input
    prints 6 holt count data
}

test_conflicting_options_of_a_load_are_refused() {
    for options in '--raw' '--crlf' '--format csv --crlf' '--format csv --raw' '--key-column k' \
        '--format json --value-column v' \
        '--sorted --batch 5' '--atomic --batch 5' '--atomic --sorted' '--atomic --partial'; do
        # shellcheck disable=SC2086
        status_is 2 holt load data $options </dev/null
        [ ! -e data ]
    done
}

test_crlf_of_tsv_and_lines_is_removed_only_with_the_option() {
    printf 'a\t1\r\nb\t2\r\r\nc\t3\nd\t4\r' >input
    holt load data --format tsv --crlf input >/dev/null
    holt scan data >got
    printf 'a\t1\nb\t2\\r\nc\t3\nd\t4\\r\n' >expected
    same got expected
    holt load kept --format tsv input >/dev/null
    holt get kept a >got
    printf '1\r' >expected
    same got expected
    holt load text --format lines --crlf input >/dev/null
    holt scan text --prefix input/0000000001 >got
    printf 'input/0000000001\ta\\t1\n' >expected
    same got expected
}

# ---------------------------------------------------------------- expiry

# The times must survive every way from one database to another: a restored backup in which nothing expires
# any more would be found out only when the disk is full.
test_dumps_and_json_carry_the_expiry() {
    holt put data forever 1
    holt put data until "a	b" --expires-at 4102444800000
    holt dump data >dump
    grep -qxF '\until	4102444800000	until	a\tb' dump
    for kind in lsm btree; do
        holt create to-$kind c --kind $kind
        holt load to-$kind -c c dump >/dev/null
        holt create to-$kind sorted --kind $kind
        holt load to-$kind -c sorted --sorted dump >/dev/null
        holt create to-$kind atomic --kind $kind
        holt load to-$kind -c atomic --atomic dump >/dev/null
        holt create to-$kind json --kind $kind
        holt scan data --json | holt load to-$kind -c json --format json >/dev/null
        holt scan data --json >expected
        for name in c sorted atomic json; do
            holt scan to-$kind -c $name --json >got
            same got expected
        done
    done
}

test_wrong_times_in_files_are_refused() {
    for time in x 0 -1 '' 1.5 18446744073709551616; do
        printf 'HOLT-DUMP 1\n\\until\t%s\tk\tv\n\\end\t1\n' "$time" >dump
        status_is 1 holt load data dump
        says "line 2"
    done
    printf 'HOLT-DUMP 1\n\\until\t5\n\\end\t1\n' >dump
    status_is 1 holt load data dump
    says "no tab after the time"
    for time in '"5"' 0 -1 1.5 null; do
        printf '{"key":"k","value":"v","expires_at_ms":%s}\n' "$time" >lines
        status_is 1 holt load data --format json lines
        says "line 1"
    done
    printf '{"key":"k","value":"v","expires_at_ms":5,"expires_at_ms":5}\n' >lines
    status_is 1 holt load data --format json lines
    says "occurs twice"
    printf '{"key":"k","value":"v","expires_at_ms":18446744073709551615}\n' >lines
    holt load data --format json lines >/dev/null
    prints '{"key":"k","value":"v","expires_at_ms":18446744073709551615}' holt scan data --json
}
