-- SPDX-License-Identifier: Apache-2.0
--- capable: which privileges (capabilities) programs ask the kernel for.
---
---   moonprobe run capable                    every check that the audit would see
---   moonprobe run capable -vx                all checks, with the thread and what they are for
---   moonprobe run -c 'ping -c1 host' capable --unique     each process's once
---   moonprobe run -f json capable -n CAP_SYS_ADMIN
---
--- A check is not a refusal: the kernel asks before it knows whether a program has the privilege.
---
--- Overhead: one event per check that is shown, 5 us with its row; checks are rare but for some
--- programs (systemd, dockerd). With -v they are frequent: some file systems ask at every write.
--- Cannot see: the outcome of a check; checks that other security modules make by themselves;
--- what a program may do without being asked.

local mp = require 'moonprobe'

-- include/uapi/linux/capability.h
local names = { [0] = 'CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID',
  'SETPCAP', 'LINUX_IMMUTABLE', 'NET_BIND_SERVICE', 'NET_BROADCAST', 'NET_ADMIN', 'NET_RAW', 'IPC_LOCK', 'IPC_OWNER',
  'SYS_MODULE', 'SYS_RAWIO', 'SYS_CHROOT', 'SYS_PTRACE', 'SYS_PACCT', 'SYS_ADMIN', 'SYS_BOOT', 'SYS_NICE',
  'SYS_RESOURCE', 'SYS_TIME', 'SYS_TTY_CONFIG', 'MKNOD', 'LEASE', 'AUDIT_WRITE', 'AUDIT_CONTROL', 'SETFCAP',
  'MAC_OVERRIDE', 'MAC_ADMIN', 'SYSLOG', 'WAKE_ALARM', 'BLOCK_SUSPEND', 'AUDIT_READ', 'PERFMON', 'BPF',
  'CHECKPOINT_RESTORE' }

-- include/linux/security.h, since Linux 5.1
local NOAUDIT, INSETID = 2, 4

local opt = mp.options {
  verbose = mp.flag('v', 'also checks that the audit does not see'),
  extra = mp.flag('x', 'show the thread, and whether it is for a change of user ids'),
  kernel_stack = mp.flag('K', 'show how the kernel came to ask'),
  user_stack = mp.flag('U', 'show how the program came there'),
  unique = mp.flag('each capability once for each process'),
  name = mp.text(nil, 'only this capability, as CAP_SYS_ADMIN or its number', 'n'),
  uid = mp.whole(nil, 'only this user id', 'u'),
}

local wanted = tonumber(opt.name)
if opt.name and not wanted then
  local bare = opt.name:upper():gsub('^CAP_', '')
  for number, name in pairs(names) do if name == bare then wanted = number end end
  if not wanted then mp.refuse("name '%s': there is no such capability", opt.name) end
end

local row = mp.columns {
  { 'time', width = -9, format = mp.clock },
  { 'uid', width = -6 },
  { 'pid', width = -7 },
  { 'tid', width = -7, shown = opt.extra },
  { 'comm', width = -16 },
  { 'cap', width = -4 },
  { 'name', width = -20 },
  { 'audit', width = -6, format = function(audit) return audit and '1' or '0' end },
  { 'insetid', width = -7, shown = opt.extra, format = function(insetid) return insetid and '1' or '0' end },
  { 'kstack', shown = false },
  { 'ustack', shown = false },
}

-- What was shown: of so many processes at most, then it begins anew.
local MOST = 65536
local shown, count = {}, 0

local function is_new(pid, cap)
  local key = pid * 64 + cap
  if shown[key] then return false end
  if count == MOST then shown, count = {}, 0 end
  shown[key], count = true, count + 1
  return true
end

local function print_stack(stack)
  if stack and not mp.json then print('    ' .. tostring(stack):gsub('\n', '\n    ')) end
end

-- What is not asked for is not captured.
local function nothing() end
local kstack_of = opt.kernel_stack and function(e) return e.kstack end or nothing
local ustack_of = opt.user_stack and function(e) return e.ustack end or nothing

local checks = mp.probe 'kprobe:cap_capable'
if not opt.verbose then checks = checks:where(function(e) return bit.band(e.args.opts, NOAUDIT) == 0 end) end
checks:when(wanted, function(e) return e.args.cap == wanted end)
  :when(opt.uid, function(e) return e.uid == opt.uid end)
  :each(function(e)
    local cap, opts, kstack, ustack = e.args.cap, e.args.opts, kstack_of(e), ustack_of(e)
    if opt.unique and not is_new(e.pid, cap) then return end
    row(e.time, e.uid, e.pid, e.tid, e.comm, cap, names[cap] and 'CAP_' .. names[cap], bit.band(opts, NOAUDIT) == 0,
      bit.band(opts, INSETID) ~= 0, kstack, ustack)
    print_stack(kstack)
    print_stack(ustack)
  end)
