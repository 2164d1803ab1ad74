/* ISC licence, see LICENSE. */
#include "stage/handover.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/os.h"
#include "chain/envelope.h"
#include "fuzz.h"
#include "msa/msgfile.h"

/*
 * The input's first octet chooses the kind of call and how many descriptors ride on it, the rest is what a caller says.
 * What is taken holds only facts of chain(7), and each descriptor is somebody's: none leaks.
 */
static void
send_call(int fd, const uint8_t *data, size_t size, int nfds, int file)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(5 * sizeof(int))];
	} control;
	struct iovec iov = { (void *)(uintptr_t)data, size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;
	int i;

	memset(&control, 0, sizeof control);
	if (nfds > 0) {
		msg.msg_control = control.room;
		msg.msg_controllen = CMSG_SPACE((size_t)nfds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN((size_t)nfds * sizeof(int));
		for (i = 0; i < nfds; i++)
			memcpy(CMSG_DATA(cmsg) + (size_t)i * sizeof(int), &file, sizeof(int));
	}
	MUST(sendmsg(fd, &msg, MSG_NOSIGNAL) == (ssize_t)size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct call call = { .in = -1, .out = -1, .envelope = -1, .stop = -1 };
	struct msgfile m = { 0 };
	enum call_kind kind;
	int fd[2], file, next, nfds;
	uid_t uid;
	size_t i;

	if (size < 2)
		return 0;
	kind = data[0] & 1 ? CALL_MESSAGE : CALL_SESSION;
	nfds = (data[0] >> 1) % 6;
	MUST(msgfile_add(&m, "x", 1) == 0 && (file = msgfile_finish(&m)) >= 0);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
	send_call(fd[0], data + 1, size - 1, nfds, file);
	shutdown(fd[0], SHUT_WR);
	if (handover_receive(fd[1], &call, kind, NULL, 1000, &uid) == 0) {
		MUST(nfds == (kind == CALL_MESSAGE ? 3 : 2));
		MUST(call.in >= 0 && call.out >= 0 && (call.envelope >= 0) == (kind == CALL_MESSAGE));
		for (i = 0; i < call.facts.n; i++)
			MUST(strchr(call.facts.v[i], '=') && facts_owner(call.facts.v[i]) != FACTS_NOBODY);
		MUST(call.facts.n <= HANDOVER_NAMES_MAX);
	} else
		MUST(call.facts.n == 0 && call.in == -1 && call.out == -1);
	call_end(&call);
	close(fd[0]);
	close(fd[1]);
	close(file);
	next = dup(0);
	MUST(next >= 0 && next < 64); /* none was left open */
	close(next);
	return 0;
}
