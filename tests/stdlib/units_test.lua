-- SPDX-License-Identifier: Apache-2.0
--- stdlib/units.lua. tests/engine/duration_test.c has the same tables: both languages read alike.
local tap = require 'tap'
local units = require 'moonprobe.units'

for text, ns in pairs {
  ['0s'] = 0, ['1ns'] = 1, ['250us'] = 250e3, ['500ms'] = 500e6, ['5s'] = 5e9, ['2m'] = 120e9, ['1h'] = 3600e9,
  ['1.5s'] = 1.5e9, ['0.1s'] = 1e8, ['5.s'] = 5e9, ['100000h'] = 3.6e17,
} do
  tap.is(units.duration(text), ns, text)
end
for _, text in ipairs { '', '5', 's', 'ms', '-5s', '-0s', '+5s', ' 5s', '5 s', '5s ', '5sec', '5S', '5d', '5,5s',
  '1e3s',
  '0x10s', 'nans', 'infs', '.5s', '1.2.3s', '5ss', '1s2m', '5K', 'inf', '1e999h', '99999999h' } do
  tap.is(units.duration(text), nil, ("'%s' is no duration"):format(text))
end
for text, bytes in pairs {
  ['0'] = 0, ['4096'] = 4096, ['64K'] = 65536, ['4M'] = 4194304, ['1G'] = 1073741824, ['1.5K'] = 1536, ['16G'] = 2 ^ 34,
} do
  tap.is(units.size(text), bytes, text)
end
for _, text in ipairs { '', 'K', '-1K', '4k', '4KB', '4 K', ' 4K', '1e3', '0x10', 'nan', 'inf', '4s', '1T' } do
  tap.is(units.size(text), nil, ("'%s' is no size"):format(text))
end
tap.is(units.duration(nil), nil, 'nil is no duration')
tap.is(units.duration({}), nil, 'a table is no duration')
tap.is(units.duration(5), nil, 'a number without a unit is no duration')
tap.is(units.size(4096), 4096, 'a number is a size')
tap.done()
