/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Constants of a peer program: all of its read-only data. */
#ifndef PEER_H
#define PEER_H

struct peer_settings {
	int pid;    /* of the process that is traced */
	int number; /* of the system call that passes */
};

#endif
