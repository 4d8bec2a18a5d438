// SPDX-License-Identifier: Apache-2.0
/* Paths over types made here, where everything odd can be, and over this kernel's. */
#include "typed.h"

#include "test.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>

static struct btf *btf;	   /* made below */
static struct btf *kernel; /* NULL: this kernel has none */
static struct error error;
static struct typed_source source;

/* Ids of what is made below. */
static int u8, u16, u32, u64, s32, chars, bytes, be16, be32, node, ops, function;

static int pointer(int to)
{
	return btf__add_ptr(btf, to);
}

static int array(int of, int count)
{
	return btf__add_array(btf, u32, of, count);
}

/* Members are kept until their struct is added, for types of theirs are added meanwhile. */
static struct {
	const char *name;
	int type, bits, width;
} members[64];
static int member_count;

static void bitfield(const char *name, int type, int bits, int width)
{
	members[member_count].name = name;
	members[member_count].type = type;
	members[member_count].bits = bits;
	members[member_count++].width = width;
}

/* bits: where it begins. */
static void member(const char *name, int type, int bits)
{
	bitfield(name, type, bits, 0);
}

/* Of the members so far. */
static int end_struct(const char *name, int bytes)
{
	int id = btf__add_struct(btf, name, bytes);

	for (int i = 0; i < member_count; i++)
		assert_int_equal(btf__add_field(btf, members[i].name, members[i].type,
						members[i].bits, members[i].width),
				 0);
	member_count = 0;
	return id;
}

static int end_union(const char *name, int bytes)
{
	int id = btf__add_union(btf, name, bytes);

	for (int i = 0; i < member_count; i++)
		assert_int_equal(btf__add_field(btf, members[i].name, members[i].type, 0, 0), 0);
	member_count = 0;
	return id;
}

static int make_numbers(void)
{
	u8 = btf__add_int(btf, "unsigned char", 1, 0);
	u16 = btf__add_int(btf, "unsigned short", 2, 0);
	u32 = btf__add_int(btf, "unsigned int", 4, 0);
	u64 = btf__add_int(btf, "unsigned long", 8, 0);
	s32 = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	chars = btf__add_int(btf, "char", 1, BTF_INT_SIGNED);
	bytes = btf__add_typedef(btf, "u8", u8);
	be16 = btf__add_typedef(btf, "__be16", btf__add_typedef(btf, "__u16", u16));
	be32 = btf__add_typedef(btf, "__be32", btf__add_typedef(btf, "__u32", u32));
	return btf__add_int(btf, "__int128", 16, BTF_INT_SIGNED);
}

/* A struct with one of everything. */
static void make_node(int wide)
{
	int boolean = btf__add_int(btf, "_Bool", 1, BTF_INT_BOOL), real, state, mask, in6, small,
	    inner, shared, uid, forward;

	real = btf__add_float(btf, "double", 8);
	state = btf__add_enum(btf, "state", 4);
	btf__add_enum_value(btf, "STATE_OFF", 0);
	btf__add_enum_value(btf, "STATE_ON", 5);
	small = btf__add_enum(btf, "", 1);
	btf__add_enum_value(btf, "BAD", -1);
	mask = btf__add_enum64(btf, "mask", 8, false);
	btf__add_enum64_value(btf, "MASK_TOP", 1ull << 63);
	btf__add_enum64_value(btf, "MASK_LOW", 1);
	member("s6_addr", array(bytes, 16), 0);
	in6 = end_struct("in6_addr", 16);
	uid = btf__add_typedef(btf, "uid_t", u32);
	forward = btf__add_fwd(btf, "secret", BTF_FWD_STRUCT);
	/* Unnamed in unnamed in unnamed. */
	member("port", be16, 0);
	member("whole", u32, 0);
	shared = end_union("", 4);
	member("", shared, 0);
	member("count", s32, 32);
	inner = end_struct("", 8);
	member("", inner, 0);
	member("both", u64, 0);
	shared = end_union("", 8);

	member("next", pointer(node), 0);
	member("", shared, 64);
	bitfield("low", u32, 128, 3);
	bitfield("mid", s32, 131, 9);
	bitfield("across", u32, 156, 8);
	bitfield("flag", boolean, 164, 1);
	bitfield("how", state, 165, 3);
	member("is_up", boolean, 192);
	member("state", btf__add_const(btf, state), 224);
	member("small", small, 256);
	member("mask", mask, 320);
	member("name", array(chars, 16), 384);
	member("large", array(chars, 1000), 512);
	member("mac", array(bytes, 6), 512);
	member("table", array(s32, 3), 512);
	member("lines", array(array(chars, 8), 4), 512);
	member("ports", array(be16, 2), 512);
	member("nodes", array(pointer(node), 2), 512);
	member("uid", btf__add_volatile(btf, uid), 640);
	member("address", in6, 704);
	member("to", pointer(btf__add_const(btf, in6)), 832);
	member("label", pointer(btf__add_const(btf, chars)), 896);
	member("path", pointer(btf__add_type_tag(btf, "user", btf__add_const(btf, chars))), 960);
	member("d_name", pointer(btf__add_const(btf, u8)), 1024);
	member("data", pointer(bytes), 1088);
	member("call", pointer(btf__add_func_proto(btf, 0)), 1152);
	member("nothing", pointer(0), 1216);
	member("secret", pointer(forward), 1280);
	member("real", real, 1344);
	member("wide", wide, 1408);
	member("argv", pointer(pointer(chars)), 1536);
	member("again", pointer(pointer(node)), 1600);
	member("address4", be32, 1664);
	member("tail", array(chars, 0), 3200);
	node = end_struct("node", 400);
}

static void make_btf(void)
{
	int proto, by_value, in, out, real, wide = make_numbers();

	make_node(wide);
	member("a", u64, 0);
	member("b", u64, 64);
	by_value = end_struct("pair", 16);
	in = pointer(btf__add_const(btf, node));
	out = pointer(node);
	real = btf__add_float(btf, "float", 4);
	proto = btf__add_func_proto(btf, out);
	btf__add_func_param(btf, "node", in);
	btf__add_func_param(btf, "port", be16);
	btf__add_func_param(btf, "", s32);
	for (int i = 3; i < 7; i++)
		btf__add_func_param(btf, (const char *[]){"d", "e", "f", "g"}[i - 3], u64);
	function = btf__add_func(btf, "visit", BTF_FUNC_STATIC, proto);
	proto = btf__add_func_proto(btf, by_value);
	btf__add_func_param(btf, "first", s32);
	btf__add_func_param(btf, "weight", real);
	btf__add_func_param(btf, "second", u8);
	btf__add_func_param(btf, "pair", by_value);
	btf__add_func_param(btf, "third", s32);
	btf__add_func_param(btf, "", 0);
	ops = btf__add_func(btf, "mixed", BTF_FUNC_STATIC, proto);
}

static int setup(void **state)
{
	(void)state;
	libbpf_set_print(NULL);
	/* Pointers lead to a struct that comes later: the first time shows where it is. */
	for (int i = 0; i < 2; i++) {
		btf__free(btf);
		btf = btf__new_empty();
		assert_non_null(btf);
		btf__set_pointer_size(btf, 8);
		make_btf();
	}
	kernel = btf__load_vmlinux_btf();
	return typed_function(&source, btf, function, &error);
}

static int teardown(void **state)
{
	(void)state;
	typed_source_free(&source);
	btf__free(btf);
	return 0;
}

static const char *const results[] = {
	[TYPED_VALUE] = "", [TYPED_STRUCT] = "struct ", [TYPED_ARRAY] = "array "};
static const char *const reads[] = {
	[TYPED_NUMBER] = "number", [TYPED_BITS] = "bits",     [TYPED_BYTES] = "bytes",
	[TYPED_TEXT] = "text",	   [TYPED_STRING] = "string", [TYPED_DYNAMIC] = "dynamic"};

/* All of a resolved path as a line: "u4 read number: slot 0 +8 *+16". */
static const char *described(const struct typed_source *of, const char *path)
{
	static char line[600];
	struct typed *typed;
	const struct typed_access *access;
	int at;

	if (typed_resolve(&typed, of, path, &error))
		return error.text;
	access = &typed->access;
	at = sprintf(line, "%s%c%u", results[typed->result],
		     typed->field.kind ? (int)typed->field.kind : '-', typed->field.bytes);
	if (typed->field.elements)
		at += sprintf(line + at, " %u of %u", typed->field.elements,
			      typed->field.element_bytes);
	if (*typed->field.type)
		at += sprintf(line + at, " %s", typed->field.type);
	if (typed->field.value_count)
		at += sprintf(line + at, " %s=%lld", typed->field.values[0].name,
			      (long long)typed->field.values[0].value);
	at += sprintf(line + at, " %s", reads[access->read]);
	if (access->read == TYPED_BITS)
		at += sprintf(line + at, " %u>>%u of %u", access->width, access->shift,
			      access->unit_bytes);
	at += sprintf(line + at, "%s slot %u", access->is_big_endian ? " be" : "", access->slot);
	for (int i = 0; i < access->steps; i++)
		at += sprintf(line + at, " +%u%s", access->at[i], access->user >> i & 1 ? "u" : "");
	assert_string_equal(typed->field.name, path);
	assert_string_equal(typed->field.doc, "");
	assert_int_equal(typed->field.bytes, typed->access.bytes);
	typed_free(typed);
	return line;
}

struct golden {
	const char *path, *expected;
};

static void all_are(const struct typed_source *of, const struct golden *golden, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *line = described(of, golden[i].path);

		if (strcmp(line, golden[i].expected))
			fail_msg("%s: '%s' instead of '%s'", golden[i].path, line,
				 golden[i].expected);
	}
}

static void values_are_described(void **state)
{
	static const struct golden golden[] = {
		{"args.node", "struct u8 number slot 0"},
		{"args.node.next", "struct u8 number slot 0 +0"},
		{"args.node.next.next.state", "u4 state STATE_OFF=0 number slot 0 +0 +0 +28"},
		{"ret.next", "struct u8 number slot 6 +0"},
		{"args.port", "u2 number be slot 1"},
		{"args.3", "i4 number slot 2"},
		{"args.f", "u8 number slot 5"},
		{"args", "struct -0 number slot 0"},
		{"args.node.port", "u2 number be slot 0 +8"},
		{"args.node.whole", "u4 number slot 0 +8"},
		{"args.node.count", "i4 number slot 0 +12"},
		{"args.node.both", "u8 number slot 0 +8"},
		{"args.node.low", "u4 bits 3>>0 of 1 slot 0 +16"},
		{"args.node.mid", "i4 bits 9>>3 of 2 slot 0 +16"},
		{"args.node.across", "u4 bits 8>>28 of 8 slot 0 +16"},
		{"args.node.flag", "b1 bits 1>>4 of 1 slot 0 +20"},
		{"args.node.how", "u4 state STATE_OFF=0 bits 3>>5 of 1 slot 0 +20"},
		{"args.node.is_up", "b1 number slot 0 +24"},
		{"args.node.small", "i1 BAD=-1 number slot 0 +32"},
		{"args.node.mask", "u8 mask MASK_TOP=-9223372036854775808 number slot 0 +40"},
		{"args.node.name", "c16 text slot 0 +48"},
		{"args.node.large", "c256 text slot 0 +64"},
		{"args.node.tail", "c64 text slot 0 +400"},
		{"args.node.mac", "u6 6 of 1 bytes slot 0 +64"},
		{"args.node.mac[5]", "u1 number slot 0 +69"},
		{"args.node.table", "i12 3 of 4 bytes slot 0 +64"},
		{"args.node.table[1]", "i4 number slot 0 +68"},
		{"args.node.lines", "array -0 number slot 0 +64"},
		{"args.node.lines[2]", "c8 text slot 0 +80"},
		{"args.node.ports", "array -0 number slot 0 +64"},
		{"args.node.ports[1]", "u2 number be slot 0 +66"},
		{"args.node.nodes[1].uid", "u4 uid_t number slot 0 +72 +80"},
		{"args.node.address", "s16 ip_address bytes slot 0 +88"},
		{"args.node.address.s6_addr[0]", "u1 number slot 0 +88"},
		{"args.node.to", "s16 ip_address bytes slot 0 +104 +0"},
		{"args.node.address4", "u4 number be slot 0 +208"},
		{"args.node.label", "c64 string slot 0 +112 +0"},
		{"args.node.path", "c64 string slot 0 +120 +0u"},
		{"args.node.d_name", "c64 string slot 0 +128 +0"},
		{"args.node.data", "u8 number slot 0 +136"},
		{"args.node.data[2]", "u1 number slot 0 +136 +2"},
		{"args.node.call", "u8 number slot 0 +144"},
		{"args.node.nothing", "u8 number slot 0 +152"},
		{"args.node.secret", "u8 number slot 0 +160"},
		{"args.node.argv", "u8 number slot 0 +192"},
		{"args.node.argv[1]", "c64 string slot 0 +192 +8 +0"},
		{"args.node[0].uid", "u4 uid_t number slot 0 +80"},
		{"args.node[2].next[1].uid", "u4 uid_t number slot 0 +800 +480"},
		{"ret[65535].next", "struct u8 number slot 6 +26214000"},
		{"args.node.name[15]", "i1 number slot 0 +63"},
		{"args.node.lines[3][7]", "i1 number slot 0 +95"},
		{"args.node.tail[5]", "i1 number slot 0 +405"},
		{"args.node.label[0]", "i1 number slot 0 +112 +0"},
		{"args.node.again.uid", "u4 uid_t number slot 0 +200 +0 +80"},
		{"args.node.again[1].uid", "u4 uid_t number slot 0 +200 +8 +80"},
	};

	(void)state;
	all_are(&source, golden, COUNT_OF(golden));
}

static void errors_say_what_and_where(void **state)
{
	static const struct golden golden[] = {
		{"args.nod", "args has no 'nod'; visit has node, port, 3, d, e, f, g"},
		{"args.nod.x", "args has no 'nod'; visit has node, port, 3, d, e, f, g"},
		{"arg.node", "visit has no 'arg'; it has args.node, args.port, args.3, args.d, "
			     "args.e, args.f, args.g, ret"},
		{"args.g", "args.g of visit is not among the first six arguments, which come in "
			   "registers"},
		{"args.node.nxt", "struct node has no member 'nxt'; did you mean 'next'?"},
		{"args.node.next.wole", "struct node has no member 'wole'; did you mean 'whole'?"},
		{"args.node.zzzzzz", "struct node has no member 'zzzzzz'"},
		{"args.node[0].zzzzzz", "struct node has no member 'zzzzzz'"},
		{"args.port.x", "args.port is unsigned short, not a struct"},
		{"args.node.count.x", "args.node.count is int, not a struct"},
		{"args.node.low.x", "args.node.low is unsigned int, not a struct"},
		{"args.node.label.x", "args.node.label is char *, not a struct"},
		{"args.node.argv.x", "args.node.argv is char **, not a struct"},
		{"args.node.nodes.x",
		 "args.node.nodes is struct node *[2], not a struct: name an element"},
		{"args.node.table.1", "args.node.table is int[3], not a struct: name an element"},
		{"args.node.state.x", "args.node.state is enum state, not a struct"},
		{"args.node.call.x", "args.node.call is a function *, not a struct"},
		{"args.node.call[0]", "args.node.call is a function *, which has no elements"},
		{"args.node.nothing[0]", "args.node.nothing is void *, which has no elements"},
		{"args.node.secret.x", "args.node.secret is struct secret, whose members these "
				       "types do not tell"},
		{"args.node.nodes[-1]", "args.node.nodes[-1]: elements have numbers from 0"},
		{"args.node.nodes[1x]", "args.node.nodes[1x]: elements have numbers from 0"},
		{"args.node.nodes[2]", "args.node.nodes has 2 elements, [0] to [1], and no [2]"},
		{"args.node.nodes[2].uid",
		 "args.node.nodes has 2 elements, [0] to [1], and no [2]"},
		{"args.node.table[4294967296]",
		 "args.node.table has 3 elements, [0] to [2], and no [4294967296]"},
		{"args.node.lines[4]", "args.node.lines has 4 elements, [0] to [3], and no [4]"},
		{"args.node.lines[3][8]",
		 "args.node.lines[3] has 8 elements, [0] to [7], and no [8]"},
		{"args.node.name[16]", "args.node.name has 16 elements, [0] to [15], and no [16]"},
		{"args.node.data[65536]",
		 "args.node.data[65536]: elements up to [65535] can be read"},
		{"args.node.data[99999999999999999999999]",
		 "args.node.data[9999999999999999999: elements up to [65535] can be read"},
		{"args.port[0]", "args.port is unsigned short, which has no elements"},
		{"args.node.low[0]", "args.node.low is unsigned int, not a struct"},
		{"args.node[0][0]", "args.node[0] is struct node, which has no elements"},
		{"args.nod[0]", "args has no 'nod'; visit has node, port, 3, d, e, f, g"},
		{"args[0]", "visit has no 'args'; it has args.node, args.port, args.3, args.d, "
			    "args.e, args.f, args.g, ret"},
		{"args.node.real", "args.node.real is double, which cannot be read"},
		{"args.node.wide",
		 "args.node.wide is __int128, which is no number of 8 to 64 bits"},
	};
	static const char *const odd[] = {"",
					  ".",
					  "args.",
					  "args..node",
					  "[0]",
					  "args.[0]",
					  "args.node[",
					  "args.node[]",
					  "args.node]",
					  "args.node[0",
					  "args.node0]",
					  "args.node[0]x",
					  "args.node[0]]",
					  "args.node[[0]]"};

	(void)state;
	all_are(&source, golden, COUNT_OF(golden));
	for (size_t i = 0; i < COUNT_OF(odd); i++) {
		char expected[100];

		sprintf(expected, "'%s' is not a path of names with dots between, as args.x[0].y",
			odd[i]);
		assert_string_equal(described(&source, odd[i]), expected);
	}
}

static void paths_have_bounds(void **state)
{
	char path[2000] = "args.node";
	struct typed *typed;

	(void)state;
	for (int i = 0; i < 16; i++)
		strcat(path, ".next");
	assert_int_equal(typed_resolve(&typed, &source, path, &error), 0);
	assert_int_equal(typed->access.steps, TYPED_DEPTH);
	typed_free(typed);
	strcat(path, ".next");
	assert_int_equal(typed_resolve(&typed, &source, path, &error), -EINVAL);
	assert_non_null(strstr(error.text, "leads through more than 16 pointers"));
	assert_null(typed);
	strcpy(path, "args.node.next.");
	memset(path + strlen(path), 'x', TYPED_PATH - 1 - strlen(path));
	path[TYPED_PATH - 1] = 0;
	assert_int_equal(typed_resolve(&typed, &source, path, &error), -ENOENT);
	strcat(path, "x");
	assert_int_equal(typed_resolve(&typed, &source, path, &error), -EINVAL);
	assert_non_null(strstr(error.text, "a path of more than 255 characters: args.node.next.x"));
	typed_free(NULL);
}

static void what_is_passed_by_value_is_refused(void **state)
{
	static const struct golden golden[] = {
		{"args.first", "i4 number slot 0"},
		{"args.weight",
		 "args.weight of mixed is a floating-point number, which cannot be read"},
		{"args.second", "u1 number slot 1"},
		{"args.pair",
		 "args.pair of mixed is a struct passed by value, which cannot be read"},
		{"args.third", "args.third of mixed comes after what is passed by value, so its "
			       "place is not known"},
		{"args.fourth",
		 "args has no 'fourth'; mixed has first, weight, second, pair, third"},
		{"ret.a", "ret of mixed is a struct returned by value, which cannot be read"},
	};
	struct typed_source mixed;

	(void)state;
	assert_int_equal(typed_function(&mixed, btf, ops, &error), 0);
	all_are(&mixed, golden, COUNT_OF(golden));
	typed_source_free(&mixed);
	typed_source_free(&mixed);
	assert_int_equal(typed_function(&mixed, btf, node, &error), -EINVAL);
	assert_int_equal(typed_function(&mixed, btf, 1 << 30, &error), -EINVAL);
	typed_source_free(&mixed);
}

static void records_lie_in_memory(void **state)
{
	static const struct golden golden[] = {
		{"count", "i4 number slot 3 +12"},
		{"low", "u4 bits 3>>0 of 1 slot 3 +16"},
		{"name", "c16 text slot 3 +48"},
		{"label", "c64 string slot 3 +112 +0"},
		{"next.next", "struct u8 number slot 3 +0 +0"},
		{"cuont", "struct node has no member 'cuont'; did you mean 'count'?"},
	};
	struct typed_source record;

	(void)state;
	assert_int_equal(typed_struct(&record, btf, node, 3, "", &error), 0);
	all_are(&record, golden, COUNT_OF(golden));
	typed_source_free(&record);
	assert_int_equal(typed_struct(&record, btf, node, 3, "args", &error), 0);
	assert_string_equal(described(&record, "args.count"), "i4 number slot 3 +12");
	assert_string_equal(described(&record, "args"), "struct -0 node number slot 3 +0");
	assert_string_equal(described(&record, "count"), "node has no 'count'; it has args");
	typed_source_free(&record);
	assert_int_equal(typed_struct(&record, btf, u32, 3, "", &error), -EINVAL);
}

/* A record: text that it says the place of, and numbers that are called something. */
static void roots_can_be_records(void **state)
{
	static const struct schema_value names[] = {{"ON", 1}, {"OFF", 2}};
	struct typed_root roots[] = {
		{.name = "text", .in_memory = true, .offset = 8, .is_dynamic = true},
		{.name = "flags", .in_memory = true, .offset = 12, .called = "open_flags"},
		{.name = "state", .in_memory = true, .offset = 16, .values = names},
		{.name = "node", .in_memory = true, .offset = 24, .called = "none"},
		{.name = "mode", .in_memory = true, .offset = 32, .values = names},
	};
	static const struct golden golden[] = {
		{"text", "c64 dynamic slot 0 +8"},
		{"text.x", "text is text, not a struct"},
		{"flags", "u4 open_flags number slot 0 +12"},
		{"state", "i4 ON=1 number slot 0 +16"},
		{"node", "struct u8 number slot 0 +24"},
		{"node.state", "u4 state STATE_OFF=0 number slot 0 +24 +28"},
		{"mode", "u4 state STATE_OFF=0 number slot 0 +32"},
	};
	struct typed_source record = {.btf = btf, .name = "made_up", .roots = roots};

	(void)state;
	record.root_count = COUNT_OF(roots);
	roots[1].type = u32;
	roots[2].type = s32;
	roots[2].value_count = roots[4].value_count = 2;
	roots[3].type = pointer(node);
	roots[4].type = btf__find_by_name_kind(btf, "state", BTF_KIND_ENUM);
	all_are(&record, golden, COUNT_OF(golden));
}

/* Roots by hand: user memory, and words nothing is known about. */
static void roots_can_be_anything(void **state)
{
	struct typed_root roots[] = {
		{.name = "args.1", .slot = 2},
		{.name = "args.2", .slot = 7, .in_memory = true, .offset = 24},
		{.name = "args.3", .slot = TYPED_SLOTS},
		{.name = "args.4", .slot = 0, .type = 1 << 20},
		{.name = "args.5", .slot = 1, .in_memory = true, .offset = 1 << 28},
		{.name = "node", .slot = 4, .in_memory = true, .offset = 8},
	};
	static const struct golden golden[] = {
		{"args.1", "u8 number slot 2"},
		{"args.1.x", "args.1 is a number of no known type, not a struct"},
		{"args.2", "u8 number slot 7 +24"},
		{"args.3", "args.3 of main is in no slot"},
		{"args.4", "args.4 has a damaged type"},
		{"args.5", "args.5 lies too far from where it begins"},
		{"node.label", "c64 string slot 4 +8 +112u +0u"},
		{"node.count", "i4 number slot 4 +8 +12u"},
	};
	struct typed_source user = {
		.btf = btf, .user = true, .name = "main", .roots = roots, .root_count = 6};

	(void)state;
	roots[5].type = pointer(node);
	all_are(&user, golden, COUNT_OF(golden));
}

/* What is no function's: more of them, no result. */
static void raw_ones_have_as_many_as_are_said(void **state)
{
	struct typed_root roots[] = {{.name = "arg6", .slot = 6}, {.name = "arg11", .slot = 11}};
	struct typed_source probe = {.user = true,
				     .is_raw = true,
				     .name = "main",
				     .roots = roots,
				     .root_count = 2,
				     .raw_arguments = 12};
	static const struct golden many[] = {
		{"arg6", "u8 number slot 6"},
		{"arg11", "u8 number slot 11"},
		{"arg11.x", "arg11 is a number of no known type, not a struct"},
		{"arg12", "main has no 'arg12'; it has arg0 to arg11"},
		{"args.x", "main has no 'args'; it has arg0 to arg11"},
		{"string.arg0", "c128 string slot 0 +0u"},
		{"string.arg11", "c128 string slot 11 +0u"},
		{"string.arg12", "string has no 'arg12'; it has arg0 to arg11"},
		{"string.arg011", "string has no 'arg011'; it has arg0 to arg11"},
		{"string.retval", "string has no 'retval'; it has arg0 to arg11"},
	};
	static const struct golden few[] = {
		{"string.arg5", "c128 string slot 5 +0u"},
		{"string.arg6", "string has no 'arg6'; it has arg0 to arg5, retval"},
		{"string.retval", "c128 string slot 6 +0u"},
	};
	static const struct golden none[] = {
		{"args.x", "main has no 'args': the types of its arguments are not known; arg0 to "
			   "arg5 are what they are in"},
		{"string.arg0", "c128 string slot 0 +0u"},
	};

	(void)state;
	all_are(&probe, many, COUNT_OF(many));
	probe.raw_arguments = 0;
	all_are(&probe, few, COUNT_OF(few));
	probe.root_count = 0;
	all_are(&probe, none, COUNT_OF(none));
}

/* A module's types are put on top of the kernel's. */
static void types_of_a_module(void **state)
{
	struct btf *module = btf__new_empty_split(btf);
	int in, proto, id, device;
	struct typed_source of;

	(void)state;
	assert_non_null(module);
	in = btf__add_ptr(module, node);
	device = btf__add_struct(module, "device", 16);
	assert_int_equal(btf__add_field(module, "irq", s32, 32, 0), 0);
	assert_int_equal(btf__add_field(module, "node", in, 64, 0), 0);
	in = btf__add_ptr(module, device);
	proto = btf__add_func_proto(module, s32);
	btf__add_func_param(module, "device", in);
	id = btf__add_func(module, "device_open", BTF_FUNC_STATIC, proto);
	assert_int_equal(typed_function(&of, module, id, &error), 0);
	assert_string_equal(described(&of, "args.device.irq"), "i4 number slot 0 +4");
	assert_string_equal(described(&of, "args.device.node.next.port"),
			    "u2 number be slot 0 +8 +0 +8");
	assert_string_equal(described(&of, "args.device.nod"),
			    "struct device has no member 'nod'; did you mean 'node'?");
	typed_source_free(&of);
	btf__free(module);
}

/* Types that go round in circles, or lead nowhere. */
static void damaged_types_are_refused(void **state)
{
	int first = btf__type_cnt(btf), self, deep = u32;
	struct typed_source record;
	struct typed *typed;

	(void)state;
	/* typedef a b; typedef b a; */
	btf__add_typedef(btf, "a", first + 1);
	btf__add_typedef(btf, "b", first);
	/* A union whose unnamed members are itself, twice. */
	self = first + 2;
	member("", self, 0);
	member("", self, 0);
	assert_int_equal(end_union("", 8), self);
	for (int i = 0; i < 40; i++)
		deep = array(deep, 1 << 20);
	member("loop", first, 0);
	member("", self, 0);
	member("gone", 1 << 20, 0);
	member("deep", deep, 0);
	member("far", u32, -64); /* 2^29 bytes, but for a few */
	end_struct("odd", 8);
	assert_int_equal(typed_struct(&record, btf, btf__type_cnt(btf) - 1, 0, "", &error), 0);
	assert_int_equal(typed_resolve(&typed, &record, "loop", &error), -EINVAL);
	assert_string_equal(error.text, "loop has a damaged type");
	assert_int_equal(typed_resolve(&typed, &record, "gone", &error), -EINVAL);
	assert_int_equal(typed_resolve(&typed, &record, "gone.x", &error), -EINVAL);
	assert_int_equal(typed_resolve(&typed, &record, "deep[4]", &error), -EINVAL);
	assert_int_equal(typed_resolve(&typed, &record, "nowhere", &error), -ENOENT);
	assert_int_equal(typed_resolve(&typed, &record, "far", &error), -EINVAL);
	assert_string_equal(error.text, "far lies too far from where it begins");
	typed_source_free(&record);
}

/* Each bit may be another, as in the BTF of a file nobody vouches for: an answer or an error, and
 * nothing else (the sanitizers watch). */
static void any_bytes_are_survived(void **state)
{
	enum { ROUNDS = 3000 };
	static const char *const paths[] = {"count",
					    "next.next.state",
					    "name",
					    "table[1]",
					    "lines[2]",
					    "nodes[1].uid",
					    "address",
					    "to",
					    "d_name",
					    "argv[1]",
					    "again[1].uid",
					    "low",
					    "across",
					    "mask",
					    "zzz",
					    "args.node.count",
					    "args.node.small",
					    "args.node.zzz",
					    "args.pair",
					    "ret.low"};
	uint32_t size;
	const unsigned char *raw = btf__raw_data(btf, &size);
	unsigned char *changed = malloc(size);
	int resolved = 0, refused = 0;

	(void)state;
	srand(1);
	for (int round = 0; round < ROUNDS; round++) {
		struct typed_source of;
		struct btf *odd;
		int kind = round % 3;

		memcpy(changed, raw, size);
		for (int i = rand() % 8; i >= 0; i--)
			changed[24 + rand() % (size - 24)] ^= 1 << rand() % 8;
		odd = btf__new(changed, size);
		if (!odd)
			continue;
		btf__set_pointer_size(odd, 8);
		if (kind == 0 ? typed_struct(&of, odd, node, 0, "", &error)
			      : typed_function(&of, odd, kind == 1 ? function : ops, &error)) {
			refused++;
		} else {
			for (size_t i = 0; i < COUNT_OF(paths); i++) {
				struct typed *typed;
				int err = typed_resolve(&typed, &of, paths[i], &error);

				resolved += !err;
				refused += !!err;
				typed_free(typed);
			}
		}
		typed_source_free(&of);
		btf__free(odd);
	}
	free(changed);
	assert_true(resolved > ROUNDS && refused > ROUNDS);
}

static void function_of_kernel(struct typed_source *of, const char *name)
{
	int id = btf__find_by_name_kind(kernel, name, BTF_KIND_FUNC);

	if (id <= 0)
		fail_msg("no function %s in this kernel", name);
	if (typed_function(of, kernel, id, &error))
		fail_msg("%s", error.text);
}

static void the_kernels_functions(void **state)
{
	struct typed_source of;
	struct typed *typed;

	(void)state;
	if (!kernel)
		SKIP("this kernel has no /sys/kernel/btf/vmlinux");
	function_of_kernel(&of, "tcp_connect");
	assert_string_equal(described(&of, "args.sk.__sk_common.skc_dport"),
			    "u2 number be slot 0 +12");
	assert_string_equal(described(&of, "args.sk.__sk_common.skc_daddr"),
			    "u4 number be slot 0 +0");
	assert_string_equal(described(&of, "args.sk.__sk_common.skc_family"),
			    "u2 number slot 0 +16");
	assert_string_equal(described(&of, "args.sk.__sk_common.skc_v6_daddr"),
			    "s16 ip_address bytes slot 0 +56");
	assert_string_equal(described(&of, "args.sk.__sk_common.skc_reuseport"),
			    "u1 bits 1>>4 of 1 slot 0 +19");
	assert_string_equal(described(&of, "args.sk"), "struct u8 number slot 0");
	assert_string_equal(described(&of, "ret"), "i4 number slot 6");
	assert_string_equal(described(&of, "args.skk"), "args has no 'skk'; tcp_connect has sk");
	assert_string_equal(described(&of, "args.sk.__sk_common.skc_dprt"),
			    "struct sock_common has no member 'skc_dprt'; did you mean "
			    "'skc_dport'?");
	assert_string_equal(described(&of, "args.sk.sk_err.x"),
			    "args.sk.sk_err is int, not a struct");
	assert_int_equal(typed_resolve(&typed, &of, "args.sk.__sk_common.skc_prot.name", &error),
			 0);
	assert_int_equal(typed->field.kind, SCHEMA_TEXT);
	assert_int_equal(typed->field.bytes, 32);
	typed_free(typed);
	typed_source_free(&of);
	function_of_kernel(&of, "do_sys_openat2");
	assert_string_equal(described(&of, "args.dfd"), "i4 number slot 0");
	assert_string_equal(described(&of, "args.filename"), "c64 string slot 1 +0");
	assert_string_equal(described(&of, "args.how.flags"), "u8 number slot 2 +0");
	typed_source_free(&of);
}

static void the_kernels_tracepoints(void **state)
{
	struct typed_source of;
	int id;

	(void)state;
	if (!kernel)
		SKIP("this kernel has no /sys/kernel/btf/vmlinux");
	assert_int_equal(typed_raw_tracepoint(&of, kernel, "sched_switch", &error), 0);
	assert_string_equal(of.roots[1].name, "args.prev");
	assert_string_equal(described(&of, "args.preempt"), "b1 number slot 0");
	assert_non_null(strstr(described(&of, "args.prev.comm"), "c16 text slot 1"));
	assert_non_null(strstr(described(&of, "args.next.tgid"), "i4 pid_t number slot 2"));
	typed_source_free(&of);
	assert_int_equal(typed_raw_tracepoint(&of, kernel, "no_such", &error), -ENOENT);
	assert_string_equal(error.text, "no tracepoint is named no_such");
	id = btf__find_by_name_kind(kernel, "trace_event_raw_sched_switch", BTF_KIND_STRUCT);
	assert_int_equal(typed_struct(&of, kernel, id, 0, "args", &error), 0);
	assert_string_equal(described(&of, "args.prev_comm"), "c16 text slot 0 +8");
	assert_string_equal(described(&of, "args.next_prio"), "i4 number slot 0 +60");
	assert_string_equal(described(&of, "args.ent.pid"), "i4 number slot 0 +4");
	typed_source_free(&of);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_described),
		cmocka_unit_test(errors_say_what_and_where),
		cmocka_unit_test(paths_have_bounds),
		cmocka_unit_test(what_is_passed_by_value_is_refused),
		cmocka_unit_test(records_lie_in_memory),
		cmocka_unit_test(roots_can_be_records),
		cmocka_unit_test(roots_can_be_anything),
		cmocka_unit_test(raw_ones_have_as_many_as_are_said),
		cmocka_unit_test(types_of_a_module),
		cmocka_unit_test(damaged_types_are_refused),
		cmocka_unit_test(any_bytes_are_survived),
		cmocka_unit_test(the_kernels_functions),
		cmocka_unit_test(the_kernels_tracepoints),
	};

	return cmocka_run_group_tests_name("typed", tests, setup, teardown);
}
