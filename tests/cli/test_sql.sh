# shellcheck shell=sh
# test_sql.sh -- holt sql: statements, output modes, errors and exit codes.

a_table() {
    holt sql data "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT DEFAULT 'nobody', email TEXT UNIQUE)"
    holt sql data "INSERT INTO users VALUES (1, 'Ada', 'ada@x'), (2, 'B|\"ob\"', NULL), (3, '', 'c@x')"
}

test_sql_reads_from_the_command_line_and_from_standard_input() {
    a_table
    prints 'Ada' holt sql data "SELECT name FROM users WHERE email = 'ada@x'"
    printf 'SELECT 1;\n-- a comment; not a statement\nSELECT\n  count(*)\nFROM users;' >statements
    prints '1
3' holt sql data <statements
    prints '1
2' holt sql data 'SELECT 1' 'SELECT 2;;'
    prints '' holt sql data ' -- nothing'
}

test_sql_modes_print_what_the_sqlite3_shell_prints() {
    command -v sqlite3 >/dev/null || skip "sqlite3 is missing"
    a_table
    query="SELECT id, name, email, id * 1.5 AS x FROM users; SELECT 1 AS \"one\" WHERE 0; SELECT 'é' AS e, 'a
b' AS lines"
    sqlite3 lite "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, email TEXT)"
    sqlite3 lite "INSERT INTO users VALUES (1, 'Ada', 'ada@x'), (2, 'B|\"ob\"', NULL), (3, '', 'c@x')"
    for mode in list csv json line table markdown; do
        sqlite3 "-$mode" lite "$query" | grep -v '^+.*+$' >theirs
        holt sql data --mode "$mode" "$query" | grep -v '^+.*+$' >ours
        same ours theirs
    done
    sqlite3 -header -csv lite "$query" >theirs
    holt sql data --header --mode csv "$query" >ours
    same ours theirs
    holt sql data --json "SELECT 1 AS one" >ours
    [ "$(cat ours)" = '[{"one":1}]' ] || fail "--json: $(cat ours)"
}

test_sql_draws_a_table_on_a_terminal() {
    a_table
    on_terminal "'$exe' sql data 'SELECT id, name FROM users LIMIT 1'"
    shows '| id | name |'
    shows '| 1  | Ada  |'
}

test_sql_errors_name_the_place_and_end_the_run() {
    a_table
    printf "SELECT 1;\n\nSELECT id,\n  nothere FROM users;\nDELETE FROM users;\n" >statements
    status_is 1 holt sql data <statements
    says 'near line 4, column 3: no such column: nothere'
    prints 3 holt sql data 'SELECT count(*) FROM users'
    status_is 1 holt sql data --keep-going <statements
    prints 0 holt sql data 'SELECT count(*) FROM users'
    status_is 1 holt sql data "SELECT 'open"
    says "near line 1, column 8: unrecognized token"
    status_is 1 holt sql data "INSERT INTO users VALUES (1, 2)"
    says 'table users has 3 columns but 2 values were supplied'
    status_is 2 holt sql data --mode loud "SELECT 1"
    says "'loud' is not"
    status_is 1 holt sql missing --read-only "SELECT 1"
}

test_sql_rolls_back_what_is_not_committed() {
    a_table
    status_is 1 holt sql data 'BEGIN; DELETE FROM users;'
    says 'ends within a transaction'
    prints 3 holt sql data 'SELECT count(*) FROM users'
    status_is 1 holt sql data 'BEGIN; DELETE FROM users; SELECT nothere; COMMIT'
    prints 3 holt sql data 'SELECT count(*) FROM users'
    holt sql data 'BEGIN; DELETE FROM users WHERE id = 1; SAVEPOINT s; DELETE FROM users' \
        'ROLLBACK TO s; COMMIT'
    prints 2 holt sql data 'SELECT count(*) FROM users'
}

test_sql_changes_schemas() {
    a_table
    holt sql data 'ALTER TABLE users RENAME TO people; ALTER TABLE people ADD COLUMN age INT DEFAULT 7'
    holt sql data 'ALTER TABLE people RENAME COLUMN name TO label; CREATE INDEX by_age ON people (age DESC)'
    prints '1|Ada|ada@x|7' holt sql data 'SELECT * FROM people WHERE age = 7 AND id = 1'
    holt sql data 'DROP INDEX by_age; ALTER TABLE people DROP COLUMN age; REINDEX people'
    prints 'id|INTEGER
label|TEXT
email|TEXT' holt sql data "SELECT name, type FROM pragma_table_info('people')"
    holt sql data 'CREATE TABLE copy WITH (kind = lsm) AS SELECT id, label, id / 2.0 AS half FROM people'
    prints '3||1.5' holt sql data 'SELECT * FROM copy WHERE id = 3'
    holt sql data 'DROP TABLE people; DROP TABLE copy; DROP TABLE IF EXISTS copy'
    prints 'default' holt sql data 'SELECT name FROM sqlite_schema'
}

test_sql_refuses_what_it_cannot_keep() {
    a_table
    for statement in 'CREATE TABLE t (a INT CHECK (a > 0))' 'CREATE TABLE t (a INT REFERENCES users (id))' \
        'CREATE TABLE t (a INT GENERATED ALWAYS AS (1))' 'CREATE VIEW v AS SELECT 1' 'CREATE TABLE t (a)' \
        'CREATE TRIGGER g AFTER INSERT ON users BEGIN SELECT 1; END' 'BEGIN; DROP TABLE users' \
        'CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)' 'CREATE INDEX i ON users (lower(name))' \
        'CREATE INDEX i ON users (name) WHERE id > 3' 'CREATE INDEX i ON users (nothere)' \
        'CREATE TABLE users (id INT)' 'DROP TABLE nothere' 'ALTER TABLE users DROP COLUMN email'; do
        status_is 1 holt sql data "$statement"
        says 'near line 1'
    done
    prints 'default
users' holt sql data 'SELECT name FROM sqlite_schema'
    prints '1' holt sql data 'CREATE TEMP VIEW v AS SELECT id FROM users WHERE id < 2; SELECT * FROM v'
}

test_sql_upserts() {
    a_table
    holt sql data "INSERT INTO users (id, email) VALUES (9, 'ada@x'), (4, 'd@x') \
        ON CONFLICT (email) DO UPDATE SET name = users.name || '+' || excluded.name WHERE excluded.id > 5"
    prints '1|Ada+nobody|ada@x
4|nobody|d@x' holt sql data "SELECT * FROM users WHERE id IN (1, 4)"
    holt sql data "INSERT INTO users (id) VALUES (4), (5) ON CONFLICT DO NOTHING"
    prints 5 holt sql data 'SELECT count(*) FROM users'
    status_is 1 holt sql data "INSERT INTO users (id, email) VALUES (6, 'e@x'), (7, 'ada@x') \
        ON CONFLICT (id) DO NOTHING"
    says 'UNIQUE constraint failed: users.email'
    prints 5 holt sql data 'SELECT count(*) FROM users'
    status_is 1 holt sql data "INSERT INTO users (id) VALUES (6) ON CONFLICT (name) DO NOTHING"
    says 'ON CONFLICT clause does not match'
}

test_sql_upserts_know_what_a_name_means() {
    a_table
    status_is 1 holt sql data "INSERT INTO users (id) VALUES (1) \
        ON CONFLICT (id) DO UPDATE SET name = excluded.nmae"
    says 'no such column: excluded.nmae'
    holt sql data "INSERT INTO users (rowid, name) VALUES (1, 'x'), (1000000000000, 'far') \
        ON CONFLICT (id) DO UPDATE SET name = excluded.rowid || excluded.name"
    prints '1x
far' holt sql data "SELECT name FROM users WHERE id IN (1, 1000000000000)"
    holt sql data "CREATE TABLE pairs (a INT, b INT, n INT, PRIMARY KEY (a, b))" \
        "CREATE TABLE bare (a INT UNIQUE)" \
        "INSERT INTO pairs VALUES (1, 2, 3)"
    status_is 1 holt sql data "INSERT INTO pairs VALUES (1, 2, 4) ON CONFLICT (a, a) DO NOTHING"
    says 'ON CONFLICT clause does not match'
    holt sql data "INSERT INTO pairs VALUES (1, 2, 4) ON CONFLICT (b, a) DO UPDATE SET n = excluded.n"
    prints 4 holt sql data "SELECT n FROM pairs"
    status_is 1 holt sql data "INSERT INTO bare (a, rowid) VALUES (1, 7) ON CONFLICT DO NOTHING"
    says 'near line 1, column 22: the row id of a table without a primary key cannot be given'
}

test_sql_shows_collections_as_tables() {
    holt create data things
    holt put data -c things key 'some value'
    prints 'key|some value' holt sql data 'SELECT * FROM things'
    holt sql data "INSERT INTO things VALUES ('k2', x'00ff'); UPDATE things SET value = 5 WHERE key = 'key'"
    prints '5' holt get data -c things key
    holt sql data "DELETE FROM things WHERE key < 'l'"
    prints '0' holt count data -c things
}
