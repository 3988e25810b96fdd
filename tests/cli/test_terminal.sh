# The output on a terminal: columns, escapes, notes, the progress bar.

test_scan_aligns_keys_and_cuts_values_on_a_terminal() {
    holt put data a short
    holt put data longer-key "$(head -c 500 /dev/zero | tr '\0' x)"
    on_terminal "'$exe' scan data"
    shows 'a           short'
    shows 'longer-key  xxxx'
    [ -z "$(sed -n '/x\{80\}/p' out)" ] || fail "a line is wider than the terminal"
    shows '2 entries in '
    on_terminal "'$exe' scan data --full"
    [ -n "$(sed -n '/x\{500\}/p' out)" ] || fail "--full cut the value"
}

test_get_keeps_lines_and_escapes_control_characters_on_a_terminal() {
    holt put data -e k 'line one\nline \x1b[31mtwo'
    on_terminal "'$exe' get data k"
    shows 'line one'
    shows 'line \x1b[31mtwo'
}

test_missing_key_is_reported_on_a_terminal() {
    holt put data k v
    on_terminal "'$exe' get data nope || echo code \$?"
    shows 'no such key'
    shows 'code 1'
}

test_collections_are_a_table_on_a_terminal() {
    holt create data users
    on_terminal "'$exe' collections data"
    shows 'NAME     KIND'
    shows 'users    lsm'
}

test_stats_omit_zeros_on_a_terminal() {
    holt put data k v
    on_terminal "'$exe' stats data"
    shows 'memory_limit'
    if grep -q 'snapshots_revoked' out; then fail "a zero is shown"; fi
}

test_readers_are_a_table_on_a_terminal() {
    holt put data k v
    on_terminal "'$exe' stats data --readers"
    shows 'KIND'
    shows 'LABEL'
    shows 'snapshot'
    shows 'holt stats'
}

test_load_draws_progress_on_a_terminal_only() {
    i=0
    while [ $i -lt 60000 ]; do
        echo "key$i	value $i of many, so that it takes longer than the bar waits before it is drawn"
        i=$((i + 1))
    done >input
    # The pipe pauses, so that the load lasts long enough for the bar to be drawn on any machine.
    on_terminal "{ head -n 30000 input; sleep 0.4; tail -n 30000 input; } |
        '$exe' load data --format tsv --durability process"
    shows ' records  '
    shows '60,000 entries loaded'
    status_is 0 holt load data2 --format tsv --durability process input
    [ ! -s err ]
}

# A key with a right-to-left override looks like another key: rows, whole lines, JSON, values, names of
# collections and messages must all show it. A pipe gets the bytes as they are.
test_invisible_and_reordering_characters_are_escaped_on_a_terminal_only() {
    override=$(printf '\342\200\256')
    holt put data "user${override}nimda" "zero$(printf '\342\200\213')width"
    holt create data "set${override}tes"
    for form in '' --full; do
        on_terminal "'$exe' scan data $form"
        shows 'user\xe2\x80\xaenimda'
        shows 'zero\xe2\x80\x8bwidth'
    done
    on_terminal "'$exe' scan data --json"
    shows '{"key":"user\u202enimda","value":"zero\u200bwidth"}'
    on_terminal "'$exe' get data 'user${override}nimda'"
    shows 'zero\xe2\x80\x8bwidth'
    on_terminal "'$exe' collections data"
    shows 'set\xe2\x80\xaetes'
    on_terminal "'$exe' scan data -c 'no${override}ne' || true"
    shows 'no\xe2\x80\xaene'
    on_terminal "'$exe' 'fro${override}b' || true"
    shows 'fro\xe2\x80\xaeb'
    printf 'user%snimda\tzero\342\200\213width\n' "$override" >expected
    holt scan data >got
    same got expected
    holt dump data | grep -qF "user${override}nimda"
    holt scan data --json | grep -qF "user${override}nimda"
}

# Bidirectional controls, zero widths, separators, fillers and tags are escaped; visible characters are not.
test_each_kind_of_invisible_character_is_escaped() {
    for number in 00ad 061c 200b 200c 200d 200e 200f 2028 2029 202a 202b 202c 202d 202e 2060 2066 2067 2068 \
        2069 206f \
        3164 fe0f feff fff9; do
        holt put data -e "k$number" "<\\x$(utf8_of $number)>"
    done
    holt put data -e shown '<\xc3\xa9\xe2\x80\x90\xe2\x80\xaf\xe2\x82\xac\xf0\x9f\x98\x80>'
    on_terminal "'$exe' scan data --full --prefix k"
    [ "$(grep -c '<.x.*>' out)" -eq 24 ] || fail "not all are escaped: $(cat out)"
    on_terminal "'$exe' scan data --prefix shown"
    if grep -q 'x[0-9a-f][0-9a-f]' out; then fail "what can be seen is escaped: $(cat out)"; fi
}

# utf8_of NUMBER: prints the bytes of a character of the basic plane in hexadecimal, separated by \x.
utf8_of() {
    code=$((0x$1))
    if [ $code -lt 2048 ]; then
        printf '%02x\\x%02x' $((192 + code / 64)) $((128 + code % 64))
    else
        printf '%02x\\x%02x\\x%02x' $((224 + code / 4096)) $((128 + code / 64 % 64)) $((128 + code % 64))
    fi
}

# The question names what will be deleted; only y and yes count as yes.
test_clear_and_drop_ask_on_a_terminal() {
    command -v script >/dev/null || skip "script(1) is missing"
    holt create data users
    holt put data -c users k v
    for answer in n '' Yess; do
        for command in 'clear data -c users' 'drop data users'; do
            echo "$answer" | script -qec "'$exe' $command || echo code \$?" /dev/null >out
            shows "'users'"
            shows 'Continue? [y/N]'
            shows 'nothing was changed'
            shows 'code 1'
        done
    done
    prints v holt get data -c users k
    echo y | script -qec "'$exe' clear data -c users" /dev/null >out
    prints 0 holt count data -c users
    echo yes | script -qec "'$exe' drop data users" /dev/null >out
    prints default holt collections data
}
