-- SPDX-License-Identifier: Apache-2.0
--- Output: rows and tables to stdout, as text or as one JSON object a line.
--- Gathered, and written when a batch of events is done.

local blame = require 'moonprobe.blame'
local engine = require 'moonprobe.engine'
local host = require 'moonprobe.host'
local job = require 'moonprobe.job'
local json = require 'moonprobe.json'
local stack = require 'moonprobe.stack'

local output = {}

local STDOUT, ENOUGH = 1, 65536
local PIPE_BUF = 4096 -- what pipe(7) writes in one piece

local lines, gathered = {}, 0

--- True: what is printed is thrown away.
output.muted = false

--- The script's functions that adding a row calls: `format` of columns.
---@type function[]
output.formats = {}

--- Is told of every row: the columns' names (nil: a row without) and the values; nil: nobody.
---@type fun(names: string[]|nil, ...)|nil
output.on_row = nil

--- The end of the longest run of whole lines from `at` on that a pipe takes in one piece, so
--- that lines of several scripts do not mix. A line that is longer goes by itself.
local function piece_end(text, at)
  if #text - at < PIPE_BUF then return #text end
  for stop = at + PIPE_BUF - 1, at, -1 do
    if text:byte(stop) == 10 then return stop end
  end
  return text:find('\n', at, true) or #text
end

--- Writes what was gathered. False when nobody reads stdout any more, or it cannot be written,
--- which is told.
---@return boolean
function output.flush()
  if #lines == 0 then return not output.closed end
  local text, at = table.concat(lines), 1
  lines, gathered = {}, 0
  if output.muted then return true end
  while at <= #text and not output.closed do
    local stop = piece_end(text, at)
    local ok, message = engine.write(STDOUT, text:sub(at, stop))
    at = stop + 1
    if not ok then
      output.closed = true
      if not message:find('Broken pipe', 1, true) then -- else: `| head` has what it wants
        output.failed = true
        host.report('rows are lost, stdout cannot be written: %s', message)
      end
    end
  end
  return not output.closed
end

local function put(line)
  lines[#lines + 1] = line
  gathered = gathered + #line
  if gathered >= ENOUGH then output.flush() end
end

--- Adds one line of text, as it is.
---@param line string
function output.line(line)
  put(line .. '\n')
end

local function escape(char)
  return ('\\x%02x'):format(char:byte())
end

--- Beyond ASCII: what is not UTF-8, and U+0080 to U+009F, which control terminals too.
local function escape_high(text)
  local parts, at = {}, 1
  while at <= #text do
    local length = json.sequence(text, at)
    local part = text:sub(at, at + (length or 1) - 1)
    if not length or part:find('^\194[\128-\159]') then part = part:gsub('.', escape) end
    parts[#parts + 1] = part
    at = at + (length or 1)
  end
  return table.concat(parts)
end

--- A value as people read it. Control bytes from traced programs must not reach a terminal.
---@param value any
---@return string
function output.text(value)
  if value == nil then return '-' end
  if type(value) == 'number' then
    if value == math.floor(value) and math.abs(value) <= 2 ^ 53 then return ('%d'):format(value) end
    return ('%.3f'):format(value)
  elseif type(value) == 'cdata' then
    return (tostring(value):gsub('U?LL$', ''))
  elseif stack.is(value) then
    return output.escaped(tostring(value))
  end
  local text = tostring(value):gsub('[%z\1-\31\127]', escape)
  return text:find('[\128-\255]') and escape_high(text) or text
end

--- Text of the user's own making: new lines and tabs are meant, other control bytes are not.
function output.escaped(text)
  text = text:gsub('[%z\1-\8\11-\31\127]', escape)
  return text:find('[\128-\255]') and escape_high(text) or text
end

--- Seconds since 1970 as local time of day.
---@param seconds number
---@return string
function output.clock(seconds)
  return os.date('%H:%M:%S', math.floor(seconds))
end

local function pad(text, width, left)
  if #text >= width then return text end
  local room = (' '):rep(width - #text)
  return left and text .. room or room .. text
end

--- A column of mp.columns.
---@class moonprobe.Column
---@field [1] string its name
---@field width? integer
---@field title? string
---@field none? string
---@field shown? boolean
---@field decimals? integer
---@field format? fun(value: any): string

--- Declares a table and gives the function that adds a row to it. Columns are
---   { 'name', width = 7, title = 'NAME', none = '0', shown = opt.all, decimals = 3,
---     format = function(value) return text end }
--- A negative width aligns left; the last column is not padded. `none` stands for nil ('-').
--- A column with shown = false is left out of the text. In JSON a row is an object of all
--- columns' names and unformatted values. The heading is printed before the first row.
---@param columns moonprobe.Column[]
---@return fun(...: any) row
function output.columns(columns)
  local names, places, headed = {}, {}, false
  for i, column in ipairs(columns) do
    names[i] = column[1]
    if type(column[1]) ~= 'string' then blame('columns: column ' .. i .. ' has no name') end
    if column.shown ~= false then places[#places + 1] = i end
    output.formats[#output.formats + 1] = column.format
  end
  local function layout(values, text_of)
    local parts = {}
    for at, place in ipairs(places) do
      local column = columns[place]
      local text, width = text_of(column, values[place]), column.width or 1
      parts[at] = at == #places and width < 0 and text or pad(text, math.abs(width), width < 0)
    end
    return (table.concat(parts, ' '):gsub('%s+$', ''))
  end
  local function title(column) return column.title or column[1]:upper() end
  local function cell(column, value)
    if value == nil then return column.none or '-' end
    if column.format then return column.format(value) end
    if column.decimals then return ('%.' .. column.decimals .. 'f'):format(tonumber(value)) end
    return output.text(value)
  end
  return function(...)
    if output.on_row then output.on_row(names, ...) end
    if job.json then
      output.line(json.object(names, { ... }))
      return
    end
    if not headed and not job.quiet then output.line(layout({}, title)) end
    headed = true
    output.line(layout({ ... }, cell))
  end
end

--- A line that says when what follows was printed.
---@param seconds number since 1970
function output.moment(seconds)
  output.line(job.json and json.object({ 'time' }, { seconds }) or output.clock(seconds))
end

--- Clears the terminal that stdout is; nothing when it is none, or rows are JSON.
function output.clear_screen()
  if not job.json and engine.is_terminal(STDOUT) then put('\27[H\27[2J') end
end

--- A row without columns: values side by side, or a JSON array.
---@param ... any
function output.row(...)
  if output.on_row then output.on_row(nil, ...) end
  local parts, count = {}, select('#', ...)
  for i = 1, count do
    local value = select(i, ...)
    parts[i] = job.json and json.encode(value) or output.text(value)
  end
  if job.json then
    output.line('[' .. table.concat(parts, ',') .. ']')
  else
    output.line(table.concat(parts, '  '))
  end
end

return output
