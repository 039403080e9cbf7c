// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * hints OBJECT THREADS: how many of so many threads at once find themselves where
 * kvmexit looks first. Threads started here rename themselves a few times with
 * rename_direct attached. Prints "OWN NEXT NONE": those whose hint is in their own
 * set, in the next one because that is full, or nowhere.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "own.h"

enum {
	MAX_THREADS = 1 << 16,
	EVENTS = 3,
};

static pthread_barrier_t done;

static void *thread_main(void *arg)
{
	int i;

	for (i = 0; i < EVENTS; i++)
		prctl(PR_SET_NAME, "hints");
	pthread_barrier_wait(&done);
	for (;;)
		pause();
	return arg;
}

static void run_threads(int n)
{
	pthread_attr_t attr;
	pthread_t thread;
	int i;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	pthread_barrier_init(&done, NULL, n + 1);
	for (i = 0; i < n; i++)
		if (pthread_create(&thread, &attr, thread_main, NULL))
			errx(1, "cannot start thread %d", i);
	pthread_barrier_wait(&done);
}

/* How many sets one has to look at; 0: no hint */
static int place(const struct control *control, __u64 key)
{
	const __u32 first = hint_offset(key) / sizeof(struct hint);
	__u32 i;

	for (i = 0; i < 2 * NR_WAYS; i++)
		if (control->hints[(first + i) % (NR_SETS * NR_WAYS)].key == key)
			return i / NR_WAYS + 1;
	return 0;
}

int main(int argc, char **argv)
{
	int i, n = argc == 3 ? atoi(argv[2]) : 0, places[3] = { 0 };
	struct bpf_link *link;
	struct own own;

	if (n < 1 || n > MAX_THREADS)
		return EXIT_USAGE;
	own__load(&own, argv[1], "rename_direct", true, n, n, getpid());
	link = bpf_program__attach(own.prog);
	if (!link)
		err(1, "attaching");
	run_threads(n);
	bpf_link__destroy(link);
	for (i = 0; i < n; i++) {
		__u64 key = shared__slot(&own.shared, i)->key;

		if (!key)
			errx(1, "only %d threads have a slot", i);
		places[place(own.shared.control, key)]++;
	}
	printf("%d %d %d\n", places[1], places[2], places[0]);
	return 0;
}
