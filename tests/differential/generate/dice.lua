-- SPDX-License-Identifier: Apache-2.0
--- Dice: all chance comes from math.random, so that a seed gives the same function again.

local dice = { random = math.random }

function dice.one_of(values) return values[math.random(#values)] end
function dice.chance(percent) return math.random(100) <= percent end

return dice
