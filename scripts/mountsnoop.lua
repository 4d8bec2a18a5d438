-- SPDX-License-Identifier: Apache-2.0
--- mountsnoop: file systems being mounted and unmounted, each call as a program would write it.
---
---   moonprobe run mountsnoop                 every mount and unmount
---   moonprobe run mountsnoop -tl             with seconds, and how long each took
---   moonprobe run mountsnoop -x              only those that failed
---   moonprobe run -f json mountsnoop | jq .  as JSON each argument for itself
---
--- mount(8) of util-linux 2.39 and later mounts in steps: fsopen, fsconfig, fsmount, move_mount.
---
--- Overhead: hooks in calls that nobody makes often, and an event for each: 20 us with its row,
--- as much as mounting a tmpfs takes.
--- Cannot see: what the kernel mounts by itself (automounts); options that are no text; what
--- mount_setattr(2) sets; what follows the first 127 bytes of a path and the first 255 of the
--- options; calls of 32-bit programs.

local mp = require 'moonprobe'

local opt = mp.options {
  time = mp.flag('T', 'show the time of day'),
  timestamp = mp.flag('t', 'show seconds since the start of the trace'),
  failed = mp.flag('x', 'only calls that failed'),
  latency = mp.flag('l', 'show how long it took'),
  print_uid = mp.flag('U', 'show the user id'),
  uid = mp.whole(nil, 'only this user id', 'u'),
  name = mp.text(nil, 'only where the name of the thread has this text', 'n'),
}

-- Names of bits, from include/uapi/linux/mount.h and include/linux/fs.h.
local MOUNT = { 'MS_RDONLY', 'MS_NOSUID', 'MS_NODEV', 'MS_NOEXEC', 'MS_SYNCHRONOUS', 'MS_REMOUNT', 'MS_MANDLOCK',
  'MS_DIRSYNC', 'MS_NOSYMFOLLOW', false, 'MS_NOATIME', 'MS_NODIRATIME', 'MS_BIND', 'MS_MOVE', 'MS_REC', 'MS_SILENT',
  'MS_POSIXACL', 'MS_UNBINDABLE', 'MS_PRIVATE', 'MS_SLAVE', 'MS_SHARED', 'MS_RELATIME', 'MS_KERNMOUNT',
  'MS_I_VERSION', 'MS_STRICTATIME', 'MS_LAZYTIME' }
local UMOUNT = { 'MNT_FORCE', 'MNT_DETACH', 'MNT_EXPIRE', 'UMOUNT_NOFOLLOW' }
local FSOPEN = { 'FSOPEN_CLOEXEC' }
local FSPICK = { 'FSPICK_CLOEXEC', 'FSPICK_SYMLINK_NOFOLLOW', 'FSPICK_NO_AUTOMOUNT', 'FSPICK_EMPTY_PATH' }
local FSMOUNT = { 'FSMOUNT_CLOEXEC' }
local MOVE = { 'MOVE_MOUNT_F_SYMLINKS', 'MOVE_MOUNT_F_AUTOMOUNTS', 'MOVE_MOUNT_F_EMPTY_PATH', false,
  'MOVE_MOUNT_T_SYMLINKS', 'MOVE_MOUNT_T_AUTOMOUNTS', 'MOVE_MOUNT_T_EMPTY_PATH', false, 'MOVE_MOUNT_SET_GROUP',
  'MOVE_MOUNT_BENEATH' }
local ATTRIBUTE = { 'MOUNT_ATTR_RDONLY', 'MOUNT_ATTR_NOSUID', 'MOUNT_ATTR_NODEV', 'MOUNT_ATTR_NOEXEC',
  'MOUNT_ATTR_NOATIME', 'MOUNT_ATTR_STRICTATIME', false, 'MOUNT_ATTR_NODIRATIME', [22] = 'MOUNT_ATTR_NOSYMFOLLOW' }
local AT = { 'OPEN_TREE_CLONE', [9] = 'AT_SYMLINK_NOFOLLOW', [12] = 'AT_NO_AUTOMOUNT', [13] = 'AT_EMPTY_PATH',
  [16] = 'AT_RECURSIVE', [20] = 'OPEN_TREE_CLOEXEC' }
local COMMANDS = { [0] = 'SET_FLAG', 'SET_STRING', 'SET_BINARY', 'SET_PATH', 'SET_PATH_EMPTY', 'SET_FD',
  'CMD_CREATE', 'CMD_RECONFIGURE', 'CMD_CREATE_EXCL' }

local MAGIC, MAGIC_MASK = 0xc0ed0000, 0xffff0000 -- MS_MGC_VAL, which the kernel takes off
local CURRENT_DIRECTORY = -100

--- Names with | between; bits that nobody named as a number, 0 when there are none.
local function flags_text(value, names)
  local found, rest = {}, tonumber(value)
  for i = 32, 1, -1 do
    local weight = 2 ^ (i - 1)
    if rest % (2 * weight) >= weight and names[i] then
      table.insert(found, 1, names[i])
      rest = rest - weight
    end
  end
  if rest > 0 or #found == 0 then found[#found + 1] = rest > 0 and ('0x%x'):format(rest) or '0' end
  return table.concat(found, '|')
end

local function mount_flags(value)
  if bit.tobit(bit.band(value, MAGIC_MASK)) == bit.tobit(MAGIC) then value = bit.band(value, 0xffff) end
  return flags_text(value, MOUNT)
end

local function quoted(text) return '"' .. text:gsub('["\\]', '\\%0') .. '"' end

local function directory(fd) return fd == CURRENT_DIRECTORY and 'AT_FDCWD' or tostring(fd) end

--- By call: flags as text, and what else stands in the brackets.
local write = {
  mount = function(e)
    local flags = mount_flags(e.flags)
    return flags, { quoted(e.source), quoted(e.target), quoted(e.type), flags, quoted(e.data) }
  end,
  umount = function(e)
    local flags = flags_text(e.flags, UMOUNT)
    return flags, { quoted(e.target), flags }
  end,
  fsopen = function(e)
    local flags = flags_text(e.flags, FSOPEN)
    return flags, { quoted(e.type), flags }
  end,
  fsconfig = function(e)
    local command = COMMANDS[e.command] and 'FSCONFIG_' .. COMMANDS[e.command] or tostring(e.command)
    return nil, { e.fd, command, quoted(e.key), quoted(e.data), e.auxiliary }
  end,
  fsmount = function(e)
    local flags = flags_text(e.flags, FSMOUNT)
    return flags, { e.fd, flags, flags_text(e.attributes, ATTRIBUTE) }
  end,
  move_mount = function(e)
    local flags = flags_text(e.flags, MOVE)
    return flags, { directory(e.fd), quoted(e.source), directory(e.target_fd), quoted(e.target), flags }
  end,
  fspick = function(e)
    local flags = flags_text(e.flags, FSPICK)
    return flags, { directory(e.fd), quoted(e.source), flags }
  end,
}
for _, name in ipairs { 'open_tree', 'mount_setattr' } do
  write[name] = function(e)
    local flags = flags_text(e.flags, AT)
    return flags, { directory(e.fd), quoted(e.source), flags }
  end
end

local started = mp.now()

local row = mp.columns {
  { 'time', width = -8, format = mp.clock, shown = opt.time },
  { 'seconds', title = 'TIME(s)', width = -8, decimals = 3, shown = opt.timestamp },
  { 'uid', width = -6, shown = opt.print_uid },
  { 'comm', width = -16 },
  { 'pid', width = -7 },
  { 'tid', width = -7 },
  { 'mount_namespace', title = 'MNT_NS', width = -10 },
  { 'latency_us', title = 'LAT(us)', width = 9, decimals = 1, shown = opt.latency },
  { 'call', width = -1 },
  { 'name', shown = false },
  { 'source', shown = false },
  { 'target', shown = false },
  { 'type', shown = false },
  { 'flags', shown = false },
  { 'data', shown = false },
  { 'result', shown = false },
  { 'error', shown = false },
}

mp.probe 'mount_call'
  :when(opt.uid, function(e) return e.uid == opt.uid end)
  :when(opt.failed, function(e) return e.result < 0 end)
  :when(opt.name, function(e) return e.comm:find(opt.name, 1, true) ~= nil end)
  :each(function(e)
    local flags, words = write[e.call](e)
    local problem = e.result < 0 and mp.error_name(-e.result) or nil
    row(e.time, e.time - started, e.uid, e.comm, e.pid, e.tid, e.mount_namespace, e.latency_ns / 1e3,
      ('%s(%s) = %s'):format(e.call, table.concat(words, ', '), problem or tostring(e.result)),
      e.call, e.source, e.target, e.type, flags, e.data, e.result, problem)
  end)
