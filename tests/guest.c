// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Guests that exit a known number of times: what a counter of exits must show.
 * Every vCPU starts in 64-bit mode and does each KIND exactly COUNT times, one
 * of each in turn, then ends with a triple fault (x86) or a store (arm64). There is
 * no interrupt controller, so HLT returns to user space; but with icr or deadline,
 * which KVM handles on its fast path, there is one, and no hlt.
 *
 *   kind       SVM exit    VMX exit                       seen by user space
 *   io         io          IO_INSTRUCTION                 yes
 *   cpuid      cpuid       CPUID                          -
 *   rdmsr      msr         MSR_READ                       -
 *   wrmsr      msr         MSR_WRITE                      -
 *   hypercall  hypercall   VMCALL                         -
 *   mmio       npf         EPT_VIOLATION first in a VM,   yes
 *                          then EPT_MISCONFIG
 *   hlt        hlt         HLT                            yes
 *   ud         UD          EXCEPTION_NMI                  -
 *   pause      -           -  (a filter would have to be filled)
 *   nested     vmrun, and  -  (SVM only)                  -
 *              cpuid of L2
 *   icr        msr         MSR_WRITE                      -
 *   deadline   msr         MSR_WRITE                      -
 *   the end    shutdown    TRIPLE_FAULT, 1                yes
 *
 * as the kernel's kvm_exit lines name them. First touches of guest memory add
 * 5 npf or EPT_VIOLATION to a VM (7 with ud), and one for each vCPU after the
 * first; now and then more, when several touch a page at once. Interrupts
 * (interrupt, EXTERNAL_INTERRUPT) come as they do.
 *
 *   kind       arm64
 *   mmio       DABT_LOW    yes
 *   sysreg     SYS64       -
 *   hvc        HVC64       -
 *   iabt       IABT_LOW    -  (and goes back to the guest)
 *   wfi        WFx, or nothing where an interrupt is due; a timer goes on with it
 *   the end    DABT_LOW, 1 yes
 *
 * First touches add 1 DABT_LOW for each vCPU and 2 IABT_LOW to a VM.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

/* A thread and the vCPUs it runs: one, or with -1 or -q all of a VM. */
struct worker {
	pthread_t thread;
	struct vcpu *vcpus;
	int nr_vcpus, cpu;
};

struct guest_options opt = { .vms = 1, .vcpus = 1, .processes = 1, .rounds = 1 };
int kvm_fd;

static int run_size, round_nr;
static int go_fd = STDIN_FILENO, stop_fd = STDIN_FILENO;
static cpu_set_t online;
static pthread_barrier_t ready, go, finished, stop;
static pid_t *tids;

/* ---- a VM and its vCPUs ---- */

int kvm_ioctl(int fd, unsigned long request, const char *what, unsigned long arg)
{
	int ret = ioctl(fd, request, arg);

	if (ret < 0)
		err(1, "cannot run a guest here: %s", what);
	return ret;
}

static void kvm__open(void)
{
	kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm_fd < 0)
		err(1, "cannot run a guest here: /dev/kvm");
	run_size = KVM(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	machine__open();
}

static void vm__create(struct vm *vm, int index)
{
	struct kvm_userspace_memory_region region = { .memory_size = machine__memory_size() };

	vm->index = index;
	vm->fd = KVM(kvm_fd, KVM_CREATE_VM, 0);
	vm->memory = mmap(NULL, region.memory_size, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (vm->memory == MAP_FAILED)
		err(1, "guest memory");
	machine__set_up_vm(vm);
	region.userspace_addr = (uintptr_t)vm->memory;
	KVM(vm->fd, KVM_SET_USER_MEMORY_REGION, &region);
}

static void vm__destroy(struct vm *vm)
{
	close(vm->fd);
	munmap(vm->memory, machine__memory_size());
}

static void vcpu__create(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	vcpu->fd = KVM(vm->fd, KVM_CREATE_VCPU, opt.first_id + vcpu->index);
	vcpu->run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		err(1, "vCPU state");
	vcpu->left = (uint64_t *)(vm->memory + DATA + (size_t)vcpu->index * PAGE);
	memcpy(vcpu->left, opt.counts, sizeof(opt.counts));
	machine__set_up(vcpu);
}

static void vcpu__destroy(struct vcpu *vcpu)
{
	munmap(vcpu->run, run_size);
	close(vcpu->fd);
}

/* ---- running ---- */

void vcpu__finish(struct vcpu *vcpu)
{
	for (int kind = 0; kind < NR_KINDS; kind++) {
		if (vcpu->left[kind])
			errx(1, "the guest died with %llu %s to go",
			     (unsigned long long)vcpu->left[kind], kind_names[kind]);
		if (machine__shows[kind] && vcpu->seen[kind] != opt.counts[kind])
			errx(1, "%s: %llu seen by user space", kind_names[kind],
			     (unsigned long long)vcpu->seen[kind]);
	}
	vcpu->done = true;
}

static void vcpu__handle_exit(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	if (machine__handle_exit(vcpu))
		return;
	switch (run->exit_reason) {
	case KVM_EXIT_INTR:
		break;
	case KVM_EXIT_FAIL_ENTRY:
		errx(1, "cannot run this guest here: entry failed, reason %#llx",
		     (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
	case KVM_EXIT_INTERNAL_ERROR:
		errx(1, "cannot run this guest here: KVM internal error %u",
		     run->internal.suberror);
	default:
		errx(1, "cannot run this guest here: KVM exit reason %u", run->exit_reason);
	}
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static void vcpu__run(struct vcpu *vcpu)
{
	uint64_t start = now_ns();
	int ret = ioctl(vcpu->fd, KVM_RUN, 0);

	vcpu->run_ns += now_ns() - start;
	vcpu->run_calls++;
	if (ret == 0)
		vcpu__handle_exit(vcpu);
	else if (errno != EINTR && errno != EAGAIN)
		err(1, "cannot run this guest here: KVM_RUN");
}

static void vcpu__report(const struct vcpu *vcpu)
{
	char line[1024];
	int n;

	n = snprintf(line, sizeof(line),
		     "{\"pid\":%d,\"vm\":%d,\"vcpu\":%d,\"tid\":%d,\"isa\":\"%s\"", getpid(),
		     vcpu->vm->index, opt.first_id + vcpu->index, gettid(), machine__isa);
	for (int kind = 0; kind < NR_KINDS; kind++)
		n += snprintf(line + n, sizeof(line) - n, ",\"%s\":%llu", kind_names[kind],
			      (unsigned long long)opt.counts[kind]);
	n += snprintf(line + n, sizeof(line) - n,
		      ",\"run_calls\":%llu,\"run_ns\":%llu,\"round\":%d}\n",
		      (unsigned long long)vcpu->run_calls, (unsigned long long)vcpu->run_ns,
		      round_nr);
	/* one write: threads and processes share the output */
	if (write(STDOUT_FILENO, line, n) != n)
		err(1, "standard output");
}

static void worker__hop(struct worker *worker)
{
	cpu_set_t one;

	do
		worker->cpu = (worker->cpu + 1) % CPU_SETSIZE;
	while (!CPU_ISSET(worker->cpu, &online));
	CPU_ZERO(&one);
	CPU_SET(worker->cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		err(1, "sched_setaffinity");
}

static void vcpu__run_locked(struct vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->lock);
	if (vcpu->done) {
		usleep(100);
	} else {
		vcpu__run(vcpu);
		if (vcpu->done)
			vcpu__report(vcpu);
	}
	pthread_mutex_unlock(&vcpu->lock);
}

/* As a VMM without a thread for each vCPU: they all move on every @opt.roam ms */
static void worker__roam(const struct worker *worker)
{
	struct vcpu *first = worker->vcpus - worker->vcpus->index;
	uint64_t start = now_ns();
	int left;

	do {
		uint64_t moves = (now_ns() - start) / (opt.roam * 1000000ull);

		vcpu__run_locked(&first[(worker->vcpus->index + moves) % opt.vcpus]);
		left = 0;
		for (int i = 0; i < opt.vcpus; i++)
			left += !__atomic_load_n(&first[i].done, __ATOMIC_RELAXED);
	} while (left);
}

/*
 * One KVM_RUN for each vCPU not done, with -q for the first of them: how many
 * there were.
 */
static int worker__turn(struct worker *worker)
{
	int ran = 0;

	for (int i = 0; i < worker->nr_vcpus; i++) {
		struct vcpu *vcpu = &worker->vcpus[i];

		if (vcpu->done)
			continue;
		vcpu__run(vcpu);
		if (vcpu->done)
			vcpu__report(vcpu);
		if (opt.yield)
			sched_yield();
		ran++;
		if (opt.sequence)
			break;
	}
	return ran;
}

/* NAME with the vCPU's id for its %d */
static void worker__set_name(int id)
{
	const char *at = strstr(opt.name, "%d");
	char name[64];

	if (at)
		snprintf(name, sizeof(name), "%.*s%d%s", (int)(at - opt.name), opt.name, id,
			 at + 2);
	else
		snprintf(name, sizeof(name), "%s", opt.name);
	prctl(PR_SET_NAME, name);
}

static void *worker__main(void *arg)
{
	struct worker *worker = arg;
	unsigned int turns = 0;

	if (opt.name)
		worker__set_name(opt.first_id + worker->vcpus->index);
	for (int i = 0; i < worker->nr_vcpus; i++) {
		struct vcpu *vcpu = &worker->vcpus[i];

		vcpu__create(vcpu);
		tids[vcpu->vm->index * opt.vcpus + vcpu->index] = gettid();
	}
	pthread_barrier_wait(&ready);
	pthread_barrier_wait(&go);
	if (opt.roam)
		worker__roam(worker);
	while (worker__turn(worker))
		if (opt.hop && ++turns % 100 == 0)
			worker__hop(worker);
	pthread_barrier_wait(&finished);
	pthread_barrier_wait(&stop);
	for (int i = 0; i < worker->nr_vcpus; i++)
		vcpu__destroy(&worker->vcpus[i]);
	return NULL;
}

/* ---- threads, processes, rounds ---- */

static void wait_for(int fd, bool line)
{
	char c;

	while (read(fd, &c, 1) == 1)
		if (line && c == '\n')
			return;
}

static void print_ready(void)
{
	printf("{\"ready\":true,\"pid\":%d,\"tids\":[", getpid());
	for (int i = 0; i < opt.vms * opt.vcpus; i++)
		printf("%s%d", i ? "," : "", tids[i]);
	puts("]}");
	if (fflush(stdout))
		err(1, "standard output");
}

static void *allocate(size_t nr, size_t size)
{
	void *memory = calloc(nr, size);

	if (!memory)
		err(1, "memory");
	return memory;
}

static void workers__start(struct worker *workers, struct vcpu *vcpus, struct vm *vms)
{
	int nr_vcpus = opt.vms * opt.vcpus, share = opt.single ? opt.vcpus : 1;
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	for (int i = 0; i < nr_vcpus; i++) {
		vcpus[i].vm = &vms[i / opt.vcpus];
		vcpus[i].index = i % opt.vcpus;
		pthread_mutex_init(&vcpus[i].lock, NULL);
	}
	for (int i = 0; i < nr_vcpus / share; i++) {
		workers[i] =
			(struct worker){ .vcpus = &vcpus[i * share], .nr_vcpus = share, .cpu = i };
		errno = pthread_create(&workers[i].thread, &attr, worker__main, &workers[i]);
		if (errno)
			err(1, "cannot start a thread");
	}
	pthread_attr_destroy(&attr);
}

static void play_round(bool first, bool last)
{
	int nr_vcpus = opt.vms * opt.vcpus;
	int nr_workers = opt.single ? opt.vms : nr_vcpus;
	pthread_barrier_t *const barriers[] = { &ready, &go, &finished, &stop };
	struct vm *vms = allocate(opt.vms, sizeof(*vms));
	struct vcpu *vcpus = allocate(nr_vcpus, sizeof(*vcpus));
	struct worker *workers = allocate(nr_workers, sizeof(*workers));

	for (int i = 0; i < 4; i++)
		pthread_barrier_init(barriers[i], NULL, nr_workers + 1);
	for (int i = 0; i < opt.vms; i++)
		vm__create(&vms[i], i);
	workers__start(workers, vcpus, vms);
	pthread_barrier_wait(&ready);
	if (first && opt.wait) {
		print_ready();
		wait_for(go_fd, true);
	}
	pthread_barrier_wait(&go);
	pthread_barrier_wait(&finished);
	if (last && opt.keep)
		wait_for(stop_fd, false);
	pthread_barrier_wait(&stop);

	for (int i = 0; i < nr_workers; i++)
		pthread_join(workers[i].thread, NULL);
	for (int i = 0; i < opt.vms; i++)
		vm__destroy(&vms[i]);
	for (int i = 0; i < 4; i++)
		pthread_barrier_destroy(barriers[i]);
	free(workers);
	free(vcpus);
	free(vms);
}

static void play(void)
{
	kvm__open();
	tids = allocate((size_t)opt.vms * opt.vcpus, sizeof(*tids));
	for (round_nr = 0; round_nr < opt.rounds; round_nr++)
		play_round(round_nr == 0, round_nr == opt.rounds - 1);
}

/* The processes cannot share standard input: closing a pipe tells them all. */
static int play_in_processes(void)
{
	int go_pipe[2], stop_pipe[2], status, failed = 0;

	if (pipe(go_pipe) || pipe(stop_pipe))
		err(1, "pipe");
	for (int i = 0; i < opt.processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			err(1, "fork");
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			close(go_pipe[1]);
			close(stop_pipe[1]);
			go_fd = go_pipe[0];
			stop_fd = stop_pipe[0];
			play();
			exit(0);
		}
	}
	if (opt.wait)
		wait_for(STDIN_FILENO, true);
	close(go_pipe[1]);
	if (opt.keep)
		wait_for(STDIN_FILENO, false);
	close(stop_pipe[1]);
	while (wait(&status) > 0)
		failed |= status;
	return failed ? 1 : 0;
}

static void on_term(int signal)
{
	(void)signal;
	_exit(0);
}

/* ---- command line ---- */

static void usage(void)
{
	fputs("usage: guest [OPTION]... KIND=COUNT...\n"
	      "  -m VMS        virtual machines (1)\n"
	      "  -v VCPUS      vCPUs of each, a thread per vCPU (1)\n"
	      "  -p PROCESSES  all that in so many processes (1)\n"
	      "  -r ROUNDS     again and again, with new VMs and threads (1)\n"
	      "  -1            one thread runs all vCPUs of a VM in turn\n"
	      "  -q            one thread runs all vCPUs of a VM, one after the other\n"
	      "  -M MSEC       a VM's vCPUs move from thread to thread so often\n"
	      "  -H            threads hop from CPU to CPU, every 100 returns to user space\n"
	      "  -y            yield the CPU at every return to user space\n"
	      "  -s USEC       sleep at every hlt\n"
	      "  -w            print the thread ids, wait for a line on standard input\n"
	      "  -k            keep the VMs when done until end of input or SIGTERM\n"
	      "  -V ID         id of each VM's first vCPU (0)\n"
	      "  -n NAME       name the threads, %d for the vCPU's id: \"CPU %d/KVM\"\n"
	      "kinds:",
	      stderr);
	for (int kind = 0; kind < NR_KINDS; kind++)
		fprintf(stderr, " %s", kind_names[kind]);
	fputc('\n', stderr);
	exit(64);
}

static uint64_t parse_number(const char *text, uint64_t min, uint64_t max)
{
	char *end;
	uint64_t number;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || number < min || number > max)
		errx(64, "not a number from %llu to %llu: '%s'", (unsigned long long)min,
		     (unsigned long long)max, text);
	return number;
}

static void parse_kind(const char *arg)
{
	for (int kind = 0; kind < NR_KINDS; kind++) {
		size_t len = strlen(kind_names[kind]);

		if (strncmp(arg, kind_names[kind], len) || arg[len] != '=')
			continue;
		opt.counts[kind] = parse_number(arg + len + 1, 0, 1ULL << 40);
		if (opt.counts[kind] > opt.loops)
			opt.loops = opt.counts[kind];
		return;
	}
	warnx("no such kind: '%s'", arg);
	usage();
}

static void parse_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "m:v:p:r:s:V:n:M:1qHywk")) != -1) {
		switch (c) {
		case 'm':
			opt.vms = parse_number(optarg, 1, 4096);
			break;
		case 'v':
			opt.vcpus = parse_number(optarg, 1, 4096);
			break;
		case 'p':
			opt.processes = parse_number(optarg, 1, 4096);
			break;
		case 'r':
			opt.rounds = parse_number(optarg, 1, 1000000);
			break;
		case 's':
			opt.nap = parse_number(optarg, 0, 999999);
			break;
		case 'V':
			opt.first_id = parse_number(optarg, 0, 4095);
			break;
		case 'n':
			opt.name = optarg;
			break;
		case 'M':
			opt.roam = parse_number(optarg, 1, 60000);
			break;
		case '1':
			opt.single = true;
			break;
		case 'q':
			opt.single = opt.sequence = true;
			break;
		case 'H':
			opt.hop = true;
			break;
		case 'y':
			opt.yield = true;
			break;
		case 'w':
			opt.wait = true;
			break;
		case 'k':
			opt.keep = true;
			break;
		default:
			usage();
		}
	}
	for (; optind < argc; optind++)
		parse_kind(argv[optind]);
	if (!opt.loops)
		usage();
}

int main(int argc, char **argv)
{
	parse_options(argc, argv);
	if (sched_getaffinity(0, sizeof(online), &online))
		err(1, "sched_getaffinity");
	if (opt.keep)
		signal(SIGTERM, on_term);
	if (opt.processes > 1)
		return play_in_processes();
	play();
	return 0;
}
