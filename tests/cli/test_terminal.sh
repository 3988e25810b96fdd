# What people see on a terminal: columns, escapes, notes, the progress bar.

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

test_missing_key_is_told_on_a_terminal() {
    holt put data k v
    on_terminal "'$exe' get data nope || echo code \$?"
    shows 'there is no such key'
    shows 'code 1'
}

test_collections_are_a_table_on_a_terminal() {
    holt create data users
    on_terminal "'$exe' collections data"
    shows 'NAME     KIND'
    shows 'users    lsm'
}

test_stats_leave_out_zeros_on_a_terminal() {
    holt put data k v
    on_terminal "'$exe' stats data"
    shows 'memory_limit'
    if grep -q 'snapshots_revoked' out; then fail "a zero is shown"; fi
}

test_load_draws_progress_on_a_terminal_only() {
    i=0
    while [ $i -lt 60000 ]; do
        echo "key$i	value $i of many, so that it takes longer than the bar waits before it is drawn"
        i=$((i + 1))
    done >input
    # A pipe that pauses: the load lasts long enough to be drawn however fast the machine is.
    on_terminal "{ head -n 30000 input; sleep 0.4; tail -n 30000 input; } | '$exe' load data --format tsv --durability process"
    shows ' records  '
    shows '60,000 entries loaded'
    status_is 0 holt load data2 --format tsv --durability process input
    [ ! -s err ]
}
