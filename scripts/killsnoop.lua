-- SPDX-License-Identifier: Apache-2.0
--- killsnoop: signals that processes send, to whom, and whether they were allowed to.
---
---   moonprobe run killsnoop                  every kill(2), tkill(2) and tgkill(2)
---   moonprobe run killsnoop -x               only those that failed
---   moonprobe run killsnoop -s KILL -T 181   one signal, to one process
---   moonprobe run killsnoop -k -n postgres   also what the kernel sends, as SIGSEGV, SIGCHLD
---
--- TPID is as the call has it: 0 is the own group, -1 everybody, below that a group. SIG is 0
--- when the call only asked whether it could. What the kernel sends is said to come from the
--- process that ran: for SIGCHLD the child, for SIGSEGV the target itself.
---
--- Overhead: hooks in calls that nobody makes often: 2 us each with its row, 0.3 us with -x.
--- Cannot see: pidfd_send_signal(2); what the target does with it; calls of 32-bit programs.

local mp = require 'moonprobe'

local opt = mp.options {
  timestamp = mp.flag('t', 'show seconds since the start of the trace'),
  failed = mp.flag('x', 'only calls that failed'),
  kernel = mp.flag('k', 'also signals that the kernel sends'),
  signal = mp.signal(nil, 'only this signal', 's'),
  target = mp.number(nil, 'only to this process', 'T'),
  print_uid = mp.flag('U', 'show the user id'),
  uid = mp.whole(nil, 'only calls of this user id', 'u'),
  name = mp.text(nil, 'only where the name of the sending thread has this text', 'n'),
}

local wanted = opt.signal and mp.signal_name(opt.signal)
local started = mp.now()

local row = mp.columns {
  { 'time', width = -8, format = mp.clock },
  { 'seconds', title = 'TIME(s)', width = -8, decimals = 3, shown = opt.timestamp },
  { 'uid', width = -6, shown = opt.print_uid },
  { 'pid', width = -7 },
  { 'comm', width = -16 },
  { 'signal', title = 'SIG', width = -9, none = '0' },
  { 'target', title = 'TPID', width = -7 },
  { 'error', title = 'RESULT', width = -1, none = '0' },
  { 'call', shown = false },
  { 'target_tid', shown = false },
}

mp.probe('signal_send', { failed_only = opt.failed })
  :when(opt.uid, function(e) return e.uid == opt.uid end)
  :when(opt.signal, function(e) return e.number == wanted end)
  :when(opt.target, function(e) return e.target == opt.target end)
  :when(opt.name, function(e) return e.comm:find(opt.name, 1, true) ~= nil end)
  :each(function(e)
    local tid = e.target_tid
    row(e.time, e.time - started, e.uid, e.pid, e.comm, e.number, e.target,
      e.result < 0 and mp.error_name(-e.result) or nil, e.call, tid ~= 0 and tid or nil)
  end)

-- Calls have codes of 0 and below. These have neither user nor result.
if opt.kernel and not opt.failed and not opt.uid then
  mp.probe 'signal'
    :where(function(e) return e.code > 0 end)
    :when(opt.signal, function(e) return e.number == wanted end)
    :when(opt.target, function(e) return e.target_pid == opt.target end)
    :when(opt.name, function(e) return e.comm:find(opt.name, 1, true) ~= nil end)
    :each(function(e)
      row(e.time, e.time - started, nil, e.pid, e.comm, e.number, e.target_pid, nil, 'kernel', e.target_tid)
    end)
end
