/* member.h -- a name and its value in a JSON object of results. */
#ifndef CLI_BENCH_MEMBER_H
#define CLI_BENCH_MEMBER_H

#include "json.h"

static inline void member_double(json_writer *w, const char *name, double number)
{
    json_name(w, name);
    json_double(w, number);
}

static inline void member_u64(json_writer *w, const char *name, uint64_t number)
{
    json_name(w, name);
    json_u64(w, number);
}

static inline void member_string(json_writer *w, const char *name, const char *string)
{
    json_name(w, name);
    json_string(w, string);
}

#endif
