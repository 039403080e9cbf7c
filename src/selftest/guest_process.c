// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "selftest/guest_process.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/privileges.h"
#include "lib/util.h"

/* How long a VM may take for its known exits */
#define PATIENCE_MS 15000

/* One byte is the order; the same byte comes back when it is done */
enum {
	PLAY = 'p',
	CLEAR = 'c',
};

/* ---- the process that runs guests ---- */

struct player {
	pthread_t thread;
	struct guest_vcpu vcpu;
	struct played *played;
	int index;
};

static struct {
	struct stage_memory *shared;
	struct guest guest;
	struct guest_vm vm;
	struct player players[STAGE_VCPUS];
	pthread_barrier_t ready, done, over;
} act;

static int keep_why(char *why, size_t size, int err)
{
	if (err)
		snprintf(why, size, "%s", guest__why());
	return err;
}

static void stay_here(void)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	sched_setaffinity(0, sizeof(here), &here);
}

static int run_to_the_end(struct player *player)
{
	struct guest_vcpu *vcpu = &player->vcpu;
	int err = 0;

	player->played->begun = now_ns();
	while (!err && !vcpu->done) {
		err = guest_vcpu__run(vcpu);
		if (vcpu->run_calls == 1)
			player->played->returned = now_ns();
	}
	return err;
}

static void keep_score(struct player *player)
{
	const struct guest_vcpu *vcpu = &player->vcpu;
	struct played *played = player->played;

	for (int kind = 0; kind < NR_KINDS; kind++) {
		played->left[kind] = vcpu->left[kind];
		played->returns += vcpu->seen[kind];
	}
	played->exits = guest_vcpu__exits(vcpu);
	played->run_ns = vcpu->run_ns;
}

static void *player_main(void *arg)
{
	struct player *player = arg;
	struct played *played = player->played;
	int err;

	*played = (struct played){ .tid = gettid() };
	if (act.shared->plan.pinned)
		stay_here();
	err = guest_vcpu__create(&player->vcpu, &act.vm, player->index);
	played->err = keep_why(played->why, sizeof(played->why), err);
	pthread_barrier_wait(&act.ready);
	if (!err) {
		played->err = keep_why(played->why, sizeof(played->why), run_to_the_end(player));
		keep_score(player);
	}
	pthread_barrier_wait(&act.done);
	pthread_barrier_wait(&act.over);
	if (!err)
		guest_vcpu__destroy(&player->vcpu);
	return NULL;
}

/* 0 or -errno. If a thread is missing, the caller ends the process: others would wait for it. */
static int play(void)
{
	const struct plan *plan = &act.shared->plan;
	int err;

	memcpy(act.guest.counts, plan->counts, sizeof(plan->counts));
	act.guest.vcpus = plan->vcpus;
	err = guest__prepare(&act.guest);
	if (!err)
		err = guest_vm__create(&act.vm, &act.guest);
	if (keep_why(act.shared->why, sizeof(act.shared->why), err))
		return err;
	pthread_barrier_init(&act.ready, NULL, plan->vcpus);
	pthread_barrier_init(&act.done, NULL, plan->vcpus + 1);
	pthread_barrier_init(&act.over, NULL, plan->vcpus + 1);
	for (int i = 0; i < plan->vcpus; i++) {
		struct player *player = &act.players[i];

		player->index = i;
		player->played = &act.shared->played[i];
		err = -pthread_create(&player->thread, NULL, player_main, player);
		if (err) {
			snprintf(act.shared->why, sizeof(act.shared->why), "a thread: %s",
				 strerror(-err));
			return err;
		}
	}
	pthread_barrier_wait(&act.done);
	return 0;
}

static void clear(void)
{
	pthread_barrier_wait(&act.over);
	for (int i = 0; i < act.guest.vcpus; i++)
		pthread_join(act.players[i].thread, NULL);
	guest_vm__destroy(&act.vm);
}

/* Does not return */
static void serve(int fd)
{
	char what;

	while (read(fd, &what, 1) == 1) {
		if (what == CLEAR)
			clear();
		else
			act.shared->err = play();
		if (write(fd, &what, 1) != 1 || act.shared->err)
			break;
	}
	_exit(0);
}

/* Does not return. This process has nothing but the guest: no other files, no privileges. */
static void stage_main(struct stage_memory *shared, int fd, pid_t parent)
{
	char done = 0;
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	act.shared = shared;
	err = guest__open(&act.guest);
	keep_why(shared->why, sizeof(shared->why), err);
	if (!err)
		err = guest__prepare(&act.guest);
	if (!err) {
		shared->isa = machine__isa;
		err = privileges__drop_capabilities();
		if (err)
			snprintf(shared->why, sizeof(shared->why), "dropping capabilities: %s",
				 strerror(-err));
	}
	shared->err = err;
	if (write(fd, &done, 1) != 1 || err)
		_exit(0);
	serve(fd);
}

/* ---- the one that tells it ---- */

static int fail(struct stage *stage, int err, const char *why)
{
	snprintf(stage->shared->why, sizeof(stage->shared->why), "%s", why);
	return err;
}

static int wait_for_answer(struct stage *stage)
{
	struct pollfd p = { .fd = stage->fd, .events = POLLIN };
	char c;

	if (poll(&p, 1, PATIENCE_MS) == 0)
		return fail(stage, -ETIME, "the guest does not finish");
	if (read(stage->fd, &c, 1) != 1)
		return fail(stage, -EPIPE, "the process that runs the guest has died");
	return stage->shared->err;
}

static int tell(struct stage *stage, char what)
{
	if (write(stage->fd, &what, 1) != 1)
		return fail(stage, -EPIPE, "the process that runs the guest has died");
	return wait_for_answer(stage);
}

int stage__open(struct stage *stage)
{
	pid_t parent = getpid();
	int fds[2];

	stage->pid = 0;
	stage->fd = -1;
	stage->shared = mmap(NULL, sizeof(*stage->shared), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (stage->shared == MAP_FAILED) {
		stage->shared = NULL;
		return -errno;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return fail(stage, -errno, strerror(errno));
	stage->pid = fork();
	if (stage->pid == 0) {
		close(fds[0]);
		stage_main(stage->shared, fds[1], parent);
	}
	close(fds[1]);
	stage->fd = fds[0];
	if (stage->pid < 0)
		return fail(stage, -errno, strerror(errno));
	return wait_for_answer(stage);
}

int stage__play(struct stage *stage, const struct plan *plan)
{
	memset(stage->shared->played, 0, sizeof(stage->shared->played));
	stage->shared->plan = *plan;
	return tell(stage, PLAY);
}

int stage__clear(struct stage *stage)
{
	return tell(stage, CLEAR);
}

void stage__close(struct stage *stage)
{
	if (stage->pid > 0) {
		kill(stage->pid, SIGKILL);
		waitpid(stage->pid, NULL, 0);
	}
	if (stage->shared && stage->fd >= 0)
		close(stage->fd);
	if (stage->shared)
		munmap(stage->shared, sizeof(*stage->shared));
}
