// SPDX-License-Identifier: Apache-2.0
/* Functions whose parameters have every kind of type, for the test of debug information. */
#include <stdint.h>
#include <stdio.h>

enum color { RED, GREEN = 7, NEGATIVE = -3 };
enum wide { NEAR = 1, FAR = 0x100000000 };

/* An enum whose names fill more than a message does. */
#define FOUR(name) name##_0, name##_1, name##_2, name##_3
#define SIXTEEN(name) FOUR(name##_0), FOUR(name##_1), FOUR(name##_2), FOUR(name##_3)
#define SOME(name) SIXTEEN(name##_0), SIXTEEN(name##_1), SIXTEEN(name##_2), SIXTEEN(name##_3)
#define MORE(name) SOME(name##_0), SOME(name##_1), SOME(name##_2), SOME(name##_3)
#define MANY(name) MORE(name##_0), MORE(name##_1), MORE(name##_2), MORE(name##_3)
enum huge {
	MANY(HUGE_VALUE_WITH_A_NAME_OF_SOME_LENGTH_0),
	MANY(HUGE_VALUE_WITH_A_NAME_OF_SOME_LENGTH_1),
};

struct hidden; /* only declared */

struct config {
	struct config *next; /* types that point at each other */
	const char *name;
	unsigned int low : 3;
	unsigned int high : 7;
	signed char byte;
	uint64_t numbers[4];
	int grid[2][3];
	enum color color;
	union {
		int number;
		float fraction;
	};
	struct {
		short inner;
	} named;
	int (*call)(struct config *config, long value);
	struct hidden *hidden;
	_Bool yes;
	volatile _Atomic int count;
	enum wide wide;
	char rest[];
};

struct pair {
	int a, b;
};

typedef struct config config_t;

volatile long sink;

__attribute__((noipa)) const char *types_all(config_t *config, const char *text, unsigned char byte)
{
	sink += config->numbers[byte] + text[0] + config->wide;
	return config->name;
}

__attribute__((noipa)) double types_float(double value, float small, struct pair pair, int after)
{
	return value + small + pair.a + after;
}

__attribute__((noipa)) struct pair types_pair(void)
{
	return (struct pair){1, 2};
}

__attribute__((noipa)) void types_many(const char *format, ...)
{
	sink += format[0];
}

/* Elements: of an array in a struct, of a pointer to structs, of text. */
__attribute__((noipa)) long types_rows(const struct config *config, const struct pair *pairs,
				       const char *const *words)
{
	return config->grid[1][2] + pairs[1].b + words[0][0] + sink;
}

static inline __attribute__((always_inline)) long types_inlined(long value)
{
	sink += value;
	return sink;
}

__attribute__((noipa)) void types_huge(enum huge huge)
{
	sink += huge;
}

/* Becomes types_local.constprop.0 or .isra.0, without the first parameter. */
__attribute__((noinline)) static long types_local(long unused, long used)
{
	(void)unused;
	return used + sink;
}

int main(int argc, char **argv)
{
	static struct config config = {.numbers = {10, 11, 12, 1ull << 60},
				       .grid = {{1, 2, 3}, {4, 5, 6}}};
	const struct pair pairs[] = {{20, 21}, {22, 23}};
	char first[] = "first"; /* on the stack, where a probe finds it: its page is there */
	const char *const words[] = {first, argv[0], NULL};

	types_rows(&config, pairs, words);
	types_all(&config, argv[0], argc);
	types_float(argc, 1, types_pair(), 2);
	types_many("%d", 1);
	types_huge(argc);
	return types_inlined(argc) + types_local(1, 2) == 12345;
}
