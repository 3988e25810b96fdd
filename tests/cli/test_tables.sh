# holt check and holt reindex of tables. $HOLT_MAKE_TABLE makes a table "users" of 100 rows, with the indexes
# users_email (holt.index.1) and users_age (holt.index.2).

make_table() {
    [ -n "${HOLT_MAKE_TABLE:-}" ] || skip "HOLT_MAKE_TABLE is not set"
    "$HOLT_MAKE_TABLE" data "$1"
}

# The key of the entry of u7@x in users_email, and of row 7.
entry_7=50753740780001
row_7=2907

test_check_counts_tables_that_are_sound() {
    for kind in lsm btree; do
        rm -rf data
        make_table $kind
        cksum data/* >before
        status_is 0 holt check data
        [ ! -s err ]
        cksum data/* >after
        same before after
        grep -q '^tables	1$' out
        grep -q '^indexes	2$' out
        grep -q '^rows	100$' out
        grep -q '^index_entries	200$' out
        grep -q '^problems_found	0$' out
        status_is 0 holt check data --json
        grep -q '"tables":1,"indexes":2,"rows":100,"index_entries":200,' out
        prints '' holt check data --quiet
        on_terminal "'$exe' check data"
        grep -q '^1 table and 2 indexes, 100 rows, 200 index entries' out
    done
}

test_check_finds_what_indexes_lack_and_reindex_mends_it() {
    for kind in lsm btree; do
        rm -rf data
        make_table $kind
        holt del data -c holt.index.1 -x $entry_7
        status_is 1 holt check data --quiet
        [ "$(cat out)" = "-	-	users: index users_email: row (7) has no entry" ]
        status_is 1 holt check data --json
        grep -q '^{"problems":\[{"table":"users","message":"users: index users_email: row (7)' out
        grep -q '"problems_found":1,' out
        status_is 0 holt reindex data users users_email
        grep -q '^users	users_email	100	[0-9][0-9]*$' out
        [ "$(wc -l <out)" -eq 1 ]
        status_is 0 holt check data
    done
}

test_check_finds_entries_of_rows_that_are_gone() {
    make_table btree
    holt del data -c users -x $row_7
    status_is 1 holt check data
    grep -q '^problems_found	2$' out
    [ "$(grep -c 'an entry of row (7) does not belong to it' out)" -eq 2 ]
    status_is 0 holt reindex data
    [ "$(cut -f1,2,3 out)" = "users	users_email	99
users	users_age	99" ]
    status_is 0 holt check data --quiet
}

test_check_reports_a_damaged_catalog() {
    make_table btree
    holt put data -c holt.tables -x 507461626c650001507573657273"0001" 0102
    status_is 1 holt check data --quiet
    grep -q '^-	-	holt.tables: a record is damaged' out
}

test_reindex_says_what_it_cannot_find() {
    make_table lsm
    status_is 1 holt reindex data nothing
    says 'there is no table "nothing"'
    status_is 1 holt reindex data users nothing
    says 'no index "nothing"'
    status_is 1 holt reindex nowhere
    status_is 2 holt reindex
    status_is 2 holt reindex data users users_age more
}

test_reindex_drops_a_unique_index_of_duplicates() {
    make_table btree
    # Row 8 becomes a copy of row 7 with another key: the value of row 7 under the key of row 8.
    holt get data -c users -x --hex $row_7 >value
    holt put data -c users -x 2908 "$(cat value)"
    status_is 1 holt reindex data users users_email
    says 'rows (7) and (8) have the same value'
    status_is 1 holt reindex data users users_email
    says 'no index "users_email"'
}

test_reindex_prints_json() {
    make_table lsm
    status_is 0 holt reindex data --json
    grep -q '^{"table":"users","index":"users_email","rows":100,"took_ns":[0-9]*}$' out
    on_terminal "'$exe' reindex data USERS USERS_AGE"
    # What a slow machine has drawn on that line before is erased.
    sed "s/.*$(printf '\033')\[K//" out | grep -q '^users: USERS_AGE: 100 rows, '
}
