-- SPDX-License-Identifier: Apache-2.0
--- Names: fields of numbers that read as text, such as enums, errors, devices and arguments.

local constants = require 'generate.constants'
local dice = require 'generate.dice'
local grammar = require 'generate.grammar'
local scope = require 'generate.scope'
local sets = require 'generate.sets'
local texts = require 'generate.texts'
local tree = require 'tree'

local E = tree.expression

local ENUMS = { 'read', 'write', 'write_zeroes', '1', '2', '3', '0', '7', '77', '4294967295', 'READ', 'established',
  'syn_sent', 'close', 'listen', 'none' }
local NAMED = {
  error = { 'ENOENT', 'EPERM', 'EAGAIN', 'EWOULDBLOCK', 'ECONNREFUSED', 'ETIMEDOUT', '4095', '41', '-1', '0',
    'enoent' },
  signal = { 'SIGKILL', 'SIGTERM', 'SIGHUP', 'SIGRT34', 'SIGRT64', '65', '32', '0', 'KILL', 'SIGRTMIN' },
  syscall = { 'read', 'openat', 'execve', 'getpid', '1000', '16777215', '0', '1', 'none' },
}
local DEVICES = { '8:0', 'sda', '4000:77', '0:0', '4095:0' }

--- A field that reads as a name, and constants that fit it.
local function named_field(g)
  local kind = dice.one_of { 'enum', 'enum', 'named', 'named', 'named' }
  local made, name = scope.field(g, kind)
  return made, kind == 'enum' and ENUMS or NAMED[name]
end

grammar.part('named', function(g) return (named_field(g)) end)

grammar.when('names', 'text', { { 4, '$named' } })
grammar.when('device', 'text', { { 1, '$e.device' } })
grammar.when('listed', 'text', { { 1, '$e.listed' } })

grammar.when('names', 'truth', {
  { 14, texts.equality(function(g)
    local what, fitting = named_field(g)
    return what, what and E(constants.word(g, fitting))
  end) },
  { 4, function(g)
    local what, fitting = named_field(g)
    return sets.asked(g, what, function() return constants.word(g, fitting) end)
  end },
  { 2, '$e.named' },
  { 2, '($e.named $(==|~=) nil)' },
})

grammar.when('device', 'truth', {
  { 2, texts.equality(function(g) return (scope.field(g, 'device')), E(constants.word(g, DEVICES)) end) },
})

grammar.when('listed', 'truth', {
  { 2, texts.equality(function(g) return (scope.field(g, 'listed')), E(constants.word(g)) end) },
  { 1, function(g)
    if g.usable then return nil end
    g.used.argv, g.used.argv_bytes = true, true
    return E('(' .. g.event .. '.argv_list[' .. dice.one_of { 1, 2, 3 } .. '] == ', E(constants.word(g)), ')')
  end },
})
