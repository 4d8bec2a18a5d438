-- SPDX-License-Identifier: Apache-2.0
--- stdlib/output.lua: rows and tables, as text and as JSON.
local tap = require 'tap'
local mp = require 'moonprobe'
local engine = require 'moonprobe.engine'
local job = require 'moonprobe.job'
local output = require 'moonprobe.output'

local FILE = debug.getinfo(1, 'S').short_src:gsub('%p', '%%%0')

--- What fn prints.
local write, written = engine.write, {}
local function printed(fn)
  written = {}
  engine.write = function(fd, text)
    written[#written + 1] = { fd = fd, text = text }
    return true
  end
  fn()
  output.flush()
  engine.write = write
  local text = ''
  for _, one in ipairs(written) do text = text .. one.text end
  return text
end

-- One value.
tap.is(output.text(nil), '-', 'nil is a dash')
tap.is(output.text(0), '0', '0')
tap.is(output.text(-3), '-3', 'a negative number')
tap.is(output.text(1e15), '1000000000000000', 'a large whole number')
tap.is(output.text(2 ^ 53), '9007199254740992', '2^53')
tap.is(output.text(1.5), '1.500', 'a fraction')
tap.is(output.text(0 / 0):match('nan'), 'nan', 'NaN')
tap.is(output.text(18446744073709551615ULL), '18446744073709551615', '64 bits, unsigned')
tap.is(output.text(-9007199254740993LL), '-9007199254740993', '64 bits, signed')
tap.is(output.text(true), 'true', 'true')
tap.is(output.text(false), 'false', 'false')
tap.is(output.text(''), '', 'empty text')
tap.is(output.text('grün €'), 'grün €', 'UTF-8')

-- Nothing a traced program can choose reaches the terminal as a command to it.
tap.is(output.text('a\nb'), 'a\\x0ab', 'a line feed')
tap.is(output.text('a\0b'), 'a\\x00b', 'a zero byte')
tap.is(output.text('\27[2J'), '\\x1b[2J', 'an escape sequence')
tap.is(output.text('\127'), '\\x7f', 'delete')
for code = 0, 31 do
  tap.is(output.text(string.char(code)), ('\\x%02x'):format(code), ('control character %d'):format(code))
end
tap.is(output.text('\194\155'), '\\xc2\\x9b', 'a control character of two bytes (U+009B starts sequences too)')
tap.is(output.text('\155'), '\\x9b', 'the same as one byte')
tap.is(output.text('\194\160'), '\194\160', 'what is no control character any more')

-- Rows.
tap.is(printed(function() mp.row(1, 'two', nil, 4.25) end), '1  two  -  4.250\n', 'a row')
tap.is(printed(function() mp.row() end), '\n', 'an empty row')
tap.is(printed(function() mp.row(nil) end), '-\n', 'a row with nothing in it')
tap.is(printed(function() mp.row('a\27b', nil) end), 'a\\x1bb  -\n', 'a nil at the end is there')
tap.is(printed(function() mp.print('a', 1) end), 'a  1\n', 'print is a row')
tap.is(printed(function() output.line('as it is\27') end), 'as it is\27\n', 'a line is not touched')

-- The screen, if there is one.
local is_terminal = engine.is_terminal
engine.is_terminal = function(fd) return fd == 1 end
tap.is(printed(output.clear_screen), '\27[H\27[2J', 'a terminal is cleared')
job.json = true
tap.is(printed(output.clear_screen), '', 'not for JSON')
job.json = false
engine.is_terminal = function() return false end
tap.is(printed(output.clear_screen), '', 'what is no terminal is not')
engine.is_terminal = is_terminal
job.json = true
tap.is(printed(function() mp.row(1, 'two', nil, 4.25, true) end), '[1,"two",null,4.25,true]\n', 'a JSON row')
tap.is(printed(function() mp.row() end), '[]\n', 'an empty JSON row')
tap.is(printed(function() mp.row(nil, nil) end), '[null,null]\n', 'a JSON row of nothing')
tap.is(printed(function() mp.row('a\27b') end), '["a\\u001bb"]\n', 'JSON escapes in its own way')
job.json = false

-- Columns.
local function sample()
  return mp.columns {
    { 'pid', width = 6 },
    { 'comm', width = -8 },
    { 'latency_ns', width = 9, title = 'MS', format = function(ns) return ('%.2f'):format(ns / 1e6) end },
    { 'file', width = -10 },
  }
end
tap.is(printed(function()
  local row = sample()
  row(1, 'init', 1234567, '/etc/passwd')
  row(123456, 'a', nil, nil)
  row(1234567, 'longer than wide', 5e9, 'x')
end), table.concat({
  '   PID COMM            MS FILE',
  '     1 init          1.23 /etc/passwd',
  '123456 a                - -',
  '1234567 longer than wide   5000.00 x',
  '',
}, '\n'), 'columns are aligned; wide values push the rest')
tap.is(printed(function() sample()(1, 'a\nb', 0, '\27') end),
  '   PID COMM            MS FILE\n     1 a\\x0ab        0.00 \\x1b\n', 'control characters in columns')
tap.is(printed(function() sample() end), '', 'no heading without rows')
tap.is(printed(function() sample()(1, '', 0, '') end), '   PID COMM            MS FILE\n     1               0.00\n',
  'no spaces at the end of a line')
tap.is(printed(function() mp.columns { { 'a' }, { 'b' } }(1, 2) end), 'A B\n1 2\n', 'without widths')
tap.is(printed(function()
  mp.columns { { 'a', none = '0' }, { 'b', shown = false }, { 'c', decimals = 2 } }(nil, 'hidden', 3.14159)
end), 'A C\n0 3.14\n', 'none, shown and decimals')
job.quiet = true
tap.is(printed(function() sample()(1, 'a', 0, 'f') end), '     1 a             0.00 f\n', 'no heading when quiet')
job.quiet = false

job.json = true
tap.is(printed(function() sample()(1, 'a"b', 1234567, nil) end),
  '{"pid":1,"comm":"a\\"b","latency_ns":1234567,"file":null}\n', 'a JSON object: names, and values without format')
tap.is(printed(function() mp.columns { { 'a' }, { 'b', shown = false } }(1, 2) end), '{"a":1,"b":2}\n',
  'JSON has all columns')
tap.is(printed(function() mp.columns { { 'a' } }(18446744073709551615ULL) end), '{"a":18446744073709551615}\n',
  'JSON has all 64 bits')
job.json = false

tap.raises(function() mp.columns { { 'a' }, { width = 5 } } end, '^' .. FILE .. ':%d+: columns: column 2 has no name',
  'a column without a name is told where it is')

-- Gathering.
printed(function()
  for i = 1, 10 do mp.row(i) end
end)
tap.is(#written, 1, 'rows are written together')
tap.is(written[1].fd, 1, 'to stdout')
local early
printed(function()
  for _ = 1, 3 do output.line(('x'):rep(30000)) end
  early = #written
end)
tap.is(early, 3, 'a lot is written before it is flushed, a line too long for a pipe by itself')
tap.is(#written[1].text, 30001, 'whole lines')
printed(function()
  for i = 1, 200 do output.line(('%03d'):format(i) .. ('y'):rep(996)) end
end)
local pieces, bytes = true, 0
for _, one in ipairs(written) do
  pieces = pieces and #one.text <= 4096 and one.text:sub(-1) == '\n'
  bytes = bytes + #one.text
end
tap.is({ bytes, pieces }, { 200000, true }, 'pieces of whole lines that a pipe takes at once')
engine.write = function() error('nothing to write') end
tap.ok(output.flush(), 'nothing to write is fine')

-- A reader that has gone.
engine.write = function() return nil, 'write: Broken pipe' end
mp.row(1)
tap.is(output.flush(), false, 'flush tells that nobody reads')
tap.is(output.closed, true, 'and it is remembered')
engine.write = function() error('written once more') end
mp.row(2)
tap.is(output.flush(), false, 'nothing is written any more')
tap.is(output.flush(), false, 'and it stays so')
engine.write, output.closed = write, nil
tap.done()
