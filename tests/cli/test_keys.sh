# put, get, exists, del: keys and values of any bytes.

test_put_then_get_gives_the_value_with_nothing_added() {
    holt put data city Lisbon
    holt get data city >got
    printf Lisbon >expected
    same got expected
}

test_put_replaces_the_value() {
    holt put data k one
    holt put data k two
    prints two holt get data k
}

test_if_absent_keeps_the_first_value_and_fails() {
    holt put data k one --if-absent
    status_is 1 holt put data k two --if-absent
    says "nothing was written"
    prints one holt get data k
}

# A C string would end at the first zero byte of a value.
test_binary_values_come_back_from_a_pipe() {
    head -c 100000 /dev/urandom >value
    holt put data blob <value
    holt get data blob >got
    same value got
    holt put data blob2 - <value
    holt get data blob2 >got
    same value got
}

test_empty_key_and_empty_value_are_allowed() {
    holt put data '' empty
    holt put data nothing ''
    prints empty holt get data ''
    holt get data nothing >got
    [ ! -s got ]
    holt exists data nothing
}

test_missing_key_is_exit_code_1_and_silent_in_a_pipe() {
    holt put data a b
    status_is 1 holt get data nope
    [ ! -s out ]
    [ ! -s err ]
    status_is 1 holt exists data nope
    [ ! -s out ]
    [ ! -s err ]
}

test_escapes_and_hexadecimal_name_the_same_key() {
    holt put data -e 'a\x00\t\\b' 'v\n'
    holt get data -x 6100095c62 >got
    echo 760a >expected
    same got expected
    holt put data --hex FF00 dead
    holt get data -e '\xff\x00' >got
    printf '\336\255' >expected
    same got expected
}

test_wrong_escapes_and_wrong_hexadecimal_are_usage_errors() {
    status_is 2 holt put data -e 'a\q' v
    says '\q'
    status_is 2 holt put data -e 'a\x1' v
    status_is 2 holt put data -e 'a\' v
    status_is 2 holt get data --hex 123
    status_is 2 holt get data --hex zz
    status_is 2 holt get data --hex -e 12
    [ ! -e data ]
}

test_arguments_after_two_dashes_are_not_options() {
    holt put data -- -key -5
    prints -5 holt get data -- -key
}

test_get_as_json_is_an_object() {
    holt put data 'quo"te' 'back\slash'
    prints '{"key":"quo\"te","value":"back\\slash"}' holt get data 'quo"te' --json
}

test_del_deletes_several_keys_and_ignores_missing_ones() {
    holt put data a 1
    holt put data b 2
    holt put data c 3
    holt del data a b nope
    prints 1 holt count data
    holt exists data c
}

test_key_past_the_limit_is_refused_and_nothing_is_lost() {
    holt put data kept value
    key=$(head -c 65536 /dev/zero | tr '\0' k)
    status_is 1 holt put data "$key" v
    [ -s err ]
    key=$(head -c 65535 /dev/zero | tr '\0' k)
    holt put data "$key" longest
    prints longest holt get data "$key"
    prints value holt get data kept
}

test_value_past_the_limit_is_refused() {
    head -c 2200000 /dev/zero >value
    status_is 1 holt put data k --memory 8M <value
    [ -s err ]
    status_is 1 holt get data k
    head -c 1000000 /dev/zero >value
    holt put data k --memory 8M <value
    holt get data k >got
    same value got
}

test_durability_modes_are_accepted() {
    for mode in commit interval process; do
        holt put data "$mode" v --durability "$mode"
        prints v holt get data "$mode"
    done
    status_is 2 holt put data k v --durability never
    says never
}

test_time_is_printed_on_standard_error() {
    holt put data k v
    status_is 0 holt get data k --time
    says "1 byte in "
    status_is 0 holt count data --time
    says "1 entry in "
}

# ---------------------------------------------------------------- del of ranges

# More than one batch, in both kinds: the deletion continues where the last batch ended.
test_del_of_a_prefix_deletes_it_and_nothing_else() {
    holt create data trees --kind btree
    seq 10000 15999 | sed 's/.*/k&\tv/' >input
    for collection in default trees; do
        holt load data -c $collection --format tsv input >/dev/null
        prints '5,000 keys would be deleted' holt del data -c $collection --from k10500 --to k15500 --dry-run
        prints 6000 holt count data -c $collection
        prints '5,000 keys deleted' holt del data -c $collection --from k10500 --to k15500
        sed '501,5500d' input >expected
        holt scan data -c $collection >got
        same got expected
        prints '500 keys deleted' holt del data -c $collection --prefix k10
        prints '500 keys deleted' holt delete data -c $collection --from k15500
        prints '0 keys deleted' holt del data -c $collection --prefix k
        prints 0 holt count data -c $collection
    done
}

test_del_of_a_range_intersects_prefix_and_bounds_and_takes_any_bytes() {
    for key in a b ba bb bc c; do
        holt put data $key v
    done
    holt put data --hex ff00 61
    prints '1 key deleted' holt del data --prefix b --from ba --to bb
    prints '1 key deleted' holt del data --hex --prefix ff
    prints '0 keys deleted' holt del data --from x --to c
    holt scan data --keys-only >got
    printf 'a\nb\nbb\nbc\nc\n' >expected
    same got expected
    prints '2 keys deleted' holt del data --to bb
}

# A batch may end with a key of the longest permitted size; the bound after it is even longer.
test_del_of_a_range_of_the_longest_keys() {
    tail=$(head -c 65530 /dev/zero | tr '\0' k)
    seq 10000 10099 | sed "s/\$/$tail\tv/" >input
    holt load data --format tsv input >/dev/null
    holt put data 2 kept
    prints '100 keys deleted' holt del data --prefix 1
    prints '2	kept' holt scan data
}

# An empty variable in a script turns --prefix "$it" into --prefix ''.
test_del_of_everything_or_without_keys_is_refused() {
    holt put data k v
    status_is 2 holt del data
    says "which keys?"
    status_is 2 holt del data --prefix ''
    says "holt clear"
    status_is 2 holt del data --from ''
    says "holt clear"
    status_is 2 holt del data k --prefix k
    says "not both"
    status_is 2 holt del data k --dry-run
    says "--dry-run"
    prints '0 keys deleted' holt del data --to ''
    status_is 1 holt del data -c nope --prefix k
    prints v holt get data k
}

# ---------------------------------------------------------------- expiry

# A time that is far away, for tests that compare output.
far=4102444800000

test_a_value_with_a_past_time_is_gone() {
    holt put data gone 1 --expires-at 1000
    holt put data stays 1 --expires-at $far
    status_is 1 holt get data gone
    prints 1 holt get data stays
    prints 1 holt count data
}

test_ttl_counts_from_now() {
    now=$(date +%s)
    holt put data k 1 --ttl 10m
    at=$(holt get data k --json | sed 's/.*"expires_at_ms":\([0-9]*\)}/\1/')
    [ $((at / 1000)) -ge $((now + 600)) ] && [ $((at / 1000)) -le $((now + 660)) ] || fail "$at, at $now"
    for ttl in 500ms 90s 24h 7d; do
        holt put data k 1 --ttl $ttl
    done
    holt put data k 1 --ttl 0s
    status_is 1 holt exists data k
}

test_wrong_times_are_refused() {
    for ttl in '' 10 10w 1.5h x -1s 18446744073709551615d 99999999999999999999999999s; do
        status_is 2 holt put data k 1 --ttl "$ttl"
        says "--ttl: '"
    done
    status_is 2 holt put data k 1 --expires-at 0
    says "0 is not a time"
    status_is 2 holt put data k 1 --expires-at tomorrow
    status_is 2 holt put data k 1 --ttl 1h --expires-at 5
    says "cannot be used together"
    [ ! -e data ]
}

test_expire_changes_the_time_alone() {
    holt put data k v --ttl 1h
    holt expire data k --expires-at $far
    prints "{\"key\":\"k\",\"value\":\"v\",\"expires_at_ms\":$far}" holt get data k --json
    prints "{\"key\":\"k\",\"expires_at_ms\":$far}" holt scan data --json --keys-only
    holt expire data k --never
    prints '{"key":"k","value":"v"}' holt scan data --json
    holt expire data k --expires-at 1
    status_is 1 holt get data k
    status_is 1 holt expire data k --never
    says "no such key"
    status_is 2 holt expire data k
    says "one of --ttl, --expires-at and --never is needed"
    status_is 2 holt expire data k --never --ttl 1h
}
