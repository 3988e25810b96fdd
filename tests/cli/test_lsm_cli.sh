# lsm-cli: the loop of CREATE, USE, PUT, GET, DELETE, EXISTS, CLOSE, EXIT, from a pipe. typed.py has it at a
# terminal.

lsm_cli() {
    "$(dirname "$exe")/lsm-cli" "$@"
}

# lines LINE...: prints each on a line of its own.
lines() {
    printf '%s\n' "$@"
}

test_lsm_cli_writes_reads_and_deletes_in_the_collection_in_use() {
    lines 'CREATE products' 'use products' 'PUT apple 1.20' 'get apple' 'EXISTS apple' 'Delete apple' \
        'EXISTS apple' 'CLOSE' 'EXIT' 'GET never' >input
    status_is 0 lsm_cli shop <input
    printf '1.20\ntrue\nfalse\n' >expected
    same out expected
    [ "$(holt count shop -c products)" = 0 ]
}

# The value is the rest of the line; quotes keep spaces at its end, and make a key of two words.
test_lsm_cli_takes_values_of_several_words_and_quotes() {
    lines 'CREATE c' 'USE c' 'PUT a two words  ' 'GET a' "PUT 'my key' \"a\\tb \"" "GET 'my key'" \
        'PUT json {"a": 1}' 'GET json' >input
    status_is 0 lsm_cli data <input
    printf 'two words\na\\tb \n{"a": 1}\n' >expected
    same out expected
    printf 'a\tb ' >expected
    holt get data -c c 'my key' >got
    same got expected
}

test_lsm_cli_says_what_is_wrong_and_goes_on() {
    holt create data old
    lines 'CREATE old' 'USE new' 'GET k' 'USE old' 'GET k' 'DELETE k' 'PUT k' 'FIND k' 'PUT k "v' 'CLOSE' \
        'CLOSE' 'EXISTS' >input
    status_is 1 lsm_cli data <input
    [ ! -s out ]
    says "line 1: The collection 'old' exists already."
    says "line 2: There is no collection 'new'; CREATE new creates it."
    says "line 3: No collection is in use"
    says "line 5: There is no key 'k'."
    says "line 6: There is no key 'k'."
    says "line 7: This is how: PUT <key> <value>"
    says "line 8: There is no command 'FIND'"
    says "line 9: column 7: the quote that opens here is never closed"
    says "line 11: No collection is in use."
    says "line 12: This is how: EXISTS <key>"
}

test_lsm_cli_works_in_data_and_is_a_command_of_holt() {
    lines 'CREATE c' | lsm_cli
    [ -d data ]
    lines 'USE c' 'PUT k v' 'GET k' >input
    prints v holt lsm-cli data <input
    status_is 0 lsm_cli --help
    status_is 2 lsm_cli one two
}

# The entries of a table are rows, and what begins with holt. belongs to tables: PUT would damage them.
test_lsm_cli_leaves_tables_alone() {
    holt sql data 'CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);'
    lines 'USE t' 'PUT k v' 'USE holt.tables' 'PUT k v' 'CREATE holt.x' 'CREATE t' 'CREATE "a\x00b"' >input
    status_is 1 lsm_cli data <input
    says "line 1: 't' is a table; 'holt shell' is for tables."
    says "line 2: No collection is in use"
    says "line 3: Names that begin with 'holt.' are for tables."
    says "line 5: Names that begin with 'holt.' are for tables."
    says "line 6: The collection 't' exists already."
    says "line 7: A name has no zero byte."
    holt check -q data
    printf 'default\nholt.tables\nt\n' >expected
    holt collections data >got
    same got expected
}

test_lsm_cli_says_when_it_cannot_read_and_when_it_is_interrupted() {
    status_is 1 lsm_cli data <.
    says 'Is a directory'
    mkfifo pipe
    "$(dirname "$exe")/lsm-cli" data <pipe 2>told &
    exec 3>pipe
    echo FIND >&3
    until [ -s told ]; do sleep 0.1; done # it has read a line and waits for the next one
    kill -INT $!
    status_is 130 wait $!
    exec 3>&-
}
