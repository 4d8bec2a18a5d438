-- SPDX-License-Identifier: Apache-2.0
--- Generic run: a script of one line under a workload, for the live tests of generic probes.
---
---   local run, each, under = dofile 'tests/generic_run.lua'(tap)

return function(tap)
  --- Runs a script with `-f json` under a command: its rows as text, and the run.
  local function under(code, command)
    local result = tap.undisturbed(('run -f json -c %s -e %s'):format(tap.quote(command), tap.quote(code)), 120)
    local rows = {}
    for _, row in ipairs(result.rows) do
      if not row:find '^{"summary"' then rows[#rows + 1] = row end
    end
    return rows, result
  end

  --- The same under a workload.
  local function run(code, workload) return under(code, tap.workload .. ' ' .. workload) end

  --- All rows are the same, and there are so many of them.
  local function each(code, workload, count, row, name)
    local rows, result = run(code, workload)
    local wanted = {}
    for i = 1, count do wanted[i] = row end
    tap.is(rows, wanted, name .. (#rows ~= count and ': ' .. result.err or ''))
  end

  return run, each, under
end
