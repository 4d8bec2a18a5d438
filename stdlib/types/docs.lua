-- SPDX-License-Identifier: Apache-2.0
--- Docs: the docstrings of a source, by what they stand above.
---
---   docs.read(source).defined['units.duration']
---     -> { line = 18, params = { 'text' }, value = nil, doc = { lines, params, returns, ... } }
---
--- A docstring is the `---` lines right above a definition at the start of a line, or above
--- an entry of a table. What a tag says may go on in the next lines.

local docs = {}

--- A block of `---` lines as a docstring.
local function doc_of(block)
  if #block == 0 then return nil end
  local doc, tagged = { lines = {}, params = {}, returns = 0 }, false
  for _, text in ipairs(block) do
    local tag, rest = text:match('^@(%a+)%s*(.*)$')
    if tag then
      doc.lines[#doc.lines + 1] = text
      tagged = true
      if tag == 'param' then doc.params[#doc.params + 1] = rest:match('^[%w_.]+') end
      if tag == 'return' then doc.returns, doc.gives = doc.returns + 1, doc.gives or rest end
      if tag == 'type' then doc.type = rest end
      if tag == 'package' then doc.is_package = true end
      if tag == 'class' or tag == 'alias' then doc.declares = rest:match('^[%w_.]+') end
    elseif tagged then
      doc.lines[#doc.lines] = doc.lines[#doc.lines] .. ' ' .. text:match('^%s*(.-)%s*$')
    else
      doc.lines[#doc.lines + 1] = text
    end
  end
  return doc
end

local function names_in(list)
  local names = {}
  for name in list:gmatch('[%w_.]+') do names[#names + 1] = name end
  return names
end

--- What one line defines: its name, its parameters when it is a function, else its value.
---@param line string
---@param table_name string|nil of the table whose entries these are
---@return string|nil name 'mp.every', 'Aggregate:add', 'encode'
---@return string[]|nil params
---@return string|nil value
local function definition(line, table_name)
  local name, params = line:match('^function ([%w_.:]+)%((.-)%)')
  if not name then name, params = line:match('^local function ([%w_]+)%((.-)%)') end
  if not name then name, params = line:match('^([%w_.]+) = function%((.-)%)') end
  if name then return name, names_in(params), nil end
  local value
  name, value = line:match('^([%w_.]+) = (.+)$')
  if not name then name, value = line:match('^local ([%w_]+) = (.+)$') end
  if name then return name, nil, value end
  name, value = line:match('^  ([%w_]+) = (.-),?$')
  if name and table_name then return table_name .. '.' .. name, nil, value end
  return nil
end

--- Reads a source.
---   header    its first docstring
---   returned  name of what it returns
---   modules   [local name] = module, as 'moonprobe.units'
---   defined   [name] = { line, params, value, doc }; the first of a name counts
---   declared  classes and aliases: { name, doc, holder } in their order; the methods of a class
---             are those of the local table it stands above, its holder
---@param source string
---@return table
function docs.read(source)
  local self = { modules = {}, defined = {}, declared = {} }
  local block, number, table_name = {}, 0, nil
  for line in (source .. '\n'):gmatch('(.-)\n') do
    number = number + 1
    local text = line:match('^%s*%-%-%-(.*)$')
    if text then
      block[#block + 1] = text
    else
      local doc = doc_of(block)
      self.header = self.header or doc
      block = {}
      local name, params, value = definition(line, table_name)
      if name and not self.defined[name] then
        self.defined[name] = { line = number, params = params, value = value, doc = doc }
      end
      if doc and doc.declares then
        self.declared[#self.declared + 1] = { name = doc.declares, doc = doc, holder = name }
      end
      local module = value and value:match("^require '(moonprobe[%w_.]*)'$")
      if module then self.modules[name] = module end
      if value == '{' and line:find('^local') then table_name = name end
      if line == 'return {' then table_name = 'returned' end
      if line:find('^}') then table_name = nil end
      self.returned = line:match('^return ([%w_]+)$') or self.returned
    end
  end
  return self
end

--- Names of the functions of a table, `Aggregate:add` of 'Aggregate', in the order of the source.
---@param self table from read()
---@param holder string
---@return string[]
function docs.members(self, holder)
  local names = {}
  for name, one in pairs(self.defined) do
    if one.params and name:match('^([%w_]+)[.:]') == holder then names[#names + 1] = name end
  end
  table.sort(names, function(a, b) return self.defined[a].line < self.defined[b].line end)
  return names
end

return docs
