# holt import: CSV and TSV into tables.

rows() { # TABLE: how many there are
    holt count data -c "$1"
}

test_import_makes_the_table_and_says_how_many_rows() {
    printf 'id,name\n1,Ada\n2,"Grace\nHopper"\n3,\n' >people.csv
    holt import data people.csv people >told
    grep -q '^3 rows into the new table people, in ' told || fail "$(cat told)"
    [ "$(rows people)" = 3 ]
    holt import data people.csv people >told
    grep -q '^3 rows into people, in ' told || fail "$(cat told)"
    [ "$(rows people)" = 6 ]
}

test_import_reads_tsv_crlf_and_a_byte_order_mark() {
    printf '\357\273\277a\tb\r\n1\t"x\ty"\r\n\t5" pipe\r\n' >t.tsv
    status_is 1 holt import data t.tsv t
    says "t.tsv: line 3: a quote inside a field"
    printf '\357\273\277a\tb\r\n1\t"x\ty"\r\n\tpipe\r\n' >t.tsv
    holt import data t.tsv t >told
    holt import data --format tsv - t <t.tsv >told
    [ "$(rows t)" = 4 ]
    printf 'A,c\n1,2\n' >wrong.csv
    status_is 1 holt import data wrong.csv t
    says "wrong.csv: line 1: the table has no column 'c'"
}

# The row is counted without the header; a field with a line end makes the two numbers differ.
test_import_names_row_and_line_and_imports_nothing() {
    printf 'id,note\n1,"two\nlines"\n' >good.csv
    holt import data good.csv t --key id >told
    bad() { # TEXT MESSAGE
        printf "$1" >bad.csv
        status_is 1 holt import data bad.csv t
        says "bad.csv: $2"
        [ "$(rows t)" = 1 ] || fail "rows of a wrong file were imported"
    }
    bad 'id,note\n2,"a\nb"\n3,b,c\n' 'line 4: row 2 has 3 fields, but the header has 2'
    bad 'id,note\n2,"a\nb"\n3\n' 'line 4: row 2 has 1 field, but the header has 2'
    bad 'id,note\n2,"a\nb"\nthree,c\n' "row 2 (line 4): column id: 'three' is not INTEGER"
    bad 'id,note\n2,a\n,b\n9223372036854775808,c\n' \
        "row 3 (line 4): column id: '9223372036854775808' is not INTEGER"
    bad 'note,id\na,2\nb,1\n' 'row 2 (line 3): t.id: there is a row with this primary key'
    bad 'note,id\na,2\nb,2\n' 'row 2 (line 3): t.id: there is a row with this primary key'
    bad 'id,note\n2,a\n3,\377\n' 'row 2 (line 3): column note: the field is not valid UTF-8'
    bad 'id,note\n2,"never closed\n' 'line 2: a quote opened in this row is never closed'
    bad 'id,note,ID\n2,a,3\n' "line 1: the header has two columns named 'ID'"
    bad '' 'the file is empty'
    printf 'id,note\n,a\n' >none.csv
    holt import data none.csv t >told || fail "a missing key is not numbered"
    [ "$(rows t)" = 2 ]
}

test_import_of_a_wrong_file_leaves_no_new_table() {
    printf 'a,b\n1,2\n3\n' >bad.csv
    status_is 1 holt import data bad.csv fresh
    printf 'a,b\n1,2\n1,3\n' >twice.csv
    status_is 1 holt import data twice.csv fresh --key a
    says "twice.csv: row 2 (line 3): fresh.a: there is a row with this primary key"
    status_is 1 holt count data -c fresh
    printf 'a,\n1,2\n' >unnamed.csv
    status_is 1 holt import data unnamed.csv fresh
    says "the column 2 of the header has no name"
    status_is 1 holt import data twice.csv fresh --key c
    says "c"
    status_is 1 holt import data absent.csv fresh
    says "absent.csv: No such file or directory"
    status_is 1 holt import data . fresh
    says "this is a directory"
    [ "$(holt collections data | grep -c fresh)" = 0 ] || fail 'the table is left'
}

test_import_keeps_going_if_asked() {
    printf 'id,name\n1,a\n2,b\n' >first.csv
    holt import data first.csv t --key id >told
    printf 'id,name\n2,again\nx,y\n3,c,d\n"q"r,5\n4,d\n' >more.csv
    status_is 1 holt import data more.csv t --keep-going
    grep -q '^1 row into t, 4 left out, in ' out || fail "$(cat out)"
    says "row 1 (line 2): t.id: there is a row with this primary key"
    says "row 2 (line 3): column id: 'x' is not INTEGER"
    says "line 4: row 3 has 3 fields"
    says "line 5: there is text between a closing quote"
    [ "$(rows t)" = 3 ]
    status_is 1 holt import data more.csv fresh --keep-going
    grep -q '3 rows into the new table fresh, 2 left out' out || fail "$(cat out)"
}

# More than a transaction: what was committed before the error is deleted again.
test_import_of_a_large_file_is_undone_as_a_whole() {
    printf 'id,text\n20000,first\n' >first.csv
    awk 'BEGIN {
        text = sprintf("%01000d", 0)
        print "id,text"
        for (i = 40000; i >= 20000; i--) print i "," text
    }' >large.csv
    for kind in lsm btree; do
        holt import "data" first.csv $kind --key id --kind $kind >told
        status_is 1 holt import data large.csv $kind
        says "large.csv: row 20001 (line 20002): $kind.id: there is a row with this primary key"
        [ "$(rows $kind)" = 1 ] || fail "$kind: $(rows $kind) rows are left"
        status_is 1 holt import data large.csv $kind --keep-going
        [ "$(rows $kind)" = 20001 ]
    done
}

test_import_refuses_wrong_command_lines() {
    printf 'a\n1\n' >a.csv
    status_is 2 holt import data a.csv
    status_is 2 holt import data a.csv t --format xml
    says "xml"
    status_is 2 holt import data a.csv t --kind heap
    holt import data a.csv t >told
    status_is 1 holt import data a.csv t --key a
    says "the table t exists: its primary key cannot be chosen"
    holt create data plain
    status_is 1 holt import data a.csv plain
    says "plain"
    status_is 1 holt import data a.csv 'holt.x'
}
