/* tables.c -- see shell.h: the tables and collections that there are. */
#include "shell/shell.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <holt/table.h>

#include "cli_values.h"
#include "common/number.h"
#include "common/text.h"
#include "terminal/output.h"

/* Finds a name in a list: as it is spelled, otherwise in either case. */
static const char *find_name(char **names, size_t count, const char *name)
{
    const char *alike = NULL;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) return names[i];
        if (strcasecmp(names[i], name) == 0) alike = names[i];
    }
    return alike;
}

/* Sets *found to whether there is a collection with exactly this name. */
static bool find_collection(shell *s, const char *name, bool *found)
{
    holt_collection *collection = NULL;
    holt_status status = holt_collection_open(s->session->db, name, &collection);
    holt_collection_close(collection);
    *found = status == HOLT_OK;
    return status == HOLT_NOT_FOUND || shell_check(s, status);
}

bool shell_find_table(shell *s, char name[SHELL_NAME_MAX + 1], bool *found)
{
    char **names = NULL;
    size_t count = 0;
    bool is_collection = false, ok = true;
    if (!shell_check(s, holt_table_list(s->session->db, &names, &count))) return false;
    const char *spelled = find_name(names, count, name);
    /* Names of collections are told apart by case. */
    if (spelled && strcmp(spelled, name) != 0) ok = find_collection(s, name, &is_collection);
    *found = spelled && !is_collection;
    if (*found) snprintf(name, SHELL_NAME_MAX + 1, "%s", spelled);
    holt_free(names);
    return ok;
}

/* Appends a name to the list, which has room for it. */
static void add_name(shell_names *list, const char *name, bool is_table)
{
    list->names[list->count++] = (shell_object){.name = name, .is_table = is_table};
}

bool shell_list_names(shell *s, shell_names *out)
{
    size_t tables = 0, collections = 0;
    *out = (shell_names){.count = 0};
    holt_status status = holt_table_list(s->session->db, &out->tables, &tables);
    if (status == HOLT_OK) status = holt_collection_list(s->session->db, &out->collections, &collections);
    if (!shell_check(s, status)) return false;
    out->names = allocate_or_exit(tables + collections + 1, sizeof *out->names);
    for (size_t i = 0; i < tables; i++) {
        add_name(out, out->tables[i], true);
    }
    for (size_t i = 0; i < collections; i++) {
        const char *name = out->collections[i];
        bool is_plain = strncmp(name, "holt.", 5) != 0 && !find_name(out->tables, tables, name);
        if (is_plain) add_name(out, name, false);
    }
    return true;
}

void shell_free_names(shell_names *names)
{
    holt_free(names->tables);
    holt_free(names->collections);
    free(names->names);
}

/* Prints a name; at a terminal also what it is and how large. */
static bool print_object(shell *s, const char *name, bool is_table)
{
    char entries[NUMBER_TEXT], size[NUMBER_TEXT];
    holt_collection *collection = NULL;
    holt_collection_info info = {0};
    if (!output_is_terminal()) {
        output_write_text(holt_str(name));
        putchar('\n');
        return true;
    }
    holt_status status = holt_collection_open(s->session->db, name, &collection);
    if (status == HOLT_OK) status = holt_collection_stats(collection, &info, sizeof info);
    holt_collection_close(collection);
    if (!shell_check(s, status)) return false;
    printf("%-10s  %-5s  %14s  %10s  ", is_table ? "table" : "collection", cli_kind_name(info.kind),
           number_grouped(entries, info.entries + info.memtable_entries),
           number_bytes(size, info.disk_bytes));
    output_write_text(holt_str(name));
    putchar('\n');
    return true;
}

bool shell_print_names(shell *s, bool tables, bool collections)
{
    shell_names names;
    bool ok = shell_list_names(s, &names);
    for (size_t i = 0; i < names.count && ok; i++) {
        bool is_table = names.names[i].is_table;
        if (is_table ? tables : collections) ok = print_object(s, names.names[i].name, is_table);
    }
    shell_free_names(&names);
    return ok;
}
