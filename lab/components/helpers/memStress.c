/*
 * memStress: a helper of Chaos Mesh's daemon. Each worker holds and touches
 * SIZE bytes until it is killed.
 *
 *	memStress --size 32MB [--workers N] [--time T]
 *
 * The daemon ends it, so the time is accepted and not used.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_WORKERS = 64 };

static pid_t workers[MAX_WORKERS];
static int count;

/* end takes the workers down first, so that they are reaped here: a pod's own
 * first process may not do it. */
static void end(int sig)
{
	int i;

	(void)sig;
	for (i = 0; i < count; i++)
		kill(workers[i], SIGKILL);
}

static double bytes(const char *text)
{
	char *unit;
	double n = strtod(text, &unit);

	switch (*unit) {
	case 'k': case 'K':
		return n * 1e3;
	case 'm': case 'M':
		return n * 1e6;
	case 'g': case 'G':
		return n * 1e9;
	}
	return n;
}

static const char *value(int argc, char **argv, int i)
{
	const char *eq = strchr(argv[i], '=');

	if (eq)
		return eq + 1;
	return i + 1 < argc ? argv[i + 1] : "";
}

static void work(size_t size)
{
	size_t at;
	char *p = malloc(size);

	if (!p) {
		fprintf(stderr, "memStress: no memory for %zu bytes\n", size);
		_exit(1);
	}
	for (;;) {
		for (at = 0; at < size; at += 4096)
			p[at]++;
		sleep(1);
	}
}

int main(int argc, char **argv)
{
	double size = 0;
	int wanted = 1, i;

	for (i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "--size", 6))
			size = bytes(value(argc, argv, i));
		if (!strncmp(argv[i], "--workers", 9) || !strncmp(argv[i], "--client", 8))
			wanted = atoi(value(argc, argv, i));
	}
	signal(SIGTERM, end);
	signal(SIGINT, end);
	for (; count < wanted && count < MAX_WORKERS; count++) {
		pid_t pid = fork();

		if (pid < 0)
			break;
		if (pid == 0) {
			signal(SIGTERM, SIG_DFL);
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			work((size_t)size);
		}
		workers[count] = pid;
	}
	while (wait(NULL) > 0 || errno == EINTR)
		;
	return 0;
}
