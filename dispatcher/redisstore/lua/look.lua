-- Looks at what is open of an endpoint, and changes nothing.
--
-- ARGV  7 how long a task may be unseen, ms  8 how many to look at, at each end of each set
-- Answer: {suspects {{event, run, queue}, …}, of those looked at the event that began first ('' none), and when, ms,
--         1 if there is more than was looked at, how many are in flight, in the line, to be retried, until when the breaker is
--         open ms ('' it is not)}
-- Cost: O(log n) of the endpoint's sets, and a record for each that is looked at.
local unseen, most = now - tonumber(ARGV[7]), tonumber(ARGV[8])
local suspects, first, began, more = {}, '', math.huge, 0

local function note(event, at)
  at = tonumber(at)
  if at and at < began then first, began = event, at end
end

-- look goes from one end of a set; suspicious are those that the queue must know.
local function look(set, from, to, suspicious)
  local found = redis.call('ZRANGE', set, from, to, 'WITHSCORES')
  for i = 1, #found, 2 do
    local r = redis.call('HMGET', record(found[i]), 'run', 'q', 'pub')
    note(found[i], r[3])
    if suspicious and r[1] and tonumber(found[i + 1]) <= unseen then
      suspects[#suspects + 1] = {found[i], r[1], r[2] or ARGV[3]}
    end
  end
end

for _, set in ipairs({OUT, RETRY}) do
  look(set, 0, most - 1, true)
  if redis.call('ZCARD', set) > most then
    more = 1
    look(set, -most, -1, false) -- of what was tried longest, the next attempt is furthest away
  end
end
for _, from in ipairs({'-inf', ms(REPLAY)}) do
  local head = redis.call('ZRANGEBYSCORE', LINE, from, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if head[1] then note(head[1], tonumber(head[2]) % REPLAY) end
end
local ep = endpoint()
return {
  suspects, first, first ~= '' and ms(began) or '', more, redis.call('ZCARD', OUT), redis.call('ZCARD', LINE), redis.call('ZCARD', RETRY),
  ep.opened > 0 and ms(ep.opens) or '',
}
