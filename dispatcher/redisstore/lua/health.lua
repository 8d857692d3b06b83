-- Answers how an endpoint is doing.
--
-- Answer: {limit, in flight, waiting, retrying, when the first in the line was published ms ('' nobody), gate of the line,
--         until ms ('' not known), times the breaker opened, open until ms,
--         in the last hour: attempts, delivered, ms they took together, ms the longest took, the breaker's last
--         changes}.
-- Cost: O(log n) of the endpoint's sets.

-- lastHour adds up what record.lua counts by five minutes.
local function lastHour()
  local sum, oldest = {0, 0, 0, 0}, math.floor(now / 300000) - 11
  for i, text in ipairs(redis.call('HGETALL', beside('m'))) do
    local at, attempts, delivered, took, longest = string.match(text, '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
    if i % 2 == 0 and at and tonumber(at) >= oldest then
      sum[1], sum[2], sum[3], sum[4] = sum[1] + attempts, sum[2] + delivered, sum[3] + took, math.max(sum[4], tonumber(longest))
    end
  end
  return sum
end

local ep = endpoint()
local first = redis.call('ZRANGE', LINE, 0, 0, 'WITHSCORES')
local name, at = gate(ep)
local hour = lastHour()
return {
  ep.limit, redis.call('ZCARD', OUT), redis.call('ZCARD', LINE), redis.call('ZCARD', RETRY), first[2] and ms(tonumber(first[2]) % REPLAY) or '',
  name or 'slot', at and ms(at) or '', ep.opened, ms(ep.opens),
  hour[1], hour[2], hour[3], hour[4],
  redis.call('HGET', ENDPOINT, 'bh') or '',
}
