/* plan.c -- chooses a path to the rows of a table.
 *
 *  1. For each path, match the constraints that SQLite offers with its parts (match_path).
 *  2. Estimate how many rows it visits, and whether it delivers them in the wanted order (cost_path).
 *  3. Take the cheapest, counting a sort where one would be needed, and tell SQLite which values it wants
 *     (describe).
 */
#include "plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "values.h"

/* Costs, in visits of a row by a scan of its table. Measured with bench/sql: a lookup by key is about as
 * dear as six steps of a scan, and starting a scan as twelve. */
static const double LOOKUP_COST = 6, SEEK_COST = 12, INDEX_STEP_COST = 0.8;

/* Values in a list whose length is not known, and the parts of a table behind one and two bounds. */
static const double LIST_LENGTH = 8, ONE_BOUND = 1.0 / 3, TWO_BOUNDS = 1.0 / 12;

enum { NONE = -1, PARTS_MAX = 64 };

/* A path with the constraints that it would use. */
typedef struct candidate {
    const shape_path *path;
    plan plan;
    int equal[PARTS_MAX]; /* constraints */
    int lower, upper;
    double rows; /* that it delivers */
    double cost; /* without the sort */
    bool ordered;
} candidate;

/* ---- matching */

static int constraint_column(const shape *s, const sqlite3_index_info *info, int i)
{
    return shape_column(s, info->aConstraint[i].iColumn);
}

/* Only the bytewise order is that of the keys. It matters only for text. */
static bool is_bytewise(sqlite3_index_info *info, int i, uint32_t type)
{
    if (type != HOLT_TEXT) return true;
    const char *collation = sqlite3_vtab_collation(info, i);
    return !collation || sqlite3_stricmp(collation, "BINARY") == 0;
}

static bool is_usable(const shape *s, sqlite3_index_info *info, int i, const shape_part *part)
{
    return info->aConstraint[i].usable && constraint_column(s, info, i) == part->column &&
           is_bytewise(info, i, part->type);
}

static bool is_equality(unsigned op)
{
    return op == SQLITE_INDEX_CONSTRAINT_EQ || op == SQLITE_INDEX_CONSTRAINT_IS ||
           op == SQLITE_INDEX_CONSTRAINT_ISNULL;
}

static bool is_list(sqlite3_index_info *info, int i)
{
    return info->aConstraint[i].op == SQLITE_INDEX_CONSTRAINT_EQ && sqlite3_vtab_in(info, i, -1);
}

/* Returns the equality for a part, one with a single value if there is one. */
static int find_equality(const shape *s, sqlite3_index_info *info, const shape_part *part)
{
    int found = NONE;
    for (int i = 0; i < info->nConstraint; i++) {
        if (!is_equality(info->aConstraint[i].op) || !is_usable(s, info, i, part)) continue;
        if (!is_list(info, i)) return i;
        if (found == NONE) found = i;
    }
    return found;
}

static int find_bound(const shape *s, sqlite3_index_info *info, const shape_part *part, unsigned exclusive_op,
                      unsigned inclusive_op)
{
    for (int i = 0; i < info->nConstraint; i++) {
        const unsigned op = info->aConstraint[i].op;
        if ((op == exclusive_op || op == inclusive_op) && is_usable(s, info, i, part)) return i;
    }
    return NONE;
}

/* Whether the constraints leave out rows in which the column is null, which a partial index does not hold. */
static bool excludes_null(const shape *s, const sqlite3_index_info *info, int column)
{
    for (int i = 0; i < info->nConstraint; i++) {
        if (!info->aConstraint[i].usable || constraint_column(s, info, i) != column) continue;
        switch (info->aConstraint[i].op) {
        case SQLITE_INDEX_CONSTRAINT_EQ:
        case SQLITE_INDEX_CONSTRAINT_GT:
        case SQLITE_INDEX_CONSTRAINT_GE:
        case SQLITE_INDEX_CONSTRAINT_LT:
        case SQLITE_INDEX_CONSTRAINT_LE:
        case SQLITE_INDEX_CONSTRAINT_ISNOTNULL:
            return true;
        default:
            break;
        }
    }
    return false;
}

static void match_range(const shape *s, sqlite3_index_info *info, candidate *c)
{
    const size_t n = c->plan.equal_count;
    if (n == c->path->part_count || c->path->parts[n].hash) return;
    const shape_part *part = &c->path->parts[n];
    c->lower = find_bound(s, info, part, SQLITE_INDEX_CONSTRAINT_GT, SQLITE_INDEX_CONSTRAINT_GE);
    c->upper = find_bound(s, info, part, SQLITE_INDEX_CONSTRAINT_LT, SQLITE_INDEX_CONSTRAINT_LE);
    c->plan.lower = c->lower != NONE;
    c->plan.upper = c->upper != NONE;
    c->plan.lower_exclusive = c->plan.lower && info->aConstraint[c->lower].op == SQLITE_INDEX_CONSTRAINT_GT;
    c->plan.upper_exclusive = c->plan.upper && info->aConstraint[c->upper].op == SQLITE_INDEX_CONSTRAINT_LT;
}

/* Returns false if the path does not hold all rows that the constraints ask for. */
static bool match_path(const shape *s, sqlite3_index_info *info, size_t number, candidate *c)
{
    memset(c, 0, sizeof *c);
    c->path = &s->paths[number];
    c->plan.path = (uint32_t)number;
    c->lower = c->upper = NONE;
    const int not_null = c->path->not_null_column;
    if (not_null != SHAPE_NO_COLUMN && !excludes_null(s, info, not_null)) return false;
    for (size_t i = 0; i < c->path->part_count; i++) {
        const int found = find_equality(s, info, &c->path->parts[i]);
        if (found == NONE) break;
        c->equal[i] = found;
        c->plan.equal_count++;
        if (is_list(info, found)) c->plan.lists |= UINT64_C(1) << i;
        if (info->aConstraint[found].op != SQLITE_INDEX_CONSTRAINT_EQ) c->plan.nulls |= UINT64_C(1) << i;
    }
    match_range(s, info, c);
    c->plan.point =
        c->path->unique && c->plan.equal_count == c->path->part_count && !c->plan.lists && !c->plan.nulls;
    c->plan.covering = c->path->index != 0 && (info->colUsed & ~c->path->covers) == 0;
    return true;
}

/* ---- order */

static bool has_one_value(const candidate *c, size_t part)
{
    return part < c->plan.equal_count && !(c->plan.lists >> part & 1);
}

static bool is_constant(const candidate *c, int column)
{
    for (size_t i = 0; i < c->plan.equal_count; i++) {
        if (c->path->parts[i].column == column && has_one_value(c, i)) return true;
    }
    return false;
}

static bool is_among(const shape_part *parts, size_t count, int column)
{
    for (size_t i = 0; i < count; i++) {
        if (parts[i].column == column) return true;
    }
    return false;
}

/* Whether the path delivers rows in the wanted order, forwards or backwards: columns with one value do not
 * matter, and behind a whole primary key no column does. */
static bool serves_order(const shape *s, const sqlite3_index_info *info, candidate *c)
{
    const shape_part *parts = c->path->parts;
    size_t at = 0;
    bool decided = false;
    for (int i = 0; i < info->nOrderBy; i++) {
        const int column = shape_column(s, info->aOrderBy[i].iColumn);
        if (is_constant(c, column) || is_among(parts, at, column)) continue;
        while (at < c->path->order_count && has_one_value(c, at)) {
            at++;
        }
        if (at == c->path->order_count) return true;
        if (parts[at].hash || parts[at].column != column) return false;
        const bool backwards = (bool)info->aOrderBy[i].desc != parts[at].descending;
        if (decided && backwards != c->plan.reverse) return false;
        c->plan.reverse = backwards;
        decided = true;
        at++;
    }
    return true;
}

/* ---- costs */

/* Sets *d to the place of the constraint's value if the statement names it (a literal). */
static bool known_value(sqlite3_index_info *info, int constraint, uint32_t type, holt_datum *d)
{
    sqlite3_value *value = NULL;
    if (constraint == NONE || sqlite3_vtab_rhs_value(info, constraint, &value) != SQLITE_OK) return false;
    return value_find(value, type, d) == VALUE_EQUAL;
}

/* Estimates the rows of a range whose bounds are all literals. */
static bool estimate_literals(const plan_table *t, sqlite3_index_info *info, const candidate *c, double *rows)
{
    holt_datum lower[PARTS_MAX], upper[PARTS_MAX];
    const size_t n = c->plan.equal_count;
    uint64_t estimate;
    if (c->plan.lists || c->plan.nulls || (!c->plan.lower && !c->plan.upper)) return false;
    for (size_t i = 0; i < n; i++) {
        if (!known_value(info, c->equal[i], c->path->parts[i].type, &lower[i])) return false;
        upper[i] = lower[i];
    }
    const shape_part *part = &c->path->parts[n];
    const int first = part->descending ? c->upper : c->lower, last = part->descending ? c->lower : c->upper;
    if (first != NONE && !known_value(info, first, part->type, &lower[n])) return false;
    if (last != NONE && !known_value(info, last, part->type, &upper[n])) return false;
    const holt_scan_options o = {.index = c->path->index,
                                 .lower = lower,
                                 .lower_count = n + (first != NONE),
                                 .upper = upper,
                                 .upper_count = n + (last != NONE)};
    if (holt_table_estimate(t->table, &o, &estimate) != HOLT_OK) return false;
    *rows = (double)estimate;
    return true;
}

/* Rows for one combination of values of the equal parts, before the range. */
static double rows_per_key(const plan_table *t, const candidate *c)
{
    uint64_t rows;
    if (c->plan.equal_count == 0) return (double)t->rows;
    if (c->path->unique && c->plan.equal_count == c->path->part_count && !c->plan.nulls) return 1;
    if (holt_table_rows_per_key(t->table, c->path->index, c->plan.equal_count, &rows) != HOLT_OK) rows = 10;
    return (double)rows;
}

static double lists_length(const candidate *c)
{
    double length = 1;
    for (size_t i = 0; i < c->plan.equal_count; i++) {
        if (c->plan.lists >> i & 1) length *= LIST_LENGTH;
    }
    return length;
}

static void cost_path(const plan_table *t, sqlite3_index_info *info, candidate *c)
{
    const double seeks = lists_length(c);
    const bool bounded = c->plan.equal_count > 0 || c->plan.lower || c->plan.upper;
    double rows = rows_per_key(t, c) * seeks;
    if (!estimate_literals(t, info, c, &rows)) {
        if (c->plan.lower && c->plan.upper) {
            rows *= TWO_BOUNDS;
        } else if (c->plan.lower || c->plan.upper) {
            rows *= ONE_BOUND;
        }
    }
    c->rows = fmin(fmax(rows, 1), fmax((double)t->rows, 1));
    const double step = c->path->index == 0 ? 1 : c->plan.covering ? INDEX_STEP_COST : 1 + LOOKUP_COST;
    c->cost = c->plan.point ? (c->path->index ? 2 : 1) * LOOKUP_COST : seeks * SEEK_COST + c->rows * step;
    if (!bounded && c->path->index == 0) c->cost = SEEK_COST + c->rows;
    c->ordered = info->nOrderBy > 0 && serves_order(t->shape, info, c);
}

/* What sorting would cost; 0 if there is nothing to sort. */
static double sort_cost(const sqlite3_index_info *info, const candidate *c)
{
    return info->nOrderBy == 0 || c->ordered ? 0 : c->rows * log2(c->rows + 1);
}

/* With a LIMIT that SQLite has told, a path in the right order need not be read to its end. */
static double whole_cost(sqlite3_index_info *info, const candidate *c)
{
    if (info->nOrderBy == 0 || c->ordered) {
        for (int i = 0; i < info->nConstraint; i++) {
            sqlite3_value *value = NULL;
            if (info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_LIMIT) continue;
            double limit = 100;
            if (sqlite3_vtab_rhs_value(info, i, &value) == SQLITE_OK) limit = sqlite3_value_double(value);
            if (limit >= 0 && limit < c->rows) return SEEK_COST + c->cost * limit / c->rows;
        }
    }
    return c->cost + sort_cost(info, c);
}

/* ---- describing the plan to SQLite */

/* Whether the path applies the constraint as SQLite would, for every value that may come. Text compared with
 * a number is not known until then; a hash may be that of another value. */
static bool is_exact(sqlite3_index_info *info, int constraint, const shape_part *part)
{
    sqlite3_value *value = NULL;
    if (part->hash) return false;
    if (part->type != HOLT_TEXT) return true;
    return !is_list(info, constraint) && sqlite3_vtab_rhs_value(info, constraint, &value) == SQLITE_OK &&
           sqlite3_value_type(value) == SQLITE_TEXT;
}

/* Asks for the value of a constraint. *exact: whether those before were all exact; a value that is not known
 * ends the range before its part, so that what follows is not applied either. */
static void use(sqlite3_index_info *info, int constraint, const shape_part *part, int *arguments, bool *exact)
{
    *exact = *exact && is_exact(info, constraint, part);
    info->aConstraintUsage[constraint].argvIndex = ++*arguments;
    info->aConstraintUsage[constraint].omit = *exact;
}

/* An OFFSET can be skipped here only if every row that is delivered counts. */
static void use_offset(sqlite3_index_info *info, candidate *c, int used, bool exact, int *arguments)
{
    int offset = NONE, others = 0;
    for (int i = 0; i < info->nConstraint; i++) {
        const unsigned op = info->aConstraint[i].op;
        if (op == SQLITE_INDEX_CONSTRAINT_OFFSET && info->aConstraint[i].usable) {
            offset = i;
        } else if (op != SQLITE_INDEX_CONSTRAINT_LIMIT) {
            others++;
        }
    }
    if (offset == NONE || !exact || others != used || (info->nOrderBy > 0 && !c->ordered)) return;
    info->aConstraintUsage[offset].argvIndex = ++*arguments;
    info->aConstraintUsage[offset].omit = 1;
    c->plan.offset = true;
}

static const char *column_name(const shape *s, int column)
{
    return column == SHAPE_ROW_ID ? "rowid" : s->info->columns[column].name;
}

static void append_term(sqlite3_str *out, bool *first, const char *name, const char *op)
{
    sqlite3_str_appendf(out, "%s%s%s", *first ? " (" : " AND ", name, op);
    *first = false;
}

static char *plan_text(const shape *s, const candidate *c)
{
    sqlite3_str *out = sqlite3_str_new(NULL);
    bool first = true;
    const size_t n = c->plan.equal_count;
    sqlite3_str_appendf(out, "%s%s", c->plan.covering ? "COVERING " : "",
                        c->path->name ? c->path->name : "PRIMARY KEY");
    for (size_t i = 0; i < n; i++) {
        const char *op = c->plan.lists >> i & 1 ? " IN (?)" : c->plan.nulls >> i & 1 ? " IS ?" : "=?";
        append_term(out, &first, column_name(s, c->path->parts[i].column), op);
    }
    if (c->plan.lower) append_term(out, &first, column_name(s, c->path->parts[n].column), ">?");
    if (c->plan.upper) append_term(out, &first, column_name(s, c->path->parts[n].column), "<?");
    if (!first) sqlite3_str_appendall(out, ")");
    if (c->plan.reverse) sqlite3_str_appendall(out, " DESC");
    return sqlite3_str_finish(out);
}

static bool is_same(const plan *a, const plan *b)
{
    return a->path == b->path && a->equal_count == b->equal_count && a->reverse == b->reverse &&
           a->point == b->point && a->offset == b->offset && a->lists == b->lists && a->nulls == b->nulls &&
           a->lower == b->lower && a->upper == b->upper && a->lower_exclusive == b->lower_exclusive &&
           a->upper_exclusive == b->upper_exclusive;
}

/* Returns the number of the plan in the list, or -1 without memory. */
static int number_of(plan_list *list, const plan *p)
{
    for (size_t i = 0; i < list->count; i++) {
        if (is_same(&list->plans[i], p)) return (int)i;
    }
    if (list->count == list->capacity) {
        const size_t capacity = list->capacity ? list->capacity * 2 : 8;
        plan *plans = realloc(list->plans, capacity * sizeof *plans);
        if (!plans) return -1;
        list->plans = plans;
        list->capacity = capacity;
    }
    list->plans[list->count] = *p;
    return (int)list->count++;
}

static int describe(const plan_table *t, plan_list *list, sqlite3_index_info *info, candidate *c)
{
    int arguments = 0, used = 0;
    bool exact = true;
    const shape_part *parts = c->path->parts;
    for (size_t i = 0; i < c->plan.equal_count; i++, used++) {
        if (c->plan.lists >> i & 1) (void)sqlite3_vtab_in(info, c->equal[i], 1);
        use(info, c->equal[i], &parts[i], &arguments, &exact);
    }
    if (c->plan.lower) {
        use(info, c->lower, &parts[c->plan.equal_count], &arguments, &exact);
        used++;
    }
    if (c->plan.upper) {
        use(info, c->upper, &parts[c->plan.equal_count], &arguments, &exact);
        used++;
    }
    use_offset(info, c, used, exact, &arguments);
    info->orderByConsumed = c->ordered;
    info->estimatedRows = (sqlite3_int64)c->rows;
    info->estimatedCost = c->cost;
    /* '05' and '5' may both equal a number, so text is unique only among text. */
    if (c->plan.point && exact) info->idxFlags |= SQLITE_INDEX_SCAN_UNIQUE;
    info->idxStr = plan_text(t->shape, c);
    info->needToFreeIdxStr = 1;
    info->idxNum = number_of(list, &c->plan);
    return info->idxStr && info->idxNum >= 0 ? SQLITE_OK : SQLITE_NOMEM;
}

int plan_make(const plan_table *t, plan_list *list, sqlite3_index_info *info)
{
    candidate best, other;
    (void)match_path(t->shape, info, 0, &best); /* the primary key holds all rows */
    cost_path(t, info, &best);
    for (size_t i = 1; i < t->shape->path_count; i++) {
        if (!match_path(t->shape, info, i, &other)) continue;
        cost_path(t, info, &other);
        if (whole_cost(info, &other) < whole_cost(info, &best)) best = other;
    }
    return describe(t, list, info, &best);
}

void plan_list_deinit(plan_list *list)
{
    free(list->plans);
    memset(list, 0, sizeof *list);
}
