/* http_v1.c -- the complete API, version 1, key by key: any collection, any bytes. Values are bodies as they
 * are.
 *
 *     GET    /v1/collections                        {"collections":[{"name":"default","kind":"lsm"}]}
 *     GET    /v1/collections/{c}/keys/{k}           the value, with ETag; also HEAD
 *     PUT    /v1/collections/{c}/keys/{k}           204; If-Match and If-None-Match: * make it conditional
 *     DELETE /v1/collections/{c}/keys/{k}           204
 *     (http_collections.c)                          collections as a whole, scans, ranges, batches
 *
 * An ETag is the version of the value: a checksum of its bytes (holt.h), so equal values have equal tags.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/number.h"
#include "http/http_json.h"
#include "http/http_login.h"
#include "http/http_request.h"

static const char JSON[] = "application/json";

enum { PART_COLLECTION = 2, PART_KEY = 4 };

void http_v1_collections(http_request *r)
{
    char **names = NULL;
    size_t count = 0;
    const char *separator = "";
    holt_status status = holt_collection_list(r->db, &names, &count);
    if (status != HOLT_OK) {
        (void)http_database_failed(r, status);
        return;
    }
    bytes_append_text(&r->answer, "{\"collections\":[");
    for (size_t i = 0; i < count; i++) {
        holt_collection *c;
        if (!http_login_may_use(r, holt_str(names[i]))) continue;
        if (holt_collection_open(r->db, names[i], &c) != HOLT_OK) continue; /* dropped since */
        bytes_append_text(&r->answer, separator);
        bytes_append_text(&r->answer, "{\"name\":");
        http_json_string(&r->answer, holt_str(names[i]));
        bytes_append_format(&r->answer, ",\"kind\":\"%s\"}",
                            holt_collection_kind(c) == HOLT_LSM ? "lsm" : "btree");
        separator = ",";
        holt_collection_close(c);
    }
    bytes_append_text(&r->answer, "]}\n");
    holt_free(names);
    http_reply(r, 200, JSON);
}

void http_v1_get(http_request *r)
{
    holt_collection *c;
    holt_value value = HOLT_VALUE_INIT;
    if (!http_open_collection(r, r->parts[PART_COLLECTION], &c)) return;
    holt_status status = holt_get(c, batch_reader(r->batch), r->parts[PART_KEY], &value);
    if (status == HOLT_NOT_FOUND) {
        (void)http_error(r, 404, "not_found", "there is no such key");
    } else if (status != HOLT_OK) {
        (void)http_database_failed(r, status);
    } else {
        bool known = http_knows(r, value.version);
        r->etag = value.version;
        r->expires_at_ms = value.expires_at_ms;
        if (!known) bytes_append(&r->answer, value.data, value.size);
        http_reply(r, known ? 304 : 200, known ? NULL : "application/octet-stream");
    }
    holt_value_free(&value);
    holt_collection_close(c);
}

/* ---------------------------------------------------------------- writing */

/* Reads an entity tag, "0123456789abcdef" in quotes. */
static bool parse_etag(const char *text, uint64_t *version)
{
    char *end;
    if (strlen(text) != 18 || text[0] != '"' || text[17] != '"') return false;
    if (strspn(text + 1, "0123456789abcdef") != 16) return false;
    *version = strtoull(text + 1, &end, 16);
    return true;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Reads the conditions and the time to live from the headers. */
static bool parse_put_headers(http_request *r, holt_put_options *o)
{
    uint64_t ttl = 0;
    memset(o, 0, sizeof *o);
    if (r->if_match && r->if_none_match)
        return http_error(r, 400, "invalid", "If-Match and If-None-Match cannot be used together");
    if (r->if_none_match) {
        if (strcmp(r->if_none_match, "*") != 0)
            return http_error(r, 400, "invalid", "If-None-Match must be *");
        o->flags = HOLT_PUT_IF_ABSENT;
    } else if (r->if_match && strcmp(r->if_match, "*") == 0) {
        o->flags = HOLT_PUT_IF_PRESENT;
    } else if (r->if_match) {
        o->flags = HOLT_PUT_IF_VERSION;
        if (!parse_etag(r->if_match, &o->version))
            return http_error(r, 412, "precondition_failed", "If-Match is not an ETag of this server");
    }
    if (!r->ttl) return true;
    if (number_parse(r->ttl, &ttl) != NUMBER_OK || ttl == 0 || ttl > INT64_MAX / 2)
        return http_error(r, 400, "invalid", "Holt-TTL-Ms is not a number of milliseconds above 0");
    o->expires_at_ms = now_ms() + ttl;
    return true;
}

void http_v1_put(http_request *r)
{
    holt_collection *c = NULL;
    holt_txn *t;
    holt_put_options o;
    if (!parse_put_headers(r, &o) || !http_open_plain_collection(r, r->parts[PART_COLLECTION], &c)) return;
    holt_status status = batch_writer(r->batch, &t);
    if (status == HOLT_OK) status = holt_put_with(c, t, r->parts[PART_KEY], bytes_slice(&r->body), &o);
    status = http_written(r, r->parts[PART_COLLECTION], r->parts[PART_KEY], status);
    if (status == HOLT_OK) {
        http_reply(r, 204, NULL);
    } else if (o.flags && (status == HOLT_EXISTS || status == HOLT_NOT_FOUND || status == HOLT_CONFLICT)) {
        (void)http_error(r, 412, "precondition_failed", "the key's value is not the expected one");
    } else {
        (void)http_database_failed(r, status);
    }
    holt_collection_close(c);
}

void http_v1_delete(http_request *r)
{
    holt_collection *c = NULL;
    holt_txn *t;
    uint64_t version;
    holt_value value = HOLT_VALUE_INIT;
    holt_slice key = r->parts[PART_KEY];
    if (!http_open_plain_collection(r, r->parts[PART_COLLECTION], &c)) return;
    holt_status status = HOLT_OK;
    if (r->if_match) {
        status = holt_get(c, batch_reader(r->batch), key, &value);
        bool expected =
            status == HOLT_OK && (strcmp(r->if_match, "*") == 0 ||
                                  (parse_etag(r->if_match, &version) && version == value.version));
        if (status == HOLT_NOT_FOUND || (status == HOLT_OK && !expected))
            (void)http_error(r, 412, "precondition_failed", "the key's value is not the expected one");
    }
    if (status == HOLT_OK && !r->status) {
        status = batch_writer(r->batch, &t);
        if (status == HOLT_OK)
            status = http_written(r, r->parts[PART_COLLECTION], key, holt_delete(c, t, key));
        if (status == HOLT_OK) http_reply(r, 204, NULL);
    }
    if (!r->status) (void)http_database_failed(r, status);
    holt_value_free(&value);
    holt_collection_close(c);
}
