# holt check: of healthy and damaged databases, and of things that cannot be checked.

# spoil FILE OFFSET: changes a byte of the file.
spoil() {
    byte=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
    # shellcheck disable=SC2059
    printf "\\$(printf '%03o' $(((byte + 1) % 256)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# name_of FILE...: prints the name of the first file.
name_of() {
    basename "$1"
}

fill_database() {
    i=0
    while [ $i -lt 500 ]; do
        echo "key$i	value $i"
        i=$((i + 1))
    done | holt load data --format tsv >/dev/null
    holt flush data >/dev/null
    holt put data one more
}

test_check_of_a_healthy_database_counts_and_changes_nothing() {
    fill_database
    cksum data/* >before
    status_is 0 holt check data
    cksum data/* >after
    same before after
    grep -q '^problems_found	0$' out
    grep -q '^entries	501$' out
    grep -q '^files	[4-9]$' out
    grep -q '^orphans	0$' out
    grep -q '^took_ns	[0-9]*$' out
    [ ! -s err ]
    prints '' holt check data --quiet
    status_is 0 holt check data --json
    grep -q '^{"problems":\[\],"problems_found":0,.*"entries":501,.*}$' out
}

test_check_names_file_and_offset_of_the_damage() {
    fill_database
    run=$(name_of data/run-*)
    spoil "data/$run" 4200
    status_is 1 holt check data --quiet
    [ "$(cut -f1 out)" = "$run" ]
    cut -f2 out | grep -q '^[0-9][0-9]*$'
    cut -f3 out | grep -q '^collection "default": block at 4096: checksum'
    [ ! -s err ]
    status_is 1 holt check data
    grep -q '^problems_found	1$' out
    status_is 1 holt check data --json
    problem="{\"file\":\"$run\",\"offset\":4096,\"message\":\".*\"}"
    grep -q "^{\"problems\":\\[$problem\\],\"problems_found\":1," out
    rm "data/$run"
    status_is 1 holt check data --quiet
    grep -q "^$run	-	.*is missing" out
}

test_check_reports_each_damaged_file() {
    fill_database
    run=$(name_of data/run-*)
    wal=$(name_of data/wal-*)
    spoil "data/$run" 100
    spoil "data/$wal" 600
    status_is 1 holt check data -q
    [ "$(cut -f1 out)" = "$run
$wal" ] || fail "$(cat out)"
    spoil data/CURRENT 3
    status_is 1 holt check data -q
    [ "$(cut -f1 out)" = CURRENT ]
}

test_check_of_something_else_than_a_database_fails() {
    status_is 1 holt check nodata
    says nodata
    [ ! -s out ]
    [ ! -e nodata ]
    mkdir other
    echo mine >other/notes
    status_is 1 holt check other
    says other
    [ "$(ls other)" = notes ]
    status_is 2 holt check
    status_is 2 holt check data more
    status_is 2 holt check data --nonsense
}

test_check_of_a_database_in_use_names_the_process() {
    mkfifo pipe
    "$exe" load data --format tsv pipe >/dev/null 2>&1 &
    loader=$!
    exec 9>pipe
    tries=0
    until [ -e data/CURRENT ] || [ $tries -ge 100 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
    sleep 0.3
    got=0
    holt check data >out 2>err || got=$?
    exec 9>&-
    wait $loader
    [ "$got" -eq 1 ] || fail "it ended with $got"
    says "$loader"
    status_is 0 holt check data
}

test_check_is_a_sentence_on_a_terminal() {
    fill_database
    on_terminal "'$exe' check data"
    shows '501 entries, '
    shows ': no problems'
    spoil "data/$(name_of data/run-*)" 4200
    on_terminal "'$exe' check data || echo code \$?"
    shows 'block at 4096: checksum'
    shows ': 1 problem'
    shows 'code 1'
}
