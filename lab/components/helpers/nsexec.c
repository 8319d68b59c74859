/*
 * nsexec: a helper of Chaos Mesh's daemon. It enters the namespaces it is
 * given, runs a command there, passes signals on to it, and takes it down when
 * it dies itself. nsenter(1) does neither, so a stressor would outlive its
 * fault.
 *
 *	nsexec [-l] [-m|-p|-n|-i|-u|-C FILE]... [--] COMMAND [ARGUMENT...]
 *
 * With -l the program is looked up before the namespaces are entered.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_NAMESPACES = 16 };

static pid_t child;

static void forward(int sig)
{
	if (child > 0)
		kill(child, sig);
}

static int open_program(const char *name)
{
	char path[4096];
	const char *dir = getenv("PATH");
	int fd;

	if (strchr(name, '/'))
		return open(name, O_RDONLY);
	for (dir = dir ? dir : "/usr/bin:/bin"; *dir;) {
		size_t n = strcspn(dir, ":");

		snprintf(path, sizeof path, "%.*s/%s", (int)n, dir, name);
		fd = access(path, X_OK) == 0 ? open(path, O_RDONLY) : -1;
		if (fd >= 0)
			return fd;
		dir += n + (dir[n] == ':');
	}
	errno = ENOENT;
	return -1;
}

static void fail(const char *what)
{
	fprintf(stderr, "nsexec: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* parse returns the index of the command. */
static int parse(int argc, char **argv, int *ns, int *count, int *local)
{
	int i;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		const char *a = argv[i];

		if (!strcmp(a, "--"))
			return i + 1;
		if (!strcmp(a, "-l") || !strcmp(a, "--local")) {
			*local = 1;
			continue;
		}
		if (!a[1] || !strchr("mpniuC", a[1]) || a[2] || i + 1 >= argc || *count == MAX_NAMESPACES) {
			fprintf(stderr, "nsexec: bad option %s\n", a);
			exit(2);
		}
		ns[*count] = open(argv[++i], O_RDONLY | O_CLOEXEC);
		if (ns[(*count)++] < 0)
			fail(argv[i]);
	}
	return i;
}

int main(int argc, char **argv)
{
	static const int passed[] = {SIGTERM, SIGINT, SIGHUP};
	int ns[MAX_NAMESPACES], count = 0, local = 0, program = -1, status, k;
	int i = parse(argc, argv, ns, &count, &local);

	if (i >= argc) {
		fprintf(stderr, "usage: nsexec [-l] [-mpniuC FILE]... [--] COMMAND [ARGUMENT...]\n");
		return 2;
	}
	if (local && (program = open_program(argv[i])) < 0)
		fail(argv[i]);
	for (k = 0; k < count; k++)
		if (setns(ns[k], 0))
			fail("enter namespace");
	for (k = 0; k < 3; k++)
		signal(passed[k], forward);
	child = fork();
	if (child < 0)
		fail("fork");
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (k = 0; k < 3; k++)
			signal(passed[k], SIG_DFL);
		if (program >= 0)
			fexecve(program, argv + i, environ);
		else
			execvp(argv[i], argv + i);
		fprintf(stderr, "nsexec: %s: %s\n", argv[i], strerror(errno));
		_exit(127);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
