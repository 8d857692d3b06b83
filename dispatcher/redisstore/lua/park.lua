-- Puts a claimed run back into its line: its process has no room for it. The limit becomes what is in flight without it,
-- and grows again from there.
--
-- ARGV  7 event  8 run  9 until the line is looked at again, ms
-- Answer: {runs: none, wake-up}.
-- Cost: O(log n) of the endpoint's sets.
local event = ARGV[7]
local r = redis.call('HMGET', record(event), 'run', 'st', 'pub', 'bq')
if r[1] ~= ARGV[8] or r[2] or redis.call('ZREM', OUT, event) == 0 then return {{}, {}} end
stand(event, r[3], r[4])
local ep = endpoint()
local left = math.max(1, redis.call('ZCARD', OUT))
if left < ep.limit then redis.call('HSET', ENDPOINT, 'al', left, 'rn', 0, 'rd', 0) end
if ep.step then redis.call('HSET', ENDPOINT, 'tat', string.format('%.3f', ep.tat - ep.step)) end -- it was not used
local at = now + tonumber(ARGV[9])
if ep.gone or ep.disabled or (ep.woken > now and ep.woken <= at) then return {{}, {}} end
redis.call('HSET', ENDPOINT, 'wk', ms(at))
redis.call('ZADD', DUE, 'LT', at + LATE, ARGV[6])
return {{}, {'slot', ms(at), redis.call('ZCARD', LINE)}}
