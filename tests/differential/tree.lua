-- SPDX-License-Identifier: Apache-2.0
--- Trees: a function's text as nested pieces, so that pieces can be taken out again.
---
--- A node is an array of strings and nodes, with a kind:
---   'expression'  can be replaced by any expression
---   'block'       statements, one a line; any can be left out
---   'statement', 'part'  as they are

local tree = {}

function tree.node(kind, ...)
  return { kind = kind, ... }
end

function tree.expression(...) return { kind = 'expression', ... } end
function tree.statement(...) return { kind = 'statement', ... } end
function tree.block(statements)
  statements.kind = 'block'
  return statements
end

local function write(node, out, indent)
  for _, part in ipairs(node) do
    if node.kind == 'block' then out[#out + 1] = '\n' .. indent end
    if type(part) == 'string' then
      out[#out + 1] = part
    else
      write(part, out, part.kind == 'block' and indent .. '  ' or indent)
    end
  end
  if node.kind == 'block' then out[#out + 1] = '\n' .. indent:sub(1, -3) end
end

--- The text of a tree.
---@return string
function tree.text(node)
  local out = {}
  write(node, out, '')
  return (table.concat(out):gsub('^\n', ''):gsub(' +\n', '\n'))
end

function tree.copy(node)
  if type(node) == 'string' then return node end
  local copy = { kind = node.kind }
  for i, part in ipairs(node) do copy[i] = tree.copy(part) end
  return copy
end

--- All nodes below a node and itself, outer ones first.
---@return table[]
function tree.all(node, list)
  list = list or {}
  list[#list + 1] = node
  for _, part in ipairs(node) do if type(part) == 'table' then tree.all(part, list) end end
  return list
end

local LITERALS = { 'true', 'false', 'nil', '0', '1', "''" }

local function replace(node, by)
  local old = {}
  for i = #node, 1, -1 do old[i], node[i] = node[i], nil end
  for i, part in ipairs(by) do node[i] = part end
  return function()
    for i = #node, 1, -1 do node[i] = nil end
    for i, part in ipairs(old) do node[i] = part end
  end
end

--- Makes a tree smaller while `fails(tree)` stays true. The tree itself is changed.
---@param root table
---@param fails fun(root: table): boolean
---@param tries integer at most so many
function tree.shrink(root, fails, tries)
  local function attempt(node, by)
    if tries == 0 then return false end
    tries = tries - 1
    local undo = replace(node, by)
    if fails(root) then return true end
    undo()
    return false
  end

  --- Leaves out as many statements as can be, many at a time at first.
  local function thin(block)
    local changed, size = false, #block
    while size >= 1 do
      local from = 1
      while from <= #block do
        local without = {}
        for i, part in ipairs(block) do
          if i < from or i >= from + size then without[#without + 1] = part end
        end
        if attempt(block, without) then changed = true else from = from + size end
      end
      size = math.floor(size / 2)
    end
    return changed
  end

  --- What an if or a loop has inside, instead of it.
  local function unwrap(statement)
    for _, inner in ipairs(tree.all(statement)) do
      if inner.kind == 'block' and attempt(statement, { inner }) then return true end
    end
    return false
  end

  local function simplify(expression)
    local all, text = tree.all(expression), tree.text(expression)
    for i = 2, #all do
      if all[i].kind == 'expression' and attempt(expression, { unpack(all[i]) }) then return true end
    end
    for _, literal in ipairs(LITERALS) do
      if text == literal then return false end
      if #text > #literal and attempt(expression, { literal }) then return true end
    end
    return false
  end

  local ways = { block = thin, statement = unwrap, expression = simplify }
  local changed = true
  while changed and tries > 0 do
    changed = false
    local i, all = 1, tree.all(root)
    while all[i] do
      local way = ways[all[i].kind]
      if way and way(all[i]) then
        changed, all = true, tree.all(root)
        if all[i] and all[i].kind == 'block' then i = i + 1 end
      else
        i = i + 1
      end
    end
  end
end

return tree
