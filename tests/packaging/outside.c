/* outside.c -- a program built against an installed Holt: writes a record, reads it back, prints the
 * version. */
#include <holt.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    holt *db = NULL;
    holt_collection *c = NULL;
    holt_value value = HOLT_VALUE_INIT;
    int rc = 1;

    if (argc == 2 && holt_open(argv[1], NULL, &db) == HOLT_OK &&
        holt_collection_open(db, "default", &c) == HOLT_OK &&
        holt_put(c, NULL, holt_str("key"), holt_str("value")) == HOLT_OK &&
        holt_get(c, NULL, holt_str("key"), &value) == HOLT_OK && value.size == 5) {
        printf("%s\n", holt_version());
        rc = 0;
    } else {
        fprintf(stderr, "%s\n", holt_error_message());
    }
    holt_value_free(&value);
    if (holt_close(db) != HOLT_OK) rc = 1;
    return rc;
}
