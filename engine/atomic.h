/* SPDX-License-Identifier: Apache-2.0 */
/* Atomic: single integers in memory that programs in the kernel write at the same time: a mapped
 * array. Called from Lua through the FFI; what an integer's sign is, Lua knows.
 *
 *   before = atomic_field_add(at, 8, 1);    4 or 8 bytes, as BPF has it
 *   value = atomic_field_load(at, 4);       1, 2, 4 or 8, aligned; sign-extended */
#ifndef MOONPROBE_ATOMIC_H
#define MOONPROBE_ATOMIC_H

#include <stdint.h>

int64_t atomic_field_add(void *at, int bytes, int64_t amount); /* the value before */
int64_t atomic_field_load(const void *at, int bytes);
void atomic_field_store(void *at, int bytes, int64_t value);

#endif
