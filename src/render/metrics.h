/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Prometheus' text format: the totals since the start, for node_exporter's textfiles */
#ifndef METRICS_H
#define METRICS_H

#include "render/renderer.h"

struct metrics_style {
	unsigned int keys; /* enum key (view.h): a time series for each row */
	bool times; /* samples have times: make counters of these too */
	bool nodes; /* VMs may be of several hosts: a label tells the host */
};

/* Each report is a whole file */
struct renderer *metrics__new(const struct metrics_style *style); /* NULL: no memory */

#endif
