-- Answers how an endpoint is doing.
--
-- Answer: {limit, in flight, waiting, retrying, when the first in the line was published ms ('' nobody), gate of the line,
--         until ms ('' not known), times the breaker opened, open until ms}.
-- Cost: O(log n) of the endpoint's sets.
local ep = endpoint()
local first = redis.call('ZRANGE', LINE, 0, 0, 'WITHSCORES')
local name, at = gate(ep)
return {
  ep.limit, redis.call('ZCARD', OUT), redis.call('ZCARD', LINE), redis.call('ZCARD', RETRY), first[2] and ms(tonumber(first[2])) or '',
  name or 'slot', at and ms(at) or '', ep.opened, ms(ep.opens),
}
