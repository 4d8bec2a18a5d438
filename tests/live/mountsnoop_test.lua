-- SPDX-License-Identifier: Apache-2.0
--- The workload mounts in a mount namespace of its own; making it private is the one more mount.
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('mountsnoop', tap)

if tap.moonprobe(("run -q -c '%s mount 1 /tmp' mountsnoop"):format(tap.workload)).status ~= 0 then
  tap.skip_all('nothing can be mounted here')
end

local rows = tool.json('mount 23 /tmp')
tap.is(tool.count(rows, { name = 'mount', source = 'moonprobe', target = '/tmp', type = 'tmpfs',
  flags = 'MS_NOSUID|MS_NODEV', data = 'size=64k', result = 0, error = tool.null, comm = 'workload' }), 23, '23 mounts')
tap.is(tool.count(rows, { name = 'umount', target = '/tmp', flags = 'MNT_DETACH', result = 0 }), 23, '23 unmounts')
tap.is(tool.count(rows, { call = 'mount("", "/", "", MS_REC|MS_PRIVATE, "") = 0' }), 1, 'and the one before')
tap.is(#rows, 47, 'and nothing else')
tap.ok(rows[1].mount_namespace > 0 and rows[1].mount_namespace == rows[47].mount_namespace, 'the namespace', rows[1])

rows = tool.json('mount-missing 23')
tap.is(tool.count(rows, { call = 'mount("moonprobe", "/nonexistent/moonprobe", "tmpfs", MS_RDONLY, "") = ENOENT',
  error = 'ENOENT', result = -2 }), 23, '23 that fail')
tap.is(#tool.json('mount-missing 23', '-x'), 23, '-x: those')
tap.is(#tool.json('mount 2 /tmp', '-x'), 0, '-x: no others')

rows = tool.json('mount-steps 3 /tmp')
local steps = {}
for i = 2, 7 do steps[i - 1] = rows[i] and rows[i].call end
tap.is(#rows, 19, 'in steps: six calls for each')
tap.like(steps[1], '^fsopen%("tmpfs", FSOPEN_CLOEXEC%) = %d+$', 'fsopen')
tap.like(steps[2], '^fsconfig%(%d+, FSCONFIG_SET_STRING, "size", "64k", 0%) = 0$', 'fsconfig of a parameter')
tap.like(steps[3], '^fsconfig%(%d+, FSCONFIG_CMD_CREATE, "", "", 0%) = 0$', 'fsconfig of a command')
tap.like(steps[4], '^fsmount%(%d+, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID%) = %d+$', 'fsmount')
tap.like(steps[5], '^move_mount%(%d+, "", AT_FDCWD, "/tmp", MOVE_MOUNT_F_EMPTY_PATH%) = 0$', 'move_mount')
tap.is(steps[6], 'umount("/tmp", 0) = 0', 'umount')

local lines = tool.text('mount 3 /tmp', '-TtlU')
tap.like(lines[1], '^TIME +TIME%(s%) +UID +COMM +PID +TID +MNT_NS +LAT%(us%) CALL$', '-TtlU: heading')
tap.is(tap.matching(lines, '^%d%d:%d%d:%d%d %d+%.%d%d%d +0 +workload +(%d+) +%1 +%d+ +%d+%.%d umount%("/tmp", MNT_DETACH%) = 0$'),
  3, '-TtlU: rows')
tap.is(#tool.json('mount 3 /tmp', '-n work'), 7, '-n: part of the name')
tap.is(#tool.json('mount 3 /tmp', '-n nosuchname'), 0, '-n: another name')
tap.is(#tool.json('mount 3 /tmp', '-u 0'), 7, '-u: of root')
tap.is(#tool.json('mount 3 /tmp', '-u 1'), 0, '-u: of another')

tool.finish()
