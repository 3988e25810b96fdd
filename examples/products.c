/* products.c -- a collection of products: put, exists, delete, and a category in the order of names.
 *
 *     cc products.c $(pkg-config --cflags --libs holt) -o products
 *     ./products data
 */
#include <holt.h>
#include <stdio.h>

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, holt_error_message());
    return 1;
}

static holt_status fill(holt_collection *products)
{
    static const char *const entries[][2] = {
        {"fruit/apple", "0.40"}, {"fruit/pear", "0.55"}, {"fruit/plum", "0.25"}, {"tea/green", "3.90"}};
    holt_status rc = HOLT_OK;
    for (size_t i = 0; i < sizeof entries / sizeof entries[0] && rc == HOLT_OK; i++)
        rc = holt_put(products, NULL, holt_str(entries[i][0]), holt_str(entries[i][1]));
    return rc;
}

/* Everything whose key begins with the category. */
static holt_status print_category(holt_collection *products, const char *category)
{
    holt_cursor *cursor;
    holt_cursor_options o = {.prefix = holt_str(category)};
    holt_status rc = holt_cursor_open(products, NULL, &o, &cursor);
    if (rc != HOLT_OK) return rc;
    while (holt_cursor_next(cursor)) {
        holt_slice key = holt_cursor_key(cursor), price = holt_cursor_value(cursor);
        printf("%.*s costs %.*s\n", (int)key.size, (const char *)key.data, (int)price.size,
               (const char *)price.data);
    }
    return holt_cursor_close(cursor);
}

int main(int argc, char **argv)
{
    holt *db;
    holt_collection *products;
    holt_collection_options o = {.kind = HOLT_BTREE,
                                 .flags = HOLT_CREATE_OR_OPEN}; /* more reads than writes */
    if (holt_open(argc > 1 ? argv[1] : "data", NULL, &db) != HOLT_OK) return fail("open");
    if (holt_collection_create(db, "products", &o, &products) != HOLT_OK) return fail("create");
    if (fill(products) != HOLT_OK) return fail("put");
    if (holt_delete(products, NULL, holt_str("fruit/pear")) != HOLT_OK) return fail("delete");
    if (holt_exists(products, NULL, holt_str("fruit/pear")) == HOLT_NOT_FOUND) puts("no pears today");
    if (print_category(products, "fruit/") != HOLT_OK) return fail("scan");
    if (holt_close(db) != HOLT_OK) return fail("close");
    return 0;
}
