-- SPDX-License-Identifier: Apache-2.0
--- Picture: a distribution as text, as users of bpftrace know it.
---
---   usecs:
---   [2, 4)                 3 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|
---   [4, 8)                 1 |@@@@@@@@@@@@@@@@@                                   |
---
--- One difference: values may be fractions here, so the buckets below 2 are [0, 1) and [1, 2).

local picture = {}

local LABEL, COUNT, LINE = 16, 8, 79 -- columns
local FRAME = 3 -- ' |' and '|'
local SUFFIXES = 'KMGTPE'

--- A bound: multiples of powers of 1024 in short, so 2048 is 2K and 1536 stays 1536.
---@param number number
---@return string
function picture.bound(number)
  local power = 0
  while number ~= 0 and number % 1024 == 0 and power < #SUFFIXES do
    number, power = number / 1024, power + 1
  end
  return ('%.14g'):format(number) .. SUFFIXES:sub(power, power)
end

--- A bucket without `from` has all that is below, one without `to` all that is not.
local function range(bucket)
  return (bucket.from and '[' .. picture.bound(bucket.from) or '(...') .. ', '
    .. (bucket.to and picture.bound(bucket.to) or '...') .. ')'
end

--- A line for each bucket. Wide labels and counts take their room from the bars.
---@param label string what the values are
---@param buckets { from: number|nil, to: number|nil, count: number }[]
---@return string
function picture.draw(label, buckets)
  local most, widest, digits = 0, LABEL, COUNT
  for _, bucket in ipairs(buckets) do
    most = math.max(most, bucket.count)
    widest = math.max(widest, #range(bucket) + 1)
    digits = math.max(digits, #('%d'):format(bucket.count))
  end
  local room = LINE - widest - digits - FRAME
  local line = ('%%-%ds%%%dd |%%-%ds|'):format(widest, digits, room)
  local lines = { label .. ':' }
  for _, bucket in ipairs(buckets) do
    local bar = ('@'):rep(math.floor(bucket.count / most * room))
    lines[#lines + 1] = line:format(range(bucket), bucket.count, bar)
  end
  return table.concat(lines, '\n')
end

return picture
