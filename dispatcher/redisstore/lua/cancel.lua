-- Settles as cancelled what a deleted endpoint has in its line, and then what waits for a retry.
--
-- ARGV  7 how many at most  8 lifetime of a settled record, ms
-- Answer: {how many, 1 if there are others}; {0, 0} for an endpoint that was not deleted.
-- Cost: O(log n) of the endpoint's sets, and one record, times those settled.
if not endpoint().gone then return {0, 0} end
local most, settled = tonumber(ARGV[7]), 0
for _, set in ipairs({LINE, RETRY}) do
  local popped = settled < most and redis.call('ZPOPMIN', set, most - settled) or {}
  for i = 1, #popped, 2 do
    settle(popped[i], 'cancelled', ARGV[8])
    settled = settled + 1
  end
end
return {settled, redis.call('EXISTS', LINE, RETRY) > 0 and 1 or 0}
