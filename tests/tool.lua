-- SPDX-License-Identifier: Apache-2.0
--- Tool: runs a shipped tool over the workload, for its live test.
---
---   local tap, tool = dofile 'tests/tap.lua', dofile('tests/tool.lua')('execsnoop')
---   local rows = tool.json('exec 23', '-x')      -- checks that they are valid, and none lost
---   tap.is(tool.count(rows, { comm = 'workload' }), 24, 'all execs')
---   tool.finish()

local json = dofile 'tests/json.lua'

return function(name, tap)
  local tool = { null = json.null }

  --- Ends the file where this kernel lacks what a probe needs; what can be asked without it is.
  ---@param probe string
  function tool.needs(probe)
    local result = tap.moonprobe('explain -e ' .. tap.quote(("probe('%s'):count()"):format(probe)))
    local why = result.err:match 'this kernel has no [^;\n]*' or result.err:match 'this kernel allows no [^\n]*'
    if not why then return end
    tap.skip(('%s: what happens at %s'):format(name, probe), why)
    tool.finish()
    os.exit(tap.failed > 0 and 1 or 0)
  end

  --- The examples of --help name probes that this kernel has, and fields that these have.
  ---@param except string|nil a pattern
  function tool.examples(except)
    local help, count = tap.moonprobe('run ' .. name .. ' --help'), 0
    for _, line in ipairs(help.rows) do
      local command = line:match('^  moonprobe run .-%f[%w]' .. name .. ' (.*)$')
      if command and not (except and command:find(except)) then
        command = command:gsub('  .*', '')
        local result = tap.moonprobe(('explain %s %s'):format(name, command))
        tap.ok(result.status == 0 and result.err == '', 'example: ' .. command, result)
        count = count + 1
      end
    end
    tap.ok(count > 0, 'examples')
  end

  --- Only the workload is traced.
  ---@param workload string its arguments
  ---@param options string|nil of the tool
  ---@param engine string|nil options of `moonprobe run`
  function tool.run(workload, options, engine)
    return tap.undisturbed(('run %s -c %s %s %s'):format(engine or '',
      tap.quote(tap.workload .. ' ' .. workload), name, options or ''))
  end

  --- The rows as tables.
  ---@return table[] rows
  ---@return table run
  function tool.json(workload, options)
    local run, rows = tool.run(workload, options, '-f json'), {}
    local valid, problem = pcall(function()
      for _, line in ipairs(run.rows) do
        local row = json.decode(line)
        if not row.summary then rows[#rows + 1] = row end
      end
    end)
    local sum = tap.summary(run)
    tap.ok(valid and run.status == 0 and run.err == '' and sum and sum.lost == 0 and sum.failed == 0
      and sum.events == sum.received, ('%s %s: valid JSON, nothing lost'):format(workload, options or ''),
      problem, run)
    return rows, run
  end

  --- The lines of text. Without options, all are short.
  function tool.text(workload, options)
    local run = tool.run(workload, options)
    local longest = 0
    for _, line in ipairs(run.rows) do longest = math.max(longest, #line) end
    tap.ok(run.status == 0 and (options or longest < 80), ('%s %s: %s'):format(workload, options or '',
      options and 'text' or 'lines below 80 columns'), run)
    return run.rows
  end

  --- How many rows there are of this user id (nobody's is 65534) when nobody runs the workload.
  function tool.count_of_nobody(workload, uid)
    local command = 'su -s /bin/sh nobody -c ' .. tap.quote(tap.workload .. ' ' .. workload)
    local run = tap.moonprobe(('run -f json -c %s %s -u %d'):format(tap.quote(command), name, uid))
    return tap.matching(run.rows, ('"uid":%d,.*"comm":"workload"'):format(uid))
  end

  --- How many rows have all these values.
  function tool.count(rows, wanted)
    local found = 0
    for _, row in ipairs(rows) do
      local same = true
      for field, value in pairs(wanted) do same = same and row[field] == value end
      if same then found = found + 1 end
    end
    return found
  end

  --- What every tool keeps to; ends the file. No kernel differs in that.
  function tool.finish()
    if tap.slow then return tap.done() end
    local help = tap.moonprobe('run ' .. name .. ' --help')
    tap.is(help.status, 0, '--help: status')
    for _, part in ipairs { '^usage: moonprobe run', '\n' .. name .. ': %a', '\n  moonprobe run ',
      '\nOverhead: ', '\nCannot see: ', '\n  %-h, %-%-help' } do
      tap.like(help.out, part, ('--help has "%s"'):format((part:gsub('%%', ''):gsub('\n', ''))))
    end
    tap.is(tap.matching(help.rows, '^' .. ('.'):rep(100)), 0, '--help: no long lines')
    local run = tap.moonprobe('run ' .. name .. ' --no-such-option')
    tap.is({ run.status, run.out, #run.err:gsub('[^\n]', '') }, { 2, '', 1 }, 'unknown option: status and one line')
    tap.like(run.err, '^moonprobe: ' .. name .. ': unknown option %-%-no%-such%-option', 'unknown option: is named')
    tap.done()
  end

  return tool
end
