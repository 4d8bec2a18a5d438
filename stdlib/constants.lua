-- SPDX-License-Identifier: Apache-2.0
--- Constants: what the numbers in the arguments of system calls are called. Which argument has which of these
--- types says engine/argument_types.c.
---
---   flags  bits: 'O_RDWR|O_CLOEXEC'; those without a name follow as 0x400
---   names  one of several: 'SEEK_SET'; others read as their digits

local arm = jit.arch == 'arm64'

local constants = { flags = {}, names = {} }

--- Bits with their names, in the order they are printed. `field`: the lowest of them are one number.
---@param list string 'NAME NUMBER ...'; a number of several bits comes before those it is made of
local function flags(list, field)
  local bits = {}
  for name, number in list:gmatch '(%S+)%s+(%S+)' do bits[#bits + 1] = { name, tonumber(number) } end
  return { bits = bits, mask = field and field.mask or 0, values = field and field.values or {}, none = field and nil or '0' }
end

local descriptor = 'O_NONBLOCK 0x800 O_CLOEXEC 0x80000'

constants.flags.flags_open = flags(([[
  O_CREAT 0x40 O_EXCL 0x80 O_NOCTTY 0x100 O_TRUNC 0x200 O_APPEND 0x400 O_NONBLOCK 0x800 O_SYNC 0x101000 O_DSYNC 0x1000
  O_ASYNC 0x2000 O_DIRECT %s O_LARGEFILE %s O_TMPFILE %s O_DIRECTORY %s O_NOFOLLOW %s O_NOATIME 0x40000
  O_CLOEXEC 0x80000 O_PATH 0x200000]]):format(
    arm and '0x10000' or '0x4000', arm and '0x20000' or '0x8000', arm and '0x404000' or '0x410000',
    arm and '0x4000' or '0x10000', arm and '0x8000' or '0x20000'),
  { mask = 3, values = { [0] = 'O_RDONLY', 'O_WRONLY', 'O_RDWR' } })

constants.flags.flags_descriptor = flags(descriptor)

constants.flags.flags_access = flags('R_OK 4 W_OK 2 X_OK 1')
constants.flags.flags_access.none = 'F_OK'

constants.flags.flags_at = flags [[
  AT_SYMLINK_NOFOLLOW 0x100 AT_REMOVEDIR 0x200 AT_SYMLINK_FOLLOW 0x400 AT_NO_AUTOMOUNT 0x800 AT_EMPTY_PATH 0x1000
  AT_STATX_FORCE_SYNC 0x2000 AT_STATX_DONT_SYNC 0x4000]]

constants.flags.flags_prot = flags 'PROT_READ 1 PROT_WRITE 2 PROT_EXEC 4 PROT_GROWSDOWN 0x1000000 PROT_GROWSUP 0x2000000'
constants.flags.flags_prot.none = 'PROT_NONE'

constants.flags.flags_mmap = flags([[
  MAP_FIXED 0x10 MAP_ANONYMOUS 0x20 ]] .. (arm and '' or 'MAP_32BIT 0x40 ') .. [[
  MAP_GROWSDOWN 0x100 MAP_DENYWRITE 0x800 MAP_EXECUTABLE 0x1000 MAP_LOCKED 0x2000 MAP_NORESERVE 0x4000 MAP_POPULATE 0x8000
  MAP_NONBLOCK 0x10000 MAP_STACK 0x20000 MAP_HUGETLB 0x40000 MAP_SYNC 0x80000 MAP_FIXED_NOREPLACE 0x100000]],
  { mask = 0xf, values = { 'MAP_SHARED', 'MAP_PRIVATE', 'MAP_SHARED_VALIDATE', [0] = false, [8] = 'MAP_DROPPABLE' } })

-- The lowest byte of clone's flags is the signal its end sends.
constants.flags.flags_clone = flags([[
  CLONE_NEWTIME 0x80 CLONE_VM 0x100 CLONE_FS 0x200 CLONE_FILES 0x400 CLONE_SIGHAND 0x800 CLONE_PIDFD 0x1000
  CLONE_PTRACE 0x2000 CLONE_VFORK 0x4000 CLONE_PARENT 0x8000 CLONE_THREAD 0x10000 CLONE_NEWNS 0x20000
  CLONE_SYSVSEM 0x40000 CLONE_SETTLS 0x80000 CLONE_PARENT_SETTID 0x100000 CLONE_CHILD_CLEARTID 0x200000
  CLONE_DETACHED 0x400000 CLONE_UNTRACED 0x800000 CLONE_CHILD_SETTID 0x1000000 CLONE_NEWCGROUP 0x2000000
  CLONE_NEWUTS 0x4000000 CLONE_NEWIPC 0x8000000 CLONE_NEWUSER 0x10000000 CLONE_NEWPID 0x20000000 CLONE_NEWNET 0x40000000
  CLONE_IO 0x80000000]], { mask = 0x7f, values = { [0] = false, [17] = 'SIGCHLD' } })

constants.flags.flags_mount = flags [[
  MS_RDONLY 1 MS_NOSUID 2 MS_NODEV 4 MS_NOEXEC 8 MS_SYNCHRONOUS 0x10 MS_REMOUNT 0x20 MS_MANDLOCK 0x40 MS_DIRSYNC 0x80
  MS_NOSYMFOLLOW 0x100 MS_NOATIME 0x400 MS_NODIRATIME 0x800 MS_BIND 0x1000 MS_MOVE 0x2000 MS_REC 0x4000 MS_SILENT 0x8000
  MS_POSIXACL 0x10000 MS_UNBINDABLE 0x20000 MS_PRIVATE 0x40000 MS_SLAVE 0x80000 MS_SHARED 0x100000 MS_RELATIME 0x200000
  MS_STRICTATIME 0x1000000 MS_LAZYTIME 0x2000000]]

constants.flags.flags_umount = flags 'MNT_FORCE 1 MNT_DETACH 2 MNT_EXPIRE 4 UMOUNT_NOFOLLOW 8'

constants.flags.flags_socket = flags('SOCK_NONBLOCK 0x800 SOCK_CLOEXEC 0x80000', { mask = 0xf, values = {
  'SOCK_STREAM', 'SOCK_DGRAM', 'SOCK_RAW', 'SOCK_RDM', 'SOCK_SEQPACKET', 'SOCK_DCCP', [10] = 'SOCK_PACKET' } })

constants.flags.flags_message = flags [[
  MSG_OOB 1 MSG_PEEK 2 MSG_DONTROUTE 4 MSG_CTRUNC 8 MSG_TRUNC 0x20 MSG_DONTWAIT 0x40 MSG_EOR 0x80 MSG_WAITALL 0x100
  MSG_CONFIRM 0x800 MSG_ERRQUEUE 0x2000 MSG_NOSIGNAL 0x4000 MSG_MORE 0x8000 MSG_WAITFORONE 0x10000 MSG_ZEROCOPY 0x4000000
  MSG_FASTOPEN 0x20000000 MSG_CMSG_CLOEXEC 0x40000000]]

constants.flags.flags_futex = flags('FUTEX_PRIVATE_FLAG 0x80 FUTEX_CLOCK_REALTIME 0x100', { mask = 0x7f, values = {
  [0] = 'FUTEX_WAIT', 'FUTEX_WAKE', 'FUTEX_FD', 'FUTEX_REQUEUE', 'FUTEX_CMP_REQUEUE', 'FUTEX_WAKE_OP', 'FUTEX_LOCK_PI',
  'FUTEX_UNLOCK_PI', 'FUTEX_TRYLOCK_PI', 'FUTEX_WAIT_BITSET', 'FUTEX_WAKE_BITSET', 'FUTEX_WAIT_REQUEUE_PI',
  'FUTEX_CMP_REQUEUE_PI', 'FUTEX_LOCK_PI2' } })

constants.names.name_whence = { [0] = 'SEEK_SET', 'SEEK_CUR', 'SEEK_END', 'SEEK_DATA', 'SEEK_HOLE' }

constants.names.name_epoll = { 'EPOLL_CTL_ADD', 'EPOLL_CTL_DEL', 'EPOLL_CTL_MOD' }

constants.names.name_fcntl = {
  [0] = 'F_DUPFD', 'F_GETFD', 'F_SETFD', 'F_GETFL', 'F_SETFL', 'F_GETLK', 'F_SETLK', 'F_SETLKW', 'F_SETOWN', 'F_GETOWN',
  'F_SETSIG', 'F_GETSIG', [15] = 'F_SETOWN_EX', [16] = 'F_GETOWN_EX', [17] = 'F_GETOWNER_UIDS', [36] = 'F_OFD_GETLK',
  [37] = 'F_OFD_SETLK', [38] = 'F_OFD_SETLKW', [1024] = 'F_SETLEASE', [1025] = 'F_GETLEASE', [1026] = 'F_NOTIFY',
  [1027] = 'F_DUPFD_QUERY', [1028] = 'F_CREATED_QUERY', [1029] = 'F_CANCELLK', [1030] = 'F_DUPFD_CLOEXEC',
  [1031] = 'F_SETPIPE_SZ', [1032] = 'F_GETPIPE_SZ', [1033] = 'F_ADD_SEALS', [1034] = 'F_GET_SEALS',
  [1035] = 'F_GET_RW_HINT', [1036] = 'F_SET_RW_HINT', [1037] = 'F_GET_FILE_RW_HINT', [1038] = 'F_SET_FILE_RW_HINT' }

constants.names.name_advice = {
  [0] = 'MADV_NORMAL', 'MADV_RANDOM', 'MADV_SEQUENTIAL', 'MADV_WILLNEED', 'MADV_DONTNEED', [8] = 'MADV_FREE',
  [9] = 'MADV_REMOVE', [10] = 'MADV_DONTFORK', [11] = 'MADV_DOFORK', [12] = 'MADV_MERGEABLE', [13] = 'MADV_UNMERGEABLE',
  [14] = 'MADV_HUGEPAGE', [15] = 'MADV_NOHUGEPAGE', [16] = 'MADV_DONTDUMP', [17] = 'MADV_DODUMP',
  [18] = 'MADV_WIPEONFORK', [19] = 'MADV_KEEPONFORK', [20] = 'MADV_COLD', [21] = 'MADV_PAGEOUT',
  [22] = 'MADV_POPULATE_READ', [23] = 'MADV_POPULATE_WRITE', [24] = 'MADV_DONTNEED_LOCKED', [25] = 'MADV_COLLAPSE',
  [100] = 'MADV_HWPOISON', [101] = 'MADV_SOFT_OFFLINE' }

constants.names.name_family = {
  [0] = 'AF_UNSPEC', 'AF_UNIX', 'AF_INET', 'AF_AX25', 'AF_IPX', 'AF_APPLETALK', [9] = 'AF_X25', [10] = 'AF_INET6',
  [15] = 'AF_KEY', [16] = 'AF_NETLINK', [17] = 'AF_PACKET', [21] = 'AF_RDS', [24] = 'AF_PPPOX', [26] = 'AF_LLC',
  [27] = 'AF_IB', [29] = 'AF_CAN', [30] = 'AF_TIPC', [31] = 'AF_BLUETOOTH', [33] = 'AF_RXRPC', [38] = 'AF_ALG',
  [39] = 'AF_NFC', [40] = 'AF_VSOCK', [41] = 'AF_KCM', [42] = 'AF_QIPCRTR', [43] = 'AF_SMC', [44] = 'AF_XDP',
  [45] = 'AF_MCTP' }

return constants
