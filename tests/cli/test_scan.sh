# scan, count: ranges, directions, output formats.

fill() {
    for key in a b ba bb bc c d; do
        holt put data "$key" "v$key"
    done
}

keys() {
    holt scan data --keys-only "$@" | tr '\n' ' '
}

test_scan_prints_key_tab_value_in_order() {
    fill
    holt scan data --limit 2 >got
    printf 'a\tva\nb\tvb\n' >expected
    same got expected
}

test_ranges_intersect_and_exclude_their_end() {
    fill
    [ "$(keys)" = "a b ba bb bc c d " ]
    [ "$(keys --prefix b)" = "b ba bb bc " ]
    [ "$(keys --from b --to c)" = "b ba bb bc " ]
    [ "$(keys --from bb)" = "bb bc c d " ]
    [ "$(keys --to b)" = "a " ]
    [ "$(keys --prefix b --from bb)" = "bb bc " ]
    [ "$(keys --prefix b --to bb --reverse)" = "ba b " ]
    [ "$(keys --reverse --limit 3)" = "d c bc " ]
    [ "$(keys --from x)" = "" ]
    [ "$(keys --to '')" = "" ]
    [ "$(keys --limit 0)" = "" ]
}

test_count_counts_what_scan_prints() {
    fill
    prints 7 holt count data
    prints 4 holt count data --prefix b
    prints 2 holt count data --from bc --to d
    prints 0 holt count data --prefix zz
}

test_bytes_that_are_not_printable_are_escaped() {
    holt put data -e 'k\x00\xff' 'tab\there\nand \\ \xc3\xa9 \xc2\x80'
    holt scan data >got
    printf '%s\t%s\n' 'k\x00\xff' "tab\\there\\nand \\\\ $(printf '\303\251') \\xc2\\x80" >expected
    same got expected
}

test_hexadecimal_bounds_and_output() {
    holt put data -e '\x01' a
    holt put data -e '\xff' b
    holt scan data --hex --from 02 >got
    printf 'ff\t62\n' >expected
    same got expected
}

test_json_lines_carry_every_byte() {
    holt put data a 'plain "quoted"'
    holt put data -e 'b\x01' 'line\nfeed'
    holt put data -e '\xff' '\x00\x01\x02\x03'
    holt scan data --json >got
    cat >expected <<'END'
{"key":"a","value":"plain \"quoted\""}
{"key":"b\u0001","value":"line\nfeed"}
{"key":{"base64":"/w=="},"value":"\u0000\u0001\u0002\u0003"}
END
    same got expected
    holt scan data --json --keys-only --prefix a >got
    echo '{"key":"a"}' >expected
    same got expected
}

# The examples of RFC 4648: one and two remaining bytes are padded.
test_base64_pads_as_others_expect() {
    for bytes in fe fefe fefefe; do
        holt put data --hex "$bytes" "$bytes"
    done
    holt scan data --json >got
    grep -qF '{"base64":"/g=="}' got
    grep -qF '{"base64":"/v4="}' got
    grep -qF '{"base64":"/v7+"}' got
}

# Needs another implementation of JSON.
test_json_of_random_bytes_is_read_by_another_program() {
    python3 -c '' 2>/dev/null || skip "python3 is not there"
    i=0
    while [ $i -lt 20 ]; do
        head -c $((i * 7)) /dev/urandom | holt put data "key $i"
        i=$((i + 1))
    done
    holt scan data --json | python3 -c '
import base64, json, sys
count = 0
for line in sys.stdin.buffer:
    entry = json.loads(line.decode("utf-8"))
    value = entry["value"]
    size = len(base64.b64decode(value["base64"])) if isinstance(value, dict) else len(value.encode())
    assert size == 7 * int(entry["key"].split()[1]), entry
    count += 1
assert count == 20, count'
    holt stats data --json | python3 -c '
import json, sys
stats = json.load(sys.stdin)
assert stats["database"]["collections"] >= 1
assert stats["collections"][0]["name"] == "default"'
    holt collections data --json |
        python3 -c 'import json, sys; assert json.loads(sys.stdin.readline())["kind"] == "lsm"'
}

test_json_and_hex_together_are_refused() {
    fill
    status_is 2 holt scan data --json --hex
    status_is 2 holt get data --json --hex 61
    status_is 2 holt scan data --limit many
    says many
}

# head closes the pipe; scan must stop at once and print no error.
test_scan_ends_quietly_when_its_reader_exits() {
    i=0
    while [ $i -lt 30000 ]; do
        echo "key$i	some value that fills the pipe sooner or later $i"
        i=$((i + 1))
    done >input
    holt load data --format tsv input >/dev/null
    {
        got=0
        holt scan data 2>err || got=$?
        echo $got >status
    } | head -n 1 >/dev/null
    [ "$(cat status)" -eq 141 ] || fail "ended with $(cat status)"
    [ ! -s err ]
}

test_full_disk_under_standard_output_is_reported() {
    [ -w /dev/full ] || skip "/dev/full is not there"
    fill
    got=0
    holt scan data >/dev/full 2>err || got=$?
    [ "$got" -eq 1 ]
    says "standard output"
}
