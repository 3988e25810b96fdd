# holt shell from a pipe: keys, rows, SQL, dot commands. typed.py has it at a terminal.

# shell LINE...: runs the lines in the database "data".
shell() {
    printf '%s\n' "$@" >input
    holt shell data <input
}

# shell_prints TEXT LINE...: the lines succeed and print exactly TEXT.
shell_prints() {
    text=$1
    shift
    printf '%s\n' "$@" >input
    status_is 0 holt shell data <input
    [ "$(cat out)" = "$text" ] || fail "the shell printed '$(head -c 600 out)', not '$text'"
}

# shell_fails MESSAGE LINE...: a line fails with this message.
shell_fails() {
    message=$1
    shift
    printf '%s\n' "$@" >input
    status_is 1 holt shell data <input
    says "$message"
}

# The session of the README, as typed: the table and its index are made when they are needed.
test_shell_makes_the_users_table_that_is_asked_for() {
    shell_prints '1|anirudh|anichandan124@gmail.com' 'insert 1 anirudh anichandan124@gmail.com' \
        'where email=anichandan124@gmail.com' .exit
    says 'the table users(id integer primary key, name text, email text), with an index on email, is new'
    shell_prints '1|anirudh|anichandan124@gmail.com' 'where email=anichandan124@gmail.com'
    [ ! -s err ] || fail "the second session says $(cat err)"
    shell_prints 'users_email	users' '.indexes'
}

# ---------------------------------------------------------------- keys

test_shell_reads_and_writes_keys_in_either_case() {
    shell_prints '1
true
false
a	1
b c	two words
a	1
2
b c	two words' 'PUT a 1' "Put 'b c' \"two words\"" 'get a' 'EXISTS a' 'exists z' 'scan' \
        'SCAN A b limit 5' 'count' 'scan reverse limit 1'
    prints 'two words' holt get data 'b c'
}

test_shell_scans_prefixes_and_ranges() {
    shell_prints 'a1	x
a2	x
a2	x
b1	x
b1	x
a2	x
limit	x
2' 'put a1 x' 'put a2 x' 'put b1 x' 'put limit x' 'scan a' 'scan a2 l' \
        'scan a2 l reverse' 'scan "limit"' 'count a'
}

test_shell_takes_words_with_quotes_and_escapes() {
    shell 'put json {"a":1}' "put it's mine" "put 'it''s' \"a\\tb\\x00\"" 'put a\ b c\"d' >out
    [ ! -s out ]
    holt scan data >got
    printf '%s\n' 'a b	c"d' "it's	a\\tb\\x00" 'json	{"a":1}' >expected
    same got expected
    shell_prints '{"a":1}' 'get json'
    shell_prints 'a\tb\x00' "get 'it''s'"
    shell_fails 'line 1, column 7: the quote that opens here is never closed' 'put k "v'
    shell_fails 'line 1, column 10: a space is missing behind the closing quote' 'put k "v"w'
    shell_fails 'line 2, column 7: not an escape' 'put k v' 'put k \q'
    shell_fails "line 1, column 9: 'w' is too much" 'put k v w'
    shell_fails 'line 1, column 6: the value is missing' 'put k'
}

test_shell_works_with_several_collections() {
    shell_prints 'default
logs
products
v
1
0' 'create products btree' 'create logs lsm' 'list' 'use products' 'put k v' 'get k' 'count' 'close' 'count'
    prints v holt get data -c products k
    shell_fails "'products' exists already" 'create products'
    shell_fails "there is no collection 'nope'; 'create nope' creates it" 'use nope'
    shell_fails 'the kind is lsm or btree' 'create x heap'
    shell_fails "belongs to a table" 'use holt.tables'
    shell_prints 'default
logs' 'use products' 'drop products' 'list'
    shell_fails 'there is no collection' 'drop products'
}

# SQL has a catalog of its own, which must not be behind: neither what was dropped nor what is new.
test_shell_tells_sql_what_other_commands_make_and_drop() {
    printf 'id\n5\n' >five.csv
    shell_prints '0
v
1|a|b' 'create p' 'select count(*) from p;' 'drop p' 'create p btree' 'use p' 'put k v' \
        'select cast(value as text) from p;' 'insert 1 a b' 'drop users' 'insert 1 a b' 'where id=1'
    shell 'select 1;' '.import five.csv five' 'drop five' '.import five.csv five' 'select id from five;' \
        'drop five' 'create table five (id integer);' >told
    [ "$(tail -n 1 told)" = 5 ]
}

# In a transaction nothing is dropped, since it could not be committed then.
test_shell_drops_what_is_meant() {
    shell_fails 'nothing can be dropped within a transaction' 'create p' 'use p' 'begin' 'put k v' 'drop p' commit
    prints v holt get data -c p k
    shell 'insert 1 a b' 'create Users' 2>told
    shell_prints 'users
default
p
kept' 'drop Users' 'list' 'use p' 'insert 2 c d' 'put kept kept' 'drop USERS' 'get kept'
    shell_fails 'schemas cannot be changed within a transaction' 'begin' 'insert 1 a b'
    ! grep -q 'is new' err || fail "the users table that was not made is announced"
}

test_shell_goes_on_after_an_error_and_exits_with_1() {
    printf '%s\n' 'put a 1' 'frobnicate' 'get z' '.nope' 'selec 1;' 'select 1 frm x;' 'get a' >input
    status_is 1 holt shell data <input
    [ "$(cat out)" = 1 ] || fail "$(cat out)"
    says "line 2, column 1: there is no command 'frobnicate'; .help lists the commands"
    says 'line 3: there is no such key'
    says "line 4, column 1: there is no command '.nope'"
    says "line 6, column 14: near \"x\": syntax error"
}

test_shell_opens_read_only_if_asked() {
    status_is 1 holt shell missing --read-only </dev/null
    [ ! -e missing ]
    holt put data k v
    printf 'get k\nput k w\n' >input
    status_is 1 holt shell data --read-only <input
    [ "$(cat out)" = v ]
    says 'read-only'
}

# ---------------------------------------------------------------- rows

test_shell_types_the_values_of_rows_by_their_columns() {
    shell 'create table t (i integer primary key, r real, b boolean, x blob, s varchar(3) not null);' \
        'use t' 'insert -9223372036854775808 1 true \x00\xff abc' "insert 2 2.5 0 x'00FF' 'a b'" \
        "insert null null null null x\\x00"
    shell_prints "-9223372036854775808|1.0|1|00FF|3
2|2.5|0|00FF|3
3||||2" 'select i, r, b, hex(x), length(cast(s as blob)) from t;'
    shell_fails "column 8: 'one' is not a whole number of 64 bits, which the column i needs" 'use t' \
        'insert one 1 1 1 a'
    shell_fails "column 8: '9223372036854775808' is not a whole number" 'use t' \
        'insert 9223372036854775808 1 1 1 a'
    shell_fails "column 10: 'x' is not a number, which the column r needs" 'use t' 'insert 1 x 1 1 a'
    shell_fails "'2' is not true or false, which the column b needs" 'use t' 'insert 1 1 2 1 a'
    shell_fails "is not made of pairs of hexadecimal digits" 'use t' "insert 1 1 1 x'0' a"
    shell_fails "is not UTF-8, which the column s needs" 'use t' 'insert 1 1 1 1 \xff'
    shell_fails "a value for the column s is missing; null stands for none" 'use t' 'insert 1 1 1 1'
    shell_fails "t has only 5 columns" 'use t' 'insert 1 1 1 1 a b'
    shell_fails "t.s" 'use t' 'insert 1 1 1 1 null'
    shell_fails "t.i" 'use t' 'insert 2 1 1 1 a'
    shell_fails "t.s" 'use t' 'insert 9 1 1 1 abcd'
}

test_shell_finds_changes_and_deletes_rows() {
    shell 'insert 1 Ada ada@x' 'insert 2 "Grace Hopper" grace@x' 'insert 3 Edsger null' \
        'insert 4 null null' 2>told
    shell_prints '2|Grace Hopper|grace@x
3|Edsger|
2|Grace Hopper|grace@x
3|Edsger|
4||
1|Ada|ada@x
1|Ada|ada@x
2|Grace Hopper|grace@x' 'where id>1 and id<=3' "where name='Grace Hopper'" 'where email is null' \
        'where id>=1 limit 1' 'where name like A%' 'where name<>Edsger and email IS NOT NULL and id != 1'
    shell_prints '1|Ada, Countess|ada@x
2|Grace Hopper|
7|Edsger|e@x
4' "update set name='Ada, Countess' where id = 1" 'update set email=null where id=2' \
        'update set id=7, email=e@x where id=3' 'where id=1' 'where id=2' 'where id=7' 'delete where id=4' \
        'select count(*) + 1 from users;'
    shell_fails "the table users has no column 'mail'" 'where mail=x'
    shell_fails "column 10: a value for id is missing" 'where id='
    shell_fails "an operator is missing" 'where id'
    shell_fails "'and', 'limit' or the end of the line is missing" 'where id=1 or id=2'
    shell_fails "'where' or a comma is missing" 'update set name=x'
    shell_fails "'is' is followed by null or not null" 'where id is 3'
    shell_fails "there is no current table; 'use a' makes that one current" 'create table a (x text);' \
        'where x=1'
}

# ---------------------------------------------------------------- SQL, and transactions over everything

test_shell_runs_sql_over_several_lines() {
    shell_prints '1|2
3
4|x;y' 'select 1,' '  2;' 'SELECT 3; select 4,' "'x;y';"
    shell_prints '5' 'select 5'
    shell_fails 'line 3, column 3: near "frm": syntax error' 'select 1;' 'select 2 a' '  frm nowhere;'
    shell_fails 'line 2: the statement is not valid UTF-8' 'select 1;' "$(printf "select '\377';")"
}

test_shell_has_one_transaction_for_keys_rows_and_sql() {
    shell 'insert 1 a b' 2>told
    shell_prints '9
2|x|y
3|c|d
0
1' 'begin' 'put k 9' 'insert 2 x y' "insert into users values (3, 'c', 'd');" 'get k' \
        'where id=2' 'where id=3' 'rollback' 'count' 'select count(*) from users;'
    shell_prints '1
2' 'begin;' 'put k 9' 'insert 2 x y' 'COMMIT' 'count' 'select count(*) from users;'
    shell_prints '2' 'begin' 'put lost 1' 'select count(*) from users;'
    status_is 1 holt get data lost
    shell_fails 'commit or roll back first' 'begin' '.import a b'
}

test_shell_prints_in_the_mode_that_is_chosen() {
    shell_prints 'list
[{"a":1}]
"x y"
1|2' '.mode' '.mode json' 'select 1 as a;' '.mode csv' "select 'x y';" '.mode list' 'select 1, 2;'
    printf 'select 1 as a;\n' >input
    prints '[{"a":1}]' holt shell data --mode json <input
    status_is 2 holt shell data --mode xml <input
    shell_fails "'xml' is not table, csv" '.mode xml'
    printf '.timer on\nselect 1;\n.timer off\nselect 2;\n' >input
    status_is 0 holt shell data <input
    [ "$(grep -c 's$' err)" = 1 ] || fail "times: $(cat err)"
    shell_fails "'maybe' is neither on nor off" '.timer maybe'
}

# ---------------------------------------------------------------- files

test_shell_reads_files_and_writes_into_them() {
    printf 'put a 1\nselect 7;\nnonsense\nget a\n' >script
    shell_fails "script: line 3, column 1: there is no command 'nonsense'" '.read script'
    printf '7\n1\n' >expected
    same out expected
    shell_fails 'nowhere: No such file or directory' '.read nowhere'
    echo '.read loop' >loop
    shell_fails 'files read each other' '.read loop'
    shell_prints 'back' '.output saved' 'get a' '.output' "select 'back';"
    [ "$(cat saved)" = 1 ]
    shell_fails 'Is a directory' '.output .'
    shell_fails 'line 3: what was printed is not all there: No space left on device' '.output /dev/full' 'get a' \
        '.output' 'scan'
    printf 'a\t1\n' >expected
    same out expected
    shell_fails 'standard output: No space left on device' '.output /dev/full' 'get a'
}

test_shell_imports_files() {
    printf 'id,name\n1,Ada\n2,"Grace\nHopper"\n' >p.csv
    shell '.import --key id p.csv people' >told
    grep -q '^2 rows into the new table people' told || fail "$(cat told)"
    shell_prints '1|Ada' 'select * from people limit 1;'
    shell '.schema people' >schema
    grep -q 'id INTEGER PRIMARY KEY' schema || fail "$(cat schema)"
    shell_fails 'line 1: p.csv: row 1 (line 2): people.id: there is a row with this primary key' \
        '.import p.csv people'
    printf 'id,name\n2,x\n3,y\n' >q.csv
    shell_fails 'q.csv: row 1 (line 2): people.id: there is a row' '.import --skip-errors q.csv people'
    grep -q '^1 row into people, 1 left out' out || fail "$(cat out)"
    shell_prints 3 'select count(*) from people;'
    shell_fails 'the name of a table is missing' '.import p.csv'
}

# Everything comes back: types, text with quotes, zero bytes and line ends, row ids, indexes, collections.
test_shell_dumps_what_it_and_sql_read_back() {
    for kind in btree lsm; do
        shell \
            "create table $kind (a integer, b real, c text, d blob, e boolean default 1)
with (kind = $kind);" \
            "create unique index ${kind}_c on $kind (c desc) where c is not null;" \
            "insert into $kind (rowid, a, b, c, d) values (7, -9223372036854775808, 0.1, 'it''s
two', x'00ff27');" "insert into $kind values (null, 1e308, null, x'', 0);" "use $kind" \
            'insert 5 5 x\x00y null null'
    done
    shell 'create "od\"d" btree' 'use od\"d' 'put "a \"b\"" "c\\d\n\x00"' 'put k v until 4102444800000' \
        'use default' 'put x y'
    shell .dump >dump.sql
    holt sql copy <dump.sql
    printf '.dump\n' >input
    holt shell copy <input >tables
    grep -v '^--!' dump.sql >expected
    grep -v '^--! use "default"' tables >got
    same got expected
    holt shell all <dump.sql
    holt shell all <input >got
    same got dump.sql
    [ "$(holt get all -c 'od"d' k)" = v ]
    shell '.dump lsm' >one
    grep -q 'INSERT INTO lsm' one
    [ "$(grep -c btree one)" = 0 ] || fail ".dump lsm dumps more"
    shell_fails "there is no table 'nope'" '.dump nope'
}

test_shell_help_lists_every_command() {
    shell .help >out
    for command in create use put get delete exists scan count list close drop insert where update .help \
        .exit .quit \
        .tables .collections .schema .indexes .stats .timer .mode .import .dump .read .output; do
        grep -q "^  $command\b" out || fail "$command is missing"
    done
    shell .stats >out
    grep -q memory_limit out
}
