// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Guests that exit a known number of times (src/selftest/guest.h), in every constellation of
 * processes, VMs, threads and vCPUs: what a counter of exits must show.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest_slow.h"

/* A vCPU, and the VM it belongs to */
struct seat {
	struct guest_vcpu vcpu;
	const struct guest_vm *vm;
	int index; /* of the VM, and of the vCPU in it */
	int vm_index;
	pthread_mutex_t lock; /* with -M */
	uint64_t waited[3]; /* ns, with -W: before the first KVM_RUN, after it, before the last */
};

/* A thread and the vCPUs it runs: one, or with -1 or -q all of a VM. */
struct worker {
	pthread_t thread;
	struct seat *seats;
	int nr_vcpus, cpu;
};

static struct guest guest = { .vcpus = 1 };
static struct {
	int vms, processes, rounds, roam;
	bool hop, single, sequence, yield, wait, keep, waiting;
	const char *name;
	unsigned int slow; /* guest_slow.h */
} opt = { .vms = 1, .processes = 1, .rounds = 1 };

static int round_nr;
static int go_fd = STDIN_FILENO, stop_fd = STDIN_FILENO;
static cpu_set_t online;
static pthread_barrier_t ready, go, finished, stop;
static pid_t *tids;

/* ---- running ---- */

/* Ends the program where that failed */
static void check(int err)
{
	if (err)
		errx(err == -ENOTSUP ? 64 : 1, "cannot run a guest here: %s", guest__why());
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* How long this thread has waited for a CPU by the scheduler's own account, ns */
static uint64_t waited_ns(void)
{
	FILE *f = fopen("/proc/thread-self/schedstat", "r");
	unsigned long long ns;

	if (!f || fscanf(f, "%*s %llu", &ns) != 1)
		err(1, "schedstat");
	fclose(f);
	return ns;
}

/* What waiting is sure to be between the first exit and the last, and at most */
static int seat__print_waiting(const struct seat *seat, char *line, size_t size)
{
	return snprintf(line, size, ",\"waited_ns\":[%llu,%llu]",
			(unsigned long long)(seat->waited[2] - seat->waited[1]),
			(unsigned long long)(waited_ns() - seat->waited[0]));
}

static void seat__report(const struct seat *seat)
{
	const struct guest_vcpu *vcpu = &seat->vcpu;
	char line[1024];
	int n;

	n = snprintf(line, sizeof(line),
		     "{\"pid\":%d,\"vm\":%d,\"vcpu\":%d,\"tid\":%d,\"isa\":\"%s\"", getpid(),
		     seat->vm_index, guest.first_id + seat->index, gettid(), machine__isa);
	for (int kind = 0; kind < NR_KINDS; kind++)
		n += snprintf(line + n, sizeof(line) - n, ",\"%s\":%llu", kind_names[kind],
			      (unsigned long long)guest.counts[kind]);
	if (opt.waiting)
		n += seat__print_waiting(seat, line + n, sizeof(line) - n);
	n += snprintf(line + n, sizeof(line) - n,
		      ",\"nap\":%u,\"run_calls\":%llu,\"run_ns\":%llu,\"round\":%d}\n", guest.nap,
		      (unsigned long long)vcpu->run_calls, (unsigned long long)vcpu->run_ns,
		      round_nr);
	/* one write: threads and processes share the output */
	if (write(STDOUT_FILENO, line, n) != n)
		err(1, "standard output");
}

/* ---- threads ---- */

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

static void seat__run(struct seat *seat)
{
	bool first = !seat->vcpu.run_calls;

	if (opt.waiting && first)
		seat->waited[0] = waited_ns();
	check(guest_vcpu__run(&seat->vcpu));
	slow__return(opt.slow, &seat->vcpu);
	if (seat->vcpu.done)
		seat__report(seat);
	else if (opt.waiting)
		seat->waited[first ? 1 : 2] = waited_ns();
}

static void seat__run_locked(struct seat *seat)
{
	pthread_mutex_lock(&seat->lock);
	if (seat->vcpu.done)
		usleep(100);
	else
		seat__run(seat);
	pthread_mutex_unlock(&seat->lock);
}

/* As a VMM without a thread for each vCPU: they all move on every @opt.roam ms */
static void worker__roam(const struct worker *worker)
{
	struct seat *first = worker->seats - worker->seats->index;
	uint64_t start = now_ns();
	int left;

	do {
		uint64_t moves = (now_ns() - start) / (opt.roam * 1000000ull);

		seat__run_locked(&first[(worker->seats->index + moves) % guest.vcpus]);
		left = 0;
		for (int i = 0; i < guest.vcpus; i++)
			left += !__atomic_load_n(&first[i].vcpu.done, __ATOMIC_RELAXED);
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
		if (worker->seats[i].vcpu.done)
			continue;
		seat__run(&worker->seats[i]);
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
		worker__set_name(guest.first_id + worker->seats->index);
	for (int i = 0; i < worker->nr_vcpus; i++) {
		struct seat *seat = &worker->seats[i];

		check(guest_vcpu__create(&seat->vcpu, seat->vm, seat->index));
		slow__vcpu(opt.slow, &seat->vcpu);
		tids[seat->vm_index * guest.vcpus + seat->index] = gettid();
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
		guest_vcpu__destroy(&worker->seats[i].vcpu);
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
	for (int i = 0; i < opt.vms * guest.vcpus; i++)
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

static void workers__start(struct worker *workers, struct seat *seats, const struct guest_vm *vms)
{
	int nr_vcpus = opt.vms * guest.vcpus, share = opt.single ? guest.vcpus : 1;
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	for (int i = 0; i < nr_vcpus; i++) {
		seats[i].vm_index = i / guest.vcpus;
		seats[i].vm = &vms[seats[i].vm_index];
		seats[i].index = i % guest.vcpus;
		pthread_mutex_init(&seats[i].lock, NULL);
	}
	for (int i = 0; i < nr_vcpus / share; i++) {
		workers[i] =
			(struct worker){ .seats = &seats[i * share], .nr_vcpus = share, .cpu = i };
		errno = pthread_create(&workers[i].thread, &attr, worker__main, &workers[i]);
		if (errno)
			err(1, "cannot start a thread");
	}
	pthread_attr_destroy(&attr);
}

static void play_round(bool first, bool last)
{
	int nr_vcpus = opt.vms * guest.vcpus;
	int nr_workers = opt.single ? opt.vms : nr_vcpus;
	pthread_barrier_t *const barriers[] = { &ready, &go, &finished, &stop };
	struct guest_vm *vms = allocate(opt.vms, sizeof(*vms));
	struct seat *seats = allocate(nr_vcpus, sizeof(*seats));
	struct worker *workers = allocate(nr_workers, sizeof(*workers));

	for (int i = 0; i < 4; i++)
		pthread_barrier_init(barriers[i], NULL, nr_workers + 1);
	for (int i = 0; i < opt.vms; i++) {
		check(guest_vm__create(&vms[i], &guest));
		slow__vm(opt.slow, &vms[i]);
	}
	workers__start(workers, seats, vms);
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
		guest_vm__destroy(&vms[i]);
	for (int i = 0; i < 4; i++)
		pthread_barrier_destroy(barriers[i]);
	free(workers);
	free(seats);
	free(vms);
}

static void play(void)
{
	guest.features = slow__features(opt.slow);
	check(guest__open(&guest));
	check(guest__prepare(&guest));
	tids = allocate((size_t)opt.vms * guest.vcpus, sizeof(*tids));
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
	      "  -s USEC       sleep at every hlt, on arm64 mmio; how long idle takes\n"
	      "  -w            print the thread ids, wait for a line on standard input\n"
	      "  -k            keep the VMs when done until end of input or SIGTERM\n"
	      "  -W            print how long each thread waited for a CPU, at least and at most\n"
	      "  -V ID         id of each VM's first vCPU (0)\n"
	      "  -n NAME       name the threads, %d for the vCPU's id: \"CPU %d/KVM\"\n"
	      "  -S SETTING    slow it down by this, and print whether it was taken:",
	      stderr);
	slow__list();
	fputs("\nkinds:", stderr);
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

/* How often */
static uint64_t parse_kind(const char *arg)
{
	for (int kind = 0; kind < NR_KINDS; kind++) {
		size_t len = strlen(kind_names[kind]);

		if (strncmp(arg, kind_names[kind], len) || arg[len] != '=')
			continue;
		guest.counts[kind] = parse_number(arg + len + 1, 0, 1ULL << 40);
		return guest.counts[kind];
	}
	errx(64, "no such kind: '%s'", arg);
}

static void parse_options(int argc, char **argv)
{
	bool any = false;
	int c;

	while ((c = getopt(argc, argv, "m:v:p:r:s:V:n:M:S:1qHywkW")) != -1) {
		switch (c) {
		case 'm':
			opt.vms = parse_number(optarg, 1, 4096);
			break;
		case 'v':
			guest.vcpus = parse_number(optarg, 1, 4096);
			break;
		case 'p':
			opt.processes = parse_number(optarg, 1, 4096);
			break;
		case 'r':
			opt.rounds = parse_number(optarg, 1, 1000000);
			break;
		case 's':
			guest.nap = parse_number(optarg, 0, 999999);
			break;
		case 'V':
			guest.first_id = parse_number(optarg, 0, 4095);
			break;
		case 'n':
			opt.name = optarg;
			break;
		case 'S':
			opt.slow |= slow__parse(optarg);
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
		case 'W':
			opt.waiting = true;
			break;
		default:
			usage();
		}
	}
	for (; optind < argc; optind++)
		any |= parse_kind(argv[optind]) > 0;
	if (!any)
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
