-- SPDX-License-Identifier: Apache-2.0
--- stdlib/typed_path.lua: one name for each value, whatever people write, and its parts.
local tap = require 'tap'
local typed_path = require 'moonprobe.typed_path'

-- One name.
for text, name in pairs {
  ['args.fd'] = 'args.fd',
  ['args.argv.1'] = 'args.argv[1]',
  ['args.argv[1]'] = 'args.argv[1]',
  ['args.argv.007'] = 'args.argv[7]',
  ['args.iov.0.iov_len'] = 'args.iov[0].iov_len',
  ['args.grid[1].2'] = 'args.grid[1][2]',
  ['args.3'] = 'args.3', -- an argument without a name
  ['args[3]'] = 'args.3',
  ['args.3.0.x'] = 'args.3[0].x',
  ['ret.5'] = 'ret[5]',
  ['args.argv[-1]'] = 'args.argv[-1]',
  ['args.x1.y2'] = 'args.x1.y2',
  ret = 'ret',
} do
  tap.is(typed_path.canonical(text), name, text)
  tap.is(typed_path.canonical(name), name, name .. ' stays')
end
for _, text in ipairs {
  '', '.', 'args.', 'args..x', '.x', '[0]', 'args[', 'args[]', 'args[x]', 'args.x[0', 'args.x[0]y',
  'args.x]', 'args.x[1.5]', 'args.x[[0]]' } do
  tap.is(typed_path.canonical(text), text, ("'%s' is no path, and stays"):format(text))
  local parts, last = 0, nil
  for _, so_far in typed_path.parts(text) do parts, last = parts + 1, so_far end
  tap.ok(parts > 0 and last == text, ("'%s' has parts nevertheless"):format(text), { parts, last })
end

-- On from a path.
tap.is(typed_path.longer('', 'args'), 'args', 'a root')
tap.is(typed_path.longer('args', 'sk'), 'args.sk', 'a member')
tap.is(typed_path.longer('args.argv', 0), 'args.argv[0]', 'an element')
tap.is(typed_path.longer('args.argv', '0'), 'args.argv[0]', 'its number as text')
tap.is(typed_path.longer('args.argv', 2 ^ 40), 'args.argv[1099511627776]', 'a large number')
tap.is(typed_path.longer('args', 3), 'args.3', 'an argument without a name')
tap.is(typed_path.longer('args.argv', typed_path.UNKNOWN), 'args.argv[?]', 'one that is not known')

-- Parts.
local keys, prefixes, rests = {}, {}, {}
for key, so_far, rest in typed_path.parts 'args.iov[1][?].iov_len' do
  keys[#keys + 1], prefixes[#prefixes + 1], rests[#rests + 1] = key, so_far, rest
end
tap.is(keys, { 'args', 'iov', 1, '?', 'iov_len' }, 'keys')
tap.is(prefixes, { 'args', 'args.iov', 'args.iov[1]', 'args.iov[1][?]', 'args.iov[1][?].iov_len' }, 'up to each')
tap.is(rests, { '.iov[1][?].iov_len', '[1][?].iov_len', '[?].iov_len', '.iov_len', '' }, 'what follows')
tap.is({ typed_path.count 'args.iov[1].iov_len', typed_path.count 'ret' }, { 4, 1 }, 'how many')
tap.is({ typed_path.first 'args.iov[1]', typed_path.first 'ret[0]', typed_path.first 'ret' }, { 'args', 'ret', 'ret' },
  'the first')
local above = {}
for path in typed_path.above 'args.iov[1].iov_len' do above[#above + 1] = path end
tap.is(above, { 'args', 'args.iov', 'args.iov[1]' }, 'above')
tap.is({ typed_path.is_below('args.a[0]', 'args.a'), typed_path.is_below('args.a.b', 'args.a'),
  typed_path.is_below('args.ab', 'args.a'), typed_path.is_below('args.a', 'args.a') },
  { true, true, false, false }, 'below')
tap.done()
