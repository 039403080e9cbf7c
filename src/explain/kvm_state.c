// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "explain/kvm_state.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bpf/kvm_state.h"
#include "kvm_state.skel.h"
#include "lib/util.h"
#include "probe/facts.h"
#include "snapshot/run.h"

_Static_assert(NR_STATES <= MAX_STATE_FIELDS, "more states than the program reads");

struct vmstate {
	struct state_layout layout;
	int iters[STATE_READS]; /* each can be read once; -1: used up */
};

static const char *const paths[NR_STATES] = {
	[STATE_APICV_INHIBITS] = "arch.apicv_inhibit_reasons",
	[STATE_DISABLED_EXITS] = "arch.disabled_exits",
	[STATE_MWAIT_IN_GUEST] = "arch.mwait_in_guest",
	[STATE_HLT_IN_GUEST] = "arch.hlt_in_guest",
	[STATE_PAUSE_IN_GUEST] = "arch.pause_in_guest",
	[STATE_CSTATE_IN_GUEST] = "arch.cstate_in_guest",
	[STATE_OVERRIDE_HALT_POLL] = "override_halt_poll_ns",
	[STATE_MAX_HALT_POLL] = "max_halt_poll_ns",
	[STATE_HALT_POLL_NOW] = "halt_poll_ns",
	[STATE_DIRTY_LOGGING] = "nr_memslots_dirty_logging",
	[STATE_DIRTY_RING] = "dirty_ring_size",
	[STATE_MASTER_CLOCK] = "arch.use_master_clock",
	[STATE_IRQCHIP] = "arch.irqchip_mode",
	[STATE_PMU] = "arch.enable_pmu",
	[STATE_USER_MSRS] = "arch.user_space_msr_mask",
	[STATE_NO_NX_HUGE_PAGES] = "arch.disable_nx_huge_pages",
	[STATE_NONCOHERENT_DMA] = "arch.noncoherent_dma_count",
	[STATE_NOTIFY_WINDOW] = "arch.notify_window",
	[STATE_BUS_LOCKS] = "arch.bus_lock_detection_enabled",
	[STATE_VGIC] = "arch.vgic.vgic_model",
	[STATE_GICV4] = "arch.vgic.its_vm.nr_vpes",
	[STATE_HCR] = "arch.hcr_el2",
	[STATE_VCPU_PMU] = "arch.pmu.created",
	[STATE_EAGER_SPLIT] = "arch.mmu.split_page_chunk_size",
};

static bool is_of_vcpu(size_t state)
{
	return state == STATE_HALT_POLL_NOW || state == STATE_HCR || state == STATE_VCPU_PMU;
}

/* ---- what is told of it ---- */

typedef bool tell_fn(const struct state_layout *l, const __u64 *values, char *out, size_t size);

static bool is_there(const struct state_layout *l, enum state state)
{
	return l->there & 1u << state;
}

/* The names of the bits set in @bits, from @name(i), separated by commas */
static void list_bits(char *out, size_t size, __u64 bits, const char *(*name)(const void *, int),
		      const void *names)
{
	size_t used = 0;
	int i;

	*out = 0;
	for (i = 0; i < 64 && used < size; i++) {
		const char *text = name(names, i);

		if (!(bits >> i & 1))
			continue;
		used += snprintf(out + used, size - used, "%s", used ? ", " : "");
		if (used < size && *text)
			used += snprintf(out + used, size - used, "%s", text);
		else if (used < size)
			used += snprintf(out + used, size - used, "bit %d", i);
	}
}

static const char *inhibit_name(const void *layout, int i)
{
	return ((const struct state_layout *)layout)->inhibits[i];
}

static bool tell_apicv(const struct state_layout *l, const __u64 *v, char *out, size_t size)
{
	int n;

	if (!is_there(l, STATE_APICV_INHIBITS))
		return false;
	if (!v[STATE_APICV_INHIBITS])
		return snprintf(out, size, "not inhibited") > 0;
	n = snprintf(out, size, "inhibited by ");
	list_bits(out + n, size - n, v[STATE_APICV_INHIBITS], inhibit_name, l);
	return true;
}

/* KVM_X86_DISABLE_EXITS_... */
static const char *exit_name(const void *unused, int i)
{
	static const char *const names[] = { "MWAIT", "HLT", "PAUSE", "CSTATE", "APERFMPERF" };

	(void)unused;
	return i < (int)ARRAY_SIZE(names) ? names[i] : "";
}

static bool tell_disabled_exits(const struct state_layout *l, const __u64 *v, char *out,
				size_t size)
{
	__u64 bits = v[STATE_DISABLED_EXITS];
	int i;

	if (!is_there(l, STATE_DISABLED_EXITS) && !is_there(l, STATE_HLT_IN_GUEST))
		return false;
	for (i = 0; i < 4; i++)
		bits |= (v[STATE_MWAIT_IN_GUEST + i] & 1) << i;
	if (!bits)
		return snprintf(out, size, "none") > 0;
	list_bits(out, size, bits, exit_name, NULL);
	return true;
}

static bool tell_halt_poll(const struct state_layout *l, const __u64 *v, char *out, size_t size)
{
	if (!is_there(l, STATE_MAX_HALT_POLL))
		return false;
	if (!is_there(l, STATE_OVERRIDE_HALT_POLL))
		snprintf(
			out, size,
			"%llu ns at most: set by the VMM, or kvm.halt_poll_ns when the VM was made",
			v[STATE_MAX_HALT_POLL]);
	else if (v[STATE_OVERRIDE_HALT_POLL])
		snprintf(out, size,
			 "%llu ns at most, set by the VMM: kvm.halt_poll_ns does not count",
			 v[STATE_MAX_HALT_POLL]);
	else
		snprintf(out, size, "as kvm.halt_poll_ns says");
	return true;
}

static bool tell_irqchip(const struct state_layout *l, const __u64 *v, char *out, size_t size)
{
	static const char *const modes[] = { "in the VMM", "in the kernel", "split" };
	__u64 mode = v[STATE_IRQCHIP];

	if (!is_there(l, STATE_IRQCHIP) || mode >= ARRAY_SIZE(modes))
		return false;
	return snprintf(out, size, "%s", modes[mode]) > 0;
}

static bool tell_vgic(const struct state_layout *l, const __u64 *v, char *out, size_t size)
{
	/* KVM_DEV_TYPE_ARM_VGIC_V2, _V3 */
	static const char *const models[] = { [0] = "none", [5] = "GICv2", [7] = "GICv3" };
	__u64 model = v[STATE_VGIC];

	if (!is_there(l, STATE_VGIC) || model >= ARRAY_SIZE(models) || !models[model])
		return false;
	return snprintf(out, size, "%s", models[model]) > 0;
}

/* Bits of HCR_EL2. KVM sets these traps anew whenever it loads a vCPU to run it. */
enum {
	HCR_TWI = 13, /* and TWE */
	HCR_E2H = 34,
};

static bool tell_wfx(const struct state_layout *l, const __u64 *v, char *out, size_t size)
{
	static const char *const traps[] = { "neither", "WFI", "WFE", "both" };

	if (!is_there(l, STATE_HCR))
		return false;
	return snprintf(out, size, "%s, when its vCPUs were last loaded",
			traps[v[STATE_HCR] >> HCR_TWI & 3]) > 0;
}

static bool tell_vhe(const struct state_layout *l, const __u64 *v, char *out, size_t size)
{
	if (!is_there(l, STATE_HCR))
		return false;
	return snprintf(out, size, "%s", v[STATE_HCR] >> HCR_E2H & 1 ? "used" : "not used") > 0;
}

/* How a state becomes text */
static const struct told {
	const char *name, *label;
	tell_fn *tell; /* NULL: */
	enum state state;
	const char *format; /* of the number; NULL: */
	const char *no, *yes;
} told[] = {
	{ "vm.apicv", "APICv", tell_apicv, 0, NULL, NULL, NULL },
	{ "vm.disabled_exits", "exits turned off", tell_disabled_exits, 0, NULL, NULL, NULL },
	{ "vm.halt_poll", "halt polling", tell_halt_poll, 0, NULL, NULL, NULL },
	{ "vm.halt_poll_now", "halt polling now", NULL, STATE_HALT_POLL_NOW,
	  "%llu ns at most, of all vCPUs", NULL, NULL },
	{ "vm.dirty_logging", "dirty logging", NULL, STATE_DIRTY_LOGGING, "of %llu memory slots",
	  "off when this was read, which does not tell of the time before", NULL },
	{ "vm.dirty_ring_size", "dirty ring", NULL, STATE_DIRTY_RING, "%llu bytes per vCPU", "none",
	  NULL },
	{ "vm.master_clock", "master clock", NULL, STATE_MASTER_CLOCK, NULL,
	  "off (the host's clock or the vCPUs' TSCs forbid it)", "on" },
	{ "vm.irqchip", "interrupt controller", tell_irqchip, 0, NULL, NULL, NULL },
	{ "vm.enable_pmu", "PMU", NULL, STATE_PMU, NULL, "off", "on" },
	{ "vm.user_space_msr_mask", "MSRs sent to the VMM", NULL, STATE_USER_MSRS, "mask %#llx",
	  "none", NULL },
	{ "vm.disable_nx_huge_pages", "NX huge pages", NULL, STATE_NO_NX_HUGE_PAGES, NULL,
	  "as kvm.nx_huge_pages says", "off for this VM" },
	{ "vm.noncoherent_dma", "non-coherent DMA", NULL, STATE_NONCOHERENT_DMA, "%llu groups",
	  "none", NULL },
	{ "vm.notify_window", "notify window", NULL, STATE_NOTIFY_WINDOW, "%llu", "off", NULL },
	{ "vm.bus_lock_detection", "bus lock exits", NULL, STATE_BUS_LOCKS, NULL, "off", "on" },
	{ "vm.vgic", "interrupt controller", tell_vgic, 0, NULL, NULL, NULL },
	{ "vm.gicv4", "GICv4", NULL, STATE_GICV4, "delivers to %llu vCPUs", "not used", NULL },
	{ "vm.wfx", "exits of WFI and WFE", tell_wfx, 0, NULL, NULL, NULL },
	{ "vm.vhe", "host extensions (VHE)", tell_vhe, 0, NULL, NULL, NULL },
	{ "vm.vcpu_pmu", "PMU", NULL, STATE_VCPU_PMU, NULL, "off", "on" },
	{ "vm.eager_split", "eager page split", NULL, STATE_EAGER_SPLIT, "%llu bytes at a time",
	  "off", NULL },
};

static const struct told *find_told(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(told); i++)
		if (!strcmp(told[i].name, name))
			return &told[i];
	return NULL;
}

bool vm_state__is_name(const char *name)
{
	return find_told(name);
}

static void tell_plainly(const struct told *t, __u64 value, char *out, size_t size)
{
	if (!value && t->no)
		snprintf(out, size, "%s", t->no);
	else if (!t->format)
		snprintf(out, size, "%s", t->yes);
	else
		snprintf(out, size, t->format, value);
}

const char *vm_state__tell(const struct state_layout *layout, const struct vm_state *state,
			   const char *name, char *value, size_t size)
{
	const struct told *t = find_told(name);

	if (!t ||
	    (t->tell ? !t->tell(layout, state->values, value, size) : !is_there(layout, t->state)))
		return NULL;
	if (!t->tell)
		tell_plainly(t, state->values[t->state], value, size);
	return t->tell == tell_apicv && layout->is_svm ? "AVIC" : t->label;
}

/* ---- reading it ---- */

/* enum kvm_apicv_inhibit: kernels differ in the numbers; until 5.17 there was none */
static bool read_inhibits(struct state_layout *layout, const struct btf *btf)
{
	static const char prefix[] = "APICV_INHIBIT_REASON_";
	int i, id = btf__find_by_name_kind(btf, "kvm_apicv_inhibit", BTF_KIND_ENUM);
	const struct btf_type *t = id < 0 ? NULL : btf__type_by_id(btf, id);

	for (i = 0; t && i < btf_vlen(t); i++) {
		const struct btf_enum *e = &btf_enum(t)[i];
		const char *name = btf__name_by_offset(btf, e->name_off);

		if (e->val >= 0 && e->val < 64 && !strncmp(name, prefix, strlen(prefix)))
			snprintf(layout->inhibits[e->val], INHIBIT_NAME_SIZE, "%s",
				 name + strlen(prefix));
	}
	return t;
}

static int read_layout(struct state_layout *layout, struct vmstate_config *config)
{
	struct btf *vmlinux = btf__load_vmlinux_btf(), *kvm = NULL;
	int i, off, mm, vm;

	if (libbpf_get_error(vmlinux))
		return -ENOENT;
	for (i = 0; i < NR_STATES; i++) {
		struct state_field *f = &config->fields[i];

		f->of_vcpu = is_of_vcpu(i);
		off = facts__find_field(vmlinux, f->of_vcpu ? "kvm_vcpu" : "kvm", paths[i],
					&f->size);
		if (off < 0 || f->size > 8)
			f->size = 0;
		f->off = off;
		layout->there |= (__u32) !!f->size << i;
	}
	mm = facts__find_offset(vmlinux, "kvm", "mm");
	vm = facts__find_offset(vmlinux, "kvm_vcpu", "kvm");
	config->off_vm_mm = mm;
	config->off_vcpu_vm = vm;
	if (!read_inhibits(layout, vmlinux))
		kvm = btf__load_module_btf("kvm", vmlinux);
	if (kvm && !libbpf_get_error(kvm)) {
		read_inhibits(layout, kvm);
		btf__free(kvm);
	}
	btf__free(vmlinux);
	return mm < 0 || vm < 0 ? -ENOENT : 0;
}

static int make_iterators(struct vmstate *state, const struct bpf_program *prog)
{
	struct bpf_link *link = bpf_program__attach_iter(prog, NULL);
	int i, err = link ? 0 : -errno;

	for (i = 0; i < STATE_READS && !err; i++) {
		state->iters[i] = bpf_iter_create(bpf_link__fd(link));
		err = state->iters[i] < 0 ? -errno : 0;
	}
	bpf_link__destroy(link);
	return err;
}

/* libbpf prints nothing: the caller reports a failure in one line */
static int print_nothing(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

static int load(struct vmstate *state, const char **what)
{
	/* Until 5.10 BPF memory counts as locked memory */
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	struct kvm_state_bpf *skel;
	int err;

	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	*what = "opening the BPF object";
	skel = kvm_state_bpf__open();
	if (!skel)
		return -errno;
	*what = "reading BTF";
	err = read_layout(&state->layout, (struct vmstate_config *)&skel->rodata->config);
	if (!err) {
		*what = "loading the BPF program";
		err = kvm_state_bpf__load(skel);
	}
	if (!err) {
		*what = "making an iterator";
		err = make_iterators(state, skel->progs.read_vm_state);
	}
	kvm_state_bpf__destroy(skel);
	return err;
}

int vmstate__open(struct vmstate **out, const char **what)
{
	struct vmstate *state = calloc(1, sizeof(*state));
	libbpf_print_fn_t print;
	int i, err;

	if (!state)
		return -ENOMEM;
	for (i = 0; i < STATE_READS; i++)
		state->iters[i] = -1;
	state->layout.is_svm = !strcmp(run__isa(), "svm");
	print = libbpf_set_print(print_nothing);
	err = load(state, what);
	libbpf_set_print(print);
	if (err)
		vmstate__close(state);
	else
		*out = state;
	return err;
}

void vmstate__close(struct vmstate *state)
{
	int i;

	for (i = 0; state && i < STATE_READS; i++)
		if (state->iters[i] >= 0)
			close(state->iters[i]);
	free(state);
}

const struct state_layout *vmstate__layout(const struct vmstate *state)
{
	return &state->layout;
}

const int *vmstate__fds(const struct vmstate *state)
{
	return state->iters;
}

/* Takes the largest of the vCPUs' numbers; of flags, those that any vCPU has */
static void take_value(struct vm_state *vm, size_t state, __u64 value)
{
	if (state == STATE_HCR)
		vm->values[state] |= value;
	else if (value > vm->values[state])
		vm->values[state] = value;
}

/* The VM to which a file belongs. A process has few VMs. NULL: no memory. */
static struct vm_state *find_vm(struct vm_states *states, const struct kvm_file *file)
{
	struct vm_state *grown;
	size_t i;

	for (i = states->nr; i > 0; i--)
		if (states->vms[i - 1].pid == file->pid && states->vms[i - 1].vm == file->vm)
			return &states->vms[i - 1];
	grown = array_grow(states->vms, &states->room, states->nr, sizeof(*grown));
	if (!grown)
		return NULL;
	states->vms = grown;
	states->vms[states->nr] = (struct vm_state){ .pid = file->pid, .vm = file->vm };
	return &states->vms[states->nr++];
}

static int take_file(struct vm_states *states, const struct kvm_file *file)
{
	struct vm_state *vm = find_vm(states, file);
	size_t i;

	if (!vm)
		return -ENOMEM;
	vm->nr_vcpus += file->of_vcpu;
	for (i = 0; i < NR_STATES; i++)
		if (file->of_vcpu == is_of_vcpu(i))
			take_value(vm, i, file->values[i]);
	return 0;
}

static int read_files(int iter, struct vm_states *states)
{
	struct kvm_file files[16];
	size_t have = 0, i;
	ssize_t n;
	int err = 0;

	/* EAGAIN: the kernel looked at a million open files that are not KVM's */
	while ((n = read(iter, (char *)files + have, sizeof(files) - have)) > 0 ||
	       (n < 0 && (errno == EAGAIN || errno == EINTR))) {
		have += n > 0 ? n : 0;
		for (i = 0; (i + 1) * sizeof(*files) <= have && !err; i++)
			err = take_file(states, &files[i]);
		have -= i * sizeof(*files);
		memmove(files, &files[i], have);
		if (err)
			return err;
	}
	return n < 0 ? -errno : 0;
}

static int compare_vms(const void *a, const void *b)
{
	const struct vm_state *x = a, *y = b;

	return x->pid != y->pid ? THREE_WAY(x->pid, y->pid) : THREE_WAY(x->vm, y->vm);
}

int vmstate__read(struct vmstate *state, struct vm_states *states)
{
	int i, err;

	*states = (struct vm_states){ 0 };
	for (i = 0; i < STATE_READS - 1 && state->iters[i] < 0; i++)
		;
	if (state->iters[i] < 0)
		return -EBADF;
	err = read_files(state->iters[i], states);
	close(state->iters[i]);
	state->iters[i] = -1;
	if (states->nr)
		qsort(states->vms, states->nr, sizeof(*states->vms), compare_vms);
	return err;
}

void vm_states__free(struct vm_states *states)
{
	free(states->vms);
	*states = (struct vm_states){ 0 };
}

bool vm_states__have(const struct vm_states *states, __u32 pid)
{
	size_t i;

	for (i = 0; i < states->nr; i++)
		if (states->vms[i].pid == pid)
			return true;
	return false;
}
