// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "rows/fields.h"

#include "lib/util.h"
#include "names/details.h"
#include "names/devices.h"
#include "names/reasons.h"
#include "vm/vm.h"

_Static_assert(FIELD_SIZE >= VM_NAME_SIZE && FIELD_SIZE >= REASON_NAME_MAX, "FIELD_SIZE");

static __u64 pid(const struct sample *row)
{
	return row->vm->pid;
}

static const char *comm(const struct sample *row, const struct snapshot *snap, char *buf)
{
	(void)snap;
	(void)buf;
	return row->vm->comm;
}

static const char *vm_name(const struct sample *row, const struct snapshot *snap, char *buf)
{
	(void)snap;
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

static const char *isa(const struct sample *row, const struct snapshot *snap, char *buf)
{
	(void)snap;
	(void)buf;
	return isa__name(row->isa);
}

static const char *reason(const struct sample *row, const struct snapshot *snap, char *buf)
{
	(void)snap;
	return reason__name(row->isa, row->code, buf, FIELD_SIZE);
}

static __u64 code(const struct sample *row)
{
	return row->code;
}

static const char *detail_text(const struct sample *row, const struct snapshot *snap, char *buf)
{
	(void)snap;
	return detail__text(row->isa, row->code, row->detail, buf, FIELD_SIZE);
}

static const char *name(const struct sample *row, const struct snapshot *snap, char *buf)
{
	const char *device = snap->devices ? devices__name(snap->devices, row->detail) : NULL;

	(void)buf;
	return device ? device : detail__name(row->isa, row->detail);
}

const struct field_kind fields[NR_FIELDS] = {
	[FIELD_PID] = { "pid", KEY_VM, .number = pid },
	[FIELD_COMM] = { "comm", KEY_ALL, .text = comm },
	[FIELD_VM] = { "vm", KEY_VM, .text = vm_name },
	[FIELD_VCPU] = { "vcpu", KEY_VCPU, .number = vcpu },
	[FIELD_TID] = { "tid", KEY_THREAD, .number = tid },
	[FIELD_ISA] = { "isa", KEY_REASON, .text = isa },
	[FIELD_REASON] = { "reason", KEY_REASON, .text = reason },
	[FIELD_CODE] = { "code", KEY_REASON, .number = code },
	[FIELD_DETAIL] = { "detail", KEY_DETAIL, .text = detail_text },
	[FIELD_NAME] = { "name", KEY_DETAIL, .text = name },
};

bool field__is_in(enum field field, unsigned int keys)
{
	return (keys & KEY_ALL) || (keys & fields[field].keys) == fields[field].keys;
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

/* The value is a part of the row's time, divided by the unit */
#define PART_OF(name, part_, unit_ns)                                            \
	static __u64 name(const struct sample *row, const struct snapshot *snap) \
	{                                                                        \
		(void)snap;                                                      \
		return (row->times->part[part_] + (unit_ns) / 2) / (unit_ns);    \
	}

/* Tables have milliseconds, with a decimal */
#define TENTH_MSEC 100000

PART_OF(guest_ns, PART_GUEST, 1)
PART_OF(kvm_ns, PART_KVM, 1)
PART_OF(user_ns, PART_USER, 1)
PART_OF(wait_ns, PART_WAIT, 1)
PART_OF(poll_ns, PART_POLL, 1)
PART_OF(idle_ns, PART_IDLE, 1)
PART_OF(kvm_ms, PART_KVM, TENTH_MSEC)
PART_OF(user_ms, PART_USER, TENTH_MSEC)
PART_OF(wait_ms, PART_WAIT, TENTH_MSEC)
PART_OF(idle_ms, PART_IDLE, TENTH_MSEC)

static __u64 wall_ns(const struct sample *row, const struct snapshot *snap)
{
	(void)snap;
	return row->times->wall;
}

static __u64 time_ns(const struct sample *row, const struct snapshot *snap)
{
	(void)snap;
	return times__sum(row->times);
}

static __u64 max_ns(const struct sample *row, const struct snapshot *snap)
{
	(void)snap;
	return row->times->max;
}

static __u64 p50_ns(const struct sample *row, const struct snapshot *snap)
{
	(void)snap;
	return times__quantile(row->times, 50);
}

static __u64 p99_ns(const struct sample *row, const struct snapshot *snap)
{
	(void)snap;
	return times__quantile(row->times, 99);
}

static __u64 untimed(const struct sample *row, const struct snapshot *snap)
{
	(void)snap;
	return row->times->untimed;
}

static __u64 unseen(const struct sample *row, const struct snapshot *snap)
{
	(void)snap;
	return row->times->unseen;
}

/* @ns in tenths of a microsecond; NO_VALUE if no span has ended */
static __u64 of_ended(const struct sample *row, __u64 ns)
{
	return times__spans(row->times) ? (ns + 50) / 100 : NO_VALUE;
}

static __u64 p99_us(const struct sample *row, const struct snapshot *snap)
{
	return of_ended(row, p99_ns(row, snap));
}

static __u64 max_us(const struct sample *row, const struct snapshot *snap)
{
	return of_ended(row, max_ns(row, snap));
}

static __u64 average_us(const struct sample *row, const struct snapshot *snap)
{
	(void)snap;
	return row->count ? (times__service(row->times) / row->count + 50) / 100 : NO_VALUE;
}

/* In tenths of a per cent */
static __u64 time_share(const struct sample *row, const struct snapshot *snap)
{
	return snap->service ? (double)times__service(row->times) * 1000 / snap->service + 0.5 : 0;
}

#define SHARE_OF(name, part)                                                     \
	static __u64 name(const struct sample *row, const struct snapshot *snap) \
	{                                                                        \
		(void)snap;                                                      \
		return times__share(row->times, part);                           \
	}

SHARE_OF(guest_share, PART_GUEST)
SHARE_OF(kvm_share, PART_KVM)
SHARE_OF(user_share, PART_USER)
SHARE_OF(wait_share, PART_WAIT)
SHARE_OF(poll_share, PART_POLL)
SHARE_OF(idle_share, PART_IDLE)

#define EXITS (COUNTED | TIMED | DETAILED)
#define SPANS (TIMED | DETAILED)
#define WAIT_BIT (1u << PART_WAIT)
#define POLL_BIT (1u << PART_POLL)

/* In records */
#define RECORDED(key_, unit_, kinds_, value_, ...)                                        \
	{                                                                                 \
		.key = key_, .unit = unit_, .kinds = kinds_, .value = value_, __VA_ARGS__ \
	}
/* In tables */
#define SHOWN(header_, width_, decimals_, unit_, kinds_, value_, ...)                     \
	{                                                                                 \
		.header = header_, .width = width_, .decimals = decimals_, .unit = unit_, \
		.kinds = kinds_, .value = value_, __VA_ARGS__                             \
	}

const struct measure_kind measures[NR_MEASURES] = {
	RECORDED("count", "exits", EXITS, count, .sums = true, .metric = "exits",
		 .help = "VM exits"),
	RECORDED("total", "exits", EXITS, total, .since_start = true),
	RECORDED("wall_ns", "ns", THREADS, wall_ns, .sums = true),
	RECORDED("guest_ns", "ns", THREADS, guest_ns, .sums = true),
	RECORDED("time_ns", "ns", SPANS, time_ns, .sums = true),
	RECORDED("kvm_ns", "ns", SPANS | THREADS, kvm_ns, .sums = true, .metric = "kvm_seconds",
		 .help = "Time out of the guest spent in KVM"),
	RECORDED("user_ns", "ns", SPANS | THREADS, user_ns, .sums = true, .metric = "user_seconds",
		 .help = "Time out of the guest spent in the VMM"),
	RECORDED("wait_ns", "ns", SPANS | THREADS, wait_ns, .sums = true, .needs = WAIT_BIT,
		 .metric = "wait_seconds", .help = "Time out of the guest spent waiting for a CPU"),
	RECORDED("poll_ns", "ns", SPANS | THREADS, poll_ns, .sums = true, .needs = POLL_BIT,
		 .metric = "poll_seconds", .help = "Time out of the guest spent polling, halted"),
	RECORDED("idle_ns", "ns", SPANS | THREADS, idle_ns, .sums = true, .metric = "idle_seconds",
		 .help = "Time out of the guest spent asleep, halted"),
	RECORDED("max_ns", "ns", TIMED, max_ns),
	RECORDED("p50_ns", "ns", TIMED, p50_ns),
	RECORDED("p99_ns", "ns", TIMED, p99_ns),
	RECORDED("untimed", "exits", SPANS, untimed, .sums = true, .metric = "untimed_exits",
		 .help = "VM exits whose time is not known"),
	RECORDED("exits", "exits", THREADS, count, .sums = true),
	RECORDED("unseen", "exits", THREADS, unseen, .sums = true),
	SHOWN("COUNT", 8, 0, "exits", EXITS | THREADS, count, .sums = true),
	SHOWN("PER_SEC", 8, 0, "exits/s", COUNTED, rate, .live = true),
	SHOWN("TIME%", 5, 1, "%", SPANS, time_share, .sums = true),
	SHOWN("KVM_MS", 7, 1, "ms", SPANS, kvm_ms, .sums = true),
	SHOWN("USER_MS", 7, 1, "ms", SPANS, user_ms, .sums = true),
	SHOWN("WAIT_MS", 7, 1, "ms", SPANS, wait_ms, .sums = true, .needs = WAIT_BIT),
	SHOWN("IDLE_MS", 7, 1, "ms", SPANS, idle_ms, .sums = true),
	SHOWN("AVG_US", 7, 1, "us", SPANS, average_us),
	SHOWN("P99_US", 7, 1, "us", TIMED, p99_us),
	SHOWN("MAX_US", 7, 1, "us", TIMED, max_us),
	SHOWN("GUEST%", 6, 1, "%", THREADS, guest_share),
	SHOWN("KVM%", 6, 1, "%", THREADS, kvm_share),
	SHOWN("USER%", 6, 1, "%", THREADS, user_share),
	SHOWN("WAIT%", 6, 1, "%", THREADS, wait_share, .needs = WAIT_BIT),
	SHOWN("POLL%", 6, 1, "%", THREADS, poll_share, .needs = POLL_BIT),
	SHOWN("IDLE%", 6, 1, "%", THREADS, idle_share),
};
