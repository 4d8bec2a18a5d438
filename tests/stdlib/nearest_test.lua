-- SPDX-License-Identifier: Apache-2.0
--- stdlib/nearest.lua. tests/engine/nearest_test.c has the same cases.
local tap = require 'tap'
local nearest = require 'moonprobe.nearest'

local names = { 'latency_ns', 'daddr', 'dport', 'saddr', 'sport', 'comm', 'pid' }
local function is(misspelt, expected, name)
  tap.is(nearest(misspelt, names), expected, name)
end

is('latecy_ns', 'latency_ns', 'a letter left out')
is('latenccy_ns', 'latency_ns', 'a letter too many')
is('latensy_ns', 'latency_ns', 'another letter')
is('dadrd', 'daddr', 'two letters swapped')
is('com', 'comm', 'the end missing')
is('lat', 'latency_ns', 'the start of a name')
is('latency', 'latency_ns', 'a part of a name')
is('port', 'dport', 'the first of equals')
is('n', nil, 'one letter says nothing')
is('filename', nil, 'another word')
is('zzz', nil, 'no word')
is('', nil, 'nothing')
is('%d+', nil, 'a pattern is a word like others')
tap.is(nearest('daddr', {}), nil, 'no names')
tap.is(nearest('tcp_conect', { 'tcp_connected', 'tcp_connect', 'tcp_close' }), 'tcp_connect', 'the best wins')
tap.is(nearest('mallo', { 'malloc_stats', 'malloc', 'malloc_trim' }), 'malloc', 'the shortest of those that begin so')
tap.is(nearest(('a'):rep(300), { 'pid' }), nil, 'a very long word')
tap.done()
