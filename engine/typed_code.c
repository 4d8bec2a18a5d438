// SPDX-License-Identifier: Apache-2.0
#include "typed_code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EVENT BPF_REG_6
#define SLOTS BPF_REG_7
#define WORDS (TYPED_CODE_STACK / 8)
#define MAX_NODES (TYPED_SLOTS + TYPED_CODE_WANTS * TYPED_DEPTH)
#define MAX_WANT_INSNS 16 /* of one read; of a string with its second try */
#define NONE (-1)

/* Where the pointer of a node is while it is needed. */
enum place {
	IN_SLOT,
	IN_STACK, /* word `where`, from r10 down */
	IN_EVENT, /* somebody wanted it as a value, too, at `where` */
};

/* A pointer that paths lead through. Nodes 0 to TYPED_SLOTS - 1 are the slots; the others are read
 * from where their parent leads to. */
struct node {
	int parent;
	uint32_t at;
	bool is_user;
	enum place place;
	int where;
	int words;	    /* of stack that are needed to go through with it, its own included */
	int child, sibling; /* those that need less stack first */
};

struct work {
	const struct typed_want *wants;
	int want_count;
	struct typed_area area;
	struct node *nodes;
	int node_count;
	int *node_of;	    /* of each want */
	uint8_t free_words; /* of the stack */
	uint32_t stack_bytes;
	struct bpf_insn *to;
};

static void put(struct work *work, int code, int dst, int src, int off, int imm)
{
	*work->to++ = (struct bpf_insn){
		.code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm};
}

static void put_move(struct work *work, int dst, int src)
{
	put(work, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

static void put_set(struct work *work, int dst, int value)
{
	put(work, BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, value);
}

static void put_add(struct work *work, int dst, int value)
{
	if (value)
		put(work, BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, value);
}

static int size_code(uint32_t bytes)
{
	switch (bytes) {
	case 1:
		return BPF_B;
	case 2:
		return BPF_H;
	case 4:
		return BPF_W;
	}
	return BPF_DW;
}

static int word_offset(int word)
{
	return -8 * (word + 1);
}

static int take_word(struct work *work)
{
	/* There is one: see link_child(). */
	int word = __builtin_ctz(work->free_words);

	work->free_words &= ~(1 << word);
	if (work->stack_bytes < 8u * (word + 1))
		work->stack_bytes = 8u * (word + 1);
	return word;
}

static void give_word(struct work *work, int word)
{
	work->free_words |= 1 << word;
}

/* dst = the node's pointer */
static void put_pointer(struct work *work, int dst, const struct node *node)
{
	static const int base[] = {[IN_SLOT] = SLOTS, [IN_STACK] = BPF_REG_10, [IN_EVENT] = EVENT};

	put(work, BPF_LDX | BPF_MEM | BPF_DW, dst, base[node->place],
	    node->place == IN_STACK ? word_offset(node->where) : node->where, 0);
}

/* Reads `bytes` from r3 to base + to. */
static void put_read(struct work *work, int base, int to, uint32_t bytes, int helper)
{
	put_set(work, BPF_REG_2, (int)bytes);
	put_move(work, BPF_REG_1, base);
	put_add(work, BPF_REG_1, to);
	put(work, BPF_JMP | BPF_CALL, 0, 0, 0, helper);
}

/* r3 = what lies `at` behind the node's pointer, r2 = bytes, r1 = base + to */
static void put_call(struct work *work, const struct node *node, uint32_t at, int base, int to,
		     uint32_t bytes, int helper)
{
	put_pointer(work, BPF_REG_3, node);
	put_add(work, BPF_REG_3, (int)at);
	put_read(work, base, to, bytes, helper);
}

static int reader(bool is_user)
{
	return is_user ? BPF_FUNC_probe_read_user : BPF_FUNC_probe_read_kernel;
}

static bool is_text(const struct typed_access *access)
{
	return access->read == TYPED_TEXT || access->read == TYPED_STRING ||
	       access->read == TYPED_DYNAMIC;
}

static bool is_turned(const struct typed_access *access)
{
	return access->is_big_endian && access->read == TYPED_NUMBER && access->bytes > 1;
}

static void put_turn(struct work *work, const struct typed_access *access)
{
	put(work, BPF_ALU | BPF_END | BPF_TO_BE, BPF_REG_1, 0, 0, (int)access->bytes * 8);
}

static void put_store(struct work *work, const struct typed_want *want)
{
	put(work, BPF_STX | BPF_MEM | size_code(want->access->bytes), EVENT, BPF_REG_1,
	    (int)want->offset, 0);
}

/* A number that is in a slot. */
static void put_slot(struct work *work, const struct typed_want *want)
{
	put(work, BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_1, SLOTS, want->access->slot * 8, 0);
	if (is_turned(want->access))
		put_turn(work, want->access);
	put_store(work, want);
}

static void put_string(struct work *work, const struct typed_want *want, const struct node *node,
		       uint32_t at, bool is_user)
{
	const struct typed_access *access = want->access;
	struct bpf_insn *jump;

	put_call(work, node, at, EVENT, (int)want->offset, access->bytes,
		 is_user ? BPF_FUNC_probe_read_user_str : BPF_FUNC_probe_read_kernel_str);
	if (is_user || access->read != TYPED_STRING)
		return;
	/* A `char *` of the kernel's may lead to user memory, and only some compilers say so. */
	jump = work->to;
	put(work, BPF_JMP | BPF_JSGE | BPF_K, BPF_REG_0, 0, 0, 0);
	put_call(work, node, at, EVENT, (int)want->offset, access->bytes,
		 BPF_FUNC_probe_read_user_str);
	jump->off = (int16_t)(work->to - jump - 1);
}

/* r1 = a number of the program's context: a load, for the verifier knows what that may read. */
static void put_load(struct work *work, const struct node *node, uint32_t at, uint32_t bytes)
{
	put_pointer(work, BPF_REG_1, node);
	put(work, BPF_LDX | BPF_MEM | size_code(bytes), BPF_REG_1, BPF_REG_1, (int)at, 0);
}

static uint32_t last_at(const struct typed_access *access)
{
	return access->at[access->steps - 1];
}

/* Loads from a context are aligned, and the offset of an instruction has 16 bits. */
static bool can_load(const struct typed_access *access, uint32_t bytes)
{
	return access->is_context && access->steps == 1 && !(last_at(access) % bytes) &&
	       last_at(access) < INT16_MAX;
}

static bool is_loaded(const struct typed_access *access)
{
	return access->read == TYPED_NUMBER && can_load(access, access->bytes);
}

/* A number of the context. */
static void put_loaded(struct work *work, const struct typed_want *want, const struct node *node)
{
	put_load(work, node, last_at(want->access), want->access->bytes);
	if (is_turned(want->access))
		put_turn(work, want->access);
	put_store(work, want);
}

/* Text whose place is told by a number `at` behind the node's pointer. */
static void put_dynamic(struct work *work, const struct typed_want *want, const struct node *node,
			uint32_t at)
{
	const struct typed_access *access = want->access;
	int word = NONE;

	if (can_load(access, sizeof(uint32_t))) {
		put_load(work, node, at, sizeof(uint32_t));
	} else {
		word = take_word(work);
		put_call(work, node, at, BPF_REG_10, word_offset(word), sizeof(uint32_t),
			 BPF_FUNC_probe_read_kernel);
		put(work, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_1, BPF_REG_10, word_offset(word), 0);
	}
	put(work, BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_1, 0, 0, 0xffff);
	put_pointer(work, BPF_REG_3, node);
	put(work, BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_3, BPF_REG_1, 0, 0);
	if (access->is_behind)
		put_add(work, BPF_REG_3, (int)(at + sizeof(uint32_t)));
	put_read(work, EVENT, (int)want->offset, access->bytes, BPF_FUNC_probe_read_kernel_str);
	if (word != NONE)
		give_word(work, word);
}

static void put_bits(struct work *work, const struct typed_want *want, const struct node *node,
		     uint32_t at, bool is_user)
{
	const struct typed_access *access = want->access;
	int word = take_word(work), unit = access->unit_bytes;
	bool is_whole = !(unit & (unit - 1)); /* else the word's other bytes count */

	if (!is_whole)
		put(work, BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, word_offset(word), 0);
	put_call(work, node, at, BPF_REG_10, word_offset(word), unit, reader(is_user));
	put(work, BPF_LDX | BPF_MEM | size_code(unit), BPF_REG_1, BPF_REG_10, word_offset(word), 0);
	put(work, BPF_ALU64 | BPF_LSH | BPF_K, BPF_REG_1, 0, 0, 64 - access->shift - access->width);
	put(work, BPF_ALU64 | (access->is_signed ? BPF_ARSH : BPF_RSH) | BPF_K, BPF_REG_1, 0, 0,
	    64 - access->width);
	put_store(work, want);
	give_word(work, word);
}

static bool last_is_user(const struct typed_access *access)
{
	return access->user >> (access->steps - 1) & 1;
}

/* Lies a value right behind another, in the event as in memory? */
static bool is_behind(const struct work *work, int of, int i)
{
	const struct typed_want *first = &work->wants[of], *next = &work->wants[i];
	const struct typed_access *from = first->access, *to = next->access;

	return work->node_of[of] == work->node_of[i] && to->steps && from->steps &&
	       !is_loaded(from) && !is_loaded(to) && from->read != TYPED_BITS && !is_text(from) &&
	       to->read != TYPED_BITS && !is_text(to) && last_is_user(from) == last_is_user(to) &&
	       last_at(from) + from->bytes == last_at(to) &&
	       first->offset + from->bytes == next->offset;
}

/* The value behind, or before. */
static int find_beside(const struct work *work, int of, bool is_next)
{
	for (int i = 0; i < work->want_count; i++)
		if (is_next ? is_behind(work, of, i) : is_behind(work, i, of))
			return i;
	return NONE;
}

/* Values that lie side by side are read at once: a call costs more than a few bytes. */
static void put_row(struct work *work, int first, const struct node *node)
{
	const struct typed_want *want = &work->wants[first];
	uint32_t bytes = 0;

	for (int i = first; i != NONE; i = find_beside(work, i, true))
		bytes += work->wants[i].access->bytes;
	put_call(work, node, last_at(want->access), EVENT, (int)want->offset, bytes,
		 reader(last_is_user(want->access)));
	for (int i = first; i != NONE; i = find_beside(work, i, true)) {
		want = &work->wants[i];
		if (!is_turned(want->access))
			continue;
		put(work, BPF_LDX | BPF_MEM | size_code(want->access->bytes), BPF_REG_1, EVENT,
		    (int)want->offset, 0);
		put_turn(work, want->access);
		put_store(work, want);
	}
}

/* A value that lies behind the node's pointer, and those after it. */
static void put_value(struct work *work, int i, const struct node *node)
{
	const struct typed_want *want = &work->wants[i];
	uint32_t at = last_at(want->access);
	bool is_user = last_is_user(want->access);

	if (want->access->read == TYPED_DYNAMIC)
		put_dynamic(work, want, node, at);
	else if (is_text(want->access))
		put_string(work, want, node, at, is_user);
	else if (is_loaded(want->access))
		put_loaded(work, want, node);
	else if (want->access->read == TYPED_BITS)
		put_bits(work, want, node, at, is_user);
	else if (find_beside(work, i, false) == NONE)
		put_row(work, i, node);
}

/* Reads a node's pointer from where its parent leads to. */
static void put_step(struct work *work, const struct node *parent, const struct node *node)
{
	put_call(work, parent, node->at, BPF_REG_10, word_offset(node->where), 8,
		 reader(node->is_user));
}

/* What lies behind a node: values, then the pointers, of which the last may take the place of the
 * node's own. As deep as TYPED_DEPTH. */
static void put_node(struct work *work, int at)
{
	const struct node *node = &work->nodes[at];

	for (int i = 0; i < work->want_count; i++)
		if (work->node_of[i] == at && work->wants[i].access->steps)
			put_value(work, i, node);
	for (int i = node->child; i != NONE; i = work->nodes[i].sibling) {
		struct node *child = &work->nodes[i];

		/* A helper has got the address before it writes there. */
		if (child->sibling == NONE && node->place == IN_STACK)
			give_word(work, node->where);
		if (child->place == IN_STACK) {
			child->where = take_word(work);
			put_step(work, node, child);
		}
		put_node(work, i);
		if (child->place == IN_STACK)
			give_word(work, child->where);
	}
}

static bool is_pointer_of(const struct typed_access *access, const struct node *node)
{
	return access->read == TYPED_NUMBER && access->bytes == 8 && !access->is_big_endian &&
	       last_at(access) == node->at && last_is_user(access) == node->is_user;
}

static int find_node(struct work *work, int parent, uint32_t at, bool is_user)
{
	struct node *node;

	for (int i = TYPED_SLOTS; i < work->node_count; i++) {
		node = &work->nodes[i];
		if (node->parent == parent && node->at == at && node->is_user == is_user)
			return i;
	}
	node = &work->nodes[work->node_count];
	*node = (struct node){
		.parent = parent, .at = at, .is_user = is_user, .child = NONE, .sibling = NONE};
	node->place = IN_STACK;
	return work->node_count++;
}

static void make_nodes(struct work *work)
{
	for (int slot = 0; slot < TYPED_SLOTS; slot++)
		work->nodes[slot] = (struct node){.parent = NONE,
						  .place = IN_SLOT,
						  .where = slot * 8,
						  .child = NONE,
						  .sibling = NONE};
	work->node_count = TYPED_SLOTS;
	for (int i = 0; i < work->want_count; i++) {
		const struct typed_access *access = work->wants[i].access;

		work->node_of[i] = access->slot;
		for (int step = 0; step + 1 < access->steps; step++)
			work->node_of[i] = find_node(work, work->node_of[i], access->at[step],
						     access->user >> step & 1);
	}
}

/* Pointers that are values as well need no place of their own. */
static void find_places(struct work *work)
{
	for (int i = TYPED_SLOTS; i < work->node_count; i++) {
		struct node *node = &work->nodes[i];

		for (int j = 0; j < work->want_count; j++) {
			const struct typed_want *want = &work->wants[j];

			if (work->node_of[j] != node->parent || !want->access->steps ||
			    !is_pointer_of(want->access, node))
				continue;
			node->place = IN_EVENT;
			node->where = (int)want->offset;
			break;
		}
	}
}

/* Hangs a node below its parent, those that need more stack behind. All but the last keep the
 * parent's word, so n words take two children that need n - 1: with 64 wants at most 7, and one
 * for a bitfield. */
static void link_child(struct work *work, int at)
{
	struct node *node = &work->nodes[at];
	int *link = &work->nodes[node->parent].child;

	while (*link != NONE && work->nodes[*link].words <= node->words)
		link = &work->nodes[*link].sibling;
	node->sibling = *link;
	*link = at;
}

/* Counts the words of stack of every node, from the farthest ones on: a node comes behind its
 * parent. */
static void order_nodes(struct work *work)
{
	for (int i = work->node_count - 1; i >= TYPED_SLOTS; i--) {
		struct node *node = &work->nodes[i];
		int own = node->place == IN_STACK;

		node->words = own;
		for (int j = node->child; j != NONE; j = work->nodes[j].sibling) {
			bool is_last = work->nodes[j].sibling == NONE;
			int words = work->nodes[j].words + (is_last ? 0 : own);

			if (words > node->words)
				node->words = words;
		}
		link_child(work, i);
	}
}

/* Zeros where no read is sure to write: in eights as far as they are the area's. The reads come
 * later, so it does not matter whether one writes there, too. */
static void put_zeros(struct work *work, const uint8_t *is_written)
{
	uint32_t to = work->area.to;

	for (uint32_t at = work->area.from; at < to;) {
		uint32_t bytes = 8, start;

		if (is_written[at - work->area.from]) {
			at++;
			continue;
		}
		for (;; bytes /= 2) {
			start = at / bytes * bytes;
			if (start >= work->area.from && start + bytes <= to)
				break;
		}
		put(work, BPF_ST | BPF_MEM | size_code(bytes), EVENT, 0, (int)start, 0);
		at = start + bytes;
	}
}

/* Where the wants write; -EINVAL: one of them must not. */
static int check(const struct work *work, uint8_t *is_written, struct error *error)
{
	for (int i = 0; i < work->want_count; i++) {
		const struct typed_want *want = &work->wants[i];
		const struct typed_access *access = want->access;

		if (!access->bytes || access->steps > TYPED_DEPTH || access->slot >= TYPED_SLOTS ||
		    (!access->steps && access->read != TYPED_NUMBER) ||
		    (access->read == TYPED_DYNAMIC && access->steps != 1))
			return error_set(error, -EINVAL, "value %d: not one that can be read", i);
		if (want->offset < work->area.from || want->offset > work->area.to ||
		    work->area.to - want->offset < access->bytes)
			return error_set(error, -EINVAL, "value %d: not in the area", i);
		if (!access->align || want->offset % access->align)
			return error_set(error, -EINVAL, "value %d: not aligned", i);
		for (uint32_t j = 0; j < access->bytes; j++)
			if (is_written[want->offset - work->area.from + j]++)
				return error_set(error, -EINVAL, "value %d: lies on another", i);
	}
	/* Text writes as much as there is; of a bitfield a store is the last thing. */
	for (int i = 0; i < work->want_count; i++)
		if (is_text(work->wants[i].access))
			memset(is_written + work->wants[i].offset - work->area.from, 0,
			       work->wants[i].access->bytes);
	return 0;
}

static void put_all(struct work *work, const uint8_t *is_written)
{
	make_nodes(work);
	find_places(work);
	order_nodes(work);
	put_move(work, EVENT, BPF_REG_1);
	put_move(work, SLOTS, BPF_REG_2);
	put_zeros(work, is_written);
	for (int i = 0; i < work->want_count; i++)
		if (!work->wants[i].access->steps)
			put_slot(work, &work->wants[i]);
	for (int slot = 0; slot < TYPED_SLOTS; slot++)
		put_node(work, slot);
	put_set(work, BPF_REG_0, 0);
	put(work, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

int typed_code_make(struct typed_code *code, const struct typed_want *wants, int want_count,
		    struct typed_area area, struct error *error)
{
	struct work work = {.wants = wants,
			    .want_count = want_count,
			    .area = area,
			    .free_words = (uint8_t)((1 << WORDS) - 1)};
	uint8_t *is_written;
	size_t room;
	int err = -ENOMEM;

	*code = (struct typed_code){0};
	if (want_count < 0 || want_count > TYPED_CODE_WANTS)
		return error_set(error, -EINVAL, "more than %d values", TYPED_CODE_WANTS);
	if (area.from > area.to || area.to > TYPED_CODE_EVENT_BYTES)
		return error_set(error, -EINVAL, "an event of more than %d bytes",
				 TYPED_CODE_EVENT_BYTES);
	/* A store per byte at worst, and every read with the steps that lead to it. */
	room = 8 + (area.to - area.from) + (size_t)want_count * MAX_WANT_INSNS * (TYPED_DEPTH + 1);
	work.nodes = calloc(MAX_NODES, sizeof(*work.nodes));
	work.node_of = calloc(TYPED_CODE_WANTS, sizeof(*work.node_of));
	is_written = calloc(area.to - area.from + 1, 1);
	code->code = calloc(room, sizeof(*code->code));
	if (work.nodes && work.node_of && is_written && code->code)
		err = check(&work, is_written, error);
	else
		error_set(error, err, "no memory for the code of %d values", want_count);
	if (!err) {
		work.to = code->code;
		put_all(&work, is_written);
		code->count = work.to - code->code;
		code->stack_bytes = work.stack_bytes;
	} else {
		typed_code_free(code);
	}
	free(work.nodes);
	free(work.node_of);
	free(is_written);
	return err;
}

void typed_code_free(struct typed_code *code)
{
	free(code->code);
	*code = (struct typed_code){0};
}
