/* range_estimate.c -- the descent along both ends of a range; range_estimate.h explains the method. */
#include "base/range_estimate.h"

#include <assert.h>

/* Nodes of one level that could be visited, in key order. Each represents its own weight, plus a share of the
 * siblings that were left out. */
typedef struct candidates {
    struct {
        estimate_node node;
        double share;
    } all[(ESTIMATE_SAMPLES + 2) * ESTIMATE_SAMPLES];
    uint32_t count;
    double shares;
} candidates;

/* The state of the descent at one level. */
typedef struct descent {
    estimate_visitor visit;
    void *ctx;
    slice begin, end;
    bool joint;               /* both bounds are in `left` */
    bool has_left, has_right; /* whether there is a path along that bound; not where the bound is open */
    estimate_node left, right;
    double covered, bytes;                   /* of this level, between the paths */
    estimate_node samples[ESTIMATE_SAMPLES]; /* some of the nodes between them */
    uint32_t sample_count;
    candidates next; /* of the level below */
} descent;

static void gather(candidates *c, const estimate_visit *v)
{
    for (uint32_t i = 0; i < v->sample_count; i++) {
        c->all[c->count].node = v->samples[i];
        c->all[c->count].share = v->covered / v->sample_count;
        c->shares += c->all[c->count++].share;
    }
}

/* Chooses the samples of the next level: all candidates, or as many as fit, evenly spread by weight. */
static void choose(descent *d)
{
    const candidates *c = &d->next;
    double passed = 0, step = c->shares / ESTIMATE_SAMPLES;
    d->sample_count = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        passed += c->all[i].share;
        bool take = c->count <= ESTIMATE_SAMPLES || passed > (d->sample_count + 0.5) * step;
        if (take && d->sample_count < ESTIMATE_SAMPLES) d->samples[d->sample_count++] = c->all[i].node;
    }
}

static holt_status visit_node(descent *d, estimate_node node, uint32_t level, bool begins, bool ends,
                              estimate_visit *v)
{
    const slice open = {NULL, 0};
    memset(v, 0, sizeof *v);
    v->node = node;
    v->level = level;
    v->begin = begins ? d->begin : open;
    v->end = ends ? d->end : open;
    holt_status rc = d->visit(d->ctx, v);
    if (rc == HOLT_OK && level > 0) gather(&d->next, v);
    return rc;
}

/* Visits the node that both bounds are in: the root, and those below it until the paths part. */
static holt_status visit_joint(descent *d, uint32_t level)
{
    estimate_visit v;
    holt_status rc = visit_node(d, d->left, level, true, true, &v);
    d->covered = v.covered;
    d->bytes = v.bytes;
    d->joint = v.has_begin && v.has_end && v.same;
    d->has_left = v.has_begin;
    d->has_right = v.has_end && !d->joint;
    d->left = v.begin_child;
    d->right = v.end_child;
    return rc;
}

/* Estimates what lies between the paths from the samples. */
static holt_status visit_between(descent *d, uint32_t level, double *covered, double *bytes)
{
    double weight = 0, leads_to = 0, of_bytes = 0;
    for (uint32_t i = 0; i < d->sample_count; i++) {
        estimate_visit v;
        holt_status rc = visit_node(d, d->samples[i], level, false, false, &v);
        if (rc != HOLT_OK) return rc;
        weight += (double)d->samples[i].weight;
        leads_to += v.covered;
        of_bytes += v.bytes;
    }
    if (weight == 0) return HOLT_OK;
    *covered += d->covered * leads_to / weight;
    *bytes += d->covered * of_bytes / weight;
    return HOLT_OK;
}

static holt_status visit_level(descent *d, uint32_t level)
{
    estimate_visit v;
    double covered = 0, bytes = 0;
    holt_status rc = HOLT_OK;
    if (d->has_left) {
        rc = visit_node(d, d->left, level, true, false, &v);
        covered += v.covered;
        bytes += v.bytes;
        d->left = v.begin_child;
    }
    if (rc == HOLT_OK) rc = visit_between(d, level, &covered, &bytes);
    if (rc == HOLT_OK && d->has_right) {
        rc = visit_node(d, d->right, level, false, true, &v);
        covered += v.covered;
        bytes += v.bytes;
        d->right = v.end_child;
    }
    d->covered = covered;
    d->bytes = bytes;
    return rc;
}

holt_status range_estimate(estimate_visitor visit, void *ctx, estimate_node root, uint32_t height,
                           slice begin, slice end, estimate_sums *sums)
{
    descent d = {.visit = visit, .ctx = ctx, .begin = begin, .end = end, .joint = true, .left = root};
    assert(height >= 1);
    for (uint32_t level = height; level-- > 0;) {
        d.next.count = 0;
        d.next.shares = 0;
        holt_status rc = d.joint ? visit_joint(&d, level) : visit_level(&d, level);
        if (rc != HOLT_OK) return rc;
        choose(&d);
    }
    sums->entries += d.covered;
    sums->bytes += d.bytes;
    return HOLT_OK;
}
