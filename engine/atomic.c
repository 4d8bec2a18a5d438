// SPDX-License-Identifier: Apache-2.0
#include "atomic.h"

#define FFI __attribute__((visibility("default")))

FFI int64_t atomic_field_add(void *at, int bytes, int64_t amount)
{
	return bytes == 8 ? __atomic_fetch_add((int64_t *)at, amount, __ATOMIC_SEQ_CST)
			  : __atomic_fetch_add((int32_t *)at, (int32_t)amount, __ATOMIC_SEQ_CST);
}

FFI int64_t atomic_field_load(const void *at, int bytes)
{
	switch (bytes) {
	case 8:
		return __atomic_load_n((const int64_t *)at, __ATOMIC_ACQUIRE);
	case 4:
		return __atomic_load_n((const int32_t *)at, __ATOMIC_ACQUIRE);
	case 2:
		return __atomic_load_n((const int16_t *)at, __ATOMIC_ACQUIRE);
	default:
		return __atomic_load_n((const int8_t *)at, __ATOMIC_ACQUIRE);
	}
}

FFI void atomic_field_store(void *at, int bytes, int64_t value)
{
	switch (bytes) {
	case 8:
		__atomic_store_n((int64_t *)at, value, __ATOMIC_RELEASE);
		break;
	case 4:
		__atomic_store_n((int32_t *)at, (int32_t)value, __ATOMIC_RELEASE);
		break;
	case 2:
		__atomic_store_n((int16_t *)at, (int16_t)value, __ATOMIC_RELEASE);
		break;
	default:
		__atomic_store_n((int8_t *)at, (int8_t)value, __ATOMIC_RELEASE);
	}
}
