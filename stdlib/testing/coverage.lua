-- SPDX-License-Identifier: Apache-2.0
--- Coverage: which lines of the scripts under test have run. Compiled code has no line hooks, so
--- the compiler is off meanwhile.

local util = require 'jit.util'
local vmdef = require 'moonprobe.vmdef'
local bit = require 'bit'

local coverage = {}

local files = {} -- [chunk name] = { ran = { [line] = true }, lines = { [line] = true } }
local order = {}
local is_on = false

--- Ends of functions: they have a line, but nothing to run.
local function is_end(instruction)
  local number = bit.band(instruction, 0xff)
  local name = vmdef.bcnames:sub(6 * number + 1, 6 * number + 6):gsub(' ', '')
  return name == 'RET0' or name == 'UCLO' or name == 'JMP' or name == 'LOOP' or name == 'JFORL' or name == 'FORL'
end

--- Notes the lines of a function and of those within that have instructions.
local function note_lines(fn, lines)
  for pc = 1, util.funcinfo(fn).bytecodes - 1 do
    local instruction = util.funcbc(fn, pc)
    if instruction and not is_end(instruction) then
      local line = util.funcinfo(fn, pc).currentline
      if line and line > 0 then lines[line] = true end
    end
  end
  for n = -1, -1e9, -1 do
    local constant = util.funck(fn, n)
    if constant == nil then break end
    if type(constant) == 'proto' then note_lines(constant, lines) end
  end
end

--- From now on the lines of this file are noted.
---@param chunk function a file, as a function
function coverage.watch(chunk)
  if not is_on then return end
  local name = debug.getinfo(chunk, 'S').source
  if not files[name] then
    files[name] = { ran = {}, lines = {} }
    order[#order + 1] = name
  end
  note_lines(chunk, files[name].lines)
end

function coverage.start()
  is_on = true
  jit.off()
  jit.flush()
  local getinfo = debug.getinfo
  debug.sethook(function(_, line)
    local file = files[getinfo(2, 'S').source]
    if file then file.ran[line] = true end
  end, 'l')
end

--- 1, 2, 3, 7 -> '1-3, 7'
local function ranges(missing, all)
  local parts, first, last = {}, nil, nil
  for at = 1, #all + 1 do
    local line = all[at]
    if line and missing[line] then
      first, last = first or line, line
    elseif first then
      parts[#parts + 1] = first == last and tostring(first) or first .. '-' .. last
      first = nil
    end
  end
  return table.concat(parts, ', ')
end

--- A line for each file.
---@return string[]
function coverage.report()
  debug.sethook()
  local texts = {}
  for _, name in ipairs(order) do
    local file, all, missing, ran = files[name], {}, {}, 0
    for line in pairs(file.lines) do
      all[#all + 1] = line
      if file.ran[line] then ran = ran + 1 else missing[line] = true end
    end
    table.sort(all)
    texts[#texts + 1] = ('coverage %s: %.1f %% of %d lines%s'):format(name:gsub('^[@=]', ''),
      #all > 0 and 100 * ran / #all or 100, #all, next(missing) and '; not run: ' .. ranges(missing, all) or '')
  end
  return texts
end

return coverage
