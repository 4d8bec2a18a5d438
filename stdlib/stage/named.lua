-- SPDX-License-Identifier: Apache-2.0
--- Named: fields that are numbers in the record and something else in Lua: enums, errors, signals
--- and system calls by name, addresses as text. The way back, from what Lua reads to the record.

jit.off(true, true) -- of this file: see assembler.lua

local constants = require 'moonprobe.constants'
local fields = require 'moonprobe.fields'
local value = require 'moonprobe.stage.value'

local named = {}

-- Numbers that may have a name, by type: from, to, and the name of each.
local types = {
  error_number = { 1, 255, fields.error_name, may_be_nil = true },
  signal_number = { 1, 64, fields.signal_name, may_be_nil = true },
  syscall_number = { 0, 1023, fields.syscall_name },
}

for name, numbers in pairs(constants.names) do
  local most = 0
  for number in pairs(numbers) do most = math.max(most, number) end
  types[name] = { 0, most, function(number) return fields.constant_name(name, number) end }
end

---@param field table as engine.schema gives it
function named.is(field)
  return (field.values or types[field.type]) and field.elements == 0 and field.kind ~= 's'
end

--- 0 reads as nil?
function named.may_be_nil(field)
  return not field.values and types[field.type].may_be_nil
end

local RANGES = {
  u1 = { 0, 255 }, u2 = { 0, 65535 }, u4 = { 0, 2 ^ 32 - 1 }, b1 = { 0, 255 },
  i1 = { -128, 127 }, i2 = { -32768, 32767 }, i4 = { -2 ^ 31, 2 ^ 31 - 1 },
}

--- The number in the record. Elements of an array are counted from 0.
---@param field table
---@param element integer|nil
function named.raw(field, element)
  local kind = field.kind .. field.element_bytes
  local range = RANGES[kind]
  if not range then
    return value.part('wide', { op = 'field', field = field, at = element or 0, signed = field.kind == 'i' })
  end
  return value.int('field', range[1], range[2], { a = field, at = element or 0 })
end

local by_name = {} -- [field's type or field] = { [name] = numbers }

local function names_of(field)
  local key = field.values and field or field.type
  if by_name[key] then return by_name[key] end
  local names = {}
  local function add(name, number)
    if not name then return end
    names[name] = names[name] or {}
    table.insert(names[name], number)
  end
  if field.values then
    for number, name in pairs(fields.enum_names(field.values)) do add(name, number) end
  else
    local from, to, name_of = unpack(types[field.type])
    for number = from, to do add(name_of(number), number) end
  end
  for _, numbers in pairs(names) do table.sort(numbers) end
  by_name[key] = names
  return names
end

--- All that it can read as.
---@return string[] sorted
function named.names(field)
  local names = {}
  for name in pairs(names_of(field)) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- Does a number have no name? Then it reads as its digits.
local function nameless(field, number)
  if field.values then return fields.enum_names(field.values)[number] == nil end
  return types[field.type][3](number) == tostring(number)
end

--- The numbers that read as this text, sorted.
---@return integer[]
function named.numbers(field, text)
  local range = RANGES[field.kind .. field.element_bytes] or { -2 ^ 31, 2 ^ 31 }
  local known = names_of(field)[text]
  if known then return known end
  local number = tonumber(text)
  if number and tostring(number) == text and number >= range[1] and number <= range[2]
    and number == math.floor(number) and nameless(field, number)
    and not (number == 0 and named.may_be_nil(field)) then
    return { number }
  end
  return {}
end

local function ipv6_words(text)
  local words = {}
  if text == '' then return words end
  for part in (text .. ':'):gmatch('([^:]*):') do
    if part:find('%.') or not part:match('^%x%x?%x?%x?$') then return nil end
    words[#words + 1] = tonumber(part, 16)
  end
  return words
end

--- The 16 bytes of an address, or nil when the text is none. Lenient: any spelling.
---@param text string
---@return string|nil
function named.parse_address(text)
  local a, b, c, d = text:match('^(%d+)%.(%d+)%.(%d+)%.(%d+)$')
  if a then
    local bytes = { tonumber(a), tonumber(b), tonumber(c), tonumber(d) }
    for i = 1, 4 do if bytes[i] > 255 then return nil end end
    return ('\0'):rep(10) .. '\255\255' .. string.char(unpack(bytes))
  end
  local head, tail = text:match('^(.-)::(.*)$')
  local first, last = ipv6_words(head or text), ipv6_words(tail or '')
  if not first or not last or (head and #first + #last > 7) or (not head and #first ~= 8) then return nil end
  local words = {}
  for i = 1, 8 do words[i] = first[i] or 0 end
  for i = 1, #last do words[8 - #last + i] = last[i] end
  local bytes = {}
  for i = 1, 8 do bytes[i] = string.char(math.floor(words[i] / 256), words[i] % 256) end
  return table.concat(bytes)
end

--- The bytes of the one address that reads as this text; nil when none does.
function named.address_bytes(text)
  local bytes = named.parse_address(text)
  if bytes and fields.address_text(bytes) == text then return bytes end
  return nil
end

return named
