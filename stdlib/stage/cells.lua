-- SPDX-License-Identifier: Apache-2.0
--- Cells: what an aggregate's programs count in the kernel, read and cleared without losing
--- or repeating an event.
---
---   bank a: key -> words, note, for each CPU  <- programs write into the bank that
---   bank b: key -> words, note, for each CPU     control.bank says
---   control: bank, refused
---
--- Values are never set back under a program's hands. What was read is remembered as the base,
--- and subtracted from then on. A clear also lets the programs go on in the other bank, so that
--- keys that are gone do not fill the map: the bank they left is emptied 100 ms later or more,
--- when no program is in it any more. Without keys the banks are the two entries of an array.
---
--- A 'most' word cannot be subtracted from: it counts again when it is more than its base.
--- What raises it in the bank that was left is new; what does not, changes nothing that was shown.

local ffi = require 'ffi'
local engine = require 'moonprobe.engine'
local rows = require 'moonprobe.stage.rows'
local words = require 'moonprobe.stage.words'

local cells = {}

local QUIET_NS = 1e8 -- after that no program is in the bank that was left
local BANK, REFUSED = 0, 1 -- words of control that programs know
-- Ours are at the end of control's page, which is mapped whole and zero at first
-- (kernel/bpf/arraymap.c): they outlive the worker. How often each bank was emptied tells
-- whether somebody else did it meanwhile; when they were first opened, which maps they are.
local OPENED_NS, EMPTIED, LEFT_NS, REFUSED_BASE = 507, 508, 510, 511
local MOST_BYTES = OPENED_NS * 8 - 16 -- of a value, of which control has a copy

local Cells = {}
Cells.__index = Cells

local int64_pointer, byte_pointer = ffi.typeof 'const int64_t *', ffi.typeof 'const uint8_t *'

local function nothing() end

--- Takes the maps over. The descriptors stay the caller's, and open until close().
---@param options { fds: integer[], keyed: boolean, key_bytes: integer, word_ops: table[],
---  note_bytes: integer, cpus: integer } fds: banks a and b, control; without keys array, control
---@return table|nil
---@return string|nil message
function cells.open(options)
  local row = words.new(options.word_ops)
  local note_bytes = math.ceil((options.note_bytes or 0) / 8) * 8
  local value_bytes = row.bytes + note_bytes
  if value_bytes > MOST_BYTES then return nil, ('cells: more than %d bytes for a key'):format(MOST_BYTES) end
  local page, message = engine.map(options.fds[options.keyed and 3 or 2], 4096)
  if not page then return nil, message end
  local key_bytes = options.keyed and options.key_bytes or 0
  local self = setmetatable({
    fds = options.fds, keyed = options.keyed, key_bytes = key_bytes, note_bytes = note_bytes,
    cpus = options.cpus, value_bytes = value_bytes, row = row, numbers = {},
    page = page, control = ffi.cast('uint64_t *', page),
    bases = {}, seen = {}, emptied = {}, read_at = {}, -- by bank
    carried = {}, -- [key] = { delta, note }: found when a bank was emptied, not shown yet
    refused_seen = 0,
    shape = ('%d %d: %s'):format(key_bytes, note_bytes, row.shape),
  }, Cells)
  if self.control[OPENED_NS] == 0 then self.control[OPENED_NS] = engine.monotonic() end
  for bank = 0, 1 do
    self.bases[bank], self.seen[bank] = rows.new(key_bytes, row.count), rows.new(key_bytes, row.count)
    self.emptied[bank] = tonumber(self.control[EMPTIED + bank])
  end
  return self
end

--- The note, as the CPU has it that inserted the key; the others have zeros.
local function note_of(self, values)
  if self.note_bytes == 0 then return nil end
  local first, stride = self.row.count, self.value_bytes / 8
  for cpu = 0, self.cpus - 1 do
    for i = first, stride - 1 do
      if values[cpu * stride + i] ~= 0 then return ffi.string(values + cpu * stride + first, self.note_bytes) end
    end
  end
  return ('\0'):rep(self.note_bytes)
end

--- A row of a bank: remembers it as seen, and takes what came since the base.
local function scan_row(self, bank, key, values, take)
  local row, base = self.row, self.bases[bank]:get(key)
  row:combine(values, self.value_bytes / 8, self.cpus)
  local came = row:subtract(base)
  local seen = self.seen[bank]:put(key)
  if base then self.known = self.known + 1 end
  if came ~= 'part' then
    ffi.copy(seen, row.sum, row.bytes)
  elseif base then
    ffi.copy(seen, base, row.bytes)
  else
    ffi.fill(seen, row.bytes)
  end
  if came == 'more' or came == 'anew' then take(key, row.delta, note_of(self, values)) end
end

local function index_of(bank)
  return ffi.string(ffi.new('uint32_t[1]', bank), 4)
end

--- Reads a bank: take(key, delta, note) for what came since its base. A key that comes meanwhile
--- may be missing.
local function scan(self, bank, take)
  self.seen[bank]:clear()
  self.read_at[bank], self.known = engine.monotonic(), 0
  local value_bytes = self.value_bytes * self.cpus
  if not self.keyed then
    local values, message = engine.map_lookup(self.fds[1], index_of(bank), value_bytes)
    if not values then return nil, message end
    scan_row(self, bank, '', ffi.cast(int64_pointer, values), take)
    return true
  end
  local from
  repeat
    local count, keys, values, following = engine.map_batch(self.fds[bank + 1], self.key_bytes, value_bytes, from)
    if not count then return nil, keys end
    keys, values = ffi.cast(byte_pointer, keys), ffi.cast(byte_pointer, values)
    for i = 0, count - 1 do
      scan_row(self, bank, ffi.string(keys + i * self.key_bytes, self.key_bytes),
        ffi.cast(int64_pointer, values + i * value_bytes), take)
    end
    from = following
  until not from
  -- Keys that gave way start anew when they come back.
  if self.known < self.bases[bank].count then self.bases[bank]:retain(self.seen[bank]) end
  return true
end

--- Empties the bank that was left: of all that the last scan has seen.
local function empty(self, bank)
  local seen, ok, message = self.seen[bank], true, nil
  if not self.keyed then
    ok, message = engine.map_update(self.fds[1], index_of(bank), ('\0'):rep(self.value_bytes * self.cpus))
  elseif seen.count > 0 then
    ok, message = engine.map_wipe(self.fds[bank + 1], seen:key_text(), self.key_bytes)
  end
  if not ok then return nil, message end
  seen:clear()
  self.bases[bank]:clear()
  self.emptied[bank] = self.emptied[bank] + 1
  self.control[EMPTIED + bank] = self.emptied[bank]
  self.control[LEFT_NS] = 0
  return true
end

--- Adds to a list of rows that belong to no bank.
local function keep(self, list, key, delta, note)
  local there = list[key]
  if there then
    self.row:join(there.delta, delta)
    there.note = there.note or note
  else
    list[key] = { delta = self.row:copy(delta), note = note }
  end
end

--- The bank in use. Before each read: another version may have been at it, and then failed.
local function look_around(self)
  local bank = tonumber(self.control[BANK])
  for one = 0, 1 do
    local emptied = tonumber(self.control[EMPTIED + one])
    if emptied ~= self.emptied[one] then
      self.emptied[one] = emptied
      self.bases[one]:clear()
    end
  end
  if not self.taken_over and self.control[LEFT_NS] ~= 0 then
    -- We follow one that has crashed: it had shown what is in the bank that was left, and
    -- nobody knows how much of the other.
    local ok, message = scan(self, 1 - bank, nothing)
    if ok then ok, message = empty(self, 1 - bank) end
    if not ok then return nil, message end
  end
  self.taken_over = true
  return bank
end

--- Calls visit for every key with something since the last clear. What it gets is valid during
--- the call; the key is nil when there are no keys.
---@param visit fun(key: ffi.cdata*|nil, words: number[], note: ffi.cdata*|nil) uint8_t pointers
---@return true|nil
---@return string|nil message
function Cells:read(visit)
  self.was_read = false
  local bank, message = look_around(self)
  if not bank then return nil, message end
  local ok, others = true, {}
  self.refused_seen = tonumber(self.control[REFUSED])
  for key, one in pairs(self.carried) do keep(self, others, key, one.delta, one.note) end
  if self.control[LEFT_NS] ~= 0 then
    ok, message = scan(self, 1 - bank, function(key, delta, note) keep(self, others, key, delta, note) end)
  else
    self.seen[1 - bank]:clear()
  end
  local function give(key, delta, note)
    self.row:decode(delta, self.numbers)
    visit(self.keyed and ffi.cast(byte_pointer, key) or nil, self.numbers, note and ffi.cast(byte_pointer, note))
  end
  if ok then
    ok, message = scan(self, bank, function(key, delta, note)
      local other = others[key]
      if other then
        others[key] = nil
        self.row:join(delta, other.delta)
      end
      give(key, delta, note)
    end)
  end
  if not ok then return nil, message end
  for key, other in pairs(others) do give(key, other.delta, other.note) end
  self.was_read = true
  return true
end

--- Events that found no room, from the last clear to the last read.
---@return number
function Cells:refused()
  return self.refused_seen - tonumber(self.control[REFUSED_BASE])
end

--- Waits until no program is in the bank that was left.
local function wait_quiet(left)
  while engine.monotonic() < left + QUIET_NS do
    engine.wait(math.ceil((left + QUIET_NS - engine.monotonic()) / 1e6), nil)
  end
end

--- Forgets what was read. What came after the read counts from now on.
---@return true|nil
---@return string|nil message
function Cells:clear()
  local ok, message = true, nil
  if not self.was_read then ok, message = self:read(nothing) end
  if not ok then return nil, message end
  self.was_read, self.carried = false, {}
  self.control[REFUSED_BASE] = self.refused_seen
  self.bases, self.seen = self.seen, self.bases
  local bank, left = tonumber(self.control[BANK]), tonumber(self.control[LEFT_NS])
  if left ~= 0 then
    -- Sums can wait for the next clear; a largest value needs an empty bank.
    if self.row.has_most then wait_quiet(left) end
    if engine.monotonic() < left + QUIET_NS then return true end
    if self.read_at[1 - bank] < left + QUIET_NS then -- something may have come since
      ok, message = scan(self, 1 - bank, function(key, delta, note) keep(self, self.carried, key, delta, note) end)
    else
      self.seen[1 - bank], self.bases[1 - bank] = self.bases[1 - bank], self.seen[1 - bank]
    end
    if ok then ok, message = empty(self, 1 - bank) end
    if not ok then return nil, message end
  end
  if self.bases[bank].count > 0 then
    self.control[BANK] = 1 - bank
    self.control[LEFT_NS] = engine.monotonic()
  end
  return true
end

--- For a version that uses the same maps.
---@return table
function Cells:save()
  local carried = {}
  for key, one in pairs(self.carried) do
    carried[key] = { delta = ffi.string(one.delta, self.row.bytes), note = one.note }
  end
  return { shape = self.shape, opened_ns = tonumber(self.control[OPENED_NS]),
    bases = { self.bases[0]:save(), self.bases[1]:save() },
    emptied = { self.emptied[0], self.emptied[1] }, carried = carried }
end

--- Takes over what another version has read of the same maps.
---@param saved table
---@return boolean false: they are not the same: a probe with other knobs has maps of its own
function Cells:restore(saved)
  if saved.shape ~= self.shape or saved.opened_ns ~= tonumber(self.control[OPENED_NS]) then return false end
  for bank = 0, 1 do
    self.bases[bank]:restore(saved.bases[bank + 1])
    self.emptied[bank] = saved.emptied[bank + 1]
  end
  for key, one in pairs(saved.carried) do
    keep(self, self.carried, key, one.delta, one.note)
  end
  self.taken_over = true
  return true
end

--- Lets the control map go.
function Cells:close()
  if self.control then engine.map_unmap(self.page, 4096) end
  self.control, self.page = nil, nil
end

return cells
