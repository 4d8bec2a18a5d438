/* SPDX-License-Identifier: Apache-2.0 */
/* CPU list: which CPUs there are, as the kernel writes them: "0-3,5" (lib/bitmap-str.c). */
#ifndef MOONPROBE_CPU_LIST_H
#define MOONPROBE_CPU_LIST_H

#define CPUS_MOST 8192 /* NR_CPUS of the largest kernels */

/* Their numbers, for the caller to free. How many they are, or -EINVAL or -ENOMEM. */
int cpu_list_parse(const char *text, int **cpus);

/* Those that are online now. Also the -errno of reading that. */
int cpu_list_online(int **cpus);

#endif
