/*
 * Counters, gauges and histograms of all processes of this host on one shared
 * page: a file that every process maps. Cells are found or made by name and
 * labels at start-up, then bumped with one atomic add; a process that dies
 * takes nothing away. At most CT_METRIC_CELLS cells; past that a shared
 * overflow cell is used (labels are bounded, so this is a bug to be seen).
 */
#ifndef CT_COMMON_METRICS_H
#define CT_COMMON_METRICS_H

#include "common/err.h"
#include "common/str.h"

#define CT_METRIC_CELLS	 1024
#define CT_METRIC_LABELS 120 /* bytes of a label text */

enum ct_metric_id {
#define CT_METRIC(id, type, name, help) CT_M_##id,
#include "common/metrics.def"
#undef CT_METRIC
	CT_M_COUNT
};

struct ct_cell;

/*
 * Map <dir>/metrics, made when missing or of another layout. CT_INTERNAL with
 * the path where that fails. Without a call, cells live in private memory.
 */
enum ct_rc ct_metrics_open(const char *dir, struct ct_err *err) CT_MUSTCHECK;
/* labels: "" or "route=\"/api/feeding/\",method=\"POST\"". Never NULL. */
struct ct_cell *ct_metric(enum ct_metric_id id, const char *labels);
void ct_metric_add(struct ct_cell *c, uint64_t n);
void ct_metric_set(struct ct_cell *c, uint64_t v);
void ct_metric_observe_us(struct ct_cell *c, int64_t us);
/* Prometheus text format 0.0.4 of every cell in use. */
void ct_metrics_render(struct ct_buf *out);
/*
 * For gauges that are read at the scrape and have no cell: the lines before the
 * values, then one for each; thousandths. Labels that are no label text are
 * left out with their value.
 */
void ct_metric_head(struct ct_buf *out, enum ct_metric_id id);
void ct_metric_line(struct ct_buf *out, enum ct_metric_id id,
    const char *labels, int64_t value_milli);
/* text as the value of a label: cut to 64 bytes, bad characters as '_'. */
const char *ct_metric_label(struct ct_arena *a, struct ct_str text);

#endif
