// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "app/options.h"

#include <argp.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/option_rules.h"
#include "commit.h"
#include "lib/terminal.h"
#include "lib/util.h"
#include "lib/version.h"
#include "names/reason_filter.h"
#include "probe/variants.h"
#include "snapshot/keys.h"

enum {
	KEY_MAX_VCPUS = 256,
	KEY_PROBE,
	KEY_LIST_REASONS,
	KEY_EXPLAIN,
	KEY_VERBOSE,
	KEY_USAGE,
	KEY_TOP,
	KEY_NO_CLEAR,
	KEY_VMS,
	KEY_TIME,
	KEY_DETAILS,
	KEY_DEVICES,
	KEY_METRICS,
	KEY_COMPACT,
	KEY_NODE,
	KEY_SELF_TEST,
	KEY_END,
};

static const struct argp_option argp_options[] = {
	{ NULL, 0, NULL, 0, "What to count:", 1 },
	{ "pid", 'p', "PID", 0, "One VM, its threads added up, most frequent reason first", 1 },
	{ "name", 'n', "VM", 0, "One VM by its name (see --list-vms), as with -p", 1 },
	{ "alltids", 'a', NULL, 0, "With -p or -n: a row per thread and reason", 1 },
	{ "vcpu", 'v', "VCPU", 0, "With -p or -n: this vCPU only", 1 },
	{ "v", 0, NULL, OPTION_ALIAS | OPTION_HIDDEN, NULL, 1 },
	{ "tid", 't', "TID", 0, "One thread, most frequent reason first", 1 },
	{ "tids", 'T', "TID,TID", 0, "These threads", 1 },
	{ "reason", 'r', "LIST", 0,
	  "These exit reasons only; !NAME: all but this; names in any case, * allowed, or codes",
	  1 },
	{ "time", KEY_TIME, NULL, 0,
	  "Also how long exits kept vCPUs out of their guests, and where that time went", 1 },
	{ "detail", KEY_DETAILS, "LIST", OPTION_ARG_OPTIONAL,
	  "Also what was behind each exit, or behind those of these reasons", 1 },
	{ "devices", KEY_DEVICES, "FILE", 0,
	  "With -p or -n: names for addresses and ports; FILE has QEMU's info mtree -f", 1 },
	{ NULL, 0, NULL, 0, "When and how to report:", 2 },
	{ "interval", 'i', "SEC", 0,
	  "Report every SEC seconds (or 500ms, 5m, 1h30m); on a terminal in place (h: the keys)",
	  2 },
	{ "count", 'c', "N", 0, "With -i: stop after N reports", 2 },
	{ "wide", 'w', NULL, 0, "A row per thread and reason, with vCPU and name of the VM", 2 },
	{ "group-by", 'g', "LIST", 0,
	  "A row for each of these, most active first: vm, vcpu, thread, reason, detail, or several",
	  2 },
	{ "top", KEY_TOP, "N", 0, "Show the top N rows and sum up the rest", 2 },
	{ "no-clear", KEY_NO_CLEAR, NULL, 0,
	  "With -i on a terminal: one report below the other, not in place", 2 },
	{ "json", 'j', NULL, 0, "Newline-delimited JSON instead of tables", 2 },
	{ "metrics", KEY_METRICS, "FILE", 0,
	  "Also keep FILE for node_exporter: totals since the start by VM and reason, or by -g",
	  2 },
	{ "compact", KEY_COMPACT, NULL, 0,
	  "With -j: a line per VM, or per row of -g, with its reasons in an object", 2 },
	{ "node", KEY_NODE, "NAME", 0,
	  "Name of this host in records and metrics (default: its node name)", 2 },
	{ "output", 'o', "FILE", 0, "Append to FILE instead of standard output; reopened on SIGHUP",
	  2 },
	{ "from", 'f', "FILE", 0,
	  "Report records of -j from FILE (or - for standard input), not this host", 2 },
	{ NULL, 0, NULL, 0, "How to count:", 3 },
	{ "max-vcpus", KEY_MAX_VCPUS, "N", 0, "Room for N vCPU threads (4096)", 3 },
	{ "probe", KEY_PROBE, "NAME", 0, "auto, direct, read, legacy or tracepoint (auto)", 3 },
	{ NULL, 0, NULL, 0, "Information:", -1 },
	{ "list-vms", KEY_VMS, NULL, 0,
	  "List the VMs of this host, their vCPUs and threads (with -j: as JSON)", -1 },
	{ "vms", 0, NULL, OPTION_ALIAS, NULL, -1 },
	{ "list-reasons", KEY_LIST_REASONS, NULL, 0,
	  "Print the known exit reasons with code and meaning (with -j: as JSON)", -1 },
	{ "explain", KEY_EXPLAIN, NULL, 0,
	  "Explain these REASONs, or all, with the settings of this host and its VMs; with "
	  "DURATION or -i: those that matter in the counts",
	  -1 },
	{ "self-test", KEY_SELF_TEST, NULL, 0,
	  "Count a small guest made for this: are counts exact here, and what do they cost", -1 },
	{ "verbose", KEY_VERBOSE, NULL, 0, "Tell on standard error what was chosen, and why", -1 },
	{ "help", 'h', NULL, 0, "Print this help", -1 },
	{ "usage", KEY_USAGE, NULL, 0, "Print a short usage message", -1 },
	{ "version", 'V', NULL, 0, "Print the version", -1 },
	{ 0 },
};

#define NOT_A_TIME "not a time such as 10, 0.5, 500ms, 5m or 1h30m"

static void need_uint(struct argp_state *state, const char *option, const char *text, __u64 min,
		      __u64 max, __u64 *out)
{
	int err = parse_uint(text, min, max, out);

	if (err == -ERANGE)
		argp_error(state, "%s %s: not between %llu and %llu", option, text, min, max);
	else if (err)
		argp_error(state, "%s %s: not a whole number", option, text);
}

static void need_time(struct argp_state *state, const char *option, const char *text, __u64 *out)
{
	int err = parse_duration(text, out);

	if (err == -ERANGE)
		argp_error(state, "%s %s: must be more than 0 and less than 100 years", option,
			   text);
	else if (err)
		argp_error(state, "%s %s: " NOT_A_TIME, option, text);
}

static int compare_tids(const void *a, const void *b)
{
	return THREE_WAY(((const struct task *)a)->tid, ((const struct task *)b)->tid);
}

static void sort_tids(struct options *o)
{
	size_t i, n = 0;

	qsort(o->selection.tids, o->selection.nr_tids, sizeof(*o->selection.tids), compare_tids);
	for (i = 0; i < o->selection.nr_tids; i++)
		if (!n || o->selection.tids[n - 1].tid != o->selection.tids[i].tid)
			o->selection.tids[n++] = o->selection.tids[i];
	o->selection.nr_tids = n;
}

static void need_tids(struct argp_state *state, const char *option, const char *list)
{
	struct options *o = state->input;
	const char *p = list;
	size_t room = 0;
	char *text;

	free(o->selection.tids);
	o->selection.tids = NULL;
	o->selection.nr_tids = 0;
	for (;;) {
		size_t len = strcspn(p, ",");
		__u64 tid = 0;
		struct task *grown;

		if (!len)
			argp_error(state, "%s %s: an empty TID", option, list);
		text = strndup(p, len);
		if (!text)
			argp_failure(state, EXIT_INTERNAL, ENOMEM, "%s", option);
		need_uint(state, option, text, 1, INT_MAX, &tid);
		free(text);
		grown = array_grow(o->selection.tids, &room, o->selection.nr_tids,
				   sizeof(*o->selection.tids));
		if (!grown)
			argp_failure(state, EXIT_INTERNAL, ENOMEM, "%s", option);
		o->selection.tids = grown;
		o->selection.tids[o->selection.nr_tids++] = (struct task){ .tid = tid };
		if (!p[len])
			break;
		p += len + 1;
	}
	sort_tids(o);
}

static void need_filter(struct argp_state *state, const char *option, const char *list,
			struct filter **out)
{
	char why[256];
	int err;

	filter__free(*out);
	*out = NULL;
	err = filter__new(out, list, why, sizeof(why));
	if (err == -ENOMEM)
		argp_failure(state, EXIT_INTERNAL, ENOMEM, "%s", option);
	else if (err)
		argp_error(state, "%s %s", option, why);
}

/* Notes a given option, each once, by the name that messages use */
static void note(struct options *o, const char *name)
{
	size_t used = strlen(o->given);

	if (!rules__is_given(o->given, name))
		snprintf(o->given + used, sizeof(o->given) - used, " %s", name);
}

/*
 * An option of group 1 names what is counted, or it names a file: if it came twice, one of
 * the two would be ignored. Of other values the last one holds, so that an alias can have one.
 */
static void note_option(struct argp_state *state, int key)
{
	struct options *o = state->input;
	const struct argp_option *known = argp_options;
	char name[32];

	while (known->key != key)
		known++;
	if (key < KEY_MAX_VCPUS)
		snprintf(name, sizeof(name), "-%c", key);
	else
		snprintf(name, sizeof(name), "--%s", known->name);
	if (known->arg && (known->group == 1 || !strcmp(known->arg, "FILE")) &&
	    rules__is_given(o->given, name))
		argp_error(state, "%s is given twice", name);
	note(o, name);
}

/* A DURATION begins with a digit or a point, but not with 0x; a reason's name never does */
static bool is_name(const char *arg)
{
	return !strchr("0123456789.", *arg) || !strncasecmp(arg, "0x", 2);
}

static bool is_reason(const struct options *o, const char *arg)
{
	return o->list_reasons || (o->explain && is_name(arg));
}

/* Adds @arg to the list of all reasons given so far, and takes that list */
static void take_reason(struct argp_state *state, const char *arg)
{
	struct options *o = state->input;
	const char *option = o->list_reasons ? "--list-reasons" : "--explain";
	size_t used = strlen(o->reason_list);

	if (used + strlen(arg) + 2 > sizeof(o->reason_list))
		argp_error(state, "%s: too many names", option);
	snprintf(o->reason_list + used, sizeof(o->reason_list) - used, "%s%s", used ? "," : "",
		 arg);
	need_filter(state, option, o->reason_list, &o->reasons);
	note(o, "REASON");
}

static bool is_file(const char *arg)
{
	return !access(arg, F_OK) || strchr(arg, '/') || strstr(arg, ".ndjson");
}

/* Whether an operand is no DURATION, but a name or a file */
static bool is_misplaced(const char *arg)
{
	__u64 ns;

	return *arg && *arg != '-' && parse_duration(arg, &ns) == -EINVAL &&
	       (is_name(arg) || is_file(arg));
}

/* Says what is meant by such an operand, probably */
static void refuse_operand(struct argp_state *state, const char *arg)
{
	struct filter *reason = NULL;
	char why[256];

	if (is_file(arg))
		argp_error(state, "%s: " NOT_A_TIME "; for a recording write -f %s", arg, arg);
	if (!filter__new(&reason, arg, why, sizeof(why))) {
		filter__free(reason);
		argp_error(state,
			   "%s: " NOT_A_TIME "; for an exit reason write --explain %s, or -r %s",
			   arg, arg, arg);
	}
	argp_error(state, "%s: " NOT_A_TIME "; for a VM write -n %s", arg, arg);
}

/* "1 5" was the replaced tool's way to ask for five reports, one a second */
static void refuse_second(struct argp_state *state, const char *arg)
{
	const struct options *o = state->input;
	__u64 n;

	if (parse_uint(arg, 1, INT_MAX, &n))
		argp_error(state, "%s: one DURATION only", arg);
	argp_error(state, "%s: one DURATION only; for %s reports, one each %gs, write -i %g -c %s",
		   arg, arg, (double)o->duration / NSEC_PER_SEC, (double)o->duration / NSEC_PER_SEC,
		   arg);
}

static void check_combination(struct argp_state *state)
{
	const struct options *o = state->input;
	char why[256];

	if (rules__are_broken(o->given, why, sizeof(why)))
		argp_error(state, "%s", why);
	if (o->from && o->interval && (o->json || o->output || !terminal__can_show()))
		argp_error(state,
			   "-f with -i is shown in place, which needs a terminal (TERM not dumb) "
			   "and no -j or -o");
	if (o->compact && o->keys & KEY_REASON)
		argp_error(state,
			   "--compact has the reasons in every line: leave reason out of -g");
	if (o->keys & KEY_DETAIL && !o->detail && !o->from)
		argp_error(state, "-g detail needs --detail");
	if (o->detail && o->keys && !(o->keys & KEY_DETAIL))
		argp_error(state, "--detail with -g needs detail in its LIST");
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	__u64 n = 0;

	if (key > 0 && key < KEY_END)
		note_option(state, key);
	switch (key) {
	case 'p':
		need_uint(state, "-p", arg, 1, INT_MAX, &n);
		o->selection.pid = n;
		break;
	case 'n':
		if (!*arg)
			argp_error(state, "-n: an empty name");
		o->selection.name = arg;
		break;
	case 'r':
		need_filter(state, "-r", arg, &o->filter);
		break;
	case 'w':
		o->wide = true;
		break;
	case 'g':
		if (view__parse_keys(arg, &o->keys))
			argp_error(state, "-g %s: only names from %s, each at most once", arg,
				   view__key_names());
		break;
	case KEY_TOP:
		need_uint(state, "--top", arg, 1, INT_MAX, &o->top);
		break;
	case KEY_TIME:
		o->time = true;
		break;
	case KEY_DETAILS:
		need_filter(state, "--detail", arg ? arg : "*", &o->detail);
		break;
	case KEY_DEVICES:
		if (!*arg)
			argp_error(state, "--devices: an empty file name");
		o->devices = arg;
		break;
	case KEY_COMPACT:
		o->compact = true;
		break;
	case KEY_NODE:
		if (!*arg)
			argp_error(state, "--node: an empty name");
		o->node = arg;
		break;
	case KEY_NO_CLEAR:
		o->no_clear = true;
		break;
	case KEY_VMS:
		o->list_vms = true;
		break;
	case 'a':
		o->alltids = true;
		break;
	case 'v':
		need_uint(state, "-v", arg, 0, INT_MAX, &n);
		o->selection.vcpu = n;
		o->selection.has_vcpu = true;
		break;
	case 't':
	case 'T':
		o->one_tid = key == 't';
		if (o->one_tid && strchr(arg, ','))
			argp_error(state, "-t %s: one TID only; -T takes several", arg);
		need_tids(state, key == 't' ? "-t" : "-T", arg);
		break;
	case 'i':
		need_time(state, "-i", arg, &o->interval);
		if (o->interval < NSEC_PER_MSEC)
			argp_error(state, "-i %s: less than a millisecond", arg);
		break;
	case 'c':
		need_uint(state, "-c", arg, 1, INT_MAX, &o->count);
		break;
	case 'j':
		o->json = true;
		break;
	case 'o':
		if (!*arg)
			argp_error(state, "-o: an empty file name");
		o->output = strcmp(arg, "-") ? arg : NULL;
		break;
	case 'f':
		if (!*arg)
			argp_error(state, "-f: an empty file name");
		o->from = arg;
		break;
	case KEY_METRICS:
		if (!*arg)
			argp_error(state, "--metrics: an empty file name");
		if (!strcmp(arg, "-"))
			argp_error(state, "--metrics -: a file is needed, which can be replaced");
		o->metrics = arg;
		break;
	case KEY_MAX_VCPUS:
		need_uint(state, "--max-vcpus", arg, 1, 1 << 20, &n);
		o->max_vcpus = n;
		break;
	case KEY_PROBE:
		o->probe = strcmp(arg, "auto") ? arg : NULL;
		if (o->probe && !variants__is_name(arg))
			argp_error(state,
				   "--probe %s: not one of auto, direct, read, legacy, tracepoint",
				   arg);
		break;
	case KEY_LIST_REASONS:
		o->list_reasons = true;
		break;
	case KEY_EXPLAIN:
		o->explain = true;
		break;
	case KEY_SELF_TEST:
		o->self_test = true;
		break;
	case KEY_VERBOSE:
		o->verbose = true;
		break;
	case 'h':
		argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
		break;
	case KEY_USAGE:
		argp_state_help(state, stdout, ARGP_HELP_USAGE | ARGP_HELP_EXIT_OK);
		break;
	case 'V':
		printf("kvmexit %s (commit %s, libbpf %s)\n", KVMEXIT_VERSION, KVMEXIT_COMMIT,
		       libbpf_version_string() + 1);
		exit(EXIT_OK);
	case ARGP_KEY_ARG:
		if (is_reason(o, arg)) {
			take_reason(state, arg);
			break;
		}
		if (o->detail && is_name(arg))
			argp_error(state, "%s: write --detail=%s", arg, arg);
		if (is_misplaced(arg))
			refuse_operand(state, arg);
		if (rules__is_given(o->given, "DURATION"))
			refuse_second(state, arg);
		need_time(state, "DURATION", arg, &o->duration);
		note(o, "DURATION");
		break;
	case ARGP_KEY_END:
		check_combination(state);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

void options__parse(struct options *opts, int argc, char **argv)
{
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.args_doc =
			"[DURATION]\n--explain [REASON...] [DURATION]\n--list-reasons [REASON...]",
		.doc = "Counts the VM exits of all KVM guests on this host, by exit reason and "
		       "vCPU, until Ctrl-C or for DURATION (seconds, or 500ms, 5m, 1h30m).\v"
		       "Examples:\n"
		       "  kvmexit                    all vCPU threads of all VMs, until Ctrl-C\n"
		       "  kvmexit 5                  for 5 seconds\n"
		       "  kvmexit -i 1               live, most active first\n"
		       "  kvmexit -p 4242 5          one VM, most frequent reason first\n"
		       "  kvmexit -p 4242 -a 5       the same, a row per thread\n"
		       "  kvmexit -p 4242 -v 0 5     only vCPU 0 of it\n"
		       "  kvmexit -t 4250 5          one thread\n"
		       "  kvmexit -T 4250,4251 5     two threads\n"
		       "  kvmexit -r 'EPT_*,HLT' 5   some reasons only\n"
		       "  kvmexit -g vm,reason 5     what each VM does\n"
		       "  kvmexit --detail 5         also which MSRs, ports, addresses\n"
		       "  kvmexit --explain 10       also why, and what can be done\n"
		       "  kvmexit --explain hlt      one reason, without counting\n"
		       "  kvmexit -i 1 -c 10         a report a second, ten times\n"
		       "  kvmexit -j -i 10 | jq .    JSON, one object a line\n",
	};
	static char own_name[] = "kvmexit";
	error_t err;

	*opts = (struct options){ .max_vcpus = DEFAULT_MAX_VCPUS };
	argp_err_exit_status = EXIT_USAGE;
	/* argp begins its messages with it; all others say kvmexit */
	if (argc)
		argv[0] = own_name;
	/* On wrong options this does not return; if memory is short it does */
	err = argp_parse(&argp, argc, argv, ARGP_NO_HELP, NULL, opts);
	if (err) {
		complain("reading the options: %s", strerror(err));
		exit(EXIT_INTERNAL);
	}
}

void options__free(struct options *opts)
{
	free(opts->selection.tids);
	opts->selection.tids = NULL;
	opts->selection.nr_tids = 0;
	filter__free(opts->filter);
	opts->filter = NULL;
	filter__free(opts->detail);
	opts->detail = NULL;
	filter__free(opts->reasons);
	opts->reasons = NULL;
}
