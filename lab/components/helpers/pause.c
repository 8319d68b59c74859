/*
 * pause: a helper of Chaos Mesh's daemon. The daemon starts it with the command
 * of a stressor, moves it into the pod's cgroup while nothing runs yet, and
 * sends SIGCONT; only then does it become the stressor.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	sigset_t set;
	int sig;

	if (argc < 2) {
		fprintf(stderr, "usage: pause COMMAND [ARGUMENT...]\n");
		return 2;
	}
	/* The daemon knows it by this name. */
	prctl(PR_SET_NAME, "pause", 0, 0, 0);
	/* SIGCONT is blocked, so that one that comes early is not lost. */
	sigemptyset(&set);
	sigaddset(&set, SIGCONT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (sigwait(&set, &sig) != 0)
		return 1;
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	execvp(argv[1], argv + 1);
	fprintf(stderr, "pause: %s: %s\n", argv[1], strerror(errno));
	return 127;
}
