// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "fields.h"

#include "reasons.h"
#include "util.h"
#include "vm.h"

_Static_assert(FIELD_SIZE >= VM_NAME_SIZE && FIELD_SIZE >= REASON_NAME_MAX, "FIELD_SIZE");

static __u64 pid(const struct sample *row)
{
	return row->vm->pid;
}

static const char *comm(const struct sample *row, char *buf)
{
	(void)buf;
	return row->vm->comm;
}

static const char *vm_name(const struct sample *row, char *buf)
{
	(void)buf;
	return row->vm->name;
}

static __u64 vcpu(const struct sample *row)
{
	return row->vcpu;
}

static __u64 tid(const struct sample *row)
{
	return row->tid;
}

static const char *isa(const struct sample *row, char *buf)
{
	(void)buf;
	return isa__name(row->isa);
}

static const char *reason(const struct sample *row, char *buf)
{
	return reason__name(row->isa, row->code, buf, FIELD_SIZE);
}

static __u64 code(const struct sample *row)
{
	return row->code;
}

const struct field_kind fields[NR_FIELDS] = {
	[FIELD_PID] = { "pid", KEY_VM, .number = pid },
	[FIELD_COMM] = { "comm", KEY_VM | KEY_VCPU | KEY_THREAD | KEY_REASON, .text = comm },
	[FIELD_VM] = { "vm", KEY_VM, .text = vm_name },
	[FIELD_VCPU] = { "vcpu", KEY_VCPU, .number = vcpu },
	[FIELD_TID] = { "tid", KEY_THREAD, .number = tid },
	[FIELD_ISA] = { "isa", KEY_REASON, .text = isa },
	[FIELD_REASON] = { "reason", KEY_REASON, .text = reason },
	[FIELD_CODE] = { "code", KEY_REASON, .number = code },
};

bool field__is_in(enum field field, unsigned int keys)
{
	return (keys & fields[field].keys) == fields[field].keys;
}

static __u64 count(const struct sample *row, const struct snapshot *snap)
{
	(void)snap;
	return row->count;
}

static __u64 total(const struct sample *row, const struct snapshot *snap)
{
	(void)snap;
	return row->total;
}

static __u64 rate(const struct sample *row, const struct snapshot *snap)
{
	return (double)row->count * NSEC_PER_SEC / (snap->duration ? snap->duration : 1) + 0.5;
}

const struct measure_kind measures[NR_MEASURES] = {
	[MEASURE_COUNT] = { "count", "COUNT", 8, "exits", .sums = true, .value = count },
	[MEASURE_TOTAL] = { "total", NULL, 0, "exits", .since_start = true, .value = total },
	[MEASURE_RATE] = { NULL, "PER_SEC", 8, "exits/s", .live = true, .value = rate },
};
