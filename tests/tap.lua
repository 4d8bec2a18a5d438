-- SPDX-License-Identifier: Apache-2.0
--- TAP: a test file's assertions, printed in TAP 13, and a way to run moonprobe.
---
---   local tap = dofile 'tests/tap.lua'
---   tap.is(1 + 1, 2, 'adds')
---   local run = tap.moonprobe('run -c "build/tests/workload exec 23" execsnoop')
---   tap.is(#run.rows, 23, 'a row for each')
---   tap.done()
---
--- Runs under luajit and under `moonprobe check`, from the top of the tree.

local tap = { count = 0, failed = 0 }

local function show(value)
  if type(value) ~= 'table' then
    return type(value) == 'string' and ('%q'):format(value) or tostring(value)
  end
  local keys, parts = {}, {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for i, key in ipairs(keys) do parts[i] = tostring(key) .. '=' .. show(value[key]) end
  return '{' .. table.concat(parts, ', ') .. '}'
end
tap.show = show

local function equal(a, b)
  if type(a) ~= 'table' or type(b) ~= 'table' then return a == b end
  for key in pairs(a) do if not equal(a[key], b[key]) then return false end end
  for key in pairs(b) do if a[key] == nil then return false end end
  return true
end

--- Passes when `ok` is true. What follows the name is shown on failure.
function tap.ok(ok, name, ...)
  tap.count = tap.count + 1
  if not ok then tap.failed = tap.failed + 1 end
  io.write(('%s %d - %s\n'):format(ok and 'ok' or 'not ok', tap.count, name))
  if not ok then
    local where = debug.getinfo(2, 'Sl')
    if where.source:match('tap%.lua$') then where = debug.getinfo(3, 'Sl') end
    io.write(('# at %s:%d\n'):format(where.short_src, where.currentline))
    for i = 1, select('#', ...) do
      local text = show((select(i, ...)))
      if #text > 3000 then text = text:sub(1, 1500) .. ' [...] ' .. text:sub(-1500) end
      io.write('# ', (text:gsub('\n', '\n# ')), '\n')
    end
  end
  io.flush()
  return ok
end

--- Deep equality.
function tap.is(got, expected, name)
  return tap.ok(equal(got, expected), name, 'got      ' .. show(got), 'expected ' .. show(expected))
end

--- The text has the Lua pattern in it.
function tap.like(got, pattern, name)
  return tap.ok(tostring(got):find(pattern) ~= nil, name, 'got     ' .. show(got), 'pattern ' .. pattern)
end

--- fn raises, with the pattern in its message.
function tap.raises(fn, pattern, name)
  local ok, message = pcall(fn)
  return tap.ok(not ok and tostring(message):find(pattern) ~= nil, name, 'raised ' .. show(message),
    'pattern ' .. pattern)
end

--- A test that cannot run here, and why.
function tap.skip(name, reason)
  tap.count = tap.count + 1
  io.write(('ok %d - %s # SKIP %s\n'):format(tap.count, name, reason))
end

--- The whole file cannot run here.
function tap.skip_all(reason)
  io.write('1..0 # SKIP ', reason, '\n')
  os.exit(0)
end

--- Ends the file: prints the plan.
function tap.done()
  io.write(('1..%d\n'):format(tap.count))
  io.flush()
  if tap.failed > 0 then os.exit(1) end
end

local function slurp(path)
  local file = io.open(path, 'rb')
  local text = file and file:read('*a') or ''
  if file then file:close() end
  return text
end
tap.slurp = slurp

function tap.spit(path, text)
  local file = assert(io.open(path, 'wb'))
  file:write(text)
  file:close()
  return path
end

--- A shell command: { out, err, status, lines, rows }. rows are the lines of stdout; what a
--- killed command leaves is cut off after `seconds` (60; three times as many on an emulated machine).
function tap.shell(command, seconds)
  local out, err = os.tmpname(), os.tmpname()
  local full = ('timeout -k 2 %d sh -c %s >%s 2>%s'):format((seconds or 60) * (tap.slow and 3 or 1), tap.quote(command),
    out, err)
  local status = os.execute(full)
  if type(status) == 'number' and status >= 256 then status = math.floor(status / 256) end
  local result = { out = slurp(out), err = slurp(err), status = status, rows = {} }
  for line in result.out:gmatch('[^\n]+') do result.rows[#result.rows + 1] = line end
  os.remove(out)
  os.remove(err)
  return result
end

function tap.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Shell text: waits until a condition holds, in vain for at most a minute; then says so and goes on. What a
--- test waits for is asked for: how long it takes is another thing on every machine.
function tap.wait(condition)
  return ('for try in $(seq 1200); do { %s; } 2>/dev/null && break; ' ..
    '[ $try = 1200 ] && echo waited in vain >&2; sleep 0.05; done; '):format(condition)
end

--- True where the machine is emulated: rates and repetitions are lower there.
tap.slow = os.getenv('MOONPROBE_SLOW') ~= nil

tap.binary = os.getenv('MOONPROBE') or './moonprobe'
tap.workload = os.getenv('WORKLOAD') or 'build/tests/workload'

--- Runs moonprobe with arguments as the shell reads them.
function tap.moonprobe(arguments, seconds)
  return tap.shell(tap.binary .. ' ' .. arguments, seconds)
end

--- The same, of a `-f json` run, until the kernel skipped no program; five times at most. A program is
--- not started on a CPU where an interrupt finds it running (recursion_misses): the summary counts
--- that, an emulated machine does it often, and a known count needs a run without.
function tap.undisturbed(arguments, seconds)
  local run
  for _ = 1, 5 do
    run = tap.moonprobe(arguments, seconds)
    if not run.out:find '"recursion":[1-9]' then break end
  end
  return run
end

--- How many of `rows` have the pattern.
function tap.matching(rows, pattern)
  local count = 0
  for _, row in ipairs(rows) do if row:find(pattern) then count = count + 1 end end
  return count
end

--- The closing summary of a `-f json` run as plain numbers, or nil:
--- { events, received, failed, lost }.
function tap.summary(run)
  local line
  for _, row in ipairs(run.rows) do if row:find('^{"summary"') then line = row end end
  if not line then return nil end
  line = line:gsub(',"rings":%[.*$', '') -- of which only the records are known
  local sum = { events = 0, received = 0, failed = 0, lost = 0 }
  for name in pairs(sum) do
    for number in line:gmatch('"' .. name .. '":(%d+)') do sum[name] = sum[name] + tonumber(number) end
  end
  for number in line:gmatch('"lost":{([^}]*)}') do
    for value in number:gmatch(':(%d+)') do sum.lost = sum.lost + tonumber(value) end
  end
  return sum
end

return tap
