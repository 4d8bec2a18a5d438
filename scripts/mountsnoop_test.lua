-- SPDX-License-Identifier: Apache-2.0
local test = require 'moonprobe.test'

local function calls(events)
  local run, found = test.load 'mountsnoop', {}
  for _, event in ipairs(events) do run:feed('mount_call', event) end
  for i, row in ipairs(run:rows()) do found[i] = row.call end
  return found
end

local function feed(run)
  run:feed('mount_call', { time_ns = 1e9, pid = 7, tid = 7, uid = 0, comm = 'mount', mount_namespace = 4026531841,
    call = 'mount', source = '/dev/sdb1', target = '/mnt', type = 'ext4', flags = 0x6, data = 'commit=60',
    latency_ns = 1.5e6 })
  run:feed('mount_call', { pid = 8, tid = 8, uid = 1000, comm = 'umount', mount_namespace = 4026531841, call = 'umount',
    target = '/mnt', flags = 2, result = -16 })
  return run
end

local run = feed(test.load 'mountsnoop')
test.is(run:rows()[1], { time = 946684801, seconds = 1, uid = 0, comm = 'mount', pid = 7, tid = 7,
  mount_namespace = 4026531841, latency_us = 1500,
  call = 'mount("/dev/sdb1", "/mnt", "ext4", MS_NOSUID|MS_NODEV, "commit=60") = 0', name = 'mount',
  source = '/dev/sdb1', target = '/mnt', type = 'ext4', flags = 'MS_NOSUID|MS_NODEV', data = 'commit=60', result = 0 },
  'a row')
test.is({ run:rows()[2].call, run:rows()[2].error }, { 'umount("/mnt", MNT_DETACH) = EBUSY', 'EBUSY' },
  'one that failed: the error by name')
test.golden('plain', run:text())
test.golden('all columns', feed(test.load('mountsnoop', { '-TtlU' })):text())
test.is(#feed(test.load('mountsnoop', { '-x' })):rows(), 1, '-x: those that failed')
test.is(#feed(test.load('mountsnoop', { '-u', '1000' })):rows(), 1, '-u: this user')
test.is(#feed(test.load('mountsnoop', { '-n', 'um' })):rows(), 1, '-n: part of the name')

test.is(calls {
  { call = 'mount', flags = 0 },
  { call = 'mount', flags = 0xc0ed0001 },
  { call = 'mount', flags = 0x80000200 },
  { call = 'mount', source = 'a "b"\\', flags = 0x5000 },
  { call = 'umount', flags = 9 },
}, {
  'mount("", "", "", 0, "") = 0',
  'mount("", "", "", MS_RDONLY, "") = 0',
  'mount("", "", "", 0x80000200, "") = 0',
  'mount("a \\"b\\"\\\\", "", "", MS_BIND|MS_REC, "") = 0',
  'umount("", MNT_FORCE|UMOUNT_NOFOLLOW) = 0',
}, 'flags: none, with the magic number of old, nameless; quotes')

test.is(calls {
  { call = 'fsopen', type = 'ext4', flags = 1, result = 3 },
  { call = 'fsconfig', fd = 3, command = 0, key = 'ro' },
  { call = 'fsconfig', fd = 3, command = 5, key = 'fd', auxiliary = 7 },
  { call = 'fsconfig', fd = 3, command = 99, result = -95 },
  { call = 'fsmount', fd = 3, attributes = 0x200005, result = 4 },
  { call = 'move_mount', fd = 4, target_fd = -100, target = '/mnt', flags = 0x104 },
  { call = 'open_tree', fd = -100, source = '/a', flags = 0x80001, result = 5 },
  { call = 'mount_setattr', fd = 5, flags = 0x9000 },
  { call = 'fspick', fd = -100, source = '/mnt', flags = 2, result = 6 },
}, {
  'fsopen("ext4", FSOPEN_CLOEXEC) = 3',
  'fsconfig(3, FSCONFIG_SET_FLAG, "ro", "", 0) = 0',
  'fsconfig(3, FSCONFIG_SET_FD, "fd", "", 7) = 0',
  'fsconfig(3, 99, "", "", 0) = EOPNOTSUPP',
  'fsmount(3, 0, MOUNT_ATTR_RDONLY|MOUNT_ATTR_NODEV|MOUNT_ATTR_NOSYMFOLLOW) = 4',
  'move_mount(4, "", AT_FDCWD, "/mnt", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_SET_GROUP) = 0',
  'open_tree(AT_FDCWD, "/a", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC) = 5',
  'mount_setattr(5, "", AT_EMPTY_PATH|AT_RECURSIVE) = 0',
  'fspick(AT_FDCWD, "/mnt", FSPICK_SYMLINK_NOFOLLOW) = 6',
}, 'the calls of a mount in steps')

test.like(feed(test.load('mountsnoop', {}, { json = true })):lines()[2],
  '"source":"","target":"/mnt","type":"","flags":"MNT_DETACH","data":"","result":%-16,"error":"EBUSY"}$', 'JSON')

test.case('a recording', function() -- workload mount 2 /tmp , mount-missing 1 , mount-steps 1 /tmp
  local recorded = test.load('mountsnoop'):replay 'recordings/mountsnoop.rec'
  test.is(#recorded:rows(), 14, 'every call')
  test.golden('recording', recorded:text())
  recorded = test.load('mountsnoop', { '-x' }):replay 'recordings/mountsnoop.rec'
  test.is({ #recorded:rows(), recorded:rows()[1].error }, { 1, 'ENOENT' }, '-x')
end)
