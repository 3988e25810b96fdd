/* defaults.c -- looks at the text of the running INSERT. */
#include "defaults.h"

#include "token.h"

/* Moves to the INSERT or REPLACE of a statement, behind a WITH clause. */
static bool find_insert(tokens *t)
{
    tokens_next(t);
    while (t->now.kind != TOKEN_END && t->now.kind != TOKEN_BAD) {
        if (token_is(&t->now, "insert") || token_is(&t->now, "replace")) return true;
        if (!token_is(&t->now, "(")) {
            tokens_next(t);
        } else if (!tokens_skip_parentheses(t)) {
            return false;
        }
    }
    return false;
}

/* Moves behind INTO and the name of the table. false: it is another table. */
static bool find_table(tokens *t, const char *table)
{
    while (!token_is(&t->now, "into")) {
        if (t->now.kind == TOKEN_END || t->now.kind == TOKEN_BAD) return false;
        tokens_next(t);
    }
    tokens_next(t);
    token name = t->now;
    if (tokens_next(t) == TOKEN_MARK && token_is(&t->now, ".")) {
        tokens_next(t);
        name = t->now;
        tokens_next(t);
    }
    return token_names(&name, table);
}

static bool list_contains(tokens *t, const char *column)
{
    while (tokens_next(t) != TOKEN_END && t->now.kind != TOKEN_BAD && !token_is(&t->now, ")")) {
        if (token_names(&t->now, column)) return true;
    }
    return false;
}

/* Whether the statement is an INSERT into the table; if so, *left_out says whether it leaves the column out.
 *  */
static bool examine(const char *sql, size_t size, const char *table, const char *column, bool *left_out)
{
    tokens t;
    tokens_init(&t, sql, size);
    if (!find_insert(&t) || !find_table(&t, table)) return false;
    if (token_is(&t.now, "as")) {
        tokens_next(&t);
        tokens_next(&t);
    }
    /* Without a list an INSERT names all columns, except with DEFAULT VALUES. */
    *left_out = token_is(&t.now, "(") ? !list_contains(&t, column) : token_is(&t.now, "default");
    return true;
}

bool insert_leaves_out(sqlite3 *sqlite, const char *table, const char *column)
{
    sqlite3_stmt *s = NULL;
    bool left_out = false;
    while ((s = sqlite3_next_stmt(sqlite, s)) != NULL) {
        if (!sqlite3_stmt_busy(s) || sqlite3_stmt_readonly(s)) continue;
        const char *sql = sqlite3_sql(s);
        size_t size = 0;
        while (sql && sql[size]) {
            size++;
        }
        if (sql && examine(sql, size, table, column, &left_out)) return left_out;
    }
    return false;
}
