/* verification.c -- the problems, progress and result of one verification (verification.h). */
#include "db/verify/verification.h"

#include "base/cost.h"
#include "base/status.h"
#include "db/args.h"
#include "db/db.h"

#include <inttypes.h>

static const holt_verify_options defaults;

holt_status verification_init(verification *v, const holt_verify_options *o)
{
    memset(v, 0, sizeof *v);
    v->options = o ? o : &defaults;
    if (reserved_zero(v->options->reserved, 8)) return HOLT_OK;
    return status_set(HOLT_INVALID, "holt_verify_options: reserved words must be zero");
}

holt_status verification_take(verification *v, holt_status rc)
{
    if (rc != HOLT_CORRUPT) return rc;
    holt_error problem;
    status_save(&problem);
    if (v->report.problems++ == 0) v->first = problem;
    if (!v->options->problem) return HOLT_OK;
    status_aside ours; /* the callback may call Holt */
    cost_aside bill;
    status_put_aside(&ours);
    cost_put_aside(&bill);
    v->options->problem(v->options->ctx, &problem);
    cost_put_back(&bill);
    status_put_back(&ours);
    return HOLT_OK;
}

static void tell_progress(const verification *v, uint64_t done)
{
    if (!v->options->progress) return;
    status_aside ours; /* the callback may call Holt */
    cost_aside bill;
    status_put_aside(&ours);
    cost_put_aside(&bill);
    v->options->progress(v->options->ctx, done, v->bytes_total);
    cost_put_back(&bill);
    status_put_back(&ours);
}

void verification_advance(verification *v, uint64_t bytes)
{
    v->report.bytes += bytes;
    tell_progress(v, v->report.bytes < v->bytes_total ? v->report.bytes : v->bytes_total);
}

holt_status verification_end(verification *v, holt_status rc, holt_verify_report *report, size_t report_size)
{
    size_t known = report_size < sizeof v->report ? report_size : sizeof v->report;
    if (report) {
        memcpy(report, &v->report, known);
        memset((char *)report + known, 0, report_size - known);
    }
    if (rc != HOLT_OK) return rc;
    tell_progress(v, v->bytes_total);
    if (v->report.problems == 0) return HOLT_OK;
    status_restore(&v->first);
    if (v->report.problems == 1) return HOLT_CORRUPT;
    return status_wrap(HOLT_CORRUPT, "%" PRIu64 " problems, the first", v->report.problems);
}
