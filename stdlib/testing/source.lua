-- SPDX-License-Identifier: Apache-2.0
--- Source: finds the script a test names: beside the test, on the search path, a shipped tool.

local ask_for_file = require 'moonprobe.ask_for_file'
local asset = require 'moonprobe.asset'
local engine = require 'moonprobe.engine'
local nearest = require 'moonprobe.nearest'

local files = {} -- [name] = { bytes, path }: the host limits how often it is asked

--- The script as { name, file, source }; nil and a message when there is none.
---@param name string|nil nil: a one-liner
---@param text string|nil its source, when it is no file
---@return { name: string, file: string|nil, source: string }|nil
---@return string|nil message
local function find(name, text)
  if text then return { name = name or '-e', source = text } end
  if type(name) ~= 'string' then return nil, 'needs a script: a name, a path, or { text = ... }' end
  local file = name:find('%.lua$') and name or name .. '.lua'
  if not files[file] then files[file] = { ask_for_file('module', file) } end
  local source, path = unpack(files[file])
  if source then return { name = name:match('([^/]*)%.lua$') or name, file = path, source = source } end
  source = not name:find('/', 1, true) and asset('scripts/' .. file)
  if source then return { name = (name:gsub('%.lua$', '')), source = source } end
  local near = nearest(name, engine.assets('scripts/', '.lua'))
  return nil, ('no %s beside the test or on the search path (-I), and no tool of that name%s'):format(file,
    near and ("; did you mean '%s'?"):format(near) or '')
end

return find
