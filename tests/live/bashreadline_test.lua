-- SPDX-License-Identifier: Apache-2.0
local tap = dofile 'tests/tap.lua'
local tool = dofile 'tests/tool.lua'('bashreadline', tap)

-- bash as a person would use it, with a file for the keyboard.
local input, lines = os.tmpname(), {}
for i = 1, 23 do lines[i] = ("echo line %d 'of 23' >/dev/null"):format(i) end
tap.spit(input, table.concat(lines, '\n') .. '\n')

local function typed(options, engine)
  return tap.undisturbed(('run %s -c "bash --norc --noprofile -i" bashreadline %s <%s'):format(engine or '',
    options or '', input))
end

local probe = tap.moonprobe "explain -e \"probe('uretprobe:bash:readline'):count()\""
if probe.status ~= 0 then
  tap.skip('lines', probe.err:gsub('\n.*', ''))
else
  local run = typed('', '-f json')
  tap.is(tap.matching(run.rows, '^{"time":[%d.]+,"pid":%d+,"command":"echo line %d+ \'of 23\' >/dev/null"}$'), 23,
    '23 lines')
  tap.is(tap.matching(run.rows, '^{"time"'), 23, 'and no others')
  local sum = tap.summary(run)
  tap.ok(sum and sum.lost == 0 and sum.failed == 0 and run.status == 0, 'nothing lost', run)
  run = typed()
  tap.like(run.rows[1], '^TIME +PID +COMMAND$', 'text: heading')
  tap.is(tap.matching(run.rows, "^%d%d:%d%d:%d%d +%d+ +echo line %d+ 'of 23' >/dev/null$"), 23, 'text: rows')
end
os.remove(input)

tool.finish()
