// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "probe/probe.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kvmexit.skel.h"
#include "lib/privileges.h"
#include "lib/util.h"
#include "names/reason_filter.h"
#include "probe/facts.h"
#include "probe/load.h"
#include "probe/variants.h"
#include "snapshot/misses.h"
#include "vm/selection.h"

/* A program that is in use; its files, -1: none */
struct program {
	int link; /* while it is open, the program runs */
	int prog;
	int fdinfo; /* of the program: it tells recursion_misses */
	unsigned int unsure; /* bits 1 << enum unsure: what a miss makes uncertain */
};

struct probe {
	struct kvmexit_bpf *skel; /* only until attached */
	struct shared shared;
	void *bss; /* where shared.control lies */
	size_t bss_size;
	__u32 max; /* slots */
	struct program programs[MAX_PROGRAMS];
	int no_btf; /* a file, -1: none; an empty BTF, for kernels that have none */
	__u64 began; /* when counting did */
	const char *name; /* of the variant */
	unsigned int untold; /* as probe__untold() */
};

static const struct probe no_probe = {
	.programs = { [0 ... MAX_PROGRAMS - 1] = { .link = -1, .prog = -1, .fdinfo = -1 } },
	.no_btf = -1,
};

static bool verbose;

unsigned int probe__untold(const struct probe *probe)
{
	return probe->untold;
}

__u64 probe__began(const struct probe *probe)
{
	return probe->began;
}

const char *probe__name(const struct probe *probe)
{
	return probe->name;
}

/* A verifier log may have thousands of lines; only its end tells why */
static int print_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	const size_t most = 600;
	char *text;
	int n;

	if (!verbose || level == LIBBPF_DEBUG || (n = vasprintf(&text, fmt, ap)) < 0)
		return 0;
	fputs((size_t)n > most ? text + n - most : text, stderr);
	free(text);
	return n;
}

/*
 * libbpf wants a BTF for the relocations of the object even where the only
 * program to load has none: on a kernel without BTF it gets an empty one.
 */
static int empty_btf(void)
{
	struct btf *btf = btf__new_empty();
	const void *raw = NULL;
	__u32 len = 0;
	int fd;

	if (!libbpf_get_error(btf))
		raw = btf__raw_data(btf, &len);
	fd = raw ? memfd_create("btf", MFD_CLOEXEC) : -1;
	if (fd >= 0 && write(fd, raw, len) != (ssize_t)len) {
		close(fd);
		fd = -1;
	}
	btf__free(btf);
	return fd;
}

/* The skeleton with the object that @variant is in */
static int open_object(struct probe *probe, const struct variant *variant, bool has_btf)
{
	struct bpf_object_open_opts open_opts = { .sz = sizeof(open_opts) };
	char path[32];

	if (!has_btf) {
		probe->no_btf = empty_btf();
		if (probe->no_btf < 0)
			return -ENOMEM;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", probe->no_btf);
		open_opts.btf_custom_path = path;
	}
	return object__open(&probe->skel, variant->kfunc, &open_opts);
}

/* Chooses the reasons that get details: those of @wanted that can have some */
static void choose_details(struct probe *probe, struct filter *wanted)
{
	struct kvmexit_bpf__rodata *rodata = probe->skel->rodata;
	__u8 *const sources[] = { (__u8 *)rodata->vmx_sources, (__u8 *)rodata->svm_sources,
				  (__u8 *)rodata->arm64_sources };
	__u32 i, isa;

	for (isa = ISA_VMX; wanted && isa <= ISA_ARM64; isa++)
		for (i = 0; i < NR_LOW + NR_HIGH; i++) {
			__u8 *source = &sources[isa - ISA_VMX][i];

			if (*source && !filter__keeps(wanted, isa, counter__code(NULL, i)))
				*source = 0;
			probe->shared.detailed[isa - ISA_VMX][i] = !!*source;
		}
}

static int configure(struct probe *probe, const struct probe_request *request,
		     const struct facts *f)
{
	struct kvmexit_bpf *skel = probe->skel;
	struct config *config;
	__u32 n = request->max_vcpus;

	if (!skel->rodata)
		return -ENOMEM;
	config = (struct config *)&skel->rodata->config;
	config->max_slots = n;
	config->tgid = request->selection->pid;
	config->start = request->selection->start;
	config->has_vcpu = request->selection->has_vcpu;
	config->vcpu = request->selection->vcpu;
	config->nr_tids = request->selection->nr_tids;
	config->off_exit_reason = f->off_exit_reason;
	config->off_isa = f->off_isa;
	config->off_vcpu_id = f->off_vcpu_id;
	config->odd_record = f->off_exit_reason != offsetof(struct kvm_exit_record, exit_reason) ||
			     f->off_isa != offsetof(struct kvm_exit_record, isa) ||
			     f->off_vcpu_id != offsetof(struct kvm_exit_record, vcpu_id);
	memcpy(config->offsets, f->offsets, sizeof(config->offsets));
	config->off_vcpu = f->off_vcpu;
	config->layout = layout_of(request->time, !!request->detail);
	choose_details(probe, request->detail);
	if (bpf_map__set_max_entries(skel->maps.owned, n) ||
	    bpf_map__set_max_entries(skel->maps.ring, n) ||
	    bpf_map__set_max_entries(skel->maps.free_slots, n) ||
	    bpf_map__set_max_entries(skel->maps.threads, n))
		return -errno;
	if (request->time && bpf_map__set_max_entries(skel->maps.runners, n))
		return -errno;
	if (request->selection->nr_tids &&
	    bpf_map__set_max_entries(skel->maps.tids, request->selection->nr_tids))
		return -errno;
	return 0;
}

/*
 * The map of slots, as one value: since 6.0 that may have more than 4 MB
 * (87ac0d600943)
 */
static int make_one(struct bpf_map *slots, const struct config *config)
{
	struct bpf_map_create_opts opts = { .sz = sizeof(opts), .map_flags = BPF_F_MMAPABLE };
	int err, fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, bpf_map__name(slots), sizeof(__u32),
				     config->layout.stride * config->max_slots, 1, &opts);

	if (fd < 0)
		return fd;
	err = bpf_map__reuse_fd(slots, fd);
	close(fd);
	return err;
}

static int size_slots(struct bpf_map *slots, const struct config *config, bool in_one)
{
	if (in_one)
		return make_one(slots, config);
	return bpf_map__set_value_size(slots, config->layout.stride) ||
			       bpf_map__set_max_entries(slots, config->max_slots)
		       ? -errno
		       : 0;
}

/* Replaces a placeholder (kvmexit.h) in one instruction; @slots: the map */
static void patch(struct bpf_insn *insn, const struct config *config, int slots)
{
	const __u32 imm = insn->imm;
	const __u32 which = imm - PATCH_OFFSET(0), above = imm - PATCH_MAX_SLOTS + 1;

	if (insn->code == (BPF_ALU64 | BPF_ADD | BPF_K) && which < NR_OFFSETS) {
		insn->imm = config->offsets[which];
	} else if (insn->code == (BPF_ALU64 | BPF_ADD | BPF_K) && imm == PATCH_DETAILS) {
		insn->imm = config->layout.details;
	} else if (insn->code == (BPF_ALU64 | BPF_MUL | BPF_K) && imm == PATCH_STRIDE) {
		insn->imm = config->layout.stride;
	} else if (insn->code == (BPF_ALU64 | BPF_MOV | BPF_K) && imm == PATCH_TIMED) {
		insn->imm = config->layout.timed;
	} else if (BPF_CLASS(insn->code) == BPF_JMP && above <= 1) {
		insn->imm = config->max_slots - 1 + above; /* >= max, or > max - 1 */
	} else if (insn->code == (BPF_LD | BPF_IMM | BPF_DW) && imm == PATCH_SLOTS) {
		insn->src_reg = BPF_PSEUDO_MAP_VALUE;
		insn->imm = slots;
	}
}

int probe__prepare(struct bpf_program *const *progs, size_t n, const struct config *config,
		   struct bpf_map *slots, bool in_one)
{
	int err = size_slots(slots, config, in_one);
	size_t i, k;

	for (i = 0; i < n && !err; i++) {
		/* libbpf's own copy, which nobody has seen yet */
		struct bpf_insn *insn = (struct bpf_insn *)bpf_program__insns(progs[i]);

		for (k = 0; k < bpf_program__insn_cnt(progs[i]); k++)
			patch(&insn[k], config, in_one ? bpf_map__fd(slots) : -1);
	}
	return err;
}

static size_t mapped_size(size_t element, __u32 n)
{
	size_t page = sysconf(_SC_PAGESIZE);

	return (element * n + page - 1) / page * page;
}

static void *map_memory(struct bpf_map *map, size_t element, __u32 n)
{
	void *p = mmap(NULL, mapped_size(element, n), PROT_READ | PROT_WRITE, MAP_SHARED,
		       bpf_map__fd(map), 0);

	return p == MAP_FAILED ? NULL : p;
}

static void unmap_memory(void *p, size_t element, __u32 n)
{
	if (p)
		munmap(p, mapped_size(element, n));
}

/*
 * The programs run inside RCU read-side sections (bpf_trace_run and trace_call_bpf). This
 * membarrier waits, like synchronize_rcu(), until all sections that have begun are over.
 * Kernels with nohz_full CPUs refuse it.
 */
static int quiesce(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) ? -errno : 0;
}

/* Makes our own mappings, which stay when the skeleton is destroyed */
static int map_shared(struct probe *probe)
{
	struct kvmexit_bpf *skel = probe->skel;
	struct shared *shared = &probe->shared;

	shared->layout = skel->rodata->config.layout;
	shared->slots = map_memory(skel->maps.slots, shared->layout.stride, probe->max);
	shared->owned = map_memory(skel->maps.owned, sizeof(*shared->owned), probe->max);
	shared->ring = map_memory(skel->maps.ring, sizeof(*shared->ring), probe->max);
	probe->bss_size = bpf_map__value_size(skel->maps.bss);
	probe->bss = map_memory(skel->maps.bss, probe->bss_size, 1);
	if (!shared->slots || !shared->owned || !shared->ring || !probe->bss)
		return -errno;
	shared->quiesce = quiesce;
	shared->control =
		(struct control *)((char *)probe->bss + offsetof(typeof(*skel->bss), control));
	return 0;
}

static int fill_queue(const struct bpf_map *queue, __u32 n)
{
	__u32 i;

	for (i = 0; i < n; i++)
		if (bpf_map_update_elem(bpf_map__fd(queue), NULL, &i, BPF_ANY))
			return -errno;
	return 0;
}

/*
 * Fills the maps before the program starts. The queue of free slots gets as many as may
 * be wanted at once. The rest goes into the ring, which costs no system calls.
 */
static int fill_maps(struct probe *probe, const struct probe_request *request)
{
	const __u32 queued = probe->max < 256 ? probe->max : 256;
	struct kvmexit_bpf *skel = probe->skel;
	__u32 i;
	int err;

	err = map_shared(probe);
	if (!err)
		err = fill_queue(skel->maps.free_slots, queued);
	if (!err)
		err = fill_queue(skel->maps.free_extra, NR_EXTRA);
	if (!err)
		err = fill_queue(skel->maps.token, 1);
	if (err)
		return err;
	for (i = queued; i < probe->max; i++)
		probe->shared.ring[probe->shared.control->tail++] = i;
	for (i = 0; i < request->selection->nr_tids; i++)
		if (bpf_map_update_elem(bpf_map__fd(skel->maps.tids),
					&request->selection->tids[i].tid,
					&request->selection->tids[i].start, BPF_ANY))
			return -errno;
	return 0;
}

/* Closes the skeleton: counting needs neither its memory nor its files */
static void close_object(struct probe *probe)
{
	kvmexit_bpf__destroy(probe->skel);
	probe->skel = NULL;
	if (probe->no_btf >= 0)
		close(probe->no_btf);
	probe->no_btf = -1;
}

static void open_fdinfo(struct program *p, const struct bpf_program *prog)
{
	char path[64];

	p->prog = fcntl(bpf_program__fd(prog), F_DUPFD_CLOEXEC, 0);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", p->prog);
	p->fdinfo = open(path, O_RDONLY | O_CLOEXEC);
}

/* 0 or -errno */
static int choose_program(struct bpf_object *obj, const char *name, struct bpf_program **prog)
{
	*prog = bpf_object__find_program_by_name(obj, name);
	if (!*prog)
		return -ENOENT;
	bpf_program__set_autoload(*prog, true);
	return 0;
}

/*
 * Only the file of the link is kept. A classic tracepoint also has a perf event. The link
 * holds that event, and the event's own file is closed with all others that are not kept
 * (privileges.c).
 */
static int attach(int *file, const struct bpf_program *prog)
{
	struct bpf_link *link = bpf_program__attach(prog);

	if (!link)
		return -errno;
	*file = bpf_link__fd(link);
	bpf_link__disconnect(link);
	bpf_link__destroy(link);
	return 0;
}

/*
 * Attaches programs: 0 or -errno. Of the optional ones, the second stands in for the first, and
 * *@run says whether one was attached.
 */
static int attach_all(struct probe *probe, struct bpf_program *const *progs, size_t n, bool *run)
{
	bool done = false;
	size_t i;
	int err = 0;

	for (i = 0; i < n && !err; i++) {
		bool optional = variant__is_optional(bpf_program__name(progs[i]));

		if (optional && done)
			continue;
		/* The last one begins to count, at some moment within attach() */
		probe->began = now_ns();
		err = attach(&probe->programs[i].link, progs[i]);
		done |= optional && !err;
		if (optional)
			err = 0;
	}
	*run = done;
	return err;
}

/* Takes the optional programs out of @names; returns how many are left */
static size_t without_run(char names[MAX_PROGRAMS][32], size_t n)
{
	size_t i, left = 0;

	for (i = 0; i < n; i++)
		if (!variant__is_optional(names[i]))
			memmove(names[left++], names[i], sizeof(names[i]));
	return left;
}

/*
 * One variant, loaded and attached: 0 or -errno, and what failed in *@what. *@run: with a program
 * where KVM_RUN begins; false afterwards, if there is none.
 */
static int try_variant(struct probe *probe, const struct variant *variant,
		       const struct probe_request *request, const struct facts *f, bool *run,
		       const char **what)
{
	struct bpf_program *progs[MAX_PROGRAMS] = { NULL };
	char names[MAX_PROGRAMS][32];
	size_t i, n = variant__programs(variant, request, f, names);
	int err;

	if (!*run)
		n = without_run(names, n);
	*what = "opening the BPF object";
	err = open_object(probe, variant, f->has_btf);
	if (!err)
		err = configure(probe, request, f);
	for (i = 0; i < n && !err; i++)
		err = choose_program(probe->skel->obj, names[i], &progs[i]);
	if (err)
		return err;
	*what = "creating a BPF map";
	err = probe__prepare(progs, n, (struct config *)&probe->skel->rodata->config,
			     probe->skel->maps.slots, variant->kfunc);
	if (err)
		return err;
	*what = "loading the BPF program";
	err = kvmexit_bpf__load(probe->skel);
	/* EACCES from the verifier does not mean missing privileges */
	if (err)
		return err == -EACCES ? -EINVAL : err;
	*what = "filling the BPF maps";
	err = fill_maps(probe, request);
	if (err)
		return err;
	for (i = 0; i < n; i++) {
		open_fdinfo(&probe->programs[i], progs[i]);
		probe->programs[i].unsure = variant__unsure(names[i], request);
	}
	*what = "attaching to the tracepoint kvm:kvm_exit";
	err = attach_all(probe, progs, n, run);
	if (!err)
		close_object(probe);
	return err;
}

static void close_file(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void undo_variant(struct probe *probe)
{
	__u32 max;
	size_t i;

	for (i = 0; i < MAX_PROGRAMS; i++) {
		close_file(probe->programs[i].link);
		close_file(probe->programs[i].fdinfo);
		close_file(probe->programs[i].prog);
	}
	unmap_memory(probe->shared.slots, probe->shared.layout.stride, probe->max);
	unmap_memory(probe->shared.owned, sizeof(*probe->shared.owned), probe->max);
	unmap_memory(probe->shared.ring, sizeof(*probe->shared.ring), probe->max);
	unmap_memory(probe->bss, probe->bss_size, 1);
	close_object(probe);
	max = probe->max;
	*probe = no_probe;
	probe->max = max;
}

/* Begins with the remedy. @missing: the capabilities that would help; NULL: none would */
static int tell_permission(const char *what, int err, const char *missing)
{
	if (missing)
		complain("%sgive kvmexit %s: %s: %s", geteuid() ? "use sudo, or " : "", missing,
			 what, strerror(-err));
	else if (privileges__locked_down())
		complain("%s: %s: kernel lockdown (confidentiality) forbids it", what,
			 strerror(-err));
	else
		complain("%s: %s: no capability is missing; a security module or a "
			 "container forbids it",
			 what, strerror(-err));
	return EXIT_PERMISSION;
}

static bool is_permission(int err)
{
	return err == -EPERM || err == -EACCES;
}

/* Why no variant could be used at all */
static int tell_nothing(const struct probe_request *request, const struct facts *f)
{
	if (is_permission(f->format_err)) {
		const char *missing = privileges__missing_to_probe();

		return tell_permission("reading tracefs, events/kvm/kvm_exit/format", f->format_err,
				       missing ? missing : privileges__missing_to_read());
	}
	if (request->detail && !f->has_btf && !f->format_err)
		complain("--detail: the kernel has no BTF, which tells where KVM keeps what was "
			 "behind an exit; without --detail exits are counted");
	else if (f->prototype == PROTO_UNKNOWN && f->format_err)
		complain("no tracepoint kvm:kvm_exit: %s, or tracefs is not mounted on "
			 "/sys/kernel/tracing",
			 ON_ARM64 ? "the kernel has no KVM"
				  : "KVM is not loaded (modprobe kvm_intel or kvm_amd)");
	else
		complain("no way to read the exit reason on this kernel; kvmexit --verbose tells "
			 "why each one fails");
	return EXIT_NOTHING;
}

static int tell_failure(const char *probe, const char *what, int err)
{
	if (is_permission(err))
		return tell_permission(what, err, privileges__missing_to_probe());
	if (err == -ENOSYS) {
		complain("%s: this kernel has no BPF (CONFIG_BPF_SYSCALL)", what);
		return EXIT_NOTHING;
	}
	/* Under lockdown the verifier refuses helpers that read kernel memory */
	if (privileges__locked_down())
		return tell_permission(what, err, NULL);
	complain("%s%s%s: %s%s", probe ? "--probe " : "", probe ? probe : what,
		 probe ? " cannot be used here" : "", strerror(-err),
		 err == -ENOMEM ? "; fewer --max-vcpus need less memory" : "");
	return err == -ENOENT ? EXIT_NOTHING : EXIT_INTERNAL;
}

/*
 * Tries a variant, if need be without a program where KVM_RUN begins: one program that the
 * kernel refuses to load (it has no kprobes) keeps all from being loaded
 */
static int try_with_and_without_run(struct probe *probe, const struct variant *v,
				    const struct probe_request *request, const struct facts *f,
				    const char **what)
{
	const char *first_what;
	bool run = true;
	int err = try_variant(probe, v, request, f, &run, what), first = err;

	if (err && request->time) {
		first_what = *what;
		undo_variant(probe);
		run = false;
		err = try_variant(probe, v, request, f, &run, what);
		if (err) {
			*what = first_what;
			return first;
		}
	}
	if (!err && request->time && !run && verbose)
		complain(
			"--time: no program where KVM_RUN begins%s%s: user has more than the VMM's time",
			first ? ": " : "", first ? strerror(-first) : "");
	return err;
}

static int choose(struct probe *probe, const struct probe_request *request, const struct facts *f)
{
	const char *what = NULL, *first_what = NULL;
	size_t n;
	const struct variant *v = variants__ladder(&n);
	int err = 0, first_err = 0;

	for (; n; n--, v++) {
		const char *why;

		if (request->probe && strcmp(request->probe, v->name))
			continue;
		why = variant__objection(v, request, f);
		if (why && verbose && !request->probe)
			complain("probe %s: not taken: %s", v->name, why);
		if (why && request->probe && variant__reads_format(v) &&
		    is_permission(f->format_err))
			return tell_nothing(request, f);
		if (why && request->probe) {
			complain("--probe %s cannot be used here: %s; --probe auto takes the best "
				 "that can",
				 v->name, why);
			return EXIT_NOTHING;
		}
		if (why)
			continue;
		err = try_with_and_without_run(probe, v, request, f, &what);
		if (!err) {
			probe->name = v->name;
			probe->untold = variant__untold(v, f);
			why = variant__unknown(request, f);
			if (why && verbose)
				complain("--detail: not known for %s", why);
			if (verbose || (variant__threads_only(v) && isatty(STDERR_FILENO)))
				complain("probe %s: in use%s", v->name, v->note);
			return EXIT_OK;
		}
		/* The error to report if no variant works; a missing privilege comes first */
		if (!first_err || (is_permission(err) && !is_permission(first_err))) {
			first_err = err;
			first_what = what;
		}
		undo_variant(probe);
		if (verbose)
			complain("probe %s: %s: %s", v->name, what, strerror(-err));
	}
	return first_err ? tell_failure(request->probe, first_what, first_err)
			 : tell_nothing(request, f);
}

int probe__open(struct probe **out, const struct probe_request *request)
{
	/* Until 5.10 BPF memory counts as locked memory */
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	struct probe *probe = calloc(1, sizeof(*probe));
	struct facts facts;
	int code;

	if (!probe) {
		complain("no memory");
		return EXIT_INTERNAL;
	}
	*probe = no_probe;
	probe->max = request->max_vcpus;
	verbose = request->verbose;
	libbpf_set_print(print_libbpf);
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	facts__read(&facts);
	code = choose(probe, request, &facts);
	if (code) {
		free(probe);
		return code;
	}
	*out = probe;
	return EXIT_OK;
}

void probe__close(struct probe *probe)
{
	if (!probe)
		return;
	undo_variant(probe);
	free(probe);
}

const struct shared *probe__memory(const struct probe *probe)
{
	return &probe->shared;
}

__u64 probe__parse_misses(const char *fdinfo)
{
	static const char key[] = "recursion_misses:\t";
	const char *p = strstr(fdinfo, key);

	return p ? strtoull(p + strlen(key), NULL, 10) : 0;
}

/* 0 or -errno */
static int read_misses(int fdinfo, __u64 *misses)
{
	char text[1024];
	ssize_t n;

	n = pread(fdinfo, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return n ? -errno : -EIO;
	text[n] = 0;
	*misses = probe__parse_misses(text);
	return 0;
}

int probe__misses(const struct probe *probe, struct misses *misses)
{
	const struct program *p;
	int err, failed = 0;

	*misses = (struct misses){ 0 };
	for (p = probe->programs; p < probe->programs + MAX_PROGRAMS; p++) {
		__u64 events = 0;

		if (p->link < 0)
			continue;
		err = read_misses(p->fdinfo, &events);
		if (err) {
			failed = err;
			misses->unknown |= p->unsure;
		}
		misses__add(misses, p->unsure, events);
	}
	return failed;
}

size_t probe__fds(const struct probe *probe, int fds[PROBE_FDS])
{
	size_t i, n = 0;

	_Static_assert(PROBE_FDS == 3 * MAX_PROGRAMS, "room for the files of each program");
	for (i = 0; i < MAX_PROGRAMS; i++) {
		fds[n++] = probe->programs[i].link;
		fds[n++] = probe->programs[i].prog;
		fds[n++] = probe->programs[i].fdinfo;
	}
	return n;
}
